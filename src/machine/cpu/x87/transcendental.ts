// F2XM1, FSIN, FCOS, FPTAN, FPATAN (SDM vol. 1 §8.3.6–8.3.11; vol. 2 for the special cases). Computed with some 250 bits and
// rounded once, so nearly always right in the last place; processors are within one unit of that. Arguments of sine, cosine and
// tangent are reduced by π of 66 bits, as the processors do it. Logarithms are in logarithm.ts.
import {
  classify,
  denormalStops,
  INFINITY,
  invalid,
  propagate,
  propagateOne,
  QUIET_NAN,
  ZERO,
} from './operands.ts';
import { arcTangent, CONSTANT_BITS, cosine, exponentialMinusOne, ln2, pi, sine } from './series.ts';
import { BIAS, PE, RESULT, SIGN, TEMPORARY, type X87 } from './state.ts';
import { BITS, exponentOf, isNegative, lengthOf, pack, packSigned, scaled, significand } from './wide.ts';

/** π as the processors use it: 66 bits, here 68 of which the last two are zero; π/2 = this × 2^−67. */
const PI_66 = 0xc90fdaa22168c234cn;

/** A constant such as ±π/2, inexact. @param numerator over `denominator`, of π */
function packPi(f: X87, negative: boolean, numerator: bigint, denominator: bigint): void {
  pack(f, negative, (pi() * numerator) / denominator, -CONSTANT_BITS, true);
}

/** Quadrant and remainder of the last reduction; the remainder has BITS behind the point. */
let quadrant = 0;
let reduced = 0n;

/** Reduces slot a to |reduced| ≤ π/4. */
function reduce(f: X87, a: number): void {
  const exponent = exponentOf(f, a);
  const shift = 67 + Math.max(0, -4 - exponent);
  const x = scaled(significand(f, a), exponent - 63 + shift);
  const half = PI_66 << BigInt(shift - 67);
  const quotient = (2n * x + half) / (2n * half);
  const rest = x - quotient * half;
  quadrant = Number(quotient & 3n);
  reduced = rest << BigInt(BITS - shift);
  if (isNegative(f, a)) {
    reduced = -reduced;
    quadrant = -quadrant & 3;
  }
}

/** What `prepare` found. done: RESULT and TEMPORARY are set. tooLarge: |ST(0)| ≥ 2^63, nothing changes but C2. reduced: `reduced`
 * and `quadrant` are set. tiny: sine and tangent are the argument itself but for the last place. */
const Angle = { done: 0, tooLarge: 1, reduced: 2, tiny: 3 } as const;

function prepare(f: X87, a: number): number {
  const kind = classify(f, a);
  if (kind >= QUIET_NAN) {
    propagateOne(f, a, kind);
    f.copy(TEMPORARY, RESULT);
    return Angle.done;
  }
  if (kind === INFINITY) {
    invalid(f);
    f.copy(TEMPORARY, RESULT);
    return Angle.done;
  }
  if (kind === ZERO) {
    f.copy(RESULT, a);
    f.set(TEMPORARY, BIAS, 0x80000000 | 0, 0);
    return Angle.done;
  }
  if (exponentOf(f, a) >= 63) return Angle.tooLarge;
  if (denormalStops(f, kind, kind)) return Angle.done;
  if (exponentOf(f, a) < -34) return Angle.tiny;
  reduce(f, a);
  return Angle.reduced;
}

/** x, but a little less (or more) in magnitude. */
function packNear(f: X87, a: number, less: boolean): void {
  const n = significand(f, a) << 64n;
  pack(f, isNegative(f, a), less ? n - 1n : n, exponentOf(f, a) - 127, true);
}

function packOneLess(f: X87): void {
  pack(f, false, (1n << 160n) - 1n, -160, true);
}

const sineOf = (q: number): bigint => {
  const value = q & 1 ? cosine(reduced, BITS) : sine(reduced, BITS);
  return q & 2 ? -value : value;
};

/** RESULT = sin ST(0). @returns false when it is too large */
export function sin(f: X87, a: number): boolean {
  const angle = prepare(f, a);
  if (angle === Angle.tiny) packNear(f, a, true);
  else if (angle === Angle.reduced) packSigned(f, sineOf(quadrant), -BITS);
  return angle !== Angle.tooLarge;
}

/** RESULT = cos ST(0). @returns false when it is too large */
export function cos(f: X87, a: number): boolean {
  const angle = prepare(f, a);
  if (angle === Angle.tiny) packOneLess(f);
  else if (angle === Angle.reduced) packSigned(f, sineOf(quadrant + 1), -BITS);
  else if (angle === Angle.done) f.copy(RESULT, classify(f, a) === ZERO ? TEMPORARY : RESULT);
  return angle !== Angle.tooLarge;
}

/** TEMPORARY = sine, RESULT = cosine. @returns false when it is too large */
export function sinCos(f: X87, a: number): boolean {
  const angle = prepare(f, a);
  if (angle === Angle.tiny) {
    packNear(f, a, true);
    f.copy(TEMPORARY, RESULT);
    packOneLess(f);
  } else if (angle === Angle.reduced) {
    packSigned(f, sineOf(quadrant), -BITS);
    f.copy(TEMPORARY, RESULT);
    packSigned(f, sineOf(quadrant + 1), -BITS);
  } else if (angle === Angle.done && classify(f, a) === ZERO) {
    f.copy(RESULT, TEMPORARY);
    f.copy(TEMPORARY, a);
  }
  return angle !== Angle.tooLarge;
}

/** RESULT = tan ST(0); TEMPORARY = 1, or the same NaN. @returns false when it is too large */
export function tan(f: X87, a: number): boolean {
  const angle = prepare(f, a);
  if (angle === Angle.tiny) packNear(f, a, false);
  else if (angle === Angle.reduced) {
    const s = sineOf(quadrant);
    const c = sineOf(quadrant + 1);
    packSigned(f, (s << BigInt(BITS)) / c, -BITS);
  }
  if (angle !== Angle.done) f.set(TEMPORARY, BIAS, 0x80000000 | 0, 0);
  return angle !== Angle.tooLarge;
}

/** RESULT = the angle of the point (x, y) = (slot a, slot b). */
export function arcTan(f: X87, a: number, b: number): void {
  const kindX = classify(f, a);
  const kindY = classify(f, b);
  if (kindX >= QUIET_NAN || kindY >= QUIET_NAN) {
    propagate(f, a, kindX, b, kindY);
    return;
  }
  const negative = isNegative(f, b);
  const left = isNegative(f, a);
  if (kindY === INFINITY || kindX === INFINITY) {
    if (denormalStops(f, kindX, kindY)) return;
    if (kindY === INFINITY && kindX === INFINITY) packPi(f, negative, left ? 3n : 1n, 4n);
    else if (kindY === INFINITY) packPi(f, negative, 1n, 2n);
    else if (left) packPi(f, negative, 1n, 1n);
    else f.set(RESULT, negative ? SIGN : 0, 0, 0);
    return;
  }
  if (kindY === ZERO) {
    if (denormalStops(f, kindX, kindY)) return;
    if (left) packPi(f, negative, 1n, 1n);
    else f.set(RESULT, negative ? SIGN : 0, 0, 0);
    return;
  }
  if (denormalStops(f, kindX, kindY)) return;
  if (kindX === ZERO) {
    packPi(f, negative, 1n, 2n);
    return;
  }
  const x = significand(f, a);
  const y = significand(f, b);
  const eX = exponentOf(f, a) + lengthOf(x);
  const eY = exponentOf(f, b) + lengthOf(y);
  if (eX - eY > 100 && !left) {
    // As good as the quotient, a little less.
    const shift = 260 + lengthOf(x) - lengthOf(y);
    const quotient = (y << BigInt(shift)) / x;
    // A quotient without remainder is exactly one half of a place at most seldom; what is behind it is less than nothing.
    pack(f, negative, quotient - 1n, exponentOf(f, b) - exponentOf(f, a) - shift, true);
    return;
  }
  if (eX - eY > 100) {
    packPi(f, negative, 1n, 1n);
    return;
  }
  if (eY - eX > 100) {
    packPi(f, negative, 1n, 2n);
    return;
  }
  const bits = 384;
  // Both as integers at one scale.
  const lowest = Math.min(exponentOf(f, a), exponentOf(f, b));
  const xScaled = x << BigInt(exponentOf(f, a) - lowest);
  const yScaled = y << BigInt(exponentOf(f, b) - lowest);
  const steep = yScaled > xScaled;
  const ratio = steep ? (xScaled << BigInt(bits)) / yScaled : (yScaled << BigInt(bits)) / xScaled;
  const circle = pi() >> BigInt(CONSTANT_BITS - bits);
  let angle = arcTangent(ratio, bits);
  if (steep) angle = circle / 2n - angle;
  if (left) angle = circle - angle;
  pack(f, negative, angle, -bits, true);
}

/** RESULT = 2^ST(0) − 1. Beyond ±1 the manual promises nothing: then the argument comes back. */
export function powerMinusOne(f: X87, a: number): void {
  const kind = classify(f, a);
  if (kind >= QUIET_NAN) {
    propagateOne(f, a, kind);
    return;
  }
  const negative = isNegative(f, a);
  if (kind === INFINITY) {
    if (negative) f.set(RESULT, SIGN | BIAS, 0x80000000 | 0, 0);
    else f.copy(RESULT, a);
    return;
  }
  if (denormalStops(f, kind, kind)) return;
  const exponent = exponentOf(f, a);
  const n = significand(f, a);
  if (kind === ZERO || exponent > 0 || (exponent === 0 && n !== 1n << 63n)) {
    f.copy(RESULT, a);
    return;
  }
  if (exponent === 0) {
    // 1 or −1/2, which the processors call inexact all the same.
    f.raised |= PE;
    f.set(RESULT, negative ? SIGN | (BIAS - 1) : BIAS, 0x80000000 | 0, 0);
    return;
  }
  if (exponent < -130) {
    pack(f, negative, n * ln2(), exponent - 63 - CONSTANT_BITS, true);
    return;
  }
  const bits = BITS + 130;
  const argument = scaled(n * ln2(), exponent - 63 - CONSTANT_BITS + bits);
  packSigned(f, exponentialMinusOne(negative ? -argument : argument, bits), -bits);
}
