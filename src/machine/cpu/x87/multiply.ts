// Multiplication (SDM vol. 2 FMUL, table 3-27): the whole product of 128 bits, then rounded once.

import { classify, denormalStops, INFINITY, invalid, propagate, QUIET_NAN, ZERO } from './operands.ts';
import { roundAndPack } from './round.ts';
import { leadingZeros, shiftedHigh, shiftedLow } from './shift.ts';
import { BIAS, MAX_EXPONENT, RESULT, SIGN, type X87 } from './state.ts';

const TWO_32 = 4294967296;
const TO_HIGH = 1 / TWO_32;

/**
 * Upper word of the product of two unsigned words, as an unsigned number. The product rounded to a double is at most 2^10
 * off, and its true lower word is known, so that their difference divided by 2^32 is nearest to the upper word.
 */
export function highProduct(a: number, b: number, low: number): number {
  return Math.floor((a * b - low) * TO_HIGH + 0.5);
}

/** RESULT = slot a × slot b. */
export function multiply(f: X87, a: number, b: number, precision: number): void {
  const seA = f.se[a];
  const seB = f.se[b];
  const negative = ((seA ^ seB) & SIGN) !== 0;
  let expA = seA & MAX_EXPONENT;
  let expB = seB & MAX_EXPONENT;
  let aHi = f.hi[a] >>> 0;
  let aLo = f.lo[a] >>> 0;
  let bHi = f.hi[b] >>> 0;
  let bLo = f.lo[b] >>> 0;
  if (
    !(expA !== 0 && expB !== 0 && expA !== MAX_EXPONENT && expB !== MAX_EXPONENT && (f.hi[a] & f.hi[b]) < 0)
  ) {
    const kindA = classify(f, a);
    const kindB = classify(f, b);
    if (kindA >= QUIET_NAN || kindB >= QUIET_NAN) {
      propagate(f, a, kindA, b, kindB);
      return;
    }
    if ((kindA === INFINITY && kindB === ZERO) || (kindA === ZERO && kindB === INFINITY)) {
      invalid(f);
      return;
    }
    if (denormalStops(f, kindA, kindB)) return;
    const sign = negative ? SIGN : 0;
    if (kindA === INFINITY || kindB === INFINITY) {
      f.set(RESULT, sign | MAX_EXPONENT, 0x80000000 | 0, 0);
      return;
    }
    if (kindA === ZERO || kindB === ZERO) {
      f.set(RESULT, sign, 0, 0);
      return;
    }
    // Denormals first get their leading one to the front, so that all significant bits fit into the words kept below.
    const shiftA = leadingZeros(f.hi[a], f.lo[a]);
    aHi = shiftedHigh(aHi, aLo, shiftA) >>> 0;
    aLo = shiftedLow(aLo, shiftA) >>> 0;
    expA = (expA || 1) - shiftA;
    const shiftB = leadingZeros(f.hi[b], f.lo[b]);
    bHi = shiftedHigh(bHi, bLo, shiftB) >>> 0;
    bLo = shiftedLow(bLo, shiftB) >>> 0;
    expB = (expB || 1) - shiftB;
  }
  const exponent = expA + expB - BIAS + 1;
  if (aLo === 0 && bLo === 0) {
    // Both have 32 bits at most: small integers and their like.
    const low = Math.imul(aHi, bHi);
    pack(f, negative, exponent, highProduct(aHi, bHi, low >>> 0) | 0, low, 0, precision);
    return;
  }
  // Words of the product from the lowest: p0 p1 p2 p3.
  const ll = Math.imul(aLo, bLo) >>> 0;
  const lh = Math.imul(aLo, bHi) >>> 0;
  const hl = Math.imul(aHi, bLo) >>> 0;
  const hh = Math.imul(aHi, bHi) >>> 0;
  const p1 = highProduct(aLo, bLo, ll) + lh + hl;
  const carry1 = Math.floor(p1 * TO_HIGH);
  const p2 = highProduct(aLo, bHi, lh) + highProduct(aHi, bLo, hl) + hh + carry1;
  const carry2 = Math.floor(p2 * TO_HIGH);
  const p3 = highProduct(aHi, bHi, hh) + carry2;
  const rest = (p1 - carry1 * TWO_32) | 0;
  pack(f, negative, exponent, p3 | 0, (p2 - carry2 * TWO_32) | 0, rest | (ll !== 0 ? 1 : 0), precision);
}

function pack(
  f: X87,
  negative: boolean,
  exponent: number,
  hi: number,
  lo: number,
  rest: number,
  precision: number,
): void {
  if (hi < 0) roundAndPack(f, negative, exponent, hi, lo, rest, precision);
  else {
    // One place to the left. What is shifted out of the sticky bit's place is sticky again.
    roundAndPack(
      f,
      negative,
      exponent - 1,
      (hi << 1) | (lo >>> 31),
      (lo << 1) | (rest >>> 31),
      (rest << 1) | (rest & 1),
      precision,
    );
  }
}
