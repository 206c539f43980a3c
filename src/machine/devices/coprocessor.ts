// The PC's wiring of floating-point errors (Intel SDM vol. 1 §8.7.2; PC/AT technical reference, "Coprocessor"): FERR# of the
// processor sets a latch that holds IRQ 13; a write to port F0h clears the latch and asserts IGNNE# until FERR# goes away.
// A kernel that sets CR0.NE gets #MF instead, and none of this happens.
import type { Device, InterruptLine } from './device.ts';

export class CoprocessorError implements Device {
  readonly name = 'coprocessor';
  readonly ports = [[0xf0, 0xf1]] as const;

  /** IGNNE#: errors are to be ignored until the processor has none. */
  onIgnore: (() => void) | null = null;

  constructor(private readonly irq13: InterruptLine) {}

  /** FERR# of the processor. Its going away does not clear the latch; only the handler's write does. */
  setError(asserted: boolean): void {
    if (asserted) this.irq13(true);
  }

  readPort(): number {
    return 0xff;
  }

  writePort(): void {
    this.irq13(false);
    this.onIgnore?.();
  }

  nextDeadline(): number {
    return Infinity;
  }
  advance(): void {}
  reset(): void {
    this.irq13(false);
  }
}
