// memory_op(command, argument): how much memory a domain has, which, and less or more of it (xen/common/memory.c,
// xen/arch/x86/mm.c arch_memory_op). A balloon driver gives frames back with decrease_reservation and gets others with
// populate_physmap; a frame is free for others when nothing of the domain refers to it any more.
import { OutOfMemory } from '../../frames.ts';
import { DOMID_SELF, ERROR, INVALID_M2P } from '../abi.ts';
import type { HypercallRequest } from '../extensions.ts';
import { pageOf } from '../foreign-pages.ts';
import { EPERM, RESERVATION, XENMEM } from './numbers.ts';

/** The command's number stands in the low bits; above it, where an interrupted list goes on (MEMOP_EXTENT_SHIFT). */
const EXTENT_SHIFT = 6;
const MAX_EXTENTS = 1 << (31 - EXTENT_SHIFT);
const E820_RAM = 1;

interface Reservation {
  list: number;
  count: number;
  order: number;
}

function reservationAt({ access, pv }: HypercallRequest, at: number): Reservation | number {
  const list = access.read32(pv, at + RESERVATION.extentStart);
  const count = access.read32(pv, at + RESERVATION.extents) >>> 0;
  const order = access.read32(pv, at + RESERVATION.order) >>> 0;
  const domain = access.read16(pv, at + RESERVATION.domain);
  if (domain !== DOMID_SELF) return EPERM;
  if (count >= MAX_EXTENTS) return ERROR.inval;
  return { list, count, order };
}

/** One frame leaves the domain. False when it is not its own. */
function giveBack(request: HypercallRequest, frame: number): boolean {
  const { hypervisor, tables, pv } = request;
  const held = [pv.sharedInfo >>> 12, ...pv.grantFrames, ...pv.vcpus.map((v) => v.baseFrame)];
  if (held.includes(frame) || !tables.types.owns(pv, frame)) return false;
  const page = pageOf(hypervisor, pv, frame);
  if (!tables.types.giveBack(pv, frame)) return false;
  if (page >= 0) pv.domain.memory.p2m[page] = -1;
  hypervisor.monitor.setMachineToPhysical(frame, INVALID_M2P);
  return true;
}

/** A new frame for the domain, at pseudo-physical page `page` (or at none: -1); null when it may have no more. */
function allocate({ hypervisor, pv }: HypercallRequest, page: number): number | null {
  const { memory, id } = pv.domain;
  if (memory.p2m.indexOf(-1) < 0) return null;
  try {
    const frame = hypervisor.frames.allocate(id);
    const at = page >= 0 ? page : memory.p2m.indexOf(-1);
    memory.p2m[at] = frame;
    hypervisor.monitor.setMachineToPhysical(frame, at);
    return frame;
  } catch (error) {
    if (error instanceof OutOfMemory) return null;
    throw error;
  }
}

/**
 * The three commands that work through a list of extents; result: how many of them were done. When the slice ends, the
 * call is made again, and its command says where it goes on.
 */
function changeReservation(request: HypercallRequest, command: number, from: number): number | null {
  const { hypervisor, access, pv, a } = request;
  const r = reservationAt(request, a[1]);
  if (typeof r === 'number') return r;
  // Extents of more than one page would have to be contiguous: those are for devices, which this domain has not.
  if (r.order > 0 || from > r.count)
    return command === XENMEM.decreaseReservation && r.order <= 9 ? decreaseExtents(request, r) : from;
  for (let n = from; n < r.count; n++) {
    if (n > from && hypervisor.now >= hypervisor.sliceEnd) {
      a[0] = command | (n << EXTENT_SHIFT);
      return null;
    }
    hypervisor.charge.validatePageTableEntry();
    const at = r.list + n * 4;
    if (command === XENMEM.decreaseReservation) {
      if (!giveBack(request, access.read32(pv, at) >>> 0)) return n;
      continue;
    }
    const page = command === XENMEM.populatePhysmap ? access.read32(pv, at) >>> 0 : -1;
    const { p2m } = pv.domain.memory;
    if (page >= 0 && (page >= p2m.length || p2m[page] >= 0)) return n;
    const frame = allocate(request, page);
    if (frame === null) return n;
    if (r.list) access.write32(pv, at, frame);
  }
  return r.count;
}

function decreaseExtents(request: HypercallRequest, { list, count, order }: Reservation): number {
  const { access, pv } = request;
  for (let n = 0; n < Math.min(count, 512); n++) {
    const first = access.read32(pv, list + n * 4) >>> 0;
    for (let k = 0; k < 1 << order; k++) if (!giveBack(request, first + k)) return n;
  }
  return Math.min(count, 512);
}

/** exchange: single frames for single frames. */
function exchange(request: HypercallRequest): number {
  const { access, pv, a } = request;
  const from = reservationAt(request, a[1]);
  const to = reservationAt(request, a[1] + RESERVATION.size);
  if (typeof from === 'number') return from;
  if (typeof to === 'number') return to;
  const done = a[1] + 2 * RESERVATION.size;
  const begun = access.read32(pv, done) >>> 0;
  if (begun > from.count || from.count * 2 ** from.order !== to.count * 2 ** to.order) return ERROR.inval;
  if (from.order || to.order) return ERROR.nomem;
  for (let n = begun; n < from.count && n < begun + 512; n++) {
    const old = access.read32(pv, from.list + n * 4) >>> 0;
    const page = access.read32(pv, to.list + n * 4) >>> 0;
    if (page >= pv.domain.memory.pages) return ERROR.inval;
    if (!giveBack(request, old)) return ERROR.inval;
    const free = pv.domain.memory.p2m[page] < 0 ? page : -1;
    const frame = allocate(request, free);
    if (frame === null) return ERROR.nomem;
    access.write32(pv, to.list + n * 4, frame);
    access.write32(pv, done, n + 1);
  }
  return from.count - begun > 512 ? ERROR.nomem : 0;
}

/** memory_map: {nr_entries, buffer of {u64 address, u64 size, u32 type}}: one piece of memory, as a domain is built with. */
function memoryMap({ access, pv, a }: HypercallRequest): number {
  if (access.read32(pv, a[1]) >>> 0 < 1) return ERROR.inval;
  const buffer = access.read32(pv, a[1] + 4);
  for (const [n, word] of [0, 0, pv.domain.memory.size, 0, E820_RAM].entries())
    access.write32(pv, buffer + n * 4, word);
  access.write32(pv, a[1], 1);
  return 0;
}

/** The pages of the machine-to-physical table, one a 2 MiB extent, for guests that map it themselves. */
function machphysFrames({ hypervisor: { monitor, frames }, access, pv, a }: HypercallRequest): number {
  const most = access.read32(pv, a[1]) >>> 0;
  const list = access.read32(pv, a[1] + 4);
  const extents = Math.min(most, Math.ceil((frames.count * 4) / 2 ** 21));
  for (let n = 0; n < extents; n++) access.write32(pv, list + n * 4, (monitor.m2p + n * 2 ** 21) >>> 12);
  access.write32(pv, a[1] + 8, extents);
  return 0;
}

function reservationOf({ access, pv, a }: HypercallRequest, pages: number): number {
  return access.read16(pv, a[1]) === DOMID_SELF ? pages : EPERM;
}

export function memoryOperation(request: HypercallRequest): number | null {
  const { hypervisor, access, pv, a } = request;
  const command = a[0] & ((1 << EXTENT_SHIFT) - 1);
  const { p2m, pages } = pv.domain.memory;
  switch (command) {
    case XENMEM.increaseReservation:
    case XENMEM.decreaseReservation:
    case XENMEM.populatePhysmap:
      return changeReservation(request, command, a[0] >>> EXTENT_SHIFT);
    case XENMEM.maximumRamPage:
      return hypervisor.frames.count;
    case XENMEM.currentReservation:
      return reservationOf(
        request,
        p2m.reduce((sum, frame) => sum + (frame >= 0 ? 1 : 0), 0),
      );
    case XENMEM.maximumReservation:
      return reservationOf(request, pages);
    case XENMEM.machphysMfnList:
      return machphysFrames(request);
    case XENMEM.memoryMap:
      return memoryMap(request);
    case XENMEM.exchange:
      return exchange(request);
    case XENMEM.machphysMapping: {
      const { hypervisorStart } = pv.layout;
      access.write32(pv, a[1], hypervisorStart);
      access.write32(pv, a[1] + 4, pv.layout.segmentEnd);
      access.write32(pv, a[1] + 8, (pv.layout.segmentEnd - hypervisorStart) / 4 - 1);
      return 0;
    }
    default:
      return ERROR.nosys;
  }
}
