// XCHG XADD CMPXCHG CMPXCHG8B (SDM vol. 2): a register and a place trade values. The memory forms are always checked for
// writing, and CMPXCHG always writes: the old value when the comparison failed.
import { EAX, EBX, ECX, EDX, type Instruction } from '../../isa/instruction.ts';
import { commit8, commit16, commit32, modify8, modify16, modify32, write32 } from '../access.ts';
import { effectiveAddress } from '../address.ts';
import type { Cpu } from '../cpu.ts';
import { replaceFlags, ZF } from '../flags.ts';
import { add, sub } from './alu.ts';
import type { Binder, Executor, Executors } from './executor.ts';
import {
  type BySize,
  byteIndex,
  placeOf,
  type Reader,
  readerOf,
  sizeOf,
  type Writer,
  writerOf,
} from './operands.ts';

const xchgMemory: BySize = {
  8: (cpu, i) => {
    const old = modify8(cpu, i.segment, effectiveAddress(cpu, i));
    const at = byteIndex(i.reg);
    commit8(cpu, cpu.regs8[at]);
    cpu.regs8[at] = old;
  },
  16: (cpu, i) => {
    const old = modify16(cpu, i.segment, effectiveAddress(cpu, i));
    commit16(cpu, cpu.regs16[i.reg << 1]);
    cpu.regs16[i.reg << 1] = old;
  },
  32: (cpu, i) => {
    const old = modify32(cpu, i.segment, effectiveAddress(cpu, i));
    commit32(cpu, cpu.regs[i.reg]);
    cpu.regs[i.reg] = old;
  },
};

function xchgRegisters32(cpu: Cpu, i: Instruction): void {
  const value = cpu.regs[i.rm];
  cpu.regs[i.rm] = cpu.regs[i.reg];
  cpu.regs[i.reg] = value;
}

function xchgPlaces(readA: Reader, writeA: Writer, readB: Reader, writeB: Writer): Executor {
  return (cpu, i) => {
    const a = readA(cpu, i);
    writeA(cpu, i, readB(cpu, i));
    writeB(cpu, i, a);
  };
}

/** `xchg` and `xadd` name places; which of the two is first does not matter to `xchg`. */
const xchgBinder: Binder = (i) => {
  if (i.memory) return xchgMemory[sizeOf(i)];
  const accumulator = i.form.operands.some((kind) => placeOf(i, kind) === 'accumulator');
  // With an accumulator `rm` is 0, which is its number.
  if (sizeOf(i) === 32 && (accumulator || i.form.modrm !== undefined)) return xchgRegisters32;
  return xchgPlaces(readerOf(i, 0), writerOf(i, 0), readerOf(i, 1), writerOf(i, 1));
};

const xaddMemory: BySize = {
  8: (cpu, i) => {
    const old = modify8(cpu, i.segment, effectiveAddress(cpu, i));
    const at = byteIndex(i.reg);
    commit8(cpu, add(cpu, old, cpu.regs8[at], 24));
    cpu.regs8[at] = old;
  },
  16: (cpu, i) => {
    const old = modify16(cpu, i.segment, effectiveAddress(cpu, i));
    commit16(cpu, add(cpu, old, cpu.regs16[i.reg << 1], 16));
    cpu.regs16[i.reg << 1] = old;
  },
  32: (cpu, i) => {
    const old = modify32(cpu, i.segment, effectiveAddress(cpu, i));
    commit32(cpu, add(cpu, old, cpu.regs[i.reg], 0));
    cpu.regs[i.reg] = old;
  },
};

const xaddBinder: Binder = (i) => {
  if (i.memory) return xaddMemory[sizeOf(i)];
  const shift = 32 - sizeOf(i);
  const read = readerOf(i, 0);
  const write = writerOf(i, 0);
  const readSource = readerOf(i, 1);
  const writeSource = writerOf(i, 1);
  return (cpu, i) => {
    const old = read(cpu, i);
    const sum = add(cpu, old, readSource(cpu, i), shift);
    // The sum is written last: it stays when both operands are one register.
    writeSource(cpu, i, old);
    write(cpu, i, sum);
  };
};

const cmpxchgMemory: BySize = {
  8: (cpu, i) => {
    const old = modify8(cpu, i.segment, effectiveAddress(cpu, i));
    const equal = sub(cpu, cpu.regs8[0], old, 24) === 0;
    commit8(cpu, equal ? cpu.regs8[byteIndex(i.reg)] : old);
    if (!equal) cpu.regs8[0] = old;
  },
  16: (cpu, i) => {
    const old = modify16(cpu, i.segment, effectiveAddress(cpu, i));
    const equal = sub(cpu, cpu.regs16[0], old, 16) === 0;
    commit16(cpu, equal ? cpu.regs16[i.reg << 1] : old);
    if (!equal) cpu.regs16[0] = old;
  },
  32: (cpu, i) => {
    const old = modify32(cpu, i.segment, effectiveAddress(cpu, i));
    const equal = sub(cpu, cpu.regs[0], old, 0) === 0;
    commit32(cpu, equal ? cpu.regs[i.reg] : old);
    if (!equal) cpu.regs[0] = old;
  },
};

const cmpxchgRegisters: BySize = {
  8: (cpu, i) => {
    const old = cpu.regs8[byteIndex(i.rm)];
    if (sub(cpu, cpu.regs8[0], old, 24) === 0) cpu.regs8[byteIndex(i.rm)] = cpu.regs8[byteIndex(i.reg)];
    else cpu.regs8[0] = old;
  },
  16: (cpu, i) => {
    const old = cpu.regs16[i.rm << 1];
    if (sub(cpu, cpu.regs16[0], old, 16) === 0) cpu.regs16[i.rm << 1] = cpu.regs16[i.reg << 1];
    else cpu.regs16[0] = old;
  },
  32: (cpu, i) => {
    const old = cpu.regs[i.rm];
    if (sub(cpu, cpu.regs[0], old, 0) === 0) cpu.regs[i.rm] = cpu.regs[i.reg];
    else cpu.regs[0] = old;
  },
};

function cmpxchg8b(cpu: Cpu, i: Instruction): void {
  const offset = effectiveAddress(cpu, i);
  // One access of eight bytes: its upper half does not wrap at 64 KiB.
  const upper = (offset + 4) | 0;
  // Both halves pass the write check before either is stored; the lower one faults first.
  modify32(cpu, i.segment, offset);
  const high = modify32(cpu, i.segment, upper);
  const low = modify32(cpu, i.segment, offset);
  const equal = low === cpu.regs[EAX] && high === cpu.regs[EDX];
  if (equal) {
    commit32(cpu, cpu.regs[EBX]);
    write32(cpu, i.segment, upper, cpu.regs[ECX]);
  } else {
    commit32(cpu, low);
    cpu.regs[EAX] = low;
    cpu.regs[EDX] = high;
  }
  replaceFlags(cpu, ZF, equal ? ZF : 0);
}

export const exchangeExecutors: Executors = {
  xchg: xchgBinder,
  xadd: xaddBinder,
  cmpxchg: (i) => (i.memory ? cmpxchgMemory : cmpxchgRegisters)[sizeOf(i)],
  cmpxchg8b: () => cmpxchg8b,
};
