// FYL2X and FYL2XP1 (SDM vol. 2): y times a binary logarithm, computed with some 300 bits and rounded once.
import { classify, denormalStops, INFINITY, invalid, propagate, QUIET_NAN, ZERO } from './operands.ts';
import { CONSTANT_BITS, hyperbolicArcTangent, ln2 } from './series.ts';
import { MAX_EXPONENT, PE, RESULT, SIGN, UE, type X87, ZE } from './state.ts';
import { BITS, exponentOf, isNegative, lengthOf, pack, scaled, significand } from './wide.ts';

/** RESULT = slot b × log2(slot a). */
export function timesLogarithm(f: X87, a: number, b: number): void {
  const kindX = classify(f, a);
  const kindY = classify(f, b);
  if (kindX >= QUIET_NAN || kindY >= QUIET_NAN) {
    propagate(f, a, kindX, b, kindY);
    return;
  }
  const negativeY = isNegative(f, b);
  if (kindX === ZERO) {
    if (kindY === ZERO) {
      invalid(f);
      return;
    }
    if (kindY === INFINITY) {
      f.set(RESULT, (negativeY ? 0 : SIGN) | MAX_EXPONENT, 0x80000000 | 0, 0);
      return;
    }
    f.raised |= ZE;
    f.set(RESULT, (negativeY ? 0 : SIGN) | MAX_EXPONENT, 0x80000000 | 0, 0);
    return;
  }
  if (isNegative(f, a)) {
    invalid(f);
    return;
  }
  const n = significand(f, a);
  const length = lengthOf(n);
  // log2 of the significand's leading bit; value = 1.fraction × 2^power.
  const power = exponentOf(f, a) - 63 + length - 1;
  const isPower = kindX !== INFINITY && n === 1n << BigInt(length - 1);
  if (kindX === INFINITY || kindY === INFINITY) {
    const logIsZero = kindX !== INFINITY && isPower && power === 0;
    if ((kindX === INFINITY && kindY === ZERO) || logIsZero) {
      invalid(f);
      return;
    }
    if (denormalStops(f, kindX, kindY)) return;
    const below = kindX !== INFINITY && power < 0;
    f.set(RESULT, (negativeY !== below ? SIGN : 0) | MAX_EXPONENT, 0x80000000 | 0, 0);
    return;
  }
  if (denormalStops(f, kindX, kindY)) return;
  if (kindY === ZERO || (isPower && power === 0)) {
    const below = power < 0;
    f.set(RESULT, negativeY !== below ? SIGN : 0, 0, 0);
    return;
  }
  const y = significand(f, b);
  const exponentY = exponentOf(f, b) - 63;
  if (isPower) {
    // Often exact, which the processors do not tell apart.
    f.raised |= PE;
    pack(f, power < 0 !== negativeY, y * BigInt(Math.abs(power)), exponentY, false);
    if ((f.se[RESULT] & MAX_EXPONENT) === 0) f.raised |= UE;
    return;
  }
  const bits = BITS + 64;
  const one = 1n << BigInt(bits);
  let m = n << BigInt(bits - length + 1);
  let whole = power;
  // Into [2/3, 4/3], so that the logarithm of what is near one has no whole part to cancel.
  if (3n * m > 4n * one) {
    m >>= 1n;
    whole++;
  }
  const ratio = ((m - one) << BigInt(bits)) / (m + one);
  const natural = 2n * hyperbolicArcTangent(ratio, bits);
  const logarithm = BigInt(whole) * one + (natural << BigInt(CONSTANT_BITS)) / ln2();
  const magnitude = logarithm < 0n ? -logarithm : logarithm;
  pack(f, logarithm < 0n !== negativeY, y * magnitude, exponentY - bits, true);
}

/** RESULT = slot b × log2(slot a + 1). The manual promises it for |ST(0)| below 1 − √2/2; here it is right for all above −1. */
export function timesLogarithmPlusOne(f: X87, a: number, b: number): void {
  const kindX = classify(f, a);
  const kindY = classify(f, b);
  if (kindX >= QUIET_NAN || kindY >= QUIET_NAN) {
    propagate(f, a, kindX, b, kindY);
    return;
  }
  const negative = isNegative(f, a) !== isNegative(f, b);
  const exponent = exponentOf(f, a);
  if (kindX === INFINITY || kindY === INFINITY) {
    if ((kindX === INFINITY && (isNegative(f, a) || kindY === ZERO)) || kindX === ZERO) {
      invalid(f);
      return;
    }
    if (denormalStops(f, kindX, kindY)) return;
    f.set(RESULT, (negative ? SIGN : 0) | MAX_EXPONENT, 0x80000000 | 0, 0);
    return;
  }
  if (denormalStops(f, kindX, kindY)) return;
  if (kindX === ZERO || kindY === ZERO) {
    f.set(RESULT, negative ? SIGN : 0, 0, 0);
    return;
  }
  const n = significand(f, a);
  const y = significand(f, b);
  const exponentY = exponentOf(f, b) - 63;
  if (isNegative(f, a) && exponent >= 0) {
    // log2 of zero and below.
    if (exponent === 0 && n === 1n << 63n) {
      f.raised |= ZE;
      f.set(RESULT, (isNegative(f, b) ? 0 : SIGN) | MAX_EXPONENT, 0x80000000 | 0, 0);
    } else invalid(f);
    return;
  }
  const bits = BITS + 130;
  if (exponent < -130) {
    // log2(1+x) = x / ln 2, but for 2^−130 of it.
    pack(
      f,
      negative,
      ((y * n) << BigInt(CONSTANT_BITS + 192)) / ln2(),
      exponentY + exponent - 63 - 192,
      true,
    );
    return;
  }
  const one = 1n << BigInt(bits);
  const magnitude = scaled(n, exponent - 63 + bits);
  const x = isNegative(f, a) ? -magnitude : magnitude;
  let m = one + x;
  // Halve until near one; none of it for the arguments that the manual allows.
  let whole = 0;
  while (3n * m > 5n * one) {
    m >>= 1n;
    whole++;
  }
  while (3n * m < 2n * one) {
    m <<= 1n;
    whole--;
  }
  const ratio = ((m - one) << BigInt(bits)) / (m + one);
  const natural = 2n * hyperbolicArcTangent(ratio, bits);
  const logarithm = BigInt(whole) * one + (natural << BigInt(CONSTANT_BITS)) / ln2();
  pack(f, negative, y * (logarithm < 0n ? -logarithm : logarithm), exponentY - bits, true);
}
