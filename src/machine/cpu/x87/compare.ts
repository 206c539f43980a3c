// Comparison and classification (SDM vol. 2 FCOM, FUCOM, FCOMI, FTST, FXAM).
import { classify, denormalStops, INFINITY, NUMBER, QUIET_NAN, ZERO } from './operands.ts';
import { C0, C1, C2, C3, IE, SIGN, type X87 } from './state.ts';

/** Results as the condition codes C3, C2, C0 have them. */
export const GREATER = 0,
  LESS = C0,
  EQUAL = C3,
  UNORDERED = C3 | C2 | C0;

/** Compares slot a with slot b. @param quiet only signaling NaNs raise IE (FUCOM) */
export function compare(f: X87, a: number, b: number, quiet: boolean): number {
  const kindA = classify(f, a);
  const kindB = classify(f, b);
  if (kindA >= QUIET_NAN || kindB >= QUIET_NAN) {
    if (!quiet || kindA > QUIET_NAN || kindB > QUIET_NAN) f.raised |= IE;
    return UNORDERED;
  }
  denormalStops(f, kindA, kindB);
  if (kindA === ZERO && kindB === ZERO) return EQUAL;
  const negativeA = (f.se[a] & SIGN) !== 0;
  const negativeB = (f.se[b] & SIGN) !== 0;
  if (kindA === ZERO) return negativeB ? GREATER : LESS;
  if (kindB === ZERO) return negativeA ? LESS : GREATER;
  if (negativeA !== negativeB) return negativeA ? LESS : GREATER;
  const order = compareMagnitudes(f, a, b);
  if (order === 0) return EQUAL;
  return order > 0 === negativeA ? LESS : GREATER;
}

/** Sign of |a| − |b|, for numbers and infinities. A pseudo-denormal has the exponent of the smallest normal number. */
export function compareMagnitudes(f: X87, a: number, b: number): number {
  const exponents = (f.se[a] & 0x7fff || 1) - (f.se[b] & 0x7fff || 1);
  if (exponents !== 0) return exponents;
  const high = (f.hi[a] >>> 0) - (f.hi[b] >>> 0);
  return high !== 0 ? high : (f.lo[a] >>> 0) - (f.lo[b] >>> 0);
}

/** FXAM: C3, C2, C0 by class, C1 the sign. */
export function examine(f: X87, register: number): number {
  const sign = f.se[register] & SIGN ? C1 : 0;
  if (f.isEmpty(register)) return sign | C3 | C0;
  const kind = classify(f, register);
  if (kind === ZERO) return sign | C3;
  if (kind === NUMBER) return sign | C2;
  if (kind < INFINITY) return sign | C3 | C2;
  if (kind === INFINITY) return sign | C2 | C0;
  return kind === QUIET_NAN || kind === QUIET_NAN + 1 ? sign | C0 : sign;
}
