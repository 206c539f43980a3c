// MOV MOVZX MOVSX LEA XLAT CBW CWD and BOUND (SDM vol. 2): moving and widening values; no flag changes anywhere here.
// 32- and 8-bit moves have executors of their own, since they are a third of all instructions that run.
import { EBX, type Instruction } from '../../isa/instruction.ts';
import { read8, read16, read32, write8, write32 } from '../access.ts';
import { baseDisplacement, effectiveAddress, isBaseDisplacement, stepOffset } from '../address.ts';
import type { Cpu } from '../cpu.ts';
import { fault, VECTOR } from '../fault.ts';
import type { Binder, Executor, Executors } from './executor.ts';
import { byteIndex, placeOf, readerOf, sizeOf, sizeOfKind, writerOf } from './operands.ts';

function movRegisters32(cpu: Cpu, i: Instruction): void {
  cpu.regs[i.rm] = cpu.regs[i.reg];
}

function movRegister32Immediate(cpu: Cpu, i: Instruction): void {
  cpu.regs[i.reg] = i.immediate;
}

function load32(cpu: Cpu, i: Instruction): void {
  cpu.regs[i.reg] = read32(cpu, i.segment, effectiveAddress(cpu, i));
}

function load32BaseDisplacement(cpu: Cpu, i: Instruction): void {
  cpu.regs[i.reg] = read32(cpu, i.segment, baseDisplacement(cpu, i));
}

function store32(cpu: Cpu, i: Instruction): void {
  write32(cpu, i.segment, effectiveAddress(cpu, i), cpu.regs[i.reg]);
}

function store32BaseDisplacement(cpu: Cpu, i: Instruction): void {
  write32(cpu, i.segment, baseDisplacement(cpu, i), cpu.regs[i.reg]);
}

function store32Immediate(cpu: Cpu, i: Instruction): void {
  write32(cpu, i.segment, effectiveAddress(cpu, i), i.immediate);
}

function load8(cpu: Cpu, i: Instruction): void {
  cpu.regs8[byteIndex(i.reg)] = read8(cpu, i.segment, effectiveAddress(cpu, i));
}

function store8(cpu: Cpu, i: Instruction): void {
  write8(cpu, i.segment, effectiveAddress(cpu, i), cpu.regs8[byteIndex(i.reg)]);
}

function store8Immediate(cpu: Cpu, i: Instruction): void {
  write8(cpu, i.segment, effectiveAddress(cpu, i), i.immediate);
}

/** Moves of 32 and 8 bits whose places are ModRM and register or immediate; the accumulator forms fit (reg = rm = 0). */
function hotMov(i: Instruction): Executor | undefined {
  const [first, second] = i.form.operands;
  const size = sizeOf(i);
  const to = placeOf(i, first);
  const from = placeOf(i, second);
  const near = isBaseDisplacement(i);
  if (to === 'memory') {
    if (size === 16) return undefined;
    if (from === 'immediate') return size === 32 ? store32Immediate : store8Immediate;
    if (size === 8) return store8;
    return near ? store32BaseDisplacement : store32;
  }
  if (from === 'memory') {
    if (size === 8) return load8;
    if (size === 16) return undefined;
    return near ? load32BaseDisplacement : load32;
  }
  if (size !== 32) return undefined;
  if (to === 'reg' && from === 'immediate') return movRegister32Immediate;
  return to === 'rm' && from === 'reg' ? movRegisters32 : undefined;
}

const movBinder: Binder = (i) => {
  const hot = hotMov(i);
  if (hot) return hot;
  const read = readerOf(i, 1);
  const write = writerOf(i, 0);
  return (cpu, i) => write(cpu, i, read(cpu, i));
};

function movzxByteMemory(cpu: Cpu, i: Instruction): void {
  cpu.regs[i.reg] = read8(cpu, i.segment, effectiveAddress(cpu, i));
}

function movzxByteRegister(cpu: Cpu, i: Instruction): void {
  cpu.regs[i.reg] = cpu.regs8[byteIndex(i.rm)];
}

function movzxWordMemory(cpu: Cpu, i: Instruction): void {
  cpu.regs[i.reg] = read16(cpu, i.segment, effectiveAddress(cpu, i));
}

function movzxWordRegister(cpu: Cpu, i: Instruction): void {
  cpu.regs[i.reg] = cpu.regs16[i.rm << 1];
}

const movzxBinder: Binder = (i) => {
  const byte = sizeOfKind(i, i.form.operands[1]) === 8;
  if (i.operandSize === 32) {
    if (byte) return i.memory ? movzxByteMemory : movzxByteRegister;
    return i.memory ? movzxWordMemory : movzxWordRegister;
  }
  const read = readerOf(i, 1);
  return (cpu, i) => {
    cpu.regs16[i.reg << 1] = read(cpu, i);
  };
};

const movsxBinder: Binder = (i) => {
  const shift = sizeOfKind(i, i.form.operands[1]) === 8 ? 24 : 16;
  const read = readerOf(i, 1);
  if (i.operandSize === 32) {
    return (cpu, i) => {
      cpu.regs[i.reg] = (read(cpu, i) << shift) >> shift;
    };
  }
  return (cpu, i) => {
    cpu.regs16[i.reg << 1] = (read(cpu, i) << shift) >> shift;
  };
};

function lea32(cpu: Cpu, i: Instruction): void {
  cpu.regs[i.reg] = effectiveAddress(cpu, i);
}

function lea16(cpu: Cpu, i: Instruction): void {
  cpu.regs16[i.reg << 1] = effectiveAddress(cpu, i);
}

function xlat(cpu: Cpu, i: Instruction): void {
  cpu.regs8[0] = read8(cpu, i.segment, stepOffset(i, cpu.regs[EBX], cpu.regs8[0]));
}

function cwde(cpu: Cpu): void {
  cpu.regs[0] = (cpu.regs16[0] << 16) >> 16;
}

function cbw(cpu: Cpu): void {
  cpu.regs16[0] = (cpu.regs8[0] << 24) >> 24;
}

function cdq(cpu: Cpu): void {
  cpu.regs[2] = cpu.regs[0] >> 31;
}

function cwd(cpu: Cpu): void {
  cpu.regs16[4] = (cpu.regs16[0] << 16) >> 31;
}

/** #BR unless lower ≤ index ≤ upper, all signed. An index below the lower bound is noticed before the upper one is read. */
function bound32(cpu: Cpu, i: Instruction): void {
  const offset = effectiveAddress(cpu, i);
  const index = cpu.regs[i.reg];
  if (index < read32(cpu, i.segment, offset)) fault(cpu, VECTOR.BR);
  if (index > read32(cpu, i.segment, stepOffset(i, offset, 4))) fault(cpu, VECTOR.BR);
}

function bound16(cpu: Cpu, i: Instruction): void {
  const offset = effectiveAddress(cpu, i);
  const index = (cpu.regs16[i.reg << 1] << 16) >> 16;
  if (index < (read16(cpu, i.segment, offset) << 16) >> 16) fault(cpu, VECTOR.BR);
  if (index > (read16(cpu, i.segment, stepOffset(i, offset, 2)) << 16) >> 16) fault(cpu, VECTOR.BR);
}

export const dataMovementExecutors: Executors = {
  mov: movBinder,
  movzx: movzxBinder,
  movsx: movsxBinder,
  lea: (i) => (i.operandSize === 32 ? lea32 : lea16),
  xlat: () => xlat,
  cbw: (i) => (i.operandSize === 32 ? cwde : cbw),
  cwd: (i) => (i.operandSize === 32 ? cdq : cwd),
  bound: (i) => (i.operandSize === 32 ? bound32 : bound16),
};
