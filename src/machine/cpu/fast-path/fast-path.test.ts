// The promise of the fast path: nothing that can be seen is different, wherever a run is cut. Random programs on two machines,
// one with it and one without, in slices of random length, with interrupts at random cycles; after each slice everything is
// compared: registers, flags, segments, cycles, instructions, memory, the trace; and the TLB at the end of each program.
import { describe, expect, it } from 'vitest';
import type { TestMachine } from '../test-machine.ts';
import { Random } from '../vectors/random.ts';
import { allForms, namesOf } from './testing/forms.ts';
import { Coverage, Pair, STOPPED } from './testing/pair.ts';
import { Writer } from './testing/programs.ts';
import {
  build,
  CODE,
  DATA,
  DATA_PAGES,
  DEVICE,
  enter,
  FLAT_CODE,
  FLAT_DATA,
  INTERRUPT,
  MEMORY,
  type Program,
  type Segment,
  STACK,
  type World,
} from './testing/world.ts';

/** FAST_PATH_RUNS asks for more programs of each kind, FAST_PATH_SEED for other ones. */
const RUNS = Number(process.env.FAST_PATH_RUNS ?? 400);
const SEED = Number(process.env.FAST_PATH_SEED ?? 1);

/** Another segment now and then. */
const ODD_DATA: readonly Segment[] = [
  { ...FLAT_DATA, base: 0x1000 },
  { ...FLAT_DATA, base: 0x7fe },
  { ...FLAT_DATA, limit: DATA + 0x3ff },
  { ...FLAT_DATA, limit: DATA + 0x3ff, type: 0x97 },
  { ...FLAT_DATA, type: 0x91 },
  { ...FLAT_DATA, type: 0x97 },
  { ...FLAT_DATA, limit: 0xffffefff },
  { ...FLAT_DATA, limit: DATA + 0xfff },
  { ...FLAT_DATA, limit: DATA + 0x1fff },
];
const ODD_STACKS: readonly Segment[] = [
  { base: STACK, limit: 0xffff, type: 0x93, big: false },
  { ...FLAT_DATA, big: false },
  { ...FLAT_DATA, base: 0x1000 },
  { ...FLAT_DATA, base: 0xffe },
  { ...FLAT_DATA, limit: 0x11fff, type: 0x97 },
  { ...FLAT_DATA, type: 0x97 },
  { ...FLAT_DATA, limit: 0xfbffffff },
  { ...FLAT_DATA, limit: STACK + 0xfff },
];
const PAGES = [0x67, 0x67, 0x67, 0x67, 0x27, 0x07, 0x65, 0x25, 0x63, 0x61, 0x66, 0x06, 0x167];

interface Kind {
  readonly name: string;
  world(random: Random): Partial<World>;
  /** Mostly in the fast path. */
  readonly calm?: boolean;
  /** Code segment, when it is not flat. */
  code?(random: Random, at: number, length: number): Segment;
}

const KINDS: readonly Kind[] = [
  { name: 'in long runs', world: () => ({ strip: 0 }), calm: true },
  { name: 'in flat memory without paging', world: () => ({ paging: false }) },
  { name: 'in ring 0 with paging', world: (random) => ({ cr0: random.pick([0, 0x10000]) }) },
  { name: 'in ring 3', world: () => ({ cpl: 3 }) },
  {
    name: 'in segments that are not flat',
    world: (random) => {
      const which = random.below(3);
      return {
        cpl: random.pick([0, 3]),
        ds: which !== 1 ? random.pick(ODD_DATA) : FLAT_DATA,
        ss: which !== 0 ? random.pick(ODD_STACKS) : FLAT_DATA,
      };
    },
  },
  {
    name: 'in code segments that end within a page, or do not begin with one',
    world: (random) => ({ cpl: random.pick([0, 3]) }),
    code: (random, at, length) =>
      random.oneIn(2)
        ? { ...FLAT_CODE, limit: at + length - random.below(length) }
        : {
            ...FLAT_CODE,
            base: at + random.below(length),
            limit: random.pick([0xffff, 0xffffffff]),
          },
  },
  {
    name: 'step by step, with alignment checks and breakpoints',
    world: (random) => ({
      cpl: random.pick([0, 3]),
      cr0: 0x40000,
      flags: random.pick([0x302, 0x102, 0x40202, 0x40302, 0x10202, 0x202]),
      debug: [
        DATA + random.below(0x100) * 4,
        CODE + random.below(0x1000),
        STACK + 0x400 + random.below(0x100) * 4,
        DATA + random.below(DATA_PAGES * 0x400) * 4,
        random.pick([0, 0x3, 0xf0003, 0xd0003, 0xc, 0xff, 0xdfd0ff, 0xf0d00ff, 0x1030]),
      ],
    }),
  },
];

function worldOf(kind: Kind, random: Random): World {
  const flat = !random.oneIn(3);
  return {
    cpl: 0,
    paging: true,
    cs: FLAT_CODE,
    ds: FLAT_DATA,
    ss: FLAT_DATA,
    cr0: 0,
    flags: 0x202,
    pages: Array.from({ length: DATA_PAGES }, () => (flat ? 0x67 : random.pick(PAGES))),
    trapGates: random.oneIn(2),
    strip: random.pick([0, 0, 1, 2, 4, 0x40, 0x60, 3]),
    debug: [0, 0, 0, 0, 0],
    ...kind.world(random),
  };
}

/** Gives both machines a device that answers by what was asked. */
function withDevice({ memory }: TestMachine): void {
  let last = 7;
  memory.map.add(DEVICE, 0x1000, {
    readMemory: (address) => (last = (Math.imul(last, 5) + address) >>> 0),
    writeMemory: (address, value) => {
      last ^= address ^ value;
    },
  });
}

/** One program in slices. @returns what was different, in lines; nothing when all was the same */
function trial(pair: Pair, kind: Kind, seed: number): string[] {
  const random = new Random(Math.imul(seed, 0x9e3779b1));
  for (let n = 0; n < 4; n++) random.word();
  let world = worldOf(kind, random);
  const count = 6 + random.below(30);
  const at = random.oneIn(2) ? CODE + 0x1000 - random.below(200) : CODE + random.below(0xf00);
  const draft: Program = new Writer(new Random(seed), world, kind.calm).write(count, at);
  if (kind.code) world = { ...world, cs: kind.code(random, at, draft.bytes.length) };
  const program = kind.code ? new Writer(new Random(seed), world, kind.calm).write(count, at) : draft;
  pair.each((m) => build(m, world, program));
  const short = random.oneIn(2);
  let kick = true;
  const slices = short ? 60 : 25;
  for (let slice = 0; slice < slices; slice++) {
    if (kick) {
      const own = random.word();
      const entry = slice === 0 ? at : random.pick(program.entries);
      pair.each((m) => enter(m, world, entry, new Random(own)));
    }
    if (random.oneIn(6)) {
      const nmi = random.oneIn(6);
      pair.each(({ cpu, pin }) => {
        if (nmi) cpu.nmiPending = true;
        else pin.vector = INTERRUPT;
      });
    }
    const before = pair.plain.cpu.eip;
    const cycles = 1 + random.below(short ? 50 : random.pick([100, 400, 2000]));
    const { stop, same } = pair.run(cycles);
    const found = pair.differences();
    if (slice === slices - 1) found.push(...pair.tlbDifference());
    if (!same) found.push('the reason to stop');
    if (found.length > 0)
      return [
        `${kind.name}, seed ${seed}, slice ${slice} of ${cycles} from ${before.toString(16)}h`,
        ...found,
      ];
    kick = STOPPED.has(stop) || random.oneIn(3);
  }
  return [];
}

describe('random programs run the same with and without the fast path', () => {
  const coverage = new Coverage();
  for (const kind of KINDS)
    it(kind.name, () => {
      const pair = new Pair(MEMORY, coverage.path);
      pair.each(withDevice);
      for (let n = 1; n <= RUNS; n++) {
        // Every third program one instruction at a time: which ones those were is counted.
        coverage.single = n % 3 === 0;
        expect(trial(pair, kind, SEED * 100_003 + n)).toEqual([]);
      }
    });

  it('and they have it do every operation in every shape that forms.ts knows', () => {
    if (process.env.FAST_PATH_REPORT)
      console.log(
        coverage.instructions,
        coverage.faults,
        coverage.forms.size,
        [...coverage.forms.values()].sort((a, b) => a - b).slice(0, 12),
      );
    const all = allForms();
    expect(
      namesOf(
        [...all.keys()].filter((form) => !coverage.forms.has(form)),
        all,
      ),
    ).toEqual([]);
    expect(coverage.faults).toBeGreaterThan(RUNS);
    expect(coverage.instructions).toBeGreaterThan(500 * RUNS);
  });
});

it('runs where a hypervisor has the last addresses for itself', () => {
  const coverage = new Coverage();
  const pair = new Pair(MEMORY, coverage.path);
  // round: push eax; pop ebx; add [20000h], ebx; dec ecx; jnz round; hlt
  const code = [0x50, 0x5b, 0x01, 0x1d, 0, 0, 2, 0, 0x49, 0x75, 0xf5, 0xf4];
  pair.each((m) => m.flat(Uint8Array.from(code), CODE));
  pair.each(({ cpu }) => {
    cpu.regs[1] = 1000;
    cpu.regs[4] = STACK;
    for (const segment of cpu.segments.slice(0, 6)) segment.limit = 0xfbffffff;
  });
  pair.run(1_000_000);
  expect(pair.differences()).toEqual([]);
  expect(coverage.instructions).toBeGreaterThan(4900);
});
