// For tests of both hardware-assisted techniques: random kernels and random code in real mode, random fields in their control
// structures, one storm of exits after the other. What must hold is the same for both vendors and both ways of paging: the
// host never throws and never dwells, a guest runs on or ends with a reason, the tables in force lead nowhere but into the
// domain's own frames, and nobody else's memory changes.
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { costModel } from '../../cost/processors.ts';
import { parseImage } from '../../images/load.ts';
import { Pc } from '../../machine/pc.ts';
import { Recorder } from '../../trace/recorder.ts';
import type { Domain } from '../domain.ts';
import { OWNER_BOARD } from '../frames.ts';
import { Hypervisor } from '../hypervisor.ts';
import type { NestedPaging } from '../nested-paging.ts';
import { RunLoop } from '../run-loop.ts';
import type { ShadowPaging } from '../shadow-paging.ts';
import type { Paging, Technique } from '../technique.ts';
import { assembly, at, code, storm as stormOf, value } from './random-kernel.ts';
import '../../session/provide-all.ts';

const VICTIM = 1;
const FUZZED = 2;
const MEMORY = 2 << 20;
/** Cycles between two looks: some two hundred exits. */
const STORM = 1_500_000;
/** Period of the guest's timer, 13 µs, low byte first: what loops does not loop for long. */
const TICKS = [16, 0];
/** One instruction takes at least a cycle but where the hypervisor interprets, for which it charges as well. */
const MOST_INSTRUCTIONS = 4 * STORM;

/** One technique with one way of paging, as far as vendors differ. */
export interface Vendor<Change> {
  processor: 'prescott' | 'nehalem';
  paging: Paging;
  technique(hypervisor: Hypervisor): Technique;
  /** What translates for a guest: one of the two. */
  tables(technique: Technique, domain: Domain): { nested: NestedPaging | null; shadow: ShadowPaging | null };
  /** A change of a guest's control structure, as a guest could have brought it about, and beyond. */
  change: fc.Arbitrary<Change>;
  meddle(technique: Technique, domain: Domain, changes: readonly Change[]): void;
}

/** Where the random bytes are run. */
type Start = 'kernel' | 'real mode';

interface Storms {
  exits: number;
  /** Exits by reason, as numbers of the vendor. */
  reasons: Map<number, number>;
  /** What became of the guests, with how often. */
  endings: Map<string, number>;
}

/** Says in the name of no guest: these would be the hypervisor's own mistakes. */
const OUR_MISTAKES =
  /VMRESUME|VMLAUNCH|no control asks|no intercept asks|mistake of the hypervisor|makes? no sense|outside the hypervisor/;

const FIRMWARE_ENTRY = 0x8000;
const INT3 = 0xcc;
const PAGE_SIZE = 4096;
/** Behind what random-kernel.ts lays out. */
const KERNEL_END = 0x116000;
/** Interrupt vectors of real mode, all into the random code. */
const VECTORS = new Uint8Array(
  Uint16Array.from({ length: 512 }, (_, n) => (n & 1 ? 0xf000 : FIRMWARE_ENTRY + ((n * 16) & 0x3e0))).buffer,
);

/** A host with a victim that stands still. */
class FuzzedHost<Change> {
  readonly hypervisor: Hypervisor;
  readonly technique: Technique;
  readonly loop: RunLoop;
  readonly victim: Domain;
  private readonly firmware = new Uint8Array(0x10000);

  constructor(
    readonly vendor: Vendor<Change>,
    readonly start: Start,
  ) {
    const pc = new Pc(costModel(vendor.processor), new Recorder(1 << 10), 8 << 20, {
      startDate: '2005-12-05T10:00:00',
    });
    // Nothing stays long enough to be worth compiling.
    pc.cpu.compiledAllowed = false;
    this.hypervisor = new Hypervisor(pc);
    this.technique = vendor.technique(this.hypervisor);
    this.loop = new RunLoop(this.hypervisor);
    // F000:FFF0 → F000:8000, where the random bytes are.
    this.firmware.set([0xea, 0x00, 0x80, 0x00, 0xf0], 0xfff0);
    this.victim = this.create(VICTIM, assembly.bytes);
    this.loop.run(this.hypervisor.now + 2_000_000);
    this.loop.leaveGuest();
    this.victim.state = 'paused';
  }

  create(id: number, bytes: Uint8Array): Domain {
    return this.hypervisor.createDomain({
      id,
      name: `${id}`,
      technique: this.technique,
      memoryBytes: MEMORY,
      image: parseImage(bytes, 'fuzz'),
      options: { commandLine: '', modules: [], firmware: this.firmware, paging: this.vendor.paging },
    });
  }

  /** Boots the guest that is to be fuzzed. */
  boot({ bytes, mode, registers }: Round): Domain {
    if (this.start === 'real mode') {
      this.firmware.fill(0, FIRMWARE_ENTRY, FIRMWARE_ENTRY + 0x1000);
      this.firmware.set(bytes, FIRMWARE_ENTRY);
      const diskette = new Uint8Array(1_474_560);
      diskette.set(bytes.slice(0, 510));
      diskette.set([0x55, 0xaa], 510);
      return this.strew(this.create(FUZZED, diskette), VECTORS);
    }
    const image = assembly.bytes.slice();
    image.set(bytes, at('code'));
    image[at('mode')] = mode;
    image.set(TICKS, at('period'));
    registers.forEach((word, n) => {
      new DataView(image.buffer).setInt32(at('random') + n * 4, word, true);
    });
    return this.strew(this.create(FUZZED, image));
  }

  /** INT3 wherever nothing is: who gets lost there is soon back in the random code, and does not walk through megabytes of zeros. */
  private strew(domain: Domain, vectors?: Uint8Array): Domain {
    domain.memory.load(0, new Uint8Array(0xa0000).fill(INT3));
    domain.memory.load(KERNEL_END, new Uint8Array(MEMORY - KERNEL_END).fill(INT3));
    if (vectors) domain.memory.load(0, vectors);
    return domain;
  }

  /** Other random bytes for a kernel that runs. */
  rewrite(domain: Domain, { bytes, registers }: Round): void {
    if (this.start !== 'kernel') return;
    domain.memory.load(0x100000 + at('code'), Uint8Array.from(bytes));
    domain.memory.load(0x100000 + at('random'), new Uint8Array(Int32Array.from(registers).buffer));
  }

  storm(cycles: number): void {
    const { hypervisor, loop } = this;
    loop.run(hypervisor.now + cycles);
    loop.leaveGuest();
  }

  /** Frames of the victim, of the board and of the monitor. */
  private watched(): number[] {
    const { monitor, frames } = this.hypervisor;
    const own = [monitor.idt, monitor.gdtPage, monitor.pageDirectory, monitor.m2p];
    return [...frames.owner.keys()].filter(
      (frame) =>
        frames.owner[frame] === VICTIM ||
        frames.owner[frame] === OWNER_BOARD ||
        own.includes(frame * PAGE_SIZE),
    );
  }

  private readonly before = new Map<number, Buffer>();

  /** Remembers what nobody but their owners may change. */
  remember(): void {
    const { bytes } = this.hypervisor.pc.memory;
    for (const frame of this.watched())
      this.before.set(frame, Buffer.from(bytes.slice(frame * PAGE_SIZE, (frame + 1) * PAGE_SIZE)));
  }

  /** Bytes that have changed since, the first of each frame. */
  damage(): string[] {
    const { bytes } = this.hypervisor.pc.memory;
    const found: string[] = [];
    for (const [frame, before] of this.before) {
      const now = bytes.subarray(frame * PAGE_SIZE, (frame + 1) * PAGE_SIZE);
      if (before.equals(now)) continue;
      const at = before.findIndex((byte, n) => byte !== now[n]);
      const owner = this.hypervisor.frames.owner[frame];
      found.push(
        `${(frame * PAGE_SIZE + at).toString(16)}h of owner ${owner}: ${before[at].toString(16)} → ${now[at].toString(16)}`,
      );
    }
    return found;
  }

  /** Entries of the tables in force that lead to what is not the domain's. */
  strays(domain: Domain): string[] {
    const { nested, shadow } = this.vendor.tables(this.technique, domain);
    if (nested) return this.nestedStrays(nested);
    return shadow ? this.shadowStrays(shadow) : [];
  }

  private nestedStrays({ root, tables }: NestedPaging): string[] {
    const { frames, pc } = this.hypervisor;
    const found: string[] = [];
    const { levels, entryBytes } = tables.format;
    const visit = (table: number, level: number): void => {
      for (let offset = 0; offset < 4096; offset += entryBytes) {
        const entry = pc.memory.read32(table + offset);
        if (!(entry & 7)) continue;
        if (level > 1) visit((entry & 0xfffff000) >>> 0, level - 1);
        else if (frames.owner[entry >>> 12] !== FUZZED) found.push((entry >>> 0).toString(16));
      }
    };
    visit(root, levels);
    return found;
  }

  private shadowStrays(shadow: ShadowPaging): string[] {
    const { frames, pc } = this.hypervisor;
    const { pages } = (shadow as unknown as ShadowInside).pages;
    const machines = new Set(pages.map((page) => page.machine));
    const found: string[] = [];
    for (const page of pages) {
      if (!page.live) continue;
      // Upper halves of wide entries are 0, and so not present.
      for (let offset = 0; offset < 4096; offset += 4) {
        const entry = pc.memory.read32(page.machine + offset);
        if (!(entry & 1)) continue;
        const target = (entry & 0xfffff000) >>> 0;
        const good = page.isDirectory
          ? machines.has(target) && !(entry & 0x80)
          : frames.owner[target >>> 12] === FUZZED;
        if (!good) found.push(`${page.machine.toString(16)}h + ${offset}: ${(entry >>> 0).toString(16)}`);
      }
    }
    return found;
  }
}

/** What shadow paging keeps to itself. */
interface ShadowInside {
  pages: { pages: { machine: number; live: boolean; isDirectory: boolean }[] };
}

interface Round {
  bytes: number[];
  mode: number;
  registers: number[];
}
const round = fc.record({
  bytes: fc.oneof({ arbitrary: stormOf, weight: 3 }, { arbitrary: code, weight: 1 }),
  mode: fc.nat(3),
  registers: fc.array(value, { minLength: 5, maxLength: 5 }),
});

/** @param runs guests that are booted, each for up to six storms */
function fuzzHardware<Change>(
  vendor: Vendor<Change>,
  start: Start,
  runs = Number(process.env.FUZZ_RUNS ?? 32),
): Storms {
  const host = new FuzzedHost(vendor, start);
  const { hypervisor } = host;
  const { cpu, recorder } = hypervisor.pc;
  host.remember();
  const victim = JSON.stringify(host.technique.registers(host.victim.vcpus[0]));
  const result: Storms = { exits: 0, reasons: new Map(), endings: new Map() };
  // Most of what is meddled with cannot be entered any more.
  const changes = fc.oneof(
    { arbitrary: fc.constant([]), weight: 4 },
    { arbitrary: fc.array(vendor.change, { minLength: 1, maxLength: 3 }), weight: 1 },
  );
  const storm = fc.tuple(round, changes);
  fc.assert(
    fc.property(round, fc.array(storm, { minLength: 1, maxLength: 6 }), (first, storms) => {
      const domain = host.boot(first);
      let meddled = false;
      for (const [next, meddling] of storms) {
        // The first entry fills the control structure.
        host.storm(next.registers[0] & 1 ? 60_000 : 1);
        if (!domain.alive) break;
        host.rewrite(domain, next);
        vendor.meddle(host.technique, domain, meddling);
        meddled ||= meddling.length > 0;
        const start = cpu.instructions + domain.vcpus[0].instructions;
        host.storm(STORM);
        expect(host.loop.inGuest, 'the hypervisor got the processor back').toBe(false);
        const done = cpu.instructions + domain.vcpus[0].instructions - start;
        expect(done, 'instructions in bounded time').toBeLessThan(MOST_INSTRUCTIONS);
        expect(host.strays(domain)).toEqual([]);
        if (!domain.alive) break;
      }
      expect(host.damage(), 'nobody else’s memory has changed').toEqual([]);
      if (!domain.alive) expect(domain.ending).not.toBe('');
      expect(domain.ending, 'no mistake of ours').not.toMatch(OUR_MISTAKES);
      if (!meddled) expect(domain.ending, 'nobody meddled with it').not.toMatch(/refused to enter/);
      for (const { reason, count } of recorder.exitCounts(FUZZED)) {
        result.exits += count;
        result.reasons.set(reason, (result.reasons.get(reason) ?? 0) + count);
      }
      const how = domain.alive ? 'runs' : domain.ending.replace(/[0-9A-Fa-f]+h/g, '').slice(0, 50);
      result.endings.set(how, (result.endings.get(how) ?? 0) + 1);
      if (process.env.FUZZ_TELL === 'each')
        console.log(
          domain.state,
          domain.ending,
          recorder
            .exitCounts(FUZZED)
            .map((x) => `${x.reason}:${x.count}`)
            .join(' '),
        );
      hypervisor.destroyDomain(FUZZED);
      recorder.resetCounts(FUZZED);
    }),
    {
      numRuns: runs,
      seed: Number(process.env.FUZZ_SEED ?? 2005),
      endOnFailure: !process.env.FUZZ_SHRINK,
    },
  );
  if (process.env.FUZZ_TELL)
    console.log(
      `${vendor.paging} ${start}: ${result.exits} exits, ${[...result.reasons].join(' ')} ${JSON.stringify([...result.endings])}`,
    );
  expect(JSON.stringify(host.technique.registers(host.victim.vcpus[0]))).toBe(victim);
  return result;
}

/** The tests of one vendor's silicon: both kinds of paging, from both starts. */
export function fuzzEveryWay<Change>(vendor: (paging: Paging) => Vendor<Change>): void {
  let exits = 0;

  it.each<['shadow' | 'nested', Start, reasons: number]>([
    ['shadow', 'kernel', 16],
    ['nested', 'kernel', 14],
    ['shadow', 'real mode', 4],
    ['nested', 'real mode', 4],
  ])(
    'with %s paging, from %s, the host and the neighbour are left alone',
    (paging, start, reasons) => {
      const seen = fuzzHardware(vendor(paging), start);
      exits += seen.exits;
      if (!process.env.FUZZ_RUNS) expect(seen.reasons.size).toBeGreaterThan(reasons);
    },
    600_000,
  );

  it('and that in more than fifty thousand exits', () => {
    if (!process.env.FUZZ_RUNS) expect(exits).toBeGreaterThan(50_000);
  });
}
