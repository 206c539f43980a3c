import { expect, it } from 'vitest';
import { DETENT, FAST_START, SLOW_END, sliderAt, speedAt, speedWords } from './speed.ts';

const HZ = 50e6;

it('goes one way: slow, normal, fast', () => {
  const modes = Array.from({ length: 101 }, (_, at) => speedAt(at, HZ).mode);
  expect(modes[SLOW_END]).toBe('slow');
  expect(modes[SLOW_END + 1]).toBe('normal');
  expect(modes[FAST_START - 1]).toBe('normal');
  expect(modes[FAST_START]).toBe('fast');
  expect(
    [...modes].sort((a, b) => ['slow', 'normal', 'fast'].indexOf(a) - ['slow', 'normal', 'fast'].indexOf(b)),
  ).toEqual(modes);
});

it('never gets slower on the way', () => {
  let before = 0;
  for (let at = 0; at <= SLOW_END; at++) {
    const speed = speedAt(at, HZ);
    if (speed.mode === 'slow') expect(speed.eventsPerSecond).toBeGreaterThanOrEqual(before);
    before = speed.mode === 'slow' ? speed.eventsPerSecond : before;
  }
  expect(speedAt(FAST_START - 1, HZ)).toEqual({ mode: 'normal', cyclesPerSecond: HZ });
});

it('finds its way back from a speed to the slider', () => {
  for (let at = 0; at < FAST_START; at++)
    expect(Math.abs(sliderAt(speedAt(at, HZ), HZ) - at)).toBeLessThanOrEqual(1);
  expect(sliderAt({ mode: 'fast' }, HZ)).toBe(DETENT.fast);
});

it('says what it means', () => {
  const words = (speed: Parameters<typeof speedWords>[0]) => speedWords(speed, HZ).replaceAll('\u202f', ' ');
  expect(words({ mode: 'slow', eventsPerSecond: 0.5 })).toBe('one event every 2 seconds');
  expect(words({ mode: 'slow', eventsPerSecond: 1 })).toBe('one event a second');
  expect(words({ mode: 'slow', eventsPerSecond: 2.04 })).toBe('2 events a second');
  expect(words({ mode: 'normal', cyclesPerSecond: HZ })).toBe('as fast as the server');
  expect(words({ mode: 'normal', cyclesPerSecond: HZ / 20 })).toBe('20 × slower than the server');
  expect(words({ mode: 'normal', cyclesPerSecond: 5e3 })).toBe('10 000 × slower than the server');
  expect(words({ mode: 'fast' })).toBe('as fast as this computer can');
});
