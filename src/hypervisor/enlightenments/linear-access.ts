// A hardware-assisted guest's memory at the linear addresses that its hypercalls name, through its own page tables and as its
// kernel could reach it. A page that is not there is -EFAULT.

import { type ArgumentAccess, GUEST_FAULT, type XenGuest } from '../xen/guest.ts';
import type { EnlightenedGuest } from './seam.ts';

export class LinearAccess implements ArgumentAccess {
  constructor(private readonly guest: EnlightenedGuest) {}

  private at(address: number, write: boolean): number {
    const physical = this.guest.shadow.translate(address >>> 0, write, false);
    const machine = physical < 0 ? -1 : this.guest.domain.memory.toMachine(physical);
    if (machine < 0) throw GUEST_FAULT;
    return machine;
  }

  private get memory() {
    return this.guest.hypervisor.pc.memory;
  }

  read8(_: XenGuest, address: number): number {
    return this.memory.read8(this.at(address, false));
  }

  read16(guest: XenGuest, address: number): number {
    return this.read8(guest, address) | (this.read8(guest, address + 1) << 8);
  }

  read32(guest: XenGuest, address: number): number {
    if ((address & 0xfff) <= 0xffc) return this.memory.read32(this.at(address, false));
    return this.read16(guest, address) | (this.read16(guest, address + 2) << 16);
  }

  write8(_: XenGuest, address: number, value: number): void {
    this.memory.write8(this.at(address, true), value);
  }

  write32(guest: XenGuest, address: number, value: number): void {
    if ((address & 0xfff) <= 0xffc) this.memory.write32(this.at(address, true), value);
    else for (let n = 0; n < 4; n++) this.write8(guest, address + n, (value >>> (8 * n)) & 0xff);
  }
}
