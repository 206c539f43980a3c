// ASIDs at work (APM vol. 2 §15.16): what the processor remembers of a guest is never more than the guest, or the hypervisor,
// allows.
import { describe, expect, it } from 'vitest';
import { V } from '../../machine/cpu/svm/layout.ts';
import { seesNothingStale } from '../testing/stale-translations.ts';
import { Asids } from './asids.ts';
import { build, needsNasm, TestHost } from './testing.ts';

for (const [processor, paging] of [
  ['prescott', 'shadow'],
  ['nehalem', 'nested'],
] as const)
  needsNasm(`a guest on ${processor} with ${paging} paging sees nothing stale after`, () => {
    seesNothingStale({
      host: () => new TestHost({ processor }),
      paging,
      devices: true,
      tablesOf: (host, domain) => (host as TestHost).technique.guestOf(domain).shadow,
    });
  });

describe('the pool of ASIDs', () => {
  it('gives each once; then the TLB is emptied, and all that were given are void', () => {
    const asids = new Asids(4);
    const owners = Array.from({ length: 5 }, () => ({ asid: 0, asidRound: 0 }));
    expect(owners.slice(0, 3).map((owner) => [asids.give(owner), owner.asid])).toEqual([
      [false, 1],
      [false, 2],
      [false, 3],
    ]);
    expect(owners.slice(0, 3).map((owner) => asids.isGood(owner))).toEqual([true, true, true]);
    expect([asids.give(owners[3]), owners[3].asid]).toEqual([true, 1]);
    expect(owners.map((owner) => asids.isGood(owner))).toEqual([false, false, false, true, false]);
  });
});

needsNasm('ASIDs', () => {
  it('are kept over exits, and no two guests have the same', () => {
    const host = new TestHost();
    const domains = [0, 1, 2].map((id) => host.boot(build('again: out 0xe9, al\njmp again'), id));
    host.run(6_000_000);
    const asids = () => domains.map((domain) => host.technique.guestOf(domain).vmcb.get(V.asid));
    const before = asids();
    expect(new Set(before).size).toBe(3);
    host.run(6_000_000);
    expect(asids()).toEqual(before);
  });
});
