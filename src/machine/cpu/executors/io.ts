// IN, OUT, INS and OUTS (SDM vol. 2; vol. 1 ch. 18 "Input/output", §18.5 protection): IOPL first, then the permission bitmap
// of the TSS, then virtualization silicon, then the bus. Each repetition of a string form is an instruction of its own.
import { EAX, ECX, EDI, EDX, ES, ESI, type Instruction, REP_NONE, TR } from '../../isa/instruction.ts';
import {
  commit8,
  commit16,
  commit32,
  modify8,
  modify16,
  modify32,
  read8,
  read16,
  read32,
  readLinear16,
} from '../access.ts';
import { Attention, type Cpu } from '../cpu.ts';
import { watchPort } from '../debug.ts';
import { fault, VECTOR } from '../fault.ts';
import { DF, VM } from '../flags.ts';
import { syncA20 } from '../paging.ts';
import { CR0_PE } from '../segmentation.ts';
import type { Binder, Executors } from './executor.ts';

type PortSize = 1 | 2 | 4;

/** Raises #GP(0) when neither IOPL nor the TSS lets this program touch the port. */
export function checkPort(cpu: Cpu, port: number, size: PortSize): void {
  if (!(cpu.cr0 & CR0_PE) || (cpu.cpl <= ((cpu.flags >>> 12) & 3) && !(cpu.flags & VM))) return;
  const tss = cpu.segments[TR];
  // Only the 32-bit TSS has a bitmap; both its base and the two bytes that hold the bits must lie within the limit.
  if ((tss.access & 0x1009d) !== 0x89 || tss.limit < 0x67) fault(cpu, VECTOR.GP, 0);
  const at = readLinear16(cpu, (tss.base + 0x66) >>> 0, false) + (port >>> 3);
  if (at + 1 > tss.limit) fault(cpu, VECTOR.GP, 0);
  const bits = readLinear16(cpu, (tss.base + at) >>> 0, false) >>> (port & 7);
  if (bits & ((1 << size) - 1)) fault(cpu, VECTOR.GP, 0);
}

function readPort(cpu: Cpu, port: number, size: PortSize): number {
  const value = cpu.ports.read(port, size);
  accessed(cpu, port, size);
  return value;
}

function writePort(cpu: Cpu, port: number, value: number, size: PortSize): void {
  cpu.ports.write(port, value, size);
  accessed(cpu, port, size);
}

/** After an access: charges it. A device may have pulled a line or moved the A20 gate; one that wants to act earlier has said so (`Board.onEarlierDeadline`). */
export function accessed(cpu: Cpu, port: number, size: PortSize): void {
  cpu.cycles += cpu.cost.charges.portAccess.cycles;
  if (cpu.intercepts !== null || cpu.nmiPending || cpu.interrupts.pending()) cpu.attention |= Attention.event;
  syncA20(cpu);
  if (cpu.dr[7] & 0xff) watchPort(cpu, port, size);
}

const portSize = (i: Instruction, byte: boolean): PortSize => (byte ? 1 : i.operandSize === 32 ? 4 : 2);

const inBinder: Binder = (i) => {
  const size = portSize(i, i.form.operands[0] === 'al');
  const immediate = i.form.operands[1] === 'imm8';
  return (cpu, i) => {
    const port = immediate ? i.immediate & 0xff : cpu.regs16[EDX << 1];
    checkPort(cpu, port, size);
    if (cpu.intercepts?.io(port, size, true, false, false, immediate)) return;
    const value = readPort(cpu, port, size);
    if (size === 4) cpu.regs[EAX] = value;
    else if (size === 2) cpu.regs16[EAX] = value;
    else cpu.regs8[EAX] = value;
  };
};

const outBinder: Binder = (i) => {
  const size = portSize(i, i.form.operands[1] === 'al');
  const immediate = i.form.operands[0] === 'imm8';
  return (cpu, i) => {
    const port = immediate ? i.immediate & 0xff : cpu.regs16[EDX << 1];
    checkPort(cpu, port, size);
    if (cpu.intercepts?.io(port, size, false, false, false, immediate)) return;
    writePort(
      cpu,
      port,
      size === 4 ? cpu.regs[EAX] >>> 0 : size === 2 ? cpu.regs16[EAX] : cpu.regs8[EAX],
      size,
    );
  };
};

/** Index register of a string operand, by address size. */
const index = (cpu: Cpu, i: Instruction, register: number): number =>
  i.addressSize === 32 ? cpu.regs[register] : cpu.regs16[register << 1];

/** After one element: moves the index, counts down, and comes back for the next. */
function next(cpu: Cpu, i: Instruction, register: number, size: PortSize): void {
  const step = cpu.flags & DF ? -size : size;
  if (i.addressSize === 32) cpu.regs[register] += step;
  else cpu.regs16[register << 1] += step;
  if (i.rep === REP_NONE) return;
  const left = i.addressSize === 32 ? --cpu.regs[ECX] : --cpu.regs16[ECX << 1];
  if (left !== 0) cpu.eip = cpu.instructionStart;
}

const isByte = (i: Instruction): boolean => (i.form.opcode & 1) === 0;

const insBinder: Binder = (i) => {
  const size = portSize(i, isByte(i));
  const modify = size === 4 ? modify32 : size === 2 ? modify16 : modify8;
  const commit = size === 4 ? commit32 : size === 2 ? commit16 : commit8;
  return (cpu, i) => {
    if (i.rep !== REP_NONE && index(cpu, i, ECX) === 0) return;
    const port = cpu.regs16[EDX << 1];
    checkPort(cpu, port, size);
    if (cpu.intercepts?.io(port, size, true, true, i.rep !== REP_NONE, false)) return;
    // The destination is checked before the device is asked: reading a port cannot be taken back.
    modify(cpu, ES, index(cpu, i, EDI));
    commit(cpu, readPort(cpu, port, size));
    next(cpu, i, EDI, size);
  };
};

const outsBinder: Binder = (i) => {
  const size = portSize(i, isByte(i));
  const read = size === 4 ? read32 : size === 2 ? read16 : read8;
  return (cpu, i) => {
    if (i.rep !== REP_NONE && index(cpu, i, ECX) === 0) return;
    const port = cpu.regs16[EDX << 1];
    checkPort(cpu, port, size);
    if (cpu.intercepts?.io(port, size, false, true, i.rep !== REP_NONE, false)) return;
    writePort(cpu, port, read(cpu, i.segment, index(cpu, i, ESI)) >>> 0, size);
    next(cpu, i, ESI, size);
  };
};

export const ioExecutors: Executors = { in: inBinder, out: outBinder, ins: insBinder, outs: outsBinder };
