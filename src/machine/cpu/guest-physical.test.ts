// What is remembered of the second dimension must make no difference but in how often the dimension is asked: the same
// addresses, faults, bits in the guest's tables and cycles as when every walk goes through it.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Cpu } from './cpu.ts';
import { EXITED, isFault } from './fault.ts';
import { Allows, GuestPhysical } from './guest-physical.ts';
import { NestedWalk, type SecondDimension } from './nested-walk.ts';
import { isDenied } from './page-walk.ts';
import { translate, translateFetch, usualMiss } from './paging.ts';
import { TestMachine } from './test-machine.ts';
import { neededBy } from './testing-dimension.ts';

const DISTANCE = 0x40000;
const DIRECTORY = 0x1000;
const TABLES = [0x2000, 0x3000];
/** Guest-physical pages that the guest's entries name; the tables lie among them. */
const FRAMES = 16;
const PG = 1 << 31;
const WP = 1 << 16;

/** Moves every page, charges by page, and allows what a list says. */
class Moved implements SecondDimension {
  allows = 0;
  asked = 0;
  constructor(readonly rights: readonly number[]) {}
  translate(cpu: Cpu, physical: number, access: number): number {
    this.asked++;
    const page = physical >>> 12;
    cpu.cycles += 10 + page;
    const needed = neededBy(access);
    if ((this.rights[page] & needed) !== needed) throw EXITED;
    this.allows = this.rights[page];
    return physical + DISTANCE;
  }
  peek(_: Cpu, physical: number): number {
    return physical + DISTANCE;
  }
}

interface Step {
  linear: number;
  write: boolean;
  user: boolean;
  fetch: boolean;
  /** Before it: what the hypervisor or the guest does. */
  before: 'nothing' | 'cr3' | 'flush' | { page: number; rights: number } | { entry: number; value: number };
}

const rightsOf = fc.constantFrom(7, 7, 7, 7, 5, 3, 1);
const entryParts = fc.record({
  frame: fc.nat(FRAMES - 1),
  bits: fc.constantFrom(0x67, 0x27, 0x07, 0x65, 0x63, 0x23, 0x61, 0x21, 0x66, 0x167),
});
const entryValue = entryParts.map(({ frame, bits }) => (frame << 12) | bits);
const stepOf: fc.Arbitrary<Step> = fc.record({
  linear: fc
    .record({ directory: fc.nat(1), table: fc.nat(7), offset: fc.nat(0xfff) })
    .map(({ directory, table, offset }) => (directory << 22) | (table << 12) | offset),
  write: fc.boolean(),
  user: fc.boolean(),
  fetch: fc.boolean(),
  before: fc.oneof(
    { weight: 6, arbitrary: fc.constant('nothing' as const) },
    { weight: 3, arbitrary: fc.constant('cr3' as const) },
    { weight: 1, arbitrary: fc.constant('flush' as const) },
    { weight: 1, arbitrary: fc.record({ page: fc.nat(FRAMES - 1), rights: rightsOf }) },
    { weight: 2, arbitrary: fc.record({ entry: fc.nat(15), value: entryValue }) },
  ),
});

const machines = [0, 1].map(() => new TestMachine().flat(new Uint8Array()));

/** One of the two machines, walking or remembering. */
class World {
  readonly dimension: Moved;
  readonly rights: number[];

  constructor(
    readonly machine: TestMachine,
    rights: readonly number[],
    entries: readonly number[],
    remembers: boolean,
  ) {
    const { cpu, memory } = this.machine;
    this.rights = [...rights];
    this.dimension = new Moved(this.rights);
    cpu.nested = new NestedWalk(this.dimension, remembers ? new GuestPhysical(cpu.tlb) : null);
    cpu.cr0 = 1 | WP | PG;
    cpu.cr3 = DIRECTORY;
    TABLES.forEach((table, n) => memory.write32(DISTANCE + DIRECTORY + n * 4, table | (n ? 7 : 0x27)));
    entries.forEach((value, n) => this.setEntry(n, value));
    cpu.tlb.flush();
  }

  setEntry(n: number, value: number): void {
    this.machine.memory.write32(DISTANCE + TABLES[n >> 3] + (n & 7) * 4, value);
  }

  do({ linear, write, user, fetch, before }: Step): unknown {
    const { cpu } = this.machine;
    if (before === 'cr3') cpu.tlb.flushNonGlobal();
    else if (before === 'flush') cpu.tlb.flush();
    else if (before !== 'nothing' && 'page' in before) {
      // As a hypervisor must that takes something away.
      this.rights[before.page] = before.rights;
      cpu.tlb.flush();
    } else if (before !== 'nothing') this.setEntry(before.entry, before.value);
    const { cycles } = cpu;
    let outcome: unknown;
    cpu.cpl = user ? 3 : 0;
    try {
      outcome = fetch ? translateFetch(cpu, linear) : translate(cpu, linear, write, user);
    } catch (thrown) {
      if (thrown === EXITED) outcome = 'left';
      else if (isFault(thrown)) outcome = { vector: thrown.vector, errorCode: thrown.errorCode };
      else throw thrown;
    }
    return { outcome, cycles: cpu.cycles - cycles };
  }

  /** All entries of the guest's tables. */
  get tables(): number[] {
    const { memory } = this.machine;
    const of = (table: number, n: number) => memory.read32(DISTANCE + table + n * 4);
    return [0, 1]
      .map((n) => of(DIRECTORY, n))
      .concat(Array.from({ length: 16 }, (_, n) => of(TABLES[n >> 3], n & 7)));
  }
}

describe('what is remembered of the second dimension', () => {
  const worlds = fc.record({
    rights: fc.array(rightsOf, { minLength: FRAMES, maxLength: FRAMES }),
    entries: fc.array(entryValue, { minLength: 16, maxLength: 16 }),
    steps: fc.array(stepOf, { minLength: 1, maxLength: 40 }),
  });

  it('changes no outcome, no cycle and no bit of the guest’s tables', () => {
    let [walking, remembering] = [0, 0];
    fc.assert(
      fc.property(worlds, ({ rights, entries, steps }) => {
        const a = new World(machines[0], rights, entries, false);
        const b = new World(machines[1], rights, entries, true);
        for (const step of steps) expect(b.do(step)).toEqual(a.do(step));
        expect(b.tables).toEqual(a.tables);
        walking += a.dimension.asked;
        remembering += b.dimension.asked;
      }),
      { numRuns: 300 },
    );
    expect(remembering).toBeLessThan(walking * 0.8);
  });

  it('is not believed to allow a write because it allows a read', () => {
    fc.assert(
      fc.property(worlds, ({ rights, entries, steps }) => {
        const a = new World(machines[0], rights, entries, false);
        const b = new World(machines[1], rights, entries, true);
        for (const step of steps)
          for (const write of [false, true]) {
            const one = {
              ...step,
              write,
              fetch: false,
              before: write ? ('nothing' as const) : ('cr3' as const),
            };
            expect(b.do(one)).toEqual(a.do(one));
          }
      }),
      { numRuns: 100 },
    );
  });

  it('goes with an access that was refused: what the hypervisor does about it need not be told', () => {
    const rights = new Array(FRAMES).fill(7);
    rights[5] = Allows.read;
    const world = new World(machines[1], rights, new Array(16).fill((5 << 12) | 0x67), true);
    const at = (table: number, write: boolean): unknown => {
      const step = { linear: table << 12, write, user: false, fetch: false, before: 'cr3' as const };
      const { asked } = world.dimension;
      return { ...(world.do(step) as { outcome: unknown }), asked: world.dimension.asked - asked };
    };
    expect(at(0, false)).toMatchObject({ outcome: DISTANCE + 0x5000, asked: 3 });
    expect(at(1, false)).toMatchObject({ asked: 0 });
    expect(at(2, true)).toMatchObject({ outcome: 'left', asked: 1 });
    expect(at(3, false)).toMatchObject({ outcome: DISTANCE + 0x5000, asked: 1 });
    expect(at(4, false)).toMatchObject({ asked: 0 });
  });

  it('foresees only what then happens, and changes nothing by it', () => {
    let [denied, usual] = [0, 0];
    fc.assert(
      fc.property(worlds, ({ rights, entries, steps }) => {
        const world = new World(machines[1], rights, entries, true);
        const { cpu } = world.machine;
        for (const step of steps) {
          world.do({ ...step, fetch: false });
          const { linear, write, user } = { ...step, linear: step.linear ^ 0x1000 };
          cpu.tlb.flushNonGlobal();
          const before = { cycles: cpu.cycles, tables: world.tables, asked: world.dimension.asked };
          const isSure = isDenied(cpu, linear, write, user);
          const frame = usualMiss(cpu, linear, write, user);
          const foreseen = cpu.nested!.foresee(cpu, linear, write, user);
          expect({ cycles: cpu.cycles, tables: world.tables, asked: world.dimension.asked }).toEqual(before);
          const then = world.do({ linear, write, user, fetch: false, before: 'nothing' }) as {
            outcome: unknown;
          };
          if (isSure) expect(then.outcome).toMatchObject({ vector: 14 });
          if (frame !== -1) expect(foreseen).toBe(frame);
          if (foreseen >= 0) expect(then.outcome).toBe((foreseen | (linear & 0xfff)) >>> 0);
          denied += isSure ? 1 : 0;
          usual += frame === -1 ? 0 : 1;
        }
      }),
      { numRuns: 100 },
    );
    expect(Math.min(denied, usual)).toBeGreaterThan(50);
  });
});
