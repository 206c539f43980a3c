// Two packed operands and what can be done with their lanes. An instruction copies its operands here, works in place on
// DESTINATION, and copies the result back; so one set of operations serves mm registers (8 bytes) and xmm registers (16).

/** Destination and source: the same sixteen bytes under several views. */
const buffers = [new ArrayBuffer(16), new ArrayBuffer(16)];
export const D32 = new Int32Array(buffers[0]);
export const S32 = new Int32Array(buffers[1]);
export const D8 = new Uint8Array(buffers[0]);
export const S8 = new Uint8Array(buffers[1]);
export const D16 = new Uint16Array(buffers[0]);
export const S16 = new Uint16Array(buffers[1]);
const DI8 = new Int8Array(buffers[0]);
const SI8 = new Int8Array(buffers[1]);
const DI16 = new Int16Array(buffers[0]);
const SI16 = new Int16Array(buffers[1]);

/** Works on the first `bytes` bytes: 8 or 16. */
export type LaneOperation = (bytes: number) => void;

const clamp = (value: number, low: number, high: number): number => Math.max(low, Math.min(high, value));

/** For each lane: what becomes of it. The arrays store modulo their size. */
function each(
  d: Int8Array | Uint8Array | Int16Array | Uint16Array | Int32Array,
  s: Int8Array | Uint8Array | Int16Array | Uint16Array | Int32Array,
  operation: (a: number, b: number) => number,
): LaneOperation {
  const size = d.BYTES_PER_ELEMENT;
  return (bytes) => {
    for (let n = 0; n < bytes / size; n++) d[n] = operation(d[n], s[n]);
  };
}

const add = (a: number, b: number): number => a + b;
const subtract = (a: number, b: number): number => a - b;
const maskIf = (condition: boolean): number => (condition ? -1 : 0);

/** Interleaves lanes of the low or high halves. */
function interleave(size: number, high: boolean): LaneOperation {
  const copy = new Uint8Array(16);
  return (bytes) => {
    copy.set(D8);
    const from = high ? bytes / 2 : 0;
    for (let n = 0; n < bytes / 2 / size; n++) {
      for (let k = 0; k < size; k++) {
        D8[2 * n * size + k] = copy[from + n * size + k];
        D8[(2 * n + 1) * size + k] = S8[from + n * size + k];
      }
    }
  };
}

/** Destination lanes, then source lanes, each clamped to half its size. */
function narrow(
  d: Int16Array | Int32Array,
  s: Int16Array | Int32Array,
  out: Int8Array | Uint8Array | Int16Array,
  low: number,
  high: number,
): LaneOperation {
  return (bytes) => {
    const lanes = bytes / d.BYTES_PER_ELEMENT;
    // A lane's place in the result is never behind what is still to be read.
    for (let n = 0; n < lanes; n++) out[n] = clamp(d[n], low, high);
    for (let n = 0; n < lanes; n++) out[lanes + n] = clamp(s[n], low, high);
  };
}

/** The shift count: the source's low 64 bits, which beyond `limit` all mean the same. */
function count(limit: number): number {
  return S32[1] !== 0 || S32[0] >>> 0 > limit ? limit : S32[0];
}

function shiftQuad(bytes: number, left: boolean): void {
  const n = count(64);
  for (let at = 0; at < bytes / 4; at += 2) {
    const lo = D32[at];
    const hi = D32[at + 1];
    if (n === 0) continue;
    if (n >= 64) D32[at] = D32[at + 1] = 0;
    else if (left) {
      D32[at + 1] = n < 32 ? (hi << n) | (lo >>> (32 - n)) : lo << (n - 32);
      D32[at] = n < 32 ? lo << n : 0;
    } else {
      D32[at] = n < 32 ? (lo >>> n) | (hi << (32 - n)) : hi >>> (n - 32);
      D32[at + 1] = n < 32 ? hi >>> n : 0;
    }
  }
}

function addQuad(bytes: number): void {
  for (let at = 0; at < bytes / 4; at += 2) {
    const low = (D32[at] >>> 0) + (S32[at] >>> 0);
    D32[at] = low;
    D32[at + 1] += S32[at + 1] + (low > 0xffffffff ? 1 : 0);
  }
}

function subtractQuad(bytes: number): void {
  for (let at = 0; at < bytes / 4; at += 2) {
    const low = (D32[at] >>> 0) - (S32[at] >>> 0);
    D32[at] = low;
    D32[at + 1] -= S32[at + 1] + (low < 0 ? 1 : 0);
  }
}

function multiplyQuad(bytes: number): void {
  for (let at = 0; at < bytes / 4; at += 2) {
    const product = BigInt(D32[at] >>> 0) * BigInt(S32[at] >>> 0);
    D32[at] = Number(BigInt.asIntN(32, product));
    D32[at + 1] = Number(BigInt.asIntN(32, product >> 32n));
  }
}

function multiplyAdd(bytes: number): void {
  for (let n = 0; n < bytes / 4; n++)
    D32[n] = Math.imul(DI16[2 * n], SI16[2 * n]) + Math.imul(DI16[2 * n + 1], SI16[2 * n + 1]);
}

function sumOfDifferences(bytes: number): void {
  for (let at = 0; at < bytes; at += 8) {
    let sum = 0;
    for (let n = at; n < at + 8; n++) sum += Math.abs(D8[n] - S8[n]);
    D32[at / 4] = sum;
    D32[at / 4 + 1] = 0;
  }
}

const shift16 = (operation: (a: number, n: number) => number, signed = false): LaneOperation => {
  const lanes = signed ? DI16 : D16;
  return (bytes) => {
    const n = count(16);
    for (let k = 0; k < bytes / 2; k++) lanes[k] = operation(lanes[k], n);
  };
};
const shift32 = (operation: (a: number, n: number) => number): LaneOperation => {
  return (bytes) => {
    const n = count(32);
    for (let k = 0; k < bytes / 4; k++) D32[k] = operation(D32[k], n);
  };
};

/** By name of the operation in the instruction table. */
export const LANE_OPERATIONS: Readonly<Record<string, LaneOperation>> = {
  punpcklbw: interleave(1, false),
  punpcklwd: interleave(2, false),
  punpckldq: interleave(4, false),
  punpcklqdq: interleave(8, false),
  punpckhbw: interleave(1, true),
  punpckhwd: interleave(2, true),
  punpckhdq: interleave(4, true),
  punpckhqdq: interleave(8, true),
  packsswb: narrow(DI16, SI16, DI8, -128, 127),
  packuswb: narrow(DI16, SI16, D8, 0, 255),
  packssdw: narrow(D32, S32, DI16, -32768, 32767),
  pcmpgtb: each(DI8, SI8, (a, b) => maskIf(a > b)),
  pcmpgtw: each(DI16, SI16, (a, b) => maskIf(a > b)),
  pcmpgtd: each(D32, S32, (a, b) => maskIf(a > b)),
  pcmpeqb: each(DI8, SI8, (a, b) => maskIf(a === b)),
  pcmpeqw: each(DI16, SI16, (a, b) => maskIf(a === b)),
  pcmpeqd: each(D32, S32, (a, b) => maskIf(a === b)),
  paddb: each(D8, S8, add),
  paddw: each(D16, S16, add),
  paddd: each(D32, S32, add),
  paddq: addQuad,
  psubb: each(D8, S8, subtract),
  psubw: each(D16, S16, subtract),
  psubd: each(D32, S32, subtract),
  psubq: subtractQuad,
  paddusb: each(D8, S8, (a, b) => Math.min(a + b, 255)),
  paddusw: each(D16, S16, (a, b) => Math.min(a + b, 65535)),
  paddsb: each(DI8, SI8, (a, b) => clamp(a + b, -128, 127)),
  paddsw: each(DI16, SI16, (a, b) => clamp(a + b, -32768, 32767)),
  psubusb: each(D8, S8, (a, b) => Math.max(a - b, 0)),
  psubusw: each(D16, S16, (a, b) => Math.max(a - b, 0)),
  psubsb: each(DI8, SI8, (a, b) => clamp(a - b, -128, 127)),
  psubsw: each(DI16, SI16, (a, b) => clamp(a - b, -32768, 32767)),
  pmullw: each(D16, S16, (a, b) => Math.imul(a, b)),
  pmulhw: each(DI16, SI16, (a, b) => Math.imul(a, b) >> 16),
  pmulhuw: each(D16, S16, (a, b) => Math.imul(a, b) >>> 16),
  pmuludq: multiplyQuad,
  pmaddwd: multiplyAdd,
  psadbw: sumOfDifferences,
  pminub: each(D8, S8, Math.min),
  pmaxub: each(D8, S8, Math.max),
  pminsw: each(DI16, SI16, Math.min),
  pmaxsw: each(DI16, SI16, Math.max),
  pavgb: each(D8, S8, (a, b) => (a + b + 1) >> 1),
  pavgw: each(D16, S16, (a, b) => (a + b + 1) >> 1),
  pand: each(D32, S32, (a, b) => a & b),
  pandn: each(D32, S32, (a, b) => ~a & b),
  por: each(D32, S32, (a, b) => a | b),
  pxor: each(D32, S32, (a, b) => a ^ b),
  psrlw: shift16((a, n) => a >>> n),
  psraw: shift16((a, n) => a >> Math.min(n, 15), true),
  psllw: shift16((a, n) => a << n),
  psrld: shift32((a, n) => (n > 31 ? 0 : a >>> n)),
  psrad: shift32((a, n) => a >> Math.min(n, 31)),
  pslld: shift32((a, n) => (n > 31 ? 0 : a << n)),
  psrlq: (bytes) => shiftQuad(bytes, false),
  psllq: (bytes) => shiftQuad(bytes, true),
};
