// Operands of an instruction that is emulated: addresses through the segments that the guest has loaded, and registers as
// they were at the exit (SDM vol. 2 §2.1.5, tables 2-1 to 2-3).
import { VECTOR } from '../../machine/cpu/fault.ts';
import { Descriptor } from '../../machine/cpu/segmentation.ts';
import { decode } from '../../machine/isa/decode.ts';
import { CS, ESP, type Instruction, SS } from '../../machine/isa/instruction.ts';
import type { DeprivilegedGuest } from './guest.ts';
import { guestFault, isGuestFault } from './linear.ts';

const d = new Descriptor();
const bytes = new Uint8Array(15);

/** The descriptor that a segment register was loaded from, in a shared object. */
export function loaded(guest: DeprivilegedGuest, register: number): Descriptor {
  const { low, high } = guest.descriptors.loaded(register);
  d.low = low;
  d.high = high;
  return d;
}

/** The instruction at which the guest stands; null when its bytes cannot be read or mean nothing. */
export function fetch(guest: DeprivilegedGuest, eip: number = guest.frame.eip): Instruction | null {
  const code = loaded(guest, CS);
  const { base } = code;
  const wide = (code.high & 0x400000) !== 0;
  let length = 0;
  try {
    while (length < 15)
      length += guest.linear.readUpTo(
        (base + eip + length) >>> 0,
        bytes,
        length,
        15 - length,
        guest.ring === 3,
      );
  } catch (error) {
    if (!isGuestFault(error)) throw error;
  }
  const instruction = decode(bytes, 0, wide ? 32 : 16, length);
  return typeof instruction === 'string' ? null : instruction;
}

/** Offset of the memory operand within its segment, uint32. */
export function offsetOf(guest: DeprivilegedGuest, i: Instruction): number {
  const { regs } = guest.vcpu;
  let offset = i.displacement;
  if (i.base >= 0) offset = (offset + regs[i.base]) | 0;
  if (i.index >= 0) offset = (offset + (regs[i.index] << i.scale)) | 0;
  return i.addressSize === 32 ? offset >>> 0 : offset & 0xffff;
}

/** Linear address of the memory operand. Raises #GP through a null segment. */
export function addressOf(guest: DeprivilegedGuest, i: Instruction): number {
  return linearOf(guest, i.segment, offsetOf(guest, i));
}

/** Linear address of an offset in a segment. Raises #GP through a null segment. */
export function linearOf(guest: DeprivilegedGuest, register: number, offset: number): number {
  const segment = loaded(guest, register);
  if (!segment.isSegment || !segment.present) guestFault(register === SS ? VECTOR.SS : VECTOR.GP, 0);
  return (segment.base + offset) >>> 0;
}

/** A 16-bit operand in a register or in memory. */
export function word(guest: DeprivilegedGuest, i: Instruction): number {
  if (!i.memory) return guest.vcpu.regs[i.rm] & 0xffff;
  return guest.linear.read16(addressOf(guest, i), guest.ring === 3);
}

/** A doubleword of the guest's stack, without popping. @param bytes above ESP. @param wide 32 bits, else 16 */
export function peek(guest: DeprivilegedGuest, bytes: number, wide: boolean): number {
  const segment = loaded(guest, SS);
  const big = (segment.high & 0x400000) !== 0;
  const at = guest.vcpu.regs[ESP] + bytes;
  const linear = segment.base + (big ? at >>> 0 : at & 0xffff);
  const user = guest.ring === 3;
  return wide ? guest.linear.read32(linear, user) : guest.linear.read16(linear, user);
}

/** ESP moved by `bytes`, by the width of the stack. */
export function moveStack(guest: DeprivilegedGuest, bytes: number): void {
  const { regs } = guest.vcpu;
  const big = (loaded(guest, SS).high & 0x400000) !== 0;
  regs[ESP] = big ? (regs[ESP] + bytes) | 0 : (regs[ESP] & ~0xffff) | ((regs[ESP] + bytes) & 0xffff);
}
