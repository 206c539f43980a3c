// The seven constants (SDM vol. 2 FLD1…; vol. 1 §8.3.8): kept with more than 64 bits and rounded as the control word says.
import { RESULT, ROUND_NEAREST, ROUND_UP, type X87 } from './state.ts';

/** Exponent field, significand, and whether what follows it is more than half of the last place. */
const CONSTANTS: Readonly<Record<string, readonly [number, number, number, boolean]>> = {
  fldl2t: [0x4000, 0xd49a784b, 0xcd1b8afe, false],
  fldl2e: [0x3fff, 0xb8aa3b29, 0x5c17f0bb, true],
  fldpi: [0x4000, 0xc90fdaa2, 0x2168c234, true],
  fldlg2: [0x3ffd, 0x9a209a84, 0xfbcff798, true],
  fldln2: [0x3ffe, 0xb17217f7, 0xd1cf79ab, true],
};

/** RESULT = the constant that instruction `name` pushes. Raises nothing: not even an inexact one is inexact. */
export function constant(f: X87, name: string): void {
  if (name === 'fldz') {
    f.set(RESULT, 0, 0, 0);
    return;
  }
  if (name === 'fld1') {
    f.set(RESULT, 0x3fff, 0x80000000 | 0, 0);
    return;
  }
  const [exponent, hi, lo, above] = CONSTANTS[name];
  const rounding = (f.control >> 10) & 3;
  const up = rounding === ROUND_UP || (rounding === ROUND_NEAREST && above);
  f.set(RESULT, exponent, hi | 0, (lo + (up ? 1 : 0)) | 0);
}
