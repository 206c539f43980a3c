// EXCEPTION_NMI: page faults are mostly ours (shadow paging); the other exceptions that leave are the guest's and go back.
import { VECTOR } from '../../../machine/cpu/fault.ts';
import { TF } from '../../../machine/cpu/flags.ts';
import { INFO_ERROR_CODE, TYPE } from '../../../machine/cpu/vmx/exit-reasons.ts';
import { FIELD as F } from '../../../machine/cpu/vmx/fields.ts';
import { vmread, vmwrite } from '../../../machine/cpu/vmx/operations.ts';
import { Injected } from '../../../trace/events.ts';
import { FaultIs } from '../../shadow-paging.ts';
import type { Resume } from '../../technique.ts';
import type { Emulation } from '../emulation.ts';
import { exceptionsOf } from '../vmcs.ts';
import type { VtxGuest } from '../vtx-guest.ts';
import type { ExitContext } from './context.ts';

const CR0_NE = 0x20;
const DR6_SINGLE_STEP = 0x4000;
const INTERRUPTIBILITY_BLOCKING = 3;

export function exception(c: ExitContext): Resume {
  const info = c.exit.detail;
  const vector = info & 0xff;
  // A non-maskable interrupt is the host's business, and this host has no source of one.
  if (((info >>> 8) & 7) === TYPE.nmi) return 'enter';
  const errorCode = info & INFO_ERROR_CODE ? vmread(c.cpu, F.VM_EXIT_INTR_ERROR_CODE) : -1;
  const { emulation } = c.guest;
  // In real mode on silicon without it, whatever is not a page of ours to fill is the emulator's: it finds the same fault.
  if (emulation?.real && vector !== VECTOR.PF)
    return vector === VECTOR.DB ? debugTrap(c, emulation) : emulation.instruction();
  if (vector === VECTOR.PF && c.guest.shadowTables)
    return pageFault(c, c.exit.qualification >>> 0, errorCode);
  if (vector === VECTOR.DB && c.guest.steppedHole >= 0) return steppedOver(c);
  if (vector === VECTOR.MF && emulation && !(c.guest.shadow.control.cr0 & CR0_NE))
    return emulation.numericError();
  stopStepping(c);
  return c.raise(vector, errorCode, Injected.reflected);
}

function pageFault(c: ExitContext, linear: number, errorCode: number): Resume {
  const shadow = c.guest.shadowTables!;
  switch (shadow.pageFault(linear, errorCode)) {
    case FaultIs.filled:
      return 'enter';
    case FaultIs.guests:
      stopStepping(c);
      return c.raise(VECTOR.PF, shadow.guestError, Injected.fault, linear);
    case FaultIs.device:
      stopStepping(c);
      return c.guest.emulation!.access();
    default:
      return shadow.devices ? c.guest.emulation!.access() : stepOverHole(c, linear);
  }
}

/** Single step or a breakpoint, in real mode. A VM exit leaves DR6 alone: the reasons are in the qualification. */
function debugTrap(c: ExitContext, emulation: Emulation): Resume {
  c.cpu.dr[6] |= c.exit.qualification & 0x600f;
  return emulation.deliver(VECTOR.DB, TYPE.hardwareException);
}

/**
 * A write to guest-physical memory that does not exist: on the bare machine it is lost. The page is opened on a frame that
 * nobody uses, the one instruction runs with TF set, and the debug exception closes the page again.
 */
function stepOverHole(c: ExitContext, linear: number): Resume {
  const { guest, cpu } = c;
  if (guest.event)
    return c.crash(`the guest’s stack lies at ${linear.toString(16)}h, where it has no memory`);
  // An instruction may touch two such pages: the first is simply opened until the second is done with.
  stopStepping(c);
  guest.shadowTables!.openHole(linear);
  guest.steppedHole = linear;
  const flags = vmread(cpu, F.GUEST_RFLAGS);
  guest.guestTrapFlag = (flags & TF) !== 0;
  vmwrite(cpu, F.GUEST_RFLAGS, flags | TF);
  vmwrite(cpu, F.EXCEPTION_BITMAP, exceptionsOf(guest) | (1 << VECTOR.DB));
  const blocking = vmread(cpu, F.GUEST_INTERRUPTIBILITY_INFO);
  if (blocking & INTERRUPTIBILITY_BLOCKING)
    vmwrite(cpu, F.GUEST_INTERRUPTIBILITY_INFO, blocking & ~INTERRUPTIBILITY_BLOCKING);
  return 'enter';
}

/** The single step that `stepOverHole` asked for. If the guest was stepping itself, the exception is for it too. */
function steppedOver(c: ExitContext): Resume {
  const { guest } = c;
  const forGuest = guest.guestTrapFlag || (c.exit.qualification & ~DR6_SINGLE_STEP) !== 0;
  stopStepping(c);
  if (!forGuest) return 'enter';
  return debugException(c);
}

/** A VM exit leaves DR6 alone; an injected #DB must find in it what the processor would have put there. */
function debugException(c: ExitContext): Resume {
  c.cpu.dr[6] |= c.exit.qualification & 0x600f;
  return c.raise(VECTOR.DB, -1, Injected.reflected);
}

function stopStepping(c: ExitContext): void {
  const { guest, cpu } = c;
  if (guest.steppedHole < 0) return;
  closeHole(guest);
  const flags = vmread(cpu, F.GUEST_RFLAGS);
  vmwrite(cpu, F.GUEST_RFLAGS, guest.guestTrapFlag ? flags : flags & ~TF);
  vmwrite(cpu, F.EXCEPTION_BITMAP, exceptionsOf(guest));
}

function closeHole(guest: VtxGuest): void {
  guest.shadowTables!.closeHole(guest.steppedHole);
  guest.steppedHole = -1;
}
