// The switches: ACPI power-off as QEMU (PM1a control at 604h, ACPI 1.0 §4.7.3.2) and Bochs (B004h) wire it, with the event
// registers and the timer (§4.7.3.1, §4.7.3.3) beside it, and the reset control register CF9h of Intel's chipsets (PIIX3
// data sheet, "RC—Reset Control").
import type { Clock, Device } from './device.ts';
import { ticksAt } from './time-base.ts';

/** Ports of the fixed ACPI hardware, as the FADT tells them. */
export const PM = { event: 0x600, control: 0x604, timer: 0x608 } as const;
/** The timer counts 24 bits at three times the PIT's clock. */
const TIMER_HZ = 3_579_545;

export type PowerEvent = 'off' | 'reset';
/** PM1 control: SLP_EN. The sleep type of S5 is 0 on these machines; any type is taken as off. */
const SLEEP_ENABLE = 0x2000;

export class Power implements Device {
  readonly name = 'power';
  readonly ports = [
    [PM.event, 0x60b],
    [0xb004, 0xb005],
    [0xcf9, 0xcf9],
  ] as const;
  readonly wide = true;
  private control = 1; // SCI_EN: ACPI mode is on
  private resetControl = 0;
  /** PM1 enable: kept, but nothing here sets a status bit. */
  private enable = 0;

  constructor(
    private readonly signal: (event: PowerEvent) => void,
    private readonly clock: Clock,
  ) {}

  readPort(port: number, size: 1 | 2 | 4): number {
    if (port === 0xcf9) return this.resetControl;
    if (port >= PM.timer && port < PM.timer + 4) {
      const ticks = ticksAt(this.clock.now(), TIMER_HZ, this.clock.frequency) % 2 ** 24;
      return part(Math.floor(ticks), port - PM.timer, size);
    }
    if (port < PM.control) return part(this.enable << 16, port - PM.event, size);
    if (port >= PM.control + 2 && port < PM.timer) return 0;
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
    if (port < PM.control || (port >= PM.control + 2 && port < PM.timer + 4)) {
      if (port === PM.event + 2) this.enable = value & 0xffff;
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
    this.resetControl = this.enable = 0;
  }
}

/** The bytes of a doubleword register that an access meets. */
function part(value: number, offset: number, size: 1 | 2 | 4): number {
  const shifted = value >>> (8 * offset);
  return size === 1 ? shifted & 0xff : size === 2 ? shifted & 0xffff : shifted;
}
