// Memory operands of the floating-point unit and its relatives: eight, ten and more bytes, read or written whole or not at all
// (SDM vol. 1 §4.1, vol. 3 §6.15 "#AC").
import type { Instruction } from '../../isa/instruction.ts';
import {
  linearForRead,
  linearForWrite,
  readLinear16,
  readLinear32,
  writeLinear16,
  writeLinear32,
} from '../access.ts';
import type { Cpu } from '../cpu.ts';
import { fault, VECTOR } from '../fault.ts';
import { checksAlignment, translate } from '../paging.ts';
import { Word } from '../tlb.ts';

/** What `read64` and `read80` found, and what `write64` and `write80` store: low word, high word, sign and exponent. */
export const WORDS = new Int32Array(3);

function aligned(cpu: Cpu, linear: number, size: number): void {
  if (cpu.cpl === 3 && linear & (size - 1) && checksAlignment(cpu)) fault(cpu, VECTOR.AC, 0);
}

export function read64(cpu: Cpu, segment: number, offset: number): void {
  const linear = linearForRead(cpu, segment, offset, 8);
  const user = cpu.cpl === 3;
  const { tlb, memory } = cpu;
  if (tlb.has(linear, Word.read, user) && (linear & 0xfff) <= 0xff8) {
    const physical = tlb.physical(linear);
    WORDS[0] = memory.read32(physical);
    WORDS[1] = memory.read32(physical + 4);
    return;
  }
  aligned(cpu, linear, 8);
  WORDS[0] = readLinear32(cpu, linear, user);
  WORDS[1] = readLinear32(cpu, (linear + 4) >>> 0, user);
}

export function read80(cpu: Cpu, segment: number, offset: number): void {
  const linear = linearForRead(cpu, segment, offset, 10);
  const user = cpu.cpl === 3;
  aligned(cpu, linear, 8);
  WORDS[0] = readLinear32(cpu, linear, user);
  WORDS[1] = readLinear32(cpu, (linear + 4) >>> 0, user);
  WORDS[2] = readLinear16(cpu, (linear + 8) >>> 0, user);
}

export function write64(cpu: Cpu, segment: number, offset: number): void {
  const linear = linearForWrite(cpu, segment, offset, 8);
  const user = cpu.cpl === 3;
  const { tlb, memory } = cpu;
  if (tlb.has(linear, Word.write, user) && (linear & 0xfff) <= 0xff8) {
    const physical = tlb.physical(linear);
    memory.write32(physical, WORDS[0]);
    memory.write32(physical + 4, WORDS[1]);
    return;
  }
  aligned(cpu, linear, 8);
  reserve(cpu, linear, 8, user);
  writeLinear32(cpu, linear, WORDS[0], user);
  writeLinear32(cpu, (linear + 4) >>> 0, WORDS[1], user);
}

export function write80(cpu: Cpu, segment: number, offset: number): void {
  const linear = linearForWrite(cpu, segment, offset, 10);
  const user = cpu.cpl === 3;
  aligned(cpu, linear, 8);
  reserve(cpu, linear, 10, user);
  writeLinear32(cpu, linear, WORDS[0], user);
  writeLinear32(cpu, (linear + 4) >>> 0, WORDS[1], user);
  writeLinear16(cpu, (linear + 8) >>> 0, WORDS[2], user);
}

/** Faults now if any byte of [linear, linear+size) cannot be written; `size` is at most a page. */
export function reserve(cpu: Cpu, linear: number, size: number, user: boolean): void {
  translate(cpu, linear, true, user);
  translateEnd(cpu, linear, size, true, user);
}

/** A fault in a second page is reported at that page's first byte, as processors do. */
function translateEnd(cpu: Cpu, linear: number, size: number, write: boolean, user: boolean): void {
  const last = linear + size - 1;
  if ((linear ^ last) >>> 12) translate(cpu, (last & ~0xfff) >>> 0, write, user);
}

/** A block of state in memory, checked whole before anything is read or stored. Offsets are within the block. */
export class Block {
  private linear = 0;
  private user = false;

  forRead(cpu: Cpu, i: Instruction, offset: number, size: number): void {
    this.linear = linearForRead(cpu, i.segment, offset, size);
    this.user = cpu.cpl === 3;
    translate(cpu, this.linear, false, this.user);
    translateEnd(cpu, this.linear, size, false, this.user);
  }

  forWrite(cpu: Cpu, i: Instruction, offset: number, size: number): void {
    this.linear = linearForWrite(cpu, i.segment, offset, size);
    this.user = cpu.cpl === 3;
    reserve(cpu, this.linear, size, this.user);
  }

  get16(cpu: Cpu, at: number): number {
    return readLinear16(cpu, (this.linear + at) >>> 0, this.user);
  }
  /** As int32. */
  get32(cpu: Cpu, at: number): number {
    return readLinear32(cpu, (this.linear + at) >>> 0, this.user);
  }
  put16(cpu: Cpu, at: number, value: number): void {
    writeLinear16(cpu, (this.linear + at) >>> 0, value, this.user);
  }
  put32(cpu: Cpu, at: number, value: number): void {
    writeLinear32(cpu, (this.linear + at) >>> 0, value, this.user);
  }
}
