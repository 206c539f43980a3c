// SHLD SHRD (SDM vol. 2): a shift whose new bits come from a second register. For 16-bit operands and counts above 16 the
// manual defines nothing; Intel processors go on with the bits of the destination itself, and so do we.
import type { Instruction } from '../../isa/instruction.ts';
import { commit16, commit32, modify16, modify32 } from '../access.ts';
import { effectiveAddress } from '../address.ts';
import type { Cpu } from '../cpu.ts';
import { noteResult } from '../flags.ts';
import type { Binder, Executors } from './executor.ts';

const OF_SHIFT = 11;

/** @param count already masked, not zero */
type DoubleShift = (cpu: Cpu, a: number, b: number, count: number) => number;

/** OF as after the first one-bit step, whatever the count: the old and the new sign, both at bit 31. */
function overflow(before: number, after: number): number {
  return ((before ^ after) >>> 31) << OF_SHIFT;
}

const shld32: DoubleShift = (cpu, a, b, count) => {
  const result = (a << count) | (b >>> (32 - count));
  noteResult(cpu, result, ((a >>> (32 - count)) & 1) | overflow(a, a << 1));
  return result;
};

const shrd32: DoubleShift = (cpu, a, b, count) => {
  const result = (a >>> count) | (b << (32 - count));
  noteResult(cpu, result, ((a >>> (count - 1)) & 1) | overflow(a, b << 31));
  return result;
};

const shld16: DoubleShift = (cpu, a, b, count) => {
  a &= 0xffff;
  b &= 0xffff;
  // a:b:a, 48 bits; the window of 16 starts `count` bits below the top.
  const word = count <= 16 ? ((a << 16) | b) << count : ((b << 16) | a) << (count - 16);
  const result = word >> 16;
  const out = count <= 16 ? (a >>> (16 - count)) & 1 : (b >>> (32 - count)) & 1;
  noteResult(cpu, result, out | overflow(a << 16, a << 17));
  return result;
};

const shrd16: DoubleShift = (cpu, a, b, count) => {
  a &= 0xffff;
  b &= 0xffff;
  const word = count <= 16 ? ((b << 16) | a) >>> count : ((a << 16) | b) >>> (count - 16);
  const result = (word << 16) >> 16;
  const out = count <= 16 ? (a >>> (count - 1)) & 1 : (b >>> (count - 17)) & 1;
  noteResult(cpu, result, out | overflow(a << 16, b << 31));
  return result;
};

/** Count in the immediate, or in CL. */
const countOf = (cpu: Cpu, i: Instruction, byCl: boolean): number => (byCl ? cpu.regs8[4] : i.immediate) & 31;

function doubleShiftBinder(op16: DoubleShift, op32: DoubleShift): Binder {
  return (i) => {
    const byCl = i.form.operands[2] === 'cl';
    if (i.memory) {
      if (i.operandSize === 32) {
        return (cpu, i) => {
          const a = modify32(cpu, i.segment, effectiveAddress(cpu, i));
          const count = countOf(cpu, i, byCl);
          if (count) commit32(cpu, op32(cpu, a, cpu.regs[i.reg], count));
        };
      }
      return (cpu, i) => {
        const a = modify16(cpu, i.segment, effectiveAddress(cpu, i));
        const count = countOf(cpu, i, byCl);
        if (count) commit16(cpu, op16(cpu, a, cpu.regs16[i.reg << 1], count));
      };
    }
    if (i.operandSize === 32) {
      return (cpu, i) => {
        const count = countOf(cpu, i, byCl);
        if (count) cpu.regs[i.rm] = op32(cpu, cpu.regs[i.rm], cpu.regs[i.reg], count);
      };
    }
    return (cpu, i) => {
      const count = countOf(cpu, i, byCl);
      if (count) cpu.regs16[i.rm << 1] = op16(cpu, cpu.regs16[i.rm << 1], cpu.regs16[i.reg << 1], count);
    };
  };
}

export const doubleShiftExecutors: Executors = {
  shld: doubleShiftBinder(shld16, shld32),
  shrd: doubleShiftBinder(shrd16, shrd32),
};
