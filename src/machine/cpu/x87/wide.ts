// 80-bit values as big integers, and back: what the transcendental instructions compute with (series.ts) and round once.
import { roundAndPack } from './round.ts';
import { BIAS, MAX_EXPONENT, PRECISION_64, RESULT, SIGN, type X87 } from './state.ts';

/** Bits behind the point in the working format, for arguments that are not tiny. */
export const BITS = 256;
export const significand = (f: X87, slot: number): bigint =>
  (BigInt(f.hi[slot] >>> 0) << 32n) | BigInt(f.lo[slot] >>> 0);
/** Exponent e with value = significand × 2^(e − 63). */
export const exponentOf = (f: X87, slot: number): number => (f.se[slot] & MAX_EXPONENT || 1) - BIAS;
export const isNegative = (f: X87, slot: number): boolean => (f.se[slot] & SIGN) !== 0;

export const lengthOf = (n: bigint): number => {
  const text = n.toString(16);
  return text.length * 4 - Math.clz32(Number.parseInt(text[0], 16)) + 28;
};
/** n × 2^shift, whatever the sign of shift. */
export const scaled = (n: bigint, shift: number): bigint =>
  shift >= 0 ? n << BigInt(shift) : n >> BigInt(-shift);

/**
 * RESULT = ±n × 2^exponent, rounded.
 * @param inexact the true value has more bits behind
 */
export function pack(f: X87, negative: boolean, n: bigint, exponent: number, inexact: boolean): void {
  if (n === 0n) {
    f.set(RESULT, negative ? SIGN : 0, 0, 0);
    return;
  }
  const length = lengthOf(n);
  const drop = length - 96;
  let head = scaled(n, -drop);
  if (inexact || (drop > 0 && head << BigInt(drop) !== n)) head |= 1n;
  roundAndPack(
    f,
    negative,
    exponent + length - 1 + BIAS,
    Number(BigInt.asIntN(32, head >> 64n)),
    Number(BigInt.asIntN(32, head >> 32n)),
    Number(BigInt.asIntN(32, head)),
    PRECISION_64,
  );
}

/** Signed n as sign and magnitude. */
export function packSigned(f: X87, n: bigint, exponent: number): void {
  pack(f, n < 0n, n < 0n ? -n : n, exponent, true);
}
