// PCI bus 0 behind configuration mechanism #1: an address in CF8h, its data in CFCh. PCI Local Bus Specification 2.1
// §3.7.4.1; what nobody answers reads all ones (§6.1, "the host bridge must return FFFFFFFFh").
import type { Device } from '../device.ts';
import type { PciFunction } from './function.ts';

const ENABLE = 0x80000000;

export class PciBus implements Device {
  readonly name = 'pci';
  /** CF9h between them is the reset control register: only a 32-bit access to CF8h is one of this bus. */
  readonly ports = [
    [0xcf8, 0xcf8],
    [0xcfc, 0xcff],
  ] as const;
  readonly wide = true;
  private readonly functions = new Map<number, PciFunction>();
  private address = 0;

  /** Puts a function at device 0–31, function 0–7 of bus 0. */
  add(device: number, number: number, pciFunction: PciFunction): void {
    this.functions.set((device << 3) | number, pciFunction);
  }

  private addressed(): PciFunction | undefined {
    if (!(this.address & ENABLE) || (this.address >>> 16) & 0xff) return undefined;
    return this.functions.get((this.address >>> 8) & 0xff);
  }

  readPort(port: number, size: 1 | 2 | 4): number {
    if (port === 0xcf8) return size === 4 ? this.address : size === 2 ? 0xffff : 0xff;
    const target = this.addressed();
    const offset = (this.address & 0xfc) + (port & 3);
    let value = 0;
    // An access that would leave the register is cut off at its end.
    for (let n = 0; n < size; n++)
      value |= (target && (port & 3) + n < 4 ? target.read(offset + n) : 0xff) << (8 * n);
    return value >>> 0;
  }

  writePort(port: number, value: number, size: 1 | 2 | 4): void {
    if (port === 0xcf8) {
      if (size === 4) this.address = (value & 0x80fffffc) >>> 0;
      return;
    }
    const target = this.addressed();
    if (!target) return;
    const offset = (this.address & 0xfc) + (port & 3);
    for (let n = 0; n < size && (port & 3) + n < 4; n++) target.write(offset + n, (value >>> (8 * n)) & 0xff);
    target.update();
  }

  nextDeadline(): number {
    return Infinity;
  }
  advance(): void {}
  reset(): void {
    this.address = 0;
    for (const pciFunction of this.functions.values()) pciFunction.reset();
  }
}
