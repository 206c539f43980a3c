// Which instructions the fast path (run.ts) knows, and what it needs of each in one small number: the operation, where its
// operands are, which access to memory it makes. What has no such number is run by its executor.

import { DS, type Instruction, SS } from '../../isa/instruction.ts';
import { byteIndex, placeOf, sizeOf, sizeOfKind } from '../executors/operands.ts';

/** Where the fields of `Instruction.fast` begin. It stays below 2^30, a small integer in every engine. */
export const Field = {
  /** 6 bits: `Op`. */
  operation: 0,
  /** 5 bits: `Shape`. */
  shape: 6,
  /** 5 bits each: registers, or indices into `regs8`. */
  to: 11,
  from: 16,
  /** 3 bits: an address to be worked out; memory accessed there; and written. */
  address: 21,
  /** 2 bits: last byte of an access lies so far behind the first: 0, 1, 3. */
  span: 24,
  /** 2 bits: where (form >> narrow) & 24 is 24 for operations of 8 bits: by so much they are sign-extended. */
  narrow: 23,
} as const;

export const ADDRESS = 1 << Field.address;
/** Memory is accessed; for writing, too. */
export const ACCESS = 2 << Field.address;
export const WRITES = 4 << Field.address;

/** The operands that are fetched: a, b. The numbers stand as literals in run.ts, for the sake of its jump tables. */
export const Shape = {
  none: 0,
  registers: 1,
  registerImmediate: 2,
  registerMemory: 3,
  memoryRegister: 4,
  memoryImmediate: 5,
  registers8: 6,
  registerImmediate8: 7,
  registerMemory8: 8,
  memoryRegister8: 9,
  memoryImmediate8: 10,
  /** b alone, extended to 32 bits. */
  zeroMemory8: 11,
  signMemory8: 12,
  zeroRegister8: 13,
  signRegister8: 14,
  zeroMemory16: 15,
  signMemory16: 16,
  zeroRegister16: 17,
  signRegister16: 18,
  /** b is the address itself. */
  address: 19,
  /** b is CL; 1. */
  registerCl: 20,
  registerOne: 21,
  /** a is the register `from`. */
  sourceImmediate: 22,
} as const;

/** What is done. `move` and all that compute store into a register; with a memory operand for writing, there. */
export const Op = {
  move: 1,
  move8: 2,
  store: 3,
  store8: 4,
  add: 5,
  or: 6,
  adc: 7,
  sbb: 8,
  and: 9,
  sub: 10,
  xor: 11,
  cmp: 12,
  test: 13,
  inc: 14,
  dec: 15,
  not: 16,
  neg: 17,
  shl: 18,
  shr: 19,
  sar: 20,
  rol: 21,
  ror: 22,
  imul: 23,
  jmp: 24,
  /** Conditions in the order of their encoding follow, from JB on, without parity. */
  jb: 25,
  call: 37,
  ret: 38,
  push: 39,
  pop: 40,
  jumpTo: 41,
  callTo: 42,
  leave: 43,
  nop: 44,
} as const;

/** All of them: the conditions between JB and CALL have numbers only. */
export const OPERATIONS: readonly number[] = Array.from({ length: Op.nop }, (_, n) => n + 1);
export const SHAPES: readonly number[] = Object.values(Shape);

/** Conditions as encoded, in the order of their numbers from `Op.jb` on. JO, JNO, JP and JNP are left to their executors. */
const CONDITIONS: readonly number[] = [2, 3, 4, 5, 6, 7, 8, 9, 12, 13, 14, 15];

const CLASSIC: Readonly<Record<string, number>> = {
  add: Op.add,
  or: Op.or,
  adc: Op.adc,
  sbb: Op.sbb,
  and: Op.and,
  sub: Op.sub,
  xor: Op.xor,
  cmp: Op.cmp,
  test: Op.test,
};
const UNARY: Readonly<Record<string, number>> = { inc: Op.inc, dec: Op.dec, not: Op.not, neg: Op.neg };
const SHIFTS: Readonly<Record<string, number>> = {
  shl: Op.shl,
  shr: Op.shr,
  sar: Op.sar,
  rol: Op.rol,
  ror: Op.ror,
};

interface Fast {
  op: number;
  shape: number;
  to?: number;
  from?: number;
  /** Bits of an operand in memory; 0 when there is none. */
  memory?: number;
  writes?: boolean;
}

/** The number of an instruction for the fast path; 0 when it is none of those. */
export function fastForm(i: Instruction): number {
  if (i.mode !== 32 || i.addressSize !== 32 || i.lock || i.rep !== 0) return 0;
  if (i.memory && i.segment !== DS && i.segment !== SS) return 0;
  const fast = formOf(i);
  if (fast === null) return 0;
  const { op, shape, to = 0, from = 0, memory = 0, writes = false } = fast;
  const access = memory === 0 ? 0 : ADDRESS | ACCESS | (writes ? WRITES : 0);
  const span = memory === 32 ? 3 : memory === 16 ? 1 : 0;
  return (
    op |
    (shape << Field.shape) |
    (to << Field.to) |
    (from << Field.from) |
    (shape === Shape.address ? ADDRESS : access) |
    (span << Field.span) |
    (shape >= Shape.registers8 && shape <= Shape.memoryImmediate8 ? 24 << Field.narrow : 0)
  );
}

function formOf(i: Instruction): Fast | null {
  const { operation } = i.form;
  const size = sizeOf(i);
  if (size === 16 || (i.operandSize === 16 && size !== 8)) return null;
  if (operation in CLASSIC) return classic(i, CLASSIC[operation], size === 8);
  if (operation in UNARY) return unary(i, UNARY[operation], size === 8);
  if (operation in SHIFTS) return shift(i, SHIFTS[operation], size === 8);
  switch (operation) {
    case 'mov':
      return move(i, size === 8);
    case 'movzx':
    case 'movsx':
      return extend(i, operation === 'movsx');
    case 'lea':
      return { op: Op.move, shape: Shape.address, to: i.reg };
    case 'imul':
      return multiply(i);
    case 'jcc':
      return conditional(i);
    case 'jmp':
      return branch(i, Op.jmp, Op.jumpTo);
    case 'call':
      return branch(i, Op.call, Op.callTo);
    case 'ret':
      return { op: Op.ret, shape: Shape.none };
    case 'push':
      return push(i);
    case 'pop':
      return i.memory ? null : { op: Op.pop, shape: Shape.none, to: register(i, 0) };
    case 'nop':
      return { op: Op.nop, shape: Shape.none };
    case 'leave':
      return { op: Op.leave, shape: Shape.none };
    default:
      return null;
  }
}

/** Number of the register that operand `n` names; of 8 bits: its place in `regs8`. */
function register(i: Instruction, n: number): number {
  const kind = i.form.operands[n];
  const place = placeOf(i, kind);
  const number = place === 'reg' ? i.reg : place === 'rm' ? i.rm : 0;
  return sizeOfKind(i, kind) === 8 ? byteIndex(number) : number;
}

/** Shapes of 8 bits follow those of 32 in the same order. */
const NARROW = Shape.registers8 - Shape.registers;

function classic(i: Instruction, op: number, narrow: boolean): Fast {
  const [first, second] = i.form.operands;
  const to = placeOf(i, first);
  const from = placeOf(i, second);
  const more = narrow ? NARROW : 0;
  const bits = narrow ? 8 : 32;
  if (to === 'memory') {
    const shape = from === 'immediate' ? Shape.memoryImmediate : Shape.memoryRegister;
    const writes = op !== Op.cmp && op !== Op.test;
    return {
      op,
      shape: shape + more,
      from: from === 'immediate' ? 0 : register(i, 1),
      memory: bits,
      writes,
    };
  }
  if (from === 'immediate') return { op, shape: Shape.registerImmediate + more, to: register(i, 0) };
  if (from === 'memory') return { op, shape: Shape.registerMemory + more, to: register(i, 0), memory: bits };
  return { op, shape: Shape.registers + more, to: register(i, 0), from: register(i, 1) };
}

function unary(i: Instruction, op: number, narrow: boolean): Fast {
  const more = narrow ? NARROW : 0;
  if (i.memory) return { op, shape: Shape.memoryRegister + more, memory: narrow ? 8 : 32, writes: true };
  return { op, shape: Shape.registers + more, to: register(i, 0) };
}

/** Of 32 bits in a register, by what is not zero. */
function shift(i: Instruction, op: number, narrow: boolean): Fast | null {
  if (narrow || i.memory) return null;
  const count = i.form.operands[1];
  const rotates = op === Op.rol || op === Op.ror;
  const to = register(i, 0);
  if (count === 'cl') return rotates ? null : { op, shape: Shape.registerCl, to };
  if (count === 'one') return rotates ? null : { op, shape: Shape.registerOne, to };
  const by = i.immediate & 31;
  return by === 0 || (rotates && by === 1) ? null : { op, shape: Shape.registerImmediate, to };
}

function move(i: Instruction, narrow: boolean): Fast {
  const [first, second] = i.form.operands;
  const from = placeOf(i, second);
  const more = narrow ? NARROW : 0;
  const bits = narrow ? 8 : 32;
  const toMemory = placeOf(i, first) === 'memory';
  const op = toMemory ? (narrow ? Op.store8 : Op.store) : narrow ? Op.move8 : Op.move;
  const memory = toMemory || from === 'memory' ? bits : 0;
  const to = toMemory ? 0 : register(i, 0);
  if (from === 'immediate')
    return { op, shape: Shape.registerImmediate + more, to, memory, writes: toMemory };
  if (from === 'memory') return { op, shape: Shape.registerMemory + more, to, memory };
  return { op, shape: Shape.registers + more, to, from: register(i, 1), memory, writes: toMemory };
}

function extend(i: Instruction, sign: boolean): Fast {
  const narrow = sizeOfKind(i, i.form.operands[1]) === 8;
  const shape = (narrow ? Shape.zeroMemory8 : Shape.zeroMemory16) + (i.memory ? 0 : 2) + (sign ? 1 : 0);
  const from = i.memory ? 0 : register(i, 1);
  return { op: Op.move, shape, to: i.reg, from, memory: i.memory ? (narrow ? 8 : 16) : 0 };
}

/** Those that keep 32 bits of the product. */
function multiply(i: Instruction): Fast | null {
  const { operands } = i.form;
  if (operands.length < 2) return null;
  const memory = i.memory ? 32 : 0;
  if (operands.length === 2 && placeOf(i, operands[1]) !== 'immediate')
    return i.memory
      ? { op: Op.imul, shape: Shape.registerMemory, to: i.reg, memory }
      : { op: Op.imul, shape: Shape.registers, to: i.reg, from: i.rm };
  return i.memory
    ? { op: Op.imul, shape: Shape.memoryImmediate, to: i.reg, memory }
    : { op: Op.imul, shape: Shape.sourceImmediate, to: i.reg, from: i.rm };
}

function branch(i: Instruction, relative: number, absolute: number): Fast {
  if (i.form.modrm === undefined) return { op: relative, shape: Shape.none };
  return i.memory
    ? { op: absolute, shape: Shape.registerMemory, memory: 32 }
    : { op: absolute, shape: Shape.registers, from: i.rm };
}

function conditional(i: Instruction): Fast | null {
  const n = CONDITIONS.indexOf(i.form.condition!);
  return n < 0 ? null : { op: Op.jb + n, shape: Shape.none };
}

function push(i: Instruction): Fast {
  const place = placeOf(i, i.form.operands[0]);
  if (place === 'immediate') return { op: Op.push, shape: Shape.registerImmediate };
  if (place === 'memory') return { op: Op.push, shape: Shape.registerMemory, memory: 32 };
  return { op: Op.push, shape: Shape.registers, from: register(i, 0) };
}
