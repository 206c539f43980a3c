// Addition and subtraction (SDM vol. 2 FADD, FSUB; special cases tables 3-17, 3-35). Exact: aligned in 96 bits with a sticky
// last bit, then rounded once.
import {
  classify,
  DENORMAL,
  denormalStops,
  INFINITY,
  invalid,
  propagate,
  QUIET_NAN,
  ZERO,
} from './operands.ts';
import { normalizeAndPack, roundAndPack } from './round.ts';
import { SHIFTED, shiftRight } from './shift.ts';
import { MAX_EXPONENT, RESULT, ROUND_DOWN, SIGN, type X87 } from './state.ts';

/** RESULT = slot a + slot b. */
export function add(f: X87, a: number, b: number, precision: number): void {
  sum(f, a, f.se[a], b, f.se[b], precision);
}

/** RESULT = slot a − slot b. */
export function subtract(f: X87, a: number, b: number, precision: number): void {
  sum(f, a, f.se[a], b, f.se[b] ^ SIGN, precision);
}

function sum(f: X87, a: number, seA: number, b: number, seB: number, precision: number): void {
  const expA = seA & MAX_EXPONENT;
  const expB = seB & MAX_EXPONENT;
  // Both normal numbers: one test each for exponent and integer bit.
  if (
    !(expA !== 0 && expB !== 0 && expA !== MAX_EXPONENT && expB !== MAX_EXPONENT && (f.hi[a] & f.hi[b]) < 0)
  ) {
    const kindA = classify(f, a);
    const kindB = classify(f, b);
    if (kindA >= INFINITY || kindB >= INFINITY || kindA === ZERO || kindB === ZERO) {
      special(f, a, seA, kindA, b, seB, kindB, precision);
      return;
    }
    if (denormalStops(f, kindA, kindB)) return;
  }
  if ((seA ^ seB) & SIGN) {
    difference(f, a, expA || 1, b, expB || 1, (seA & SIGN) !== 0, precision);
    return;
  }
  // Same sign. x is the one with the larger exponent.
  let x = a;
  let y = b;
  let exponent = expA || 1;
  let shift = exponent - (expB || 1);
  if (shift < 0) {
    x = b;
    y = a;
    shift = -shift;
    exponent += shift;
  }
  shiftRight(f.hi[y], f.lo[y], shift);
  const yHi = SHIFTED[0];
  const yLo = SHIFTED[1];
  let rest = SHIFTED[2];
  const low = (f.lo[x] >>> 0) + (yLo >>> 0);
  let high = (f.hi[x] >>> 0) + (yHi >>> 0) + (low > 0xffffffff ? 1 : 0);
  let lo = low | 0;
  if (high > 0xffffffff) {
    rest = (rest >>> 1) | (rest & 1) | (lo << 31);
    lo = (lo >>> 1) | (high << 31);
    high = ((high | 0) >>> 1) | 0x80000000;
    exponent++;
  }
  // Two denormals may give one.
  if ((high | 0) >= 0) normalizeAndPack(f, (seA & SIGN) !== 0, exponent, high | 0, lo, rest, precision);
  else roundAndPack(f, (seA & SIGN) !== 0, exponent, high | 0, lo, rest, precision);
}

/** |x| − |y| with the sign of a, or the other one when |b| is larger. */
function difference(
  f: X87,
  a: number,
  expA: number,
  b: number,
  expB: number,
  negativeA: boolean,
  precision: number,
): void {
  let x = a;
  let y = b;
  let negative = negativeA;
  let exponent = expA;
  let shift = expA - expB;
  let swap = shift < 0;
  if (shift === 0) {
    const high = (f.hi[a] >>> 0) - (f.hi[b] >>> 0);
    const order = high !== 0 ? high : (f.lo[a] >>> 0) - (f.lo[b] >>> 0);
    if (order === 0) {
      // x − x is +0, but −0 when rounding down.
      f.set(RESULT, ((f.control >> 10) & 3) === ROUND_DOWN ? SIGN : 0, 0, 0);
      return;
    }
    swap = order < 0;
  }
  if (swap) {
    x = b;
    y = a;
    negative = !negative;
    exponent = expB;
    shift = -shift;
  }
  shiftRight(f.hi[y], f.lo[y], shift);
  const yHi = SHIFTED[0];
  const yLo = SHIFTED[1];
  let rest = SHIFTED[2];
  const borrow = rest !== 0 ? 1 : 0;
  rest = -rest | 0;
  const low = (f.lo[x] >>> 0) - (yLo >>> 0) - borrow;
  const hi = ((f.hi[x] >>> 0) - (yHi >>> 0) - (low < 0 ? 1 : 0)) | 0;
  if (hi < 0) roundAndPack(f, negative, exponent, hi, low | 0, rest, precision);
  else normalizeAndPack(f, negative, exponent, hi, low | 0, rest, precision);
}

/** NaNs, infinities, zeros. */
function special(
  f: X87,
  a: number,
  seA: number,
  kindA: number,
  b: number,
  seB: number,
  kindB: number,
  precision: number,
): void {
  if (kindA >= QUIET_NAN || kindB >= QUIET_NAN) {
    propagate(f, a, kindA, b, kindB);
    return;
  }
  if (kindA === INFINITY && kindB === INFINITY) {
    if ((seA ^ seB) & SIGN) invalid(f);
    else f.set(RESULT, seA, f.hi[a], 0);
    return;
  }
  if (denormalStops(f, kindA, kindB)) return;
  if (kindA === INFINITY) {
    f.set(RESULT, seA, f.hi[a], 0);
    return;
  }
  if (kindB === INFINITY) {
    f.set(RESULT, seB, f.hi[b], 0);
    return;
  }
  if (kindA === ZERO && kindB === ZERO) {
    const sign = (seA ^ seB) & SIGN ? (((f.control >> 10) & 3) === ROUND_DOWN ? SIGN : 0) : seA & SIGN;
    f.set(RESULT, sign, 0, 0);
    return;
  }
  const other = kindA === ZERO ? b : a;
  const se = kindA === ZERO ? seB : seA;
  const kind = kindA === ZERO ? kindB : kindA;
  const exponent = kind === DENORMAL ? 1 : se & MAX_EXPONENT;
  normalizeAndPack(f, (se & SIGN) !== 0, exponent, f.hi[other], f.lo[other], 0, precision);
}
