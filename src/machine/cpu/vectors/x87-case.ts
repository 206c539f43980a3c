// One test case of the floating-point unit: an FXSAVE image, a memory operand and one instruction; and what came out. The
// binary records are those of native-x87.c. Stored are the bytes that changed, in runs, deflated.
import { deflateRawSync, inflateRawSync } from 'node:zlib';
import { hashOf } from './case.ts';
import type { Random } from './random.ts';

export const MEMORY = 128;
const IMAGE = 512;
/** Of the image only these are compared: the rest is pointers and reserved. */
const CASE_BYTES = 28 + IMAGE + MEMORY;
const OUTCOME_BYTES = 12 + IMAGE + MEMORY;

/** ZF PF CF and the others that an instruction may change. */
export const STATUS = 0x8d5;

/**
 * Everything that is compared, as bytes: control word, status word, MXCSR, abridged tags, the eight registers in physical
 * order, XMM registers, EAX, EFLAGS, memory.
 */
export const AT = {
  control: 0,
  status: 2,
  mxcsr: 4,
  tags: 8,
  st: 10,
  xmm: 90,
  eax: 218,
  flags: 222,
  memory: 226,
} as const;
export const STATE_BYTES = AT.memory + MEMORY;

export interface X87Case {
  readonly name: string;
  readonly bytes: readonly number[];
  readonly state: Uint8Array;
}

/** Vector (0 = none) and the state after. */
export interface X87Outcome {
  readonly vector: number;
  readonly state: Uint8Array;
}

/** A state whose parts are all random or default; templates overwrite what matters. */
export function freshState(random: Random): Uint8Array {
  const state = new Uint8Array(STATE_BYTES);
  const view = new DataView(state.buffer);
  for (let at = AT.st; at + 4 <= STATE_BYTES; at += 4) view.setUint32(at, random.word(), true);
  view.setUint16(AT.control, 0x37f, true);
  view.setUint32(AT.mxcsr, 0x1f80, true);
  view.setUint32(AT.eax, random.word(), true);
  view.setUint32(AT.flags, (random.word() & STATUS) | 0x202, true);
  return state;
}

const topOf = (state: Uint8Array): number => (state[AT.status + 1] >> 3) & 7;

function toImage(state: Uint8Array, image: Uint8Array): void {
  image.set(state.subarray(AT.control, AT.control + 4), 0);
  image[4] = state[AT.tags];
  image.set(state.subarray(AT.mxcsr, AT.mxcsr + 4), 24);
  const top = topOf(state);
  for (let n = 0; n < 8; n++) {
    const r = AT.st + 10 * ((n + top) & 7);
    image.set(state.subarray(r, r + 10), 32 + 16 * n);
  }
  image.set(state.subarray(AT.xmm, AT.xmm + 128), 160);
}

function fromImage(image: Uint8Array, state: Uint8Array): void {
  state.set(image.subarray(0, 4), AT.control);
  state[AT.tags] = image[4];
  state.set(image.subarray(24, 28), AT.mxcsr);
  const top = topOf(state);
  for (let n = 0; n < 8; n++) {
    const at = 32 + 16 * n;
    state.set(image.subarray(at, at + 10), AT.st + 10 * ((n + top) & 7));
  }
  state.set(image.subarray(160, 288), AT.xmm);
}

/** Cases as native-x87.c reads them. */
export function packX87(cases: readonly X87Case[]): Uint8Array {
  const packed = new Uint8Array(cases.length * CASE_BYTES);
  const view = new DataView(packed.buffer);
  cases.forEach((c, n) => {
    const at = n * CASE_BYTES;
    view.setUint32(at, c.bytes.length, true);
    packed.set(c.bytes, at + 4);
    packed.set(c.state.subarray(AT.eax, AT.eax + 8), at + 20);
    toImage(c.state, packed.subarray(at + 28, at + 28 + IMAGE));
    packed.set(c.state.subarray(AT.memory), at + 28 + IMAGE);
  });
  return packed;
}

/** Outcomes as native-x87.c writes them. */
export function unpackX87(bytes: Uint8Array): X87Outcome[] {
  const outcomes: X87Outcome[] = [];
  for (let at = 0; at + OUTCOME_BYTES <= bytes.length; at += OUTCOME_BYTES) {
    const state = new Uint8Array(STATE_BYTES);
    state.set(bytes.subarray(at + 4, at + 12), AT.eax);
    fromImage(bytes.subarray(at + 12, at + 12 + IMAGE), state);
    state.set(bytes.subarray(at + 12 + IMAGE, at + OUTCOME_BYTES), AT.memory);
    const view = new DataView(state.buffer);
    view.setUint32(AT.flags, (view.getUint32(AT.flags, true) & STATUS) | 0x202, true);
    outcomes.push({ vector: bytes[at], state });
  }
  return outcomes;
}

const MAGIC = 0x37385831;

/** The stored form: for each case its vector, then runs of changed bytes (distance from the last, length, bytes), then 255. */
export function storeX87(cases: readonly X87Case[], outcomes: readonly X87Outcome[]): Uint8Array {
  const out: number[] = [];
  const word = (value: number) =>
    out.push(value & 0xff, (value >>> 8) & 0xff, (value >>> 16) & 0xff, value >>> 24);
  word(MAGIC);
  word(cases.length);
  word(hashOf(packX87(cases)));
  cases.forEach((c, n) => {
    const { vector, state } = outcomes[n];
    out.push(vector);
    let last = 0;
    for (let at = 0; at < STATE_BYTES; at++) {
      if (state[at] === c.state[at]) continue;
      let end = at + 1;
      while (end < STATE_BYTES && end - at < 100 && state[end] !== c.state[end]) end++;
      for (let gap = at - last; ; gap -= 254) {
        if (gap < 254) {
          out.push(gap);
          break;
        }
        out.push(254);
      }
      out.push(end - at, ...state.subarray(at, end));
      last = end;
      at = end - 1;
    }
    out.push(255);
  });
  return deflateRawSync(Uint8Array.from(out), { level: 9 });
}

/** Outcomes of `cases`. Throws when the file was made for other cases. */
export function loadX87(cases: readonly X87Case[], file: Uint8Array): X87Outcome[] {
  const bytes = inflateRawSync(file);
  const head = new DataView(bytes.buffer, bytes.byteOffset);
  const fits =
    head.getUint32(0, true) === MAGIC &&
    head.getUint32(4, true) === cases.length &&
    head.getUint32(8, true) === hashOf(packX87(cases));
  if (!fits) {
    throw new Error(
      'the vectors were made for other cases: run `node --import tsx src/machine/cpu/vectors/generate.ts`',
    );
  }
  let from = 12;
  return cases.map((c) => {
    const vector = bytes[from++];
    const state = c.state.slice();
    let at = 0;
    for (;;) {
      let gap = bytes[from++];
      if (gap === 255) break;
      at += gap;
      while (gap === 254) {
        gap = bytes[from++];
        at += gap;
      }
      const length = bytes[from++];
      state.set(bytes.subarray(from, from + length), at);
      from += length;
      at += length;
    }
    return { vector, state };
  });
}
