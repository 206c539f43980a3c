// The switches: ACPI power-off as QEMU (PM1a control at 604h, ACPI 3.0 §4.7.3.2) and Bochs (B004h) wire it, and the
// reset control register CF9h of Intel's chipsets (PIIX3 data sheet, "RC—Reset Control").
import type { Device } from './device.ts';

export type PowerEvent = 'off' | 'reset';
/** PM1 control: SLP_EN. The sleep type of S5 is 0 on these machines; any type is taken as off. */
const SLEEP_ENABLE = 0x2000;

export class Power implements Device {
  readonly name = 'power';
  readonly ports = [
    [0x604, 0x605],
    [0xb004, 0xb005],
    [0xcf9, 0xcf9],
  ] as const;
  readonly wide = true;
  private control = 1; // SCI_EN: ACPI mode is on
  private resetControl = 0;

  constructor(private readonly signal: (event: PowerEvent) => void) {}

  readPort(port: number, size: 1 | 2 | 4): number {
    if (port === 0xcf9) return this.resetControl;
    if (port & 1) return this.control >> 8;
    return size === 1 ? this.control & 0xff : this.control;
  }

  writePort(port: number, value: number, size: 1 | 2 | 4): void {
    if (port === 0xcf9) {
      // Bit 2 going from 0 to 1 resets; bit 1 chooses hard or soft, which is the same here.
      if (value & ~this.resetControl & 4) this.signal('reset');
      this.resetControl = value & 0x02;
      return;
    }
    const word = port & 1 ? (value & 0xff) << 8 : value & (size === 1 ? 0xff : 0xffff);
    this.control = (word & ~SLEEP_ENABLE) | 1;
    if (word & SLEEP_ENABLE) this.signal('off');
  }

  nextDeadline(): number {
    return Infinity;
  }
  advance(): void {}
  reset(): void {
    this.control = 1;
    this.resetControl = 0;
  }
}
