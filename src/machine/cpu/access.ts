// Memory as instructions see it: segment checks (SDM vol. 3 §5.3–5.5), then paging, then the bytes. Nothing is half-written:
// an access that touches two pages is translated whole before its first byte moves.
// Offsets and linear addresses may be passed signed or unsigned. 8- and 16-bit results are unsigned, 32-bit results int32.

import { SS } from '../isa/instruction.ts';
import type { Cpu, SegmentRegister } from './cpu.ts';
import { DR7_ENABLES, watchData } from './debug.ts';
import { fault, VECTOR } from './fault.ts';
import { checksAlignment, translate } from './paging.ts';
import { entryAt, Word } from './tlb.ts';

/** P=1, S=1, data, expand-up, usable (and writable): what needs no look at the type. */
const PLAIN_MASK = 0x1009c;
const PLAIN_READ = 0x90;
export const PLAIN_WRITE_MASK = 0x1009e;
export const PLAIN_WRITE = 0x92;

/** Linear address of an operand after all segment checks. @param size in bytes; raises #GP(0), or #SS(0) through SS */
export function linearForRead(cpu: Cpu, segment: number, offset: number, size: number): number {
  const s = cpu.segments[segment];
  const at = offset >>> 0;
  if ((s.access & PLAIN_MASK) !== PLAIN_READ || at + size - 1 > s.limit)
    checkSegment(cpu, s, segment, at, size, false);
  return (s.base + at) >>> 0;
}

/** As `linearForRead`, for a store. */
export function linearForWrite(cpu: Cpu, segment: number, offset: number, size: number): number {
  const s = cpu.segments[segment];
  const at = offset >>> 0;
  if ((s.access & PLAIN_WRITE_MASK) !== PLAIN_WRITE || at + size - 1 > s.limit)
    checkSegment(cpu, s, segment, at, size, true);
  return (s.base + at) >>> 0;
}

function checkSegment(
  cpu: Cpu,
  s: SegmentRegister,
  segment: number,
  at: number,
  size: number,
  write: boolean,
): void {
  if (!segmentAllows(s, at, size, write)) fault(cpu, segment === SS ? VECTOR.SS : VECTOR.GP, 0);
}

/** Whether a segment register lets [at, at+size) be read or written: rights, limit, expand-down (SDM vol. 3 §5.3, §3.4.5.1). */
export function segmentAllows(s: SegmentRegister, at: number, size: number, write: boolean): boolean {
  const access = s.access;
  if (access & 0x10000 || !(access & 0x80)) return false;
  const code = (access & 8) !== 0;
  if (write ? code || !(access & 2) : code && !(access & 2)) return false;
  const last = at + size - 1;
  if (!code && access & 4) return at > s.limit && last <= (access & 0x4000 ? 0xffffffff : 0xffff);
  return last <= s.limit;
}

// Linear accesses. `user` says with whose rights: an instruction's operand has `cpu.cpl === 3`, a descriptor table false.

/** #AC(0) for a misaligned operand of ring 3, where CR0.AM and EFLAGS.AC ask for it. */
function misaligned(cpu: Cpu): void {
  if (checksAlignment(cpu)) fault(cpu, VECTOR.AC, 0);
}

export function readLinear8(cpu: Cpu, linear: number, user: boolean): number {
  if (cpu.dr[7] & DR7_ENABLES) watchData(cpu, linear, 1, false);
  return cpu.memory.busRead8(translate(cpu, linear, false, user));
}

export function readLinear16(cpu: Cpu, linear: number, user: boolean): number {
  const at = entryAt(linear);
  const { tlb } = cpu;
  if (
    tlb.words[at + Word.read + (user ? 1 : 0)] === ((linear >>> 12) | tlb.space) &&
    (linear & 0xfff) < 0xfff
  )
    return cpu.memory.read16((tlb.words[at + Word.offset] + linear) | 0);
  if (cpu.dr[7] & DR7_ENABLES) watchData(cpu, linear, 2, false);
  const physical = translate(cpu, linear, false, user);
  if (user && linear & 1) misaligned(cpu);
  if ((linear & 0xfff) < 0xfff) return cpu.memory.busRead16(physical);
  const second = translate(cpu, (linear + 1) >>> 0, false, user);
  return cpu.memory.busRead8(physical) | (cpu.memory.busRead8(second) << 8);
}

export function readLinear32(cpu: Cpu, linear: number, user: boolean): number {
  const at = entryAt(linear);
  const { tlb } = cpu;
  if (
    tlb.words[at + Word.read + (user ? 1 : 0)] === ((linear >>> 12) | tlb.space) &&
    (linear & 0xfff) < 0xffd
  )
    return cpu.memory.read32((tlb.words[at + Word.offset] + linear) | 0);
  if (cpu.dr[7] & DR7_ENABLES) watchData(cpu, linear, 4, false);
  const physical = translate(cpu, linear, false, user);
  if (user && linear & 3) misaligned(cpu);
  const inPage = 0x1000 - (linear & 0xfff);
  if (inPage >= 4) return cpu.memory.busRead32(physical);
  const second = translate(cpu, (linear + inPage) >>> 0, false, user);
  let value = 0;
  for (let k = 0; k < 4; k++)
    value |= cpu.memory.busRead8(k < inPage ? physical + k : second + k - inPage) << (8 * k);
  return value;
}

/** Whether a store of `size` bytes may go straight to memory: the TLB has its page, and the memory looks for code itself. */
function storesBeside(cpu: Cpu, linear: number, size: number, user: boolean): boolean {
  return cpu.tlb.has(linear, Word.beside, user) && (linear & 0xfff) + size <= 0x1000;
}

export function writeLinear8(cpu: Cpu, linear: number, value: number, user: boolean): void {
  if (storesBeside(cpu, linear, 1, user)) {
    cpu.memory.write8(cpu.tlb.physical(linear), value);
    return;
  }
  if (cpu.dr[7] & DR7_ENABLES) watchData(cpu, linear, 1, true);
  cpu.memory.busWrite8(translate(cpu, linear, true, user), value);
}

export function writeLinear16(cpu: Cpu, linear: number, value: number, user: boolean): void {
  if (storesBeside(cpu, linear, 2, user)) {
    cpu.memory.write16(cpu.tlb.physical(linear), value);
    return;
  }
  if (cpu.dr[7] & DR7_ENABLES) watchData(cpu, linear, 2, true);
  const physical = translate(cpu, linear, true, user);
  if (user && linear & 1) misaligned(cpu);
  if ((linear & 0xfff) < 0xfff) {
    cpu.memory.busWrite16(physical, value);
    return;
  }
  const second = translate(cpu, (linear + 1) >>> 0, true, user);
  cpu.memory.busWrite8(physical, value);
  cpu.memory.busWrite8(second, value >> 8);
}

export function writeLinear32(cpu: Cpu, linear: number, value: number, user: boolean): void {
  const at = entryAt(linear);
  const { tlb } = cpu;
  if (
    tlb.words[at + Word.write + (user ? 1 : 0)] === ((linear >>> 12) | tlb.space) &&
    (linear & 0xfff) < 0xffd
  ) {
    cpu.memory.write32((tlb.words[at + Word.offset] + linear) | 0, value);
    return;
  }
  if (storesBeside(cpu, linear, 4, user)) {
    cpu.memory.write32(cpu.tlb.physical(linear), value);
    return;
  }
  if (cpu.dr[7] & DR7_ENABLES) watchData(cpu, linear, 4, true);
  const physical = translate(cpu, linear, true, user);
  if (user && linear & 3) misaligned(cpu);
  const inPage = 0x1000 - (linear & 0xfff);
  if (inPage >= 4) {
    cpu.memory.busWrite32(physical, value);
    return;
  }
  const second = translate(cpu, (linear + inPage) >>> 0, true, user);
  for (let k = 0; k < 4; k++)
    cpu.memory.busWrite8(k < inPage ? physical + k : second + k - inPage, value >> (8 * k));
}

// Operands of instructions: segment, offset. Each looks for the fast TLB tag itself, because this is the inner loop.

export function read8(cpu: Cpu, segment: number, offset: number): number {
  const linear = linearForRead(cpu, segment, offset, 1);
  const at = entryAt(linear);
  const { tlb } = cpu;
  if (tlb.words[at + Word.read + (cpu.cpl === 3 ? 1 : 0)] === ((linear >>> 12) | tlb.space))
    return cpu.memory.read8((tlb.words[at + Word.offset] + linear) | 0);
  return readLinear8(cpu, linear, cpu.cpl === 3);
}

export function read16(cpu: Cpu, segment: number, offset: number): number {
  const linear = linearForRead(cpu, segment, offset, 2);
  const at = entryAt(linear);
  const { tlb } = cpu;
  if (
    tlb.words[at + Word.read + (cpu.cpl === 3 ? 1 : 0)] === ((linear >>> 12) | tlb.space) &&
    (linear & 0xfff) < 0xfff
  ) {
    return cpu.memory.read16((tlb.words[at + Word.offset] + linear) | 0);
  }
  return readLinear16(cpu, linear, cpu.cpl === 3);
}

/** As int32. */
export function read32(cpu: Cpu, segment: number, offset: number): number {
  const linear = linearForRead(cpu, segment, offset, 4);
  const at = entryAt(linear);
  const { tlb } = cpu;
  if (
    tlb.words[at + Word.read + (cpu.cpl === 3 ? 1 : 0)] === ((linear >>> 12) | tlb.space) &&
    (linear & 0xfff) < 0xffd
  ) {
    return cpu.memory.read32((tlb.words[at + Word.offset] + linear) | 0);
  }
  return readLinear32(cpu, linear, cpu.cpl === 3);
}

export function write8(cpu: Cpu, segment: number, offset: number, value: number): void {
  const linear = linearForWrite(cpu, segment, offset, 1);
  const at = entryAt(linear);
  const { tlb } = cpu;
  if (tlb.words[at + Word.write + (cpu.cpl === 3 ? 1 : 0)] === ((linear >>> 12) | tlb.space))
    cpu.memory.write8((tlb.words[at + Word.offset] + linear) | 0, value);
  else writeLinear8(cpu, linear, value, cpu.cpl === 3);
}

export function write16(cpu: Cpu, segment: number, offset: number, value: number): void {
  const linear = linearForWrite(cpu, segment, offset, 2);
  const at = entryAt(linear);
  const { tlb } = cpu;
  if (
    tlb.words[at + Word.write + (cpu.cpl === 3 ? 1 : 0)] === ((linear >>> 12) | tlb.space) &&
    (linear & 0xfff) < 0xfff
  ) {
    cpu.memory.write16((tlb.words[at + Word.offset] + linear) | 0, value);
  } else writeLinear16(cpu, linear, value, cpu.cpl === 3);
}

export function write32(cpu: Cpu, segment: number, offset: number, value: number): void {
  const linear = linearForWrite(cpu, segment, offset, 4);
  const at = entryAt(linear);
  const { tlb } = cpu;
  if (
    tlb.words[at + Word.write + (cpu.cpl === 3 ? 1 : 0)] === ((linear >>> 12) | tlb.space) &&
    (linear & 0xfff) < 0xffd
  ) {
    cpu.memory.write32((tlb.words[at + Word.offset] + linear) | 0, value);
  } else writeLinear32(cpu, linear, value, cpu.cpl === 3);
}

// Read–modify–write: `modify*` checks for a write and remembers the place, `commit*` stores there and cannot fault.
// Nothing else may access memory in between.

let firstPhysical = 0;
/** A device may answer at `firstPhysical`. */
let onBus = false;
/** Physical address of the part in the next page, and how many bytes lie before it. */
let secondPhysical = 0;
let firstBytes = 4;

function locate(cpu: Cpu, segment: number, offset: number, size: number): void {
  const linear = linearForWrite(cpu, segment, offset, size);
  const user = cpu.cpl === 3;
  const at = entryAt(linear) + (user ? 1 : 0);
  const { words, space } = cpu.tlb;
  const tag = (linear >>> 12) | space;
  if (
    (words[at + Word.write] === tag || words[at + Word.beside] === tag) &&
    (linear & 0xfff) + size <= 0x1000
  ) {
    firstPhysical = cpu.tlb.physical(linear);
    firstBytes = size;
    onBus = false;
    return;
  }
  onBus = true;
  if (cpu.dr[7] & DR7_ENABLES) watchData(cpu, linear, size, true);
  firstPhysical = translate(cpu, linear, true, user);
  if (user && linear & (size - 1)) misaligned(cpu);
  firstBytes = 0x1000 - (linear & 0xfff);
  if (firstBytes < size) secondPhysical = translate(cpu, (linear + firstBytes) >>> 0, true, user);
}

export function modify8(cpu: Cpu, segment: number, offset: number): number {
  locate(cpu, segment, offset, 1);
  return onBus ? cpu.memory.busRead8(firstPhysical) : cpu.memory.read8(firstPhysical);
}

export function modify16(cpu: Cpu, segment: number, offset: number): number {
  locate(cpu, segment, offset, 2);
  if (!onBus) return cpu.memory.read16(firstPhysical);
  if (firstBytes >= 2) return cpu.memory.busRead16(firstPhysical);
  return cpu.memory.busRead8(firstPhysical) | (cpu.memory.busRead8(secondPhysical) << 8);
}

/** As int32. */
export function modify32(cpu: Cpu, segment: number, offset: number): number {
  locate(cpu, segment, offset, 4);
  if (!onBus) return cpu.memory.read32(firstPhysical);
  if (firstBytes >= 4) return cpu.memory.busRead32(firstPhysical);
  let value = 0;
  for (let k = 0; k < 4; k++) value |= cpu.memory.busRead8(place(k)) << (8 * k);
  return value;
}

export function commit8(cpu: Cpu, value: number): void {
  if (onBus) cpu.memory.busWrite8(firstPhysical, value);
  else cpu.memory.write8(firstPhysical, value);
}

export function commit16(cpu: Cpu, value: number): void {
  if (!onBus) {
    cpu.memory.write16(firstPhysical, value);
    return;
  }
  if (firstBytes >= 2) {
    cpu.memory.busWrite16(firstPhysical, value);
    return;
  }
  cpu.memory.busWrite8(firstPhysical, value);
  cpu.memory.busWrite8(secondPhysical, value >> 8);
}

export function commit32(cpu: Cpu, value: number): void {
  if (!onBus) {
    cpu.memory.write32(firstPhysical, value);
    return;
  }
  if (firstBytes >= 4) {
    cpu.memory.busWrite32(firstPhysical, value);
    return;
  }
  for (let k = 0; k < 4; k++) cpu.memory.busWrite8(place(k), value >> (8 * k));
}

function place(k: number): number {
  return k < firstBytes ? firstPhysical + k : secondPhysical + k - firstBytes;
}
