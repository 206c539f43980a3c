// INC DEC NEG NOT (SDM vol. 2): one operand, read and written. INC and DEC leave CF alone; NOT leaves every flag.

import type { Instruction } from '../../isa/instruction.ts';
import { commit32, modify32 } from '../access.ts';
import { effectiveAddress } from '../address.ts';
import type { Cpu } from '../cpu.ts';
import { noteDecrement, noteIncrement, noteSubtraction } from '../flags.ts';
import { type Operation, pickShape, type Shapes, updatingShapes } from './binary.ts';
import type { Binder, Executor, Executors } from './executor.ts';
import { placeOf, sizeOf } from './operands.ts';

const inc: Operation = (cpu, a, _, shift) => {
  a = (a << shift) >> shift;
  const result = ((a + 1) << shift) >> shift;
  noteIncrement(cpu, a, result);
  return result;
};

const dec: Operation = (cpu, a, _, shift) => {
  a = (a << shift) >> shift;
  const result = ((a - 1) << shift) >> shift;
  noteDecrement(cpu, a, result);
  return result;
};

const neg: Operation = (cpu, a, _, shift) => {
  a = (a << shift) >> shift;
  const result = (-a << shift) >> shift;
  noteSubtraction(cpu, 0, a, result);
  return result;
};

const not: Operation = (_, a) => ~a;

// `inc r32` and `dec r32` (opcodes 40+r and 48+r) end most loops.

function incRegister32(cpu: Cpu, i: Instruction): void {
  const a = cpu.regs[i.reg];
  const result = (a + 1) | 0;
  noteIncrement(cpu, a, result);
  cpu.regs[i.reg] = result;
}

function decRegister32(cpu: Cpu, i: Instruction): void {
  const a = cpu.regs[i.reg];
  const result = (a - 1) | 0;
  noteDecrement(cpu, a, result);
  cpu.regs[i.reg] = result;
}

function incRegister16(cpu: Cpu, i: Instruction): void {
  cpu.regs16[i.reg << 1] = inc(cpu, cpu.regs16[i.reg << 1], 0, 16);
}

function decRegister16(cpu: Cpu, i: Instruction): void {
  cpu.regs16[i.reg << 1] = dec(cpu, cpu.regs16[i.reg << 1], 0, 16);
}

function incMemory32(cpu: Cpu, i: Instruction): void {
  const a = modify32(cpu, i.segment, effectiveAddress(cpu, i));
  const result = (a + 1) | 0;
  noteIncrement(cpu, a, result);
  commit32(cpu, result);
}

function decMemory32(cpu: Cpu, i: Instruction): void {
  const a = modify32(cpu, i.segment, effectiveAddress(cpu, i));
  const result = (a - 1) | 0;
  noteDecrement(cpu, a, result);
  commit32(cpu, result);
}

function stepBinder(shapes: Shapes, register32: Executor, register16: Executor, memory32: Executor): Binder {
  return (i) => {
    const size = sizeOf(i);
    if (placeOf(i, i.form.operands[0]) === 'reg') return size === 32 ? register32 : register16;
    return i.memory && size === 32 ? memory32 : pickShape(shapes, i);
  };
}

const negShapes = updatingShapes(neg);
const notShapes = updatingShapes(not);

export const unaryExecutors: Executors = {
  inc: stepBinder(updatingShapes(inc), incRegister32, incRegister16, incMemory32),
  dec: stepBinder(updatingShapes(dec), decRegister32, decRegister16, decMemory32),
  neg: (i) => pickShape(negShapes, i),
  not: (i) => pickShape(notShapes, i),
};
