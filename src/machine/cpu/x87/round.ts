// Rounding a result to the precision and into the range of the 80-bit format (SDM vol. 1 §4.8.4, §4.9, §8.1.5.2–3, §8.5.4–6).
// A result arrives as sign, biased exponent, and a significand of 64 bits with 32 more behind it, the last of which is sticky.
// Tininess is detected after rounding, as IA-32 does.
import {
  C1,
  MAX_EXPONENT,
  OE,
  PE,
  PRECISION_24,
  PRECISION_53,
  PRECISION_64,
  RESULT,
  ROUND_DOWN,
  ROUND_NEAREST,
  ROUND_UP,
  SIGN,
  UE,
  UNROUNDED,
  type X87,
} from './state.ts';

/** What is added to, or taken from, the exponent of a result that leaves the range while the exception is unmasked. */
export const WRAP = 24576;

/** Precision of the current control word; the reserved value 1 behaves as 64 bits. */
export function precisionOf(f: X87): number {
  const precision = (f.control >> 8) & 3;
  return precision === 1 ? PRECISION_64 : precision;
}

/** Whether a value with these bits behind its last place is rounded away from zero. `rest`: 32 bits, the last one sticky. */
export function roundsUp(rounding: number, negative: boolean, rest: number, odd: boolean): boolean {
  if (rest === 0) return false;
  if (rounding === ROUND_NEAREST) {
    // As unsigned: above one half, or one half and odd.
    return rest < 0 && (rest !== -0x80000000 || odd);
  }
  if (rounding === ROUND_DOWN) return negative;
  return rounding === ROUND_UP && !negative;
}

/**
 * Rounds and stores into RESULT; adds to `f.raised`.
 * @param exponent biased; any integer
 * @param hi, lo significand, bit 63 set (or all zero: then the result is zero)
 * @param rest the 32 bits behind, the last one sticky
 */
export function roundAndPack(
  f: X87,
  negative: boolean,
  exponent: number,
  hi: number,
  lo: number,
  rest: number,
  precision: number,
): void {
  const sign = negative ? SIGN : 0;
  if ((hi | lo | rest) === 0) {
    f.set(RESULT, sign, 0, 0);
    return;
  }
  if (precision === UNROUNDED) {
    f.set(RESULT, sign | exponent, hi, rest !== 0 ? lo | 1 : lo);
    return;
  }
  const rounding = (f.control >> 10) & 3;
  if (exponent <= 0) {
    // Tiny, unless rounding with an unbounded exponent would carry it to the smallest normal number.
    if (!(exponent === 0 && carriesOut(rounding, negative, hi, lo, rest, precision))) {
      if (!(f.control & UE)) {
        f.raised |= UE;
        exponent += WRAP;
        if (exponent <= 0) {
          // Only FSCALE gets that far: zero.
          f.raised |= PE;
          f.set(RESULT, sign, 0, 0);
          return;
        }
      } else {
        underflow(f, negative, exponent, hi, lo, rest, precision);
        return;
      }
    } else {
      f.raised |= PE | C1;
      f.set(RESULT, sign | 1, 0x80000000 | 0, 0);
      return;
    }
  }
  // The common case: 64 bits.
  let up = false;
  if (precision === PRECISION_64) {
    if (rest !== 0) {
      f.raised |= PE;
      up = roundsUp(rounding, negative, rest, (lo & 1) !== 0);
      if (up) {
        lo = (lo + 1) | 0;
        if (lo === 0) hi = (hi + 1) | 0;
      }
    }
  } else if (precision === PRECISION_53) {
    const tail = (lo << 21) | (rest !== 0 ? 1 : 0);
    lo &= ~0x7ff;
    if (tail !== 0) {
      f.raised |= PE;
      up = roundsUp(rounding, negative, tail, (lo & 0x800) !== 0);
      if (up) {
        lo = (lo + 0x800) | 0;
        if (lo === 0) hi = (hi + 1) | 0;
      }
    }
  } else {
    const tail = (hi << 24) | (lo >>> 8) | ((lo & 0xff) !== 0 || rest !== 0 ? 1 : 0);
    lo = 0;
    hi &= ~0xff;
    if (tail !== 0) {
      f.raised |= PE;
      up = roundsUp(rounding, negative, tail, (hi & 0x100) !== 0);
      if (up) hi = (hi + 0x100) | 0;
    }
  }
  if (up) {
    f.raised |= C1;
    if (hi === 0) {
      hi = 0x80000000 | 0;
      exponent++;
    }
  }
  if (exponent >= MAX_EXPONENT) {
    f.raised |= OE;
    if (!(f.control & OE) && exponent - WRAP < MAX_EXPONENT) exponent -= WRAP;
    else {
      // Beyond even the wrapped range (FSCALE) it is infinity whatever the rounding.
      const mode = f.control & OE ? rounding : ROUND_NEAREST;
      overflow(f, negative, mode, precision);
      return;
    }
  }
  f.set(RESULT, sign | exponent, hi, lo);
}

/** True when rounding to `precision` bits turns the significand into the next power of two. */
function carriesOut(
  rounding: number,
  negative: boolean,
  hi: number,
  lo: number,
  rest: number,
  precision: number,
): boolean {
  if (precision === PRECISION_64) {
    return hi === -1 && lo === -1 && roundsUp(rounding, negative, rest, true);
  }
  if (precision === PRECISION_53) {
    const tail = (lo << 21) | (rest !== 0 ? 1 : 0);
    return hi === -1 && (lo | 0x7ff) === -1 && roundsUp(rounding, negative, tail, true);
  }
  const tail = (hi << 24) | (lo >>> 8) | ((lo & 0xff) !== 0 || rest !== 0 ? 1 : 0);
  return (hi | 0xff) === -1 && roundsUp(rounding, negative, tail, true);
}

/** Masked underflow: the significand is shifted to the smallest exponent, then rounded there. */
function underflow(
  f: X87,
  negative: boolean,
  exponent: number,
  hi: number,
  lo: number,
  rest: number,
  precision: number,
): void {
  let shift = 1 - exponent;
  while (shift >= 32) {
    rest = lo | (rest !== 0 ? 1 : 0);
    lo = hi;
    hi = 0;
    shift -= 32;
    if ((hi | lo) === 0 && shift >= 32) {
      rest = rest !== 0 ? 1 : 0;
      shift = 0;
    }
  }
  if (shift > 0) {
    const out = rest << (32 - shift);
    rest = (rest >>> shift) | (lo << (32 - shift)) | (out !== 0 ? 1 : 0);
    lo = (lo >>> shift) | (hi << (32 - shift));
    hi >>>= shift;
  }
  const rounding = (f.control >> 10) & 3;
  let tail = rest;
  let odd = (lo & 1) !== 0;
  if (precision === PRECISION_53) {
    tail = (lo << 21) | (rest !== 0 ? 1 : 0);
    lo &= ~0x7ff;
    odd = (lo & 0x800) !== 0;
  } else if (precision === PRECISION_24) {
    tail = (hi << 24) | (lo >>> 8) | ((lo & 0xff) !== 0 || rest !== 0 ? 1 : 0);
    lo = 0;
    hi &= ~0xff;
    odd = (hi & 0x100) !== 0;
  }
  if (tail !== 0) {
    f.raised |= UE | PE;
    if (roundsUp(rounding, negative, tail, odd)) {
      f.raised |= C1;
      if (precision === PRECISION_24) hi = (hi + 0x100) | 0;
      else {
        lo = (lo + (precision === PRECISION_53 ? 0x800 : 1)) | 0;
        if (lo === 0) hi = (hi + 1) | 0;
      }
    }
  }
  f.set(RESULT, (negative ? SIGN : 0) | (hi < 0 ? 1 : 0), hi, lo);
}

/** Masked overflow: infinity, or the largest number where rounding does not go that way. */
function overflow(f: X87, negative: boolean, rounding: number, precision: number): void {
  const sign = negative ? SIGN : 0;
  f.raised = (f.raised | PE) & ~C1;
  const toInfinity =
    rounding === ROUND_NEAREST ||
    (rounding === ROUND_DOWN && negative) ||
    (rounding === ROUND_UP && !negative);
  if (toInfinity) {
    f.raised |= C1;
    f.set(RESULT, sign | MAX_EXPONENT, 0x80000000 | 0, 0);
  } else {
    const hi = precision === PRECISION_24 ? ~0xff : -1;
    const lo = precision === PRECISION_24 ? 0 : precision === PRECISION_53 ? ~0x7ff : -1;
    f.set(RESULT, sign | (MAX_EXPONENT - 1), hi, lo);
  }
}

/** Shifts a 96-bit significand left until bit 63 of its head is set, and packs it. All zero gives a zero of that sign. */
export function normalizeAndPack(
  f: X87,
  negative: boolean,
  exponent: number,
  hi: number,
  lo: number,
  rest: number,
  precision: number,
): void {
  if (hi === 0) {
    if (lo === 0) {
      hi = rest;
      lo = rest = 0;
      exponent -= 64;
    } else {
      hi = lo;
      lo = rest;
      rest = 0;
      exponent -= 32;
    }
  }
  const shift = Math.clz32(hi);
  if (shift > 0 && shift < 32) {
    hi = (hi << shift) | (lo >>> (32 - shift));
    lo = (lo << shift) | (rest >>> (32 - shift));
    rest <<= shift;
    exponent -= shift;
  }
  roundAndPack(f, negative, exponent, hi, lo, rest, precision);
}
