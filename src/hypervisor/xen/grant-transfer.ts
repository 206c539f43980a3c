// GNTTABOP_transfer (xen/include/public/grant_table.h, xen/common/grant_table.c gnttab_transfer): a guest gives one of its
// frames away, for good, to a domain that has an entry ready to take it. Network drivers of Xen 3.0 flip pages so.
import type { Hypervisor } from '../hypervisor.ts';
import { GNTST, GTF } from './abi.ts';
import type { GrantTables } from './grants.ts';
import { domidOf, type XenGuest, xenGuests } from './guest.ts';

/**
 * {u32 mfn, u16 domid, u32 ref, out: s16 status}. Unless the answer is that the page was no good, it is not the caller's
 * any more, even when nobody took it: then it is free.
 * @returns the status
 */
export function transfer(hypervisor: Hypervisor, grants: GrantTables, guest: XenGuest, at: number): number {
  const { access } = guest;
  const frame = access.read32(guest, at) >>> 0;
  const domid = access.read16(guest, at + 4);
  const reference = access.read32(guest, at + 8) >>> 0;
  hypervisor.charge.grantMap();
  if (!guest.foreign?.give(frame)) return GNTST.badPage;
  const target = xenGuests(hypervisor).get(domid);
  const entry = target ? grants.entry(target, reference) : -1;
  if (!target || !accept(hypervisor, domidOf(guest.domain), target, entry, frame)) {
    hypervisor.frames.release(frame);
    return target ? GNTST.generalError : GNTST.badDomain;
  }
  return GNTST.okay;
}

/** The target takes it, if it has an entry for this domain and room in its reservation; the entry says which frame came. */
function accept(
  { pc: { memory } }: Hypervisor,
  from: number,
  target: XenGuest,
  entry: number,
  frame: number,
): boolean {
  if (entry < 0 || (memory.read32(entry) & 0xffff) !== GTF.acceptTransfer) return false;
  if (memory.read32(entry) >>> 16 !== from) return false;
  if (!target.foreign?.receive(frame, memory.read32(entry + 4) >>> 0)) return false;
  memory.write32(entry + 4, frame);
  memory.write32(entry, memory.read32(entry) | GTF.transferCommitted | GTF.transferCompleted);
  return true;
}
