// The stack that a transfer of control builds: the current one, or the inner one that the TSS names (SDM vol. 3 §5.8.5,
// §6.12.1, §7.2.1). Values go to memory at once, SS:ESP only with `commit`, so that a fault leaves the registers as they were.

import { ESP, SS, TR } from '../isa/instruction.ts';
import {
  read16,
  read32,
  readLinear16,
  readLinear32,
  segmentAllows,
  writeLinear16,
  writeLinear32,
} from './access.ts';
import { type Cpu, SegmentRegister } from './cpu.ts';
import { fault, VECTOR } from './fault.ts';
import { loads } from './segment-loads.ts';
import {
  Access,
  checkStackSegment,
  Descriptor,
  markAccessed,
  selectorError,
  setHidden,
} from './segmentation.ts';

/** Of the inner stack that was begun last. */
export const innerStack = new Descriptor();

/** A stack under construction. One exists, for transfers do not nest. */
class Frame {
  private readonly segment = new SegmentRegister();
  private pointer = 0;
  private user = false;
  private error = 0;

  /** Begins on the current stack. @param ext the EXT bit for #SS(ext) when it is full */
  current(cpu: Cpu, ext: number): void {
    copy(cpu.segments[SS], this.segment);
    this.pointer = cpu.regs[ESP];
    this.user = cpu.cpl === 3;
    this.error = ext;
  }

  /** Begins on the stack that the TSS holds for privilege `level` (0..2). Raises #TS, #SS, #PF. */
  inner(cpu: Cpu, level: number, ext: number): void {
    const tss = cpu.segments[TR];
    const wide = (tss.access & 8) !== 0;
    const at = wide ? 4 + level * 8 : 2 + level * 4;
    if (at + (wide ? 7 : 3) > tss.limit) fault(cpu, VECTOR.TS, selectorError(tss.selector, ext));
    const place = (tss.base + at) >>> 0;
    const pointer = wide ? readLinear32(cpu, place, false) : readLinear16(cpu, place, false);
    const selector = readLinear16(cpu, (place + (wide ? 4 : 2)) >>> 0, false);
    checkStackSegment(cpu, selector, level, VECTOR.TS, ext, innerStack);
    markAccessed(cpu, innerStack);
    setHidden(this.segment, selector, innerStack);
    this.pointer = pointer;
    this.user = false;
    this.error = selectorError(selector, ext);
  }

  /** Raises #SS, #PF. @param wide 32 bits, else 16 */
  push(cpu: Cpu, value: number, wide: boolean): void {
    const size = wide ? 4 : 2;
    const next = advance(this.segment, this.pointer, -size);
    const offset = this.segment.access & Access.big ? next >>> 0 : next & 0xffff;
    if (!segmentAllows(this.segment, offset, size, true)) fault(cpu, VECTOR.SS, this.error);
    const linear = (this.segment.base + offset) >>> 0;
    if (wide) writeLinear32(cpu, linear, value, this.user);
    else writeLinear16(cpu, linear, value, this.user);
    this.pointer = next;
  }

  /** Makes it the processor's stack. */
  commit(cpu: Cpu): void {
    copy(this.segment, cpu.segments[SS]);
    cpu.regs[ESP] = this.pointer;
  }
}

/** The frame being built. */
export const frame = new Frame();

/** A stack pointer moved by `bytes`: a 16-bit stack changes SP only. */
export function advance(ss: SegmentRegister, pointer: number, bytes: number): number {
  if (ss.access & Access.big) return (pointer + bytes) | 0;
  return (pointer & ~0xffff) | ((pointer + bytes) & 0xffff);
}

/** Reads the stack at ESP + `bytes` without popping. Raises #SS(0), #PF. */
export function peekStack(cpu: Cpu, bytes: number, wide: boolean): number {
  const ss = cpu.segments[SS];
  const at = advance(ss, cpu.regs[ESP], bytes);
  const offset = ss.access & Access.big ? at : at & 0xffff;
  return wide ? read32(cpu, SS, offset) : read16(cpu, SS, offset);
}

function copy(from: SegmentRegister, to: SegmentRegister): void {
  loads.count++;
  to.selector = from.selector;
  to.base = from.base;
  to.limit = from.limit;
  to.access = from.access;
}
