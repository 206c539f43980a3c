// Shapes of two-operand instructions that read and write their first operand: one small executor for each pair of places
// and each size, built once per operation. The operation itself is a function of values that also notes the flags.
import type { Instruction } from '../../isa/instruction.ts';
import {
  commit8,
  commit16,
  commit32,
  modify8,
  modify16,
  modify32,
  read8,
  read16,
  read32,
} from '../access.ts';
import { effectiveAddress } from '../address.ts';
import type { Cpu } from '../cpu.ts';
import type { Binder, Executor } from './executor.ts';
import { type BySize, byteIndex, placeOf, sizeOf } from './operands.ts';

/**
 * Computes on the low bits of `a` and `b` and notes the flags. `shift` is 24, 16 or 0 for 8, 16 and 32 bits: shifting left
 * and back by it sign-extends. Only the low bits of the result count.
 */
export type Operation = (cpu: Cpu, a: number, b: number, shift: number) => number;

/** Second operand of a shape. */
type Source = 'register' | 'memory' | 'immediate';

export interface Shapes {
  /** rm ← rm op source, rm a register (or the accumulator: register 0). */
  readonly toRegister: Readonly<Record<'register' | 'immediate', BySize>>;
  /** reg ← reg op rm. */
  readonly fromRm: Readonly<Record<'register' | 'memory', BySize>>;
  /** [memory] ← [memory] op source. */
  readonly toMemory: Readonly<Record<'register' | 'immediate', BySize>>;
}

/** Executors of an operation that stores its result. */
export function updatingShapes(op: Operation): Shapes {
  return {
    toRegister: {
      register: {
        8: (cpu, i) => {
          const at = byteIndex(i.rm);
          cpu.regs8[at] = op(cpu, cpu.regs8[at], cpu.regs8[byteIndex(i.reg)], 24);
        },
        16: (cpu, i) => {
          cpu.regs16[i.rm << 1] = op(cpu, cpu.regs16[i.rm << 1], cpu.regs16[i.reg << 1], 16);
        },
        32: (cpu, i) => {
          cpu.regs[i.rm] = op(cpu, cpu.regs[i.rm], cpu.regs[i.reg], 0);
        },
      },
      immediate: {
        8: (cpu, i) => {
          const at = byteIndex(i.rm);
          cpu.regs8[at] = op(cpu, cpu.regs8[at], i.immediate, 24);
        },
        16: (cpu, i) => {
          cpu.regs16[i.rm << 1] = op(cpu, cpu.regs16[i.rm << 1], i.immediate, 16);
        },
        32: (cpu, i) => {
          cpu.regs[i.rm] = op(cpu, cpu.regs[i.rm], i.immediate, 0);
        },
      },
    },
    fromRm: {
      register: {
        8: (cpu, i) => {
          const at = byteIndex(i.reg);
          cpu.regs8[at] = op(cpu, cpu.regs8[at], cpu.regs8[byteIndex(i.rm)], 24);
        },
        16: (cpu, i) => {
          cpu.regs16[i.reg << 1] = op(cpu, cpu.regs16[i.reg << 1], cpu.regs16[i.rm << 1], 16);
        },
        32: (cpu, i) => {
          cpu.regs[i.reg] = op(cpu, cpu.regs[i.reg], cpu.regs[i.rm], 0);
        },
      },
      memory: {
        8: (cpu, i) => {
          const b = read8(cpu, i.segment, effectiveAddress(cpu, i));
          const at = byteIndex(i.reg);
          cpu.regs8[at] = op(cpu, cpu.regs8[at], b, 24);
        },
        16: (cpu, i) => {
          const b = read16(cpu, i.segment, effectiveAddress(cpu, i));
          cpu.regs16[i.reg << 1] = op(cpu, cpu.regs16[i.reg << 1], b, 16);
        },
        32: (cpu, i) => {
          const b = read32(cpu, i.segment, effectiveAddress(cpu, i));
          cpu.regs[i.reg] = op(cpu, cpu.regs[i.reg], b, 0);
        },
      },
    },
    toMemory: {
      register: {
        8: (cpu, i) => {
          const a = modify8(cpu, i.segment, effectiveAddress(cpu, i));
          commit8(cpu, op(cpu, a, cpu.regs8[byteIndex(i.reg)], 24));
        },
        16: (cpu, i) => {
          const a = modify16(cpu, i.segment, effectiveAddress(cpu, i));
          commit16(cpu, op(cpu, a, cpu.regs16[i.reg << 1], 16));
        },
        32: (cpu, i) => {
          const a = modify32(cpu, i.segment, effectiveAddress(cpu, i));
          commit32(cpu, op(cpu, a, cpu.regs[i.reg], 0));
        },
      },
      immediate: {
        8: (cpu, i) => {
          const a = modify8(cpu, i.segment, effectiveAddress(cpu, i));
          commit8(cpu, op(cpu, a, i.immediate, 24));
        },
        16: (cpu, i) => {
          const a = modify16(cpu, i.segment, effectiveAddress(cpu, i));
          commit16(cpu, op(cpu, a, i.immediate, 16));
        },
        32: (cpu, i) => {
          const a = modify32(cpu, i.segment, effectiveAddress(cpu, i));
          commit32(cpu, op(cpu, a, i.immediate, 0));
        },
      },
    },
  };
}

/** Executors of an operation that only notes flags (CMP, TEST). */
export function comparingShapes(op: Operation): Shapes {
  const registers: BySize = {
    8: (cpu, i) => {
      op(cpu, cpu.regs8[byteIndex(i.rm)], cpu.regs8[byteIndex(i.reg)], 24);
    },
    16: (cpu, i) => {
      op(cpu, cpu.regs16[i.rm << 1], cpu.regs16[i.reg << 1], 16);
    },
    32: (cpu, i) => {
      op(cpu, cpu.regs[i.rm], cpu.regs[i.reg], 0);
    },
  };
  return {
    toRegister: {
      register: registers,
      immediate: {
        8: (cpu, i) => {
          op(cpu, cpu.regs8[byteIndex(i.rm)], i.immediate, 24);
        },
        16: (cpu, i) => {
          op(cpu, cpu.regs16[i.rm << 1], i.immediate, 16);
        },
        32: (cpu, i) => {
          op(cpu, cpu.regs[i.rm], i.immediate, 0);
        },
      },
    },
    fromRm: {
      register: {
        8: (cpu, i) => {
          op(cpu, cpu.regs8[byteIndex(i.reg)], cpu.regs8[byteIndex(i.rm)], 24);
        },
        16: (cpu, i) => {
          op(cpu, cpu.regs16[i.reg << 1], cpu.regs16[i.rm << 1], 16);
        },
        32: (cpu, i) => {
          op(cpu, cpu.regs[i.reg], cpu.regs[i.rm], 0);
        },
      },
      memory: {
        8: (cpu, i) => {
          op(cpu, cpu.regs8[byteIndex(i.reg)], read8(cpu, i.segment, effectiveAddress(cpu, i)), 24);
        },
        16: (cpu, i) => {
          op(cpu, cpu.regs16[i.reg << 1], read16(cpu, i.segment, effectiveAddress(cpu, i)), 16);
        },
        32: (cpu, i) => {
          op(cpu, cpu.regs[i.reg], read32(cpu, i.segment, effectiveAddress(cpu, i)), 0);
        },
      },
    },
    toMemory: {
      register: {
        8: (cpu, i) => {
          op(cpu, read8(cpu, i.segment, effectiveAddress(cpu, i)), cpu.regs8[byteIndex(i.reg)], 24);
        },
        16: (cpu, i) => {
          op(cpu, read16(cpu, i.segment, effectiveAddress(cpu, i)), cpu.regs16[i.reg << 1], 16);
        },
        32: (cpu, i) => {
          op(cpu, read32(cpu, i.segment, effectiveAddress(cpu, i)), cpu.regs[i.reg], 0);
        },
      },
      immediate: {
        8: (cpu, i) => {
          op(cpu, read8(cpu, i.segment, effectiveAddress(cpu, i)), i.immediate, 24);
        },
        16: (cpu, i) => {
          op(cpu, read16(cpu, i.segment, effectiveAddress(cpu, i)), i.immediate, 16);
        },
        32: (cpu, i) => {
          op(cpu, read32(cpu, i.segment, effectiveAddress(cpu, i)), i.immediate, 0);
        },
      },
    },
  };
}

/** The shape that fits an instruction. A missing second operand counts as an immediate. */
export function pickShape(shapes: Shapes, i: Instruction): Executor {
  const [first, second = 'imm8'] = i.form.operands;
  const size = sizeOf(i);
  const to = placeOf(i, first);
  const from = placeOf(i, second);
  if (to === 'reg') {
    if (from === 'immediate') throw new Error(`${i.form.mnemonic}: no executor for reg ← imm`);
    return shapes.fromRm[from === 'memory' ? 'memory' : 'register'][size];
  }
  const source: Exclude<Source, 'memory'> = from === 'immediate' ? 'immediate' : 'register';
  return to === 'memory' ? shapes.toMemory[source][size] : shapes.toRegister[source][size];
}

/** A binder over shapes. `hot` may name a faster executor for what the instruction looks like. */
export function binaryBinder(shapes: Shapes, hot?: (i: Instruction) => Executor | undefined): Binder {
  return (i) => hot?.(i) ?? pickShape(shapes, i);
}
