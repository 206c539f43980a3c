// Random hypercalls with random memory behind them, for guests of both forms: the host never throws and never dwells,
// foreign memory stays as it was, and after each sequence the domain's tables still hold what makes direct paging safe
// (invariants.ts). Used by fuzz.test.ts and fuzz-pae.test.ts.
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { expect } from 'vitest';
import { assemble } from '../../assembler/assemble.ts';
import { readSources } from '../../cli/library.ts';
import { costModel } from '../../cost/processors.ts';
import { parseImage } from '../../images/load.ts';
import { Pc } from '../../machine/pc.ts';
import { Kind, Vendor } from '../../trace/events.ts';
import { Recorder } from '../../trace/recorder.ts';
import type { Domain } from '../domain.ts';
import { Hypervisor } from '../hypervisor.ts';
import { HYPERCALL_VECTOR } from '../monitor.ts';
import { RunLoop } from '../run-loop.ts';
import { miscounts, violations } from './invariants.ts';
import type { PageTypes } from './page-types.ts';
import { Paravirtualization } from './paravirtualization.ts';
import './provide.ts';
import type { PvDomain } from './pv-domain.ts';
import { withPae } from './testing.ts';

const RUNS = Number(process.env.FUZZ_RUNS ?? 400);
const VICTIM = 1;
const FUZZED = 2;
/** Linear addresses of the fuzzed kernel. */
const BASE = 0xc0000000;
const DATA = 0xc0180000;
/** Words behind a call: number, five arguments, stack, form, and sixteen of memory. */
const WORDS = 24;
const CALLS = { least: 60, most: 240 };

/** What a word may mean: a kind, and what chooses within it. */
interface Word {
  kind: number;
  n: number;
}
const wordOf = (random: number): Word => ({
  kind: (random >>> 0) % 15,
  n: Math.imul(random, 0x9e3779b1) >>> 0,
});

/** How often each hypercall comes: those that change tables often, those that end the domain seldom. */
const NUMBERS = Object.entries({
  ...{
    0: 1,
    1: 9,
    2: 4,
    3: 2,
    4: 1,
    5: 1,
    6: 1,
    8: 2,
    9: 1,
    10: 8,
    12: 6,
    13: 6,
    14: 9,
    15: 2,
    17: 2,
    18: 2,
  },
  ...{ 20: 3, 21: 1, 22: 1, 23: 1, 24: 4, 26: 14, 29: 1, 30: 1, 32: 4, 33: 1 },
}).flatMap(([number, times]) => new Array<number>(times).fill(Number(number)));

/** Kinds of word that a field of a hypercall may be. */
const ENTRY_ADDRESS = [5, 8, 8, 8, 9];
const ENTRY = [6, 6, 6, 6, 13, 13, 0, 9];
const FRAME = [7, 7, 7, 1];

/**
 * The property. @param seed of fast-check's generator
 * @returns how many calls were made, how many succeeded, and how often each number did
 */
export function fuzz(
  pae: boolean,
  seed: number,
): { calls: number; succeeded: number; works: Map<number, number> } {
  const image = parseImage(
    assemble(
      new Map([
        ...readSources(fileURLToPath(new URL('../../guests/', import.meta.url))),
        [
          'loop.asm',
          '%include "include/xen.inc"\nxen_guest "loop", "1", start\nstart: jmp start\nxen_guest_end\n',
        ],
      ]),
      'loop.asm',
      { includePaths: [''] },
    ).bytes,
    'loop',
  );
  const pc = new Pc(costModel('prescott'), new Recorder(1 << 10), 7 << 20, {
    startDate: '2005-12-05T10:00:00',
  });
  const hypervisor = new Hypervisor(pc);
  const technique = new Paravirtualization(hypervisor);
  const loop = new RunLoop(hypervisor);
  const boot = (id: number): Domain =>
    hypervisor.createDomain({
      id,
      name: `${id}`,
      technique,
      memoryBytes: 2 << 20,
      image: pae ? withPae(image) : image,
      options: { commandLine: '', modules: [] },
    });
  const victim = boot(VICTIM);
  loop.run(500_000);
  loop.leaveGuest();
  victim.state = 'paused';

  const { types } = technique as unknown as { types: PageTypes };
  const pvOf = (domain: Domain): PvDomain =>
    (technique as unknown as { guests: Map<Domain, PvDomain> }).guests.get(domain)!;
  /** What is wrong with the fuzzed domain's tables. */
  const wrong = (pv: PvDomain): string[] => [
    ...violations(hypervisor, pv),
    ...miscounts(hypervisor, types, pv),
  ];

  /** A page table in use: what CR3 names, or one below. */
  function tableOf(domain: Domain, n: number): number {
    const pv = pvOf(domain);
    const entry = (frame: number, index: number) =>
      pc.memory.read32(frame * 4096 + (index << pv.layout.entryShift));
    const below = entry(pv.baseFrame, pae ? 3 : 0x300);
    const choices = [pv.baseFrame, below >>> 12, pae ? entry(below >>> 12, 0) >>> 12 : below >>> 12];
    const frame = choices[n % 3];
    return hypervisor.frames.owner[frame] === FUZZED ? frame : pv.baseFrame;
  }

  function meaning(domain: Domain, { kind, n }: Word): number {
    const { p2m } = domain.memory;
    // Few frames, so that the same ones meet again in different parts.
    const frame = p2m[[0x100, 0x101, 0x180, 0x181, 0x1f0, 0x1f1, 0x1f2, 0x1f3][n & 7]] & 0xfffff;
    switch (kind) {
      case 0:
        return n;
      case 1:
        return n & 7;
      case 2:
        return n % 40;
      case 3:
        return DATA + (n & 0x1ffc);
      case 4:
        return BASE + (n & 0x1fffff);
      case 5:
        return frame * 4096 + (n & (pae ? 0xff8 : 0xffc)) + ((n >>> 12) & 3);
      case 6:
        return (frame * 4096) | [7, 5, 3, 0x67, 0x87, 0x107, 1, 0][(n >>> 4) & 7];
      case 7:
        return frame;
      case 8:
        return tableOf(domain, n >>> 20) * 4096 + ((n >>> 3) & (pae ? (n & 1 ? 0x18 : 0xff8) : 0xffc));
      case 9:
        return victim.memory.p2m[n & 0x1ff] * 4096 + (n >>> 24);
      case 10:
        return (pae ? 0xf5800000 : 0xfc000000) + (n & 0x3ffffff);
      case 11:
        return 0x7ff0;
      case 12:
        return [0xe008, 0xe010, 0xe019, 0xe021, 0xe02b, 0xe033, 0xe038, 9][n & 7];
      case 13:
        return 0;
      default:
        return [0x80000000, 0xffffffff, 0x7fffffff, 2048, 512, 0, 1, 0x00cf9a00][n & 7];
    }
  }
  const as = (domain: Domain, kinds: number[], w: Word) =>
    meaning(domain, { kind: kinds[w.kind % kinds.length], n: w.n });

  /** The words of a list: page-table updates, extended operations, frames, or calls, by hypercall number. */
  function listOf(domain: Domain, number: number, words: Word[]): number[] {
    return words.map((w, n) => {
      if (number === 1)
        return n % 4 === 0
          ? as(domain, ENTRY_ADDRESS, w)
          : n % 4 === 2
            ? as(domain, ENTRY, w)
            : n % 4 === 3 && w.n % 16 === 0
              ? w.n
              : 0;
      if (number === 26)
        return n % 3 === 0
          ? [0, 1, 2, 4, 5, 0, 1, 2, 4, 13, 16, 17, w.n % 20][w.kind % 13]
          : n % 3 === 1
            ? as(domain, w.n & 8 ? FRAME : [7, 3, 4], w)
            : w.n & 3;
      if (number === 2) return as(domain, FRAME, w);
      // {list, count, order, bits, domain}, and behind it the list.
      if (number === 12)
        return (
          [DATA + 40, w.n % 5, w.n % 7 ? 0 : w.n % 12, 0, 0x7ff0, DATA + 52, w.n % 3, 0, 0, 0x7ff0][n] ??
          as(domain, FRAME, w)
        );
      if (number === 13) return n % 8 === 0 ? NUMBERS[w.n % NUMBERS.length] : meaning(domain, w);
      return meaning(domain, w);
    });
  }

  /** Arguments in the form that a hypercall wants. */
  function formed(domain: Domain, number: number, words: Word[]): number[] {
    const [a, b, c] = words;
    switch (number) {
      case 1:
      case 26:
        return [DATA, 1 + (a.n & 4 ? 0 : a.n % 4), b.n & 1 ? 0 : DATA + 0x800, 0x7ff0, 0];
      case 2:
        return [DATA, 1 + (a.n % 1024), 0, 0, 0];
      case 8:
        return [a.n % 9, meaning(domain, b), 0, 0, 0];
      case 10:
        return [
          as(domain, [5, 5, 5, 9], a) & ~7,
          0,
          as(domain, [0, 14], b),
          as(domain, [0, 14], c) | [0xb200, 0x9200, 0x9a00, 0xfa00][a.n & 3],
          0,
        ];
      case 12:
        return [[0, 1, 1, 6, 6, 11, 9, 3, 12, 5][a.n % 10], DATA, 0, 0, 0];
      case 13:
        return [DATA, 1 + (a.n & 1), 0, 0, 0];
      case 14:
        return [as(domain, [3, 4, 4], a), as(domain, ENTRY, b), c.n % 16 ? 0 : c.n, c.n & 3, 0];
      case 24:
        return [a.n % 14, b.n % 8 ? 0 : 1, DATA, 0, 0];
      case 6:
      case 29:
        // To end itself is the guest's right, but ends the fuzzing of it.
        return [a.n % 16 ? [0, 1, 3, 9][a.n % 4] : 2, DATA, 0, 0, 0];
      default:
        return words.map((w) => meaning(domain, w));
    }
  }

  /** The guest executes INT 82h at ring 1. */
  function perform(domain: Domain, number: number, values: number[], stack: number): string {
    const vcpu = domain.vcpus[0];
    const { frame } = pvOf(domain);
    const [ebx, ecx, edx, esi, edi] = values;
    vcpu.regs.set([number, ecx, edx, ebx, 0, 0, esi, edi]);
    frame.cs = 0xe019;
    frame.esp = stack | 0;
    const nothing = { qualification: 0, detail: 0, instructionLength: 0, eip: 0 };
    return technique.handle(vcpu, { vendor: Vendor.xen, reason: HYPERCALL_VECTOR, ...nothing });
  }

  /** Unmaps a few pages, so that tables can be made of them. */
  function prepare(domain: Domain): void {
    for (const page of [0x1f0, 0x1f1, 0x1f2, 0x1f3]) perform(domain, 14, [BASE + page * 4096, 0, 0, 2, 0], 0);
  }

  function writable(domain: Domain, address: number): boolean {
    const pv = pvOf(domain);
    const { access } = technique as unknown as { access: { entryOf(pv: PvDomain, at: number): number } };
    const slot = access.entryOf(pv, address);
    return slot >= 0 && (pc.memory.read32(slot) & 3) === 3;
  }

  /** Fills the page of arguments and makes one call. Returns its number. */
  function make(domain: Domain, random: readonly number[], at: number): number {
    const vcpu = domain.vcpus[0];
    const word = (n: number) => wordOf(random[at + n]);
    const [name, stack, form] = [word(0), word(6), random[at + 7]];
    const words = Array.from({ length: 5 }, (_, n) => word(1 + n));
    const memory = Array.from({ length: 16 }, (_, n) => word(8 + n));
    const number = name.kind === 0 ? name.n : NUMBERS[name.n % NUMBERS.length];
    const wellFormed = form % 5 !== 0;
    const list = wellFormed ? listOf(domain, number, memory) : memory.map((w) => meaning(domain, w));
    list.forEach((value, n) => {
      // Only what the guest itself could write: its data page, as long as it is that.
      const machine = technique.translate(vcpu, DATA + n * 4);
      if (machine >= 0 && writable(domain, DATA)) pc.memory.write32(machine, value);
    });
    const values = wellFormed ? formed(domain, number, words) : words.map((w) => meaning(domain, w));
    hypervisor.sliceEnd = form & 64 ? hypervisor.now : Infinity;
    const resume = perform(domain, number, values, meaning(domain, stack));
    if (!['enter', 'block', 'yield', 'ended'].includes(resume)) expect.fail(`resume is ${resume}`);
    return number;
  }

  /** Everything but these frames, their words in the machine-to-physical table, and where the hypervisor writes in passing. */
  function foreign(copy: Uint8Array, frames: ReadonlySet<number>, area: number): Uint8Array {
    const { monitor } = hypervisor;
    for (const frame of frames) {
      copy.fill(0, frame * 4096, frame * 4096 + 4096);
      copy.fill(0, monitor.m2p + frame * 4, monitor.m2p + frame * 4 + 4);
    }
    copy.fill(0, area, area + 4096);
    copy.fill(0, monitor.stack, monitor.stack + 0x2000);
    copy.fill(0, monitor.tss + 0x0c, monitor.tss + 0x12);
    copy.fill(0, monitor.idt + 0x80 * 8, monitor.idt + 0x81 * 8);
    // The descriptor of the guest's LDT, in the page of the GDT that its form of guests has.
    const page = pc.memory.read32(pvOf(victim).perDomainTable + (14 << (pae ? 3 : 2))) & ~0xfff;
    copy.fill(0, page + 0x40, page + 0x48);
    return copy;
  }
  const framesOf = (id: number, into: Set<number>): Set<number> => {
    hypervisor.frames.owner.forEach((owner, frame) => {
      if (owner === id) into.add(frame);
    });
    return into;
  };

  let calls = 0;
  let succeeded = 0;
  const works = new Map<number, number>();

  /** One guest makes the calls from `at` on, until it ends or there are no more. Returns where the next one goes on. */
  function life(random: readonly number[], from: number): number {
    const domain = boot(FUZZED);
    const pv = pvOf(domain);
    const frames = framesOf(FUZZED, new Set());
    const before = pc.memory.bytes.slice();
    prepare(domain);
    let at = from;
    while (at + WORDS <= random.length && domain.alive) {
      const number = make(domain, random, at);
      at += WORDS;
      calls++;
      if (domain.vcpus[0].regs[0] === 0) {
        succeeded++;
        works.set(number, (works.get(number) ?? 0) + 1);
      }
      domain.vcpus[0].state = 'runnable';
      // What it takes from the free memory of the host is its own from then on.
      if (number === 12 || number === 20 || number === 13) framesOf(FUZZED, frames);
    }
    expect(wrong(pv)).toEqual([]);
    // Whatever is in its registers now, it runs: for a while, or to a clear end.
    if (domain.alive) {
      hypervisor.sliceEnd = 0;
      loop.run(hypervisor.now + 20_000);
      loop.leaveGuest();
      expect(wrong(pv)).toEqual([]);
    }
    if (!domain.alive) expect(domain.ending).not.toBe('');
    expect(domain.ending, 'no mistake of ours').not.toMatch(/mistake of the hypervisor/);
    framesOf(FUZZED, frames);
    const area = pv.perDomainTable;
    const after = foreign(pc.memory.bytes.slice(), frames, area);
    expect(Buffer.compare(foreign(before, frames, area), after)).toBe(0);
    hypervisor.destroyDomain(FUZZED);
    return at;
  }

  fc.assert(
    fc.property(
      fc.array(fc.integer(), {
        minLength: CALLS.least * WORDS,
        maxLength: CALLS.most * WORDS,
        size: 'max',
      }),
      (random) => {
        // A guest that ends is booted again, until all calls are made.
        for (let at = 0; at + WORDS <= random.length; ) at = life(random, at);
      },
    ),
    {
      numRuns: RUNS,
      seed: Number(process.env.FUZZ_SEED ?? seed),
      endOnFailure: !process.env.FUZZ_SHRINK,
    },
  );
  if (process.env.FUZZ_TELL) console.log(calls, succeeded, [...works].sort((a, b) => b[1] - a[1]).join(' '));
  // Not everything is refused: the fuzzer gets somewhere.
  expect(succeeded).toBeGreaterThan(calls / 20);
  expect(pc.recorder.count(Kind.pageTable)).toBeGreaterThan(calls / 20);
  expect(victim.state).toBe('paused');
  return { calls, succeeded, works };
}
