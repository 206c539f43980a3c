// A guest's own page tables, read as the processor would read them (SDM vol. 3 §4.3, §4.6–4.8), but by the hypervisor:
// guest-linear to guest-physical, with the rights of the access and the accessed and dirty bits that it earns.
import { PageFault } from '../machine/cpu/fault.ts';
import { LARGE_4M_RESERVED } from '../machine/cpu/page-walk.ts';
import type { GuestMemory } from './frames.ts';

/** Bits of page-directory and page-table entries. */
export const PTE = {
  present: 1,
  write: 2,
  user: 4,
  accessed: 0x20,
  dirty: 0x40,
  large: 0x80,
  global: 0x100,
} as const;

const CR0_WP = 0x10000;
const CR0_PG = 0x80000000;
const CR4_PSE = 0x10;
const CR4_PAE = 0x20;

/** The control registers that decide about translation, as the guest believes them to be. */
export interface GuestControl {
  cr0: number;
  cr3: number;
  cr4: number;
  /** The four PDPTEs as they were when CR3 was last loaded, where the hypervisor keeps them; else they are read from memory. */
  pointers?: Int32Array | null;
}

/** Tables of three levels, for techniques whose guests may have them: three-levels.ts fills this in. */
interface ThreeLevels {
  walk(walker: GuestWalk, control: GuestControl, linear: number, write: boolean, user: boolean): boolean;
  /** As `peekGuest`. */
  peek(memory: GuestMemory, control: Readonly<GuestControl>, linear: number): number;
  /** The PDPTEs that CR3 names, or null when one has a reserved bit: #GP(0). */
  pointers(memory: GuestMemory, cr3: number): Int32Array | null;
}
export const optional: { threeLevels: ThreeLevels | null } = { threeLevels: null };

/** One walk and what it found. Reused, so that a page fault costs no allocation. */
export class GuestWalk {
  /** Guest-physical address, uint32; valid when the walk succeeded. */
  physical = 0;
  /** The entries, with their accessed and dirty bits set; `pte` is 0 for a large page and while paging is off. */
  pde = 0;
  pte = 0;
  large = false;
  /** The write was allowed only because CR0.WP is 0. */
  override = false;
  /** Error code of the page fault when it failed: P bit by what was found, W and U by what was asked. */
  errorCode = 0;
  /** Entries read. */
  references = 0;

  constructor(readonly memory: GuestMemory) {}

  /**
   * Walks for one access. On success the accessed bits (and for a write the dirty bit) are set in the guest's tables.
   * @returns false when the guest deserves a page fault: `errorCode` says which
   */
  walk(control: GuestControl, linear: number, write: boolean, user: boolean): boolean {
    this.references = 0;
    this.pte = 0;
    this.large = false;
    this.override = false;
    this.errorCode = (write ? 2 : 0) | (user ? 4 : 0);
    if (!(control.cr0 & CR0_PG)) {
      this.physical = linear >>> 0;
      return true;
    }
    if (control.cr4 & CR4_PAE) return optional.threeLevels!.walk(this, control, linear, write, user);
    const pdeAddress = ((control.cr3 & 0xfffff000) >>> 0) + (linear >>> 22) * 4;
    const pde = this.entry(pdeAddress);
    if (!(pde & PTE.present)) return false;
    this.large = (pde & PTE.large) !== 0 && (control.cr4 & CR4_PSE) !== 0;
    if (this.large) {
      if (pde & LARGE_4M_RESERVED) return this.reserved();
      if (!this.allows(control, pde, write, user)) return false;
      this.pde = this.mark(pdeAddress, pde, write ? PTE.accessed | PTE.dirty : PTE.accessed);
      this.physical = ((pde & 0xffc00000) | (linear & 0x3fffff)) >>> 0;
      return true;
    }
    const pteAddress = ((pde & 0xfffff000) >>> 0) + ((linear >>> 12) & 0x3ff) * 4;
    const pte = this.entry(pteAddress);
    if (!(pte & PTE.present)) return false;
    if (!this.allows(control, pde & pte, write, user)) return false;
    this.pde = this.mark(pdeAddress, pde, PTE.accessed);
    this.pte = this.mark(pteAddress, pte, write ? PTE.accessed | PTE.dirty : PTE.accessed);
    this.physical = ((pte & 0xfffff000) | (linear & 0xfff)) >>> 0;
    return true;
  }

  /** An entry with a reserved bit set. */
  reserved(): false {
    this.errorCode |= PageFault.present | PageFault.reserved;
    return false;
  }

  /** What both entries together allow. */
  allows(control: GuestControl, rights: number, write: boolean, user: boolean): boolean {
    let allowed = !user || (rights & PTE.user) !== 0;
    if (write && !(rights & PTE.write)) {
      this.override = !user && !(control.cr0 & CR0_WP);
      allowed &&= this.override;
    }
    if (!allowed) this.errorCode |= 1;
    return allowed;
  }

  /** Tables outside the guest's memory are empty. */
  private entry(physical: number): number {
    this.references++;
    const machine = this.memory.toMachine(physical);
    return machine < 0 ? 0 : this.memory.frames.memory.read32(machine);
  }

  /** Sets the accessed or dirty bit. */
  mark(physical: number, entry: number, bits: number): number {
    if ((entry & bits) === bits) return entry;
    this.memory.write32(physical, entry | bits);
    return entry | bits;
  }
}

/** Guest-physical address behind a guest-linear one as the tables say now, or -1. Sets no bit and charges nothing: for looking. */
export function peekGuest(memory: GuestMemory, control: Readonly<GuestControl>, linear: number): number {
  if (!(control.cr0 & CR0_PG)) return linear >>> 0;
  if (control.cr4 & CR4_PAE) return optional.threeLevels!.peek(memory, control, linear);
  const pde = memory.read32(((control.cr3 & 0xfffff000) >>> 0) + (linear >>> 22) * 4);
  if (!(pde & PTE.present)) return -1;
  if (pde & PTE.large && control.cr4 & CR4_PSE) return ((pde & 0xffc00000) | (linear & 0x3fffff)) >>> 0;
  const pte = memory.read32(((pde & 0xfffff000) >>> 0) + ((linear >>> 12) & 1023) * 4);
  return pte & PTE.present ? ((pte & 0xfffff000) | (linear & 0xfff)) >>> 0 : -1;
}
