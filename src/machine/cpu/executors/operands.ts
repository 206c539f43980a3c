// How an operand position of the instruction table becomes an access: register numbering, operand sizes, and small
// readers and writers for the forms that are too rare to deserve executors of their own (SDM vol. 2 §3.1.1).
import type { OperandKind } from '../../isa/form.ts';
import type { Instruction } from '../../isa/instruction.ts';
import { read8, read16, read32, write8, write16, write32 } from '../access.ts';
import { effectiveAddress } from '../address.ts';
import type { Cpu } from '../cpu.ts';
import type { Executor } from './executor.ts';

export type Size = 8 | 16 | 32;

/** Reads a value without side effects; unsigned for 8 and 16 bits, int32 for 32. */
export type Reader = (cpu: Cpu, i: Instruction) => number;
export type Writer = (cpu: Cpu, i: Instruction, value: number) => void;

/** An executor for each operand size. */
export type BySize = Readonly<Record<Size, Executor>>;

/** Index into `regs8` of 8-bit register 0..7 (AL CL DL BL AH CH DH BH). */
export function byteIndex(register: number): number {
  return ((register & 3) << 2) | (register >> 2);
}

const BYTE_KINDS: ReadonlySet<OperandKind> = new Set(['r8', 'rm8', 'r8+', 'al', 'moffs8']);
const WORD_KINDS: ReadonlySet<OperandKind> = new Set([
  'r16',
  'rm16',
  'r16+',
  'ax',
  'cx',
  'dx',
  'm16',
  'sreg',
]);
const DOUBLEWORD_KINDS: ReadonlySet<OperandKind> = new Set(['r32', 'rm32', 'rr32', 'r32+', 'eax', 'm32']);

/** Size of one operand of an instruction. */
export function sizeOfKind(i: Instruction, kind: OperandKind): Size {
  if (BYTE_KINDS.has(kind) || kind === 'm8') return 8;
  if (WORD_KINDS.has(kind)) return 16;
  if (DOUBLEWORD_KINDS.has(kind)) return 32;
  return i.operandSize;
}

/** Size of the first operand: what the operation works on. Without operands, the operand size. */
export function sizeOf(i: Instruction): Size {
  return i.form.operands.length ? sizeOfKind(i, i.form.operands[0]) : i.operandSize;
}

/** Where the value of an operand comes from or goes to. */
type Place = 'reg' | 'rm' | 'accumulator' | 'memory' | 'immediate';

/** The place that an operand kind names in this instruction. */
export function placeOf(i: Instruction, kind: OperandKind): Place {
  if (kind.startsWith('imm')) return 'immediate';
  if (kind === 'al' || kind === 'ax' || kind === 'eax' || kind === 'av') return 'accumulator';
  if (kind.startsWith('moffs')) return 'memory';
  if (kind.startsWith('rm')) return i.memory ? 'memory' : 'rm';
  if (kind.startsWith('m')) return 'memory';
  return kind.startsWith('rr') ? 'rm' : 'reg';
}

const readers: Readonly<Record<Size, Readonly<Record<Place, Reader>>>> = {
  8: {
    reg: (cpu, i) => cpu.regs8[byteIndex(i.reg)],
    rm: (cpu, i) => cpu.regs8[byteIndex(i.rm)],
    accumulator: (cpu) => cpu.regs8[0],
    memory: (cpu, i) => read8(cpu, i.segment, effectiveAddress(cpu, i)),
    immediate: (_, i) => i.immediate & 0xff,
  },
  16: {
    reg: (cpu, i) => cpu.regs16[i.reg << 1],
    rm: (cpu, i) => cpu.regs16[i.rm << 1],
    accumulator: (cpu) => cpu.regs16[0],
    memory: (cpu, i) => read16(cpu, i.segment, effectiveAddress(cpu, i)),
    immediate: (_, i) => i.immediate & 0xffff,
  },
  32: {
    reg: (cpu, i) => cpu.regs[i.reg],
    rm: (cpu, i) => cpu.regs[i.rm],
    accumulator: (cpu) => cpu.regs[0],
    memory: (cpu, i) => read32(cpu, i.segment, effectiveAddress(cpu, i)),
    immediate: (_, i) => i.immediate,
  },
};

const nothing: Writer = () => {};
const writers: Readonly<Record<Size, Readonly<Record<Place, Writer>>>> = {
  8: {
    reg: (cpu, i, value) => {
      cpu.regs8[byteIndex(i.reg)] = value;
    },
    rm: (cpu, i, value) => {
      cpu.regs8[byteIndex(i.rm)] = value;
    },
    accumulator: (cpu, _, value) => {
      cpu.regs8[0] = value;
    },
    memory: (cpu, i, value) => write8(cpu, i.segment, effectiveAddress(cpu, i), value),
    immediate: nothing,
  },
  16: {
    reg: (cpu, i, value) => {
      cpu.regs16[i.reg << 1] = value;
    },
    rm: (cpu, i, value) => {
      cpu.regs16[i.rm << 1] = value;
    },
    accumulator: (cpu, _, value) => {
      cpu.regs16[0] = value;
    },
    memory: (cpu, i, value) => write16(cpu, i.segment, effectiveAddress(cpu, i), value),
    immediate: nothing,
  },
  32: {
    reg: (cpu, i, value) => {
      cpu.regs[i.reg] = value;
    },
    rm: (cpu, i, value) => {
      cpu.regs[i.rm] = value;
    },
    accumulator: (cpu, _, value) => {
      cpu.regs[0] = value;
    },
    memory: (cpu, i, value) => write32(cpu, i.segment, effectiveAddress(cpu, i), value),
    immediate: nothing,
  },
};

/** The reader of operand number `n`. */
export function readerOf(i: Instruction, n: number): Reader {
  const kind = i.form.operands[n];
  return readers[sizeOfKind(i, kind)][placeOf(i, kind)];
}

/** The writer of operand number `n`. */
export function writerOf(i: Instruction, n: number): Writer {
  const kind = i.form.operands[n];
  return writers[sizeOfKind(i, kind)][placeOf(i, kind)];
}
