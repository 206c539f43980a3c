// The fast path against a real processor: the stored cases of vectors/ whose instruction has a number in forms.ts, by
// `runFast` itself. The segments of the cases have bases and the fast path wants flat ones: so here the segments are flat, and
// the TLB leads the page of the offsets to the bytes of the data segment or of the stack. Cases with an operand in each of
// them (PUSH and CALL with memory) find both in one page, where they must not overlap. Code is one window of 64 KiB, as long
// as the code segment of the cases. Each case is run with its flags at hand, and lazily, as a SUB or ADD leaves them.
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { decode } from '../../isa/decode.ts';
import { DS, EBP, ESP, type Instruction, SS } from '../../isa/instruction.ts';
import { effectiveAddress } from '../address.ts';
import type { Cpu } from '../cpu.ts';
import { getFlags, noteAddition, noteSubtraction, setFlags } from '../flags.ts';
import { Right, Word } from '../tlb.ts';
import { type Case, type Outcome, SETTABLE, START, STATUS, WINDOW, WINDOW_AT } from '../vectors/case.ts';
import { casesOf, FAMILIES, STORED_SEED } from '../vectors/cases.ts';
import { describeCase, differences } from '../vectors/compare.ts';
import { bareProcessor } from '../vectors/machine.ts';
import { load } from '../vectors/store.ts';
import { ACCESS, Field, fastForm } from './forms.ts';
import { runFast } from './run.ts';
import { allForms, namesOf, OPERATION, OPERATION_AND_SHAPE } from './testing/forms.ts';

/** Where the page of the offsets lies. */
const FRAME = 0x10000;
const FLAT = { base: 0, limit: 0xffffffff, access: 0xc0f3 };
const STACK_OPERATIONS: ReadonlySet<string> = new Set(['push', 'pop', 'call', 'ret', 'leave']);

/** Why a case cannot be had here. */
type Skip = 'fault' | 'stack of 16 bits' | 'two operands in one place' | 'left to the executor';

const cpu = bareProcessor(0x40000);
const page = cpu.memory.bytes.subarray(FRAME, FRAME + WINDOW);
const table = new Array<Instruction | null>(0x10000).fill(null);
const code = { start: 0, valid: 0x10000, table };

/** Flat segments at CPL 3, and tags for all accesses of the one page that the cases use. */
function prepare(cpu: Cpu): void {
  cpu.cr0 |= 1;
  cpu.cpl = 3;
  for (const register of [DS, SS]) Object.assign(cpu.segments[register], FLAT);
  cpu.tlb.insert(WINDOW_AT >>> 12, FRAME, Right.user | Right.write | Right.dirty);
  cpu.tlb.tag(WINDOW_AT, Word.read, true);
  cpu.tlb.tag(WINDOW_AT, Word.write, true);
}

type Operands = readonly [a: number, b: number];
type Note = typeof noteSubtraction;

/** Operands of 8 bits, sign-extended, that leave the status flags so, by these flags. */
function operandsFor(note: Note, sign: 1 | -1): Map<number, Operands> {
  const found = new Map<number, Operands>();
  for (let a = -128; a < 128; a++)
    for (let b = -128; b < 128; b++) {
      setFlags(cpu, 0);
      note(cpu, a, b, ((a + sign * b) << 24) >> 24);
      found.set(getFlags(cpu) & STATUS, [a, b]);
    }
  return found;
}

/** Puts the flags of a case into the processor. @returns false when they cannot be had so */
type Setter = (c: Case) => boolean;

function lazily(note: Note, sign: 1 | -1): Setter {
  const operands = operandsFor(note, sign);
  return ({ flags }) => {
    const found = operands.get(flags & STATUS);
    if (!found) return false;
    const [a, b] = found;
    // What is not lazy is wrong in the word itself.
    setFlags(cpu, (flags ^ STATUS) | 0x200);
    note(cpu, a, b, ((a + sign * b) << 24) >> 24);
    return true;
  };
}

const SETTERS: readonly Setter[] = [
  ({ flags }) => {
    setFlags(cpu, flags | 0x200);
    return true;
  },
  lazily(noteSubtraction, -1),
  lazily(noteAddition, 1),
];

/** Bytes of the operand in memory, as offsets in the window; null = none. */
function operandOf(i: Instruction): { at: number; size: number } | null {
  if ((i.fast & ACCESS) === 0) return null;
  return { at: (effectiveAddress(cpu, i) >>> 0) - WINDOW_AT, size: ((i.fast >> Field.span) & 3) + 1 };
}

/** Where an instruction reads or writes the stack, as offset in the window. */
function stackAt(operation: string): number {
  const [esp, ebp] = [cpu.regs[ESP] - WINDOW_AT, cpu.regs[EBP] - WINDOW_AT];
  return operation === 'leave' ? ebp : operation === 'pop' || operation === 'ret' ? esp : esp - 4;
}

/** The outcome by the fast path, or why there is none. `cpu` has the flags of the case already. */
function runCase(c: Case, i: Instruction): Outcome | Skip {
  cpu.regs.set(c.regs);
  cpu.eip = START;
  const { operation } = i.form;
  const usesStack = STACK_OPERATIONS.has(operation);
  if (usesStack && c.stack16) return 'stack of 16 bits';
  const operand = operandOf(i);
  const inData = operand !== null && i.segment === DS;
  const mixed = inData && usesStack ? operand : null;
  if (mixed !== null) {
    const apart = Math.abs(mixed.at - stackAt(operation)) >= 4;
    if (!apart || mixed.at < 0 || mixed.at + mixed.size > WINDOW) return 'two operands in one place';
  }
  page.set(inData && mixed === null ? c.data : c.stack);
  if (mixed !== null) page.set(c.data.subarray(mixed.at, mixed.at + mixed.size), mixed.at);
  table[START] = i;
  const count = runFast(cpu, code, cpu.cycles + 1);
  if (count === 0) return 'left to the executor';
  const after = page.slice();
  let data = inData ? after : c.data;
  if (mixed !== null) {
    // What was data there, and what was stack.
    data = c.data.slice();
    data.set(after.subarray(mixed.at, mixed.at + mixed.size), mixed.at);
    after.set(c.stack.subarray(mixed.at, mixed.at + mixed.size), mixed.at);
  }
  return {
    vector: 3,
    error: 0,
    regs: Uint32Array.from(cpu.regs, (r) => r >>> 0),
    eip: cpu.eip,
    flags: getFlags(cpu) & SETTABLE,
    segments: [],
    data,
    stack: inData && mixed === null ? c.stack : after,
  };
}

/** The instruction of a case, when the fast path knows it. */
function fastInstruction(c: Case): Instruction | null {
  if (c.code16) return null;
  const i = decode(Uint8Array.from(c.bytes), 0, 32);
  if (typeof i === 'string') return null;
  i.fast = fastForm(i);
  i.cost = 1;
  return i.fast === 0 ? null : i;
}

describe('the fast path and a real processor', () => {
  const all = allForms();
  /** Cases that were run, by operation and shape; and those that were not. */
  const run = new Map<number, number>();
  const skipped: Record<string, number> = {};
  const wrong: string[] = [];
  const cases = casesOf(STORED_SEED, 1, FAMILIES.integer);
  const outcomes = load(cases, readFileSync(new URL('../vectors/integer.vectors', import.meta.url)));
  prepare(cpu);
  cases.forEach((c, n) => {
    const i = fastInstruction(c);
    if (i === null) return;
    const wanted = outcomes[n];
    const form = i.fast & OPERATION_AND_SHAPE;
    for (const set of SETTERS) {
      if (!set(c)) continue;
      const got = wanted.vector !== 3 ? 'fault' : runCase(c, i);
      if (typeof got === 'string') {
        skipped[got] = (skipped[got] ?? 0) + 1;
        continue;
      }
      run.set(form, (run.get(form) ?? 0) + 1);
      got.segments = wanted.segments;
      const found = differences(c, got, wanted, false);
      if (found.length) wrong.push(`${describeCase(c)}: ${found.join('; ')}`);
    }
  });
  const ofOperation = (operation: number) =>
    [...run].reduce((sum, [form, count]) => sum + ((form & OPERATION) === operation ? count : 0), 0);

  it('do the same', () => {
    const operations = [...new Set([...all.keys()].map((form) => form & OPERATION))];
    if (process.env.FAST_PATH_REPORT)
      console.log(skipped, run.size, Object.fromEntries(operations.map((n) => [n, ofOperation(n)])));
    expect(wrong.slice(0, 5)).toEqual([]);
    expect([...run.values()].reduce((a, b) => a + b)).toBeGreaterThan(12_000);
  });

  for (const [form, i] of all) {
    const operation = form & OPERATION;
    const first = [...all.keys()].find((other) => (other & OPERATION) === operation);
    if (form !== first) continue;
    it(`operation ${operation} (${i.form.mnemonic}) is among the cases`, () => {
      expect(ofOperation(operation)).toBeGreaterThan(3);
    });
  }

  it('in every shape', () => {
    expect(namesOf([...all.keys()].filter((form) => !run.has(form)))).toEqual([]);
  });
});
