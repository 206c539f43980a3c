// Batches of changes to a guest's tables, each followed by INVLPG of every page that it may concern (or by CR3): through its
// shadows, with a TLB that is flushed only when the technique would flush it, all must be as on the bare machine.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Bare, FRAMES, type Machine, Shadowed, WINDOW } from './testing/shadowed-twin.ts';

/** Tables in frames 4 and 5; places 0 to 2 of each, and of the directory. */
const aFlags = fc.constantFrom(0x00, 0x03, 0x05, 0x07, 0x27, 0x67, 0x67);
const aChange = fc.record({
  table: fc.constantFrom(0, 0, 4, 5),
  n: fc.integer({ min: 0, max: 2 }),
  frame: fc.integer({ min: 16, max: 31 }),
  below: fc.integer({ min: 4, max: 5 }),
  flags: aFlags,
  large: fc.integer({ min: 0, max: 15 }),
  /** Takes a directory entry away. */
  gone: fc.integer({ min: 0, max: 3 }),
});
const anAccess = fc.record({
  d: fc.integer({ min: 0, max: 2 }),
  n: fc.integer({ min: 0, max: 2 }),
  write: fc.boolean(),
});
const aBatch = fc.record({
  before: fc.array(anAccess, { maxLength: 4 }),
  changes: fc.array(aChange, { minLength: 1, maxLength: 3 }),
  how: fc.integer({ min: 0, max: 15 }),
  after: fc.array(anAccess, { minLength: 1, maxLength: 8 }),
});
type Batch = typeof aBatch extends fc.Arbitrary<infer T> ? T : never;

function same(batches: Batch[], count: 'changes' | 'reductions', limit?: number): void {
  const machines: Machine[] = [new Bare(), new Shadowed(count, limit)];
  const stories = machines.map((machine) => {
    const told: string[] = [];
    for (const table of [4, 5])
      for (let n = 0; n < 3; n++) machine.store(WINDOW + table * 4096 + n * 4, ((table * 4 + n) << 12) | 7);
    for (let n = 0; n < 3; n++) machine.store(WINDOW + n * 4, ((4 + (n & 1)) << 12) | 7);
    machine.reload();
    const access = ({ d, n, write }: { d: number; n: number; write: boolean }) => {
      const linear = (d << 22) | (n << 12) | 0x800;
      told.push(write ? machine.write(linear) : machine.read(linear));
    };
    for (const { before, changes, how, after } of batches) {
      before.forEach(access);
      for (const { table, n, frame, below, flags, large, gone } of changes) {
        let entry = (frame << 12) | flags;
        if (table === 0) entry = large === 0 ? flags | 0x80 : (below << 12) | flags;
        if (table === 0 && gone === 0) entry = 0;
        machine.store(WINDOW + table * 4096 + n * 4, entry);
      }
      if (how === 0) machine.reload();
      else
        for (let k = 0; k < 16; k++)
          machine.invalidate((((k * 5 * how) & 3) << 22) | ((((k * 5) >> 2) & 3) << 12));
      if (how !== 0) for (let k = 0; k < 16; k++) machine.invalidate(((k & 3) << 22) | ((k >> 2) << 12));
      after.forEach(access);
    }
    for (let at = 0; at < FRAMES * 4096; at += 4) {
      const word = machine.word(at);
      if (word) told.push(`${at.toString(16)}: ${(word >>> 0).toString(16)}`);
    }
    return told;
  });
  expect(stories[1]).toEqual(stories[0]);
}

describe('INVLPG behind a batch of changes', () => {
  const RUNS = Number(process.env.RUNS ?? 100);
  for (const count of ['changes', 'reductions'] as const)
    for (const limit of [undefined, 8])
      it(`leaves nothing stale (flushed by ${count}, ${limit ?? 'many'} shadow pages)`, () => {
        fc.assert(
          fc.property(fc.array(aBatch, { minLength: 8, maxLength: 24 }), (batches) =>
            same(batches, count, limit),
          ),
          { numRuns: RUNS, seed: 20261123 },
        );
      });
});
