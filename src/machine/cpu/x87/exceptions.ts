// What comes before and after the work of a floating-point instruction (SDM vol. 1 §8.5–8.7): #NM, pending errors as #MF or
// through FERR# and the board, the flags that an operation has raised, and whether its result may be stored.

import type { Instruction } from '../../isa/instruction.ts';
import { CS } from '../../isa/instruction.ts';
import { Attention, type Cpu } from '../cpu.ts';
import { EXITED, fault, VECTOR } from '../fault.ts';
import { BUSY, C1, DE, ES, EXCEPTIONS, IE, MAX_EXPONENT, RESULT, SF, SIGN, type X87, ZE } from './state.ts';

export const CR0_MP = 2,
  CR0_EM = 4,
  CR0_TS = 8,
  CR0_NE = 0x20;

/** #NM when there is to be no floating-point unit (EM), or its state belongs to another task (TS). */
export function requireUnit(cpu: Cpu): X87 {
  if (cpu.cr0 & (CR0_EM | CR0_TS)) fault(cpu, VECTOR.NM);
  return cpu.x87;
}

/** The beginning of a waiting instruction: #NM, then errors of earlier instructions. */
export function begin(cpu: Cpu): X87 {
  if (cpu.cr0 & (CR0_EM | CR0_TS)) fault(cpu, VECTOR.NM);
  const f = cpu.x87;
  if (f.status & ES) reportError(cpu, f);
  f.raised = 0;
  return f;
}

/** FWAIT: #NM only when MP and TS are both set. */
export function wait(cpu: Cpu): void {
  if ((cpu.cr0 & (CR0_MP | CR0_TS)) === (CR0_MP | CR0_TS)) fault(cpu, VECTOR.NM);
  const f = cpu.x87;
  if (f.status & ES) reportError(cpu, f);
}

/**
 * A pending unmasked error. With CR0.NE it is #MF. Without, FERR# goes out and the processor stands still until an interrupt
 * comes, which on a PC is IRQ 13; it goes on without stopping once IGNNE# has been asserted by a write to port F0h.
 */
function reportError(cpu: Cpu, f: X87): void {
  if (cpu.cr0 & CR0_NE) fault(cpu, VECTOR.MF);
  if (f.ignoreErrors) return;
  f.errorAsserted = true;
  f.onError?.(true);
  if (cpu.intercepts?.instruction('ferr-freeze', 0)) throw EXITED;
  cpu.eip = cpu.instructionStart;
  cpu.halted = true;
  cpu.shadow = 0;
  cpu.attention |= Attention.event;
  throw EXITED;
}

/** Remembers a non-control instruction, for handlers of its exceptions. */
export function remember(cpu: Cpu, f: X87, i: Instruction): void {
  f.ip = cpu.instructionStart;
  f.cs = cpu.segments[CS].selector;
  f.opcode = ((i.form.opcode & 7) << 8) | i.modrm;
}

/** And its memory operand. */
export function rememberOperand(cpu: Cpu, f: X87, i: Instruction, offset: number): void {
  remember(cpu, f, i);
  f.dp = offset >>> 0;
  f.ds = cpu.segments[i.segment].selector;
}

/**
 * Merges what the operation has raised into the status word. C1 tells whether the result was rounded up, or which way the
 * stack ran over.
 * @returns false when an exception that precedes the computation is unmasked: then nothing is stored and nothing popped
 */
export function settle(f: X87): boolean {
  const { raised } = f;
  if (raised === 0) {
    f.status &= ~C1;
    return true;
  }
  const unmasked = raised & ~f.control & EXCEPTIONS;
  if (unmasked === 0) {
    f.status = (f.status & ~C1) | raised;
    return true;
  }
  const early = (unmasked & (IE | DE | ZE)) !== 0;
  const kept = early ? raised & (IE | DE | ZE | SF | (raised & SF ? C1 : 0)) : raised;
  f.status = (f.status & ~C1) | kept | ES | BUSY;
  return !early;
}

/** Stack underflow: RESULT is the indefinite. */
export function underflows(f: X87): void {
  f.raised |= IE | SF;
  f.set(RESULT, SIGN | MAX_EXPONENT, 0xc0000000 | 0, 0);
}

/**
 * Pushes RESULT; over a full register it is a stack overflow. Settles. A denormal is loaded even when DE is unmasked: there is
 * nothing to compute.
 */
export function pushResult(f: X87): void {
  if (!(f.raised & SF) && !f.isEmpty(f.st(7))) {
    f.raised = IE | SF | C1;
    f.set(RESULT, SIGN | MAX_EXPONENT, 0xc0000000 | 0, 0);
  }
  const blocked = f.raised & IE & ~f.control;
  settle(f);
  if (blocked) return;
  f.push();
  f.copy(f.top, RESULT);
}

/** Stores RESULT into a register, which is then not empty. */
export function storeResult(f: X87, register: number): void {
  f.copy(register, RESULT);
  f.occupied |= 1 << register;
}
