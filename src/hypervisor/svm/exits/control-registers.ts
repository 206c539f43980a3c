// Reads and writes of control registers (APM vol. 2 §15.9): the guest's CR0, CR3 and CR4 are what it believes (shadow.control);
// what the processor holds is chosen in vmcb.ts. Which instruction it was, and with which register, is read from the guest.
import { VECTOR } from '../../../machine/cpu/fault.ts';
import type { Instruction } from '../../../machine/isa/instruction.ts';
import { Emulated } from '../../../trace/events.ts';
import { cr0Value, cr3Value, cr4Allowed, lmswValue } from '../../platform/control-registers.ts';
import type { Resume } from '../../technique.ts';
import { operandAddress, readWord, writeWord } from '../instruction.ts';
import { loadControlRegisters } from '../vmcb.ts';
import type { ExitContext } from './context.ts';

const TS = 8;

/** An exit of the codes 00h–1Fh, or CR0_SEL_WRITE. */
export function controlRegister(c: ExitContext, i: Instruction): Resume {
  switch (i.form.operation) {
    case 'mov-to-cr':
      return write(c, i, i.reg, c.vcpu.regs[i.rm]);
    case 'mov-from-cr':
      return read(c, i);
    case 'clts':
      c.emulated(Emulated.clts);
      return setCr0(c, i, c.guest.cr0 & ~TS);
    case 'lmsw':
      return lmsw(c, i);
    case 'smsw':
      return smsw(c, i);
    default:
      // The instruction is no longer the one that left.
      return 'enter';
  }
}

function write(c: ExitContext, i: Instruction, cr: number, value: number): Resume {
  const { shadow } = c.guest;
  switch (cr) {
    case 0:
      c.emulated(Emulated.crWrite, 0, value, 4, c.guest.cr0);
      return setCr0(c, i, value);
    case 3:
      c.emulated(Emulated.crWrite, 3, value, 4, shadow.control.cr3);
      if (!shadow.loadCr3(cr3Value(value, shadow.control.cr4))) return c.raise(VECTOR.GP, 0);
      return c.skip(i);
    case 4:
      c.emulated(Emulated.crWrite, 4, value, 4, shadow.control.cr4);
      return setCr4(c, i, value);
    default:
      return c.raise(VECTOR.UD, -1);
  }
}

function setCr0(c: ExitContext, i: Instruction, wanted: number): Resume {
  const value = cr0Value(wanted);
  if (value === null || !c.guest.shadow.loadCr0(value)) return c.raise(VECTOR.GP, 0);
  loadControlRegisters(c.guest);
  return c.skip(i);
}

function setCr4(c: ExitContext, i: Instruction, value: number): Resume {
  if (!cr4Allowed(value, true) || !c.guest.shadow.loadCr4(value)) return c.raise(VECTOR.GP, 0);
  loadControlRegisters(c.guest);
  return c.skip(i);
}

function read(c: ExitContext, i: Instruction): Resume {
  const { cr3, cr4 } = c.guest.control;
  const value = i.reg === 0 ? c.guest.cr0 : i.reg === 3 ? cr3 : cr4;
  c.vcpu.regs[i.rm] = value;
  c.emulated(Emulated.crRead, i.reg, value);
  return c.skip(i);
}

function lmsw(c: ExitContext, i: Instruction): Resume {
  const linear = i.memory ? operandAddress(c.guest, i) : 0;
  const source = i.memory ? readWord(c.guest, linear) : c.vcpu.regs[i.rm] & 0xffff;
  if (source < 0) return c.raisePageFault(linear);
  c.emulated(Emulated.lmsw, 0, source, 2);
  return setCr0(c, i, lmswValue(c.guest.cr0, source));
}

/** SMSW leaves with the reads of CR0, at any privilege level. */
function smsw(c: ExitContext, i: Instruction): Resume {
  const value = c.guest.cr0;
  const { regs } = c.vcpu;
  if (i.memory) {
    const linear = operandAddress(c.guest, i);
    if (!writeWord(c.guest, linear, value)) return c.raisePageFault(linear);
  } else regs[i.rm] = i.operandSize === 32 ? value : (regs[i.rm] & ~0xffff) | (value & 0xffff);
  c.emulated(Emulated.crRead, 0, value, 2);
  return c.skip(i);
}
