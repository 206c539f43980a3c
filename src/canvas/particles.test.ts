import { expect, it } from 'vitest';
import type { Path } from './layout.ts';
import { MAX_PARTICLES, Particles } from './particles.ts';

const down: Path = [10, 0, 10, 50, 10, 50, 10, 100];

it('travels once, rests, fades and is gone', () => {
  const particles = new Particles();
  const slot = particles.spawn(7, 2, down, false, 1, 1);
  expect(particles.y[slot]).toBe(0);
  particles.step(0.5, false);
  expect(particles.y[slot]).toBeCloseTo(50);
  expect(particles.tailY[slot]).toBeLessThan(50);
  particles.step(0.6, false);
  expect(particles.y[slot]).toBeCloseTo(100);
  expect(particles.alpha[slot]).toBe(1);
  particles.step(1.1, false);
  expect(particles.alpha[slot]).toBeLessThan(1);
  particles.step(0.3, false);
  expect(particles.live).toEqual([]);
});

it('stays to be read while the machine is paused, until it is let go', () => {
  const particles = new Particles();
  particles.spawn(7, 2, down, false, 1, 0.6);
  particles.spawn(8, 2, down, false, 1, 0.1);
  for (let n = 0; n < 100; n++) particles.step(0.1, true);
  expect(particles.live).toHaveLength(1);
  expect(particles.alpha[particles.live[0]]).toBeCloseTo(1, 5);
  particles.release(8);
  for (let n = 0; n < 10; n++) particles.step(0.1, true);
  expect(particles.live).toHaveLength(0);
});

it('never grows: the oldest gives way', () => {
  const particles = new Particles();
  for (let seq = 0; seq < MAX_PARTICLES + 5; seq++) particles.spawn(seq, 0, down, false, 1, 0);
  expect(particles.live).toHaveLength(MAX_PARTICLES);
  expect(particles.seq[particles.live[0]]).toBe(5);
  expect(new Set(particles.live).size).toBe(MAX_PARTICLES);
});

it('answers a click with the nearest particle', () => {
  const particles = new Particles();
  const slot = particles.spawn(7, 2, down, false, 1, 0);
  expect(particles.nearest(14, 3, 12)).toBe(slot);
  expect(particles.nearest(60, 60, 12)).toBe(-1);
});
