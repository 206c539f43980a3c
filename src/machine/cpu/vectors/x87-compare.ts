// What differs between two outcomes of a floating-point case, in words.
import { C1, UE } from '../x87/state.ts';
import { AT, MEMORY, STATE_BYTES, type X87Case, type X87Outcome } from './x87-case.ts';

/** Offsets in an environment at which pointers, selectors and opcode lie: they depend on where the instruction stood. */
function isPointer(c: X87Case, at: number): boolean {
  const n = at - AT.memory;
  // FXSAVE: pointers, opcode, and which bits of MXCSR this processor has.
  if (c.name === 'fxsave') return (n >= 6 && n < 24) || (n >= 28 && n < 32);
  if (!/^fn(stenv|save)/.test(c.name)) return false;
  return c.bytes[0] === 0x66 ? n >= 6 && n < 14 : n >= 12 && n < 28;
}

const hex = (bytes: Uint8Array): string => Array.from(bytes, (b) => b.toString(16).padStart(2, '0')).join('');
/** Little-endian bytes as one number. */
const value = (state: Uint8Array, at: number, size: number): string =>
  hex(state.slice(at, at + size).reverse());

const FIELDS: readonly (readonly [string, number, number])[] = [
  ['cw', AT.control, 2],
  ['sw', AT.status, 2],
  ['mxcsr', AT.mxcsr, 4],
  ['tags', AT.tags, 1],
  ...Array.from({ length: 8 }, (_, r) => [`r${r}`, AT.st + 10 * r, 10] as const),
  ...Array.from({ length: 8 }, (_, r) => [`xmm${r}`, AT.xmm + 16 * r, 16] as const),
  ['eax', AT.eax, 4],
  ['flags', AT.flags, 4],
  ['memory', AT.memory, MEMORY],
];

/** Differences of `got` against `wanted`, empty when there are none. */
export function x87Differences(c: X87Case, got: X87Outcome, wanted: X87Outcome): string[] {
  const found: string[] = [];
  if (got.vector !== wanted.vector) found.push(`vector ${got.vector}, want ${wanted.vector}`);
  for (const [name, at, size] of FIELDS) {
    let same = true;
    for (let k = at; k < at + size && k < STATE_BYTES; k++)
      if (got.state[k] !== wanted.state[k] && !isPointer(c, k)) same = false;
    if (!same) found.push(`${name} ${value(got.state, at, size)}, want ${value(wanted.state, at, size)}`);
  }
  return found;
}

/** A case in one line: bytes, control and status word, tags, ST(0), ST(1), ST(rm) and memory before. */
export function describeX87(c: X87Case): string {
  const { state } = c;
  const top = (state[AT.status + 1] >> 3) & 7;
  const st = (n: number) => `st${n}=${value(state, AT.st + 10 * ((top + n) & 7), 10)}`;
  const rm = c.bytes[c.bytes.length - 1] & 7;
  return [
    `${c.name} [${hex(Uint8Array.from(c.bytes))}]`,
    `cw=${value(state, AT.control, 2)} sw=${value(state, AT.status, 2)} tags=${value(state, AT.tags, 1)}`,
    `${st(0)} ${st(1)} ${rm > 1 ? st(rm) : ''} m=${value(state, AT.memory, 10)}`,
    `eax=${value(state, AT.eax, 4)} flags=${value(state, AT.flags, 4)}`,
  ].join(' ');
}

/** The last-place distance of two registers of equal sign; they are Infinity apart when that says nothing. */
function unitsApart(a: Uint8Array, b: Uint8Array): number {
  const number = (bytes: Uint8Array) => BigInt(`0x${hex(bytes.slice().reverse())}`);
  const x = number(a);
  const y = number(b);
  if (x >> 79n !== y >> 79n) return Number.POSITIVE_INFINITY;
  // Across a power of two the integer bit turns up again: take it out, so that neighbours are one apart.
  const linear = (n: bigint) => ((n >> 64n) << 63n) | (n & 0x7fffffffffffffffn);
  const distance = linear(x) - linear(y);
  return Number(distance < 0n ? -distance : distance);
}

/**
 * As `x87Differences`, but results may be one unit of the last place apart, and C1 (rounded up) with them; where that unit is the
 * one below the smallest normal number, UE too.
 */
export function functionDifferences(c: X87Case, got: X87Outcome, wanted: X87Outcome): string[] {
  let ignored = C1;
  const near = { vector: got.vector, state: got.state.slice() };
  for (let r = 0; r < 8; r++) {
    const at = AT.st + 10 * r;
    const theirs = wanted.state.subarray(at, at + 10);
    const distance = unitsApart(got.state.subarray(at, at + 10), theirs);
    if (distance > 1) continue;
    near.state.set(theirs, at);
    if (distance === 1 && (theirs[8] | (theirs[9] << 8)) % 0x8000 <= 1) ignored |= UE;
  }
  for (let k = 0; k < 2; k++) {
    const bits = (ignored >> (8 * k)) & 0xff;
    const at = AT.status + k;
    near.state[at] = (near.state[at] & ~bits) | (wanted.state[at] & bits);
  }
  return x87Differences(c, near, wanted);
}
