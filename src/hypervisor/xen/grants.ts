// Grant tables, version 1 (xen/include/public/grant_table.h, xen/common/grant_table.c): a guest says in a table of its own
// which of its frames another domain may use, and how. Every use looks at the table again: nothing that a guest wrote is
// believed twice. Here: what a grant gives, who holds it, and how domain 0 uses it; what guests ask for is in grant-calls.ts.
import { OutOfMemory } from '../frames.ts';
import type { Hypervisor } from '../hypervisor.ts';
import { GNTST, GRANT_ENTRY_SIZE, GTF } from './abi.ts';
import { DOMAIN_0, type XenGuest } from './guest.ts';

/** Frames that a grant table can have: 2048 entries (Xen 3's default). */
export const MAX_GRANT_FRAMES = 4;
const PAGE = 4096;
const ENTRIES_PER_FRAME = PAGE / GRANT_ENTRY_SIZE;

/** A frame of a guest's that somebody outside has mapped, until it is released. */
export interface GrantMapping {
  /** Machine address of the frame. */
  readonly machine: number;
  readonly reference: number;
  readonly writable: boolean;
}

interface Users {
  readers: number;
  writers: number;
}

export class GrantTables {
  /** Users of each grant, by guest and reference: when the last one ends, GTF_reading and GTF_writing go. */
  private readonly users = new WeakMap<XenGuest, Map<number, Users>>();

  constructor(private readonly hypervisor: Hypervisor) {}

  private get memory() {
    return this.hypervisor.pc.memory;
  }

  /** Machine address of an entry, or -1 when the guest's table has none of this number. */
  entry(guest: XenGuest, reference: number): number {
    const frame = guest.grantFrames[Math.floor(reference / ENTRIES_PER_FRAME)];
    return frame === undefined ? -1 : frame * PAGE + (reference % ENTRIES_PER_FRAME) * GRANT_ENTRY_SIZE;
  }

  /**
   * What the grant gives `domid` at this moment.
   * @returns machine frame number, or a GNTST_* status below 0
   */
  granted(guest: XenGuest, reference: number, domid: number, write: boolean): number {
    const at = this.entry(guest, reference >>> 0);
    if (at < 0) return GNTST.badGntref;
    const head = this.memory.read32(at);
    const flags = head & 0xffff;
    if ((flags & GTF.typeMask) !== GTF.permitAccess || head >>> 16 !== domid) return GNTST.generalError;
    if (write && flags & GTF.readonly) return GNTST.generalError;
    const machine = guest.frames.toMachine(this.memory.read32(at + 4) >>> 0);
    return machine < 0 ? GNTST.badPage : machine;
  }

  /**
   * Domain `domid` has the frame from now on. It cannot become a page table of its owner's meanwhile, nor anybody else's
   * memory: a read-only mapping holds it just the same.
   * @returns a status below 0 when that is not granted, or the frame may not be written
   */
  hold(guest: XenGuest, reference: number, domid: number, writable: boolean): GrantMapping | number {
    const frame = this.granted(guest, reference, domid, writable);
    if (frame < 0) return frame;
    if (!guest.frames.take(frame)) return GNTST.generalError;
    this.hypervisor.charge.grantMap();
    let all = this.users.get(guest);
    if (!all) this.users.set(guest, (all = new Map()));
    const count = all.get(reference) ?? { readers: 0, writers: 0 };
    count[writable ? 'writers' : 'readers']++;
    all.set(reference, count);
    this.mark(guest, reference, count);
    return { machine: frame * PAGE, reference, writable };
  }

  release(guest: XenGuest, mapping: GrantMapping): void {
    const all = this.users.get(guest);
    const count = all?.get(mapping.reference);
    if (!all || !count) return;
    count[mapping.writable ? 'writers' : 'readers']--;
    if (!count.readers && !count.writers) all.delete(mapping.reference);
    this.mark(guest, mapping.reference, count);
    guest.frames.drop(mapping.machine / PAGE);
  }

  /** Domain 0 maps a frame for longer. See `hold`. */
  map(guest: XenGuest, reference: number, writable: boolean): GrantMapping | number {
    return this.hold(guest, reference, DOMAIN_0, writable);
  }

  unmap(guest: XenGuest, mapping: GrantMapping): void {
    this.release(guest, mapping);
  }

  /** The entry says whether it is in use, so that its owner knows when it may be ended. */
  private mark(guest: XenGuest, reference: number, { readers, writers }: Users): void {
    const at = this.entry(guest, reference);
    const used = (readers || writers ? GTF.reading : 0) | (writers ? GTF.writing : 0);
    this.memory.write32(at, (this.memory.read32(at) & ~(GTF.reading | GTF.writing)) | used);
  }

  /**
   * Domain 0 copies between a granted frame and memory of its own; the frame is looked up, used and forgotten.
   * @param at offset in the frame; offset and length must lie inside it
   * @returns GNTST.okay, or why not
   */
  copyOut(guest: XenGuest, reference: number, at: number, into: Uint8Array): number {
    const frame = this.granted(guest, reference, DOMAIN_0, false);
    if (frame < 0) return frame;
    if (at + into.length > PAGE) return GNTST.badCopyArg;
    this.chargeCopy(into.length);
    into.set(this.memory.bytes.subarray(frame * PAGE + at, frame * PAGE + at + into.length));
    return GNTST.okay;
  }

  copyIn(guest: XenGuest, reference: number, at: number, data: Uint8Array): number {
    const frame = this.granted(guest, reference, DOMAIN_0, true);
    if (frame < 0) return frame;
    if (at + data.length > PAGE) return GNTST.badCopyArg;
    if (!guest.frames.take(frame)) return GNTST.generalError;
    this.chargeCopy(data.length);
    this.memory.load(frame * PAGE + at, data);
    guest.frames.drop(frame);
    return GNTST.okay;
  }

  chargeCopy(bytes: number): void {
    this.hypervisor.charge.grantCopy();
    this.hypervisor.charge.copyByte(bytes);
  }

  /** The table has at least so many frames from now on: the domain's, and ordinary memory for ever. False when the host has none left. */
  grow(guest: XenGuest, frames: number): boolean {
    try {
      while (guest.grantFrames.length < frames) {
        const frame = this.hypervisor.frames.allocate(guest.domain.id);
        guest.frames.take(frame);
        guest.grantFrames.push(frame);
      }
      return true;
    } catch (error) {
      if (error instanceof OutOfMemory) return false;
      throw error;
    }
  }
}
