// Lazy flags: whatever was noted, in whatever order, every question gives the answer of the whole word.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  CF,
  carry,
  condition,
  DF,
  getFlags,
  IF,
  noteAddition,
  noteDecrement,
  noteIncrement,
  noteLogic,
  noteResult,
  noteSubtraction,
  OF,
  PF,
  replaceFlags,
  SF,
  setCarry,
  setFlags,
  ZF,
} from './flags.ts';
import { TestMachine } from './test-machine.ts';

/** The sixteen conditions as SDM vol. 1 appendix B writes them. */
function byTheBook(word: number, cc: number): boolean {
  const c = (word & CF) !== 0;
  const z = (word & ZF) !== 0;
  const s = (word & SF) !== 0;
  const o = (word & OF) !== 0;
  const p = (word & PF) !== 0;
  const even = [o, c, z, c || z, s, p, s !== o, z || s !== o][cc >> 1];
  return cc & 1 ? !even : even;
}

type Action = (cpu: TestMachine['cpu']) => void;
const edges = fc.oneof(
  fc.integer(),
  fc.constantFrom(0, 1, -1, 0x7f, -0x80, 0x7fff, -0x8000, 0x7fffffff, -0x80000000),
);
const action: fc.Arbitrary<Action> = fc
  .tuple(fc.integer({ min: 0, max: 8 }), edges, edges, fc.constantFrom(0, 16, 24))
  .map(([kind, x, y, shift]): Action => {
    const a = (x << shift) >> shift;
    const b = (y << shift) >> shift;
    const cut = (value: number) => (value << shift) >> shift;
    return [
      (cpu: TestMachine['cpu']) => noteAddition(cpu, a, b, cut(a + b)),
      (cpu: TestMachine['cpu']) => noteSubtraction(cpu, a, b, cut(a - b)),
      (cpu: TestMachine['cpu']) => noteLogic(cpu, a & b),
      (cpu: TestMachine['cpu']) => noteIncrement(cpu, a, cut(a + 1)),
      (cpu: TestMachine['cpu']) => noteDecrement(cpu, a, cut(a - 1)),
      (cpu: TestMachine['cpu']) => noteResult(cpu, a, b & (CF | OF)),
      (cpu: TestMachine['cpu']) => setCarry(cpu, b & 1),
      (cpu: TestMachine['cpu']) => replaceFlags(cpu, ZF | CF, b & (ZF | CF)),
      (cpu: TestMachine['cpu']) => setFlags(cpu, x),
    ][kind];
  });

describe('lazy flags', () => {
  const { cpu } = new TestMachine();

  it('answer each condition as the whole word does', () => {
    fc.assert(
      fc.property(fc.array(action, { minLength: 1, maxLength: 6 }), (actions) => {
        setFlags(cpu, 0);
        for (const act of actions) act(cpu);
        const answers = Array.from({ length: 16 }, (_, cc) => condition(cpu, cc));
        const carried = carry(cpu);
        const word = getFlags(cpu);
        expect(answers).toEqual(Array.from({ length: 16 }, (_, cc) => byTheBook(word, cc)));
        expect(carried).toBe(word & CF);
        expect(getFlags(cpu)).toBe(word);
      }),
      { numRuns: 3000, seed: 1 },
    );
  });

  it('INC keeps the carry of the addition before it', () => {
    noteAddition(cpu, -1, 1, 0);
    noteIncrement(cpu, 5, 6);
    expect(getFlags(cpu) & (CF | ZF)).toBe(CF);
  });

  it('bits that do not exist stay as they are: bit 1 is one, 3, 5, 15 and above 21 are zero', () => {
    setFlags(cpu, -1);
    expect(getFlags(cpu) >>> 0).toBe(0x3f7fd7);
    setFlags(cpu, 0);
    expect(getFlags(cpu)).toBe(2);
  });

  it('arithmetic leaves control flags alone', () => {
    setFlags(cpu, IF | DF);
    noteSubtraction(cpu, 1, 1, 0);
    expect(getFlags(cpu)).toBe(IF | DF | ZF | PF | 2);
  });
});
