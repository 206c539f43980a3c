// PAE guests behind a second dimension that is remembered: guest-physical addresses of 36 bits, entries that take each other's
// place in that memory, either vendor's way with PDPTEs. All as when each walk goes through the dimension.
import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { Cpu } from './cpu.ts';
import { EXITED, isFault } from './fault.ts';
import { GuestPhysical } from './guest-physical.ts';
import { NestedWalk, type SecondDimension } from './nested-walk.ts';
import { CR4_PAE, loadPdptes } from './page-walk.ts';
import { translate, translateFetch } from './paging.ts';
import { TestMachine } from './test-machine.ts';
import { neededBy } from './testing-dimension.ts';

/** Guest-physical pages: some pairs share a place (bits 9:0 xor 19:10), some differ above bit 32 alone. */
const PAGES = [
  0x1, 0x400, 0x801, 0xc03, 0x100001, 0x100400, 0xf00001, 0xfffbff, 0x7ffff, 0x80200, 0xc0002, 2,
];
const POINTERS = 2;
/** The tables' pages, by their place in `PAGES`: two directories, two tables. */
const DIRECTORIES = [0, 4];
const TABLES = [6, 1];
const WP = 1 << 16;
const PG = 1 << 31;

class Scattered implements SecondDimension {
  allows = 0;
  constructor(
    readonly rights: number[],
    readonly places: number[],
    readonly pointersOnDemand: boolean,
  ) {}
  translate(cpu: Cpu, physical: number, access: number): number {
    const n = PAGES.indexOf(Math.floor(physical / 4096));
    cpu.cycles += 100 + n;
    const needed = neededBy(access);
    if (n < 0 || (this.rights[n] & needed) !== needed) throw EXITED;
    this.allows = this.rights[n];
    return this.machine(n) + (physical % 4096);
  }
  machine(n: number): number {
    return 0x40000 + this.places[n] * 4096;
  }
  peek(_: Cpu, physical: number): number {
    const n = PAGES.indexOf(Math.floor(physical / 4096));
    return n < 0 ? -1 : this.machine(n) + (physical % 4096);
  }
}

const stepOf = fc.record({
  linear: fc
    .integer({ min: 0, max: 15 })
    .map((n) => ((n & 3) << 12) | ((n & 4) << 19) | ((n & 8) << 27) | 0x123),
  write: fc.boolean(),
  user: fc.boolean(),
  fetch: fc.boolean(),
  before: fc.oneof(
    fc.constantFrom('nothing', 'cr3', 'cr3', 'invalidate'),
    fc.record({ page: fc.nat(PAGES.length - 1), rights: fc.constantFrom(7, 7, 5, 1, 0) }),
    fc.record({ page: fc.nat(PAGES.length - 1), place: fc.integer({ min: 32, max: 60 }) }),
  ),
});
const bits = fc.constantFrom(0x67, 0x27, 0x07, 0x65, 0x63, 0x23, 0x61, 0x66, 0x167);
const entry = fc.record({ page: fc.nat(PAGES.length - 1), bits });
const cases = fc.record({
  onDemand: fc.boolean(),
  wp: fc.boolean(),
  rights: fc.array(fc.constantFrom(7, 7, 7, 5, 3, 1), { minLength: PAGES.length, maxLength: PAGES.length }),
  directoryBits: fc.array(bits, { minLength: 4, maxLength: 4 }),
  entries: fc.array(entry, { minLength: 8, maxLength: 8 }),
  steps: fc.array(stepOf, { minLength: 1, maxLength: 30 }),
});
type Case = typeof cases extends fc.Arbitrary<infer T> ? T : never;

function outcome(c: Case, remembers: boolean): string[] {
  const { cpu, memory } = new TestMachine().flat(new Uint8Array());
  const dimension = new Scattered(
    [...c.rights],
    PAGES.map((_, n) => n),
    c.onDemand,
  );
  cpu.nested = new NestedWalk(dimension, remembers ? new GuestPhysical(cpu.tlb) : null);
  const put = (at: number, page: number, low: number) => {
    memory.write32(at, ((PAGES[page] * 4096) % 2 ** 32) | low);
    memory.write32(at + 4, Math.floor(PAGES[page] / 2 ** 20));
  };
  dimension.rights[PAGES.indexOf(POINTERS)] |= 1;
  for (let n = 0; n < 4; n++) put(dimension.machine(PAGES.indexOf(POINTERS)) + n * 8, DIRECTORIES[n >> 1], 1);
  for (let n = 0; n < 4; n++)
    put(dimension.machine(DIRECTORIES[n >> 1]) + (n & 1) * 8, TABLES[(n ^ (n >> 1)) & 1], c.directoryBits[n]);
  c.entries.forEach((e, n) => put(dimension.machine(TABLES[n >> 2]) + (n & 3) * 8, e.page, e.bits));
  cpu.cr4 = CR4_PAE;
  cpu.cr3 = POINTERS * 4096;
  loadPdptes(cpu, cpu.cr3);
  cpu.cr0 = 1 | (c.wp ? WP : 0) | PG;
  const log: string[] = [];
  for (const { linear, write, user, fetch, before } of c.steps) {
    if (before === 'cr3') cpu.tlb.flushNonGlobal();
    else if (before === 'invalidate') cpu.tlb.invalidate(linear);
    else if (typeof before !== 'string') {
      if ('rights' in before) dimension.rights[before.page] = before.rights;
      else {
        memory.bytes.copyWithin(
          0x40000 + before.place * 4096,
          dimension.machine(before.page),
          dimension.machine(before.page) + 4096,
        );
        dimension.places[before.page] = before.place;
      }
      cpu.tlb.flush();
    }
    cpu.cpl = user ? 3 : 0;
    try {
      const at = fetch ? translateFetch(cpu, linear) : translate(cpu, linear, write, user);
      log.push(`${at} ${cpu.cycles}`);
    } catch (thrown) {
      if (thrown === EXITED) {
        cpu.tlb.invalidate(linear);
        log.push(`exit ${cpu.cycles}`);
      } else if (isFault(thrown))
        log.push(`#${thrown.vector} ${thrown.errorCode} ${thrown.address} ${cpu.cycles}`);
      else throw thrown;
    }
  }
  return [...log, Buffer.from(memory.bytes.subarray(0x40000, 0x80000)).toString('base64')];
}

it('makes no difference to PAE guests with 36 bits of addresses', () => {
  const seen = { exits: 0, faults: 0, pages: 0 };
  fc.assert(
    fc.property(cases, (c) => {
      const walked = outcome(c, false);
      expect(outcome(c, true)).toEqual(walked);
      for (const line of walked.slice(0, -1))
        seen[line.startsWith('exit') ? 'exits' : line.startsWith('#') ? 'faults' : 'pages']++;
    }),
    { numRuns: Number(process.env.RUNS ?? 250), seed: 1 },
  );
  expect(Math.min(...Object.values(seen))).toBeGreaterThan(200);
});
