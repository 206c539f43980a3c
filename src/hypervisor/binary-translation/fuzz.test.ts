// Random code as a guest's kernel under binary translation: bytes, privileged sequences, pieces that write over themselves and
// over page boundaries, selectors and addresses of the monitor's; from a kernel with and without paging, and from real mode.
// The hypervisor never throws and never dwells, a guest runs on or ends with a reason, the tables in force and the cache lie
// where they should, and nobody else's memory changes.
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { costModel } from '../../cost/processors.ts';
import { parseImage } from '../../images/load.ts';
import { Pc } from '../../machine/pc.ts';
import { Recorder } from '../../trace/recorder.ts';
import type { Domain } from '../domain.ts';
import { OWNER_BOARD, OWNER_HYPERVISOR } from '../frames.ts';
import { Hypervisor } from '../hypervisor.ts';
import { RunLoop } from '../run-loop.ts';
import type { ShadowPages } from '../shadow-pages.ts';
import { assembly, at, CODE_SIZE, code, value } from '../testing/random-kernel.ts';
import { BinaryTranslation } from './binary-translation.ts';
import { CACHE_CODE, CACHE_START, STATE_DATA, STATE_START } from './layout.ts';
import '../../session/provide-all.ts';

const VICTIM = 1;
const FUZZED = 2;
const MEMORY = 2 << 20;
/** Cycles between two looks: some two hundred exits. */
const STORM = 1_500_000;
const ENTRY = 0x8000;
const OUR_MISTAKES = /mistake of the hypervisor|cannot be entered|outside the hypervisor/;

const words = (n: number): number[] => [n & 0xff, (n >>> 8) & 0xff, (n >>> 16) & 0xff, n >>> 24];
/** Where an escape would lead: the cache, its tables, the page it writes to, the monitor; and the guest's own code and tables. */
const ADDRESSES = [
  ...[CACHE_START, CACHE_START + 0x1000, STATE_START, STATE_START + 0x40, STATE_START + 0x60000],
  ...[0xfc000000, 0xfc400000, 0xfc403000, 0xfc800000, 0xfbfffffd, 0xfffffffe],
  ...[0x100000 + at('code'), 0x100000 + at('code') + 0x7c, 0x110000, 0x111000, 0x1ffffe, 0xb8000],
];
const SELECTORS = [0, 8, 16, 0x1b, 0x23, 0x2c, 0x28, 0xe008, 0xe010, CACHE_CODE, STATE_DATA, 0xe04b, 0xe051];
const address = fc.constantFrom(...ADDRESSES).map(words);
const selector = fc.constantFrom(...SELECTORS).map((s) => words(s).slice(0, 2));

/** Pieces that are about translation: stores into code, far transfers and jumps to forbidden places, and many whose sense is chance. */
const piece = fc.oneof(
  fc.tuple(fc.constantFrom([0xea], [0x9a]), address, selector).map((parts) => parts.flat()),
  fc
    .tuple(selector, fc.constantFrom(0xd8, 0xc0, 0xe0, 0xe8, 0xd0))
    .map(([s, to]) => [0xb8, ...s, 0, 0, 0x8e, to]),
  fc
    .tuple(selector, address, fc.integer())
    .map(([s, to, f]) => [...[0x68, ...words(f & 0x27fd7), 0x68, ...s, 0, 0, 0x68, ...to, 0xcf]]),
  fc
    .tuple(fc.constantFrom([0xa3], [0xa2], [0xc7, 0x05], [0xff, 0x05], [0xa1]), address, fc.nat())
    .map(([op, to, what]) => [...op, ...to, ...words(what)]),
  // CALL $+5; POP EAX; and a store over what stands some bytes behind.
  fc
    .tuple(fc.nat(24), fc.integer({ min: 0, max: 255 }))
    .map(([far, byte]) => [...[0xe8, 0, 0, 0, 0, 0x58, 0xc6, 0x40, far, byte]]),
  // The same with a REP STOSB that may run over itself and its page.
  fc
    .tuple(fc.nat(40), fc.nat(0x1100))
    .map(([back, count]) => [
      ...[0xe8, 0, 0, 0, 0, 0x5f, 0x83, 0xef, back, 0xb9, ...words(count), 0xf3, 0xaa],
    ]),
  address.map((to) => [0xb8, ...to, 0xff, 0xe0]),
  address.map((to) => [0x68, ...to, 0xc3]),
  address.map((to) => [0xbc, ...to]),
  fc.uint8Array({ minLength: 1, maxLength: 8 }).map((bytes) => [...bytes]),
);
const storm = fc
  .array(piece, { minLength: 40, maxLength: 120 })
  .map((pieces) => pieces.flat().slice(0, CODE_SIZE));

interface Round {
  bytes: number[];
  mode: number;
  registers: number[];
}
const round: fc.Arbitrary<Round> = fc.record({
  bytes: fc.oneof(storm, code),
  mode: fc.nat(3),
  registers: fc.array(fc.oneof(value, fc.constantFrom(...ADDRESSES)), { minLength: 5, maxLength: 5 }),
});

class Fuzzed {
  readonly hypervisor: Hypervisor;
  readonly technique: BinaryTranslation;
  readonly loop: RunLoop;
  private readonly firmware = new Uint8Array(0x10000);

  constructor(private readonly real: boolean) {
    const pc = new Pc(costModel('prescott'), new Recorder(1 << 10), 12 << 20, {
      startDate: '2005-12-05T10:00:00',
    });
    // Nothing stays long enough to be worth compiling.
    pc.cpu.compiledAllowed = false;
    this.hypervisor = new Hypervisor(pc);
    this.technique = new BinaryTranslation(this.hypervisor);
    this.loop = new RunLoop(this.hypervisor);
    this.firmware.set([0xea, ENTRY & 0xff, ENTRY >> 8, 0x00, 0xf0], 0xfff0);
    const victim = this.create(VICTIM, assembly.bytes);
    this.storm(2_000_000);
    victim.state = 'paused';
  }

  private create(id: number, bytes: Uint8Array): Domain {
    return this.hypervisor.createDomain({
      id,
      name: `${id}`,
      technique: this.technique,
      memoryBytes: MEMORY,
      image: parseImage(bytes, 'fuzz'),
      options: { commandLine: '', modules: [], firmware: this.firmware },
    });
  }

  boot({ bytes, mode, registers }: Round): Domain {
    if (this.real) {
      this.firmware.fill(0xcc, ENTRY, ENTRY + 0x1000);
      this.firmware.set(bytes, ENTRY);
      const diskette = new Uint8Array(1_474_560);
      diskette.set([0x55, 0xaa], 510);
      const domain = this.create(FUZZED, diskette);
      const vectors = Uint16Array.from({ length: 512 }, (_, n) =>
        n & 1 ? 0xf000 : ENTRY + ((n * 16) & 0x3e0),
      );
      domain.memory.load(0, new Uint8Array(vectors.buffer));
      return domain;
    }
    const image = assembly.bytes.slice();
    image.set(bytes, at('code'));
    image[at('mode')] = mode;
    image.set([16, 0], at('period'));
    const view = new DataView(image.buffer);
    registers.forEach((word, n) => {
      view.setInt32(at('random') + n * 4, word, true);
    });
    return this.create(FUZZED, image);
  }

  storm(cycles: number): void {
    this.loop.run(this.hypervisor.now + cycles);
    this.loop.leaveGuest();
  }

  /** Memory of the victim and of the board, and the monitor's own, but for the two descriptors through which guests load CS and SS. */
  foreign(): Buffer {
    const { monitor, frames, pc } = this.hypervisor;
    const own = [monitor.idt, monitor.gdtPage, monitor.pageDirectory, monitor.m2p];
    const parts: Uint8Array[] = [];
    for (let frame = 0; frame < frames.count; frame++) {
      const owner = frames.owner[frame];
      if (owner !== VICTIM && owner !== OWNER_BOARD && !own.includes(frame * 4096)) continue;
      const page = pc.memory.bytes.slice(frame * 4096, frame * 4096 + 4096);
      if (frame * 4096 === monitor.gdtPage) page.fill(0, 0x48, 0x58);
      parts.push(page);
    }
    return Buffer.concat(parts);
  }

  /** Leaves of shadow tables that lead to what is not the domain's; pages of the cache that are not the hypervisor's. */
  strays(domain: Domain): string[] {
    const { frames, pc } = this.hypervisor;
    const guest = this.technique.guestOf(domain)!;
    const { pages } = guest.shadow as unknown as { pages: ShadowPages };
    const found: string[] = [];
    for (const page of pages) {
      if (page.isDirectory) continue;
      for (let offset = 0; offset < 4096; offset += 4) {
        const entry = pc.memory.read32(page.machine + offset);
        if (entry & 1 && frames.owner[entry >>> 12] !== FUZZED) found.push((entry >>> 0).toString(16));
      }
    }
    for (const machine of guest.cache.frames)
      if (frames.owner[machine >>> 12] !== OWNER_HYPERVISOR) found.push(`cache ${machine.toString(16)}`);
    return found;
  }
}

it.each([
  ['a kernel', false, 40, 25_000],
  ['real mode', true, 20, 100],
] as const)(
  'random code from %s leaves the host and the neighbour alone',
  (_, real, usual, leastExits) => {
    const runs = Number(process.env.FUZZ_RUNS ?? usual);
    const host = new Fuzzed(real);
    const { hypervisor } = host;
    const { cpu, recorder } = hypervisor.pc;
    const before = host.foreign();
    let exits = 0;
    let interpreted = 0;
    const endings = new Map<string, number>();
    fc.assert(
      fc.property(round, fc.array(round, { maxLength: 4 }), (first, more) => {
        const domain = host.boot(first);
        for (const next of [first, ...more]) {
          const start = cpu.instructions;
          host.storm(STORM);
          expect(host.loop.inGuest, 'the hypervisor got the processor back').toBe(false);
          expect(cpu.instructions - start, 'instructions in bounded time').toBeLessThan(4 * STORM);
          if (!domain.alive) break;
          expect(host.strays(domain)).toEqual([]);
          if (!real) domain.memory.load(0x100000 + at('code'), Uint8Array.from(next.bytes));
        }
        if (!domain.alive) expect(domain.ending).not.toBe('');
        expect(domain.ending, 'no mistake of ours').not.toMatch(OUR_MISTAKES);
        for (const { reason, count } of recorder.exitCounts(FUZZED)) {
          exits += count;
          if (reason === 0x104) interpreted += count;
        }
        const how = domain.alive ? 'runs' : domain.ending.replace(/[0-9A-Fa-f]+h/g, '').slice(0, 60);
        endings.set(how, (endings.get(how) ?? 0) + 1);
        hypervisor.destroyDomain(FUZZED);
        recorder.resetCounts(FUZZED);
      }),
      { numRuns: runs, seed: Number(process.env.FUZZ_SEED ?? 2006), endOnFailure: !process.env.FUZZ_SHRINK },
    );
    if (process.env.FUZZ_TELL) console.log(exits, interpreted, JSON.stringify([...endings]));
    expect(Buffer.compare(before, host.foreign()), 'nobody else’s memory has changed').toBe(0);
    expect(exits).toBeGreaterThan((leastExits * runs) / usual);
  },
  600_000,
);
