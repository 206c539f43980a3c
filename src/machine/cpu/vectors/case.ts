// One test case: the state before an instruction or a short program, and the outcome after it. The binary records are those
// of native.c.
import type { Random } from './random.ts';

/** Bytes of the window in the data segment and in the stack segment that are set before and compared after. */
export const WINDOW = 128;
/** Offset of both windows in their segments. */
export const WINDOW_AT = 0x4000;
/** Offset of the instruction in the code segment; the segment is filled with INT3. */
export const START = 0x800;
/** Bytes at both ends of the data and stack segments that are cleared before: accesses around the limit reach them. */
export const MARGIN = 512;
/** Linear bases of the segments; each has a limit of FFFFh. FS overlaps DS, shifted by 100h. */
export const BASE = { code: 0x100000, data: 0x110000, stack: 0x120000, fs: 0x110100 } as const;

/**
 * The local descriptor table of a case, 64 KiB each at bases as below; entries 0 to 5 are in CS, SS, DS, ES and FS, GS, the rest
 * is there to be loaded: read-only data, expand-down data, code that cannot be read, conforming code not present, data not present.
 */
export const LDT = [
  { base: BASE.code, access: 0x40fb },
  { base: BASE.code, access: 0xfb },
  { base: BASE.data, access: 0x40f3 },
  { base: BASE.stack, access: 0x40f3 },
  { base: BASE.stack, access: 0xf3 },
  { base: BASE.fs, access: 0x40f3 },
  { base: BASE.data, access: 0x40f1 },
  { base: BASE.data, access: 0x40f7 },
  { base: BASE.code, access: 0x40f9 },
  { base: BASE.code, access: 0x407f },
  { base: BASE.data, access: 0x4073 },
] as const;
/** Selector of an entry, RPL 3. */
export const selectorOf = (entry: number): number => (entry << 3) | 7;
/** ES CS SS DS FS GS before a case. */
export const segmentsBefore = (c: Case): number[] =>
  [2, c.code16 ? 1 : 0, c.stack16 ? 4 : 3, 2, 5, 5].map(selectorOf);

/** CF PF AF ZF SF OF. */
export const STATUS = 0x8d5;
/** What is set before a case: status flags and DF. */
export const SETTABLE = STATUS | 0x400;

/** The state before. */
export class Case {
  /** For people: what the template is called. */
  name = '';
  /** Code segment of 16 bits; stack segment of 16 bits. */
  code16 = false;
  stack16 = false;
  bytes: number[] = [];
  readonly regs = new Uint32Array(8);
  flags = 0;
  readonly data = new Uint8Array(WINDOW);
  readonly stack = new Uint8Array(WINDOW);
  /** Status flags that the manual defines after this instruction. */
  defined = STATUS;
  /** False when the manual leaves even the result open. */
  resultDefined = true;
  /** More than one instruction. */
  program = false;

  constructor(random: Random) {
    for (let r = 0; r < 8; r++) this.regs[r] = random.value();
    this.flags = random.word() & STATUS;
    for (const window of [this.data, this.stack]) {
      const view = new DataView(window.buffer);
      for (let k = 0; k < WINDOW; k += 4) view.setUint32(k, random.value(), true);
    }
  }
}

/** The state after. */
export interface Outcome {
  /** 3 (the INT3 behind the instruction) when it went through, else the vector of its fault. */
  vector: number;
  error: number;
  regs: Uint32Array;
  eip: number;
  flags: number;
  /** Selectors in ES CS SS DS FS GS. */
  segments: number[];
  data: Uint8Array;
  stack: Uint8Array;
}

/** Bytes that a program may have. */
export const CODE_BYTES = 96;
const OUTCOME_BYTES = 60 + 2 * WINDOW;

/** Cases as native.c reads them. @param code bytes of the field for the code: that of native.c, or less for a hash */
export function packCases(cases: readonly Case[], code = CODE_BYTES): Uint8Array {
  const size = 40 + code + 2 * WINDOW;
  const bytes = new Uint8Array(cases.length * size);
  const view = new DataView(bytes.buffer);
  cases.forEach((c, n) => {
    let at = n * size;
    bytes[at] = (c.code16 ? 1 : 0) | (c.stack16 ? 2 : 0);
    bytes[at + 1] = c.bytes.length;
    bytes.set(c.bytes, at + 4);
    at += 4 + code;
    for (let r = 0; r < 8; r++) view.setUint32(at + r * 4, c.regs[r], true);
    view.setUint32(at + 32, c.flags, true);
    bytes.set(c.data, at + 36);
    bytes.set(c.stack, at + 36 + WINDOW);
  });
  return bytes;
}

/** Tells whether stored outcomes belong to these cases. */
export function hashOfCases(cases: readonly Case[]): number {
  return hashOf(packCases(cases, cases.some((c) => c.bytes.length > 16) ? CODE_BYTES : 16));
}

/** Outcomes as native.c writes them. */
export function unpackOutcomes(bytes: Uint8Array): Outcome[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const outcomes: Outcome[] = [];
  for (let at = 0; at + OUTCOME_BYTES <= bytes.length; at += OUTCOME_BYTES) {
    const regs = new Uint32Array(8);
    for (let r = 0; r < 8; r++) regs[r] = view.getUint32(at + 8 + r * 4, true);
    outcomes.push({
      vector: view.getUint32(at, true),
      error: view.getUint32(at + 4, true),
      regs,
      eip: view.getUint32(at + 40, true),
      flags: view.getUint32(at + 44, true),
      segments: Array.from({ length: 6 }, (_, s) => view.getUint16(at + 48 + 2 * s, true)),
      data: bytes.slice(at + 60, at + 60 + WINDOW),
      stack: bytes.slice(at + 60 + WINDOW, at + OUTCOME_BYTES),
    });
  }
  return outcomes;
}

/** FNV-1a, to tell whether stored outcomes belong to these cases. */
export function hashOf(bytes: Uint8Array): number {
  let hash = 0x811c9dc5;
  for (let k = 0; k < bytes.length; k++) hash = Math.imul(hash ^ bytes[k], 0x01000193);
  return hash >>> 0;
}
