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
import { GTF } from '../xen/abi.ts';
import type { DomainZero } from '../xen/domain-0.ts';
import { xenServices } from '../xen/services.ts';
import '../xen/provide.ts';
import { CONTEXT } from './calls/numbers.ts';
import { miscounts, violations } from './invariants.ts';
import type { PageTypes } from './page-types.ts';
import { Paravirtualization } from './paravirtualization.ts';
import './provide.ts';
import type { PvDomain } from './pv-domain.ts';
import { withPae } from './testing.ts';
import { BASE, CALLS, callWords, DATA, NUMBERS, values24, WORDS, wordOf } from './testing-fuzz-calls.ts';

const RUNS = Number(process.env.FUZZ_RUNS ?? 400);
const VICTIM = 1;
const FUZZED = 2;
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
      options: { commandLine: '', modules: [], vcpus: 2 },
    });
  const victim = boot(VICTIM);
  loop.run(500_000);
  loop.leaveGuest();
  victim.state = 'paused';

  const { types } = technique as unknown as { types: PageTypes };
  const pvOf = (domain: Domain): PvDomain =>
    (technique as unknown as { guests: Map<Domain, PvDomain> }).guests.get(domain)!;

  // The victim grants two of its frames for writing and one for reading; and it offers what nobody may have.
  const { grants } = xenServices(hypervisor) as DomainZero;
  const writableGrants = [victim.memory.p2m[0x1f4], victim.memory.p2m[0x1f5]];
  const readableGrants = [...writableGrants, victim.memory.p2m[0x1f6]];
  grants.grow(pvOf(victim), 1);
  const grantTable = pvOf(victim).grantFrames[0] * 4096;
  const entries = [
    [GTF.permitAccess, writableGrants[0]],
    [GTF.permitAccess, writableGrants[1]],
    [GTF.permitAccess | GTF.readonly, readableGrants[2]],
    [GTF.permitAccess, pvOf(victim).current.baseFrame],
    [GTF.permitAccess, pvOf(victim).sharedInfo / 4096 + 0x10000],
    [GTF.permitAccess, hypervisor.monitor.gdtPage / 4096],
    [GTF.acceptTransfer, 0],
  ];
  entries.forEach(([flags, frame], n) => {
    pc.memory.write32(grantTable + (8 + n) * 8, flags | ((FUZZED + 1) << 16));
    pc.memory.write32(grantTable + (8 + n) * 8 + 4, frame);
  });
  const grantedFlags = () => entries.map((_, n) => pc.memory.read16(grantTable + (8 + n) * 8));
  const counted = () => readableGrants.map((frame) => types.countsOf(frame));
  const untouched = { flags: grantedFlags(), counts: counted() };

  /** What is wrong with the fuzzed domain's tables. */
  const wrong = (pv: PvDomain): string[] => [
    ...violations(hypervisor, pv, (frame, write) =>
      (write ? writableGrants : readableGrants).includes(frame),
    ),
    ...miscounts(hypervisor, types, pv),
  ];

  const { meaning, listOf, formed, fillContext } = callWords({
    pc,
    hypervisor,
    technique,
    pae,
    fuzzed: FUZZED,
    victim,
    readableGrants,
    pvOf,
  });

  /** The guest executes INT 82h at ring 1. */
  function perform(domain: Domain, number: number, values: number[], stack: number, second = false): string {
    const pv = pvOf(domain);
    const { vcpu, frame } = pv.vcpus[second && pv.vcpus[1].up ? 1 : 0];
    const [ebx, ecx, edx, esi, edi] = values;
    vcpu.regs.set([number, ecx, edx, ebx, 0, 0, esi, edi]);
    frame.cs = 0xe019;
    frame.esp = stack | 0;
    const nothing = { qualification: 0, detail: 0, instructionLength: 0, eip: 0 };
    return technique.handle(vcpu, { vendor: Vendor.xen, reason: HYPERCALL_VECTOR, ...nothing });
  }

  /** Unmaps a few pages, so that tables can be made of them; and, if wanted, there are two processors from the start. */
  function prepare(domain: Domain, second: boolean): void {
    if (second) {
      // A second processor in the address space of the first, with nothing of its own.
      const cr3 = technique.translate(domain.vcpus[0], DATA + CONTEXT.cr3);
      pc.memory.write32(cr3, pvOf(domain).vcpus[0].baseFrame << 12);
      for (const operation of [0, 1]) perform(domain, 24, [operation, 1, DATA, 0, 0], 0);
      expect(domain.vcpus[0].regs[0]).toBe(0);
    }
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
    const list = wellFormed
      ? listOf(domain, number, memory, words[0].n)
      : memory.map((w) => meaning(domain, w));
    const put = (offset: number, value: number) => {
      // Only what the guest itself could write: its data page, as long as it is that.
      const machine = technique.translate(vcpu, DATA + offset);
      if (machine >= 0 && writable(domain, DATA)) pc.memory.write32(machine, value);
    };
    if (number === 24 && wellFormed && !values24(words).operation) fillContext(domain, put, memory);
    else list.forEach((value, n) => put(n * 4, value));
    const values = wellFormed ? formed(domain, number, words) : words.map((w) => meaning(domain, w));
    hypervisor.sliceEnd = form & 64 ? hypervisor.now : Infinity;
    const resume = perform(domain, number, values, meaning(domain, stack), (form & 256) !== 0);
    if (!['enter', 'block', 'yield', 'ended'].includes(resume)) expect.fail(`resume is ${resume}`);
    return number;
  }

  /** Everything but these frames, their words in the machine-to-physical table, and where the hypervisor writes in passing. */
  function foreign(copy: Uint8Array, frames: ReadonlySet<number>, area: number): Uint8Array {
    const { monitor } = hypervisor;
    // What it was granted to write; and that its entries are in use.
    for (const frame of writableGrants) copy.fill(0, frame * 4096, frame * 4096 + 4096);
    entries.forEach((_, n) => {
      copy[grantTable + (8 + n) * 8] &= ~(GTF.reading | GTF.writing);
    });
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
  /** Frames of the victim's that were mapped when a guest ended. */
  let mapped = 0;
  /** Calls after which the guest had two processors up. */
  let both = 0;
  const works = new Map<number, number>();

  /** One guest makes the calls from `at` on, until it ends or there are no more. Returns where the next one goes on. */
  function life(random: readonly number[], from: number): number {
    const domain = boot(FUZZED);
    const pv = pvOf(domain);
    const frames = framesOf(FUZZED, new Set());
    const before = pc.memory.bytes.slice();
    prepare(domain, (random[from] & 1) !== 0);
    let at = from;
    while (at + WORDS <= random.length && domain.alive) {
      const number = make(domain, random, at);
      at += WORDS;
      calls++;
      if (pv.current.vcpu.regs[0] === 0) {
        succeeded++;
        works.set(number, (works.get(number) ?? 0) + 1);
      }
      for (const { vcpu, up } of pv.vcpus) if (up) vcpu.state = 'runnable';
      if (pv.vcpus[1].up) both++;
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
    mapped += xenServices(hypervisor)!.mappedBy(pv).size;
    hypervisor.destroyDomain(FUZZED);
    expect({ flags: grantedFlags(), counts: counted() }, 'its grants are its own again').toEqual(untouched);
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
  if (process.env.FUZZ_TELL)
    console.log(calls, succeeded, mapped, both, [...works].sort((a, b) => b[1] - a[1]).join(' '));
  // Not everything is refused: the fuzzer gets somewhere.
  expect(succeeded).toBeGreaterThan(calls / 20);
  expect(pc.recorder.count(Kind.pageTable)).toBeGreaterThan(calls / 20);
  expect(mapped).toBeGreaterThan(RUNS / 20);
  expect(both).toBeGreaterThan(calls / 20);
  expect(victim.state).toBe('paused');
  return { calls, succeeded, works };
}
