// Elementary functions in fixed-point arithmetic of a few hundred bits: what the transcendental instructions round to 64. Slow
// and plain on purpose; such instructions are rare, and their results should be right in the last place.

/** π·2^PI_BITS, ln 2·2^PI_BITS, truncated: made on first use. */
export const CONSTANT_BITS = 512;
let piValue = 0n;
let ln2Value = 0n;

/** atan(1/n) or, alternating = false, atanh(1/n), at `bits`. */
function ofReciprocal(n: bigint, bits: number, alternating: boolean): bigint {
  let power = (1n << BigInt(bits)) / n;
  const square = n * n;
  let sum = 0n;
  for (let k = 1n, sign = 1n; power !== 0n; k += 2n) {
    sum += (sign * power) / k;
    power /= square;
    if (alternating) sign = -sign;
  }
  return sum;
}

/** π at CONSTANT_BITS, by Machin's formula. */
export function pi(): bigint {
  if (piValue === 0n) {
    const bits = CONSTANT_BITS + 32;
    piValue = (16n * ofReciprocal(5n, bits, true) - 4n * ofReciprocal(239n, bits, true)) >> 32n;
  }
  return piValue;
}

/** ln 2 at CONSTANT_BITS: 18 atanh(1/26) − 2 atanh(1/4801) + 8 atanh(1/8749). */
export function ln2(): bigint {
  if (ln2Value === 0n) {
    const bits = CONSTANT_BITS + 32;
    const part = (n: bigint) => ofReciprocal(n, bits, false);
    ln2Value = (18n * part(26n) - 2n * part(4801n) + 8n * part(8749n)) >> 32n;
  }
  return ln2Value;
}

/** sin(x) for |x| below 1, x and result at `bits`. */
export function sine(x: bigint, bits: number): bigint {
  const shift = BigInt(bits);
  const square = (x * x) >> shift;
  let term = x;
  let sum = x;
  for (let k = 2n; term !== 0n && term !== -1n; k += 2n) {
    term = -((term * square) >> shift) / (k * (k + 1n));
    sum += term;
  }
  return sum;
}

/** cos(x), likewise. */
export function cosine(x: bigint, bits: number): bigint {
  const shift = BigInt(bits);
  const square = (x * x) >> shift;
  let term = 1n << shift;
  let sum = term;
  for (let k = 1n; term !== 0n && term !== -1n; k += 2n) {
    term = -((term * square) >> shift) / (k * (k + 1n));
    sum += term;
  }
  return sum;
}

/** e^x − 1 for |x| below 1. */
export function exponentialMinusOne(x: bigint, bits: number): bigint {
  const shift = BigInt(bits);
  let term = x;
  let sum = x;
  for (let k = 2n; term !== 0n && term !== -1n; k++) {
    term = ((term * x) >> shift) / k;
    sum += term;
  }
  return sum;
}

/** atanh(x) for |x| below 1/2. */
export function hyperbolicArcTangent(x: bigint, bits: number): bigint {
  const shift = BigInt(bits);
  const square = (x * x) >> shift;
  let power = x;
  let sum = 0n;
  for (let k = 1n; power !== 0n && power !== -1n; k += 2n) {
    sum += power / k;
    power = (power * square) >> shift;
  }
  return sum;
}

/** Square root of a non-negative integer, rounded down (Newton's iteration from above). */
function squareRootOf(n: bigint): bigint {
  if (n < 2n) return n;
  let x = 1n << BigInt((n.toString(16).length * 4) / 2 + 1);
  for (;;) {
    const next = (x + n / x) >> 1n;
    if (next >= x) return x;
    x = next;
  }
}

/** atan(x) for 0 ≤ x ≤ 1: the angle is halved three times, then the series. */
export function arcTangent(x: bigint, bits: number): bigint {
  const shift = BigInt(bits);
  const one = 1n << shift;
  let z = x;
  for (let n = 0; n < 3; n++) {
    const root = squareRootOf((one << shift) + z * z);
    z = (z << shift) / (one + root);
  }
  const square = (z * z) >> shift;
  let power = z;
  let sum = 0n;
  for (let k = 1n, sign = 1n; power !== 0n; k += 2n) {
    sum += (sign * power) / k;
    power = (power * square) >> shift;
    sign = -sign;
  }
  return sum << 3n;
}
