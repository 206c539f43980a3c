// Guest-linear memory as the monitor reads and writes it in the guest's name, through the guest's own page tables with the
// rights of the access: what the processor would have done, had it executed the instruction itself.
import { VECTOR } from '../../machine/cpu/fault.ts';
import { Right, type Tlb } from '../../machine/cpu/tlb.ts';
import type { PhysicalMemory } from '../../machine/memory/physical-memory.ts';
import type { GuestMemory } from '../frames.ts';
import { HYPERVISOR_START } from '../monitor.ts';
import type { ShadowPaging } from '../shadow-paging.ts';

/** An exception that emulated work has earned the guest. Thrown; one object exists, since the next is made after it was caught. */
export class GuestFault {
  vector = 0;
  /** -1 for none. */
  errorCode = -1;
  /** Linear address, for #PF. */
  address = 0;
}
const thrown = new GuestFault();

/** Raises an exception for the guest. @param errorCode -1 for none */
export function guestFault(vector: number, errorCode = -1, address = 0): never {
  thrown.vector = vector;
  thrown.errorCode = errorCode;
  thrown.address = address;
  throw thrown;
}

export const isGuestFault = (error: unknown): error is GuestFault => error === thrown;

export class LinearMemory {
  private readonly memory: PhysicalMemory;

  /** @param knows whether the processor's TLB is of the guest's address space as it is now */
  constructor(
    private readonly shadow: ShadowPaging,
    private readonly guest: GuestMemory,
    private readonly tlb: Tlb,
    private readonly knows: () => boolean,
  ) {
    this.memory = guest.frames.memory;
  }

  /**
   * Machine address, or -1 where the guest has no memory. Raises #PF. The monitor runs in the guest's address space: what the
   * processor remembers of the shadow tables costs it nothing, and only for the rest it has to walk through the guest's own.
   * (What lies where the monitor hides is not the guest's.)
   */
  private machine(linear: number, write: boolean, user: boolean): number {
    const rights = linear >>> 0 < HYPERVISOR_START && this.knows() ? this.tlb.rightsOf(linear >>> 12) : -1;
    const needed = (write ? Right.write | Right.dirty : 0) | (user ? Right.user : 0);
    if (rights >= 0 && (rights & needed) === needed) return this.tlb.physical(linear) >>> 0;
    const physical = this.shadow.translate(linear >>> 0, write, user);
    if (physical < 0) guestFault(VECTOR.PF, this.shadow.guestError, linear >>> 0);
    return this.guest.toMachine(physical);
  }

  read8(linear: number, user = false): number {
    const machine = this.machine(linear, false, user);
    return machine < 0 ? 0xff : this.memory.read8(machine);
  }

  read16(linear: number, user = false): number {
    return this.read8(linear, user) | (this.read8(linear + 1, user) << 8);
  }

  read32(linear: number, user = false): number {
    if ((linear & 0xfff) > 0xffc) return this.read16(linear, user) | (this.read16(linear + 2, user) << 16);
    const machine = this.machine(linear, false, user);
    return machine < 0 ? -1 : this.memory.read32(machine) | 0;
  }

  /** As many bytes as there are in the page, at most `count`. @returns how many. Raises #PF */
  readUpTo(linear: number, into: Uint8Array, at: number, count: number, user: boolean): number {
    const machine = this.machine(linear, false, user);
    const bytes = Math.min(count, 4096 - (linear & 0xfff));
    for (let n = 0; n < bytes; n++) into[at + n] = machine < 0 ? 0xff : this.memory.read8(machine + n);
    return bytes;
  }

  /** All or nothing, also across a page boundary. @param size 1..4 bytes */
  write(linear: number, value: number, size: number, user = false): void {
    const first = this.machine(linear, true, user);
    const last = (linear + size - 1) >>> 0;
    const crosses = last >>> 12 !== (linear >>> 0) >>> 12;
    const next = crosses ? this.machine((last & ~0xfff) >>> 0, true, user) : 0;
    for (let n = 0; n < size; n++) {
      const inFirst = !crosses || ((linear + n) & 0xfff) >= (linear & 0xfff);
      const machine = inFirst ? first : next;
      // Memory that is not there takes nothing.
      if (machine < 0) continue;
      const at = inFirst ? first + n : next + ((linear + n) & 0xfff);
      this.memory.write8(at, value >>> (8 * n));
    }
  }
}
