// What is counted for a domain is exact for as many addresses as it promises, and bounded beyond them.
import { describe, expect, it } from 'vitest';
import { SiteCounts } from './counts.ts';

describe('counts by address', () => {
  it('are exact, in the order of the first times, also for addresses that hash alike', () => {
    const sites = new SiteCounts();
    const expected = new Map<number, number>();
    for (let n = 0; n < 20_000; n++) {
      // Neighbours, pages apart, and the whole range of 32 bits.
      const address = [n % 700, ((n * 4096) % 0x400000) + 0xc0000000, (n % 13) * 0x13579bdf][n % 3] >>> 0;
      sites.add(address);
      expected.set(address, (expected.get(address) ?? 0) + 1);
    }
    expect([...sites.toMap()]).toEqual([...expected]);
  });

  it('are kept for the first 4096 addresses only, and go on for those', () => {
    const sites = new SiteCounts();
    for (let turn = 0; turn < 2; turn++) for (let n = 0; n < 5000; n++) sites.add(n * 5);
    const map = sites.toMap();
    expect(map.size).toBe(4096);
    expect([...map.values()].every((count) => count === 2)).toBe(true);
    expect(map.has(4999 * 5)).toBe(false);
  });
});
