import { describe, expect, it } from 'vitest';
import type { Observation } from '../session/observe.ts';
import { goalMemory, holds, judgeGoal, judgePrediction, memoryOf } from './checks.ts';
import type { Check, Goal } from './schema.ts';

const guest: Observation['guests'][number] = {
  name: 'Yours',
  guest: 'lesson',
  technique: 'paravirtualization',
  outcome: 'halted',
  reason: 'the guest shut down',
  serial: 'one\r\ntwo\r\n',
  debug: '!',
  post: 0,
  screen: 'hello',
  cycles: 5000,
  instructions: 100,
  exits: [
    { reason: 'HYPERCALL', code: 0x82, count: 7, cycles: 700, min: 100, max: 100 },
    { reason: 'PAGE_FAULT', code: 14, count: 2, cycles: 900, min: 400, max: 500 },
  ],
  hypercalls: 7,
  time: { user: 0, kernel: 100, hypervisor: 100, idle: 600, ready: 200 },
  calls: { console_io: { count: 5, failed: 2 }, sched_op: { count: 2, failed: 0 } },
  holes: { popfd: 3, pushfd: 1 },
  emulated: 0,
  reflected: 0,
  upcalls: 0,
  interrupts: 0,
};
const seen: Observation = { cycles: 5000, guests: [guest], memory: [] };
const is = (check: Check, memory: Observation['memory'] = []) => holds(check, { ...seen, memory });
const d = { domain: 0 };

describe('a check', () => {
  it('reads all that a guest has printed, wherever, line by line', () => {
    expect(is({ kind: 'console', ...d, matches: '^two' })).toBe(true);
    expect(is({ kind: 'console', ...d, matches: '!' })).toBe(true);
    expect(is({ kind: 'console', ...d, matches: 'hell' })).toBe(true);
    expect(is({ kind: 'console', ...d, matches: 'three' })).toBe(false);
  });

  it('tries a pattern on the end of a long text only', () => {
    const long = { ...guest, serial: `start${'.'.repeat(100_000)}end` };
    const on = (matches: string) => holds({ kind: 'console', ...d, matches }, { ...seen, guests: [long] });
    expect(on('end')).toBe(true);
    expect(on('start')).toBe(false);
  });

  it('knows how it ended', () => {
    expect(is({ kind: 'outcome', ...d, is: 'halted' })).toBe(true);
    expect(is({ kind: 'outcome', ...d, is: 'running' })).toBe(false);
  });

  it('counts exits, of one reason or of all', () => {
    expect(is({ kind: 'exits', ...d, reason: 'HYPERCALL', atLeast: 7, atMost: 7 })).toBe(true);
    expect(is({ kind: 'exits', ...d, atLeast: 9, atMost: 9 })).toBe(true);
    expect(is({ kind: 'exits', ...d, reason: 'HLT', atMost: 0 })).toBe(true);
    expect(is({ kind: 'exits', ...d, reason: 'HLT', atLeast: 1 })).toBe(false);
  });

  it('counts hypercalls by name, and those that failed', () => {
    expect(is({ kind: 'hypercalls', ...d, atLeast: 7, atMost: 7 })).toBe(true);
    expect(is({ kind: 'hypercalls', ...d, name: 'console_io', atLeast: 5 })).toBe(true);
    expect(is({ kind: 'hypercalls', ...d, name: 'console_io', failed: true, atLeast: 3 })).toBe(false);
    expect(is({ kind: 'hypercalls', ...d, failed: true, atLeast: 2, atMost: 2 })).toBe(true);
  });

  it('counts what ran silently wrong', () => {
    expect(is({ kind: 'holes', ...d, atLeast: 4, atMost: 4 })).toBe(true);
    expect(is({ kind: 'holes', ...d, mnemonic: 'popfd', atMost: 0 })).toBe(false);
    expect(is({ kind: 'holes', ...d, mnemonic: 'sidt', atMost: 0 })).toBe(true);
  });

  it('measures shares of time; a guest that has not lived has none', () => {
    expect(is({ kind: 'time', ...d, place: 'idle', percentAtLeast: 60, percentAtMost: 60 })).toBe(true);
    expect(is({ kind: 'time', ...d, place: 'kernel', percentAtLeast: 11 })).toBe(false);
    const unborn = { ...guest, time: { user: 0, kernel: 0, hypervisor: 0, idle: 0, ready: 0 } };
    expect(
      holds({ kind: 'time', ...d, place: 'idle', percentAtMost: 100 }, { ...seen, guests: [unborn] }),
    ).toBe(false);
  });

  it('compares a word of memory, signed or not; memory that is not there is not equal to anything', () => {
    const at = (equals: number): Check => ({ kind: 'memory', ...d, at: 'counter', equals });
    expect(is(at(0x01020304), [[4, 3, 2, 1]])).toBe(true);
    expect(is(at(-1), [[255, 255, 255, 255]])).toBe(true);
    expect(is(at(0xffffffff), [[255, 255, 255, 255]])).toBe(true);
    expect(is(at(0), [null])).toBe(false);
    expect(is(at(0), [])).toBe(false);
    expect(is(at(0), [[0, 0]])).toBe(false);
  });

  it('on a guest that is not there does not hold', () => {
    const missing: Check[] = [
      { kind: 'console', domain: 3, matches: '' },
      { kind: 'outcome', domain: 3, is: 'stopped' },
      { kind: 'exits', domain: 3, atMost: 100 },
      { kind: 'hypercalls', domain: 3, atMost: 100 },
      { kind: 'holes', domain: 3, atMost: 100 },
      { kind: 'time', domain: 3, place: 'idle', percentAtMost: 100 },
    ];
    expect(missing.map((check) => is(check))).toEqual(missing.map(() => false));
  });

  it('is combined by all, any and not', () => {
    const yes: Check = { kind: 'cycles', atLeast: 5000 };
    const no: Check = { kind: 'cycles', atMost: 4999 };
    expect(is({ kind: 'all', of: [yes, yes] })).toBe(true);
    expect(is({ kind: 'all', of: [yes, no] })).toBe(false);
    expect(is({ kind: 'any', of: [no, yes] })).toBe(true);
    expect(is({ kind: 'not', of: no })).toBe(true);
  });

  it('asks for its memory in the order in which it takes it, whatever is decided early', () => {
    const word = (at: string, equals: number): Check => ({ kind: 'memory', ...d, at, equals });
    const check: Check = {
      kind: 'all',
      of: [
        { kind: 'any', of: [word('a', 1), word('b', 2)] },
        { kind: 'not', of: word('c', 9) },
      ],
    };
    expect(memoryOf(check).map(({ at }) => at)).toEqual(['a', 'b', 'c']);
    expect(
      is(check, [
        [1, 0, 0, 0],
        [0, 0, 0, 0],
        [3, 0, 0, 0],
      ]),
    ).toBe(true);
    expect(
      is(check, [
        [1, 0, 0, 0],
        [2, 0, 0, 0],
        [9, 0, 0, 0],
      ]),
    ).toBe(false);
  });
});

describe('a goal', () => {
  const word = (at: string, equals: number): Check => ({ kind: 'memory', ...d, at, equals });
  const goal: Goal = {
    text: 'g',
    check: word('right', 1),
    hints: [],
    wrong: [
      { id: 'first', when: word('one', 1), feedback: 'one' },
      { id: 'second', when: { kind: 'outcome', ...d, is: 'halted' }, feedback: 'two' },
    ],
    withinCycles: 1000,
  };
  const judge = (right: number, one: number) =>
    judgeGoal(goal, {
      ...seen,
      memory: [
        [right, 0, 0, 0],
        [one, 0, 0, 0],
      ],
    });

  it('is met, or gets the first feedback that fits', () => {
    expect(goalMemory(goal).map(({ at }) => at)).toEqual(['right', 'one']);
    expect(judge(1, 1)).toEqual({ passed: true });
    expect(judge(0, 1)).toEqual({ passed: false, id: 'first', feedback: 'one' });
    expect(judge(0, 0)).toEqual({ passed: false, id: 'second', feedback: 'two' });
  });

  it('says so when no feedback fits', () => {
    expect(judgeGoal({ ...goal, wrong: [] }, { ...seen, memory: [null] })).toMatchObject({
      passed: false,
      id: null,
    });
  });
});

it('a prediction is answered when the machine has run long enough, by the choices that hold', () => {
  const predict = {
    question: 'q',
    choices: [
      { text: 'a', when: { kind: 'outcome', ...d, is: 'running' } as const },
      { text: 'b', when: { kind: 'outcome', ...d, is: 'halted' } as const },
    ],
    until: { kind: 'cycles', atLeast: 4000 } as const,
    because: 'b',
  };
  expect(judgePrediction(predict, { ...seen, cycles: 3999 })).toBeNull();
  expect(judgePrediction(predict, seen)).toEqual([1]);
});
