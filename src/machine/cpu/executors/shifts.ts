// SHL SHR SAR ROL ROR RCL RCR (SDM vol. 2 "SAL/SAR/SHL/SHR", "RCL/RCR/ROL/ROR"). The count is taken modulo 32 by every
// processor since the 80186; a count of zero changes nothing. What the manual leaves undefined (OF for counts above 1,
// CF for counts above the size) is what Intel processors do: the last of `count` single steps decides.
import type { Instruction } from '../../isa/instruction.ts';
import type { Cpu } from '../cpu.ts';
import { CF, carry, noteResult, OF, replaceFlags } from '../flags.ts';
import { type Operation, pickShape, type Shapes, updatingShapes } from './binary.ts';
import type { Binder, Executor, Executors } from './executor.ts';
import { placeOf, sizeOf } from './operands.ts';

const OF_SHIFT = 11;

const shl: Operation = (cpu, a, count, shift) => {
  count &= 31;
  if (count === 0) return a;
  const last = a << (count - 1);
  const out = (last >>> (31 - shift)) & 1;
  const result = (last << (shift + 1)) >> shift;
  noteResult(cpu, result, out | ((out ^ (result >>> 31)) << OF_SHIFT));
  return result;
};

const shr: Operation = (cpu, a, count, shift) => {
  count &= 31;
  if (count === 0) return a;
  const last = ((a << shift) >>> shift) >>> (count - 1);
  const result = last >>> 1;
  // The top bit before the last step: only the first step can find a one there.
  noteResult(cpu, result, (last & 1) | (((last << shift) >>> 31) << OF_SHIFT));
  return result;
};

const sar: Operation = (cpu, a, count, shift) => {
  count &= 31;
  if (count === 0) return a;
  const last = ((a << shift) >> shift) >> (count - 1);
  noteResult(cpu, last >> 1, last & 1);
  return last >> 1;
};

const rol: Operation = (cpu, a, count, shift) => {
  count &= 31;
  if (count === 0) return a;
  const bits = 32 - shift;
  const turn = count & (bits - 1);
  const value = (a << shift) >>> shift;
  const result = turn ? (value << turn) | (value >>> (bits - turn)) : value;
  const out = result & 1;
  replaceFlags(cpu, CF | OF, out | ((out ^ ((result >>> (bits - 1)) & 1)) << OF_SHIFT));
  return result;
};

const ror: Operation = (cpu, a, count, shift) => {
  count &= 31;
  if (count === 0) return a;
  const bits = 32 - shift;
  const turn = count & (bits - 1);
  const value = (a << shift) >>> shift;
  const result = turn ? (value >>> turn) | (value << (bits - turn)) : value;
  const top = (result >>> (bits - 1)) & 1;
  replaceFlags(cpu, CF | OF, top | ((top ^ ((result >>> (bits - 2)) & 1)) << OF_SHIFT));
  return result;
};

/** Rotates CF:a, 9, 17 or 33 bits, left by `turn` (0 = all the way round). Returns the low bits, notes CF and OF. */
function rotateThroughCarryLeft(cpu: Cpu, a: number, turn: number, bits: number): number {
  const value = bits === 32 ? a >>> 0 : a & ((1 << bits) - 1);
  const into = carry(cpu);
  if (turn === 0) return value;
  const out = (value >>> (bits - turn)) & 1;
  let result = (value << turn) | (into << (turn - 1));
  if (turn > 1) result |= value >>> (bits + 1 - turn);
  replaceFlags(cpu, CF | OF, out | ((out ^ ((result >>> (bits - 1)) & 1)) << OF_SHIFT));
  return result;
}

const rcl: Operation = (cpu, a, count, shift) => {
  const bits = 32 - shift;
  count &= 31;
  return rotateThroughCarryLeft(cpu, a, bits === 32 ? count : count % (bits + 1), bits);
};

const rcr: Operation = (cpu, a, count, shift) => {
  const bits = 32 - shift;
  count &= 31;
  const turn = bits === 32 ? count : count % (bits + 1);
  const value = (a << shift) >>> shift;
  if (turn === 0) return value;
  const into = carry(cpu);
  const out = (value >>> (turn - 1)) & 1;
  let result = (into << (bits - turn)) | (value >>> turn);
  if (turn > 1) result |= value << (bits + 1 - turn);
  const top = result >>> (bits - 2);
  replaceFlags(cpu, CF | OF, out | (((top ^ (top >>> 1)) & 1) << OF_SHIFT));
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

/** The immediate shapes only: the count never comes from ModRM. */
function pickRm(shapes: Shapes, i: Instruction): Executor {
  return (i.memory ? shapes.toMemory : shapes.toRegister).immediate[sizeOf(i)];
}

function shiftBinder(op: Operation, hotImmediate?: Executor): Binder {
  const immediate = updatingShapes(op);
  const cl = updatingShapes(byCl(op));
  const one = updatingShapes(byOne(op));
  return (i) => {
    const count = i.form.operands[1];
    if (count === 'cl') return pickRm(cl, i);
    if (count === 'one') return pickRm(one, i);
    if (hotImmediate && placeOf(i, i.form.operands[0]) === 'rm' && sizeOf(i) === 32 && i.immediate & 31)
      return hotImmediate;
    return pickShape(immediate, i);
  };
}

// `shl r32,n`, `shr r32,n`, `sar r32,n` with n mod 32 ≠ 0.

function shlRegister32(cpu: Cpu, i: Instruction): void {
  const last = cpu.regs[i.rm] << ((i.immediate & 31) - 1);
  const result = last << 1;
  noteResult(cpu, result, (last >>> 31) | (((last ^ result) >>> 31) << OF_SHIFT));
  cpu.regs[i.rm] = result;
}

function shrRegister32(cpu: Cpu, i: Instruction): void {
  const last = cpu.regs[i.rm] >>> ((i.immediate & 31) - 1);
  const result = last >>> 1;
  noteResult(cpu, result, (last & 1) | ((last >>> 31) << OF_SHIFT));
  cpu.regs[i.rm] = result;
}

function sarRegister32(cpu: Cpu, i: Instruction): void {
  const last = cpu.regs[i.rm] >> ((i.immediate & 31) - 1);
  noteResult(cpu, last >> 1, last & 1);
  cpu.regs[i.rm] = last >> 1;
}

export const shiftExecutors: Executors = {
  shl: shiftBinder(shl, shlRegister32),
  shr: shiftBinder(shr, shrRegister32),
  sar: shiftBinder(sar, sarRegister32),
  rol: shiftBinder(rol),
  ror: shiftBinder(ror),
  rcl: shiftBinder(rcl),
  rcr: shiftBinder(rcr),
};
