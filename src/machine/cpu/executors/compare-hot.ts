// CMP and TEST as compiled code uses them: 32-bit operands in every place, and bytes against an immediate.
// Same meaning as in alu.ts, without indirect calls. Also the choice among hot shapes, shared with alu-hot.ts.
import type { Instruction } from '../../isa/instruction.ts';
import { read8, read32 } from '../access.ts';
import { baseDisplacement, effectiveAddress, isBaseDisplacement } from '../address.ts';
import type { Cpu } from '../cpu.ts';
import { noteLogic, noteSubtraction } from '../flags.ts';
import type { Executor } from './executor.ts';
import { byteIndex, placeOf, sizeOf } from './operands.ts';

/** Executors of one operation, by where its 32-bit operands are. */
export interface HotShapes {
  readonly registers: Executor;
  readonly immediate: Executor;
  readonly fromMemory: Executor;
  readonly fromBaseDisplacement: Executor;
  readonly toMemory: Executor;
  readonly immediateToMemory: Executor;
}

/** The hot executor of an instruction, if it has one of the shapes. */
export function pickHot(shapes: HotShapes, i: Instruction): Executor | undefined {
  if (sizeOf(i) !== 32) return undefined;
  const [first, second] = i.form.operands;
  const immediate = placeOf(i, second) === 'immediate';
  if (i.memory) {
    if (immediate) return shapes.immediateToMemory;
    if (placeOf(i, first) === 'memory') return shapes.toMemory;
    return isBaseDisplacement(i) ? shapes.fromBaseDisplacement : shapes.fromMemory;
  }
  if (immediate) return shapes.immediate;
  return placeOf(i, first) === 'rm' ? shapes.registers : undefined;
}

function cmpRegisters(cpu: Cpu, i: Instruction): void {
  const a = cpu.regs[i.rm];
  const b = cpu.regs[i.reg];
  noteSubtraction(cpu, a, b, (a - b) | 0);
}

function cmpImmediate(cpu: Cpu, i: Instruction): void {
  const a = cpu.regs[i.rm];
  const b = i.immediate;
  noteSubtraction(cpu, a, b, (a - b) | 0);
}

function cmpFromMemory(cpu: Cpu, i: Instruction): void {
  const a = cpu.regs[i.reg];
  const b = read32(cpu, i.segment, effectiveAddress(cpu, i));
  noteSubtraction(cpu, a, b, (a - b) | 0);
}

function cmpFromBaseDisplacement(cpu: Cpu, i: Instruction): void {
  const a = cpu.regs[i.reg];
  const b = read32(cpu, i.segment, baseDisplacement(cpu, i));
  noteSubtraction(cpu, a, b, (a - b) | 0);
}

function cmpToMemory(cpu: Cpu, i: Instruction): void {
  const a = read32(cpu, i.segment, effectiveAddress(cpu, i));
  const b = cpu.regs[i.reg];
  noteSubtraction(cpu, a, b, (a - b) | 0);
}

function cmpImmediateToMemory(cpu: Cpu, i: Instruction): void {
  const a = read32(cpu, i.segment, effectiveAddress(cpu, i));
  const b = i.immediate;
  noteSubtraction(cpu, a, b, (a - b) | 0);
}

function testRegisters(cpu: Cpu, i: Instruction): void {
  const a = cpu.regs[i.rm];
  const b = cpu.regs[i.reg];
  noteLogic(cpu, a & b);
}

function testImmediate(cpu: Cpu, i: Instruction): void {
  const a = cpu.regs[i.rm];
  const b = i.immediate;
  noteLogic(cpu, a & b);
}

function testFromMemory(cpu: Cpu, i: Instruction): void {
  const a = cpu.regs[i.reg];
  const b = read32(cpu, i.segment, effectiveAddress(cpu, i));
  noteLogic(cpu, a & b);
}

function testFromBaseDisplacement(cpu: Cpu, i: Instruction): void {
  const a = cpu.regs[i.reg];
  const b = read32(cpu, i.segment, baseDisplacement(cpu, i));
  noteLogic(cpu, a & b);
}

function testToMemory(cpu: Cpu, i: Instruction): void {
  const a = read32(cpu, i.segment, effectiveAddress(cpu, i));
  const b = cpu.regs[i.reg];
  noteLogic(cpu, a & b);
}

function testImmediateToMemory(cpu: Cpu, i: Instruction): void {
  const a = read32(cpu, i.segment, effectiveAddress(cpu, i));
  const b = i.immediate;
  noteLogic(cpu, a & b);
}

// Byte compares: loops over text. Both operands are sign-extended, as the flags want them.

function cmpRegister8Immediate(cpu: Cpu, i: Instruction): void {
  const a = (cpu.regs8[byteIndex(i.rm)] << 24) >> 24;
  const b = (i.immediate << 24) >> 24;
  noteSubtraction(cpu, a, b, ((a - b) << 24) >> 24);
}

function cmpMemory8Immediate(cpu: Cpu, i: Instruction): void {
  const a = (read8(cpu, i.segment, effectiveAddress(cpu, i)) << 24) >> 24;
  const b = (i.immediate << 24) >> 24;
  noteSubtraction(cpu, a, b, ((a - b) << 24) >> 24);
}

function testRegisters8(cpu: Cpu, i: Instruction): void {
  noteLogic(cpu, ((cpu.regs8[byteIndex(i.rm)] & cpu.regs8[byteIndex(i.reg)]) << 24) >> 24);
}

function testMemory8Immediate(cpu: Cpu, i: Instruction): void {
  noteLogic(cpu, ((read8(cpu, i.segment, effectiveAddress(cpu, i)) & i.immediate) << 24) >> 24);
}

const cmpShapes: HotShapes = {
  registers: cmpRegisters,
  immediate: cmpImmediate,
  fromMemory: cmpFromMemory,
  fromBaseDisplacement: cmpFromBaseDisplacement,
  toMemory: cmpToMemory,
  immediateToMemory: cmpImmediateToMemory,
};

const testShapes: HotShapes = {
  registers: testRegisters,
  immediate: testImmediate,
  fromMemory: testFromMemory,
  fromBaseDisplacement: testFromBaseDisplacement,
  toMemory: testToMemory,
  immediateToMemory: testImmediateToMemory,
};

export function hotCmp(i: Instruction): Executor | undefined {
  if (sizeOf(i) === 8 && placeOf(i, i.form.operands[1]) === 'immediate') {
    return i.memory ? cmpMemory8Immediate : cmpRegister8Immediate;
  }
  return pickHot(cmpShapes, i);
}

export function hotTest(i: Instruction): Executor | undefined {
  if (sizeOf(i) !== 8) return pickHot(testShapes, i);
  if (placeOf(i, i.form.operands[1]) === 'immediate') return i.memory ? testMemory8Immediate : undefined;
  return i.memory ? undefined : testRegisters8;
}
