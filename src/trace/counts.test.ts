// What is counted for a domain is exact for as many addresses as it promises, and bounded beyond them.
import { describe, expect, it } from 'vitest';
import { DomainCounts, isOnlyCounted, SiteCounts } from './counts.ts';
import { Kind, Life, RECORD_WORDS } from './events.ts';

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

describe('of a kind that is only counted', () => {
  /** All that is known of a domain but how many events there were. */
  const known = ({ place, exits, sites, calls, holes }: DomainCounts) =>
    JSON.stringify([place.place, place.read(1000), exits, [...sites.toMap()], [...calls], [...holes]]);
  /** What is known when an event of the kind has come, with these arguments. */
  const after = (kind: number, a: number, d: number) => {
    const counts = new DomainCounts(1, 0);
    const words = new Int32Array(RECORD_WORDS);
    words.set([kind, 500, 0, 0x1234, a, 3, 0, d, 0, 7]);
    counts.add(kind, words, 0);
    return known(counts);
  };
  const before = known(new DomainCounts(1, 0));

  for (const [name, kind] of Object.entries(Kind)) {
    // What a world switch means for the domain that leaves, the recorder knows.
    if (kind === Kind.schedule) continue;
    it(`${name}: nothing else is known of it, or else something is`, () => {
      const changes = [Life.paused, Life.destroyed].some((a) => after(kind, a, 3) !== before);
      expect(isOnlyCounted(kind)).toBe(!changes);
    });
  }

  it('world switches are looked at by the recorder', () => expect(isOnlyCounted(Kind.schedule)).toBe(false));
});
