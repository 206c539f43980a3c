// Segment registers and descriptors (SDM vol. 3 §3.4, §5.2–5.6): fetching from GDT and LDT, what may be loaded where, and
// the real-mode and virtual-8086 meaning of a selector. Checks come first, then the accessed bit, then the register.

import { CS, LDTR, SS } from '../isa/instruction.ts';
import { readLinear32, writeLinear8 } from './access.ts';
import { type Cpu, type SegmentRegister, Stop } from './cpu.ts';
import { fault, VECTOR } from './fault.ts';
import { DATA_SEGMENTS, KnownData } from './known-words.ts';
import { loads } from './segment-loads.ts';

/** The table indicator of a selector: in the LDT. */
const LOCAL = 4;

export const CR0_PE = 1;
export const FLAG_VM = 1 << 17;

/** Bits of `SegmentRegister.access`. */
export const Access = {
  accessed: 1,
  writable: 2,
  readable: 2,
  expandDown: 4,
  conforming: 4,
  code: 8,
  nonSystem: 0x10,
  present: 0x80,
  big: 0x4000,
  granularity: 0x8000,
  unusable: 0x10000,
} as const;

/** System descriptor types (SDM vol. 3 table 3-2). */
export const SystemType = {
  tss16: 1,
  ldt: 2,
  busyTss16: 3,
  callGate16: 4,
  taskGate: 5,
  interruptGate16: 6,
  trapGate16: 7,
  tss32: 9,
  busyTss32: 11,
  callGate32: 12,
  interruptGate32: 14,
  trapGate32: 15,
} as const;

/** An eight-byte descriptor as it stands in its table. */
export class Descriptor {
  selector = 0;
  /** Linear address of the entry. */
  address = 0;
  low = 0;
  high = 0;

  /** In the form of `SegmentRegister.access`. */
  get access(): number {
    return (this.high >>> 8) & 0xf0ff;
  }
  get base(): number {
    return ((this.low >>> 16) | ((this.high & 0xff) << 16) | (this.high & 0xff000000)) >>> 0;
  }
  /** In bytes, granularity applied. */
  get limit(): number {
    const limit = (this.low & 0xffff) | (this.high & 0xf0000);
    return this.high & 0x800000 ? ((limit << 12) | 0xfff) >>> 0 : limit;
  }
  get dpl(): number {
    return (this.high >>> 13) & 3;
  }
  get present(): boolean {
    return (this.high & 0x8000) !== 0;
  }
  /** Code or data, not a gate or system segment. */
  get isSegment(): boolean {
    return (this.high & 0x1000) !== 0;
  }
  get isCode(): boolean {
    return (this.high & 0x1800) === 0x1800;
  }
  get isConforming(): boolean {
    return (this.high & 0x1c00) === 0x1c00;
  }
  get isWritableData(): boolean {
    return (this.high & 0x1a00) === 0x1200;
  }
  /** Data, or code that may be read. */
  get isReadable(): boolean {
    return this.isSegment && (this.high & 0x0a00) !== 0x0800;
  }
  /** `SystemType` when not a segment, else -1. */
  get systemType(): number {
    return this.isSegment ? -1 : (this.high >>> 8) & 15;
  }
  /** Gates: where they lead. */
  get gateSelector(): number {
    return this.low >>> 16;
  }
  get gateOffset(): number {
    return ((this.low & 0xffff) | (this.high & 0xffff0000)) >>> 0;
  }
}

/** Protected mode proper: not real mode, not virtual-8086. */
export function isProtected(cpu: Cpu): boolean {
  return (cpu.cr0 & CR0_PE) !== 0 && (cpu.flags & FLAG_VM) === 0;
}

/** True when the selector names GDT entry 0. */
export function isNull(selector: number): boolean {
  return (selector & 0xfffc) === 0;
}

/**
 * Reads the descriptor of a selector into `into`; the read is a supervisor's whatever the CPL, and may raise #PF.
 * @returns false when the selector lies outside its table (or there is no LDT): the caller knows which exception that is
 */
export function fetchDescriptor(cpu: Cpu, selector: number, into: Descriptor): boolean {
  const offset = selector & 0xfff8;
  let base = cpu.gdtr.base;
  let limit = cpu.gdtr.limit;
  if (selector & 4) {
    const ldt = cpu.segments[LDTR];
    if (ldt.access & Access.unusable) return false;
    base = ldt.base;
    limit = ldt.limit;
  }
  if (offset + 7 > limit) return false;
  into.selector = selector;
  into.address = (base + offset) >>> 0;
  into.low = readLinear32(cpu, into.address, false);
  into.high = readLinear32(cpu, (into.address + 4) >>> 0, false);
  return true;
}

/** As `fetchDescriptor`, raising `vector` with the selector as error code when there is none. @param ext 1 while delivering an event */
export function requireDescriptor(
  cpu: Cpu,
  selector: number,
  into: Descriptor,
  vector: number,
  ext = 0,
): void {
  if (!fetchDescriptor(cpu, selector, into)) fault(cpu, vector, selectorError(selector, ext));
}

/** Error code that names a selector. */
export function selectorError(selector: number, ext = 0): number {
  return (selector & 0xfffc) | ext;
}

/** Sets the accessed bit of a segment descriptor, in memory and in the copy. */
export function markAccessed(cpu: Cpu, d: Descriptor): void {
  if (d.high & 0x100) return;
  d.high |= 0x100;
  writeLinear8(cpu, (d.address + 5) >>> 0, (d.high >>> 8) & 0xff, false);
}

/** Fills a segment register from a checked descriptor. */
export function setHidden(s: SegmentRegister, selector: number, d: Descriptor): void {
  loads.count++;
  s.selector = selector & 0xffff;
  s.base = d.base;
  s.limit = d.limit;
  s.access = d.access;
}

/** Makes a data segment register null: any access through it is #GP. */
export function setNull(s: SegmentRegister, selector = 0): void {
  loads.count++;
  s.selector = selector & 0xffff;
  s.base = 0;
  s.limit = 0;
  s.access = Access.unusable;
}

/**
 * Transfers control: CS from a checked descriptor with RPL := `cpl`, and EIP (which the caller has held against the limit).
 * Stops the processor when that is an entry point of the monitor.
 */
export function enterCode(cpu: Cpu, selector: number, d: Descriptor, cpl: number, eip: number): void {
  setHidden(cpu.segments[CS], (selector & 0xfffc) | cpl, d);
  cpu.cpl = cpl;
  cpu.eip = eip >>> 0;
  cpu.tlb.generation++;
  stopInMonitor(cpu);
}

/** Ends `run` with Stop.monitor when control has reached the monitor's entry points at CPL 0, outside non-root operation. */
export function stopInMonitor(cpu: Cpu): void {
  if (cpu.monitorSize === 0 || cpu.cpl !== 0 || cpu.intercepts !== null) return;
  if ((cpu.segments[CS].base + cpu.eip - cpu.monitorBase) >>> 0 < cpu.monitorSize) cpu.stop = Stop.monitor;
}

/** Real mode: the base follows the selector; limit and size stay what they were ("unreal mode" lives from that). */
export function setRealMode(cpu: Cpu, register: number, selector: number): void {
  loads.count++;
  const s = cpu.segments[register];
  s.selector = selector & 0xffff;
  s.base = (selector & 0xffff) << 4;
  s.access = (s.access & (Access.big | Access.granularity)) | 0x93;
  if (register === CS) cpu.tlb.generation++;
}

/** Virtual-8086 mode: 64 KiB at 16 times the selector, DPL 3 (SDM vol. 3 §20.2.1). */
export function setVirtual8086(cpu: Cpu, register: number, selector: number): void {
  loads.count++;
  const s = cpu.segments[register];
  s.selector = selector & 0xffff;
  s.base = (selector & 0xffff) << 4;
  s.limit = 0xffff;
  s.access = 0xf3;
  if (register === CS) cpu.tlb.generation++;
}

const scratch = new Descriptor();

/**
 * Loads ES, SS, DS, FS or GS as MOV, POP and LxS do (SDM vol. 2 "MOV"). Raises #GP, #NP, #SS, #PF and then has loaded nothing.
 * The caller sets the MOV SS shadow.
 */
export function loadSegment(cpu: Cpu, register: number, selector: number): void {
  selector &= 0xffff;
  if (!(cpu.cr0 & CR0_PE)) {
    setRealMode(cpu, register, selector);
    return;
  }
  if (cpu.flags & FLAG_VM) {
    setVirtual8086(cpu, register, selector);
    return;
  }
  if (register === SS) {
    loadStackSegment(cpu, selector, cpu.cpl, VECTOR.GP, 0);
    return;
  }
  if (isNull(selector)) {
    setNull(cpu.segments[register], selector);
    return;
  }
  const at = (selector >>> 3) & (DATA_SEGMENTS - 1);
  if (cpu.known.data[at]?.load(cpu, cpu.segments[register], selector)) return;
  const d = scratch;
  requireDescriptor(cpu, selector, d, VECTOR.GP);
  if (!d.isReadable) fault(cpu, VECTOR.GP, selectorError(selector));
  if (!d.isConforming && (selector & 3 || cpu.cpl) && ((selector & 3) > d.dpl || cpu.cpl > d.dpl))
    fault(cpu, VECTOR.GP, selectorError(selector));
  if (!d.present) fault(cpu, VECTOR.NP, selectorError(selector));
  markAccessed(cpu, d);
  setHidden(cpu.segments[register], selector, d);
  if (!(selector & LOCAL)) (cpu.known.data[at] ??= new KnownData()).learn(cpu, selector, d);
}

/**
 * Reads and checks the descriptor of a new SS at privilege `cpl` into `d`: writable data, DPL = RPL = cpl, present.
 * @param vector #GP for instructions, #TS when the selector comes out of a TSS
 */
export function checkStackSegment(
  cpu: Cpu,
  selector: number,
  cpl: number,
  vector: number,
  ext: number,
  d: Descriptor,
): void {
  if (isNull(selector)) fault(cpu, vector, ext);
  requireDescriptor(cpu, selector, d, vector, ext);
  if ((selector & 3) !== cpl || !d.isWritableData || d.dpl !== cpl)
    fault(cpu, vector, selectorError(selector, ext));
  if (!d.present) fault(cpu, VECTOR.SS, selectorError(selector, ext));
}

function loadStackSegment(cpu: Cpu, selector: number, cpl: number, vector: number, ext: number): void {
  checkStackSegment(cpu, selector, cpl, vector, ext, scratch);
  markAccessed(cpu, scratch);
  setHidden(cpu.segments[SS], selector, scratch);
}
