// Integers as NASM computes them: 64 bits, two's complement, wrapping (NASM manual §3.5).
// A value is a `number` while it is a safe integer and a `bigint` beyond that, so the common case costs nothing.

/** A 64-bit integer. Canonical: a `number` whenever it is a safe integer. */
export type Int = number | bigint;

const TWO32 = 0x1_0000_0000;

/** Wraps to 64 bits and picks the canonical representation. */
export function fromBig(value: bigint): Int {
  const wrapped = BigInt.asIntN(64, value);
  const small = Number(wrapped);
  return Number.isSafeInteger(small) ? small : wrapped;
}

const isInt32 = (a: Int): a is number => typeof a === 'number' && a === (a | 0);

export function add(a: Int, b: Int): Int {
  if (typeof a === 'number' && typeof b === 'number') {
    const sum = a + b;
    if (Number.isSafeInteger(sum)) return sum;
  }
  return fromBig(BigInt(a) + BigInt(b));
}

export function negate(a: Int): Int {
  return typeof a === 'number' ? (a === 0 ? 0 : -a) : fromBig(-a);
}

export function subtract(a: Int, b: Int): Int {
  return add(a, negate(b));
}

export function multiply(a: Int, b: Int): Int {
  if (typeof a === 'number' && typeof b === 'number') {
    const product = a * b;
    if (Number.isSafeInteger(product)) return product === 0 ? 0 : product;
  }
  return fromBig(BigInt(a) * BigInt(b));
}

/** Quotient or remainder; the divisor must not be 0. Unsigned treats both as 64-bit patterns (`/` and `%`). */
export function divide(a: Int, b: Int, unsigned: boolean, remainder: boolean): Int {
  if (typeof a === 'number' && typeof b === 'number' && (!unsigned || (a >= 0 && b >= 0))) {
    const result = remainder ? a % b : Math.trunc(a / b);
    return result === 0 ? 0 : result;
  }
  const x = unsigned ? BigInt.asUintN(64, BigInt(a)) : BigInt(a);
  const y = unsigned ? BigInt.asUintN(64, BigInt(b)) : BigInt(b);
  return fromBig(remainder ? x % y : x / y);
}

export function and(a: Int, b: Int): Int {
  return isInt32(a) && isInt32(b) ? a & b : fromBig(BigInt(a) & BigInt(b));
}

export function or(a: Int, b: Int): Int {
  return isInt32(a) && isInt32(b) ? a | b : fromBig(BigInt(a) | BigInt(b));
}

export function xor(a: Int, b: Int): Int {
  return isInt32(a) && isInt32(b) ? a ^ b : fromBig(BigInt(a) ^ BigInt(b));
}

export function complement(a: Int): Int {
  return subtract(-1, a);
}

/** `<<`. The count is taken modulo 64, as the processor that runs NASM does. */
export function shiftLeft(a: Int, count: Int): Int {
  const by = Number(BigInt.asUintN(6, BigInt(count)));
  return multiply(a, by < 52 ? 2 ** by : 1n << BigInt(by));
}

/** `>>` (unsigned) or `>>>` (signed). */
export function shiftRight(a: Int, count: Int, signed: boolean): Int {
  const by = Number(BigInt.asUintN(6, BigInt(count)));
  if (typeof a === 'number' && (signed || a >= 0)) return Math.floor(a / 2 ** by);
  const bits = signed ? BigInt(a) : BigInt.asUintN(64, BigInt(a));
  return fromBig(bits >> BigInt(by));
}

export function compare(a: Int, b: Int): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Bits 0..31 as an unsigned number. */
export function low32(a: Int): number {
  return typeof a === 'number' ? a >>> 0 : Number(BigInt.asUintN(32, a));
}

/** Bits 32..63 as an unsigned number. */
export function high32(a: Int): number {
  return typeof a === 'number' ? Math.floor(a / TWO32) >>> 0 : Number(BigInt.asUintN(64, a) >> 32n);
}

/** True when `size` bytes cannot hold the value either as signed or as unsigned (NASM's number-overflow warning). */
export function overflows(a: Int, size: number): boolean {
  if (size >= 8) return false;
  const limit = 2 ** (8 * size);
  return a >= limit || a < -limit;
}
