// Packed integers on mm and xmm registers: MMX, and the integer half of SSE and SSE2 (SDM vol. 2).
import type { Instruction } from '../../isa/instruction.ts';
import { read16, read32, write8, write32 } from '../access.ts';
import { effectiveAddress } from '../address.ts';
import type { Cpu } from '../cpu.ts';
import {
  beginMmx,
  beginSse,
  destinationToMm,
  destinationToXmm,
  enterMmx,
  memoryToSource,
  mmToDestination,
  mmToSource,
  quadToSource,
  sourceToMemory,
  sourceToQuad,
  xmmToDestination,
  xmmToSource,
} from '../simd/access.ts';
import { D8, D16, D32, LANE_OPERATIONS, type LaneOperation, S8, S16, S32 } from '../simd/lanes.ts';
import { begin } from '../x87/exceptions.ts';
import type { Binder, Executor, Executors } from './executor.ts';

const EDI = 7;
const isXmm = (i: Instruction): boolean => i.form.operands.some((kind) => kind.startsWith('xmm'));

/** Source operand of an mm form into S. */
function mmSource(cpu: Cpu, i: Instruction): void {
  if (i.memory) quadToSource(cpu, i);
  else mmToSource(cpu.x87, i.rm);
}
function xmmSource(cpu: Cpu, i: Instruction): void {
  if (i.memory) memoryToSource(cpu, i, true);
  else xmmToSource(cpu.x87, i.rm);
}

/** `op mm, mm/m64` or `op xmm, xmm/m128`. */
function binary(operation: LaneOperation): Binder {
  const mm: Executor = (cpu, i) => {
    const f = beginMmx(cpu);
    mmSource(cpu, i);
    enterMmx(f);
    mmToDestination(f, i.reg);
    operation(8);
    destinationToMm(f, i.reg);
  };
  const xmm: Executor = (cpu, i) => {
    const f = beginSse(cpu);
    xmmSource(cpu, i);
    xmmToDestination(f, i.reg);
    operation(16);
    destinationToXmm(f, i.reg);
  };
  /** Shifts by an immediate: the register is in rm. */
  const mmByImmediate: Executor = (cpu, i) => {
    const f = beginMmx(cpu);
    enterMmx(f);
    S32[0] = i.immediate;
    S32[1] = 0;
    mmToDestination(f, i.rm);
    operation(8);
    destinationToMm(f, i.rm);
  };
  const xmmByImmediate: Executor = (cpu, i) => {
    const f = beginSse(cpu);
    S32[0] = i.immediate;
    S32[1] = 0;
    xmmToDestination(f, i.rm);
    operation(16);
    destinationToXmm(f, i.rm);
  };
  return (i) => {
    if (i.form.operands[1] === 'imm8') return isXmm(i) ? xmmByImmediate : mmByImmediate;
    return isXmm(i) ? xmm : mm;
  };
}

/** PSRLDQ and PSLLDQ. */
function byteShift(left: boolean): Executor {
  return (cpu, i) => {
    const f = beginSse(cpu);
    const n = Math.min(i.immediate, 16);
    xmmToDestination(f, i.rm);
    if (left) {
      D8.copyWithin(n, 0, 16 - n);
      D8.fill(0, 0, n);
    } else {
      D8.copyWithin(0, n, 16);
      D8.fill(0, 16 - n, 16);
    }
    destinationToXmm(f, i.rm);
  };
}

/** PSHUF*: words from `first` on by two bits each of the immediate, or doublewords. */
function shuffleWords(first: number, i: Instruction): void {
  for (let n = 0; n < 4; n++) D16[first + n] = S16[first + ((i.immediate >> (2 * n)) & 3)];
}
const pshufw: Executor = (cpu, i) => {
  const f = beginMmx(cpu);
  mmSource(cpu, i);
  enterMmx(f);
  shuffleWords(0, i);
  destinationToMm(f, i.reg);
};
const pshufd: Executor = (cpu, i) => {
  const f = beginSse(cpu);
  xmmSource(cpu, i);
  for (let n = 0; n < 4; n++) D32[n] = S32[(i.immediate >> (2 * n)) & 3];
  destinationToXmm(f, i.reg);
};
function halfShuffle(first: number): Executor {
  return (cpu, i) => {
    const f = beginSse(cpu);
    xmmSource(cpu, i);
    D32.set(S32);
    shuffleWords(first, i);
    destinationToXmm(f, i.reg);
  };
}

function pinsrw(cpu: Cpu, i: Instruction): void {
  const xmm = isXmm(i);
  const f = xmm ? beginSse(cpu) : beginMmx(cpu);
  const word = i.memory ? read16(cpu, i.segment, effectiveAddress(cpu, i)) : cpu.regs[i.rm];
  if (xmm) {
    xmmToDestination(f, i.reg);
    D16[i.immediate & 7] = word;
    destinationToXmm(f, i.reg);
  } else {
    enterMmx(f);
    mmToDestination(f, i.reg);
    D16[i.immediate & 3] = word;
    destinationToMm(f, i.reg);
  }
}

function pextrw(cpu: Cpu, i: Instruction): void {
  if (isXmm(i)) {
    xmmToSource(beginSse(cpu), i.rm);
    cpu.regs[i.reg] = S16[i.immediate & 7];
  } else {
    const f = beginMmx(cpu);
    enterMmx(f);
    mmToSource(f, i.rm);
    cpu.regs[i.reg] = S16[i.immediate & 3];
  }
}

function pmovmskb(cpu: Cpu, i: Instruction): void {
  const xmm = isXmm(i);
  if (xmm) xmmToSource(beginSse(cpu), i.rm);
  else {
    const f = beginMmx(cpu);
    enterMmx(f);
    mmToSource(f, i.rm);
  }
  let bits = 0;
  for (let n = 0; n < (xmm ? 16 : 8); n++) bits |= (S8[n] >> 7) << n;
  cpu.regs[i.reg] = bits;
}

/** MASKMOVQ, MASKMOVDQU: byte by byte, since only the chosen ones are accessed. */
function maskmov(cpu: Cpu, i: Instruction): void {
  const xmm = isXmm(i);
  const f = xmm ? beginSse(cpu) : beginMmx(cpu);
  const size = xmm ? 16 : 8;
  if (xmm) {
    xmmToDestination(f, i.reg);
    xmmToSource(f, i.rm);
  } else {
    mmToDestination(f, i.reg);
    mmToSource(f, i.rm);
  }
  const offset = cpu.regs[EDI];
  for (let n = 0; n < size; n++) {
    if (!(S8[n] & 0x80)) continue;
    const at = i.addressSize === 32 ? (offset + n) | 0 : (offset + n) & 0xffff;
    write8(cpu, i.segment, at, D8[n]);
  }
  if (!xmm) enterMmx(f);
}

const movd: Binder = (i) => {
  if (i.form.operands[0] === 'mm') return movdToMm;
  if (i.form.operands[0] === 'xmm') return movdToXmm;
  return isXmm(i) ? movdFromXmm : movdFromMm;
};
const doubleword = (cpu: Cpu, i: Instruction): number =>
  i.memory ? read32(cpu, i.segment, effectiveAddress(cpu, i)) : cpu.regs[i.rm];

function movdToMm(cpu: Cpu, i: Instruction): void {
  const f = beginMmx(cpu);
  const value = doubleword(cpu, i);
  enterMmx(f);
  f.set(i.reg, 0xffff, 0, value);
}
function movdToXmm(cpu: Cpu, i: Instruction): void {
  const f = beginSse(cpu);
  D32[0] = doubleword(cpu, i);
  D32[1] = D32[2] = D32[3] = 0;
  destinationToXmm(f, i.reg);
}
function movdFromMm(cpu: Cpu, i: Instruction): void {
  const f = beginMmx(cpu);
  if (i.memory) write32(cpu, i.segment, effectiveAddress(cpu, i), f.lo[i.reg]);
  else cpu.regs[i.rm] = f.lo[i.reg];
  enterMmx(f);
}
function movdFromXmm(cpu: Cpu, i: Instruction): void {
  const value = beginSse(cpu).xmm[4 * i.reg];
  if (i.memory) write32(cpu, i.segment, effectiveAddress(cpu, i), value);
  else cpu.regs[i.rm] = value;
}

const movq: Binder = (i) => {
  switch (i.form.operands[0]) {
    case 'mm':
      return movqToMm;
    case 'mmrm':
      return movqFromMm;
    case 'xmm':
      return movqToXmm;
    default:
      return movqFromXmm;
  }
};
function movqToMm(cpu: Cpu, i: Instruction): void {
  const f = beginMmx(cpu);
  mmSource(cpu, i);
  enterMmx(f);
  f.set(i.reg, 0xffff, S32[1], S32[0]);
}
function movqFromMm(cpu: Cpu, i: Instruction): void {
  const f = beginMmx(cpu);
  mmToSource(f, i.reg);
  if (i.memory) sourceToQuad(cpu, i, 0);
  enterMmx(f);
  if (!i.memory) f.set(i.rm, 0xffff, S32[1], S32[0]);
}
function movqToXmm(cpu: Cpu, i: Instruction): void {
  const f = beginSse(cpu);
  if (i.memory) quadToSource(cpu, i);
  else xmmToSource(f, i.rm);
  D32[0] = S32[0];
  D32[1] = S32[1];
  D32[2] = D32[3] = 0;
  destinationToXmm(f, i.reg);
}
function movqFromXmm(cpu: Cpu, i: Instruction): void {
  const f = beginSse(cpu);
  xmmToSource(f, i.reg);
  if (i.memory) {
    sourceToQuad(cpu, i, 0);
    return;
  }
  D32[0] = S32[0];
  D32[1] = S32[1];
  D32[2] = D32[3] = 0;
  destinationToXmm(f, i.rm);
}
function movq2dq(cpu: Cpu, i: Instruction): void {
  beginSse(cpu);
  const f = begin(cpu);
  enterMmx(f);
  D32[0] = f.lo[i.rm];
  D32[1] = f.hi[i.rm];
  D32[2] = D32[3] = 0;
  destinationToXmm(f, i.reg);
}
function movdq2q(cpu: Cpu, i: Instruction): void {
  beginSse(cpu);
  const f = begin(cpu);
  enterMmx(f);
  xmmToSource(f, i.rm);
  f.set(i.reg, 0xffff, S32[1], S32[0]);
}

/** Sixteen bytes between registers and memory. @param aligned memory must be */
export function moveWhole(aligned: boolean): Binder {
  const load: Executor = (cpu, i) => {
    const f = beginSse(cpu);
    if (i.memory) memoryToSource(cpu, i, aligned);
    else xmmToSource(f, i.rm);
    D32.set(S32);
    destinationToXmm(f, i.reg);
  };
  const store: Executor = (cpu, i) => {
    const f = beginSse(cpu);
    xmmToSource(f, i.reg);
    if (i.memory) sourceToMemory(cpu, i, aligned);
    else {
      D32.set(S32);
      destinationToXmm(f, i.rm);
    }
  };
  return (i) => (i.form.operands[0] === 'xmm' ? load : store);
}

function movnti(cpu: Cpu, i: Instruction): void {
  write32(cpu, i.segment, effectiveAddress(cpu, i), cpu.regs[i.reg]);
}

function emms(cpu: Cpu): void {
  const f = beginMmx(cpu);
  f.occupied = 0;
  f.top = 0;
}

const fixed =
  (executor: Executor): Binder =>
  () =>
    executor;

export const packedExecutors: Executors = {
  ...Object.fromEntries(
    Object.entries(LANE_OPERATIONS).map(([name, operation]) => [name, binary(operation)]),
  ),
  psrldq: fixed(byteShift(false)),
  pslldq: fixed(byteShift(true)),
  pshufw: fixed(pshufw),
  pshufd: fixed(pshufd),
  pshufhw: fixed(halfShuffle(4)),
  pshuflw: fixed(halfShuffle(0)),
  pinsrw: fixed(pinsrw),
  pextrw: fixed(pextrw),
  pmovmskb: fixed(pmovmskb),
  maskmov: fixed(maskmov),
  movd,
  movq,
  movq2dq: fixed(movq2dq),
  movdq2q: fixed(movdq2q),
  movdqa: moveWhole(true),
  movdqu: moveWhole(false),
  movntq: fixed(movqFromMm),
  movntdq: moveWhole(true),
  movnti: fixed(movnti),
  emms: fixed(emms),
};
