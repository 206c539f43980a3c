// IRET (SDM vol. 2A "IRET/IRETD", vol. 3 §6.12.1, §7.4, §20.2.3): back to the same ring, to an outer ring, to virtual-8086
// mode or to the previous task. Everything is read and checked before any register changes.
import { Kind } from '../../trace/events.ts';
import { CS, DS, ES, ESP, FS, GS, SS } from '../isa/instruction.ts';
import { Attention, type Cpu } from './cpu.ts';
import { fault, VECTOR } from './fault.ts';
import { AC, DF, getFlags, ID, IF, IOPL, NT, RF, STATUS_FLAGS, setFlags, TF, VIF, VIP, VM } from './flags.ts';
import { byKnownReturn, dropInner, learnReturn } from './known-transfers.ts';
import {
  Access,
  CR0_PE,
  Descriptor,
  enterCode,
  isNull,
  markAccessed,
  requireDescriptor,
  selectorError,
  setHidden,
  setRealMode,
  setVirtual8086,
} from './segmentation.ts';
import { advance, peekStack } from './stacks.ts';
import { returnToPreviousTask } from './tasks.ts';

const code = new Descriptor();
const stack = new Descriptor();

/** What IRET and POPF may always change. */
const ALWAYS = STATUS_FLAGS | TF | DF | NT;
/** And what only their 32-bit forms reach. */
const ALWAYS_WIDE = RF | AC | ID;

/** EFLAGS after a pop of `image` at privilege `cpl`: bits that this privilege may not change keep their value (SDM vol. 2B POPF, table 4-16). */
export function mergeFlags(old: number, image: number, cpl: number, wide: boolean): number {
  let mask = ALWAYS | (wide ? ALWAYS_WIDE : 0);
  if (cpl <= ((old >>> 12) & 3)) mask |= IF;
  if (cpl === 0) mask |= IOPL;
  return (old & ~mask) | (image & mask);
}

/** Stores EFLAGS with what follows from it: an interrupt or a trap may be due, and AC turns alignment checks on. */
export function loadFlags(cpu: Cpu, value: number): void {
  if (value & ~cpu.flags & AC) cpu.tlb.dropFastTags();
  setFlags(cpu, value);
  cpu.attention |= Attention.event;
}

/**
 * IRET as an instruction at the current privilege. Raises #GP, #SS, #NP, #TS, #PF.
 * @param wide 32-bit operand size
 */
export function iret(cpu: Cpu, wide: boolean): void {
  // Even an IRET that faults ends the blocking of NMIs (SDM vol. 3 §6.7.1).
  cpu.nmiBlocked = false;
  const flags = getFlags(cpu);
  const { cpl } = cpu;
  cpu.cycles += cpu.cost.charges.iret.cycles;
  if (!(cpu.cr0 & CR0_PE) || flags & VM) {
    realMode(cpu, flags, wide);
    return;
  }
  if (flags & NT) {
    returnToPreviousTask(cpu);
    return;
  }
  if (wide && byKnownReturn(cpu, flags, mergeFlags)) {
    if (cpu.cpl !== cpl) cpu.recorder.record(Kind.ring, cpu.eip, cpl, cpu.cpl);
    return;
  }
  const size = wide ? 4 : 2;
  const eip = peekStack(cpu, 0, wide) >>> 0;
  const selector = peekStack(cpu, size, wide) & 0xffff;
  const image = peekStack(cpu, 2 * size, wide);
  if (wide && image & VM && cpu.cpl === 0) {
    toVirtual8086(cpu, eip, selector, image);
    return;
  }

  checkReturnCode(cpu, selector, code);
  const rpl = selector & 3;
  const merged = mergeFlags(flags, image, cpl, wide);
  if (rpl === cpl) {
    if (eip > code.limit) fault(cpu, VECTOR.GP, 0);
    markAccessed(cpu, code);
    if (wide) learnReturn(cpu, code, null);
    cpu.regs[ESP] = advance(cpu.segments[SS], cpu.regs[ESP], 3 * size);
  } else {
    const pointer = peekStack(cpu, 3 * size, wide);
    const ss = peekStack(cpu, 4 * size, wide) & 0xffff;
    checkReturnStack(cpu, ss, rpl, stack);
    if (eip > code.limit) fault(cpu, VECTOR.GP, 0);
    markAccessed(cpu, code);
    markAccessed(cpu, stack);
    if (wide) learnReturn(cpu, code, stack);
    setHidden(cpu.segments[SS], ss, stack);
    setStackPointer(cpu, pointer);
  }
  loadFlags(cpu, merged);
  enterCode(cpu, selector, code, rpl, eip);
  if (rpl !== cpl) leaveRing(cpu, cpl, rpl);
}

/**
 * IRETD at CPL 0 outside the instruction stream: how a hypervisor that is not machine code goes back through the hardware's
 * own path. The frame lies at SS:ESP. Throws a `Fault` (see `isFault`) when the frame is bad, and then nothing has changed.
 */
export function returnFromInterrupt(cpu: Cpu): void {
  cpu.instructionStart = cpu.eip;
  iret(cpu, true);
}

/** The checks of a CS that IRET or RETF is about to load (SDM vol. 2A IRET). */
export function checkReturnCode(cpu: Cpu, selector: number, d: Descriptor): void {
  if (isNull(selector)) fault(cpu, VECTOR.GP, 0);
  requireDescriptor(cpu, selector, d, VECTOR.GP);
  const rpl = selector & 3;
  const wrongLevel = d.isConforming ? d.dpl > rpl : d.dpl !== rpl;
  if (rpl < cpu.cpl || !d.isCode || wrongLevel) fault(cpu, VECTOR.GP, selectorError(selector));
  if (!d.present) fault(cpu, VECTOR.NP, selectorError(selector));
}

/** The checks of the SS that a return to outer ring `level` is about to load. */
export function checkReturnStack(cpu: Cpu, selector: number, level: number, d: Descriptor): void {
  if (isNull(selector)) fault(cpu, VECTOR.GP, 0);
  requireDescriptor(cpu, selector, d, VECTOR.GP);
  if ((selector & 3) !== level || !d.isWritableData || d.dpl !== level)
    fault(cpu, VECTOR.GP, selectorError(selector));
  if (!d.present) fault(cpu, VECTOR.SS, selectorError(selector));
}

/** Loads ESP, or only SP when the stack is a 16-bit one. SS is already loaded. */
export function setStackPointer(cpu: Cpu, pointer: number): void {
  if (cpu.segments[SS].access & Access.big) cpu.regs[ESP] = pointer;
  else cpu.regs16[ESP * 2] = pointer;
}

/** What every return to an outer ring does at its end: data segments that the outer ring could not have loaded become null. */
export function leaveRing(cpu: Cpu, from: number, to: number): void {
  for (const register of [ES, DS, FS, GS]) dropInner(cpu.segments[register], to);
  cpu.recorder.record(Kind.ring, cpu.eip, from, to);
}

/** Real mode, and virtual-8086 mode with IOPL 3. */
function realMode(cpu: Cpu, flags: number, wide: boolean): void {
  const virtual = (flags & VM) !== 0;
  if (virtual && (flags & IOPL) !== IOPL) fault(cpu, VECTOR.GP, 0);
  const size = wide ? 4 : 2;
  const eip = peekStack(cpu, 0, wide) >>> 0;
  const selector = peekStack(cpu, size, wide) & 0xffff;
  const image = peekStack(cpu, 2 * size, wide);
  if (eip > cpu.segments[CS].limit) fault(cpu, VECTOR.GP, 0);
  cpu.regs[ESP] = advance(cpu.segments[SS], cpu.regs[ESP], 3 * size);
  if (virtual) setVirtual8086(cpu, CS, selector);
  else setRealMode(cpu, CS, selector);
  cpu.eip = eip;
  loadFlags(
    cpu,
    virtual ? (mergeFlags(flags, image, 3, wide) & ~IOPL) | IOPL : mergeFlags(flags, image, 0, wide),
  );
}

/** From ring 0 into virtual-8086 mode: nine doublewords, no descriptor checks. */
function toVirtual8086(cpu: Cpu, eip: number, selector: number, image: number): void {
  const pointer = peekStack(cpu, 12, true);
  const selectors = [16, 20, 24, 28, 32].map((at) => peekStack(cpu, at, true) & 0xffff);
  if (eip > 0xffff) fault(cpu, VECTOR.GP, 0);
  loadFlags(cpu, image & (ALWAYS | ALWAYS_WIDE | IF | IOPL | VM | VIF | VIP));
  cpu.regs[ESP] = pointer;
  [SS, ES, DS, FS, GS].forEach((register, n) => {
    setVirtual8086(cpu, register, selectors[n]);
  });
  setVirtual8086(cpu, CS, selector);
  cpu.cpl = 3;
  cpu.eip = eip;
  cpu.recorder.record(Kind.ring, eip, 0, 3);
}
