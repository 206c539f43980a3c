// Singles and doubles of SSE (SDM vol. 1 §10.2.3, §11.5, §4.9): the x87's arithmetic without its rounding, then one rounding to
// the format. Where no flag can change (all masked, inexact already noted, rounding to nearest, normal numbers throughout) the
// engine's own double arithmetic gives the same bits, and is used.
import { add, subtract } from '../x87/add.ts';
import { fromDouble, fromInt32, fromSingle, toInteger, toShort } from '../x87/convert.ts';
import { divide, squareRoot } from '../x87/divide.ts';
import { multiply } from '../x87/multiply.ts';
import { SHIFTED } from '../x87/shift.ts';
import { DE, IE, OE, OPERAND, PE, RESULT, TEMPORARY, UE, UNROUNDED, type X87 } from '../x87/state.ts';

/** Bits of the fraction. */
export type Format = 23 | 52;
export const SINGLE = 23;
export const DOUBLE = 52;

const FLUSH_TO_ZERO = 0x8000;
const RANGE_MASKS = 0xc00;
/** All exceptions masked, rounding to nearest, PE noted already; FTZ does not matter for normal results. */
const QUIET_MASK = 0x7fa0;
const QUIET = 0x1fa0;

/** One value as bits and as a number. */
const bits = new ArrayBuffer(8);
const asDouble = new Float64Array(bits);
const asSingle = new Float32Array(bits);
const asWords = new Int32Array(bits);

/** Words of the two operands and of the result; a single uses the low word. */
export const A = new Int32Array(2);
export const B = new Int32Array(2);
export const R = new Int32Array(2);

export type Arithmetic = 'add' | 'sub' | 'mul' | 'div' | 'sqrt' | 'min' | 'max';

function numberOf(words: Int32Array, format: Format): number {
  asWords[0] = words[0];
  if (format === SINGLE) return asSingle[0];
  asWords[1] = words[1];
  return asDouble[0];
}

/**
 * Puts MXCSR's rounding where the x87's operations look for it, with all exceptions masked but overflow and underflow,
 * whose flags depend on their masks (SDM vol. 1 §4.9.1.4–5).
 * @returns the control word to put back
 */
export function enterSse(f: X87): number {
  const { control, mxcsr } = f;
  f.control = 0x327 | ((mxcsr & RANGE_MASKS) >> 7) | (((mxcsr >> 13) & 3) << 10);
  f.raised = 0;
  return control;
}

export const isNaNBits = (words: Int32Array, format: Format): boolean =>
  format === SINGLE
    ? (words[0] & 0x7fffffff) > 0x7f800000
    : (words[1] & 0x7fffffff) > 0x7ff00000 || ((words[1] & 0x7fffffff) === 0x7ff00000 && words[0] !== 0);

export const isSignaling = (words: Int32Array, format: Format): boolean =>
  isNaNBits(words, format) && !(format === SINGLE ? words[0] & 0x400000 : words[1] & 0x80000);

const isDenormal = (words: Int32Array, format: Format): boolean =>
  format === SINGLE
    ? (words[0] & 0x7f800000) === 0 && (words[0] & 0x7fffff) !== 0
    : (words[1] & 0x7ff00000) === 0 && ((words[1] & 0xfffff) | words[0]) !== 0;

function quieted(words: Int32Array, format: Format): void {
  R[0] = words[0];
  R[1] = words[1];
  if (format === SINGLE) R[0] |= 0x400000;
  else R[1] |= 0x80000;
}

/** R = the NaN that comes out: the first operand's, else the second's. True when there is one. Raises IE for signaling ones. */
function propagates(f: X87, format: Format, unary: boolean): boolean {
  const nanA = !unary && isNaNBits(A, format);
  const nanB = isNaNBits(B, format);
  if (!nanA && !nanB) return false;
  if ((nanA && isSignaling(A, format)) || (nanB && isSignaling(B, format))) f.raised |= IE;
  quieted(nanA ? A : B, format);
  return true;
}

function load(f: X87, slot: number, words: Int32Array, format: Format): void {
  if (format === SINGLE) fromSingle(f, slot, words[0]);
  else fromDouble(f, slot, words[1], words[0]);
}

/** R = RESULT rounded to a format. A tiny result is flushed to zero where MXCSR says so, and is UE when that is unmasked. */
function store(f: X87, format: Format): void {
  toShort(f, RESULT, format);
  R[0] = f.outLo;
  R[1] = f.outHi;
  if (!(f.raised & (OE | UE)) && !isDenormal(R, format)) return;
  if (f.raised & ~f.control & (OE | UE)) {
    // Inexact is then what rounding without bounds of the exponent dropped, which is where the conversion stopped.
    if (SHIFTED[2] !== 0) f.raised |= PE;
  } else if (f.mxcsr & FLUSH_TO_ZERO && !(f.raised & OE)) {
    f.raised |= UE | PE;
    R[0] = format === SINGLE ? R[0] & 0x80000000 : 0;
    R[1] &= 0x80000000;
  }
}

/** R = A op B (sqrt: of B). Flags go to `f.raised`; `enterSse` must have been called. */
export function arithmetic(f: X87, operation: Arithmetic, format: Format): void {
  if (operation === 'min' || operation === 'max') {
    extreme(f, operation, format);
    return;
  }
  if ((f.mxcsr & QUIET_MASK) === QUIET && quick(operation, format)) return;
  if (propagates(f, format, operation === 'sqrt')) return;
  load(f, TEMPORARY, A, format);
  load(f, OPERAND, B, format);
  const denormal = isDenormal(B, format) || (operation !== 'sqrt' && isDenormal(A, format));
  switch (operation) {
    case 'add':
      add(f, TEMPORARY, OPERAND, UNROUNDED);
      break;
    case 'sub':
      subtract(f, TEMPORARY, OPERAND, UNROUNDED);
      break;
    case 'mul':
      multiply(f, TEMPORARY, OPERAND, UNROUNDED);
      break;
    case 'div':
      divide(f, TEMPORARY, OPERAND, UNROUNDED);
      break;
    case 'sqrt':
      squareRoot(f, OPERAND, UNROUNDED);
  }
  // Invalid operations and divisions by zero come first.
  if (denormal && f.raised === 0) f.raised |= DE;
  store(f, format);
}

const SMALLEST = [2 ** -126, 2 ** -1022];

/** The engine's own arithmetic, when operands and result are normal numbers. */
function quick(operation: Arithmetic, format: Format): boolean {
  const least = SMALLEST[format === SINGLE ? 0 : 1];
  const a = operation === 'sqrt' ? 1 : numberOf(A, format);
  const b = numberOf(B, format);
  if (!(Math.abs(a) >= least && Math.abs(b) >= least)) return false;
  let r: number;
  if (operation === 'add') r = a + b;
  else if (operation === 'sub') r = a - b;
  else if (operation === 'mul') r = a * b;
  else if (operation === 'div') r = a / b;
  else r = Math.sqrt(b);
  if (format === SINGLE) r = Math.fround(r);
  // NaN, infinity, zero and what is or was tiny take the long way.
  const size = Math.abs(r);
  if (!(size > least && size < Infinity)) return false;
  if (format === SINGLE) {
    asSingle[0] = r;
    R[0] = asWords[0];
  } else {
    asDouble[0] = r;
    R[0] = asWords[0];
    R[1] = asWords[1];
  }
  return true;
}

/** MIN and MAX: the source when the two are equal, both zeros, or one is a NaN. */
function extreme(f: X87, operation: 'min' | 'max', format: Format): void {
  const nan = isNaNBits(A, format) || isNaNBits(B, format);
  if (nan) f.raised |= IE;
  else if (isDenormal(A, format) || isDenormal(B, format)) f.raised |= DE;
  const a = numberOf(A, format);
  const b = numberOf(B, format);
  const chosen = !nan && (operation === 'min' ? a < b : a > b) ? A : B;
  R[0] = chosen[0];
  R[1] = chosen[1];
}

/** Whether predicate 0..7 holds of A and B (SDM vol. 2A, CMPPS). */
export function holds(f: X87, predicate: number, format: Format): boolean {
  const nan = isNaNBits(A, format) || isNaNBits(B, format);
  const ordering = (predicate & 3) === 1 || (predicate & 3) === 2;
  if (nan) {
    if (ordering || isSignaling(A, format) || isSignaling(B, format)) f.raised |= IE;
  } else if (isDenormal(A, format) || isDenormal(B, format)) f.raised |= DE;
  const a = numberOf(A, format);
  const b = numberOf(B, format);
  let result: boolean;
  switch (predicate & 3) {
    case 0:
      result = !nan && a === b;
      break;
    case 1:
      result = !nan && a < b;
      break;
    case 2:
      result = !nan && a <= b;
      break;
    default:
      result = nan;
  }
  return predicate & 4 ? !result : result;
}

/** Order of A and B as ZF (40h), PF (4), CF (1). @param quiet only signaling NaNs raise IE */
export function order(f: X87, quiet: boolean, format: Format): number {
  if (isNaNBits(A, format) || isNaNBits(B, format)) {
    if (!quiet || isSignaling(A, format) || isSignaling(B, format)) f.raised |= IE;
    return 0x45;
  }
  if (isDenormal(A, format) || isDenormal(B, format)) f.raised |= DE;
  const a = numberOf(A, format);
  const b = numberOf(B, format);
  return a > b ? 0 : a < b ? 1 : 0x40;
}

/** R = B, of one format, in the other one. */
export function convertFormat(f: X87, from: Format): void {
  load(f, RESULT, B, from);
  if (isDenormal(B, from)) f.raised |= DE;
  store(f, from === SINGLE ? DOUBLE : SINGLE);
}

/** R = a signed integer as a floating-point number. */
export function fromInteger(f: X87, value: number, format: Format): void {
  fromInt32(f, RESULT, value);
  store(f, format);
}

/** B as a signed integer of 32 bits; 80000000h and IE when it does not fit. */
export function asInteger(f: X87, truncate: boolean, format: Format): number {
  load(f, RESULT, B, format);
  toInteger(f, RESULT, 32, truncate);
  return f.outLo;
}

/** Keeps twelve bits of a single, rounded: what RCPPS and RSQRTPS promise is a relative error below 1.5 × 2^−12. */
function twelveBits(value: number): number {
  asSingle[0] = value;
  return (asWords[0] + 0x800) & ~0xfff;
}

/** R = an approximation of 1/B, or of 1/√B. Raises nothing; denormals count as zeros. */
export function approximate(root: boolean): void {
  const word = B[0];
  const sign = word & 0x80000000;
  if (isNaNBits(B, SINGLE)) R[0] = word | 0x400000;
  else if ((word & 0x7f800000) === 0) R[0] = sign | 0x7f800000;
  else if (root && sign) R[0] = 0xffc00000;
  else if ((word & 0x7f800000) === 0x7f800000) R[0] = sign;
  else {
    const value = numberOf(B, SINGLE);
    const exact = Math.fround(root ? 1 / Math.sqrt(value) : 1 / value);
    R[0] = Math.abs(exact) < 2 ** -126 ? sign : twelveBits(exact);
  }
}
