// Between the 80-bit format and integers, singles and doubles (SDM vol. 1 §4.8.4, §8.1.3; vol. 2 FLD, FST, FILD, FIST, FRNDINT).
// Loads go into a slot; stores come out in `f.outHi`, `f.outLo`.
import {
  classify,
  denormalStops,
  INFINITY,
  invalid,
  propagateOne,
  QUIET_NAN,
  SIGNALING_NAN,
  UNSUPPORTED,
  ZERO,
} from './operands.ts';
import { roundsUp } from './round.ts';
import { leadingZeros, SHIFTED, shiftedHigh, shiftedLow, shiftRight } from './shift.ts';
import {
  BIAS,
  C1,
  DE,
  IE,
  MAX_EXPONENT,
  OE,
  PE,
  RESULT,
  ROUND_NEAREST,
  ROUND_UP,
  ROUND_ZERO,
  SIGN,
  UE,
  type X87,
} from './state.ts';

/** A signed 32-bit integer into a slot; always exact. */
export function fromInt32(f: X87, slot: number, value: number): void {
  if (value === 0) {
    f.set(slot, 0, 0, 0);
    return;
  }
  // −2^31 negated is itself as a bit pattern, and means 2^31 as an unsigned word.
  const magnitude = value < 0 ? -value | 0 : value;
  const shift = Math.clz32(magnitude);
  f.set(slot, (value < 0 ? SIGN : 0) | (BIAS + 31 - shift), magnitude << shift, 0);
}

/** A signed 64-bit integer into a slot; always exact. */
export function fromInt64(f: X87, slot: number, hi: number, lo: number): void {
  const negative = hi < 0;
  if (negative) {
    lo = -lo | 0;
    hi = (~hi + (lo === 0 ? 1 : 0)) | 0;
  }
  if ((hi | lo) === 0) {
    f.set(slot, 0, 0, 0);
    return;
  }
  const shift = leadingZeros(hi, lo);
  f.set(slot, (negative ? SIGN : 0) | (BIAS + 63 - shift), shiftedHigh(hi, lo, shift), shiftedLow(lo, shift));
}

/** A single into a slot, signaling NaNs as they are. @returns true when it is a denormal */
export function fromSingle(f: X87, slot: number, bits: number): boolean {
  const sign = (bits >>> 16) & SIGN;
  const exponent = (bits >>> 23) & 0xff;
  const fraction = bits & 0x7fffff;
  if (exponent === 0) {
    if (fraction === 0) {
      f.set(slot, sign, 0, 0);
      return false;
    }
    const shift = Math.clz32(fraction);
    f.set(slot, sign | (BIAS - 126 - (shift - 8)), fraction << shift, 0);
    return true;
  }
  const wide = exponent === 0xff ? MAX_EXPONENT : exponent + (BIAS - 127);
  f.set(slot, sign | wide, 0x80000000 | (fraction << 8), 0);
  return false;
}

/** A double into a slot, signaling NaNs as they are. @returns true when it is a denormal */
export function fromDouble(f: X87, slot: number, hi: number, lo: number): boolean {
  const sign = (hi >>> 16) & SIGN;
  const exponent = (hi >>> 20) & 0x7ff;
  const upper = ((hi & 0xfffff) << 11) | (lo >>> 21);
  const lower = lo << 11;
  if (exponent === 0) {
    if ((upper | lower) === 0) {
      f.set(slot, sign, 0, 0);
      return false;
    }
    const shift = leadingZeros(upper, lower);
    f.set(slot, sign | (BIAS - 1022 - shift), shiftedHigh(upper, lower, shift), shiftedLow(lower, shift));
    return true;
  }
  const wide = exponent === 0x7ff ? MAX_EXPONENT : exponent + (BIAS - 1023);
  f.set(slot, sign | wide, 0x80000000 | upper, lower);
  return false;
}

/** The operand of FLD m32 or m64: RESULT is what to push; denormals and signaling NaNs raise. @returns false when an unmasked DE stops it */
export function loaded(f: X87, slot: number, denormal: boolean): void {
  if (denormal) {
    f.raised |= DE;
  } else if ((f.se[slot] & MAX_EXPONENT) === MAX_EXPONENT && classify(f, slot) === SIGNALING_NAN) {
    f.raised |= IE;
    f.set(RESULT, f.se[slot], f.hi[slot] | 0x40000000, f.lo[slot]);
    return;
  }
  f.copy(RESULT, slot);
}

/** Rounds hi:lo, whose last place is followed by `rest`, in place of SHIFTED; adds PE and C1. */
function roundShifted(f: X87, negative: boolean, rounding: number): void {
  const rest = SHIFTED[2];
  if (rest === 0) return;
  f.raised |= PE;
  if (!roundsUp(rounding, negative, rest, (SHIFTED[1] & 1) !== 0)) return;
  f.raised |= C1;
  SHIFTED[1]++;
  if (SHIFTED[1] === 0) SHIFTED[0]++;
}

/**
 * Slot to a signed integer of 16, 32 or 64 bits. Out of range, infinite and NaN raise IE and give the integer indefinite.
 * @param truncate round towards zero whatever the control word says (FISTTP)
 */
export function toInteger(f: X87, slot: number, bits: number, truncate = false): void {
  const kind = classify(f, slot);
  const se = f.se[slot];
  const exponent = (se & MAX_EXPONENT) - BIAS;
  const negative = (se & SIGN) !== 0;
  if (kind === ZERO) {
    f.outHi = f.outLo = 0;
    return;
  }
  if (kind < INFINITY && exponent <= 63) {
    shiftRight(f.hi[slot], f.lo[slot], 63 - exponent);
    roundShifted(f, negative, truncate ? ROUND_ZERO : (f.control >> 10) & 3);
    const hi = SHIFTED[0];
    const lo = SHIFTED[1];
    let fits: boolean;
    if (bits === 64) fits = hi >= 0 || (negative && hi === -0x80000000 && lo === 0);
    else {
      const limit = bits === 32 ? 0x80000000 : 0x8000;
      fits = hi === 0 && (lo >>> 0 < limit || (negative && lo >>> 0 === limit));
    }
    // Rounding up from all ones carries out of 64 bits: then both words are zero, and the number was not.
    if (fits && !((hi | lo) === 0 && exponent === 63)) {
      f.outLo = negative ? -lo | 0 : lo;
      f.outHi = negative ? (~hi + (lo === 0 ? 1 : 0)) | 0 : hi;
      return;
    }
  }
  f.raised = (f.raised & ~(PE | C1)) | IE;
  f.outLo = bits === 64 ? 0 : bits === 32 ? 0x80000000 | 0 : 0x8000;
  f.outHi = 0x80000000 | 0;
}

/** RESULT = slot rounded to an integer in floating-point format. */
export function roundToInteger(f: X87, slot: number): void {
  const kind = classify(f, slot);
  const se = f.se[slot];
  if (kind >= QUIET_NAN) {
    propagateOne(f, slot, kind);
    return;
  }
  if (denormalStops(f, kind, kind)) return;
  const exponent = (se & MAX_EXPONENT) - BIAS;
  if (kind === ZERO || kind === INFINITY || exponent >= 63) {
    f.copy(RESULT, slot);
    return;
  }
  const sign = se & SIGN;
  shiftRight(f.hi[slot], f.lo[slot], 63 - exponent);
  roundShifted(f, sign !== 0, (f.control >> 10) & 3);
  const hi = SHIFTED[0];
  const lo = SHIFTED[1];
  if ((hi | lo) === 0) {
    f.set(RESULT, sign, 0, 0);
    return;
  }
  const shift = leadingZeros(hi, lo);
  f.set(RESULT, sign | (BIAS + 63 - shift), shiftedHigh(hi, lo, shift), shiftedLow(lo, shift));
}

/**
 * Slot to a single or double in out. Unmasked overflow and underflow leave out undefined: nothing is stored then.
 * @param fraction bits of the fraction: 23 or 52
 */
export function toShort(f: X87, slot: number, fraction: 23 | 52): void {
  const kind = classify(f, slot);
  const se = f.se[slot];
  const negative = (se & SIGN) !== 0;
  const maximum = fraction === 23 ? 0xff : 0x7ff;
  let hi = f.hi[slot];
  let lo = f.lo[slot];
  if (kind === ZERO) {
    put(f, negative, 0, 0, 0, fraction);
    return;
  }
  if (kind >= INFINITY) {
    if (kind === UNSUPPORTED) {
      invalid(f);
      put(f, true, maximum, 0xc0000000 | 0, 0, fraction);
      return;
    }
    if (kind === SIGNALING_NAN) f.raised |= IE;
    if (kind !== INFINITY) hi |= 0x40000000;
    put(f, negative, maximum, hi, lo, fraction);
    return;
  }
  let exponent = (se & MAX_EXPONENT || 1) - BIAS + (maximum >> 1);
  if (hi >= 0) {
    const shift = leadingZeros(hi, lo);
    hi = shiftedHigh(hi, lo, shift);
    lo = shiftedLow(lo, shift);
    exponent -= shift;
  }
  const rounding = (f.control >> 10) & 3;
  // As if the exponent had no bounds: that tells whether it is tiny, or too large.
  const dropped = 63 - fraction;
  shiftRight(hi, lo, dropped);
  const { raised } = f;
  roundShifted(f, negative, rounding);
  // A carry gives the next power of two: one bit more than the fraction and its integer bit have.
  const carried = fraction === 23 ? SHIFTED[1] === 0x1000000 : SHIFTED[0] === 0x200000;
  if (exponent + (carried ? 1 : 0) >= maximum) {
    f.raised = raised | OE;
    if (!(f.control & OE)) return;
    f.raised |= PE;
    const infinite =
      rounding === ROUND_NEAREST || (rounding !== ROUND_ZERO && (rounding === ROUND_UP) !== negative);
    if (infinite) f.raised |= C1;
    put(
      f,
      negative,
      infinite ? maximum : maximum - 1,
      infinite ? 0x80000000 | 0 : -1,
      infinite ? 0 : -1,
      fraction,
    );
    return;
  }
  if (exponent + (carried ? 1 : 0) <= 0) {
    if (!(f.control & UE)) {
      f.raised = raised | UE;
      return;
    }
    f.raised = raised;
    shiftRight(hi, lo, dropped + 1 - exponent);
    roundShifted(f, negative, rounding);
    if (f.raised & PE) f.raised |= UE;
    // Rounded up to the smallest normal number, the carry becomes its exponent.
    f.outHi = (negative ? 0x80000000 : 0) | SHIFTED[0];
    f.outLo = fraction === 23 ? (negative ? 0x80000000 : 0) | SHIFTED[1] : SHIFTED[1];
    return;
  }
  // The integer bit of the significand adds one to the exponent below it, and a carry one more.
  if (fraction === 23) f.outLo = (negative ? 0x80000000 : 0) | (((exponent - 1) << 23) + SHIFTED[1]);
  else {
    f.outHi = (negative ? 0x80000000 : 0) | (((exponent - 1) << 20) + SHIFTED[0]);
    f.outLo = SHIFTED[1];
  }
}

/** Assembles a value that needs no rounding; hi:lo has its integer bit, which is not stored. */
function put(f: X87, negative: boolean, exponent: number, hi: number, lo: number, fraction: 23 | 52): void {
  const sign = negative ? 0x80000000 : 0;
  if (fraction === 23) f.outLo = sign | (exponent << 23) | ((hi >>> 8) & 0x7fffff);
  else {
    f.outHi = sign | (exponent << 20) | ((hi >>> 11) & 0xfffff);
    f.outLo = (hi << 21) | (lo >>> 11);
  }
}
