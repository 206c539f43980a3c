// Far JMP, CALL and RET, call gates, task gates, SYSENTER and SYSEXIT (SDM vol. 2A/2B; vol. 3 §5.8, §7.3).
// Checks come in the manual's order; SS:ESP and CS:EIP change only when none can fail any more.

import { Kind } from '../../trace/events.ts';
import { CS, ECX, EDX, ESP, SS } from '../isa/instruction.ts';
import type { Cpu, SegmentRegister } from './cpu.ts';
import { fault, VECTOR } from './fault.ts';
import { getFlags, IF, RF, setFlags, VM } from './flags.ts';
import { checkReturnCode, checkReturnStack, leaveRing, setStackPointer } from './iret.ts';
import { MSR } from './msrs.ts';
import { loads } from './segment-loads.ts';
import {
  CR0_PE,
  Descriptor,
  enterCode,
  isNull,
  isProtected,
  markAccessed,
  requireDescriptor,
  SystemType,
  selectorError,
  setHidden,
  setRealMode,
  setVirtual8086,
  stopInMonitor,
} from './segmentation.ts';
import { advance, frame, peekStack } from './stacks.ts';
import { availableTss, switchTask, TaskSource } from './tasks.ts';

const target = new Descriptor();
const gated = new Descriptor();
const stack = new Descriptor();

/** Far JMP (`call` false) or CALL to selector:offset. @param wide operand size of the instruction: what CALL pushes */
export function farTransfer(cpu: Cpu, selector: number, offset: number, wide: boolean, call: boolean): void {
  offset >>>= 0;
  if (!isProtected(cpu)) {
    realTransfer(cpu, selector, offset, wide, call);
    return;
  }
  cpu.cycles += cpu.cost.charges.farTransfer.cycles;
  if (isNull(selector)) fault(cpu, VECTOR.GP, 0);
  requireDescriptor(cpu, selector, target, VECTOR.GP);
  if (target.isSegment) {
    toCode(cpu, selector, offset, wide, call);
    return;
  }
  const visible = target.dpl >= cpu.cpl && target.dpl >= (selector & 3);
  switch (target.systemType) {
    case SystemType.callGate16:
    case SystemType.callGate32:
      if (!visible) fault(cpu, VECTOR.GP, selectorError(selector));
      if (!target.present) fault(cpu, VECTOR.NP, selectorError(selector));
      throughCallGate(cpu, call);
      return;
    case SystemType.taskGate: {
      if (!visible) fault(cpu, VECTOR.GP, selectorError(selector));
      if (!target.present) fault(cpu, VECTOR.NP, selectorError(selector));
      const tss = target.gateSelector;
      availableTss(cpu, tss, gated, VECTOR.GP, 0);
      switchTask(cpu, tss, gated, call ? TaskSource.call : TaskSource.jump, 0);
      return;
    }
    case SystemType.tss16:
    case SystemType.tss32:
      if (!visible) fault(cpu, VECTOR.GP, selectorError(selector));
      availableTss(cpu, selector, target, VECTOR.GP, 0);
      switchTask(cpu, selector, target, call ? TaskSource.call : TaskSource.jump, 0);
      return;
    default:
      fault(cpu, VECTOR.GP, selectorError(selector));
  }
}

function realTransfer(cpu: Cpu, selector: number, offset: number, wide: boolean, call: boolean): void {
  if (offset > cpu.segments[CS].limit) fault(cpu, VECTOR.GP, 0);
  if (call) {
    frame.current(cpu, 0);
    frame.push(cpu, cpu.segments[CS].selector, wide);
    frame.push(cpu, cpu.eip, wide);
    frame.commit(cpu);
  }
  if (cpu.cr0 & CR0_PE) setVirtual8086(cpu, CS, selector);
  else setRealMode(cpu, CS, selector);
  cpu.eip = offset;
}

function toCode(cpu: Cpu, selector: number, offset: number, wide: boolean, call: boolean): void {
  const rpl = selector & 3;
  const allowed = target.isConforming ? target.dpl <= cpu.cpl : rpl <= cpu.cpl && target.dpl === cpu.cpl;
  if (!target.isCode || !allowed) fault(cpu, VECTOR.GP, selectorError(selector));
  if (!target.present) fault(cpu, VECTOR.NP, selectorError(selector));
  // The manual looks for room on the stack first. What was pushed lies below ESP, should the limit refuse.
  if (call) pushReturn(cpu, wide);
  if (offset > target.limit) fault(cpu, VECTOR.GP, 0);
  markAccessed(cpu, target);
  if (call) frame.commit(cpu);
  enterCode(cpu, selector, target, cpu.cpl, offset);
}

function pushReturn(cpu: Cpu, wide: boolean): void {
  frame.current(cpu, 0);
  frame.push(cpu, cpu.segments[CS].selector, wide);
  frame.push(cpu, cpu.eip, wide);
}

/** `target` holds the gate, already checked for privilege and presence. */
function throughCallGate(cpu: Cpu, call: boolean): void {
  const selector = target.gateSelector;
  const wide = target.systemType === SystemType.callGate32;
  const offset = wide ? target.gateOffset : target.gateOffset & 0xffff;
  const count = target.high & 31;
  if (isNull(selector)) fault(cpu, VECTOR.GP, 0);
  requireDescriptor(cpu, selector, gated, VECTOR.GP);
  const cpl = cpu.cpl;
  const wrongLevel = call || gated.isConforming ? gated.dpl > cpl : gated.dpl !== cpl;
  if (!gated.isCode || wrongLevel) fault(cpu, VECTOR.GP, selectorError(selector));
  if (!gated.present) fault(cpu, VECTOR.NP, selectorError(selector));
  const inward = call && !gated.isConforming && gated.dpl < cpl;
  const level = inward ? gated.dpl : cpl;
  if (inward) {
    frame.inner(cpu, level, 0);
    frame.push(cpu, cpu.segments[SS].selector, wide);
    frame.push(cpu, cpu.regs[ESP], wide);
    const size = wide ? 4 : 2;
    for (let n = count - 1; n >= 0; n--) frame.push(cpu, peekStack(cpu, n * size, wide), wide);
    frame.push(cpu, cpu.segments[CS].selector, wide);
    frame.push(cpu, cpu.eip, wide);
  } else if (call) pushReturn(cpu, wide);
  if (offset > gated.limit) fault(cpu, VECTOR.GP, 0);
  markAccessed(cpu, gated);
  if (call) frame.commit(cpu);
  enterCode(cpu, selector, gated, level, offset);
}

/** RETF. @param drop argument bytes to leave behind, on both stacks when the ring changes */
export function farReturn(cpu: Cpu, wide: boolean, drop: number): void {
  const size = wide ? 4 : 2;
  const eip = peekStack(cpu, 0, wide) >>> 0;
  const selector = peekStack(cpu, size, wide) & 0xffff;
  if (!isProtected(cpu)) {
    if (eip > cpu.segments[CS].limit) fault(cpu, VECTOR.GP, 0);
    cpu.regs[ESP] = advance(cpu.segments[SS], cpu.regs[ESP], 2 * size + drop);
    if (cpu.cr0 & CR0_PE) setVirtual8086(cpu, CS, selector);
    else setRealMode(cpu, CS, selector);
    cpu.eip = eip;
    return;
  }
  cpu.cycles += cpu.cost.charges.farTransfer.cycles;
  checkReturnCode(cpu, selector, target);
  const cpl = cpu.cpl;
  const rpl = selector & 3;
  if (rpl === cpl) {
    if (eip > target.limit) fault(cpu, VECTOR.GP, 0);
    markAccessed(cpu, target);
    cpu.regs[ESP] = advance(cpu.segments[SS], cpu.regs[ESP], 2 * size + drop);
    enterCode(cpu, selector, target, cpl, eip);
    return;
  }
  const pointer = peekStack(cpu, 2 * size + drop, wide);
  const ss = peekStack(cpu, 3 * size + drop, wide) & 0xffff;
  checkReturnStack(cpu, ss, rpl, stack);
  if (eip > target.limit) fault(cpu, VECTOR.GP, 0);
  markAccessed(cpu, target);
  markAccessed(cpu, stack);
  setHidden(cpu.segments[SS], ss, stack);
  setStackPointer(cpu, pointer);
  cpu.regs[ESP] = advance(cpu.segments[SS], cpu.regs[ESP], drop);
  enterCode(cpu, selector, target, rpl, eip);
  leaveRing(cpu, cpl, rpl);
}

/** SYSENTER: to ring 0 at the address in the MSRs, flat segments, nothing saved (SDM vol. 2B). */
export function sysenter(cpu: Cpu): void {
  const selector = msr(cpu, MSR.sysenterCs);
  if (!(cpu.cr0 & CR0_PE) || isNull(selector)) fault(cpu, VECTOR.GP, 0);
  setFlags(cpu, getFlags(cpu) & ~(VM | IF | RF));
  flat(cpu.segments[CS], selector & 0xfffc, 0xc09b);
  flat(cpu.segments[SS], (selector & 0xfffc) + 8, 0xc093);
  cpu.cpl = 0;
  cpu.regs[ESP] = msr(cpu, MSR.sysenterEsp);
  cpu.eip = msr(cpu, MSR.sysenterEip) >>> 0;
  cpu.tlb.generation++;
  stopInMonitor(cpu);
}

/** SYSEXIT: to ring 3 at EDX with the stack ECX. */
export function sysexit(cpu: Cpu): void {
  const selector = msr(cpu, MSR.sysenterCs);
  if (!(cpu.cr0 & CR0_PE) || cpu.cpl !== 0 || isNull(selector)) fault(cpu, VECTOR.GP, 0);
  flat(cpu.segments[CS], ((selector & 0xfffc) + 16) | 3, 0xc0fb);
  flat(cpu.segments[SS], ((selector & 0xfffc) + 24) | 3, 0xc0f3);
  cpu.cpl = 3;
  cpu.regs[ESP] = cpu.regs[ECX];
  cpu.eip = cpu.regs[EDX] >>> 0;
  cpu.tlb.generation++;
  // Unlike IRET, SYSEXIT leaves the data segments to the software.
  cpu.recorder.record(Kind.ring, cpu.eip, 0, 3);
}

function flat(s: SegmentRegister, selector: number, access: number): void {
  if (s.base !== 0 || s.limit !== 0xffffffff) loads.count++;
  loads.quiet++;
  s.selector = selector & 0xffff;
  s.base = 0;
  s.limit = 0xffffffff;
  s.access = access;
}

function msr(cpu: Cpu, index: number): number {
  return Number(BigInt.asIntN(32, cpu.msrs.get(index) ?? 0n));
}
