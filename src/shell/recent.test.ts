import { expect, it } from 'vitest';
import { RecentPlaces } from './recent.ts';

const HZ = 1000;
const at = (user: number, idle: number) => ({ user, kernel: 0, hypervisor: 0, ready: 0, idle });

it('shares out what happened lately, not since boot', () => {
  const recent = new RecentPlaces();
  recent.add(at(0, 100_000), HZ);
  expect(recent.shares()).toEqual(at(0, 0));
  recent.add(at(50, 100_050), HZ);
  expect(recent.shares()).toEqual(at(0.5, 0.5));
  for (let n = 1; n <= 50; n++) recent.add(at(50 + n * 100, 100_050), HZ);
  expect(recent.shares().user).toBeGreaterThan(0.99);
});

it('starts afresh when the guest was booted again', () => {
  const recent = new RecentPlaces();
  recent.add(at(0, 0), HZ);
  recent.add(at(500, 0), HZ);
  recent.add(at(0, 1), HZ);
  expect(recent.shares().user).toBe(0);
  recent.add(at(0, 2), HZ);
  expect(recent.shares().idle).toBe(1);
});
