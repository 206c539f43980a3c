// Reading the guest's instruction: the first generation of SVM says neither how long it is nor what its operands are
// (no decode assists, no next RIP), so the hypervisor fetches and decodes it, through the guest's own tables.
import { decode } from '../../machine/isa/decode.ts';
import type { Instruction } from '../../machine/isa/instruction.ts';
import type { SvmGuest } from './svm-guest.ts';

const MAX_LENGTH = 15;
const CS = 1;
const bytes = new Uint8Array(MAX_LENGTH);

/** The instruction at which the guest stands. Null when its page has gone or its bytes mean nothing: another processor of the guest may have written there. */
export function fetchInstruction(guest: SvmGuest): Instruction | null {
  const { vmcb, vcpu } = guest;
  const linear = (vmcb.segmentBase(CS) + vcpu.eip) >>> 0;
  const user = vcpu.cpl === 3;
  const first = Math.min(MAX_LENGTH, 4096 - (linear & 0xfff));
  let length = copy(guest, linear, 0, first, user);
  if (length === first && first < MAX_LENGTH)
    length += copy(guest, (linear + first) >>> 0, first, MAX_LENGTH, user);
  const decoded = decode(bytes, 0, vmcb.wideCode ? 32 : 16, length);
  return typeof decoded === 'string' ? null : decoded;
}

/** Bytes [from, to) of the buffer from one page. @returns how many there are */
function copy(guest: SvmGuest, linear: number, from: number, to: number, user: boolean): number {
  const physical = guest.shadow.translate(linear, false, user);
  const machine = physical < 0 ? -1 : guest.domain.memory.toMachine(physical);
  if (machine < 0) return 0;
  const { memory } = guest.hypervisor.pc;
  for (let n = from; n < to; n++) bytes[n] = memory.read8(machine + n - from);
  return to - from;
}

/** Linear address of the memory operand. */
export function operandAddress(guest: SvmGuest, i: Instruction): number {
  const { regs } = guest.vcpu;
  let offset = i.displacement;
  if (i.base >= 0) offset = (offset + regs[i.base]) | 0;
  if (i.index >= 0) offset = (offset + (regs[i.index] << i.scale)) | 0;
  if (i.addressSize === 16) offset &= 0xffff;
  guest.saveExtra();
  return (guest.vmcb.segmentBase(i.segment) + offset) >>> 0;
}

/** A 16-bit operand in the guest's memory, or -1 when it deserves a page fault (`shadow.guestError`). */
export function readWord(guest: SvmGuest, linear: number): number {
  const low = byteAt(guest, linear, false);
  const high = low < 0 ? -1 : byteAt(guest, (linear + 1) >>> 0, false);
  if (high < 0) return -1;
  const { memory } = guest.hypervisor.pc;
  return memory.read8(low) | (memory.read8(high) << 8);
}

/** Stores 16 bits. @returns false when the guest deserves a page fault */
export function writeWord(guest: SvmGuest, linear: number, value: number): boolean {
  const low = byteAt(guest, linear, true);
  const high = low < 0 ? -1 : byteAt(guest, (linear + 1) >>> 0, true);
  if (high < 0) return false;
  const { memory } = guest.hypervisor.pc;
  memory.write8(low, value);
  memory.write8(high, value >>> 8);
  return true;
}

/** Machine address of a byte; behind the guest's memory, a byte at the end of the host's where nobody listens. */
function byteAt(guest: SvmGuest, linear: number, write: boolean): number {
  const physical = guest.shadow.translate(linear, write, guest.vcpu.cpl === 3);
  if (physical < 0) return -1;
  const machine = guest.domain.memory.toMachine(physical);
  return machine < 0 ? NOWHERE : machine;
}
/** Behind every host's memory: the bus answers all ones and takes nothing. */
const NOWHERE = 0x7ffff000;
