// The functions of bus 0, numbered as on Intel's 440FX PCIset with PIIX3 (data sheets 290549, 290550) and as QEMU's "pc"
// machine has them, but for its power management function, whose SMI# firmware would wait for. Their addresses and interrupt
// routing are what firmware leaves, so that a guest can do without one.
import { PciBus } from './bus.ts';
import { PciFunction } from './function.ts';

/** Where firmware routes PIRQA–PIRQD. */
export const FIRMWARE_ROUTES = [10, 10, 11, 11];

export class Chipset {
  readonly bus = new PciBus();
  /** 00:00.0, 440FX. PAM0–6 and SMRAM are kept; memory below 1 MiB is memory whatever they say. */
  readonly host = new PciFunction({
    vendor: 0x8086,
    device: 0x1237,
    classCode: 0x060000,
    revision: 2,
    command: 0x0006,
    registers: [
      [0x59, 0x30, 0xff],
      [0x5a, 0x33, 0xff],
      [0x5b, 0x33, 0xff],
      [0x5c, 0x33, 0xff],
      [0x5d, 0x33, 0xff],
      [0x5e, 0x33, 0xff],
      [0x5f, 0x33, 0xff],
      [0x72, 0x02, 0x7f],
    ],
  });
  /** 00:01.0, PIIX3. PIRQRC[A:D] at 60h–63h: see interrupts.ts. */
  readonly isa = new PciFunction({
    vendor: 0x8086,
    device: 0x7000,
    classCode: 0x060100,
    multifunction: true,
    command: 0x0007,
    registers: [
      [0x4c, 0x4d, 0xff], // IORT
      [0x4e, 0x03, 0xff], // XBCS
      ...FIRMWARE_ROUTES.map((irq, n): [number, number, number] => [0x60 + n, irq, 0x8f]),
      [0x69, 0x02, 0xfe], // TOM
      [0x82, 0x00, 0x0f], // DLC
    ],
  });
  /** 00:01.1, PIIX3 IDE: both channels at their legacy ports, bus master at BAR4. */
  readonly ide = new PciFunction({
    vendor: 0x8086,
    device: 0x7010,
    classCode: 0x010180,
    command: 0x0001,
    bars: [null, null, null, null, { kind: 'ports', size: 16, address: 0xc000 }],
    registers: [
      [0x40, 0x00, 0xff],
      [0x41, 0x80, 0xff], // IDETIM: the channel decodes its ports
      [0x42, 0x00, 0xff],
      [0x43, 0x80, 0xff],
    ],
  });
  /** 00:02.0, the display adapter of Bochs and QEMU: BAR0 is its linear frame buffer. Who has one listens to `onBar`. */
  readonly display = new PciFunction({
    vendor: 0x1234,
    device: 0x1111,
    classCode: 0x030000,
    revision: 2,
    command: 0x0003,
    bars: [{ kind: 'prefetchable', size: 0x1000000, address: 0xfd000000 }],
  });

  constructor() {
    this.bus.add(0, 0, this.host);
    this.bus.add(1, 0, this.isa);
    this.bus.add(1, 1, this.ide);
    this.bus.add(2, 0, this.display);
  }
}
