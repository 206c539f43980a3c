// Exceptions: page faults are mostly ours (shadow paging); the others that leave are the guest's and go back.
import { VECTOR } from '../../../machine/cpu/fault.ts';
import { TF } from '../../../machine/cpu/flags.ts';
import { SVM_EXIT } from '../../../machine/cpu/svm/exit-codes.ts';
import { V } from '../../../machine/cpu/svm/layout.ts';
import { Injected } from '../../../trace/events.ts';
import { FaultIs } from '../../shadow-paging.ts';
import type { Resume } from '../../technique.ts';
import type { ExitContext } from './context.ts';

const DR6_SINGLE_STEP = 0x4000;
const DR6_REASONS = 0xe00f;
/** Exceptions with an error code: #DF #TS #NP #SS #GP #PF #AC. */
const WITH_ERROR_CODE = (1 << 8) | (1 << 10) | (1 << 11) | (1 << 12) | (1 << 13) | (1 << 14) | (1 << 17);

export function exception(c: ExitContext): Resume {
  const vector = c.exit.reason - SVM_EXIT.exception;
  if (vector === VECTOR.PF) return pageFault(c, c.exit.detail >>> 0, c.exit.qualification);
  if (vector === VECTOR.DB && c.guest.steppedHole >= 0) return steppedOver(c);
  stopStepping(c);
  const errorCode = (WITH_ERROR_CODE >>> vector) & 1 ? c.exit.qualification : -1;
  return c.raise(vector, errorCode, Injected.reflected);
}

function pageFault(c: ExitContext, linear: number, errorCode: number): Resume {
  const shadow = c.guest.shadowTables!;
  switch (shadow.pageFault(linear, errorCode)) {
    case FaultIs.filled:
      return 'enter';
    case FaultIs.guests:
      stopStepping(c);
      return c.raisePageFault(linear);
    default:
      return stepOverHole(c, linear);
  }
}

/**
 * A write to guest-physical memory that does not exist: on the bare machine it is lost. The page is opened on a frame that
 * nobody uses, the one instruction runs with TF set, and the debug exception closes the page again.
 */
function stepOverHole(c: ExitContext, linear: number): Resume {
  const { guest } = c;
  if (guest.event)
    return c.crash(`the guest’s stack lies at ${linear.toString(16)}h, where it has no memory`);
  // An instruction may touch two such pages: the first is simply opened until the second is done with.
  stopStepping(c);
  guest.shadowTables!.openHole(linear);
  guest.steppedHole = linear;
  const { vmcb } = guest;
  const flags = vmcb.get(V.rflags);
  guest.guestTrapFlag = (flags & TF) !== 0;
  guest.guestDr6 = vmcb.get(V.dr6);
  vmcb.set(V.rflags, flags | TF);
  vmcb.set(V.exceptions, guest.exceptions | (1 << VECTOR.DB));
  vmcb.set(V.interruptShadow, 0);
  return 'enter';
}

/** The single step that `stepOverHole` asked for. If the guest was stepping itself, the exception is for it too. */
function steppedOver(c: ExitContext): Resume {
  const { guest } = c;
  const reasons = guest.vmcb.get(V.dr6) & ~guest.guestDr6 & DR6_REASONS;
  const forGuest = guest.guestTrapFlag || (reasons & ~DR6_SINGLE_STEP) !== 0;
  const seen = guest.guestTrapFlag ? reasons : reasons & ~DR6_SINGLE_STEP;
  stopStepping(c);
  if (!forGuest) return 'enter';
  // The processor has written DR6 already; what the guest finds there is without our own step.
  guest.vmcb.set(V.dr6, guest.guestDr6 | seen);
  return c.raise(VECTOR.DB, -1, Injected.reflected);
}

function stopStepping(c: ExitContext): void {
  const { guest } = c;
  if (guest.steppedHole < 0) return;
  guest.shadowTables!.closeHole(guest.steppedHole);
  guest.steppedHole = -1;
  const { vmcb } = guest;
  const flags = vmcb.get(V.rflags);
  vmcb.set(V.rflags, guest.guestTrapFlag ? flags : flags & ~TF);
  vmcb.set(V.dr6, guest.guestDr6);
  vmcb.set(V.exceptions, guest.exceptions);
}
