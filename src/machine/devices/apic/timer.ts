// The timer of a local APIC (SDM vol. 3 §10.5.4): a count at the bus clock through a divider, once or again and again. The
// bus clock is a whole fraction of the processor's, as its multiplier says, so every deadline is an exact cycle.
import type { Clock } from '../device.ts';

/** The front-side bus of the machine, nearly: the processor's clock divided by a whole number comes as close as it can. */
const BUS_HZ = 100_000_000;

export class ApicTimer {
  periodic = false;
  initial = 0;
  divideRegister = 0;
  private divisor = 2;
  /** Cycle at which the count began, or -1 when it stands. */
  private started = -1;
  /** Processor cycles of one bus clock. */
  readonly multiplier: number;

  /** @param fire called at the end of a count */
  constructor(
    private readonly clock: Clock,
    private readonly fire: () => void,
  ) {
    this.multiplier = Math.max(1, Math.round(clock.frequency / BUS_HZ));
  }

  /** Cycles of one count. */
  private get step(): number {
    return this.divisor * this.multiplier;
  }

  reset(): void {
    this.periodic = false;
    this.initial = this.divideRegister = 0;
    this.divisor = 2;
    this.started = -1;
  }

  /** Writing the initial count starts, writing 0 stops. */
  start(count: number): void {
    this.initial = count;
    this.started = count === 0 ? -1 : this.clock.now();
  }

  /** The divide configuration register: 2, 4, … 128, 1. A count in progress goes on from where it is. */
  divide(value: number): void {
    const left = this.current();
    this.divideRegister = value & 0x0b;
    const code = (value & 3) | ((value & 8) >> 1);
    this.divisor = code === 7 ? 1 : 2 << code;
    if (this.started >= 0) this.started = this.clock.now() - (this.initial - left) * this.step;
  }

  current(): number {
    if (this.started < 0) return 0;
    const counted = Math.floor((this.clock.now() - this.started) / this.step);
    return counted < this.initial ? this.initial - counted : 0;
  }

  /** Cycle at which the count ends; Infinity when it stands. */
  nextDeadline(): number {
    return this.started < 0 ? Infinity : this.started + this.initial * this.step;
  }

  advance(now: number): void {
    const deadline = this.nextDeadline();
    if (deadline > now) return;
    if (this.periodic) {
      const period = this.initial * this.step;
      this.started = deadline + Math.floor((now - deadline) / period) * period;
    } else this.started = -1;
    this.fire();
  }
}
