// Random programs, from a seed: labels, branches near the edge of a byte, addresses, expressions, data, macros,
// sections. Whatever nasm makes of them, we make the same.
import { describe, test } from 'vitest';
import { noNasm, sameAsNasm } from './oracle.test.ts';

class Random {
  private state: number;
  constructor(seed: number) {
    this.state = (seed * 2654435761 + 12345) >>> 0;
  }
  /** 0 … n-1. */
  below(n: number): number {
    this.state = (Math.imul(this.state, 1664525) + 1013904223) >>> 0;
    return Math.floor((this.state / 2 ** 32) * n);
  }
  pick<T>(from: readonly T[]): T {
    return from[this.below(from.length)];
  }
  chance(percent: number): boolean {
    return this.below(100) < percent;
  }
}

const R8 = ['al', 'cl', 'dl', 'bl', 'ah', 'ch', 'dh', 'bh'];
const R16 = ['ax', 'cx', 'dx', 'bx', 'sp', 'bp', 'si', 'di'];
const R32 = ['eax', 'ecx', 'edx', 'ebx', 'esp', 'ebp', 'esi', 'edi'];
const INDEX32 = R32.filter((r) => r !== 'esp');
const CONDITIONS = ['z', 'nz', 'c', 'nc', 'a', 'be', 'l', 'ge', 's', 'po'];
const NUMBERS = [
  '0',
  '1',
  '2',
  '7',
  '10',
  '100',
  '127',
  '128',
  '255',
  '256',
  '0x1234',
  '0ffffh',
  '1000_0001b',
  '17q',
  "'A'",
  '$0ff',
  '0x80000000',
  '0xfffffff0',
  '4294967295',
];
const OPERATORS = [
  '+',
  '-',
  '*',
  '/',
  '//',
  '%',
  '%%',
  '<<',
  '>>',
  '&',
  '|',
  '^',
  '==',
  '!=',
  '<',
  '>',
  '<=',
  '>=',
  '&&',
  '||',
  '^^',
];

class Program {
  readonly lines: string[] = [];
  private readonly equates: string[] = [];
  private readonly count: number;
  bits: 16 | 32 = 16;
  section = '.text';

  constructor(
    private readonly random: Random,
    private readonly withSections: boolean,
  ) {
    this.count = 6 + random.below(30);
  }

  label(): string {
    return `l${this.random.below(this.count)}`;
  }

  /** A number that nasm knows on the first pass: literals and earlier equates. */
  constant(depth = 0): string {
    const { random } = this;
    if (depth > 3 || random.chance(40)) {
      if (this.equates.length > 0 && random.chance(25)) return random.pick(this.equates);
      return random.pick(NUMBERS);
    }
    if (random.chance(15))
      return `${random.pick(['-', '~', '!', '+'])}${this.wrapped(this.constant(depth + 1))}`;
    if (random.chance(8))
      return `(${this.constant(depth + 1)} ? ${this.constant(depth + 1)} : ${this.constant(depth + 1)})`;
    const operator = random.pick(OPERATORS);
    const right = /[/%]/.test(operator)
      ? random.pick(['1', '3', '10', '255'])
      : /<<|>>/.test(operator)
        ? random.pick(['0', '1', '4', '31'])
        : this.constant(depth + 1);
    return this.wrapped(`${this.constant(depth + 1)} ${operator} ${right}`);
  }

  private wrapped(text: string): string {
    return this.random.chance(50) ? `(${text})` : text;
  }

  /** Anything that may stand where a value may, labels included. */
  value(): string {
    const { random } = this;
    switch (random.below(8)) {
      case 0:
        return this.label();
      case 1:
        return `${this.label()}+${random.below(300)}`;
      case 2:
        return this.withSections ? '$-$$' : `${this.label()}-${this.label()}`;
      case 3:
        return this.withSections ? '$' : `(${this.label()}-${this.label()})*${1 + random.below(4)}`;
      case 4:
        return '$-$$+3';
      default:
        return this.constant();
    }
  }

  address(): string {
    const { random } = this;
    const parts: string[] = [];
    const wide = this.bits === 32 ? !random.chance(10) : random.chance(20);
    if (wide) {
      if (random.chance(80))
        parts.push(
          random.chance(20) ? `${random.pick(INDEX32)}*${random.pick([1, 2, 4, 8])}` : random.pick(R32),
        );
      if (random.chance(40))
        parts.push(
          random.chance(60) ? `${random.pick(INDEX32)}*${random.pick([1, 2, 4, 8])}` : random.pick(INDEX32),
        );
      if (parts.length === 0 && random.chance(50))
        parts.push(`${random.pick(INDEX32)}*${random.pick([2, 3, 5, 9])}`);
    } else if (random.chance(70)) {
      parts.push(random.pick(['bx', 'bp', 'si', 'di', 'bx+si', 'bp+di', 'si+bx', 'di+bp']));
    }
    for (let i = random.below(3); i > 0; i--)
      parts.push(random.chance(30) ? this.value() : random.pick(NUMBERS.slice(0, 12)));
    if (parts.length === 0) parts.push(this.value());
    // Terms in any order.
    parts.sort(() => random.below(3) - 1);
    const keyword = random.chance(12) ? random.pick(['byte ', 'word ', 'dword ', 'nosplit ']) : '';
    const segment = random.chance(10) ? `${random.pick(['es', 'cs', 'ss', 'ds', 'fs', 'gs'])}:` : '';
    return `[${keyword}${segment}${parts.join('+')}]`;
  }

  instruction(): string {
    const { random } = this;
    const size = random.pick([8, 16, 32]);
    const registers = size === 8 ? R8 : size === 16 ? R16 : R32;
    const word = size === 8 ? 'byte' : size === 16 ? 'word' : 'dword';
    const alu = random.pick(['add', 'or', 'adc', 'sbb', 'and', 'sub', 'xor', 'cmp', 'mov', 'test']);
    switch (random.below(16)) {
      case 0:
        return `${alu} ${random.pick(registers)}, ${random.pick(registers)}`;
      case 1:
        return `${alu} ${random.pick(registers)}, ${this.address()}`;
      case 2:
        return `${alu} ${this.address()}, ${random.pick(registers)}`;
      case 3:
        return `${alu} ${random.pick(registers)}, ${random.pick(['', '', 'strict '])}${this.value()}`;
      case 4:
        return `${alu} ${word} ${this.address()}, ${this.value()}`;
      case 5:
      case 6:
        return `j${random.pick(CONDITIONS)} ${random.pick(['', '', '', 'near '])}${this.label()}`;
      case 7:
        return `jmp ${random.pick(['', '', 'near '])}${this.label()}`;
      case 8:
        return `call ${this.label()}`;
      case 9:
        return `push ${random.pick([random.pick(R16), random.pick(R32), this.value(), `dword ${this.value()}`, `word ${this.value()}`, `word ${this.address()}`])}`;
      case 10:
        return `lea ${random.pick(random.chance(50) ? R16 : R32)}, ${this.address()}`;
      case 11:
        return `imul ${random.pick(R32)}, ${random.pick(['', `${random.pick(R32)}, `])}${this.value()}`;
      case 12:
        return `${random.pick(['shl', 'sar', 'rcr'])} ${random.pick(registers)}, ${random.pick(['1', 'cl', '5', this.constant()])}`;
      case 13:
        return random.pick([
          'nop',
          'cli',
          'rep movsb',
          'lodsd',
          'iretd',
          'pushfd',
          'hlt',
          'int 0x80',
          'ret',
          'xlatb',
          'cwde',
          'in al, dx',
        ]);
      case 14:
        return `jmp ${random.pick(['8:', 'dword 8:', 'word 16:'])}${this.label()}`;
      default:
        return `movzx ${random.pick(R32)}, ${random.pick(['byte', 'word'])} ${this.address()}`;
    }
  }

  data(): string {
    const { random } = this;
    const items = Array.from({ length: 1 + random.below(3) }, () =>
      random.pick([this.value(), "'text'", '"x"', '`\\n\\x41`', this.constant()]),
    );
    return `${random.pick(['db', 'dw', 'dd', 'dq'])} ${items.join(', ')}`;
  }

  filler(): string {
    const { random } = this;
    return random.pick([
      `times ${random.below(140)} nop`,
      `times ${random.below(60)} db ${random.below(256)}`,
      `align ${random.pick([2, 4, 8, 16])}`,
      `resb ${random.below(20)}`,
    ]);
  }

  /** One line; false when it is none of the plain kinds. */
  step(): void {
    const { random, lines } = this;
    const roll = random.below(100);
    if (roll < 62) lines.push(`    ${this.instruction()}`);
    else if (roll < 76) lines.push(`    ${this.data()}`);
    else if (roll < 86) lines.push(`    ${this.filler()}`);
    else if (roll < 89) {
      this.bits = this.bits === 16 ? 32 : 16;
      lines.push(`bits ${this.bits}`);
    } else if (roll < 93) {
      const name = `e${this.equates.length}`;
      lines.push(`${name} equ ${this.constant()}`);
      this.equates.push(name);
    } else if (roll < 96) {
      lines.push(`    pair ${random.pick(R16)}, ${this.constant().replaceAll(',', ' ')}`);
    } else if (this.withSections) {
      this.section = random.pick(['.text', '.data', '.rodata', 'extra']);
      lines.push(`section ${this.section}`);
    } else {
      lines.push(`%assign i 0`, `%rep ${random.below(5)}`, `    db i`, `%assign i i+1`, `%endrep`);
    }
  }

  text(): string {
    const { random, lines } = this;
    lines.push(
      '%macro pair 2',
      '    push %1',
      '    mov %1, %2',
      '%%again: loop %%again',
      '%endmacro',
      `org ${random.pick(['0', '0x7c00', '0x100'])}`,
    );
    if (random.chance(60)) lines.push(`bits ${(this.bits = 32)}`);
    for (let n = 0; n < this.count; n++) {
      lines.push(`l${n}:`);
      for (let k = random.below(6); k > 0; k--) this.step();
    }
    return `${lines.join('\n')}\n`;
  }
}

const PROGRAMS = Number(process.env.FUZZ ?? 120);
const FIRST = Number(process.env.FUZZ_FROM ?? 1);

describe.skipIf(noNasm)(`random programs, as nasm assembles them ${noNasm}`, () => {
  for (const sections of [false, true])
    test(`${PROGRAMS} programs ${sections ? 'in several sections' : 'in one section'}`, () => {
      for (let seed = FIRST; seed < FIRST + PROGRAMS; seed++)
        sameAsNasm(new Program(new Random(seed * 2 + (sections ? 1 : 0)), sections).text());
    });
});
