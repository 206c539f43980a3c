// Batches of changes to a guest's tables, each followed by INVLPG of every page that it may concern (or by CR3): through its
// shadows, with a TLB that is flushed only when the technique would flush it, all must be as on the bare machine.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { costModel } from '../cost/processors.ts';
import { readLinear8, writeLinear8, writeLinear32 } from '../machine/cpu/access.ts';
import { Cpu } from '../machine/cpu/cpu.ts';
import { isFault } from '../machine/cpu/fault.ts';
import { PhysicalMemory } from '../machine/memory/physical-memory.ts';
import { Recorder } from '../trace/recorder.ts';
import type { Vcpu } from './domain.ts';
import { FrameTable, GuestMemory } from './frames.ts';
import { FaultIs, ShadowPaging } from './shadow-paging.ts';

const FRAMES = 48;
const WINDOW = 0xffc00000;
const PAGING = 0x80010001 | 0;
const PSE = 0x10;
const ports = { read: () => 0xff, write: () => {} };
const noInterrupts = { pending: () => false, acknowledge: () => 0 };

function processor(memory: PhysicalMemory): Cpu {
  const cpu = new Cpu(memory, costModel('prescott'), new Recorder(16), ports, noInterrupts);
  cpu.cr0 = PAGING;
  cpu.cr4 = PSE;
  return cpu;
}

interface Machine {
  store(linear: number, value: number): void;
  invalidate(linear: number): void;
  reload(): void;
  read(linear: number): string;
  write(linear: number): string;
  word(physical: number): number;
}

/** The window (PDE 1023, table in frame 15) maps every frame; the directory is frame 0. */
function tables(write32: (physical: number, value: number) => void): void {
  write32(0xffc, 0xf003);
  for (let f = 0; f < FRAMES; f++) write32(0xf000 + f * 4, (f << 12) | 3);
  for (let f = 16; f < FRAMES; f++) write32(f << 12, f);
}

class Bare implements Machine {
  readonly memory = new PhysicalMemory(FRAMES * 4096);
  readonly cpu = processor(this.memory);
  constructor() {
    tables((physical, value) => this.memory.write32(physical, value));
  }
  store = (linear: number, value: number) => writeLinear32(this.cpu, linear, value, false);
  invalidate = (linear: number) => this.cpu.tlb.invalidate(linear);
  reload = () => this.cpu.tlb.flush();
  word = (physical: number) => this.memory.read32(physical);
  read = (linear: number) => this.attempt(() => readLinear8(this.cpu, linear, true));
  write = (linear: number) => this.attempt(() => writeLinear8(this.cpu, linear, 0x5a, true));
  private attempt(access: () => unknown): string {
    try {
      return `${access()}`;
    } catch (caught) {
      if (!isFault(caught)) throw caught;
      return `#PF(${caught.errorCode})`;
    }
  }
}

class Shadowed implements Machine {
  readonly memory = new PhysicalMemory(0x400000);
  readonly cpu = processor(this.memory);
  readonly guest: GuestMemory;
  readonly shadow: ShadowPaging;
  private root = -1;
  private seen = -1;
  constructor(
    private readonly count: 'changes' | 'reductions',
    limit?: number,
  ) {
    const frames = new FrameTable(this.memory);
    this.guest = new GuestMemory(frames, 1, FRAMES * 4096);
    for (let n = 0; n < FRAMES; n++) this.guest.populate(n, 1);
    tables((physical, value) => this.guest.write32(physical, value));
    const host = { frames, charge: () => 0, record: () => {} };
    this.shadow = new ShadowPaging(host, {} as Vcpu, this.guest, limit);
    this.shadow.remembered = { forgetPage: (linear) => this.cpu.tlb.invalidate(linear) };
    this.shadow.loadCr4(PSE);
    this.shadow.loadCr3(0);
    this.shadow.loadCr0(PAGING);
  }
  store(linear: number, value: number): void {
    expect(this.attempt(() => writeLinear32(this.cpu, linear, value, false))).toBe('undefined');
  }
  invalidate = (linear: number) => this.shadow.invalidatePage(linear);
  reload = () => void this.shadow.loadCr3(0);
  word = (physical: number) => this.guest.read32(physical);
  read = (linear: number) => this.attempt(() => readLinear8(this.cpu, linear, true));
  write = (linear: number) => this.attempt(() => writeLinear8(this.cpu, linear, 0x5a, true));
  private attempt(access: () => unknown): string {
    for (let turn = 0; turn < 10; turn++) {
      if (this.root !== this.shadow.root || this.seen !== this.shadow[this.count]) this.cpu.tlb.flush();
      this.cpu.cr3 = this.root = this.shadow.root;
      this.seen = this.shadow[this.count];
      try {
        return `${access()}`;
      } catch (caught) {
        if (!isFault(caught)) throw caught;
        const was = this.shadow.pageFault(caught.address, caught.errorCode);
        if (was === FaultIs.guests) return `#PF(${this.shadow.guestError})`;
      }
    }
    throw new Error('no end of hidden faults');
  }
}

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
