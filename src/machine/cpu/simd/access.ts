// Registers and memory of MMX and SSE instructions: what must hold before one (SDM vol. 3 §12.1, §13.1), and their operands.
import type { Instruction } from '../../isa/instruction.ts';
import { linearForRead, linearForWrite, readLinear32, writeLinear32 } from '../access.ts';
import { effectiveAddress } from '../address.ts';
import type { Cpu } from '../cpu.ts';
import { fault, VECTOR } from '../fault.ts';
import { begin, CR0_EM, CR0_TS } from '../x87/exceptions.ts';
import { read64, reserve, WORDS, write64 } from '../x87/memory.ts';
import type { X87 } from '../x87/state.ts';
import { D32, S32 } from './lanes.ts';

const CR4_OSFXSR = 1 << 9;

/** An MMX instruction that touches an mm register: #UD, #NM, #MF; then the stack is flat and full. */
export function beginMmx(cpu: Cpu): X87 {
  if (cpu.cr0 & CR0_EM) fault(cpu, VECTOR.UD);
  return begin(cpu);
}

/** What using an mm register does to the stack; when nothing can fault any more. */
export function enterMmx(f: X87): void {
  f.top = 0;
  f.occupied = 0xff;
}

/** An SSE instruction: #UD unless the operating system saves xmm registers, #NM. */
export function beginSse(cpu: Cpu): X87 {
  if (cpu.cr0 & CR0_EM || !(cpu.cr4 & CR4_OSFXSR)) fault(cpu, VECTOR.UD);
  if (cpu.cr0 & CR0_TS) fault(cpu, VECTOR.NM);
  return cpu.x87;
}

export function mmToSource(f: X87, register: number): void {
  S32[0] = f.lo[register];
  S32[1] = f.hi[register];
}
export function mmToDestination(f: X87, register: number): void {
  D32[0] = f.lo[register];
  D32[1] = f.hi[register];
}
export function destinationToMm(f: X87, register: number): void {
  f.set(register, 0xffff, D32[1], D32[0]);
}
export function xmmToSource(f: X87, register: number): void {
  for (let n = 0; n < 4; n++) S32[n] = f.xmm[4 * register + n];
}
export function xmmToDestination(f: X87, register: number): void {
  for (let n = 0; n < 4; n++) D32[n] = f.xmm[4 * register + n];
}
export function destinationToXmm(f: X87, register: number): void {
  for (let n = 0; n < 4; n++) f.xmm[4 * register + n] = D32[n];
}

/** Sixteen bytes of memory into the source. @param aligned an address that is no multiple of 16 is #GP(0) */
export function memoryToSource(cpu: Cpu, i: Instruction, aligned: boolean): void {
  const linear = linearForRead(cpu, i.segment, effectiveAddress(cpu, i), 16);
  if (aligned && linear & 15) fault(cpu, VECTOR.GP, 0);
  const user = cpu.cpl === 3;
  for (let n = 0; n < 4; n++) S32[n] = readLinear32(cpu, (linear + 4 * n) >>> 0, user);
}

/** The source into sixteen bytes of memory. */
export function sourceToMemory(cpu: Cpu, i: Instruction, aligned: boolean): void {
  const linear = linearForWrite(cpu, i.segment, effectiveAddress(cpu, i), 16);
  if (aligned && linear & 15) fault(cpu, VECTOR.GP, 0);
  const user = cpu.cpl === 3;
  reserve(cpu, linear, 16, user);
  for (let n = 0; n < 4; n++) writeLinear32(cpu, (linear + 4 * n) >>> 0, S32[n], user);
}

/** Eight bytes of memory into the low half of the source. */
export function quadToSource(cpu: Cpu, i: Instruction): void {
  read64(cpu, i.segment, effectiveAddress(cpu, i));
  S32[0] = WORDS[0];
  S32[1] = WORDS[1];
}

/** One quadword of the source into memory. @param half 0 low, 1 high */
export function sourceToQuad(cpu: Cpu, i: Instruction, half: number): void {
  WORDS[0] = S32[2 * half];
  WORDS[1] = S32[2 * half + 1];
  write64(cpu, i.segment, effectiveAddress(cpu, i));
}
