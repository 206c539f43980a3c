// Reading the guest's instruction: the first generation of SVM says neither how long it is nor what its operands are
// (no decode assists, no next RIP), so the hypervisor fetches and decodes it, through the guest's own tables.
import { decode } from '../../machine/isa/decode.ts';
import type { Instruction } from '../../machine/isa/instruction.ts';
import type { PhysicalMemory } from '../../machine/memory/physical-memory.ts';
import type { SvmGuest } from './svm-guest.ts';

const MAX_LENGTH = 15;
const CS = 1;
const bytes = new Uint8Array(MAX_LENGTH);

/** Places for instructions that were decoded, a power of two. */
const PLACES = 64;

/** What stood at a machine address when it was decoded. */
interface Decoded {
  readonly machine: number;
  readonly wide: boolean;
  readonly bytes: Uint8Array;
  readonly instruction: Instruction;
}

/** Instructions at which a guest has left, so that those that do so all the time are decoded once. */
export class DecodedInstructions {
  private readonly places: (Decoded | null)[] = new Array(PLACES).fill(null);

  /** What was decoded from the bytes that are there now; null = nothing. */
  find(memory: PhysicalMemory, machine: number, wide: boolean): Instruction | null {
    const known = this.places[machine & (PLACES - 1)];
    if (known === null || known.machine !== machine || known.wide !== wide) return null;
    for (let n = 0; n < known.bytes.length; n++)
      if (memory.bytes[machine + n] !== known.bytes[n]) return null;
    return known.instruction;
  }

  keep(machine: number, wide: boolean, instruction: Instruction): void {
    const own = bytes.slice(0, instruction.length);
    this.places[machine & (PLACES - 1)] = { machine, wide, bytes: own, instruction };
  }
}

/** The instruction at which the guest stands. Null when its page has gone or its bytes mean nothing: another processor of the guest may have written there. */
export function fetchInstruction(guest: SvmGuest): Instruction | null {
  const { vmcb, vcpu, decoded: memo } = guest;
  const { memory } = guest.hypervisor.pc;
  const linear = (vmcb.segmentBase(CS) + vcpu.eip) >>> 0;
  const user = vcpu.cpl === 3;
  const wide = vmcb.wideCode;
  const machine = machineOf(guest, linear, user);
  if (machine < 0) return null;
  const inPage = 4096 - (linear & 0xfff);
  const whole = inPage >= MAX_LENGTH;
  const known = whole ? memo.find(memory, machine, wide) : null;
  if (known) return known;
  const length = Math.min(MAX_LENGTH, inPage);
  copy(memory, machine, 0, length);
  const next = whole ? -1 : machineOf(guest, (linear + inPage) >>> 0, user);
  if (next >= 0) copy(memory, next, inPage, MAX_LENGTH);
  const decoded = decode(bytes, 0, wide ? 32 : 16, next >= 0 ? MAX_LENGTH : length);
  if (typeof decoded === 'string') return null;
  if (whole) memo.keep(machine, wide, decoded);
  return decoded;
}

/** Where the guest fetches from; -1 = nowhere. */
function machineOf(guest: SvmGuest, linear: number, user: boolean): number {
  const physical = guest.shadow.translate(linear, false, user);
  return physical < 0 ? -1 : guest.domain.memory.toMachine(physical);
}

/** Bytes [from, to) of the buffer from one page. */
function copy(memory: PhysicalMemory, machine: number, from: number, to: number): void {
  for (let n = from; n < to; n++) bytes[n] = memory.read8(machine + n - from);
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
