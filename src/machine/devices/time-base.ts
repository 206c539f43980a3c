// Exact conversion between cycles (virtual time) and the ticks of a device's own oscillator. Every device that counts
// derives its state from these two functions, so nothing happens per tick and every deadline is exact and repeatable.

/** Oscillators of the PC, in hertz: 8254 input (14.318 18 MHz / 12), RTC crystal, 16550 crystal. */
export const PIT_HZ = 1_193_182;
export const RTC_HZ = 32_768;
export const UART_HZ = 1_843_200;

/**
 * Whole ticks of a `rate` Hz oscillator that have passed at cycle `now`. Exact while
 * frequency × rate < 2^53 (7.5 GHz for the PIT): seconds are split off before multiplying.
 */
export function ticksAt(now: number, rate: number, frequency: number): number {
  const seconds = Math.floor(now / frequency);
  return seconds * rate + Math.floor(((now - seconds * frequency) * rate) / frequency);
}

/** First cycle at which `ticksAt` reaches `ticks`: its exact inverse. */
export function cycleOfTick(ticks: number, rate: number, frequency: number): number {
  const seconds = Math.floor(ticks / rate);
  return seconds * frequency + Math.ceil(((ticks - seconds * rate) * frequency) / rate);
}
