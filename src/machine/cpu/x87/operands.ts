// What an operand is (SDM vol. 1 §4.8.3, §8.2.2, table 8-3), and what becomes of NaNs (table 4-7).
import { DE, IE, MAX_EXPONENT, RESULT, SIGN, type X87 } from './state.ts';

/** Classes of values. Order matters: NUMBER and DENORMAL are computed with. */
export const ZERO = 0,
  NUMBER = 1,
  DENORMAL = 2,
  INFINITY = 3,
  QUIET_NAN = 4,
  SIGNALING_NAN = 5,
  /** Unnormals, pseudo-NaNs and pseudo-infinities: no processor since the 387 computes with them. */
  UNSUPPORTED = 6;

/** Class of the value in a slot. Pseudo-denormals are denormals. */
export function classify(f: X87, slot: number): number {
  const exponent = f.se[slot] & MAX_EXPONENT;
  const hi = f.hi[slot];
  if (exponent === 0) return (hi | f.lo[slot]) === 0 ? ZERO : DENORMAL;
  if (hi >= 0) return UNSUPPORTED;
  if (exponent !== MAX_EXPONENT) return NUMBER;
  if (((hi & 0x7fffffff) | f.lo[slot]) === 0) return INFINITY;
  return hi & 0x40000000 ? QUIET_NAN : SIGNALING_NAN;
}

/** The real indefinite: the quiet NaN that answers an invalid operation. */
export function indefinite(f: X87): void {
  f.set(RESULT, SIGN | MAX_EXPONENT, 0xc0000000 | 0, 0);
}

/** Raises IE; RESULT is the indefinite. */
export function invalid(f: X87): void {
  f.raised |= IE;
  indefinite(f);
}

/** RESULT of an operation on one operand that is a NaN or unsupported. */
export function propagateOne(f: X87, slot: number, kind: number): void {
  if (kind === UNSUPPORTED) {
    invalid(f);
    return;
  }
  if (kind === SIGNALING_NAN) f.raised |= IE;
  f.set(RESULT, f.se[slot], f.hi[slot] | 0x40000000, f.lo[slot]);
}

/** RESULT of an operation on two operands of which one is a NaN or unsupported: the larger significand wins. */
export function propagate(f: X87, a: number, kindA: number, b: number, kindB: number): void {
  if (kindA === UNSUPPORTED || kindB === UNSUPPORTED) {
    invalid(f);
    return;
  }
  const signalingA = kindA === SIGNALING_NAN;
  const signalingB = kindB === SIGNALING_NAN;
  if (signalingA || signalingB) f.raised |= IE;
  const nanA = kindA >= QUIET_NAN;
  const nanB = kindB >= QUIET_NAN;
  let chosen: number;
  if (!nanB) chosen = a;
  else if (!nanA) chosen = b;
  else if (signalingA !== signalingB) chosen = signalingA ? b : a;
  else chosen = largerSignificand(f, a, b);
  f.set(RESULT, f.se[chosen], f.hi[chosen] | 0x40000000, f.lo[chosen]);
}

/** With equal significands the positive one. */
function largerSignificand(f: X87, a: number, b: number): number {
  const difference =
    f.hi[a] !== f.hi[b] ? (f.hi[a] >>> 0) - (f.hi[b] >>> 0) : (f.lo[a] >>> 0) - (f.lo[b] >>> 0);
  if (difference !== 0) return difference > 0 ? a : b;
  return f.se[a] & SIGN ? b : a;
}

/** Notes a denormal operand. True when DE is unmasked: then nothing is computed. */
export function denormalStops(f: X87, kindA: number, kindB: number): boolean {
  if (kindA !== DENORMAL && kindB !== DENORMAL) return false;
  f.raised |= DE;
  return (f.control & DE) === 0;
}

/**
 * The memory operand was a denormal single or double, which a normal 80-bit number now holds: DE, unless the other operand is
 * something that is not computed with. True when DE is unmasked.
 */
export function denormalSource(f: X87, other: number): boolean {
  if (classify(f, other) >= QUIET_NAN) return false;
  f.raised |= DE;
  return (f.control & DE) === 0;
}
