// Case templates: arithmetic, logic, shifts, bits, decimal. Each makes one random case of one kind of instruction and says
// which flags the manual defines afterwards (SDM vol. 1 appendix A).
import { type Case, STATUS } from './case.ts';
import { Draft } from './draft.ts';
import type { Random } from './random.ts';

export interface Template {
  readonly name: string;
  /** Cases in the stored vectors. */
  readonly count: number;
  make(random: Random): Case;
}

const CF = 1,
  PF = 4,
  AF = 0x10,
  ZF = 0x40,
  SF = 0x80,
  OF = 0x800;
const EAX = 0,
  ECX = 1,
  EDX = 2;

/** Flags of a shift or rotate by CL, 1 or an immediate (SDM vol. 2 "SAL/SAR/SHL/SHR", "RCL/RCR/ROL/ROR"). */
function definedAfterShift(kind: number, count: number, bits: number): number {
  count &= 31;
  if (count === 0) return STATUS;
  let defined = STATUS;
  if (count !== 1) defined &= ~OF;
  if (kind < 4) return defined;
  defined &= ~AF;
  if (kind !== 7 && count >= bits) defined &= ~CF;
  return defined;
}

/** An instruction with a ModRM operand, a register or memory, with an optional LOCK. */
export function modrm(d: Draft, reg: number, size: number, lockable = false): number[] {
  if (d.random.oneIn(2)) return d.register(reg, d.random.below(8));
  if (lockable && d.random.oneIn(6)) d.prefix(0xf0);
  return d.memory(reg, size);
}

/** Two forms of an opcode: bit 0 clear for bytes, set for the operand size. */
export function byteOrWide(random: Random): { d: Draft; w: number; size: number } {
  const w = random.oneIn(3) ? 0 : 1;
  const d = new Draft(random, { wide: random.oneIn(3) ? false : undefined });
  return { d, w, size: w ? d.bytesOfOperand : 1 };
}

const ALU = ['add', 'or', 'adc', 'sbb', 'and', 'sub', 'xor', 'cmp'];

function alu(n: number): Template {
  const defined = ['or', 'and', 'xor'].includes(ALU[n]) ? STATUS & ~AF : STATUS;
  const lockable = ALU[n] !== 'cmp';
  return {
    name: ALU[n],
    count: 1100,
    make(random) {
      const { d, w, size } = byteOrWide(random);
      d.c.defined = defined;
      const base = n * 8 + w;
      switch (random.below(6)) {
        case 0:
          return d.emit(ALU[n], base + 4, d.immediate(size));
        case 1:
          return d.emit(ALU[n], 0x80 + w, modrm(d, n, size, lockable), d.immediate(size));
        case 2:
          return d.emit(ALU[n], 0x83, modrm(d, n, d.bytesOfOperand, lockable), d.immediate(1));
        case 3:
          return d.emit(ALU[n], base + 2, modrm(d, random.below(8), size));
        default:
          return d.emit(ALU[n], base, modrm(d, random.below(8), size, lockable));
      }
    },
  };
}

const TEST: Template = {
  name: 'test',
  count: 700,
  make(random) {
    const { d, w, size } = byteOrWide(random);
    d.c.defined = STATUS & ~AF;
    if (random.oneIn(4)) return d.emit('test', 0xa8 + w, d.immediate(size));
    if (random.oneIn(2)) return d.emit('test', 0xf6 + w, modrm(d, random.below(2), size), d.immediate(size));
    return d.emit('test', 0x84 + w, modrm(d, random.below(8), size));
  },
};

function unary(name: string, opcode: number, digit: number, count: number): Template {
  return {
    name,
    count,
    make(random) {
      const { d, w, size } = byteOrWide(random);
      // 40+r is INC, 48+r is DEC.
      if (opcode === 0xfe && random.oneIn(3)) return d.emit(name, 0x40 + digit * 8 + random.below(8));
      return d.emit(name, opcode + w, modrm(d, digit, size, true));
    },
  };
}

function multiply(name: string, digit: number): Template {
  return {
    name,
    count: 700,
    make(random) {
      const { d, w, size } = byteOrWide(random);
      d.c.defined = CF | OF;
      return d.emit(name, 0xf6 + w, modrm(d, digit, size));
    },
  };
}

const IMUL: Template = {
  name: 'imul',
  count: 900,
  make(random) {
    const d = new Draft(random, { wide: random.oneIn(3) ? false : undefined });
    d.c.defined = CF | OF;
    const operand = modrm(d, random.below(8), d.bytesOfOperand);
    if (random.oneIn(3)) return d.emit('imul', 0x0f, 0xaf, operand);
    if (random.oneIn(2)) return d.emit('imul', 0x6b, operand, d.immediate(1));
    return d.emit('imul', 0x69, operand, d.immediate(d.bytesOfOperand));
  },
};

function divide(name: string, digit: number): Template {
  return {
    name,
    count: 1500,
    make(random) {
      const { d, w, size } = byteOrWide(random);
      d.c.defined = 0;
      const operand = modrm(d, digit, size);
      // Random dividends overflow nearly always, so most get an upper half that may fit.
      if (!random.oneIn(4)) {
        const upper = name === 'idiv' && random.oneIn(2) ? -1 - random.below(3) : random.below(4);
        if (!w) d.c.regs[EAX] = ((d.c.regs[EAX] & 0xffff00ff) | ((upper & 0xff) << 8)) >>> 0;
        else d.c.regs[EDX] = random.oneIn(2) ? upper : d.c.regs[EDX] >>> random.below(32);
      }
      return d.emit(name, 0xf6 + w, operand);
    },
  };
}

const SHIFTS = ['rol', 'ror', 'rcl', 'rcr', 'shl', 'shr', 'sal', 'sar'];

function shift(n: number): Template {
  return {
    name: SHIFTS[n],
    count: n === 6 ? 200 : 900,
    make(random) {
      const { d, w, size } = byteOrWide(random);
      const operand = modrm(d, n, size);
      const by = random.below(3);
      const immediate = random.oneIn(4) ? random.below(256) : random.below(34);
      if (by === 1 && !d.addressRegisters.has(ECX))
        d.c.regs[ECX] = ((d.c.regs[ECX] & 0xffffff00) | immediate) >>> 0;
      const count = by === 0 ? 1 : by === 1 ? d.c.regs[ECX] & 0xff : immediate;
      d.c.defined = definedAfterShift(n, count, size * 8);
      if (by === 2) return d.emit(SHIFTS[n], 0xc0 + w, operand, immediate);
      return d.emit(SHIFTS[n], (by === 0 ? 0xd0 : 0xd2) + w, operand);
    },
  };
}

function doubleShift(name: string, opcode: number): Template {
  return {
    name,
    count: 800,
    make(random) {
      const d = new Draft(random, { wide: random.oneIn(3) ? false : undefined });
      const operand = modrm(d, random.below(8), d.bytesOfOperand);
      const immediate = random.below(256);
      const byCl = !d.addressRegisters.has(ECX) && random.oneIn(2);
      if (byCl) d.c.regs[ECX] = ((d.c.regs[ECX] & 0xffffff00) | immediate) >>> 0;
      const count = immediate & 31;
      d.c.defined = count === 0 ? STATUS : STATUS & ~AF & ~(count === 1 ? 0 : OF);
      // Above 16, a 16-bit double shift has no defined result at all.
      if (count > d.operandSize) d.c.resultDefined = false;
      return byCl ? d.emit(name, 0x0f, opcode + 1, operand) : d.emit(name, 0x0f, opcode, operand, immediate);
    },
  };
}

const BIT_TESTS = ['bt', 'bts', 'btr', 'btc'];

function bitTest(n: number): Template {
  return {
    name: BIT_TESTS[n],
    count: 700,
    make(random) {
      const d = new Draft(random, { wide: random.oneIn(3) ? false : undefined });
      d.c.defined = CF | ZF;
      if (random.oneIn(3)) {
        return d.emit(BIT_TESTS[n], 0x0f, 0xba, modrm(d, 4 + n, d.bytesOfOperand, n > 0), random.below(256));
      }
      const opcode = 0xa3 + 8 * n;
      if (random.oneIn(3))
        return d.emit(BIT_TESTS[n], 0x0f, opcode, d.register(random.below(8), random.below(8)));
      // The number of a bit up to 32 bytes away on either side.
      const rest = d.memory(0, d.bytesOfOperand, 36);
      const free = [0, 1, 2, 3, 5, 6, 7].filter((r) => !d.addressRegisters.has(r));
      const reg = random.pick(free);
      const number = random.below(512) - 256;
      d.c.regs[reg] = d.operandSize === 32 ? number : (random.word() & 0xffff0000) | (number & 0xffff);
      rest[0] |= reg << 3;
      return d.emit(BIT_TESTS[n], 0x0f, opcode, rest);
    },
  };
}

function scan(name: string, opcode: number): Template {
  return {
    name,
    count: 500,
    make(random) {
      const d = new Draft(random, { wide: random.oneIn(3) ? false : undefined });
      d.c.defined = ZF;
      return d.emit(name, 0x0f, opcode, modrm(d, random.below(8), d.bytesOfOperand));
    },
  };
}

/** Instructions of fixed bytes that work on the accumulator. */
function fixed(name: string, count: number, defined: number, ...bytes: number[]): Template {
  return {
    name,
    count,
    make(random) {
      const d = new Draft(random, { wide: random.oneIn(2) ? false : undefined });
      d.c.defined = defined;
      return d.emit(name, bytes);
    },
  };
}

function decimalBy(name: string, opcode: number): Template {
  return {
    name,
    count: 300,
    make(random) {
      const d = new Draft(random);
      const base = random.oneIn(3) ? random.value() & 0xff : 10;
      // AAM by zero is #DE, and leaves the flags alone.
      d.c.defined = opcode === 0xd4 && base === 0 ? STATUS : SF | ZF | PF;
      return d.emit(name, opcode, base);
    },
  };
}

export const ARITHMETIC: readonly Template[] = [
  ...ALU.map((_, n) => alu(n)),
  TEST,
  unary('inc', 0xfe, 0, 500),
  unary('dec', 0xfe, 1, 500),
  unary('not', 0xf6, 2, 400),
  unary('neg', 0xf6, 3, 500),
  multiply('mul', 4),
  multiply('imul-wide', 5),
  IMUL,
  divide('div', 6),
  divide('idiv', 7),
  ...SHIFTS.map((_, n) => shift(n)),
  doubleShift('shld', 0xa4),
  doubleShift('shrd', 0xac),
  ...BIT_TESTS.map((_, n) => bitTest(n)),
  scan('bsf', 0xbc),
  scan('bsr', 0xbd),
  fixed('cbw', 100, STATUS, 0x98),
  fixed('cwd', 100, STATUS, 0x99),
  fixed('daa', 300, STATUS & ~OF, 0x27),
  fixed('das', 300, STATUS & ~OF, 0x2f),
  fixed('aaa', 200, AF | CF, 0x37),
  fixed('aas', 200, AF | CF, 0x3f),
  decimalBy('aam', 0xd4),
  decimalBy('aad', 0xd5),
];
