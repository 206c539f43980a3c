// Page-type counting (Barham et al. 2003, §3.3.3; xen/arch/x86/mm.c): a frame is, at any time, one of page directory,
// page table, GDT or writable, and can change its type only when nobody uses it as the old one. So a guest can never
// have a writable mapping of a page table, and every entry of every table in use has been checked.
import type { PhysicalMemory } from '../../machine/memory/physical-memory.ts';
import type { Hypervisor } from '../hypervisor.ts';
import { FIRST_HYPERVISOR_PDE, PTE } from './abi.ts';

export const TYPE = { none: 0, table: 1, directory: 2, gdt: 3, writable: 4 } as const;

/** Bits of an entry that guests may set: everything but the global bit and the large-page bit. */
const FORBIDDEN = PTE.large | PTE.global;

export class PageTypes {
  private readonly type: Uint8Array;
  private readonly uses: Uint32Array;
  private readonly pinned: Uint8Array;
  private readonly memory: PhysicalMemory;
  /** Tables whose 1024 entries have been checked so far: the work that a hypercall has caused is charged by it. */
  validations = 0;

  constructor(private readonly hypervisor: Hypervisor) {
    this.memory = hypervisor.pc.memory;
    this.type = new Uint8Array(hypervisor.frames.count);
    this.uses = new Uint32Array(hypervisor.frames.count);
    this.pinned = new Uint8Array(hypervisor.frames.count);
  }

  typeOf(frame: number): number {
    return this.uses[frame] ? this.type[frame] : TYPE.none;
  }

  /** Forgets a domain's frames (they are about to be freed). */
  forget(domain: number): void {
    for (let frame = 0; frame < this.type.length; frame++) {
      if (this.hypervisor.frames.owner[frame] === domain) this.uses[frame] = this.pinned[frame] = 0;
    }
  }

  private owns(domain: number, frame: number): boolean {
    return frame < this.type.length && this.hypervisor.frames.owner[frame] === domain;
  }

  /** Takes one use of `frame` as `type`, validating it when it becomes that. False when it is something else, or not the domain's, or its content is not acceptable. */
  take(domain: number, frame: number, type: number, perDomainTable: number): boolean {
    if (!this.owns(domain, frame)) return false;
    if (this.uses[frame]) {
      if (this.type[frame] !== type) return false;
      this.uses[frame]++;
      return true;
    }
    this.type[frame] = type;
    this.uses[frame] = 1;
    const valid =
      type === TYPE.table
        ? this.validateTable(domain, frame)
        : type === TYPE.directory
          ? this.validateDirectory(domain, frame, perDomainTable)
          : true;
    if (!valid) {
      this.uses[frame] = 0;
      return false;
    }
    // A stale writable translation of a new page table would let the guest past all checks.
    if (type !== TYPE.writable) this.hypervisor.cpu.tlb.flush();
    return true;
  }

  /** Gives one use back; the last one releases what the page refers to. */
  drop(domain: number, frame: number): void {
    if (!this.owns(domain, frame) || !this.uses[frame]) return;
    if (--this.uses[frame]) return;
    if (this.type[frame] === TYPE.table)
      for (let n = 0; n < 1024; n++) this.dropEntry(domain, 1, this.memory.read32(frame * 4096 + n * 4));
    if (this.type[frame] === TYPE.directory) {
      for (let n = 0; n < FIRST_HYPERVISOR_PDE; n++)
        this.dropEntry(domain, 2, this.memory.read32(frame * 4096 + n * 4));
    }
    this.hypervisor.cpu.tlb.flush();
  }

  /** Pins a table: it stays validated while nobody uses it. 0 or false as `take`. */
  pin(domain: number, frame: number, type: number, perDomainTable: number): boolean {
    if (!this.owns(domain, frame) || this.pinned[frame]) return false;
    if (!this.take(domain, frame, type, perDomainTable)) return false;
    this.pinned[frame] = 1;
    return true;
  }

  unpin(domain: number, frame: number): boolean {
    if (!this.owns(domain, frame) || !this.pinned[frame]) return false;
    this.pinned[frame] = 0;
    this.drop(domain, frame);
    return true;
  }

  /** What an entry of a table at `level` refers to may be referred to. Takes the use. */
  takeEntry(domain: number, level: number, entry: number): boolean {
    if (!(entry & PTE.present)) return true;
    if (entry & FORBIDDEN) return false;
    const frame = entry >>> 12;
    if (level === 2) return this.take(domain, frame, TYPE.table, 0);
    if (!this.owns(domain, frame)) return false;
    return entry & PTE.writable ? this.take(domain, frame, TYPE.writable, 0) : true;
  }

  dropEntry(domain: number, level: number, entry: number): void {
    if (!(entry & PTE.present)) return;
    if (level === 2 || entry & PTE.writable) this.drop(domain, entry >>> 12);
  }

  private validateTable(domain: number, frame: number): boolean {
    return this.validateEntries(domain, frame, 1, 1024);
  }

  private validateDirectory(domain: number, frame: number, perDomainTable: number): boolean {
    if (!this.validateEntries(domain, frame, 2, FIRST_HYPERVISOR_PDE)) return false;
    const { sharedEntries } = this.hypervisor.monitor;
    for (let n = 0; n < 16; n++)
      this.memory.write32(frame * 4096 + (FIRST_HYPERVISOR_PDE + n) * 4, sharedEntries[n]);
    // Entry 1010 covers PER_DOMAIN_START: the domain's own descriptor tables.
    this.memory.write32(
      frame * 4096 + 1010 * 4,
      perDomainTable | PTE.present | PTE.writable | PTE.accessed | PTE.dirty,
    );
    return true;
  }

  private validateEntries(domain: number, frame: number, level: number, count: number): boolean {
    this.validations++;
    for (let n = 0; n < count; n++) {
      if (this.takeEntry(domain, level, this.memory.read32(frame * 4096 + n * 4))) continue;
      while (--n >= 0) this.dropEntry(domain, level, this.memory.read32(frame * 4096 + n * 4));
      return false;
    }
    return true;
  }
}
