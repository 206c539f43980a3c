// Far JMP, CALL and RET, INT n, INT3, INTO, INT1, IRET, SYSENTER, SYSEXIT, UD2: operands and interception; what they do is in
// far-transfers.ts, interrupts.ts and iret.ts.
import { CS, type Instruction } from '../../isa/instruction.ts';
import { read16, read32 } from '../access.ts';
import { effectiveAddress, stepOffset } from '../address.ts';
import type { Cpu } from '../cpu.ts';
import { farReturn, farTransfer, sysenter, sysexit } from '../far-transfers.ts';
import { fault, VECTOR } from '../fault.ts';
import { getFlags, IOPL, isOverflow, NT, VM } from '../flags.ts';
import { EventType, softwareInterrupt } from '../interrupts.ts';
import { mergeFlags, iret as returnFrom } from '../iret.ts';
import { peekStack } from '../stacks.ts';
import type { Executor, Executors } from './executor.ts';
import { isDeprivileged } from './privilege.ts';

/** Where the selector comes from: the instruction, or memory behind the offset. */
const transfer =
  (call: boolean): Executor =>
  (cpu, i) => {
    const { selector } = cpu.segments[CS];
    const watched = cpu.watcher !== null && isDeprivileged(cpu);
    const target = go(cpu, i, call);
    // CALL has left its CS, and with it its CPL, on the stack for everybody to see. JMP has had its RPL compared with that.
    if (watched) cpu.watcher?.(i, call ? selector : target, call ? selector : target, CS);
  };

/** @returns the selector that the instruction named */
function go(cpu: Cpu, i: Instruction, call: boolean): number {
  const wide = i.operandSize === 32;
  if (!i.memory) {
    farTransfer(cpu, i.immediate2, wide ? i.immediate : i.immediate & 0xffff, wide, call);
    return i.immediate2 & 0xffff;
  }
  const at = effectiveAddress(cpu, i);
  const offset = wide ? read32(cpu, i.segment, at) : read16(cpu, i.segment, at);
  const selector = read16(cpu, i.segment, stepOffset(i, at, wide ? 4 : 2));
  farTransfer(cpu, selector, offset, wide, call);
  return selector;
}

function retFar(cpu: Cpu, i: Instruction): void {
  const watched = cpu.watcher !== null && isDeprivileged(cpu);
  farReturn(cpu, i.operandSize === 32, i.immediate & 0xffff);
  if (!watched) return;
  const { selector } = cpu.segments[CS];
  cpu.watcher?.(i, selector, selector, CS);
}

function int(cpu: Cpu, i: Instruction): void {
  const vector = i.immediate & 0xff;
  if (cpu.intercepts?.instruction('swint', vector)) return;
  if (cpu.flags & VM && (cpu.flags & IOPL) !== IOPL) fault(cpu, VECTOR.GP, 0);
  softwareInterrupt(cpu, vector, EventType.softwareInterrupt);
}

function int3(cpu: Cpu): void {
  if (cpu.intercepts?.exception(VECTOR.BP, -1, cpu.cr2)) return;
  softwareInterrupt(cpu, VECTOR.BP, EventType.softwareException);
}

function into(cpu: Cpu): void {
  if (!isOverflow(cpu)) return;
  if (cpu.intercepts?.exception(VECTOR.OF, -1, cpu.cr2)) return;
  softwareInterrupt(cpu, VECTOR.OF, EventType.softwareException);
}

function int1(cpu: Cpu): void {
  if (cpu.intercepts?.instruction('icebp', 0)) return;
  if (cpu.intercepts?.exception(VECTOR.DB, -1, cpu.cr2)) return;
  // What MOV SS before it has hit needs no exception of its own: this is one.
  cpu.dr[6] |= cpu.pendingDebug;
  cpu.pendingDebug = 0;
  softwareInterrupt(cpu, VECTOR.DB, EventType.privilegedException);
}

function iret(cpu: Cpu, i: Instruction): void {
  if (cpu.intercepts?.instruction('iret', 0)) return;
  const wide = i.operandSize === 32;
  if (cpu.watcher === null || !isDeprivileged(cpu) || cpu.flags & NT) {
    returnFrom(cpu, wide);
    return;
  }
  const old = getFlags(cpu);
  const image = peekStack(cpu, wide ? 8 : 4, wide);
  const got = mergeFlags(old, image, cpu.cpl, wide);
  const expected = mergeFlags(old, image, 0, wide);
  returnFrom(cpu, wide);
  // Even when nothing differs here: only the hypervisor knows what the guest's virtual IF is.
  cpu.watcher(i, got, expected, 0);
}

function ud(cpu: Cpu): void {
  fault(cpu, VECTOR.UD);
}

const jmpFar = transfer(false);
const callFar = transfer(true);

export const farExecutors: Executors = {
  'jmp-far': () => jmpFar,
  'call-far': () => callFar,
  'ret-far': () => retFar,
  int: () => int,
  int3: () => int3,
  into: () => into,
  int1: () => int1,
  iret: () => iret,
  sysenter: () => sysenter,
  sysexit: () => sysexit,
  ud2: () => ud,
};
