// A second, plainly written model of segmentation, for the property tests: state as plain values, one function for each thing the
// manual names, exceptions as thrown values. Written from the pseudo-code of SDM vol. 2 and the figures of vol. 3 ch. 3, 5 and 7;
// it shares nothing with the processor in the folder above.

/** An exception with its error code. */
export class ModelFault extends Error {
  constructor(
    readonly vector: number,
    readonly code: number,
  ) {
    super(`vector ${vector}, error code ${code.toString(16)}`);
  }
}

export const TS = 10,
  NP = 11,
  SS_FAULT = 12,
  GP = 13;

/** Numbers of the segment registers. */
export const ES = 0,
  CS = 1,
  SS = 2,
  DS = 3,
  FS = 4,
  GS = 5;

export const FLAG = {
  tf: 0x100,
  if: 0x200,
  iopl: 0x3000,
  nt: 0x4000,
  rf: 0x10000,
  vm: 0x20000,
  ac: 0x40000,
  id: 0x200000,
} as const;

/** One descriptor, taken apart (figure 3-8, figures 5-8, 6-2, 7-3). */
export interface ModelDescriptor {
  at: number;
  type: number;
  segment: boolean;
  dpl: number;
  present: boolean;
  base: number;
  limit: number;
  big: boolean;
  granular: boolean;
  available: boolean;
  gateSelector: number;
  gateOffset: number;
  gateCount: number;
}

export interface ModelSegment {
  selector: number;
  /** Undefined: null, nothing can be reached through it. */
  descriptor?: ModelDescriptor;
}

export interface World {
  memory: Uint8Array;
  gdt: { base: number; limit: number };
  idt: { base: number; limit: number };
  ldt: { selector: number; base: number; limit: number } | null;
  tr: { selector: number; base: number; limit: number; wide: boolean };
  segments: ModelSegment[];
  /** EAX ECX EDX EBX ESP EBP ESI EDI. */
  regs: number[];
  eip: number;
  flags: number;
  cpl: number;
  taskSwitched: boolean;
}

export function read(w: World, linear: number, bytes: number): number {
  let value = 0;
  for (let k = bytes - 1; k >= 0; k--) value = value * 256 + (w.memory[(linear + k) >>> 0] ?? 0xff);
  return value;
}

export function write(w: World, linear: number, value: number, bytes: number): void {
  for (let k = 0; k < bytes; k++) {
    const at = (linear + k) >>> 0;
    if (at < w.memory.length) w.memory[at] = Math.floor((value >>> 0) / 256 ** k) & 0xff;
  }
}

export function parse(w: World, at: number): ModelDescriptor {
  const low = read(w, at, 4);
  const high = read(w, at + 4, 4);
  const granular = ((high >>> 23) & 1) === 1;
  const limit = (low & 0xffff) + (high & 0x000f0000);
  return {
    at,
    type: (high >>> 8) & 15,
    segment: ((high >>> 12) & 1) === 1,
    dpl: (high >>> 13) & 3,
    present: ((high >>> 15) & 1) === 1,
    base: ((low >>> 16) + (high & 0xff) * 0x10000 + (high >>> 24) * 0x1000000) >>> 0,
    limit: granular ? limit * 4096 + 4095 : limit,
    big: ((high >>> 22) & 1) === 1,
    granular,
    available: ((high >>> 20) & 1) === 1,
    gateSelector: low >>> 16,
    gateOffset: (high >>> 16) * 0x10000 + (low & 0xffff),
    gateCount: high & 31,
  };
}

export const isNull = (selector: number): boolean => (selector & 0xfffc) === 0;
export const rplOf = (selector: number): number => selector & 3;
/** How an error code names a selector. */
export const named = (selector: number, ext = 0): number => (selector & 0xfffc) + ext;

export const isCode = (d: ModelDescriptor): boolean => d.segment && d.type >= 8;
export const isConforming = (d: ModelDescriptor): boolean => isCode(d) && (d.type & 4) !== 0;
export const isData = (d: ModelDescriptor): boolean => d.segment && d.type < 8;
export const isWritable = (d: ModelDescriptor): boolean => isData(d) && (d.type & 2) !== 0;
export const isReadableCode = (d: ModelDescriptor): boolean => isCode(d) && (d.type & 2) !== 0;

/** The descriptor of a selector, or undefined when it lies outside its table. */
export function lookUp(w: World, selector: number): ModelDescriptor | undefined {
  const table = selector & 4 ? w.ldt : w.gdt;
  if (table === null) return undefined;
  const offset = selector - (selector & 7);
  if (offset + 7 > table.limit) return undefined;
  return parse(w, table.base + offset);
}

/** Loads a register from a checked descriptor: the accessed bit is set in memory and in the register. */
export function setSegment(w: World, register: number, selector: number, d: ModelDescriptor): void {
  if ((d.type & 1) === 0) write(w, d.at + 5, read(w, d.at + 5, 1) + 1, 1);
  w.segments[register] = { selector, descriptor: { ...d, type: d.type | 1 } };
}

/** MOV, POP, LDS …: what may be loaded into which register (SDM vol. 2B "MOV", operation of protected mode). */
export function loadRegister(w: World, register: number, selector: number): void {
  if (register === SS) {
    if (isNull(selector)) throw new ModelFault(GP, 0);
    const d = lookUp(w, selector);
    if (!d) throw new ModelFault(GP, named(selector));
    if (rplOf(selector) !== w.cpl || !isWritable(d) || d.dpl !== w.cpl)
      throw new ModelFault(GP, named(selector));
    if (!d.present) throw new ModelFault(SS_FAULT, named(selector));
    setSegment(w, SS, selector, d);
    return;
  }
  if (isNull(selector)) {
    w.segments[register] = { selector };
    return;
  }
  const d = lookUp(w, selector);
  if (!d) throw new ModelFault(GP, named(selector));
  if (!isData(d) && !isReadableCode(d)) throw new ModelFault(GP, named(selector));
  if (isData(d) || !isConforming(d)) {
    if (rplOf(selector) > d.dpl || w.cpl > d.dpl) throw new ModelFault(GP, named(selector));
  }
  if (!d.present) throw new ModelFault(NP, named(selector));
  setSegment(w, register, selector, d);
}

/** Whether `bytes` at `offset` lie within a segment: limits of §5.3, the other way round for expand-down data. */
export function within(d: ModelDescriptor, offset: number, bytes: number): boolean {
  const last = offset + bytes - 1;
  if (isData(d) && d.type & 4) return offset > d.limit && last <= (d.big ? 0xffffffff : 0xffff);
  return last <= d.limit;
}

/** A read or write of data through a register: undefined when allowed, else the vector. */
export function accessFault(
  w: World,
  register: number,
  offset: number,
  bytes: number,
  writing: boolean,
): number | undefined {
  const { descriptor: d } = w.segments[register];
  if (!d) return GP;
  if (writing ? !isWritable(d) : !isData(d) && !isReadableCode(d)) return GP;
  if (!within(d, offset, bytes)) return register === SS ? SS_FAULT : GP;
  return undefined;
}

/** A stack as it is used by a transfer: pushes go to memory, the registers follow when all is done. */
export class ModelStack {
  constructor(
    readonly w: World,
    readonly segment: ModelSegment,
    public pointer: number,
    readonly code: number,
  ) {}

  private get mask(): number {
    return this.segment.descriptor!.big ? 0xffffffff : 0xffff;
  }

  private move(by: number): number {
    const moved = ((this.pointer & this.mask) + by) & this.mask;
    return ((this.pointer & ~this.mask) | moved) >>> 0;
  }

  push(value: number, bytes: number): void {
    const d = this.segment.descriptor!;
    const pointer = this.move(-bytes);
    const offset = (pointer & this.mask) >>> 0;
    if (!within(d, offset, bytes)) throw new ModelFault(SS_FAULT, this.code);
    write(this.w, d.base + offset, value, bytes);
    this.pointer = pointer;
  }

  pop(bytes: number): number {
    const d = this.segment.descriptor!;
    const offset = (this.pointer & this.mask) >>> 0;
    if (!within(d, offset, bytes)) throw new ModelFault(SS_FAULT, this.code);
    this.pointer = this.move(bytes);
    return read(this.w, d.base + offset, bytes);
  }

  drop(bytes: number): void {
    this.pointer = this.move(bytes);
  }
}

export const stackOf = (w: World, code = 0): ModelStack => new ModelStack(w, w.segments[SS], w.regs[4], code);
