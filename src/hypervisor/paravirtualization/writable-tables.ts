// Writable page tables (VMASST_TYPE_writable_pagetables; Xen 3.0 interface manual §3.2): a kernel that has not been taught
// to ask may write its level-1 tables as if they were its own. The first write traps; then the table is unhooked from the
// directory and made writable, and the guest writes as much as it likes. Before the hypervisor does anything else for this
// guest, and before it enters another, what was written is checked entry by entry and the table hooked in again.
import { PTE } from './abi.ts';
import { VMASST } from './calls/numbers.ts';
import type { ExceptionHandler, HypercallRequest } from './extensions.ts';
import { TYPE } from './layout.ts';

/** Bits of a page fault's error code. */
const PRESENT = 1;
const WRITE = 2;
const USER = 4;

class Unhooked {
  /** The table as it was: what it referred to is still counted. */
  private readonly before: Int32Array;

  constructor(
    private readonly request: HypercallRequest,
    private readonly table: number,
    /** Machine address of the directory's entry that was taken away, or -1 when the table is in none that is used. */
    private readonly directoryEntry: number,
    /** Machine address of the entry through which the guest writes. */
    private readonly mapping: number,
    /** What that directory entry covers, in linear addresses. */
    readonly from: number,
  ) {
    const { memory } = request.hypervisor.pc;
    this.before = Int32Array.from({ length: 1024 }, (_, n) => memory.read32(table * 4096 + n * 4));
    if (directoryEntry >= 0) memory.write32(directoryEntry, memory.read32(directoryEntry) & ~PTE.present);
    memory.write32(mapping, memory.read32(mapping) | PTE.writable);
    request.hypervisor.cpu.tlb.flush();
    request.hypervisor.charge.tlbFlush();
  }

  /** The guest's time with the table is over: read-only again, every changed entry checked, and in its place. */
  reconnect(): void {
    const { hypervisor, tables, pv, vcpu } = this.request;
    const { memory } = hypervisor.pc;
    pv.unhooked = null;
    memory.write32(this.mapping, memory.read32(this.mapping) & ~PTE.writable);
    hypervisor.cpu.tlb.flush();
    hypervisor.charge.tlbFlush();
    const bad = this.revalidate(tables.types);
    if (this.directoryEntry >= 0)
      memory.write32(this.directoryEntry, memory.read32(this.directoryEntry) | PTE.present);
    if (bad >= 0)
      hypervisor.endDomain(
        vcpu.domain,
        'crashed',
        `writable page tables: the guest wrote ${(bad >>> 0).toString(16)}h into a page table, which is not acceptable`,
      );
  }

  /** Takes what is new, gives back what is gone. Returns an entry that cannot be (the table is then as before), or -1. */
  private revalidate(types: HypercallRequest['tables']['types']): number {
    const { hypervisor, pv } = this.request;
    const { memory } = hypervisor.pc;
    const { pae, entryShift, entries } = pv.layout;
    const words = 1 << (entryShift - 2);
    const changed: number[] = [];
    for (let n = 0; n < entries; n++) {
      const at = this.table * 4096 + (n << entryShift);
      const low = memory.read32(at);
      const high = pae ? memory.read32(at + 4) : 0;
      const old = this.before[n * words];
      // The processor's own marks are no change of the guest's.
      if (low === old && (!pae || high === this.before[n * words + 1])) continue;
      hypervisor.charge.validatePageTableEntry();
      if (types.keepsUse(TYPE.table, old, low, high)) continue;
      if (types.takeEntry(pv, TYPE.table, n, low, high)) {
        changed.push(n);
        continue;
      }
      for (const done of changed)
        types.dropEntry(pv, TYPE.table, memory.read32(this.table * 4096 + (done << entryShift)));
      this.before.forEach((word, k) => memory.write32(this.table * 4096 + k * 4, word));
      return low;
    }
    for (const n of changed) types.dropEntry(pv, TYPE.table, this.before[n * words]);
    return -1;
  }
}

/** The level-2 entry of the current address space that leads to a table, and the linear address that it covers; null when it has none. */
function directoryEntryOf({ access, hypervisor, pv }: HypercallRequest, table: number) {
  const { memory } = hypervisor.pc;
  const { hypervisorStart, tableShift } = pv.layout;
  for (let from = 0; from < hypervisorStart; from += 2 ** tableShift) {
    const at = access.directoryEntryOf(pv, from);
    if (at < 0) continue;
    const entry = memory.read32(at);
    if (entry & PTE.present && entry >>> 12 === table) return { at, from };
  }
  return null;
}

/** A write of the guest's kernel to a page that is mapped read-only because it is a page table. */
export const writableTableFault: ExceptionHandler = (request, errorCode) => {
  const { access, hypervisor, tables, vcpu, pv } = request;
  if ((errorCode & (PRESENT | WRITE | USER)) !== (PRESENT | WRITE) || (pv.current.frame.cs & 3) !== 1)
    return false;
  if (!(pv.assists & (1 << VMASST.writablePageTables))) return false;
  const slot = access.entryOf(pv, vcpu.cr2);
  const entry = slot < 0 ? 0 : hypervisor.pc.memory.read32(slot);
  const table = entry >>> 12;
  if (!(entry & PTE.present) || entry & PTE.writable) return false;
  if (!tables.types.owns(pv, table) || tables.types.typeOf(table) !== TYPE.table) return false;
  // The write is refused by the directory's entry: that is the guest's own doing.
  const upper = access.directoryEntryOf(pv, vcpu.cr2);
  if (!(hypervisor.pc.memory.read32(upper) & PTE.writable)) return false;
  const place = directoryEntryOf(request, table);
  // One that maps itself would take away the ground on which it is written; one in several places stays where it is.
  if (place && place.at === upper) return false;
  if (tables.types.countsOf(table).uses - (tables.types.isPinned(table) ? 1 : 0) > (place ? 1 : 0))
    return false;
  pv.unhooked = new Unhooked(request, table, place ? place.at : -1, slot, place ? place.from : -1);
  return true;
};
