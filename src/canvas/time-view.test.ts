import { describe, expect, it } from 'vitest';
import { at, LEAST_SPAN, pan, reveal, ticks, toNow, WHOLE, zoom } from './time-view.ts';

const HZ = 50e6;
const NOW = 100e6;

describe('the stretch of time that is shown', () => {
  it('is the whole run in the beginning, and grows with it', () => {
    expect(at(WHOLE, NOW)).toMatchObject({ from: 0, to: NOW });
    expect(at(WHOLE, 2 * NOW)).toMatchObject({ from: 0, to: 2 * NOW });
  });

  it('keeps the moment under the pointer where it is when zoomed', () => {
    const closer = zoom(WHOLE, NOW, 25e6, 0.5);
    expect(closer).toEqual({ from: 12.5e6, to: 62.5e6, mode: 'still' });
    expect(zoom(closer, NOW, 25e6, 2)).toMatchObject({ from: 0, to: NOW, mode: 'whole' });
  });

  it('goes along with now when that is what is looked at', () => {
    const newest = zoom(WHOLE, NOW, NOW, 0.1);
    expect(newest).toEqual({ from: 90e6, to: NOW, mode: 'follow' });
    expect(at(newest, NOW + 5e6)).toMatchObject({ from: 95e6, to: 105e6 });
  });

  it('ends at a few instructions, and at the whole run', () => {
    let view = WHOLE;
    for (let n = 0; n < 60; n++) view = zoom(view, NOW, 40e6, 0.5);
    expect(view.to - view.from).toBe(LEAST_SPAN);
    for (let n = 0; n < 60; n++) view = zoom(view, NOW, 40e6, 2);
    expect(view.mode).toBe('whole');
  });

  it('is moved within the run, and follows again when pushed against now', () => {
    const still = zoom(WHOLE, NOW, 50e6, 0.1);
    expect(pan(still, NOW, -1e9)).toMatchObject({ from: 0, mode: 'still' });
    expect(pan(still, NOW, 1e9)).toMatchObject({ to: NOW, mode: 'follow' });
    expect(toNow(still, NOW)).toMatchObject({ from: 90e6, to: NOW, mode: 'follow' });
  });

  it('moves to what is looked for, and stays when that is in it', () => {
    const still = zoom(WHOLE, NOW, 50e6, 0.1);
    expect(reveal(still, NOW, 51e6)).toBe(still);
    const moved = reveal(still, NOW, 10e6);
    expect(moved.from).toBeLessThan(10e6);
    expect(moved.to).toBeGreaterThan(10e6);
  });
});

describe('names of moments', () => {
  const labels = (from: number, to: number) =>
    ticks({ from, to, mode: 'still' }, HZ, 6).map(({ label }) => label);

  it('are round', () => {
    expect(labels(0, 2 * HZ)).toEqual(['0 ms', '500 ms', '1000 ms', '1500 ms', '2000 ms']);
    expect(labels(0, 60 * HZ)).toEqual(['0 s', '10 s', '20 s', '30 s', '40 s', '50 s', '60 s']);
  });

  it('are told from the first of them when their full names would be long', () => {
    expect(labels(HZ, HZ + 50)).toEqual([
      '1.0000000 s',
      '+200 ns',
      '+400 ns',
      '+600 ns',
      '+800 ns',
      '+1000 ns',
    ]);
  });
});
