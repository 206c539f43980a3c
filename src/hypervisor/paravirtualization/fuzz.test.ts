// Random hypercalls with random memory behind them: the host never throws and never dwells, foreign memory stays as it was,
// and after each sequence the domain's tables still hold what makes direct paging safe (invariants.ts).

import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { expect, it } from 'vitest';
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
import type { PvDomain } from './pv-domain.ts';

const RUNS = Number(process.env.FUZZ_RUNS ?? 400);
const VICTIM = 1;
const FUZZED = 2;
/** Linear addresses of the fuzzed kernel. */
const BASE = 0xc0000000;
const DATA = 0xc0180000;

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
    image,
    options: { commandLine: '', modules: [] },
  });
const victim = boot(VICTIM);
loop.run(500_000);
loop.leaveGuest();
victim.state = 'paused';

const { types } = technique as unknown as { types: PageTypes };
/** What is wrong with the fuzzed domain's tables. */
const wrong = (pv: PvDomain): string[] => [
  ...violations(hypervisor, pv),
  ...miscounts(hypervisor, types, pv),
];
const pvOf = (domain: Domain): PvDomain =>
  (technique as unknown as { guests: Map<Domain, PvDomain> }).guests.get(domain)!;

/** What a word may mean; the seed chooses within the kind. */
type Word = { kind: number; n: number };
const word: fc.Arbitrary<Word> = fc.record({ kind: fc.nat(13), n: fc.nat(0xffffffff) });
interface Call {
  number: Word;
  arguments: Word[];
  memory: Word[];
  stack: Word;
  /** 0: arguments and memory are any words; else they have the form that the hypercall wants, with any content. */
  form: number;
  sliceOver: boolean;
}
const call: fc.Arbitrary<Call> = fc.record({
  number: word,
  arguments: fc.array(word, { minLength: 5, maxLength: 5 }),
  memory: fc.array(word, { minLength: 16, maxLength: 16 }),
  stack: word,
  form: fc.nat(4),
  sliceOver: fc.boolean(),
});

/** How often each hypercall comes: those that change tables often, those that end the domain seldom. */
const NUMBERS = Object.entries({
  ...{ 0: 1, 1: 9, 2: 4, 3: 2, 4: 1, 5: 1, 6: 1, 10: 8, 12: 1, 13: 6, 14: 9, 15: 2, 17: 1, 18: 2 },
  ...{ 21: 1, 23: 1, 24: 1, 26: 14, 29: 1, 32: 4, 33: 1 },
}).flatMap(([number, times]) => new Array<number>(times).fill(Number(number)));

function meaning(domain: Domain, { kind, n }: Word): number {
  const { p2m } = domain.memory;
  // Few frames, so that the same ones meet again in different parts.
  const frame = p2m[[0x100, 0x101, 0x180, 0x181, 0x1f0, 0x1f1, 0x1f2, 0x1ff][n & 7]];
  const pv = pvOf(domain);
  const directory = hypervisor.frames.owner[pv.baseFrame] === FUZZED ? pv.baseFrame : frame;
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
      return frame * 4096 + (n & 0xffc) + ((n >>> 12) & 3);
    case 6:
      return (frame * 4096) | [7, 5, 3, 0x67, 0x87, 0x107, 1, 0][(n >>> 4) & 7];
    case 7:
      return frame;
    case 8:
      return directory * 4096 + ((n >>> 3) & 0xffc);
    case 9:
      return victim.memory.p2m[n & 0x1ff] * 4096 + (n >>> 24);
    case 10:
      return 0xfc000000 + (n & 0x3ffffff);
    case 11:
      return 0x7ff0;
    case 14:
      return 0;
    case 12:
      return [0xe008, 0xe010, 0xe019, 0xe021, 0xe02b, 0xe033, 0xe038, 9][n & 7];
    default:
      return [0x80000000, 0xffffffff, 0x7fffffff, 2048, 512, 0, 1, 0x00cf9a00][n & 7];
  }
}

/** Kinds of word that a field of a hypercall may be. */
const ENTRY_ADDRESS = [5, 8, 8, 9];
const ENTRY = [6, 6, 6, 6, 14, 14, 0, 9];
const FRAME = [7, 7, 7, 1];

/** The words of a list: page-table updates, extended operations, or calls, by hypercall number. */
function listOf(domain: Domain, number: number, words: Word[]): number[] {
  const as = (kinds: number[], w: Word) => meaning(domain, { kind: kinds[w.kind % kinds.length], n: w.n });
  return words.map((w, n) => {
    if (number === 1) return n % 4 === 0 ? as(ENTRY_ADDRESS, w) : n % 4 === 2 ? as(ENTRY, w) : 0;
    if (number === 26)
      return n % 3 === 0
        ? [0, 1, 4, 5, 0, 1, 4, 13, w.n % 15][w.kind % 9]
        : n % 3 === 1
          ? as(FRAME, w)
          : w.n & 1;
    if (number === 2) return as(FRAME, w);
    if (number === 13) return n % 8 === 0 ? NUMBERS[w.n % NUMBERS.length] : meaning(domain, w);
    return meaning(domain, w);
  });
}

/** Arguments in the form that a hypercall wants. */
function formed(domain: Domain, number: number, words: Word[]): number[] {
  const as = (kinds: number[], w: Word) => meaning(domain, { kind: kinds[w.kind % kinds.length], n: w.n });
  const [a, b, c] = words;
  switch (number) {
    case 1:
    case 26:
      return [DATA, 1 + (a.n % 4), b.n & 1 ? 0 : DATA + 0x800, 0x7ff0, 0];
    case 2:
      return [DATA, 1 + (a.n % 1024), 0, 0, 0];
    case 10:
      return [
        as([5, 5, 5, 9], a) & ~7,
        0,
        as([0, 13], b),
        as([0, 13], c) | [0xb200, 0x9200, 0x9a00, 0xfa00][a.n & 3],
        0,
      ];
    case 13:
      return [DATA, 1 + (a.n & 1), 0, 0, 0];
    case 14:
      return [as([3, 4, 4], a), as(ENTRY, b), 0, c.n & 3, 0];
    default:
      return words.map((w) => meaning(domain, w));
  }
}

/** The guest executes INT 82h at ring 1. */
function perform(domain: Domain, number: number, values: number[], stack: Word): string {
  const vcpu = domain.vcpus[0];
  const { frame } = pvOf(domain);
  const [ebx, ecx, edx, esi, edi] = values;
  vcpu.regs.set([number, ecx, edx, ebx, 0, 0, esi, edi]);
  frame.cs = 0xe019;
  frame.esp = meaning(domain, stack) | 0;
  const nothing = { qualification: 0, detail: 0, instructionLength: 0, eip: 0 };
  return technique.handle(vcpu, { vendor: Vendor.xen, reason: HYPERCALL_VECTOR, ...nothing });
}

/** Unmaps a few pages, so that tables can be made of them. */
function prepare(domain: Domain): void {
  for (const page of [0x1f0, 0x1f1, 0x1f2])
    perform(domain, 14, [BASE + page * 4096, 0, 0, 2, 0], { kind: 14, n: 0 });
}

/** Fills the page of arguments and makes one call. */
function make(domain: Domain, c: Call): void {
  const vcpu = domain.vcpus[0];
  const number = c.number.kind === 0 ? c.number.n : NUMBERS[c.number.n % NUMBERS.length];
  const list = c.form ? listOf(domain, number, c.memory) : c.memory.map((w) => meaning(domain, w));
  list.forEach((value, n) => {
    // Only what the guest itself could write: its data page, as long as it is that.
    const machine = technique.translate(vcpu, DATA + n * 4);
    if (machine >= 0 && writable(domain, DATA)) pc.memory.write32(machine, value);
  });
  const values = c.form ? formed(domain, number, c.arguments) : c.arguments.map((w) => meaning(domain, w));
  hypervisor.sliceEnd = c.sliceOver ? hypervisor.now : Infinity;
  expect(['enter', 'block', 'yield', 'ended']).toContain(perform(domain, number, values, c.stack));
}

function writable(domain: Domain, address: number): boolean {
  const { memory } = pc;
  const pde = memory.read32(pvOf(domain).baseFrame * 4096 + (address >>> 22) * 4);
  const pte = pde & 1 ? memory.read32((pde & ~0xfff) + ((address >>> 12) & 1023) * 4) : 0;
  return (pte & 3) === 3;
}

/** Everything but the fuzzed domain, its descriptor area, free memory, and where the hypervisor writes in passing. */
function foreign(domain: Domain): Uint8Array {
  const copy = pc.memory.bytes.slice();
  const { owner } = hypervisor.frames;
  const { monitor } = hypervisor;
  owner.forEach((id, frame) => {
    if (id === FUZZED) {
      copy.fill(0, frame * 4096, frame * 4096 + 4096);
      copy.fill(0, monitor.m2p + frame * 4, monitor.m2p + frame * 4 + 4);
    }
  });
  const area = pvOf(domain).perDomainTable;
  copy.fill(0, area, area + 4096);
  copy.fill(0, monitor.stack, monitor.stack + 0x2000);
  copy.fill(0, monitor.tss + 0x0c, monitor.tss + 0x12);
  copy.fill(0, monitor.idt + 0x80 * 8, monitor.idt + 0x81 * 8);
  return copy;
}

it('random hypercalls leave the host, the neighbour and the safety of the tables alone', () => {
  let calls = 0;
  let succeeded = 0;
  const works = new Map<number, number>();
  fc.assert(
    fc.property(fc.array(call, { minLength: 60, maxLength: 160 }), (sequence) => {
      const domain = boot(FUZZED);
      const pv = pvOf(domain);
      const before = foreign(domain);
      prepare(domain);
      for (const c of sequence) {
        make(domain, c);
        calls++;
        if (!domain.alive) break;
        if (domain.vcpus[0].regs[0] === 0) succeeded++;
        if (domain.vcpus[0].regs[0] === 0)
          works.set(
            NUMBERS[c.number.n % NUMBERS.length],
            (works.get(NUMBERS[c.number.n % NUMBERS.length]) ?? 0) + 1,
          );
        domain.vcpus[0].state = 'runnable';
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
      const after = foreign(domain);
      expect(Buffer.compare(before, after)).toBe(0);
      hypervisor.destroyDomain(FUZZED);
    }),
    {
      numRuns: RUNS,
      seed: Number(process.env.FUZZ_SEED ?? 20051205),
      endOnFailure: !process.env.FUZZ_SHRINK,
    },
  );
  if (!process.env.FUZZ_RUNS) expect(calls).toBeGreaterThan(20_000);
  // Not everything is refused: the fuzzer gets somewhere.
  expect(succeeded).toBeGreaterThan(calls / 20);
  if (process.env.FUZZ_TELL) console.log(calls, succeeded, [...works].sort((a, b) => b[1] - a[1]).join(' '));
  expect(pc.recorder.count(Kind.pageTable)).toBeGreaterThan(calls / 20);
  expect(victim.state).toBe('paused');
}, 300_000);
