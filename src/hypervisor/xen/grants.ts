// Grant tables, version 1 (xen/include/public/grant_table.h, xen/common/grant_table.c): a guest says in a table of its own
// which of its frames another domain may use, and how. Every use looks at the table again: nothing that a guest wrote is
// believed twice. Mapping is domain 0's alone, whose backends are in the hypervisor (decisions/domain-0.md); guests copy.
import { OutOfMemory } from '../frames.ts';
import type { Hypervisor } from '../hypervisor.ts';
import { DOMID_SELF, ERROR, GNTST, GNTTABOP, GRANT_ENTRY_SIZE, GTF } from './abi.ts';
import { DOMAIN_0, domidOf, type XenGuest, xenGuests } from './guest.ts';

/** Frames that a grant table can have: 2048 entries (Xen 3's default). */
export const MAX_GRANT_FRAMES = 4;
const PAGE = 4096;
const ENTRIES_PER_FRAME = PAGE / GRANT_ENTRY_SIZE;
/** Requests in one hypercall; Xen preempts longer lists, this hypervisor refuses them. */
const MAX_LIST = 512;
const COPY_SOURCE_GREF = 1,
  COPY_DEST_GREF = 2;
/** Size of each command's request (i386: 64-bit fields are aligned to 4). */
const REQUEST_SIZE: Readonly<Record<number, number>> = {
  [GNTTABOP.mapGrantRef]: 32,
  [GNTTABOP.unmapGrantRef]: 24,
  [GNTTABOP.transfer]: 12,
  [GNTTABOP.copy]: 24,
};

/** A frame of a guest's that somebody outside has mapped, until `end`. */
export interface GrantMapping {
  /** Machine address of the frame. */
  readonly machine: number;
  readonly reference: number;
  readonly writable: boolean;
}

export class GrantTables {
  /** Mappings of each grant, by guest and reference: when the last one ends, GTF_reading and GTF_writing go. */
  private readonly mappings = new WeakMap<XenGuest, Map<number, { readers: number; writers: number }>>();

  constructor(private readonly hypervisor: Hypervisor) {}

  private get memory() {
    return this.hypervisor.pc.memory;
  }

  /** Machine address of an entry, or -1 when the guest's table has none of this number. */
  private entry(guest: XenGuest, reference: number): number {
    const frame = guest.grantFrames[Math.floor(reference / ENTRIES_PER_FRAME)];
    return frame === undefined ? -1 : frame * PAGE + (reference % ENTRIES_PER_FRAME) * GRANT_ENTRY_SIZE;
  }

  /**
   * What the grant gives `domid` at this moment.
   * @returns machine frame number, or a GNTST_* status below 0
   */
  private granted(guest: XenGuest, reference: number, domid: number, write: boolean): number {
    const at = this.entry(guest, reference >>> 0);
    if (at < 0) return GNTST.badGntref;
    const head = this.memory.read32(at);
    const flags = head & 0xffff;
    if ((flags & GTF.typeMask) !== GTF.permitAccess || head >>> 16 !== domid) return GNTST.badGntref;
    if (write && flags & GTF.readonly) return GNTST.permissionDenied;
    const machine = guest.frames.toMachine(this.memory.read32(at + 4) >>> 0);
    return machine < 0 ? GNTST.badPage : machine;
  }

  /** Domain 0 maps a frame for longer. A status below 0 when the guest does not grant that, or the frame may not be written. */
  map(guest: XenGuest, reference: number, writable: boolean): GrantMapping | number {
    const frame = this.granted(guest, reference, DOMAIN_0, writable);
    if (frame < 0) return frame;
    // A read-only mapping holds the frame just the same: its owner must not lose it meanwhile.
    if (!guest.frames.take(frame)) return GNTST.generalError;
    this.hypervisor.charge('grantMap');
    let all = this.mappings.get(guest);
    if (!all) this.mappings.set(guest, (all = new Map()));
    const count = all.get(reference) ?? { readers: 0, writers: 0 };
    count[writable ? 'writers' : 'readers']++;
    all.set(reference, count);
    this.mark(guest, reference, count);
    return { machine: frame * PAGE, reference, writable };
  }

  unmap(guest: XenGuest, mapping: GrantMapping): void {
    const all = this.mappings.get(guest);
    const count = all?.get(mapping.reference);
    if (!all || !count) return;
    count[mapping.writable ? 'writers' : 'readers']--;
    if (!count.readers && !count.writers) all.delete(mapping.reference);
    this.mark(guest, mapping.reference, count);
    guest.frames.drop(mapping.machine / PAGE);
  }

  /** The entry says whether it is in use, so that its owner knows when it may be ended. */
  private mark(
    guest: XenGuest,
    reference: number,
    { readers, writers }: { readers: number; writers: number },
  ) {
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
    this.hypervisor.charge('grantCopy');
    this.hypervisor.charge('copyByte', into.length);
    into.set(this.memory.bytes.subarray(frame * PAGE + at, frame * PAGE + at + into.length));
    return GNTST.okay;
  }

  copyIn(guest: XenGuest, reference: number, at: number, data: Uint8Array): number {
    const frame = this.granted(guest, reference, DOMAIN_0, true);
    if (frame < 0) return frame;
    if (at + data.length > PAGE) return GNTST.badCopyArg;
    if (!guest.frames.take(frame)) return GNTST.generalError;
    this.hypervisor.charge('grantCopy');
    this.hypervisor.charge('copyByte', data.length);
    this.memory.load(frame * PAGE + at, data);
    guest.frames.drop(frame);
    return GNTST.okay;
  }

  // ---- what guests ask for

  /** HYPERVISOR_grant_table_op(command, list, count). */
  operate(guest: XenGuest, command: number, list: number, count: number): number {
    if (count >>> 0 > MAX_LIST) return ERROR.inval;
    if (command === GNTTABOP.setupTable) return count === 1 ? this.setupTable(guest, list) : ERROR.inval;
    if (command === GNTTABOP.querySize) return count === 1 ? this.querySize(guest, list) : ERROR.inval;
    const size = REQUEST_SIZE[command];
    if (size === undefined) return ERROR.nosys;
    for (let n = 0; n < count; n++) this.request(guest, command, (list + n * size) | 0);
    return 0;
  }

  private request(guest: XenGuest, command: number, at: number): void {
    const { access } = guest;
    switch (command) {
      case GNTTABOP.mapGrantRef:
        // The place of the status is behind host_addr, flags, ref and dom; the handle says it too.
        write16(guest, at + 18, GNTST.permissionDenied);
        access.write32(guest, at + 20, GNTST.permissionDenied);
        break;
      case GNTTABOP.unmapGrantRef:
        write16(guest, at + 20, GNTST.badHandle);
        break;
      case GNTTABOP.transfer:
        write16(guest, at + 10, GNTST.badPage);
        break;
      default:
        write16(guest, at + 20, this.copy(guest, at));
    }
  }

  /** {source {ref or frame, u16 domid, u16 offset}, the same for dest, u16 len, u16 flags, out: s16 status}. */
  private copy(guest: XenGuest, at: number): number {
    const { access } = guest;
    const length = access.read16(guest, at + 16);
    const flags = access.read16(guest, at + 18);
    const sourceOffset = access.read16(guest, at + 6);
    const destOffset = access.read16(guest, at + 14);
    if (sourceOffset + length > PAGE || destOffset + length > PAGE) return GNTST.badCopyArg;
    const source = this.side(guest, at, (flags & COPY_SOURCE_GREF) !== 0, false);
    if (typeof source === 'number') return source;
    const dest = this.side(guest, at + 8, (flags & COPY_DEST_GREF) !== 0, true);
    if (typeof dest === 'number') return dest;
    if (!dest.of.frames.take(dest.frame)) return GNTST.generalError;
    this.hypervisor.charge('grantCopy');
    this.hypervisor.charge('copyByte', length);
    const from = source.frame * PAGE + sourceOffset;
    this.memory.load(dest.frame * PAGE + destOffset, this.memory.bytes.slice(from, from + length));
    dest.of.frames.drop(dest.frame);
    return GNTST.okay;
  }

  private side(
    guest: XenGuest,
    at: number,
    byReference: boolean,
    write: boolean,
  ): { of: XenGuest; frame: number } | number {
    const { access } = guest;
    const word = access.read32(guest, at) >>> 0;
    const named = access.read16(guest, at + 4);
    const self = domidOf(guest.domain);
    const domid = named === DOMID_SELF ? self : named;
    if (!byReference) {
      if (domid !== self) return GNTST.permissionDenied;
      const frame = guest.frames.toMachine(word);
      return frame < 0 ? GNTST.badPage : { of: guest, frame };
    }
    const of = xenGuests(this.hypervisor).get(domid);
    if (!of) return GNTST.badDomain;
    const frame = this.granted(of, word, self, write);
    return frame < 0 ? frame : { of, frame };
  }

  /** {u16 dom, u32 nr_frames, out: s16 status, frame_list*}: the table's frames, which the guest may map. */
  private setupTable(guest: XenGuest, at: number): number {
    const { access } = guest;
    const wanted = access.read32(guest, at + 4) >>> 0;
    const list = access.read32(guest, at + 12);
    const status = !isSelf(guest, access.read16(guest, at))
      ? GNTST.permissionDenied
      : wanted > MAX_GRANT_FRAMES
        ? GNTST.generalError
        : GNTST.okay;
    if (status === GNTST.okay) {
      if (!this.grow(guest, wanted)) {
        write16(guest, at + 8, GNTST.generalError);
        return 0;
      }
      for (let n = 0; n < wanted; n++) access.write32(guest, list + n * 4, guest.grantFrames[n]);
    }
    write16(guest, at + 8, status);
    return 0;
  }

  /** The table has at least so many frames from now on: the domain's, and ordinary memory for ever. False when the host has none left. */
  private grow(guest: XenGuest, frames: number): boolean {
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

  /** {u16 dom, out: u32 nr_frames, u32 max_nr_frames, s16 status}. */
  private querySize(guest: XenGuest, at: number): number {
    const { access } = guest;
    const self = isSelf(guest, access.read16(guest, at));
    access.write32(guest, at + 4, self ? guest.grantFrames.length : 0);
    access.write32(guest, at + 8, self ? MAX_GRANT_FRAMES : 0);
    write16(guest, at + 12, self ? GNTST.okay : GNTST.permissionDenied);
    return 0;
  }
}

const isSelf = (guest: XenGuest, domid: number): boolean =>
  domid === DOMID_SELF || domid === domidOf(guest.domain);

function write16(guest: XenGuest, at: number, value: number): void {
  guest.access.write8(guest, at, value & 0xff);
  guest.access.write8(guest, at + 1, (value >> 8) & 0xff);
}
