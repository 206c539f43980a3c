// SHL SHR SAR ROL ROR RCL RCR (SDM vol. 2 "SAL/SAR/SHL/SHR", "RCL/RCR/ROL/ROR"). The count is taken modulo 32 by every
// processor since the 80186; a count of zero changes nothing. Where the manual leaves flags undefined they are those of the
// Intel processor that made the vectors: OF says, for any count, whether the *first* one-bit step changed the sign; AF is
// cleared by shifts; ROL and ROR of a register by an immediate above 1 keep OF.
import type { Instruction } from '../../isa/instruction.ts';
import type { Cpu } from '../cpu.ts';
import { CF, carry, noteResult, OF, replaceFlags } from '../flags.ts';
import { type Operation, type Shapes, updatingShapes } from './binary.ts';
import type { Binder, Executor, Executors } from './executor.ts';
import { sizeOf } from './operands.ts';

const OF_SHIFT = 11;

const shl: Operation = (cpu, a, count, shift) => {
  count &= 31;
  if (count === 0) return a;
  const last = a << (count - 1);
  const result = (last << (shift + 1)) >> shift;
  noteResult(cpu, result, ((last >>> (31 - shift)) & 1) | overflowLeft(a << shift));
  return result;
};

const shr: Operation = (cpu, a, count, shift) => {
  count &= 31;
  if (count === 0) return a;
  const top = a << shift;
  const last = (top >>> shift) >>> (count - 1);
  noteResult(cpu, last >>> 1, (last & 1) | ((top >>> 31) << OF_SHIFT));
  return last >>> 1;
};

const sar: Operation = (cpu, a, count, shift) => {
  count &= 31;
  if (count === 0) return a;
  const last = ((a << shift) >> shift) >> (count - 1);
  noteResult(cpu, last >> 1, last & 1);
  return last >> 1;
};

/** OF of one step to the left: the two top bits differ. @param top the operand, moved to the top of 32 bits */
function overflowLeft(top: number): number {
  return ((top ^ (top << 1)) >>> 31) << OF_SHIFT;
}

function rotateLeft(cpu: Cpu, a: number, count: number, shift: number, mask: number): number {
  const bits = 32 - shift;
  const turn = count & (bits - 1);
  const top = a << shift;
  const value = top >>> shift;
  const result = turn ? (value << turn) | (value >>> (bits - turn)) : value;
  replaceFlags(cpu, mask, ((result & 1) | overflowLeft(top)) & mask);
  return result;
}

function rotateRight(cpu: Cpu, a: number, count: number, shift: number, mask: number): number {
  const bits = 32 - shift;
  const turn = count & (bits - 1);
  const top = a << shift;
  const value = top >>> shift;
  const result = turn ? (value >>> turn) | (value << (bits - turn)) : value;
  const out = (result >>> (bits - 1)) & 1;
  replaceFlags(cpu, mask, (out | (((a ^ (top >>> 31)) & 1) << OF_SHIFT)) & mask);
  return result;
}

const rol: Operation = (cpu, a, count, shift) =>
  count & 31 ? rotateLeft(cpu, a, count & 31, shift, CF | OF) : a;

const ror: Operation = (cpu, a, count, shift) =>
  count & 31 ? rotateRight(cpu, a, count & 31, shift, CF | OF) : a;

const rolImmediate: Operation = (cpu, a, count, shift) => {
  count &= 31;
  return count === 0 ? a : rotateLeft(cpu, a, count, shift, count === 1 ? CF | OF : CF);
};

const rorImmediate: Operation = (cpu, a, count, shift) => {
  count &= 31;
  return count === 0 ? a : rotateRight(cpu, a, count, shift, count === 1 ? CF | OF : CF);
};

/** How far CF and operand together (9, 17 or 33 bits) turn; 0 = not at all, or all the way round. */
function turnThroughCarry(count: number, bits: number): number {
  return bits === 32 ? count & 31 : (count & 31) % (bits + 1);
}

const rcl: Operation = (cpu, a, count, shift) => {
  const bits = 32 - shift;
  const turn = turnThroughCarry(count, bits);
  if (turn === 0) return a;
  const top = a << shift;
  const value = top >>> shift;
  let result = (value << turn) | (carry(cpu) << (turn - 1));
  if (turn > 1) result |= value >>> (bits + 1 - turn);
  replaceFlags(cpu, CF | OF, ((value >>> (bits - turn)) & 1) | overflowLeft(top));
  return result;
};

const rcr: Operation = (cpu, a, count, shift) => {
  const bits = 32 - shift;
  const turn = turnThroughCarry(count, bits);
  if (turn === 0) return a;
  const into = carry(cpu);
  const top = a << shift;
  const value = top >>> shift;
  let result = (into << (bits - turn)) | (value >>> turn);
  if (turn > 1) result |= value << (bits + 1 - turn);
  replaceFlags(cpu, CF | OF, ((value >>> (turn - 1)) & 1) | ((into ^ (top >>> 31)) << OF_SHIFT));
  return result;
};

// Counts that do not stand in the instruction's immediate become operations of their own.

const byCl =
  (op: Operation): Operation =>
  (cpu, a, _, shift) =>
    op(cpu, a, cpu.regs8[4], shift);

const byOne =
  (op: Operation): Operation =>
  (cpu, a, _, shift) =>
    op(cpu, a, 1, shift);

/** The count never comes from ModRM, so only the immediate shapes matter. */
function pickRm(shapes: Shapes, i: Instruction): Executor {
  return (i.memory ? shapes.toMemory : shapes.toRegister).immediate[sizeOf(i)];
}

/**
 * @param immediateOfRegister the executors of `op register,imm8`, when they differ
 * @param hot its executor for 32 bits and a count that is not zero
 */
function shiftBinder(op: Operation, immediateOfRegister = op, hot?: Executor): Binder {
  const immediate = updatingShapes(op);
  const ofRegister = updatingShapes(immediateOfRegister);
  const cl = updatingShapes(byCl(op));
  const one = updatingShapes(byOne(op));
  return (i) => {
    const count = i.form.operands[1];
    if (count === 'cl') return pickRm(cl, i);
    if (count === 'one') return pickRm(one, i);
    if (i.memory) return pickRm(immediate, i);
    return hot && sizeOf(i) === 32 && i.immediate & 31 ? hot : pickRm(ofRegister, i);
  };
}

// `shl r32,n`, `shr r32,n`, `sar r32,n` with n mod 32 ≠ 0.

function shlRegister32(cpu: Cpu, i: Instruction): void {
  const a = cpu.regs[i.rm];
  const last = a << ((i.immediate & 31) - 1);
  noteResult(cpu, last << 1, (last >>> 31) | overflowLeft(a));
  cpu.regs[i.rm] = last << 1;
}

function shrRegister32(cpu: Cpu, i: Instruction): void {
  const a = cpu.regs[i.rm];
  const last = a >>> ((i.immediate & 31) - 1);
  noteResult(cpu, last >>> 1, (last & 1) | ((a >>> 31) << OF_SHIFT));
  cpu.regs[i.rm] = last >>> 1;
}

function sarRegister32(cpu: Cpu, i: Instruction): void {
  const last = cpu.regs[i.rm] >> ((i.immediate & 31) - 1);
  noteResult(cpu, last >> 1, last & 1);
  cpu.regs[i.rm] = last >> 1;
}

export const shiftExecutors: Executors = {
  shl: shiftBinder(shl, shl, shlRegister32),
  shr: shiftBinder(shr, shr, shrRegister32),
  sar: shiftBinder(sar, sar, sarRegister32),
  rol: shiftBinder(rol, rolImmediate),
  ror: shiftBinder(ror, rorImmediate),
  rcl: shiftBinder(rcl),
  rcr: shiftBinder(rcr),
};
