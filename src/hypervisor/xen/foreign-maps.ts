// Frames of other domains in a guest's own page tables (GNTTABOP_map_grant_ref, _unmap_grant_ref; xen/common/grant_table.c).
// A handle stands for one grant in use. It holds the frame, whatever becomes of the entry through which the guest sees it:
// so no entry outlives the right to it. Whoever takes the entry away behind this table's back (by mmu_update, say) loses the
// access, and keeps a handle that cannot be ended before the guest does, as in Xen.
import { OWNER_HYPERVISOR } from '../frames.ts';
import type { Hypervisor } from '../hypervisor.ts';
import { GNTMAP, GNTST } from './abi.ts';
import type { GrantMapping, GrantTables } from './grants.ts';
import { domidOf, type XenGuest, xenGuests } from './guest.ts';

const PAGE = 4096;
/** Handles that a guest can have at a time (Xen: MAPTRACK_MAX_ENTRIES). */
export const MAX_HANDLES = 16384;

/** What a handle stands for: a grant used by an entry of a page table, as an address for devices, or both. */
interface Track {
  /** Null when that domain is gone. */
  owner: XenGuest | null;
  readonly frame: number;
  readonly flags: number;
  host: GrantMapping | null;
  device: GrantMapping | null;
}

export class ForeignMaps {
  private readonly tracks = new Map<XenGuest, (Track | null)[]>();
  /** Frames whose domain has gone while others had them: how often. The last one frees it. */
  private readonly orphans = new Map<number, number>();

  constructor(
    private readonly hypervisor: Hypervisor,
    private readonly grants: GrantTables,
  ) {}

  /**
   * {u64 host_addr, u32 flags, u32 ref, u16 dom, out: s16 status, u32 handle, u64 dev_bus_addr}.
   * @returns the status
   */
  map(guest: XenGuest, at: number): number {
    const { access } = guest;
    const flags = access.read32(guest, at + 8);
    const reference = access.read32(guest, at + 12) >>> 0;
    const domid = access.read16(guest, at + 16);
    if (!(flags & (GNTMAP.deviceMap | GNTMAP.hostMap))) return GNTST.badGntref;
    if (!guest.foreign) return GNTST.permissionDenied;
    const owner = xenGuests(this.hypervisor).get(domid);
    if (!owner || owner === guest) return GNTST.badDomain;
    const handles = this.handlesOf(guest);
    const free = handles.indexOf(null);
    const handle = free < 0 ? handles.length : free;
    if (handle >= MAX_HANDLES) return GNTST.noDeviceSpace;

    const self = domidOf(guest.domain);
    const hold = () => this.grants.hold(owner, reference, self, !(flags & GNTMAP.readonly));
    let host: GrantMapping | null = null;
    let device: GrantMapping | null = null;
    if (flags & GNTMAP.hostMap) {
      const held = hold();
      if (typeof held === 'number') return held;
      const status = guest.foreign.put(
        access.read32(guest, at) >>> 0,
        access.read32(guest, at + 4),
        held.machine / PAGE,
        flags,
      );
      if (status !== GNTST.okay) {
        this.grants.release(owner, held);
        return status;
      }
      host = held;
    }
    if (flags & GNTMAP.deviceMap) {
      const held = hold();
      // What has just been held for the processor can be held once more.
      if (typeof held === 'number') return held;
      device = held;
    }
    const frame = (host ?? device)!.machine / PAGE;
    handles[handle] = { owner, frame, flags, host, device };
    access.write32(guest, at + 20, handle);
    access.write32(guest, at + 24, frame * PAGE);
    access.write32(guest, at + 28, 0);
    return GNTST.okay;
  }

  /** {u64 host_addr, u64 dev_bus_addr, u32 handle, out: s16 status}: an address of 0 leaves that use as it is. */
  unmap(guest: XenGuest, at: number): number {
    const { access } = guest;
    const handles = this.handlesOf(guest);
    const handle = access.read32(guest, at + 16) >>> 0;
    const track = handles[handle];
    if (!track) return GNTST.badHandle;
    const bus = access.read32(guest, at + 8) >>> 0;
    const busHigh = access.read32(guest, at + 12);
    if (bus >= PAGE || busHigh) {
      if (busHigh || Math.floor(bus / PAGE) !== track.frame) return GNTST.generalError;
      this.give(track, 'device');
    }
    const address = access.read32(guest, at) >>> 0;
    const high = access.read32(guest, at + 4);
    if ((address || high) && track.host) {
      const status = guest.foreign!.remove(address, high, track.frame, track.flags);
      if (status !== GNTST.okay) return status;
      this.give(track, 'host');
    }
    if (!track.host && !track.device) handles[handle] = null;
    return GNTST.okay;
  }

  private handlesOf(guest: XenGuest): (Track | null)[] {
    let handles = this.tracks.get(guest);
    if (!handles) this.tracks.set(guest, (handles = []));
    return handles;
  }

  /** One use of a grant has ended. */
  private give(track: Track, use: 'host' | 'device'): void {
    const mapping = track[use];
    if (!mapping) return;
    track[use] = null;
    if (track.owner) {
      this.grants.release(track.owner, mapping);
      return;
    }
    const left = (this.orphans.get(track.frame) ?? 0) - 1;
    if (left > 0) {
      this.orphans.set(track.frame, left);
      return;
    }
    this.orphans.delete(track.frame);
    this.hypervisor.frames.release(track.frame);
  }

  /**
   * A domain goes. What it has mapped is its owners' alone again; what others have mapped of it stays theirs to use until
   * they unmap it, and is free after that. Its own page tables must not be used any more.
   */
  end(guest: XenGuest): void {
    for (const track of this.tracks.get(guest) ?? []) {
      if (!track) continue;
      this.give(track, 'host');
      this.give(track, 'device');
    }
    this.tracks.delete(guest);
    for (const handles of this.tracks.values())
      for (const track of handles) if (track?.owner === guest) this.orphan(guest, track);
  }

  private orphan(guest: XenGuest, track: Track): void {
    track.owner = null;
    const { owner } = this.hypervisor.frames;
    if (!this.orphans.has(track.frame)) {
      guest.foreign?.abandon(track.frame);
      owner[track.frame] = OWNER_HYPERVISOR;
    }
    const uses = (track.host ? 1 : 0) + (track.device ? 1 : 0);
    this.orphans.set(track.frame, (this.orphans.get(track.frame) ?? 0) + uses);
  }

  /** What a guest has by its handles: machine frames, and whether it may write to them. */
  mappedBy(guest: XenGuest): Map<number, { readers: number; writers: number }> {
    const found = new Map<number, { readers: number; writers: number }>();
    for (const track of this.tracks.get(guest) ?? []) {
      if (!track?.host) continue;
      const count = found.get(track.frame) ?? { readers: 0, writers: 0 };
      count[track.flags & GNTMAP.readonly ? 'readers' : 'writers']++;
      found.set(track.frame, count);
    }
    return found;
  }
}
