// The arithmetic that compiled code is made of: 32-bit operands in registers, immediates and memory.
// Same meaning as alu.ts (the vectors hold both to it), written out so that each is one small function without indirect calls.
import type { Instruction } from '../../isa/instruction.ts';
import { commit32, modify32, read32 } from '../access.ts';
import { baseDisplacement, effectiveAddress } from '../address.ts';
import type { Cpu } from '../cpu.ts';
import { noteAddition, noteLogic, noteSubtraction } from '../flags.ts';
import { type HotShapes, pickHot } from './compare-hot.ts';
import type { Executor } from './executor.ts';

function addRegisters(cpu: Cpu, i: Instruction): void {
  const a = cpu.regs[i.rm];
  const b = cpu.regs[i.reg];
  const result = (a + b) | 0;
  noteAddition(cpu, a, b, result);
  cpu.regs[i.rm] = result;
}

function addImmediate(cpu: Cpu, i: Instruction): void {
  const a = cpu.regs[i.rm];
  const b = i.immediate;
  const result = (a + b) | 0;
  noteAddition(cpu, a, b, result);
  cpu.regs[i.rm] = result;
}

function addFromMemory(cpu: Cpu, i: Instruction): void {
  const b = read32(cpu, i.segment, effectiveAddress(cpu, i));
  const a = cpu.regs[i.reg];
  const result = (a + b) | 0;
  noteAddition(cpu, a, b, result);
  cpu.regs[i.reg] = result;
}

function addFromBaseDisplacement(cpu: Cpu, i: Instruction): void {
  const b = read32(cpu, i.segment, baseDisplacement(cpu, i));
  const a = cpu.regs[i.reg];
  const result = (a + b) | 0;
  noteAddition(cpu, a, b, result);
  cpu.regs[i.reg] = result;
}

function addToMemory(cpu: Cpu, i: Instruction): void {
  const a = modify32(cpu, i.segment, effectiveAddress(cpu, i));
  const b = cpu.regs[i.reg];
  const result = (a + b) | 0;
  noteAddition(cpu, a, b, result);
  commit32(cpu, result);
}

function addImmediateToMemory(cpu: Cpu, i: Instruction): void {
  const a = modify32(cpu, i.segment, effectiveAddress(cpu, i));
  const b = i.immediate;
  const result = (a + b) | 0;
  noteAddition(cpu, a, b, result);
  commit32(cpu, result);
}

function subRegisters(cpu: Cpu, i: Instruction): void {
  const a = cpu.regs[i.rm];
  const b = cpu.regs[i.reg];
  const result = (a - b) | 0;
  noteSubtraction(cpu, a, b, result);
  cpu.regs[i.rm] = result;
}

function subImmediate(cpu: Cpu, i: Instruction): void {
  const a = cpu.regs[i.rm];
  const b = i.immediate;
  const result = (a - b) | 0;
  noteSubtraction(cpu, a, b, result);
  cpu.regs[i.rm] = result;
}

function subFromMemory(cpu: Cpu, i: Instruction): void {
  const b = read32(cpu, i.segment, effectiveAddress(cpu, i));
  const a = cpu.regs[i.reg];
  const result = (a - b) | 0;
  noteSubtraction(cpu, a, b, result);
  cpu.regs[i.reg] = result;
}

function subFromBaseDisplacement(cpu: Cpu, i: Instruction): void {
  const b = read32(cpu, i.segment, baseDisplacement(cpu, i));
  const a = cpu.regs[i.reg];
  const result = (a - b) | 0;
  noteSubtraction(cpu, a, b, result);
  cpu.regs[i.reg] = result;
}

function subToMemory(cpu: Cpu, i: Instruction): void {
  const a = modify32(cpu, i.segment, effectiveAddress(cpu, i));
  const b = cpu.regs[i.reg];
  const result = (a - b) | 0;
  noteSubtraction(cpu, a, b, result);
  commit32(cpu, result);
}

function subImmediateToMemory(cpu: Cpu, i: Instruction): void {
  const a = modify32(cpu, i.segment, effectiveAddress(cpu, i));
  const b = i.immediate;
  const result = (a - b) | 0;
  noteSubtraction(cpu, a, b, result);
  commit32(cpu, result);
}

function andRegisters(cpu: Cpu, i: Instruction): void {
  const a = cpu.regs[i.rm];
  const b = cpu.regs[i.reg];
  const result = a & b;
  noteLogic(cpu, result);
  cpu.regs[i.rm] = result;
}

function andImmediate(cpu: Cpu, i: Instruction): void {
  const a = cpu.regs[i.rm];
  const b = i.immediate;
  const result = a & b;
  noteLogic(cpu, result);
  cpu.regs[i.rm] = result;
}

function andFromMemory(cpu: Cpu, i: Instruction): void {
  const b = read32(cpu, i.segment, effectiveAddress(cpu, i));
  const a = cpu.regs[i.reg];
  const result = a & b;
  noteLogic(cpu, result);
  cpu.regs[i.reg] = result;
}

function andFromBaseDisplacement(cpu: Cpu, i: Instruction): void {
  const b = read32(cpu, i.segment, baseDisplacement(cpu, i));
  const a = cpu.regs[i.reg];
  const result = a & b;
  noteLogic(cpu, result);
  cpu.regs[i.reg] = result;
}

function andToMemory(cpu: Cpu, i: Instruction): void {
  const a = modify32(cpu, i.segment, effectiveAddress(cpu, i));
  const b = cpu.regs[i.reg];
  const result = a & b;
  noteLogic(cpu, result);
  commit32(cpu, result);
}

function andImmediateToMemory(cpu: Cpu, i: Instruction): void {
  const a = modify32(cpu, i.segment, effectiveAddress(cpu, i));
  const b = i.immediate;
  const result = a & b;
  noteLogic(cpu, result);
  commit32(cpu, result);
}

function orRegisters(cpu: Cpu, i: Instruction): void {
  const a = cpu.regs[i.rm];
  const b = cpu.regs[i.reg];
  const result = a | b;
  noteLogic(cpu, result);
  cpu.regs[i.rm] = result;
}

function orImmediate(cpu: Cpu, i: Instruction): void {
  const a = cpu.regs[i.rm];
  const b = i.immediate;
  const result = a | b;
  noteLogic(cpu, result);
  cpu.regs[i.rm] = result;
}

function orFromMemory(cpu: Cpu, i: Instruction): void {
  const b = read32(cpu, i.segment, effectiveAddress(cpu, i));
  const a = cpu.regs[i.reg];
  const result = a | b;
  noteLogic(cpu, result);
  cpu.regs[i.reg] = result;
}

function orFromBaseDisplacement(cpu: Cpu, i: Instruction): void {
  const b = read32(cpu, i.segment, baseDisplacement(cpu, i));
  const a = cpu.regs[i.reg];
  const result = a | b;
  noteLogic(cpu, result);
  cpu.regs[i.reg] = result;
}

function orToMemory(cpu: Cpu, i: Instruction): void {
  const a = modify32(cpu, i.segment, effectiveAddress(cpu, i));
  const b = cpu.regs[i.reg];
  const result = a | b;
  noteLogic(cpu, result);
  commit32(cpu, result);
}

function orImmediateToMemory(cpu: Cpu, i: Instruction): void {
  const a = modify32(cpu, i.segment, effectiveAddress(cpu, i));
  const b = i.immediate;
  const result = a | b;
  noteLogic(cpu, result);
  commit32(cpu, result);
}

function xorRegisters(cpu: Cpu, i: Instruction): void {
  const a = cpu.regs[i.rm];
  const b = cpu.regs[i.reg];
  const result = a ^ b;
  noteLogic(cpu, result);
  cpu.regs[i.rm] = result;
}

function xorImmediate(cpu: Cpu, i: Instruction): void {
  const a = cpu.regs[i.rm];
  const b = i.immediate;
  const result = a ^ b;
  noteLogic(cpu, result);
  cpu.regs[i.rm] = result;
}

function xorFromMemory(cpu: Cpu, i: Instruction): void {
  const b = read32(cpu, i.segment, effectiveAddress(cpu, i));
  const a = cpu.regs[i.reg];
  const result = a ^ b;
  noteLogic(cpu, result);
  cpu.regs[i.reg] = result;
}

function xorFromBaseDisplacement(cpu: Cpu, i: Instruction): void {
  const b = read32(cpu, i.segment, baseDisplacement(cpu, i));
  const a = cpu.regs[i.reg];
  const result = a ^ b;
  noteLogic(cpu, result);
  cpu.regs[i.reg] = result;
}

function xorToMemory(cpu: Cpu, i: Instruction): void {
  const a = modify32(cpu, i.segment, effectiveAddress(cpu, i));
  const b = cpu.regs[i.reg];
  const result = a ^ b;
  noteLogic(cpu, result);
  commit32(cpu, result);
}

function xorImmediateToMemory(cpu: Cpu, i: Instruction): void {
  const a = modify32(cpu, i.segment, effectiveAddress(cpu, i));
  const b = i.immediate;
  const result = a ^ b;
  noteLogic(cpu, result);
  commit32(cpu, result);
}

const addShapes: HotShapes = {
  registers: addRegisters,
  immediate: addImmediate,
  fromMemory: addFromMemory,
  fromBaseDisplacement: addFromBaseDisplacement,
  toMemory: addToMemory,
  immediateToMemory: addImmediateToMemory,
};

const subShapes: HotShapes = {
  registers: subRegisters,
  immediate: subImmediate,
  fromMemory: subFromMemory,
  fromBaseDisplacement: subFromBaseDisplacement,
  toMemory: subToMemory,
  immediateToMemory: subImmediateToMemory,
};

const andShapes: HotShapes = {
  registers: andRegisters,
  immediate: andImmediate,
  fromMemory: andFromMemory,
  fromBaseDisplacement: andFromBaseDisplacement,
  toMemory: andToMemory,
  immediateToMemory: andImmediateToMemory,
};

const orShapes: HotShapes = {
  registers: orRegisters,
  immediate: orImmediate,
  fromMemory: orFromMemory,
  fromBaseDisplacement: orFromBaseDisplacement,
  toMemory: orToMemory,
  immediateToMemory: orImmediateToMemory,
};

const xorShapes: HotShapes = {
  registers: xorRegisters,
  immediate: xorImmediate,
  fromMemory: xorFromMemory,
  fromBaseDisplacement: xorFromBaseDisplacement,
  toMemory: xorToMemory,
  immediateToMemory: xorImmediateToMemory,
};

export const hotAdd = (i: Instruction): Executor | undefined => pickHot(addShapes, i);

export const hotSub = (i: Instruction): Executor | undefined => pickHot(subShapes, i);

export const hotAnd = (i: Instruction): Executor | undefined => pickHot(andShapes, i);

export const hotOr = (i: Instruction): Executor | undefined => pickHot(orShapes, i);

/** `xor r,r` is how a register is cleared: no operand need be looked at. */
function clear(cpu: Cpu, i: Instruction): void {
  cpu.regs[i.rm] = 0;
  noteLogic(cpu, 0);
}

export function hotXor(i: Instruction): Executor | undefined {
  const found = pickHot(xorShapes, i);
  return found === xorRegisters && i.rm === i.reg ? clear : found;
}
