// Both engines, one semantics: random programs end in the same state, with the same cycles and counts, whether they are
// interpreted or compiled, and wherever the run is cut.

import fc from 'fast-check';
import { expect, it } from 'vitest';
import { Stop } from '../cpu/cpu.ts';
import { executionOf, run } from '../cpu/execute.ts';
import { getFlags } from '../cpu/flags.ts';
import { TestMachine } from '../cpu/test-machine.ts';
import { tlbSlot } from '../cpu/tlb.ts';
import { decode } from '../isa/decode.ts';
import type { Engine } from './engine.ts';
import { compilable } from './lower.ts';

const CODE = 0x10000;
const DATA = 0x20800;
const STACK = 0x30800;
const COUNTER = 0x40000;

const word = (value: number) => [value & 0xff, (value >>> 8) & 0xff, (value >>> 16) & 0xff, value >>> 24];
const RUNS = Number(process.env.ENGINE_RUNS ?? 150);
const BRANCHES = new Set(['jcc', 'jcxz', 'loop', 'loope', 'loopne', 'jmp', 'call', 'ret', 'int', 'iret']);
const OPCODES: readonly (readonly number[])[] = [
  ...Array.from({ length: 0x40 }, (_, n) => [n]).filter(([n]) => (n & 7) < 6),
  ...Array.from({ length: 16 }, (_, n) => [0x40 + n]),
  ...Array.from({ length: 16 }, (_, n) => [0x50 + n]),
  ...[0x68, 0x69, 0x6a, 0x6b, 0x80, 0x81, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8a, 0x8b, 0x8d].map(
    (n) => [n],
  ),
  ...[0x90, 0x91, 0x97, 0x98, 0x99, 0xa8, 0xa9, 0xb0, 0xb4, 0xb8, 0xbe, 0xc0, 0xc1, 0xc6, 0xc7].map((n) => [
    n,
  ]),
  ...[0xd0, 0xd1, 0xd2, 0xd3, 0xf6, 0xf7, 0xfe, 0xff, 0xfc, 0xfd].map((n) => [n]),
  ...Array.from({ length: 16 }, (_, n) => [0x0f, 0x40 + n]),
  ...Array.from({ length: 16 }, (_, n) => [0x0f, 0x90 + n]),
  ...[0xaf, 0xb0, 0xb1, 0xb6, 0xb7, 0xbe, 0xbf, 0xc8, 0xcb, 0xcf].map((n) => [0x0f, n]),
];

/** One instruction that can be compiled, made harmless: its memory operand is in the data page, its divisor odd. */
const instruction = fc
  .tuple(
    fc.constantFrom(...OPCODES),
    fc.constantFrom<number[]>([], [], [], [0x66], [0xf0], [0x66, 0xf0]),
    fc.array(fc.nat(255), { minLength: 12, maxLength: 12 }),
  )
  .map(([opcode, prefixes, tail]): number[] => {
    const bytes = [...prefixes, ...opcode, ...tail];
    const i = decode(new Uint8Array(bytes), 0, 32, 15);
    if (typeof i === 'string' || !compilable(i) || BRANCHES.has(i.form.operation)) return [];
    const name = i.form.operation;
    const own = bytes.slice(0, i.length);
    if (name === 'leave') return [0xbd, ...word(DATA), ...own];
    // Away from the return address.
    const before = [0xbc, ...word(STACK - 0x100)];
    if (name === 'div' || name === 'idiv') {
      if (i.memory || i.rm === 0 || i.rm === 2) return [];
      return [...before, 0x31, 0xd2, 0x83, 0xc8 + i.rm, 1, ...(name === 'idiv' ? [0xd1, 0xe8] : []), ...own];
    }
    if (name === 'lea' || !i.memory) return [...before, ...own];
    if (i.base !== 3 || i.index >= 0 || i.displacement > 1000 || i.displacement < -1000) return [];
    return [...before, 0xbb, ...word(DATA), ...own];
  });

/** A skip over the next few bytes of code by a condition, or by LOOPNE, LOOPE, LOOP or JECXZ. */
const piece = fc.tuple(instruction, fc.option(fc.nat(19), { freq: 5 })).map(([code, cc]) => {
  if (cc === null || code.length === 0) return code;
  return [cc < 16 ? 0x70 + cc : 0xe0 + cc - 16, code.length, ...code];
});

const near = (opcode: readonly number[], distance: number) => [...opcode, ...word(distance)];

/**
 * A loop of at most `rounds` rounds that goes back from two places, by a condition from the first.
 * @param place its counter's
 */
function loop(place: number, rounds: number, first: number[], condition: number, second: number[]): number[] {
  const start = [0xc7, 0x05, ...word(place), ...word(rounds)];
  const count = [0xff, 0x0d, ...word(place)];
  const jumpBack = 6;
  const back = near([0x0f, 0x80 + condition], -(count.length + 6 + first.length + jumpBack));
  const tail = [...first, ...back, ...second];
  const end = near([0x0f, 0x88], tail.length + 5);
  const body = [...count, ...end, ...tail];
  return [...start, ...body, ...near([0xe9], -(body.length + 5))];
}

const code = (most: number) => fc.array(piece, { maxLength: most }).map((pieces) => pieces.flat());
/** Loops with loops in them, each with a counter of its own. */
const loops = (depth: number): fc.Arbitrary<number[]> =>
  fc
    .tuple(
      code(4),
      fc.nat(15),
      code(3),
      fc.integer({ min: 1, max: 12 }),
      depth > 0 ? loops(depth - 1) : code(2),
    )
    .map(([first, condition, second, rounds, inner]) =>
      loop(COUNTER + 4 + depth * 4, rounds, [...inner, ...first], condition, second),
    );

/** `n` rounds of the body, then HLT. Some of it is a function that is called. */
function program(body: readonly number[][], called: readonly number[][], rounds: number): number[] {
  const inner = [...called.flat(), 0xbc, ...word(STACK - 4), 0xc3];
  const start = [0xc7, 0x05, ...word(COUNTER), ...word(rounds)];
  const call = [0xbc, ...word(STACK), 0xe8, ...word(0)];
  const code = [...body.flat(), ...call];
  const distance = code.length + 6 + 6;
  const loop = [...code, 0xff, 0x0d, ...word(COUNTER), 0x0f, 0x85, ...word(-distance)];
  const whole = [...start, ...loop, 0xf4];
  const from = start.length + code.length;
  const target = whole.length - from;
  whole.splice(from - 4, 4, ...word(target));
  return [...whole, ...inner];
}

function finish(code: readonly number[], compiled: boolean, slices: readonly number[]) {
  const m = new TestMachine(0x80000).flat(new Uint8Array(code), CODE);
  if (!compiled) m.cpu.compiledAllowed = false;
  m.cpu.regs.set([0x12345678, 9, -7, DATA, STACK, 0x7fffffff, -0x80000000, 0xabcdef]);
  for (let at = DATA - 2048; at < DATA + 2048; at += 4) m.memory.write32(at, Math.imul(at, 0x9e3779b1));
  let stop: number = Stop.budget;
  const { cpu } = m;
  // What there is to see at each cut.
  let trail = 0;
  for (let n = 0; stop === Stop.budget && n < 5000; n++) {
    stop = run(cpu, cpu.cycles + slices[n % slices.length]);
    for (const seen of [cpu.cycles, cpu.instructions, cpu.eip, getFlags(cpu), ...cpu.regs])
      trail = Math.imul(trail ^ seen, 0x01000193);
  }
  return {
    state: {
      stop,
      trail,
      regs: [...cpu.regs],
      flags: getFlags(cpu),
      eip: cpu.eip,
      cycles: cpu.cycles,
      instructions: cpu.instructions,
      data: Buffer.from(m.memory.bytes.subarray(DATA - 2048, DATA + 2048)).toString('base64'),
      stack: Buffer.from(m.memory.bytes.subarray(STACK - 0x200, STACK + 64)).toString('base64'),
    },
    regions: (executionOf(cpu).engine as Engine | null)?.compiled ?? 0,
  };
}

it('tells an operand over two pages from one in the second, also where the upper half of memory begins', () => {
  for (let page = 0; page < 1 << 20; page++) {
    if (tlbSlot(page) === tlbSlot((page + 1) & 0xfffff)) expect.fail(`page ${page.toString(16)}h`);
  }
});

it('runs random programs as the interpreter does, cut anywhere', () => {
  let regions = 0;
  fc.assert(
    fc.property(
      fc.array(piece, { minLength: 1, maxLength: 25 }),
      fc.array(piece, { minLength: 0, maxLength: 5 }),
      fc.array(fc.integer({ min: 1, max: 5000 }), { minLength: 1, maxLength: 5 }),
      (body, called, slices) => {
        const code = program(body, called, 2500);
        const cuts = [...slices, 50_000];
        const compiled = finish(code, true, cuts);
        const plain = finish(code, false, cuts);
        expect(compiled.state).toEqual(plain.state);
        regions += compiled.regions;
      },
    ),
    { numRuns: RUNS, seed: Number(process.env.ENGINE_SEED ?? 1), endOnFailure: !process.env.ENGINE_SHRINK },
  );
  expect(regions).toBeGreaterThan(RUNS / 2);
});

it('runs loops in loops, gone back to from several places, as the interpreter does', () => {
  let regions = 0;
  fc.assert(
    fc.property(
      fc.array(fc.oneof(piece, loops(0), loops(1)), { minLength: 1, maxLength: 5 }),
      fc.array(fc.integer({ min: 1, max: 5000 }), { minLength: 1, maxLength: 5 }),
      (body, slices) => {
        const bytes = program(body, [], 300);
        if (bytes.length > 0xf00) return;
        const cuts = [...slices, 50_000];
        const compiled = finish(bytes, true, cuts);
        const plain = finish(bytes, false, cuts);
        expect(compiled.state).toEqual(plain.state);
        regions += compiled.regions;
      },
    ),
    { numRuns: RUNS, seed: Number(process.env.ENGINE_SEED ?? 1), endOnFailure: !process.env.ENGINE_SHRINK },
  );
  expect(regions).toBeGreaterThan(RUNS / 2);
});
