// CR_ACCESS (SDM vol. 3 table 27-3): the guest's CR0, CR3 and CR4 are what it believes (read shadows, shadow.control);
// what the processor holds is chosen here.
import { VECTOR } from '../../../machine/cpu/fault.ts';
import { CR_ACCESS } from '../../../machine/cpu/vmx/exit-reasons.ts';
import { FIELD as F } from '../../../machine/cpu/vmx/fields.ts';
import { vmread, vmwrite } from '../../../machine/cpu/vmx/operations.ts';
import { Emulated } from '../../../trace/events.ts';
import { CR4_PAE, cr0Value, cr3Value, cr4Allowed, lmswValue } from '../../platform/control-registers.ts';
import type { Resume } from '../../technique.ts';
import { nestedCr0, realCr0, realCr4 } from '../vmcs.ts';
import type { ExitContext } from './context.ts';

const PE = 1,
  TS = 8,
  PG = 0x80000000;
/** The guest changes these without asking, so the processor has their truth. */
const CR0_GUESTS = 0xe;

export function crAccess(c: ExitContext): Resume {
  const q = c.exit.qualification;
  const cr = q & 15;
  const register = (q >>> 8) & 15;
  switch ((q >>> 4) & 3) {
    case CR_ACCESS.toCr:
      return write(c, cr, c.register(register));
    case CR_ACCESS.fromCr:
      return readCr3(c, register);
    case CR_ACCESS.clts:
      c.emulated(Emulated.clts);
      return setCr0(c, guestCr0(c) & ~TS);
    default: {
      const source = q >>> 16;
      c.emulated(Emulated.lmsw, 0, source, 2);
      return setCr0(c, lmswValue(guestCr0(c), source));
    }
  }
}

function write(c: ExitContext, cr: number, value: number): Resume {
  const { control } = c.guest.shadow;
  switch (cr) {
    case 0:
      c.emulated(Emulated.crWrite, 0, value, 4, guestCr0(c));
      return setCr0(c, value);
    case 3:
      c.emulated(Emulated.crWrite, 3, value, 4, control.cr3);
      if (!c.guest.shadow.loadCr3(cr3Value(value, control.cr4))) return c.raise(VECTOR.GP, 0);
      return c.skip();
    case 4:
      c.emulated(Emulated.crWrite, 4, value, 4, control.cr4);
      return setCr4(c, value);
    default:
      return c.raise(VECTOR.UD, -1);
  }
}

/** CR0 as the guest sees it now. */
function guestCr0(c: ExitContext): number {
  if (c.guest.nested) return c.guest.shadow.control.cr0;
  return (c.guest.shadow.control.cr0 & ~CR0_GUESTS) | (vmread(c.cpu, F.GUEST_CR0) & CR0_GUESTS);
}

function setCr0(c: ExitContext, wanted: number): Resume {
  const value = cr0Value(wanted);
  if (value === null) return c.raise(VECTOR.GP, 0);
  const { nested, shadow } = c.guest;
  if (nested) return setNestedCr0(c, value);
  if (!(value & PE)) {
    // First-generation VT-x runs protected mode only (CR0.PE is fixed to 1).
    if (c.guest.emulation) return c.guest.emulation.instruction();
    return c.crash('the guest switched to real mode, and the emulator that would run it is not there');
  }
  if (!shadow.loadCr0(value)) return c.raise(VECTOR.GP, 0);
  vmwrite(c.cpu, F.CR0_READ_SHADOW, value);
  vmwrite(c.cpu, F.GUEST_CR0, realCr0(value));
  // Tables of three levels begin, or end, with paging.
  if (shadow.control.cr4 & CR4_PAE) vmwrite(c.cpu, F.GUEST_CR4, realCr4(shadow.control.cr4, c.guest));
  return c.skip();
}

/** With nested paging only NE and the cache bits come here; whatever else changes with them is the guest's. */
function setNestedCr0(c: ExitContext, value: number): Resume {
  const before = vmread(c.cpu, F.GUEST_CR0);
  const cr4 = vmread(c.cpu, F.GUEST_CR4);
  // Switching PAE paging on loads four entries, which is the emulator's to do.
  if ((before ^ value) & PG && value & PG && cr4 & CR4_PAE) return c.guest.emulation!.instruction();
  vmwrite(c.cpu, F.CR0_READ_SHADOW, value);
  vmwrite(c.cpu, F.GUEST_CR0, nestedCr0(value));
  // As the instruction itself would have: paging has been switched on or off.
  if ((before ^ value) & PG) c.guest.nested!.loadCr0();
  return c.skip();
}

function setCr4(c: ExitContext, value: number): Resume {
  // With nested paging a guest that comes here has tried to set VMXE.
  const { shadowTables: shadow } = c.guest;
  if (!shadow || !cr4Allowed(value, shadow.canBeWide) || !shadow.loadCr4(value)) return c.raise(VECTOR.GP, 0);
  vmwrite(c.cpu, F.CR4_READ_SHADOW, value);
  vmwrite(c.cpu, F.GUEST_CR4, realCr4(value, c.guest));
  return c.skip();
}

function readCr3(c: ExitContext, register: number): Resume {
  const { cr3 } = c.guest.shadow.control;
  if (register === 4) vmwrite(c.cpu, F.GUEST_RSP, cr3);
  else c.vcpu.regs[register] = cr3;
  c.emulated(Emulated.crRead, 3, cr3);
  return c.skip();
}
