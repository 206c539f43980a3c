// FPREM, FPREM1, FSCALE, FXTRACT (SDM vol. 2): exact operations on exponent and significand.

import {
  classify,
  DENORMAL,
  denormalStops,
  INFINITY,
  invalid,
  propagate,
  propagateOne,
  QUIET_NAN,
  ZERO,
} from './operands.ts';
import { normalizeAndPack, roundAndPack } from './round.ts';
import { leadingZeros, shiftedHigh, shiftedLow } from './shift.ts';
import {
  BIAS,
  C0,
  C1,
  C2,
  C3,
  DE,
  MAX_EXPONENT,
  PRECISION_64,
  RESULT,
  SIGN,
  TEMPORARY,
  type X87,
  ZE,
} from './state.ts';

const significand = (f: X87, slot: number): bigint =>
  (BigInt(f.hi[slot] >>> 0) << 32n) | BigInt(f.lo[slot] >>> 0);
const exponentOf = (f: X87, slot: number): number => f.se[slot] & MAX_EXPONENT || 1;

/**
 * RESULT = remainder of ST(0) by ST(1). A dividend up to 63 places above the divisor is done in one step; a larger one is
 * reduced by 32 to 63 places and C2 set.
 * @param nearest FPREM1: the quotient is rounded to the nearest, else truncated
 * @returns condition codes: C2 incomplete, else the quotient's low bits in C0, C3, C1; -1 when there are none
 */
export function remainder(f: X87, a: number, b: number, nearest: boolean): number {
  const kindA = classify(f, a);
  const kindB = classify(f, b);
  if (kindA >= QUIET_NAN || kindB >= QUIET_NAN) {
    propagate(f, a, kindA, b, kindB);
    return -1;
  }
  if (kindA === INFINITY || kindB === ZERO) {
    invalid(f);
    return -1;
  }
  if (denormalStops(f, kindA, kindB)) return -1;
  if (kindA === ZERO || kindB === INFINITY) {
    // The dividend as it is, but a denormal is a result like any other.
    packExact(f, f.se[a], exponentOf(f, a), kindA === ZERO ? 0n : significand(f, a));
    return 0;
  }
  // Exponents of the normalized significands: the distance decides how far a step goes.
  let x = significand(f, a);
  let d = significand(f, b);
  let exponentX = exponentOf(f, a);
  let exponentD = exponentOf(f, b);
  const shiftX = leadingZeros(f.hi[a], f.lo[a]);
  const shiftD = leadingZeros(f.hi[b], f.lo[b]);
  x <<= BigInt(shiftX);
  exponentX -= shiftX;
  d <<= BigInt(shiftD);
  exponentD -= shiftD;
  const distance = exponentX - exponentD;
  if (distance >= 64) {
    // One partial step: as many places as bring the distance to below a multiple of 32.
    const step = (distance & 31) | 32;
    const rest = (x << BigInt(step)) % d;
    packExact(f, f.se[a], exponentX - step, rest);
    return C2;
  }
  let sign = f.se[a] & SIGN;
  let quotient = 0n;
  if (distance >= 0) {
    const wide = x << BigInt(distance);
    quotient = wide / d;
    x = wide % d;
    exponentX = exponentD;
  }
  if (nearest && distance >= -1) {
    // Twice the remainder against the divisor, both at the exponent of the remainder.
    const twice = distance === -1 ? x : x * 2n;
    if (twice > d || (twice === d && (quotient & 1n) === 1n)) {
      x = distance === -1 ? d * 2n - x : d - x;
      sign ^= SIGN;
      quotient += 1n;
    }
  }
  const low = Number(quotient & 7n);
  packExact(f, sign, exponentX, x);
  return (low & 1 ? C1 : 0) | (low & 2 ? C3 : 0) | (low & 4 ? C0 : 0);
}

/** RESULT = x × 2^(exponent − 63 − bias) with that sign; exact unless it is too small. */
function packExact(f: X87, se: number, exponent: number, x: bigint): void {
  if (x >> 64n) {
    // One bit more than a word pair: never odd, since it is a difference of doubled numbers.
    x >>= 1n;
    exponent++;
  }
  const hi = Number(BigInt.asIntN(32, x >> 32n));
  const lo = Number(BigInt.asIntN(32, x));
  normalizeAndPack(f, (se & SIGN) !== 0, exponent, hi, lo, 0, PRECISION_64);
}

/** RESULT = slot a × 2^(slot b truncated). */
export function scale(f: X87, a: number, b: number): void {
  const kindA = classify(f, a);
  const kindB = classify(f, b);
  if (kindA >= QUIET_NAN || kindB >= QUIET_NAN) {
    propagate(f, a, kindA, b, kindB);
    return;
  }
  const down = (f.se[b] & SIGN) !== 0;
  if (kindB === INFINITY) {
    // 0 × 2^∞ and ∞ × 2^−∞ have no value.
    if (down ? kindA === INFINITY : kindA === ZERO) {
      invalid(f);
      return;
    }
    if (denormalStops(f, kindA, kindB)) return;
    if (down) f.set(RESULT, f.se[a] & SIGN, 0, 0);
    else f.set(RESULT, (f.se[a] & SIGN) | MAX_EXPONENT, 0x80000000 | 0, 0);
    return;
  }
  if (denormalStops(f, kindA, kindB)) return;
  if (kindA === ZERO || kindA === INFINITY || kindB === ZERO) {
    if (kindA === DENORMAL)
      normalizeAndPack(f, (f.se[a] & SIGN) !== 0, exponentOf(f, a), f.hi[a], f.lo[a], 0, PRECISION_64);
    else f.copy(RESULT, a);
    return;
  }
  const magnitude = exponentOf(f, b) - BIAS;
  // 2^16 and beyond leave the range whatever is scaled.
  const places =
    magnitude < 0 ? 0 : magnitude > 15 ? 0x10000 : Number(significand(f, b) >> BigInt(63 - magnitude));
  const exponent = exponentOf(f, a) + (down ? -places : places);
  const shift = leadingZeros(f.hi[a], f.lo[a]);
  const hi = shiftedHigh(f.hi[a], f.lo[a], shift);
  const lo = shiftedLow(f.lo[a], shift);
  roundAndPack(f, (f.se[a] & SIGN) !== 0, exponent - shift, hi, lo, 0, PRECISION_64);
}

/** FXTRACT of slot a: the exponent in TEMPORARY, the significand in RESULT. */
export function extract(f: X87, a: number): void {
  const kind = classify(f, a);
  const se = f.se[a];
  if (kind >= QUIET_NAN) {
    propagateOne(f, a, kind);
    f.copy(TEMPORARY, RESULT);
    return;
  }
  if (kind === INFINITY) {
    f.set(TEMPORARY, MAX_EXPONENT, 0x80000000 | 0, 0);
    f.copy(RESULT, a);
    return;
  }
  if (kind === ZERO) {
    f.raised |= ZE;
    f.set(TEMPORARY, SIGN | MAX_EXPONENT, 0x80000000 | 0, 0);
    f.copy(RESULT, a);
    return;
  }
  if (kind === DENORMAL) f.raised |= DE;
  const shift = leadingZeros(f.hi[a], f.lo[a]);
  f.set(RESULT, (se & SIGN) | BIAS, shiftedHigh(f.hi[a], f.lo[a], shift), shiftedLow(f.lo[a], shift));
  const exponent = exponentOf(f, a) - shift - BIAS;
  const size = Math.abs(exponent);
  const zeros = Math.clz32(size);
  if (size === 0) f.set(TEMPORARY, 0, 0, 0);
  else f.set(TEMPORARY, (exponent < 0 ? SIGN : 0) | (BIAS + 31 - zeros), size << zeros, 0);
}
