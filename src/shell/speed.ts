// The speed slider: one way from slow motion through normal to fast. A position (0–100) is a `Speed` of the protocol,
// and every speed has its meaning in words. Pure.
import type { Speed } from '../worker/protocol.ts';
import { grouped } from './words.ts';

/** Where slow motion ends and where fast begins. */
export const SLOW_END = 30;
export const FAST_START = 86;
export const SLIDER_MAX = 100;
/** Middle of each part: where the slider's three words stand. */
export const DETENT = { slow: 12, normal: 58, fast: 94 } as const;

const SLOWEST = 0.5;
const QUICKEST = 12;
const LEAST_CYCLES = 5e3;

const logarithmic = (from: number, to: number, share: number) => from * (to / from) ** share;
const position = (from: number, to: number, value: number) => Math.log(value / from) / Math.log(to / from);

/** The speed at a position of the slider. @param clockHz cycles per virtual second of the host */
export function speedAt(at: number, clockHz: number): Speed {
  if (at <= SLOW_END) {
    return { mode: 'slow', eventsPerSecond: +logarithmic(SLOWEST, QUICKEST, at / SLOW_END).toPrecision(2) };
  }
  if (at >= FAST_START) return { mode: 'fast' };
  const share = (at - SLOW_END - 1) / (FAST_START - SLOW_END - 2);
  return {
    mode: 'normal',
    cyclesPerSecond: Math.round(logarithmic(LEAST_CYCLES, clockHz, Math.min(1, share))),
  };
}

/** The position of a speed; the middle of its part for one that the slider cannot name. */
export function sliderAt(speed: Speed, clockHz: number): number {
  if (speed.mode === 'fast') return DETENT.fast;
  if (speed.mode === 'slow') {
    const share = Math.min(1, Math.max(0, position(SLOWEST, QUICKEST, speed.eventsPerSecond)));
    return Math.round(share * SLOW_END);
  }
  const share = Math.min(1, Math.max(0, position(LEAST_CYCLES, clockHz, speed.cyclesPerSecond)));
  return Math.round(SLOW_END + 1 + share * (FAST_START - SLOW_END - 2));
}

/** What a speed means: `2 events a second`, `20 × slower than the server`, `as fast as this computer can`. */
export function speedWords(speed: Speed, clockHz: number): string {
  if (speed.mode === 'fast') return 'as fast as this computer can';
  if (speed.mode === 'slow') {
    const rate = speed.eventsPerSecond;
    if (rate === 1) return 'one event a second';
    return rate < 1
      ? `one event every ${+(1 / rate).toPrecision(2)} seconds`
      : `${+rate.toPrecision(2)} events a second`;
  }
  const factor = clockHz / speed.cyclesPerSecond;
  if (factor < 1.05) return 'as fast as the server';
  return `${factor < 10 ? +factor.toPrecision(2) : grouped(+factor.toPrecision(2))} × slower than the server`;
}
