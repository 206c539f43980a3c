// The hypervisor reads and writes a guest's memory at guest-virtual addresses, as the guest's own kernel could:
// through its validated page tables, below the hypervisor's area. A page that is not there is -EFAULT, never a crash.
import type { Hypervisor } from '../hypervisor.ts';
import { GUEST_FAULT } from '../xen/guest.ts';
import { PTE } from './abi.ts';
import type { PvDomain } from './pv-domain.ts';

export { GUEST_FAULT };

export class GuestAccess {
  constructor(private readonly hypervisor: Hypervisor) {}

  /** Machine address of a guest-virtual one, or -1. Does not touch the accessed and dirty bits. */
  peek(pv: PvDomain, address: number): number {
    const slot = this.entryOf(pv, address);
    const entry = slot < 0 ? 0 : this.hypervisor.pc.memory.read32(slot);
    return entry & PTE.present ? ((entry & ~0xfff) >>> 0) + (address & 0xfff) : -1;
  }

  /** Machine address of a guest-virtual one, or -1. */
  translate(pv: PvDomain, address: number, write: boolean): number {
    const { memory } = this.hypervisor.pc;
    const directory = this.directoryEntryOf(pv, address);
    const upper = directory < 0 ? 0 : memory.read32(directory);
    if (!(upper & PTE.present)) return -1;
    const slot = this.slotIn(pv, upper, address);
    const entry = memory.read32(slot);
    if (!(entry & PTE.present) || (write && !(upper & entry & PTE.writable))) return -1;
    // As the processor would: the accessed and dirty bits tell the truth about hypervisor accesses too.
    memory.write32(slot, entry | PTE.accessed | (write ? PTE.dirty : 0));
    return (entry & ~0xfff) + (address & 0xfff);
  }

  /** Machine address of the level-2 entry that leads to a guest-virtual address, or -1. */
  directoryEntryOf(pv: PvDomain, address: number): number {
    const linear = address >>> 0;
    const { pae, hypervisorStart } = pv.layout;
    if (linear >= hypervisorStart) return -1;
    const base = pv.current.baseFrame * 4096;
    if (!pae) return base + (linear >>> 22) * 4;
    const pointer = this.hypervisor.pc.memory.read32(base + (linear >>> 30) * 8);
    return pointer & PTE.present ? ((pointer & ~0xfff) >>> 0) + ((linear >>> 18) & 0xff8) : -1;
  }

  private slotIn(pv: PvDomain, directory: number, address: number): number {
    return (
      ((directory & ~0xfff) >>> 0) + (pv.layout.pae ? (address >>> 9) & 0xff8 : (address >>> 10) & 0xffc)
    );
  }

  /** Machine address of the level-1 entry that maps a guest-virtual address, or -1. */
  entryOf(pv: PvDomain, address: number): number {
    const directory = this.directoryEntryOf(pv, address);
    const upper = directory < 0 ? 0 : this.hypervisor.pc.memory.read32(directory);
    return upper & PTE.present ? this.slotIn(pv, upper, address) : -1;
  }

  private at(pv: PvDomain, address: number, write: boolean): number {
    const machine = this.translate(pv, address, write);
    if (machine === -1) throw GUEST_FAULT;
    return machine >>> 0;
  }

  read8(pv: PvDomain, address: number): number {
    return this.hypervisor.pc.memory.read8(this.at(pv, address, false));
  }

  read16(pv: PvDomain, address: number): number {
    return this.read8(pv, address) | (this.read8(pv, address + 1) << 8);
  }

  read32(pv: PvDomain, address: number): number {
    if ((address & 0xfff) <= 0xffc) return this.hypervisor.pc.memory.read32(this.at(pv, address, false));
    return this.read16(pv, address) | (this.read16(pv, address + 2) << 16);
  }

  write8(pv: PvDomain, address: number, value: number): void {
    this.hypervisor.pc.memory.write8(this.at(pv, address, true), value);
  }

  write32(pv: PvDomain, address: number, value: number): void {
    if ((address & 0xfff) <= 0xffc) this.hypervisor.pc.memory.write32(this.at(pv, address, true), value);
    else for (let n = 0; n < 4; n++) this.write8(pv, address + n, (value >>> (8 * n)) & 0xff);
  }
}
