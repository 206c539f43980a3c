// Where the memory operand of an instruction lies within its segment (SDM vol. 2 §2.1.5, tables 2-1 to 2-3).
// The decoder has already turned 16-bit forms (BX+SI …) into base and index, so both address sizes share one sum.
import type { Instruction } from '../isa/instruction.ts';
import type { Cpu } from './cpu.ts';

/**
 * Offset of the memory operand, wrapped to the address size: 0..FFFFh, or 32 bits as int32 (access.ts takes either sign;
 * a signed word is what V8 passes around without boxing, also for a kernel at C0000000h).
 */
export function effectiveAddress(cpu: Cpu, i: Instruction): number {
  const regs = cpu.regs;
  let offset = i.displacement;
  if (i.base >= 0) offset = (offset + regs[i.base]) | 0;
  if (i.index >= 0) offset = (offset + (regs[i.index] << i.scale)) | 0;
  return i.addressSize === 32 ? offset : offset & 0xffff;
}

/** True for `[register + displacement]` with 32-bit addresses: the shape of most memory operands of compiled code. */
export function isBaseDisplacement(i: Instruction): boolean {
  return i.memory && i.addressSize === 32 && i.base >= 0 && i.index < 0;
}

/** `effectiveAddress` for an instruction of which `isBaseDisplacement` holds. */
export function baseDisplacement(cpu: Cpu, i: Instruction): number {
  return (cpu.regs[i.base] + i.displacement) | 0;
}

/** An offset stepped by a signed amount, wrapped to the address size. */
export function stepOffset(i: Instruction, offset: number, step: number): number {
  return i.addressSize === 32 ? (offset + step) | 0 : (offset + step) & 0xffff;
}
