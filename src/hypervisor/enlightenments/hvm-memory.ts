// memory_op of unmodified guests of Xen's interface (xen/common/memory.c, xen/arch/x86/mm.c): which memory they have, pages of
// Xen's in their map, and the balloon. Frames go by the guest's own numbers here ("translated"): what it gives back stands
// nowhere in its map any more, and what it asks for comes where it says.

import { OutOfMemory } from '../frames.ts';
import { DOMID_SELF, ERROR, XENMEM } from '../xen/abi.ts';
import { type ArgumentAccess, domidOf, type XenGuest } from '../xen/guest.ts';
import type { EnlightenedGuest } from './seam.ts';

const BALLOON = { increase: 0, decrease: 1, populate: 6 } as const;
/** struct xen_memory_reservation. */
const RESERVATION = { list: 0, count: 4, order: 8, domain: 16 } as const;
/** The command's number stands in the low bits. */
const COMMAND = 0x3f;
const FIRST_EXTENT = 6;
/** Extents that one call deals with: its answer says how many those were. */
const MOST_EXTENTS = 512;
const SPACE = { sharedInfo: 0, grantTable: 1 } as const;
/** Frames of a PC that are not ordinary memory: video, ROMs. */
const FIRST_RESERVED = 0xa0,
  FIRST_ABOVE = 0x100;
const PAGE = 4096;

export class HvmMemory {
  constructor(
    private readonly guest: EnlightenedGuest,
    private readonly xen: XenGuest,
    /** Whether somebody outside holds this machine frame. */
    private readonly isHeld: (machine: number) => boolean,
  ) {}

  private get memory() {
    return this.guest.domain.memory;
  }

  private get access(): ArgumentAccess {
    return this.xen.access;
  }

  /** memory_op(command, argument). */
  operate(command: number, argument: number): number {
    const { access, memory, xen } = this;
    switch (command & COMMAND) {
      case BALLOON.increase:
      case BALLOON.decrease:
      case BALLOON.populate:
        return this.change(command & COMMAND, command >>> FIRST_EXTENT, argument);
      case XENMEM.maximumRamPage:
        return memory.frames.count;
      case XENMEM.currentReservation:
        return memory.p2m.reduce((sum, frame) => sum + (frame >= 0 && !this.isXens(frame) ? 1 : 0), 0);
      case XENMEM.maximumReservation:
        return memory.pages;
      case XENMEM.addToPhysmap:
        return this.addToPhysmap(
          access.read16(xen, argument),
          access.read32(xen, argument + 4),
          access.read32(xen, argument + 8) >>> 0,
          access.read32(xen, argument + 12) >>> 0,
        );
      default:
        return ERROR.nosys;
    }
  }

  /** The three commands of a balloon driver. @returns how many extents were dealt with */
  private change(command: number, from: number, argument: number): number {
    const { access, xen, guest } = this;
    const word = (offset: number): number => access.read32(xen, argument + offset) >>> 0;
    const domid = access.read16(xen, argument + RESERVATION.domain);
    if (domid !== DOMID_SELF && domid !== domidOf(guest.domain)) return ERROR.perm;
    const [list, count] = [word(RESERVATION.list), word(RESERVATION.count)];
    // Extents of several frames are for devices, which this guest has not; and an address without a list names nothing.
    if (word(RESERVATION.order) > 0 || from > count) return from;
    const end = Math.min(count, from + MOST_EXTENTS);
    for (let n = from; n < end; n++) {
      guest.hypervisor.charge.validatePageTableEntry();
      const at = list + n * 4;
      if (command === BALLOON.increase) {
        // A frame without a place would be of no use: it comes where there is one, and the list says where.
        const frame = this.emptyPlace();
        if (frame < 0 || !this.populate(frame)) return n;
        if (list) access.write32(xen, at, frame);
        continue;
      }
      const frame = access.read32(xen, at) >>> 0;
      if (!(command === BALLOON.decrease ? this.giveBack(frame) : this.populate(frame))) return n;
    }
    return end;
  }

  private isOrdinary(frame: number): boolean {
    return frame < this.memory.pages && (frame < FIRST_RESERVED || frame >= FIRST_ABOVE);
  }

  /** A page that the hypervisor lent to the guest's map. */
  private isXens(machine: number): boolean {
    return machine === this.xen.sharedInfo / PAGE || this.xen.grantFrames.includes(machine);
  }

  private emptyPlace(): number {
    const { p2m } = this.memory;
    for (let frame = p2m.indexOf(-1); frame >= 0; frame = p2m.indexOf(-1, frame + 1))
      if (this.isOrdinary(frame)) return frame;
    return -1;
  }

  /** One frame leaves the guest. False when there is none, it is not its own, or somebody holds it. */
  private giveBack(frame: number): boolean {
    if (!this.isOrdinary(frame)) return false;
    const { p2m, frames } = this.memory;
    const machine = p2m[frame];
    if (machine < 0 || this.isXens(machine) || this.isHeld(machine)) return false;
    p2m[frame] = -1;
    this.guest.shadow.remapped(frame);
    frames.release(machine);
    return true;
  }

  /** A new frame at a place that has none. False when it has, or the host has no more. */
  private populate(frame: number): boolean {
    const { p2m, frames } = this.memory;
    if (!this.isOrdinary(frame) || p2m[frame] >= 0) return false;
    try {
      p2m[frame] = frames.allocate(this.guest.domain.id);
    } catch (error) {
      if (error instanceof OutOfMemory) return false;
      throw error;
    }
    this.guest.shadow.remapped(frame);
    return true;
  }

  /** A page of the hypervisor's takes the place of one of the guest's, which is gone. */
  private addToPhysmap(domid: number, space: number, index: number, frame: number): number {
    const { memory, guest, xen } = this;
    if (domid !== DOMID_SELF && domid !== domidOf(guest.domain)) return ERROR.perm;
    const page =
      space === SPACE.sharedInfo && index === 0
        ? xen.sharedInfo / PAGE
        : space === SPACE.grantTable
          ? (xen.grantFrames[index] ?? -1)
          : -1;
    if (page < 0 || !this.isOrdinary(frame)) return ERROR.inval;
    const before = memory.p2m[frame];
    if (before === page) return 0;
    if (this.isHeld(before)) return ERROR.busy;
    const elsewhere = memory.p2m.indexOf(page);
    if (elsewhere >= 0) {
      memory.p2m[elsewhere] = -1;
      guest.shadow.remapped(elsewhere);
    }
    memory.p2m[frame] = page;
    guest.shadow.remapped(frame);
    // Pages of the hypervisor's stay; the guest's own goes back to the host, after nothing leads there.
    if (before >= 0 && !this.isXens(before)) memory.frames.release(before);
    return 0;
  }
}
