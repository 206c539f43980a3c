// The switches: ACPI power-off as QEMU (PM1a control at 604h, ACPI 1.0 §4.7.3.2) and Bochs (B004h) wire it, with the event
// registers and the timer (§4.7.3.1, §4.7.3.3) beside it, which interrupt by the SCI, and the reset control register CF9h of
// Intel's chipsets (PIIX3 data sheet, "RC—Reset Control").
import type { Clock, Device, InterruptLine } from './device.ts';
import { cycleOfTick, ticksAt } from './time-base.ts';

/** Ports of the fixed ACPI hardware, as the FADT tells them. */
export const PM = { event: 0x600, control: 0x604, timer: 0x608 } as const;
/** The timer counts 24 bits at three times the PIT's clock. */
const TIMER_HZ = 3_579_545;

export type PowerEvent = 'off' | 'reset';
/** PM1 control: SLP_EN. The sleep type of S5 is 0 on these machines; any type is taken as off. */
const SLEEP_ENABLE = 0x2000;
/** PM1 status and enable: the timer's highest bit has changed, the power button was pressed. */
const TIMER_STATUS = 0x001;
const POWER_BUTTON = 0x100;
const HALF_ROUND = 2 ** 23;

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
  private button = 0;
  private enable = 0;
  /** Changes of the timer's highest bit that software knows of. */
  private roundsSeen = 0;

  /** @param sci wire of the system control interrupt */
  constructor(
    private readonly signal: (event: PowerEvent) => void,
    private readonly clock: Clock,
    private readonly sci: InterruptLine = () => {},
  ) {}

  /** Host side: somebody presses the button. What comes of it is the operating system's business. */
  pressButton(): void {
    this.button = POWER_BUTTON;
    this.update();
  }

  private ticks(now = this.clock.now()): number {
    return ticksAt(now, TIMER_HZ, this.clock.frequency);
  }
  private rounds(): number {
    return Math.floor(this.ticks() / HALF_ROUND);
  }
  private status(): number {
    return this.button | (this.rounds() > this.roundsSeen ? TIMER_STATUS : 0);
  }
  private update(): void {
    this.sci((this.status() & this.enable) !== 0);
  }

  readPort(port: number, size: 1 | 2 | 4): number {
    if (port === 0xcf9) return this.resetControl;
    if (port >= PM.timer && port < PM.timer + 4) {
      return part(this.ticks() % 2 ** 24, port - PM.timer, size);
    }
    if (port < PM.control) return part((this.enable << 16) | this.status(), port - PM.event, size);
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
      if (port < PM.control) this.writeEvents(port - PM.event, value, size);
      return;
    }
    const word = port & 1 ? (value & 0xff) << 8 : value & (size === 1 ? 0xff : 0xffff);
    this.control = (word & ~SLEEP_ENABLE) | 1;
    if (word & SLEEP_ENABLE) this.signal('off');
  }

  /** Status bits go where ones are written; enable bits are kept. */
  private writeEvents(offset: number, value: number, size: 1 | 2 | 4): void {
    for (let n = 0; n < size; n++) {
      const byte = (value >>> (8 * n)) & 0xff;
      const at = offset + n;
      if (at === 0 && byte & TIMER_STATUS) this.roundsSeen = this.rounds();
      else if (at === 1) this.button &= ~(byte << 8);
      else if (at === 2) this.enable = (this.enable & 0xff00) | byte;
      else if (at === 3) this.enable = (this.enable & 0xff) | (byte << 8);
    }
    this.update();
  }

  /** Only who wants the timer's interrupt is woken for it. */
  nextDeadline(): number {
    if (!(this.enable & TIMER_STATUS) || this.status() & TIMER_STATUS) return Infinity;
    return cycleOfTick((this.roundsSeen + 1) * HALF_ROUND, TIMER_HZ, this.clock.frequency);
  }
  advance(): void {
    this.update();
  }
  reset(): void {
    this.control = 1;
    this.resetControl = this.enable = this.button = 0;
    this.roundsSeen = this.rounds();
    this.update();
  }
}

/** The bytes of a doubleword register that an access meets. */
function part(value: number, offset: number, size: 1 | 2 | 4): number {
  const shifted = value >>> (8 * offset);
  return size === 1 ? shifted & 0xff : size === 2 ? shifted & 0xffff : shifted;
}
