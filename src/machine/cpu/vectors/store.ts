// The stored form of outcomes: what changed against the case, byte by byte, deflated. About seven bytes a case.
import { deflateRawSync, inflateRawSync } from 'node:zlib';
import { type Case, hashOfCases, type Outcome, START, segmentsBefore, WINDOW } from './case.ts';

const MAGIC = 0x31435652;

class Bytes {
  private readonly list: number[] = [];
  u8(value: number): void {
    this.list.push(value & 0xff);
  }
  u16(value: number): void {
    this.list.push(value & 0xff, (value >>> 8) & 0xff);
  }
  u32(value: number): void {
    this.u16(value);
    this.u16(value >>> 16);
  }
  get all(): Uint8Array {
    return Uint8Array.from(this.list);
  }
}

class Cursor {
  at = 0;
  constructor(private readonly bytes: Uint8Array) {}
  u8(): number {
    return this.bytes[this.at++];
  }
  u16(): number {
    return this.u8() | (this.u8() << 8);
  }
  u32(): number {
    return (this.u16() | (this.u16() << 16)) >>> 0;
  }
}

/** Bits of the first byte of a record, beside the vector in 4:0. */
const ELSEWHERE = 0x20;
const MEMORY = 0x40;
const SEGMENTS = 0x80;

/** Packs outcomes of `cases`. */
export function store(cases: readonly Case[], outcomes: readonly Outcome[]): Uint8Array {
  const out = new Bytes();
  out.u32(MAGIC);
  out.u32(cases.length);
  out.u32(hashOfCases(cases));
  cases.forEach((c, n) => {
    const o = outcomes[n];
    const elsewhere = o.eip !== expectedEip(c, o.vector);
    const changes: [number, number][] = [];
    for (let k = 0; k < WINDOW; k++) {
      if (o.data[k] !== c.data[k]) changes.push([k, o.data[k]]);
      if (o.stack[k] !== c.stack[k]) changes.push([k | 0x80, o.stack[k]]);
    }
    const before = segmentsBefore(c);
    let loaded = 0;
    for (let s = 0; s < 6; s++) if (o.segments[s] !== before[s]) loaded |= 1 << s;
    out.u8(o.vector | (elsewhere ? ELSEWHERE : 0) | (changes.length ? MEMORY : 0) | (loaded ? SEGMENTS : 0));
    let changed = 0;
    for (let r = 0; r < 8; r++) if (o.regs[r] !== c.regs[r]) changed |= 1 << r;
    out.u8(changed);
    out.u16(o.flags ^ c.flags);
    for (let r = 0; r < 8; r++) if (changed & (1 << r)) out.u32(o.regs[r]);
    if (o.vector !== 3) out.u16(o.error);
    if (elsewhere) out.u32(o.eip);
    if (changes.length) {
      out.u8(changes.length);
      for (const [k, value] of changes) {
        out.u8(k);
        out.u8(value);
      }
    }
    if (loaded) out.u8(loaded);
    for (let s = 0; s < 6; s++) if (loaded & (1 << s)) out.u16(o.segments[s]);
  });
  return deflateRawSync(out.all, { level: 9 });
}

/** Where EIP is unless the instruction branches: behind it, or on it after a fault. */
function expectedEip(c: Case, vector: number): number {
  return vector === 3 ? START + c.bytes.length : START;
}

/** Outcomes of `cases`. Throws when the file was made for other cases. */
export function load(cases: readonly Case[], file: Uint8Array): Outcome[] {
  const from = new Cursor(inflateRawSync(file));
  if (from.u32() !== MAGIC) throw new Error('not a vector file');
  if (from.u32() !== cases.length || from.u32() !== hashOfCases(cases)) {
    throw new Error(
      'the vectors were made for other cases: run `node --import tsx src/machine/cpu/vectors/generate.ts`',
    );
  }
  return cases.map((c) => {
    const head = from.u8();
    const vector = head & 0x1f;
    const changed = from.u8();
    const flags = from.u16() ^ c.flags;
    const regs = c.regs.slice();
    for (let r = 0; r < 8; r++) if (changed & (1 << r)) regs[r] = from.u32();
    const error = vector === 3 ? 0 : from.u16();
    const eip = head & ELSEWHERE ? from.u32() : expectedEip(c, vector);
    const data = c.data.slice();
    const stack = c.stack.slice();
    for (let left = head & MEMORY ? from.u8() : 0; left > 0; left--) {
      const k = from.u8();
      (k & 0x80 ? stack : data)[k & 0x7f] = from.u8();
    }
    const segments = segmentsBefore(c);
    const loaded = head & SEGMENTS ? from.u8() : 0;
    for (let s = 0; s < 6; s++) if (loaded & (1 << s)) segments[s] = from.u16();
    return { vector, error, regs, eip, flags, segments, data, stack };
  });
}
