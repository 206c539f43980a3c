// EXCEPTION_NMI: page faults are mostly ours (shadow paging); the other exceptions that leave are the guest's and go back.
import { VECTOR } from '../../../machine/cpu/fault.ts';
import { TF } from '../../../machine/cpu/flags.ts';
import { INFO_ERROR_CODE, TYPE } from '../../../machine/cpu/vmx/exit-reasons.ts';
import { FIELD as F } from '../../../machine/cpu/vmx/fields.ts';
import { vmread, vmwrite } from '../../../machine/cpu/vmx/operations.ts';
import { Injected } from '../../../trace/events.ts';
import { FaultIs } from '../../shadow-paging.ts';
import type { Resume } from '../../technique.ts';
import { EXCEPTIONS } from '../vmcs.ts';
import type { VtxGuest } from '../vtx-guest.ts';
import type { ExitContext } from './context.ts';

const DR6_SINGLE_STEP = 0x4000;
const INTERRUPTIBILITY_BLOCKING = 3;

export function exception(c: ExitContext): Resume {
  const info = c.exit.detail;
  const vector = info & 0xff;
  // A non-maskable interrupt is the host's business, and this host has no source of one.
  if (((info >>> 8) & 7) === TYPE.nmi) return 'enter';
  const errorCode = info & INFO_ERROR_CODE ? vmread(c.cpu, F.VM_EXIT_INTR_ERROR_CODE) : -1;
  if (vector === VECTOR.PF) return pageFault(c, c.exit.qualification >>> 0, errorCode);
  if (vector === VECTOR.DB && c.guest.steppedHole >= 0) return steppedOver(c);
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
    default:
      return stepOverHole(c, linear);
  }
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
  vmwrite(cpu, F.EXCEPTION_BITMAP, EXCEPTIONS | (1 << VECTOR.DB));
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
  vmwrite(cpu, F.EXCEPTION_BITMAP, EXCEPTIONS);
}

function closeHole(guest: VtxGuest): void {
  guest.shadowTables!.closeHole(guest.steppedHole);
  guest.steppedHole = -1;
}
