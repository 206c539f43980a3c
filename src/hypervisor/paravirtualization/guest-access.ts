// The hypervisor reads and writes a guest's memory at guest-virtual addresses, as the guest's own kernel could:
// through its validated page tables, below the hypervisor's area. A page that is not there is -EFAULT, never a crash.
import type { Hypervisor } from '../hypervisor.ts';
import { HYPERVISOR_START } from '../monitor.ts';
import { PTE } from './abi.ts';
import type { PvDomain } from './pv-domain.ts';

/** Raised inside hypercalls; becomes -EFAULT. */
export const GUEST_FAULT = new Error('guest address not mapped');

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
    const linear = address >>> 0;
    if (linear >= HYPERVISOR_START) return -1;
    const { memory } = this.hypervisor.pc;
    const directory = memory.read32(pv.baseFrame * 4096 + (linear >>> 22) * 4);
    if (!(directory & PTE.present)) return -1;
    const slot = (directory & ~0xfff) + ((linear >>> 12) & 1023) * 4;
    const entry = memory.read32(slot >>> 0);
    if (!(entry & PTE.present) || (write && !(directory & entry & PTE.writable))) return -1;
    // As the processor would: the accessed and dirty bits tell the truth about hypervisor accesses too.
    memory.write32(slot >>> 0, entry | PTE.accessed | (write ? PTE.dirty : 0));
    return (entry & ~0xfff) + (linear & 0xfff);
  }

  /** Machine address of the level-1 entry that maps a guest-virtual address, or -1. */
  entryOf(pv: PvDomain, address: number): number {
    const linear = address >>> 0;
    if (linear >= HYPERVISOR_START) return -1;
    const directory = this.hypervisor.pc.memory.read32(pv.baseFrame * 4096 + (linear >>> 22) * 4);
    if (!(directory & PTE.present)) return -1;
    return ((directory & ~0xfff) >>> 0) + ((linear >>> 12) & 1023) * 4;
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
