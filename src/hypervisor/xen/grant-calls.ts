// What guests ask of grant tables (GNTTABOP_*; xen/include/public/grant_table.h, xen/common/grant_table.c of Xen 3.0): their
// own table, copies by grants of whoever granted, mappings of other domains' frames, and giving frames away.
import type { Hypervisor } from '../hypervisor.ts';
import { DOMID_SELF, ERROR, GNTST, GNTTABOP } from './abi.ts';
import { ForeignMaps } from './foreign-maps.ts';
import { transfer } from './grant-transfer.ts';
import { type GrantTables, MAX_GRANT_FRAMES } from './grants.ts';
import { domidOf, type XenGuest, xenGuests } from './guest.ts';

const PAGE = 4096;
/** Requests in one hypercall: longer lists are -EINVAL, as in Xen 3.0. */
const MAX_LIST = 512;
const COPY_SOURCE_GREF = 1,
  COPY_DEST_GREF = 2;
/**
 * Size of each command's request, and where in it the status is (i386: 64-bit fields are aligned to 4). dump_table is not
 * among them: only a Xen built for debugging has it, and it prints where no guest can read.
 */
const REQUEST: Readonly<Record<number, { size: number; status: number }>> = {
  [GNTTABOP.mapGrantRef]: { size: 32, status: 18 },
  [GNTTABOP.unmapGrantRef]: { size: 24, status: 20 },
  [GNTTABOP.transfer]: { size: 16, status: 12 },
  [GNTTABOP.copy]: { size: 24, status: 20 },
};

export class GrantCalls {
  readonly maps: ForeignMaps;

  constructor(
    private readonly hypervisor: Hypervisor,
    private readonly grants: GrantTables,
  ) {
    this.maps = new ForeignMaps(hypervisor, grants);
  }

  /** HYPERVISOR_grant_table_op(command, list, count). */
  operate(guest: XenGuest, command: number, list: number, count: number): number {
    if (count >>> 0 > MAX_LIST) return ERROR.inval;
    if (command === GNTTABOP.setupTable) return count === 1 ? this.setupTable(guest, list) : ERROR.inval;
    if (command === GNTTABOP.querySize) return count === 1 ? this.querySize(guest, list) : ERROR.inval;
    const form = REQUEST[command];
    if (form === undefined) return ERROR.nosys;
    for (let n = 0; n < count; n++) {
      const at = (list + n * form.size) | 0;
      write16(guest, at + form.status, this.request(guest, command, at));
    }
    return 0;
  }

  private request(guest: XenGuest, command: number, at: number): number {
    switch (command) {
      case GNTTABOP.mapGrantRef:
        return this.maps.map(guest, at);
      case GNTTABOP.unmapGrantRef:
        return this.maps.unmap(guest, at);
      case GNTTABOP.transfer:
        return transfer(this.hypervisor, this.grants, guest, at);
      default:
        return this.copy(guest, at);
    }
  }

  /** {source {ref or frame, u16 domid, u16 offset}, the same for dest, u16 len, u16 flags, out: s16 status}. */
  private copy(guest: XenGuest, at: number): number {
    const { access } = guest;
    const { memory } = this.hypervisor.pc;
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
    this.grants.chargeCopy(length);
    const from = source.frame * PAGE + sourceOffset;
    memory.load(dest.frame * PAGE + destOffset, memory.bytes.slice(from, from + length));
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
    const frame = this.grants.granted(of, word, self, write);
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
      if (!this.grants.grow(guest, wanted)) {
        write16(guest, at + 8, GNTST.generalError);
        return 0;
      }
      for (let n = 0; n < wanted; n++) access.write32(guest, list + n * 4, guest.grantFrames[n]);
    }
    write16(guest, at + 8, status);
    return 0;
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
