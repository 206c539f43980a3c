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
import { violations } from './invariants.ts';
import { Paravirtualization } from './paravirtualization.ts';
import type { PvDomain } from './pv-domain.ts';

const RUNS = Number(process.env.FUZZ_RUNS ?? 260);
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

const pc = new Pc(costModel('prescott'), new Recorder(1 << 10), 12 << 20, {
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
    memoryBytes: 4 << 20,
    image,
    options: { commandLine: '', modules: [] },
  });
const victim = boot(VICTIM);
loop.run(500_000);
loop.leaveGuest();
victim.state = 'paused';

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
  sliceOver: boolean;
}
const call: fc.Arbitrary<Call> = fc.record({
  number: word,
  arguments: fc.array(word, { minLength: 5, maxLength: 5 }),
  memory: fc.array(word, { minLength: 16, maxLength: 16 }),
  stack: word,
  sliceOver: fc.boolean(),
});

/** Hypercalls that change tables come more often than others, and those that end the domain less. */
const NUMBERS = [
  0, 1, 1, 1, 2, 2, 3, 4, 5, 6, 10, 10, 12, 13, 13, 14, 14, 14, 15, 17, 18, 21, 23, 24, 26, 26, 26, 26, 29,
  32, 32, 33,
];

function meaning(domain: Domain, { kind, n }: Word): number {
  const { p2m } = domain.memory;
  // Few frames, so that the same ones meet again in different parts.
  const frame = p2m[[0x100, 0x101, 0x180, 0x181, 0x3f0, 0x3f1, 0x3f2, 0x3ff][n & 7]];
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
      return BASE + (n & 0x3fffff);
    case 5:
      return frame * 4096 + (n & 0xffc) + ((n >>> 12) & 3);
    case 6:
      return (frame * 4096) | [7, 5, 3, 0x67, 0x87, 0x107, 1, 0][(n >>> 4) & 7];
    case 7:
      return frame;
    case 8:
      return directory * 4096 + ((n >>> 3) & 0xffc);
    case 9:
      return victim.memory.p2m[n & 0x3ff] * 4096 + (n >>> 24);
    case 10:
      return 0xfc000000 + (n & 0x3ffffff);
    case 11:
      return 0x7ff0;
    case 12:
      return [0xe008, 0xe010, 0xe019, 0xe021, 0xe02b, 0xe033, 0xe038, 9][n & 7];
    default:
      return [0x80000000, 0xffffffff, 0x7fffffff, 2048, 512, 0, 1, 0x00cf9a00][n & 7];
  }
}

/** Makes one call as if the guest had executed INT 82h. */
function make(domain: Domain, c: Call): void {
  const { memory } = pc;
  const vcpu = domain.vcpus[0];
  const pv = pvOf(domain);
  c.memory.forEach((w, n) => {
    // Only what the guest itself could write: its data pages, as long as they are that.
    const entry = technique.translate(vcpu, DATA + n * 4);
    if (entry >= 0 && hypervisor.frames.owner[entry >>> 12] === FUZZED && writable(domain, DATA))
      memory.write32(entry, meaning(domain, w));
  });
  const [ebx, ecx, edx, esi, edi] = c.arguments.map((w) => meaning(domain, w));
  vcpu.regs.set([NUMBERS[c.number.n % NUMBERS.length], ecx, edx, ebx, 0, 0, esi, edi]);
  if (c.number.kind === 0) vcpu.regs[0] = c.number.n;
  pv.frame.cs = 0xe019;
  pv.frame.esp = meaning(domain, c.stack) | 0;
  hypervisor.sliceEnd = c.sliceOver ? hypervisor.now : Infinity;
  const resume = technique.handle(vcpu, {
    vendor: Vendor.xen,
    reason: HYPERCALL_VECTOR,
    qualification: 0,
    detail: 0,
    instructionLength: 0,
    eip: 0,
  });
  expect(['enter', 'block', 'yield', 'ended']).toContain(resume);
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
  fc.assert(
    fc.property(fc.array(call, { minLength: 60, maxLength: 140 }), (sequence) => {
      const domain = boot(FUZZED);
      const pv = pvOf(domain);
      const before = foreign(domain);
      for (const c of sequence) {
        make(domain, c);
        calls++;
        if (!domain.alive) break;
        if (domain.vcpus[0].regs[0] === 0) succeeded++;
        domain.vcpus[0].state = 'runnable';
      }
      expect(violations(hypervisor, pv)).toEqual([]);
      // Whatever is in its registers now, it runs: for a while, or to a clear end.
      if (domain.alive) {
        hypervisor.sliceEnd = 0;
        loop.run(hypervisor.now + 20_000);
        loop.leaveGuest();
        expect(violations(hypervisor, pv)).toEqual([]);
      }
      if (!domain.alive) expect(domain.ending).not.toBe('');
      const after = foreign(domain);
      expect(Buffer.compare(before, after)).toBe(0);
      hypervisor.destroyDomain(FUZZED);
    }),
    { numRuns: RUNS, seed: Number(process.env.FUZZ_SEED ?? 20051205) },
  );
  if (!process.env.FUZZ_RUNS) expect(calls).toBeGreaterThan(20_000);
  // Not everything is refused: the fuzzer gets somewhere.
  expect(succeeded).toBeGreaterThan(calls / 20);
  expect(pc.recorder.count(Kind.pageTable)).toBeGreaterThan(calls / 20);
  expect(victim.state).toBe('paused');
});
