// Page-type counting (Barham et al. 2003, §3.3.3; xen/arch/x86/mm.c): a frame is, at any time, one of page-table levels 1
// to 3, descriptor page or writable, and can change its type only when nobody uses it as the old one. So a guest can never
// have a writable mapping of a page table, and every entry of every table in use has been checked. Beside it, as in Xen,
// every reference to a frame is counted, read-only mappings too: a frame that a guest gives back is free after the last.
import type { PhysicalMemory } from '../../machine/memory/physical-memory.ts';
import type { Hypervisor } from '../hypervisor.ts';
import { PTE } from './abi.ts';
import { LEVEL, TYPE } from './layout.ts';
import type { PvDomain } from './pv-domain.ts';

export { TYPE } from './layout.ts';

/** Bits of an entry that guests may not set: those of a large or global page. */
const FORBIDDEN = PTE.large | PTE.global;
/**
 * What guests write into pointers as into any entry, though a PDPTE has these bits reserved: they are left out, as where
 * Xen runs PAE guests over four levels (COMPAT_L3_DISALLOW_MASK).
 */
export const IGNORED_IN_POINTER = PTE.writable | PTE.user | PTE.accessed | PTE.dirty;
/** The PDPTE of the top GiB. */
const TOP = 3;

export class PageTypes {
  private readonly type: Uint8Array;
  private readonly uses: Uint32Array;
  private readonly references: Uint32Array;
  private readonly pinned: Uint8Array;
  /** Frames that their domain has given back while something still refers to them. */
  private readonly leaving: Uint8Array;
  private readonly memory: PhysicalMemory;
  /** Tables whose entries have been checked so far: the work that a hypercall has caused is charged by it. */
  validations = 0;

  constructor(private readonly hypervisor: Hypervisor) {
    const { count } = hypervisor.frames;
    this.memory = hypervisor.pc.memory;
    this.type = new Uint8Array(count);
    this.uses = new Uint32Array(count);
    this.references = new Uint32Array(count);
    this.pinned = new Uint8Array(count);
    this.leaving = new Uint8Array(count);
  }

  typeOf(frame: number): number {
    return this.uses[frame] ? this.type[frame] : TYPE.none;
  }

  /** Uses of a frame as its type; and all references to it. */
  countsOf(frame: number): { uses: number; references: number } {
    return { uses: this.uses[frame], references: this.references[frame] };
  }

  isPinned(frame: number): boolean {
    return this.pinned[frame] !== 0;
  }

  /** Forgets a domain's frames (they are about to be freed). */
  forget(domain: number): void {
    for (let frame = 0; frame < this.type.length; frame++) {
      if (this.hypervisor.frames.owner[frame] === domain)
        this.uses[frame] = this.references[frame] = this.pinned[frame] = this.leaving[frame] = 0;
    }
  }

  /** Is this a frame of the domain's that it has not given back? */
  owns(pv: PvDomain, frame: number): boolean {
    return (
      frame < this.type.length && this.hypervisor.frames.owner[frame] === pv.domain.id && !this.leaving[frame]
    );
  }

  private refer(frame: number): void {
    this.references[frame]++;
  }

  private unrefer(frame: number): void {
    if (--this.references[frame] || !this.leaving[frame]) return;
    this.leaving[frame] = 0;
    this.hypervisor.frames.release(frame);
    this.hypervisor.cpu.tlb.flush();
  }

  /** Takes one use of `frame` as `type`, validating it when it becomes that. False when it is something else, or not the domain's, or its content is not acceptable. */
  take(pv: PvDomain, frame: number, type: number): boolean {
    if (!this.owns(pv, frame)) return false;
    if (this.uses[frame]) {
      // The directory of the top GiB belongs to one table of pointers, and is nothing else beside that.
      if (this.type[frame] !== type || type === TYPE.topDirectory) return false;
      this.uses[frame]++;
      this.refer(frame);
      return true;
    }
    this.type[frame] = type;
    this.uses[frame] = 1;
    if (LEVEL[type] && !this.validate(pv, frame, type)) {
      this.uses[frame] = 0;
      return false;
    }
    this.refer(frame);
    // A stale writable translation of a new page table would let the guest past all checks.
    if (type !== TYPE.writable) this.hypervisor.cpu.tlb.flush();
    return true;
  }

  /** Gives one use back; the last one releases what the page refers to. */
  drop(pv: PvDomain, frame: number): void {
    if (!this.uses[frame] || this.hypervisor.frames.owner[frame] !== pv.domain.id) return;
    if (--this.uses[frame] === 0) {
      const type = this.type[frame];
      this.dropEntries(pv, frame, type, pv.layout.guestEntries[type]);
      this.hypervisor.cpu.tlb.flush();
    }
    this.unrefer(frame);
  }

  /** Pins a table: it stays validated while nobody uses it. False as `take`. */
  pin(pv: PvDomain, frame: number, type: number): boolean {
    if (!this.owns(pv, frame) || this.pinned[frame]) return false;
    if (!this.take(pv, frame, type)) return false;
    this.pinned[frame] = 1;
    return true;
  }

  unpin(pv: PvDomain, frame: number): boolean {
    if (!this.owns(pv, frame) || !this.pinned[frame]) return false;
    this.pinned[frame] = 0;
    this.drop(pv, frame);
    return true;
  }

  /** The domain gives a frame back (xen/common/memory.c guest_remove_page): free now, or when nothing refers to it any more. False when it is not the domain's. */
  giveBack(pv: PvDomain, frame: number): boolean {
    if (!this.owns(pv, frame)) return false;
    this.unpin(pv, frame);
    this.refer(frame);
    this.leaving[frame] = 1;
    this.unrefer(frame);
    return true;
  }

  /** The domain dies while somebody else has this frame: nothing is counted about it any more. */
  abandon(frame: number): void {
    this.uses[frame] = this.references[frame] = this.pinned[frame] = this.leaving[frame] = 0;
  }

  /** What an entry of a table may refer to. Takes the use. @param type what the table is; `index` of the entry in it */
  takeEntry(pv: PvDomain, type: number, index: number, low: number, high: number): boolean {
    if (!(low & PTE.present)) return true;
    if (high) return false;
    const frame = low >>> 12;
    if (low & FORBIDDEN) return false;
    if (type === TYPE.pointers)
      return this.take(pv, frame, index === TOP ? TYPE.topDirectory : TYPE.directory);
    if (type !== TYPE.table) return this.take(pv, frame, TYPE.table);
    if (low & PTE.writable) return this.take(pv, frame, TYPE.writable);
    if (!this.owns(pv, frame)) return false;
    this.refer(frame);
    return true;
  }

  /**
   * An entry of a level-1 table goes on leading where it led, with the same right to write: nothing is to be counted. So a
   * guest may also change the other bits of an entry for a frame that it was granted, which it could not make anew.
   */
  keepsUse(type: number, old: number, low: number, high: number): boolean {
    const same = PTE.present | PTE.writable | ~0xfff;
    return (
      type === TYPE.table && (old & PTE.present) !== 0 && !((old ^ low) & same) && !(low & FORBIDDEN) && !high
    );
  }

  /** Gives back what an entry referred to. Another domain's frame is counted by its grant (xen/foreign-maps.ts), not here. */
  dropEntry(pv: PvDomain, type: number, low: number): void {
    if (!(low & PTE.present)) return;
    if (this.hypervisor.frames.owner[low >>> 12] !== pv.domain.id) return;
    // A mapping through which the LDT was found is going: its pages are looked for again when they are needed.
    if (type === TYPE.table && this.typeOf(low >>> 12) === TYPE.gdt)
      for (const v of pv.vcpus) v.ldt?.forget();
    if (type !== TYPE.table || low & PTE.writable) this.drop(pv, low >>> 12);
    else if (this.references[low >>> 12]) this.unrefer(low >>> 12);
  }

  private dropEntries(pv: PvDomain, frame: number, type: number, count: number): void {
    const { entryShift } = pv.layout;
    for (let n = 0; n < count; n++)
      this.dropEntry(pv, type, this.memory.read32(frame * 4096 + (n << entryShift)));
  }

  private validate(pv: PvDomain, frame: number, type: number): boolean {
    const { pae, entryShift, guestEntries } = pv.layout;
    const { memory } = this;
    this.validations++;
    const count = guestEntries[type];
    for (let n = 0; n < count; n++) {
      const at = frame * 4096 + (n << entryShift);
      const low = memory.read32(at);
      // A table of pointers without the top GiB has no room for the hypervisor.
      const complete = type !== TYPE.pointers || n !== TOP || (low & PTE.present) !== 0;
      if (complete && this.takeEntry(pv, type, n, low, pae ? memory.read32(at + 4) : 0)) {
        if (type === TYPE.pointers && low & PTE.present) memory.write32(at, low & ~IGNORED_IN_POINTER);
        continue;
      }
      this.dropEntries(pv, frame, type, n);
      return false;
    }
    if (pae ? type === TYPE.topDirectory : type === TYPE.directory) this.addHypervisor(pv, frame, count);
    return true;
  }

  /** Fills in the hypervisor's entries: its own, and the one of the domain's descriptor tables. */
  private addHypervisor(pv: PvDomain, frame: number, first: number): void {
    const { memory } = this;
    const { entryShift } = pv.layout;
    pv.sharedEntries.forEach((entry, n) => {
      memory.write32(frame * 4096 + ((first + n) << entryShift), entry);
      if (entryShift === 3) memory.write32(frame * 4096 + ((first + n) << 3) + 4, 0);
    });
  }
}
