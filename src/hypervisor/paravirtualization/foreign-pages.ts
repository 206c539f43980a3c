// Frames of other domains in a paravirtualized guest's page tables (xen/arch/x86/mm.c create_grant_host_mapping and
// destroy_grant_host_mapping of Xen 3.0), and frames that leave a guest or come to it for good (steal_page_for_grant_transfer).
// An entry for another's frame is made here only: mmu_update and validation refuse every frame that is not the guest's own.
import { Kind } from '../../trace/events.ts';
import { OWNER_HYPERVISOR } from '../frames.ts';
import type { Hypervisor } from '../hypervisor.ts';
import { GNTMAP, GNTST } from '../xen/abi.ts';
import type { ForeignFrames } from '../xen/guest.ts';
import { INVALID_M2P, PTE } from './abi.ts';
import { TYPE } from './layout.ts';
import type { PageTables } from './page-tables.ts';
import type { PvDomain } from './pv-domain.ts';

export class ForeignPages implements ForeignFrames {
  constructor(
    private readonly tables: PageTables,
    private readonly pv: PvDomain,
  ) {}

  /** Machine address of the level-1 entry that a request means: one in a table that is in use as such. Or a GNTST_*. */
  private entryOf(address: number, high: number, flags: number): number {
    const { pv, tables } = this;
    if (high) return GNTST.badVirtAddr;
    const byEntry = (flags & GNTMAP.containsPte) !== 0;
    const at = byEntry ? address : tables.access.entryOf(pv, address);
    if (at < 0 || at & ((1 << pv.layout.entryShift) - 1)) return GNTST.generalError;
    const table = at >>> 12;
    return tables.types.owns(pv, table) && tables.types.typeOf(table) === TYPE.table
      ? at
      : GNTST.generalError;
  }

  private write(at: number, entry: number): void {
    const { pv, tables } = this;
    const { hypervisor } = tables;
    const { memory } = hypervisor.pc;
    hypervisor.charge.validatePageTableEntry();
    const old = memory.read32(at);
    memory.write32(at, entry);
    if (pv.layout.pae) memory.write32(at + 4, 0);
    tables.types.dropEntry(pv, TYPE.table, old);
    // What led elsewhere so far must not do so any longer, nor for anybody to whom that frame goes next.
    if (old & PTE.present) {
      hypervisor.cpu.tlb.flush();
      hypervisor.charge.tlbFlush();
    }
    hypervisor.record(pv.current.vcpu, Kind.pageTable, at, entry, 1, 0, old);
  }

  put(address: number, high: number, frame: number, flags: number): number {
    const at = this.entryOf(address, high, flags);
    if (at < 0) return at;
    const rights =
      PTE.present |
      PTE.accessed |
      PTE.dirty |
      (flags & GNTMAP.readonly ? 0 : PTE.writable) |
      (flags & GNTMAP.applicationMap ? PTE.user : 0);
    this.write(at, (frame * 4096) | rights);
    return GNTST.okay;
  }

  remove(address: number, high: number, frame: number, flags: number): number {
    const at = this.entryOf(address, high, flags);
    if (at < 0) return at;
    const entry = this.tables.hypervisor.pc.memory.read32(at);
    const writable = (flags & GNTMAP.readonly) === 0;
    if (!(entry & PTE.present) || entry >>> 12 !== frame || ((entry & PTE.writable) !== 0) !== writable)
      return GNTST.generalError;
    this.write(at, 0);
    return GNTST.okay;
  }

  abandon(frame: number): void {
    this.tables.types.abandon(frame);
  }

  give(frame: number): boolean {
    const { pv, tables } = this;
    const { hypervisor, types } = tables;
    if (!types.owns(pv, frame) || types.countsOf(frame).references) return false;
    const page = pageOf(hypervisor, pv, frame);
    if (page >= 0) pv.domain.memory.p2m[page] = -1;
    hypervisor.monitor.setMachineToPhysical(frame, INVALID_M2P);
    hypervisor.frames.owner[frame] = OWNER_HYPERVISOR;
    // It may have been mapped read-only a moment ago.
    hypervisor.cpu.tlb.flush();
    hypervisor.charge.tlbFlush();
    return true;
  }

  receive(frame: number, page: number): boolean {
    const { pv, tables } = this;
    const { hypervisor } = tables;
    const { memory, id } = pv.domain;
    const at = memory.p2m[page] === -1 ? page : memory.p2m.indexOf(-1);
    if (at < 0 || !pv.domain.alive) return false;
    memory.p2m[at] = frame;
    hypervisor.frames.owner[frame] = id;
    hypervisor.monitor.setMachineToPhysical(frame, at);
    return true;
  }
}

/** The pseudo-physical page behind a machine frame of the domain's, or -1. */
export function pageOf({ monitor, pc }: Hypervisor, pv: PvDomain, frame: number): number {
  const page = pc.memory.read32(monitor.m2p + frame * 4) >>> 0;
  if (pv.domain.memory.p2m[page] === frame) return page;
  // The guest may have written something else there.
  return pv.domain.memory.p2m.indexOf(frame);
}
