// A guest's own page tables, read as the processor would read them (SDM vol. 3 §4.3, §4.6–4.8), but by the hypervisor:
// guest-linear to guest-physical, with the rights of the access and the accessed and dirty bits that it earns.
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
}

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

  constructor(private readonly memory: GuestMemory) {}

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
    // With nested paging the guest may use PAE; shadows do not follow it, and there CR4.PAE cannot be set.
    if (control.cr4 & CR4_PAE) return this.walkPae(control, linear, write, user);
    const pdeAddress = ((control.cr3 & 0xfffff000) >>> 0) + (linear >>> 22) * 4;
    const pde = this.entry(pdeAddress);
    if (!(pde & PTE.present)) return false;
    this.large = (pde & PTE.large) !== 0 && (control.cr4 & CR4_PSE) !== 0;
    if (this.large) {
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

  /** Three levels of 8-byte entries (SDM vol. 3 §4.4). Memory ends below 4 GiB: what lies above is not there. */
  private walkPae(control: GuestControl, linear: number, write: boolean, user: boolean): boolean {
    const pointer = ((control.cr3 & 0xffffffe0) >>> 0) + (linear >>> 30) * 8;
    const pdpte = this.entry(pointer);
    if (!(pdpte & PTE.present) || this.memory.read32(pointer + 4)) return false;
    const pdeAddress = ((pdpte & 0xfffff000) >>> 0) + ((linear >>> 21) & 511) * 8;
    const pde = this.entry(pdeAddress);
    if (!(pde & PTE.present) || this.memory.read32(pdeAddress + 4)) return false;
    this.large = (pde & PTE.large) !== 0;
    if (this.large) {
      if (!this.allows(control, pde, write, user)) return false;
      this.pde = this.mark(pdeAddress, pde, write ? PTE.accessed | PTE.dirty : PTE.accessed);
      this.physical = ((pde & 0xffe00000) | (linear & 0x1fffff)) >>> 0;
      return true;
    }
    const pteAddress = ((pde & 0xfffff000) >>> 0) + ((linear >>> 12) & 511) * 8;
    const pte = this.entry(pteAddress);
    if (!(pte & PTE.present) || this.memory.read32(pteAddress + 4)) return false;
    if (!this.allows(control, pde & pte, write, user)) return false;
    this.pde = this.mark(pdeAddress, pde, PTE.accessed);
    this.pte = this.mark(pteAddress, pte, write ? PTE.accessed | PTE.dirty : PTE.accessed);
    this.physical = ((pte & 0xfffff000) | (linear & 0xfff)) >>> 0;
    return true;
  }

  private allows(control: GuestControl, rights: number, write: boolean, user: boolean): boolean {
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

  private mark(physical: number, entry: number, bits: number): number {
    if ((entry & bits) === bits) return entry;
    this.memory.write32(physical, entry | bits);
    return entry | bits;
  }
}

/** Guest-physical address behind a guest-linear one as the tables say now, or -1. Sets no bit and charges nothing: for looking. */
export function peekGuest(memory: GuestMemory, control: Readonly<GuestControl>, linear: number): number {
  if (!(control.cr0 & CR0_PG)) return linear >>> 0;
  const pae = (control.cr4 & CR4_PAE) !== 0;
  const size = pae ? 8 : 4;
  let directory = (control.cr3 & 0xfffff000) >>> 0;
  if (pae) {
    const pdpte = memory.read32(((control.cr3 & 0xffffffe0) >>> 0) + (linear >>> 30) * 8);
    if (!(pdpte & PTE.present)) return -1;
    directory = (pdpte & 0xfffff000) >>> 0;
  }
  const pde = memory.read32(directory + (pae ? (linear >>> 21) & 511 : linear >>> 22) * size);
  if (!(pde & PTE.present)) return -1;
  if (pde & PTE.large && (pae || control.cr4 & CR4_PSE)) {
    const offset = pae ? 0x1fffff : 0x3fffff;
    return ((pde & ~offset) | (linear & offset)) >>> 0;
  }
  const table = (pde & 0xfffff000) >>> 0;
  const pte = memory.read32(table + ((linear >>> 12) & (pae ? 511 : 1023)) * size);
  return pte & PTE.present ? ((pte & 0xfffff000) | (linear & 0xfff)) >>> 0 : -1;
}
