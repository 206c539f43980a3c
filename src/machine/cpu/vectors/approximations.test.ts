// RCP and RSQRT: the manual bounds the relative error by 1.5 × 2^-12 and leaves the bits to the processor (SDM vol. 2 "RCPPS",
// "RSQRTPS"). Every class of operand, against division and square root in doubles.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bareProcessor } from './machine.ts';
import { Random } from './random.ts';
import { AT, freshState } from './x87-case.ts';
import { runX87Case } from './x87-machine.ts';

const cpu = bareProcessor();
const words = new DataView(new ArrayBuffer(4));
function toNumber(bits: number): number {
  words.setUint32(0, bits);
  return words.getFloat32(0);
}
const BOUND = 1.5 * 2 ** -12;

/** XMM0 after `opcode` xmm0, xmm1 with `operand` in all of XMM1. */
function approximate(opcode: number, operand: number, prefix: number[] = []): Uint32Array {
  const state = freshState(new Random(operand | 1));
  const view = new DataView(state.buffer);
  for (let n = 0; n < 4; n++) view.setUint32(AT.xmm + 16 + 4 * n, operand, true);
  const out = runX87Case(cpu, { name: 'approximation', bytes: [...prefix, 0x0f, opcode, 0xc1], state });
  expect(out.vector).toBe(0);
  const after = new DataView(out.state.buffer);
  return Uint32Array.from({ length: 4 }, (_, n) => after.getUint32(AT.xmm + 4 * n, true));
}

for (const [name, opcode, exact] of [
  ['RCPPS', 0x53, (x: number) => 1 / x],
  ['RSQRTPS', 0x52, (x: number) => 1 / Math.sqrt(x)],
] as const) {
  describe(name, () => {
    it('is within the error that the manual allows, for every normal number', () => {
      const normal = fc.integer({ min: 0x00800000, max: 0x7e7fffff });
      fc.assert(
        fc.property(normal, fc.boolean(), (magnitude, negative) => {
          const bits = negative && opcode === 0x53 ? magnitude + 0x80000000 : magnitude;
          const wanted = exact(toNumber(bits));
          // Results that would be denormal are zero or denormal: not for the bound.
          fc.pre(Math.abs(wanted) >= 2 ** -126);
          const got = toNumber(approximate(opcode, bits)[0]);
          expect(Math.abs(got / wanted - 1)).toBeLessThanOrEqual(BOUND);
        }),
        { numRuns: 2000 },
      );
    });

    it('knows zeros, infinities, NaNs and denormal numbers, which count as zeros', () => {
      for (const [operand, result] of [
        [0, 0x7f800000],
        [0x80000000, 0xff800000],
        [0x00000001, 0x7f800000],
        [0x7f800000, 0],
        [0x7fc00001, 0x7fc00001],
        [0x7f800001, 0x7fc00001],
      ])
        expect(approximate(opcode, operand)[0], operand.toString(16)).toBe(result);
    });

    it('of one single leaves the upper three alone', () => {
      const before = freshState(new Random(0x3f800000 | 1));
      const upper = new DataView(before.buffer);
      const got = approximate(opcode, 0x3f800000, [0xf3]);
      for (let n = 1; n < 4; n++) expect(got[n]).toBe(upper.getUint32(AT.xmm + 4 * n, true));
    });
  });
}

it('RSQRTPS of a negative number is the default NaN', () => {
  expect(approximate(0x52, 0xbf800000)[0]).toBe(0xffc00000);
});
