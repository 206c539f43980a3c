// IN, OUT, INS and OUTS of an unmodified guest, done on its virtual board (SDM vol. 1 ch. 18). String forms move whole runs
// at once, through the guest's own page tables, and may stop in the middle with a page fault that is the guest's.
import { ECX, EDI, ESI } from '../../machine/isa/instruction.ts';
import { Emulated, Kind } from '../../trace/events.ts';
import type { PcGuest } from './pc-guest.ts';

export type PortSize = 1 | 2 | 4;

/** Elements of a string instruction moved at once; the rest follows at the next exit, so that interrupts get their turn. */
const BATCH = 1024;

/** IN or OUT between the port and EAX, AX or AL in `vcpu.regs`. */
export function portAccess(guest: PcGuest, port: number, size: PortSize, input: boolean): void {
  const { regs } = guest.vcpu;
  const mask = size === 4 ? 0xffffffff : size === 2 ? 0xffff : 0xff;
  if (input) {
    const value = guest.board.read(port, size);
    regs[0] = (regs[0] & ~mask) | (value & mask);
    emulated(guest, true, port, value, size);
  } else {
    const value = (regs[0] & mask) >>> 0;
    guest.board.write(port, value, size);
    emulated(guest, false, port, value, size);
  }
  const { hypervisor } = guest;
  hypervisor.charge.emulateDevice();
}

/** A string instruction as it stands: registers are in `vcpu.regs`. */
export interface StringAccess {
  readonly port: number;
  readonly size: PortSize;
  readonly input: boolean;
  readonly repeated: boolean;
  /** 32-bit addresses and counts, else 16. */
  readonly wide: boolean;
  /** EFLAGS.DF. */
  readonly backward: boolean;
  /** Linear base of the memory operand's segment. */
  readonly base: number;
  /** The guest is in ring 3. */
  readonly user: boolean;
}

/** What became of a run of elements. */
export const StringEnd = { done: -1, more: -2 } as const;

/** Moves elements and the registers with them. @returns `StringEnd`, or the linear address whose page the guest's tables do not give (error code in `shadow.guestError`) */
export function stringAccess(guest: PcGuest, access: StringAccess): number {
  const { regs } = guest.vcpu;
  const mask = access.wide ? 0xffffffff : 0xffff;
  const index = access.input ? EDI : ESI;
  const step = access.backward ? -access.size : access.size;
  const count = access.repeated ? (regs[ECX] & mask) >>> 0 : 1;
  for (let done = 0; done < count; done++) {
    if (done === BATCH) return StringEnd.more;
    const linear = (access.base + ((regs[index] & mask) >>> 0)) >>> 0;
    if (!moveElement(guest, linear, access)) return linear;
    regs[index] = (regs[index] & ~mask) | ((regs[index] + step) & mask);
    if (access.repeated) regs[ECX] = (regs[ECX] & ~mask) | ((regs[ECX] - 1) & mask);
    guest.hypervisor.charge.emulateDevice();
  }
  return StringEnd.done;
}

/** One element between port and memory. False when the guest's tables forbid it; then nothing has happened. */
function moveElement(
  guest: PcGuest,
  linear: number,
  { port, size, input, user }: Pick<StringAccess, 'port' | 'size' | 'input' | 'user'>,
): boolean {
  const at: number[] = [];
  for (let k = 0; k < size; k++) {
    const physical = guest.shadow.translate((linear + k) >>> 0, input, user);
    if (physical < 0) return false;
    at.push(physical);
  }
  // A device gets the element whole, unless it lies over two pages.
  const { devices } = guest;
  const whole = (linear & 0xfff) + size <= 0x1000 && devices?.answers(at[0]);
  let value = 0;
  if (input) {
    value = guest.board.read(port, size);
    if (whole) devices!.write(at[0], value, size);
    else for (let k = 0; k < size; k++) writeByte(guest, at[k], value >>> (8 * k));
  } else {
    if (whole) value = devices!.read(at[0], size);
    else for (let k = 0; k < size; k++) value |= readByte(guest, at[k]) << (8 * k);
    guest.board.write(port, value >>> 0, size);
  }
  emulated(guest, input, port, value, size);
  return true;
}

/** Memory that is not there is all ones. */
function readByte({ domain, hypervisor, devices }: PcGuest, physical: number): number {
  if (devices?.answers(physical)) return devices.read(physical, 1);
  const machine = domain.memory.toMachine(physical);
  return machine < 0 ? 0xff : hypervisor.pc.memory.read8(machine);
}

/** Memory that is not there takes nothing. */
function writeByte({ domain, hypervisor, devices }: PcGuest, physical: number, value: number): void {
  const machine = domain.memory.toMachine(physical);
  if (devices?.answers(physical)) devices.write(physical, value & 0xff, 1);
  else if (machine >= 0) hypervisor.pc.memory.write8(machine, value);
}

function emulated(
  { hypervisor, vcpu }: PcGuest,
  input: boolean,
  port: number,
  value: number,
  size: number,
): void {
  hypervisor.record(vcpu, Kind.emulate, input ? Emulated.ioIn : Emulated.ioOut, port, value, size, 0);
}
