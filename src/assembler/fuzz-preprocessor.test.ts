// Random programs for the preprocessor, from a seed: definitions, macros with all kinds of parameters, repetitions,
// conditions, contexts and pasting, nested at will. What nasm makes of them, we make too.
import { describe, test } from 'vitest';
import { noNasm, sameAsNasm } from './oracle.test.ts';

class Random {
  private state: number;
  constructor(seed: number) {
    this.state = (seed * 2654435761 + 99) >>> 0;
  }
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

interface Macro {
  readonly name: string;
  readonly least: number;
  readonly most: number;
  readonly greedy: boolean;
}

/** Where a line stands: what it may refer to. */
interface Place {
  /** Parameters of the macro around it. */
  readonly parameters: number;
  readonly inRep: boolean;
  readonly depth: number;
}

class Program {
  private readonly lines: string[] = [];
  private readonly singles: { name: string; arity: number }[] = [];
  private readonly assigned: string[] = [];
  private readonly macros: Macro[] = [];
  private count = 0;
  private contexts = 0;

  constructor(private readonly random: Random) {}

  private fresh(stem: string): string {
    return `${stem}${this.count++}`;
  }

  /** An expression of known value. */
  private value(place: Place, depth = 0): string {
    const { random } = this;
    switch (random.below(depth > 2 ? 3 : 9)) {
      case 0:
        return String(random.below(20));
      case 1:
        return this.assigned.length > 0 ? random.pick(this.assigned) : '7';
      case 2:
        return place.parameters > 0 ? random.pick(['%1', '%{1}', '%0']) : '3';
      case 3: {
        const single = this.singles.length > 0 ? random.pick(this.singles) : undefined;
        if (!single) return '4';
        if (single.arity === 0) return `(${single.name})`;
        const args = Array.from({ length: single.arity }, () => this.value(place, depth + 1));
        return `(${single.name}(${args.join(random.pick([',', ', ', ' , ']))}))`;
      }
      case 4:
        return `%[${this.assigned.length > 0 ? random.pick(this.assigned) : '1'}]`;
      case 5:
        return random.pick(['__LINE__', '__BITS__', '1 %+ 2', "'a'"]);
      default:
        return `(${this.value(place, depth + 1)} ${random.pick(['+', '-', '*', '&', '==', '<'])} ${this.value(place, depth + 1)})`;
    }
  }

  private condition(place: Place): string {
    const { random } = this;
    const name = this.singles.length > 0 && random.chance(60) ? random.pick(this.singles).name : 'nothing';
    const macro = this.macros.length > 0 && random.chance(70) ? random.pick(this.macros).name : 'nomacro';
    const token = random.pick([
      '5',
      'foo',
      "'s'",
      '',
      '-3',
      name,
      place.parameters > 0 ? '%1' : 'bar',
      'a b',
    ]);
    const n = random.pick(['', 'n']);
    return random.pick([
      `%${n === '' ? 'if' : 'ifn'} ${this.value(place)}`,
      `%if ${this.value(place)} ${random.pick(['>', '!=', '&&', '||'])} ${this.value(place)}`,
      `%if${n}def ${name}`,
      `%if${n}macro ${macro} ${random.pick(['0', '1', '2', '1-2', '0-*', ''])}`,
      `%if${n}num ${token}`,
      `%if${n}id ${token}`,
      `%if${n}str ${token}`,
      `%if${n}token ${token}`,
      `%if${n}empty ${token}`,
      `%if${n}idn ${token},${random.pick(['5', 'foo', token, "'s'"])}`,
      `%if${n}idni ${token},${random.pick(['FOO', 'Foo', token, '"S"'])}`,
    ]);
  }

  private block(place: Place, length: number): void {
    for (let i = 0; i < length; i++) this.line({ ...place, depth: place.depth + 1 });
  }

  private line(place: Place): void {
    const { random, lines } = this;
    const deep = place.depth > 3;
    switch (random.below(deep ? 5 : 14)) {
      case 0:
      case 1:
        lines.push(
          `db ${Array.from({ length: 1 + random.below(3) }, () => `(${this.value(place)}) & 0xff`).join(', ')}`,
        );
        break;
      case 2:
        this.define(place);
        break;
      case 3: {
        const name =
          this.assigned.length > 0 && random.chance(60) ? random.pick(this.assigned) : this.fresh('v');
        lines.push(`%assign ${name} (${this.value(place)}) & 0xfff`);
        if (!this.assigned.includes(name)) this.assigned.push(name);
        break;
      }
      case 4:
        if (place.parameters > 0)
          lines.push(
            random.pick([
              '%rotate 1',
              '%rotate -1',
              'db %0',
              'dw %{1:-1}',
              'db %1',
              '%%l: dw %%l - $$',
              'db -%1',
            ]),
          );
        else this.call(place);
        break;
      case 5:
      case 6:
        this.call(place);
        break;
      case 7:
        lines.push(`%rep ${random.below(4)}`);
        this.block({ ...place, inRep: true }, 1 + random.below(3));
        if (random.chance(20)) lines.push(this.condition(place), '%exitrep', '%endif');
        lines.push('%endrep');
        break;
      case 8:
      case 9:
        lines.push(this.condition(place));
        this.block(place, 1 + random.below(3));
        if (random.chance(30)) {
          lines.push(this.condition(place).replace('%if', '%elif'));
          this.block(place, 1 + random.below(2));
        }
        if (random.chance(50)) {
          lines.push('%else');
          this.block(place, 1 + random.below(2));
        }
        lines.push('%endif');
        break;
      case 10:
        if (place.depth === 1) this.macro();
        break;
      case 11: {
        const name = `c${this.contexts++}`;
        lines.push(`%push ${name}`, `%assign %$x ${random.below(9)}`, `%$y: db %$x`);
        this.block(place, 1 + random.below(2));
        lines.push('dw %$y - $$', `%pop ${name}`);
        break;
      }
      case 12: {
        const name = this.fresh('s');
        lines.push(
          random.pick([
            `%strlen ${name} '${'abcdef'.slice(random.below(6))}'`,
            `%substr ${name} 'abcdef' ${1 + random.below(6)},${random.below(5) - 2}`,
            `%strcat ${name} 'x', "y${random.below(5)}"`,
            `%defstr ${name} a + ${random.below(5)}`,
          ]),
          `db ${name}`,
        );
        break;
      }
      default:
        if (this.singles.length > 3 && random.chance(30))
          lines.push(`%undef ${this.singles.splice(random.below(this.singles.length), 1)[0].name}`);
    }
  }

  private define(place: Place): void {
    const { random, lines } = this;
    const name = this.fresh('d');
    const arity = random.below(3);
    const parameters = ['p', 'q'].slice(0, arity);
    const body =
      arity === 0
        ? this.value(place)
        : parameters.map((p) => `${p} ${random.pick(['+', '*'])} ${this.value(place)}`).join(' + ');
    const kind = random.pick(['define', 'xdefine', 'idefine']);
    lines.push(`%${kind} ${name}${arity > 0 ? `(${parameters.join(', ')})` : ''} ${body}`);
    this.singles.push({ name: kind === 'idefine' ? name.toUpperCase() : name, arity });
  }

  private call(place: Place): void {
    const { random, lines } = this;
    if (this.macros.length === 0) return;
    const macro = random.pick(this.macros);
    const most =
      macro.most === Number.POSITIVE_INFINITY ? macro.least + 3 : macro.most + (macro.greedy ? 2 : 0);
    const count = macro.least + random.below(most - macro.least + 1);
    const args = Array.from({ length: count }, () =>
      random.chance(15) ? `{${this.value(place)}}` : this.value(place),
    );
    const label = random.chance(15) ? `${this.fresh('l')}: ` : '';
    lines.push(`${label}${macro.name} ${args.join(random.pick([',', ', ']))}`);
  }

  private macro(): void {
    const { random, lines } = this;
    const least = random.below(3);
    const most = random.pick([least, least, least + 1, least + 2, Number.POSITIVE_INFINITY]);
    const greedy = most !== Number.POSITIVE_INFINITY && most > 0 && random.chance(20);
    const name =
      this.macros.length > 0 && random.chance(10) ? random.pick(this.macros).name : this.fresh('m');
    const range = most === least ? `${least}` : `${least}-${most === Number.POSITIVE_INFINITY ? '*' : most}`;
    const defaults =
      most > least && random.chance(60)
        ? ` ${Array.from({ length: 1 + random.below(Math.min(2, most - least)) }, () => random.below(50)).join(', ')}`
        : '';
    lines.push(
      `%${random.pick(['macro', 'macro', 'imacro'])} ${name} ${range}${greedy ? '+' : ''}${defaults}`,
    );
    this.block({ parameters: Math.max(least, 1), inRep: false, depth: 1 }, 1 + random.below(4));
    lines.push('%endmacro');
    this.macros.push({ name, least, most, greedy });
  }

  text(): string {
    for (let i = 4 + this.random.below(18); i > 0; i--) this.line({ parameters: 0, inRep: false, depth: 1 });
    return `${this.lines.join('\n')}\n`;
  }
}

const PROGRAMS = Number(process.env.FUZZ ?? 150);
const FIRST = Number(process.env.FUZZ_FROM ?? 1);

describe.skipIf(noNasm)(`random macros, as nasm expands them ${noNasm}`, () => {
  test(`${PROGRAMS} programs`, () => {
    for (let seed = FIRST; seed < FIRST + PROGRAMS; seed++) sameAsNasm(new Program(new Random(seed)).text());
  });
});
