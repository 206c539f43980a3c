// Division and square root (SDM vol. 2 FDIV, table 3-24; FSQRT, table 3-33): quotient or root to 64 bits and more, and whether
// anything remains; rounded once.

import { highProduct } from './multiply.ts';
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
import { roundAndPack } from './round.ts';
import { leadingZeros, shiftedHigh, shiftedLow } from './shift.ts';
import { BIAS, MAX_EXPONENT, RESULT, SIGN, type X87, ZE } from './state.ts';

const TWO_32 = 4294967296;
const TO_HIGH = 1 / TWO_32;

/** Working registers of the division: remainder from the top word. */
let r2 = 0;
let r1 = 0;
let r0 = 0;

/** RESULT = slot a ÷ slot b. */
export function divide(f: X87, a: number, b: number, precision: number): void {
  const seA = f.se[a];
  const seB = f.se[b];
  const negative = ((seA ^ seB) & SIGN) !== 0;
  let expA = seA & MAX_EXPONENT;
  let expB = seB & MAX_EXPONENT;
  let aHi = f.hi[a];
  let aLo = f.lo[a];
  let bHi = f.hi[b];
  let bLo = f.lo[b];
  if (!(expA !== 0 && expB !== 0 && expA !== MAX_EXPONENT && expB !== MAX_EXPONENT && (aHi & bHi) < 0)) {
    const kindA = classify(f, a);
    const kindB = classify(f, b);
    if (kindA >= QUIET_NAN || kindB >= QUIET_NAN) {
      propagate(f, a, kindA, b, kindB);
      return;
    }
    if ((kindA === INFINITY && kindB === INFINITY) || (kindA === ZERO && kindB === ZERO)) {
      invalid(f);
      return;
    }
    const sign = negative ? SIGN : 0;
    if (kindB === ZERO && kindA !== INFINITY) {
      // Even a denormal dividend raises nothing else.
      f.raised |= ZE;
      f.set(RESULT, sign | MAX_EXPONENT, 0x80000000 | 0, 0);
      return;
    }
    if (denormalStops(f, kindA, kindB)) return;
    if (kindA === INFINITY) {
      f.set(RESULT, sign | MAX_EXPONENT, 0x80000000 | 0, 0);
      return;
    }
    if (kindA === ZERO || kindB === INFINITY) {
      f.set(RESULT, sign, 0, 0);
      return;
    }
    if (aHi >= 0) {
      const shift = leadingZeros(aHi, aLo);
      expA = 1 - shift;
      aHi = shiftedHigh(aHi, aLo, shift);
      aLo = shiftedLow(aLo, shift);
    } else expA ||= 1;
    if (bHi >= 0) {
      const shift = leadingZeros(bHi, bLo);
      expB = 1 - shift;
      bHi = shiftedHigh(bHi, bLo, shift);
      bLo = shiftedLow(bLo, shift);
    } else expB ||= 1;
  }
  let exponent = expA - expB + BIAS - 1;
  const dHi = bHi >>> 0;
  const dLo = bLo >>> 0;
  r2 = aHi >>> 0;
  r1 = aLo >>> 0;
  r0 = 0;
  // With the dividend below the divisor, each digit of the quotient fits into a word.
  if (r2 > dHi || (r2 === dHi && r1 >= dLo)) {
    r0 = (r1 & 1) * 0x80000000;
    r1 = ((r1 >>> 1) | (r2 << 31)) >>> 0;
    r2 = r2 >>> 1;
    exponent++;
  }
  const divisor = dHi * TWO_32 + dLo;
  const q1 = digit(dHi, dLo, divisor);
  r0 = 0;
  const q0 = digit(dHi, dLo, divisor);
  r0 = 0;
  // The rounding bit and what is behind it.
  const rest = digit(dHi, dLo, divisor) | ((r2 | r1) !== 0 ? 1 : 0);
  roundAndPack(f, negative, exponent, q1 | 0, q0 | 0, rest | 0, precision);
}

/**
 * One word of quotient: divides r2:r1:r0 (below divisor × 2^32) by the divisor and leaves the remainder in r2:r1, as the
 * upper part of the next dividend. The estimate in doubles is off by one at most; the remainder tells.
 */
function digit(dHi: number, dLo: number, divisor: number): number {
  let q = Math.floor(((r2 * TWO_32 + r1 + r0 * TO_HIGH) / divisor) * TWO_32);
  if (q > 0xffffffff) q = 0xffffffff;
  // q × divisor: three words.
  const ll = Math.imul(q, dLo) >>> 0;
  const hl = Math.imul(q, dHi) >>> 0;
  const m1 = highProduct(q, dLo, ll) + hl;
  const carry = m1 >= TWO_32 ? 1 : 0;
  const m2 = highProduct(q, dHi, hl) + carry;
  let n0 = r0 - ll;
  let n1 = r1 - (m1 - carry * TWO_32);
  let n2 = r2 - m2;
  if (n0 < 0) {
    n0 += TWO_32;
    n1--;
  }
  if (n1 < 0) {
    n1 += TWO_32;
    n2--;
  }
  while (n2 < 0) {
    q--;
    n0 += dLo;
    if (n0 >= TWO_32) {
      n0 -= TWO_32;
      n1++;
    }
    n1 += dHi;
    if (n1 >= TWO_32) {
      n1 -= TWO_32;
      n2++;
    }
  }
  while (n2 > 0 || n1 > dHi || (n1 === dHi && n0 >= dLo)) {
    q++;
    n0 -= dLo;
    if (n0 < 0) {
      n0 += TWO_32;
      n1--;
    }
    n1 -= dHi;
    if (n1 < 0) {
      n1 += TWO_32;
      n2--;
    }
  }
  r2 = n1;
  r1 = n0;
  return q;
}

/** RESULT = square root of slot a. */
export function squareRoot(f: X87, a: number, precision: number): void {
  const kind = classify(f, a);
  const se = f.se[a];
  if (kind >= QUIET_NAN) {
    propagateOne(f, a, kind);
    return;
  }
  if (kind === ZERO) {
    f.set(RESULT, se, 0, 0);
    return;
  }
  if (se & SIGN) {
    invalid(f);
    return;
  }
  if (denormalStops(f, kind, kind)) return;
  if (kind === INFINITY) {
    f.set(RESULT, se, f.hi[a], 0);
    return;
  }
  let hi = f.hi[a];
  let lo = f.lo[a];
  let exponent = se & MAX_EXPONENT || 1;
  if (hi >= 0) {
    const shift = leadingZeros(hi, lo);
    hi = shiftedHigh(hi, lo, shift);
    lo = shiftedLow(lo, shift);
    exponent -= shift;
  }
  // The radicand is hi:lo × 2^64 with the exponent even, halved when it is odd; so it lies in [2^126, 2^128).
  let extra = 0;
  const power = exponent - BIAS;
  if ((power & 1) === 0) {
    extra = (lo & 1) * 0x80000000;
    lo = (lo >>> 1) | (hi << 31);
    hi >>>= 1;
  }
  root(hi >>> 0, lo >>> 0, extra);
  roundAndPack(f, false, (power >> 1) + BIAS, rootHi | 0, rootLo | 0, rootRest, precision);
}

let rootHi = 0;
let rootLo = 0;
let rootRest = 0;

/**
 * Root of the 128-bit integer n3:n2:n1:0, by words: the upper word from a double, the lower one by dividing the remainder by
 * twice the upper (Zimmermann's recursive square root).
 */
function root(n3: number, n2: number, n1: number): void {
  let s = Math.min(Math.floor(Math.sqrt(n3 * TWO_32 + n2)), 0xffffffff);
  // s² as two words, and the remainder n3:n2 − s².
  let low = Math.imul(s, s) >>> 0;
  let remainder = (n3 - highProduct(s, s, low)) * TWO_32 + (n2 - low);
  while (remainder < 0) {
    s--;
    remainder += 2 * s + 1;
  }
  while (remainder > 2 * s) {
    remainder -= 2 * s + 1;
    s++;
  }
  // Divide remainder:n1 by 2s: the remainder is at most 2s, a number of 33 bits. Two half words, so that doubles are exact.
  const divisor = 2 * s;
  const upper = remainder * 65536 + Math.floor(n1 / 65536);
  const qHigh = Math.floor(upper / divisor);
  const middle = (upper - qHigh * divisor) * 65536 + (n1 % 65536);
  const qLow = Math.floor(middle / divisor);
  let q = qHigh * 65536 + qLow;
  let u = middle - qLow * divisor;
  if (q > 0xffffffff) {
    u += (q - 0xffffffff) * divisor;
    q = 0xffffffff;
  }
  // New remainder: u × 2^32 − q², below zero when q was one too large; u has up to 34 bits.
  low = Math.imul(q, q) >>> 0;
  let high = u - highProduct(q, q, low);
  let rest = -low;
  if (rest < 0) {
    rest += TWO_32;
    high--;
  }
  while (high < 0) {
    // q := q − 1, remainder += 2(s × 2^32 + q) + 1
    q--;
    const grown = rest + 2 * q + 1;
    const carry = Math.floor(grown * TO_HIGH);
    rest = grown - carry * TWO_32;
    high += 2 * s + carry;
  }
  rootHi = s;
  rootLo = q;
  // The next bit is one when the remainder exceeds the root; it is never exactly one half.
  const above = high > s || (high === s && rest > q);
  rootRest = high === 0 && rest === 0 ? 0 : above ? 0xc0000000 | 0 : 0x40000000;
}
