// Instructions about the unit itself: FNINIT, FNCLEX, control and status word, environment, whole state, FXSAVE, FWAIT
// (SDM vol. 1 §8.1.8–8.1.10, §10.5; vol. 2).
import type { Instruction } from '../../isa/instruction.ts';
import { read16, write16 } from '../access.ts';
import { effectiveAddress } from '../address.ts';
import type { Cpu } from '../cpu.ts';
import { fault, VECTOR } from '../fault.ts';
import { getFlags, VM } from '../flags.ts';
import { CR0_PE } from '../segmentation.ts';
import { begin, requireUnit, wait } from '../x87/exceptions.ts';
import { Block } from '../x87/memory.ts';
import { EXCEPTIONS, MXCSR_MASK, type X87 } from '../x87/state.ts';
import type { Executor, Executors } from './executor.ts';

/** Bits of the control word that exist; bit 6 always reads as one. */
const CONTROL_BITS = 0x1f3f;
const CONTROL_ONES = 0x40;
const CR4_OSFXSR = 1 << 9;
const FXSAVE_BYTES = 512;

const block = new Block();

function fninit(cpu: Cpu): void {
  requireUnit(cpu).initialize();
}

function fnclex(cpu: Cpu): void {
  const f = requireUnit(cpu);
  // Exceptions, SF, ES and B; the condition codes stay.
  f.status &= 0x7f00;
  f.errorChanged();
}

/** FNENI, FNDISI, FSETPM: of older coprocessors. */
function nothing(cpu: Cpu): void {
  requireUnit(cpu);
}

function fldcw(cpu: Cpu, i: Instruction): void {
  const f = begin(cpu);
  setControl(f, read16(cpu, i.segment, effectiveAddress(cpu, i)));
}

function setControl(f: X87, value: number): void {
  f.control = (value & CONTROL_BITS) | CONTROL_ONES;
  f.errorChanged();
}

function fnstcw(cpu: Cpu, i: Instruction): void {
  const f = requireUnit(cpu);
  write16(cpu, i.segment, effectiveAddress(cpu, i), f.control);
}

function fnstswMemory(cpu: Cpu, i: Instruction): void {
  const f = requireUnit(cpu);
  write16(cpu, i.segment, effectiveAddress(cpu, i), f.statusWord);
}

function fnstswAx(cpu: Cpu): void {
  cpu.regs16[0] = requireUnit(cpu).statusWord;
}

/** True where pointers are kept as selector and offset; in real and virtual-8086 mode they are linear addresses. */
const isProtected = (cpu: Cpu): boolean => (cpu.cr0 & CR0_PE) !== 0 && !(getFlags(cpu) & VM);

const environmentBytes = (i: Instruction): number => (i.operandSize === 32 ? 28 : 14);

/** The environment at the start of `block`, in one of its four layouts (SDM vol. 1 figures 8-9 to 8-12). */
function storeEnvironment(cpu: Cpu, f: X87, i: Instruction): void {
  const wide = i.operandSize === 32;
  const put = wide
    ? (n: number, value: number) => block.put32(cpu, 4 * n, value)
    : (n: number, value: number) => block.put16(cpu, 2 * n, value);
  const upper = wide ? 0xffff0000 : 0;
  put(0, upper | f.control);
  put(1, upper | f.statusWord);
  put(2, upper | f.tagWord);
  if (isProtected(cpu)) {
    put(3, f.ip);
    put(4, f.cs | (wide ? f.opcode << 16 : 0));
    put(5, f.dp);
    put(6, upper | f.ds);
    return;
  }
  const ip = f.ip + f.cs * 16;
  const dp = f.dp + f.ds * 16;
  put(3, upper | (ip & 0xffff));
  put(4, wide ? (((ip >>> 16) & 0xffff) << 12) | f.opcode : ((ip >>> 4) & 0xf000) | f.opcode);
  put(5, upper | (dp & 0xffff));
  put(6, wide ? ((dp >>> 16) & 0xffff) << 12 : (dp >>> 4) & 0xf000);
}

function loadEnvironment(cpu: Cpu, f: X87, i: Instruction): void {
  const wide = i.operandSize === 32;
  const get = wide
    ? (n: number): number => block.get32(cpu, 4 * n)
    : (n: number): number => block.get16(cpu, 2 * n);
  const control = get(0) & 0xffff;
  const status = get(1) & 0xffff;
  const tags = get(2) & 0xffff;
  const w3 = get(3);
  const w4 = get(4);
  const w5 = get(5);
  const w6 = get(6);
  f.control = (control & CONTROL_BITS) | CONTROL_ONES;
  f.statusWord = status;
  f.tagWord = tags;
  if (isProtected(cpu)) {
    f.ip = w3 >>> 0;
    f.cs = w4 & 0xffff;
    if (wide) f.opcode = (w4 >>> 16) & 0x7ff;
    f.dp = w5 >>> 0;
    f.ds = w6 & 0xffff;
  } else {
    f.ip = wide ? ((w3 & 0xffff) | ((w4 & 0xffff000) << 4)) >>> 0 : w3 | ((w4 & 0xf000) << 4);
    f.dp = wide ? ((w5 & 0xffff) | ((w6 & 0xffff000) << 4)) >>> 0 : w5 | ((w6 & 0xf000) << 4);
    f.opcode = w4 & 0x7ff;
    f.cs = f.ds = 0;
  }
}

function fnstenv(cpu: Cpu, i: Instruction): void {
  const f = requireUnit(cpu);
  block.forWrite(cpu, i, effectiveAddress(cpu, i), environmentBytes(i));
  storeEnvironment(cpu, f, i);
  f.control |= EXCEPTIONS;
  f.errorChanged();
}

function fldenv(cpu: Cpu, i: Instruction): void {
  const f = begin(cpu);
  block.forRead(cpu, i, effectiveAddress(cpu, i), environmentBytes(i));
  loadEnvironment(cpu, f, i);
}

function fnsave(cpu: Cpu, i: Instruction): void {
  const f = requireUnit(cpu);
  const start = environmentBytes(i);
  block.forWrite(cpu, i, effectiveAddress(cpu, i), start + 80);
  storeEnvironment(cpu, f, i);
  for (let n = 0; n < 8; n++) {
    const register = f.st(n);
    const at = start + 10 * n;
    block.put32(cpu, at, f.lo[register]);
    block.put32(cpu, at + 4, f.hi[register]);
    block.put16(cpu, at + 8, f.se[register]);
  }
  f.initialize();
}

function frstor(cpu: Cpu, i: Instruction): void {
  const f = begin(cpu);
  const start = environmentBytes(i);
  block.forRead(cpu, i, effectiveAddress(cpu, i), start + 80);
  loadEnvironment(cpu, f, i);
  for (let n = 0; n < 8; n++) {
    const at = start + 10 * n;
    f.set(f.st(n), block.get16(cpu, at + 8), block.get32(cpu, at + 4), block.get32(cpu, at));
  }
}

/** Address of the 512 bytes, after the checks that both directions share. */
function fxArea(cpu: Cpu, i: Instruction): number {
  const offset = effectiveAddress(cpu, i);
  if ((cpu.segments[i.segment].base + offset) & 15) fault(cpu, VECTOR.GP, 0);
  return offset;
}

function fxsave(cpu: Cpu, i: Instruction): void {
  const f = requireUnit(cpu);
  block.forWrite(cpu, i, fxArea(cpu, i), FXSAVE_BYTES);
  block.put16(cpu, 0, f.control);
  block.put16(cpu, 2, f.statusWord);
  block.put16(cpu, 4, f.occupied);
  block.put16(cpu, 6, f.opcode);
  block.put32(cpu, 8, f.ip);
  block.put32(cpu, 12, f.cs);
  block.put32(cpu, 16, f.dp);
  block.put32(cpu, 20, f.ds);
  block.put32(cpu, 24, f.mxcsr);
  block.put32(cpu, 28, MXCSR_MASK);
  for (let n = 0; n < 8; n++) {
    const register = f.st(n);
    const at = 32 + 16 * n;
    block.put32(cpu, at, f.lo[register]);
    block.put32(cpu, at + 4, f.hi[register]);
    block.put32(cpu, at + 8, f.se[register]);
    block.put32(cpu, at + 12, 0);
  }
  if (cpu.cr4 & CR4_OSFXSR) for (let n = 0; n < 32; n++) block.put32(cpu, 160 + 4 * n, f.xmm[n]);
}

function fxrstor(cpu: Cpu, i: Instruction): void {
  const f = requireUnit(cpu);
  block.forRead(cpu, i, fxArea(cpu, i), FXSAVE_BYTES);
  const mxcsr = block.get32(cpu, 24);
  if (mxcsr & ~MXCSR_MASK) fault(cpu, VECTOR.GP, 0);
  f.control = (block.get16(cpu, 0) & CONTROL_BITS) | CONTROL_ONES;
  f.statusWord = block.get16(cpu, 2);
  f.occupied = block.get16(cpu, 4) & 0xff;
  f.opcode = block.get16(cpu, 6) & 0x7ff;
  f.ip = block.get32(cpu, 8) >>> 0;
  f.cs = block.get16(cpu, 12);
  f.dp = block.get32(cpu, 16) >>> 0;
  f.ds = block.get16(cpu, 20);
  f.mxcsr = mxcsr;
  for (let n = 0; n < 8; n++) {
    const at = 32 + 16 * n;
    f.set(f.st(n), block.get16(cpu, at + 8), block.get32(cpu, at + 4), block.get32(cpu, at));
  }
  if (cpu.cr4 & CR4_OSFXSR) for (let n = 0; n < 32; n++) f.xmm[n] = block.get32(cpu, 160 + 4 * n);
}

const fwait: Executor = (cpu) => wait(cpu);

export const x87ControlExecutors: Executors = {
  fninit: () => fninit,
  fnclex: () => fnclex,
  fnsetpm: () => nothing,
  fldcw: () => fldcw,
  fnstcw: () => fnstcw,
  fnstsw: (i) => (i.memory ? fnstswMemory : fnstswAx),
  fnstenv: () => fnstenv,
  fldenv: () => fldenv,
  fnsave: () => fnsave,
  frstor: () => frstor,
  fxsave: () => fxsave,
  fxrstor: () => fxrstor,
  fwait: () => fwait,
};
