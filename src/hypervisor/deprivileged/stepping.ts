// One guest instruction with the trap flag set: to let a write through to a page that is watched or has no memory, or to
// give a waiting interrupt its place behind STI and MOV SS (SDM vol. 3 §6.8.1, §17.3.2).
import { TF } from '../../machine/cpu/flags.ts';
import { ESP, SS } from '../../machine/isa/instruction.ts';
import type { DeprivilegedGuest } from './guest.ts';
import { isGuestFault } from './linear.ts';
import { fetch, linearOf } from './operands.ts';

/** Sets TF for the guest's next instruction. */
export function startStep(guest: DeprivilegedGuest): void {
  if (guest.stepping) return;
  guest.stepping = true;
  guest.steppedEip = guest.frame.eip;
  guest.guestTrapFlag = (guest.frame.eflags & TF) !== 0;
  guest.frame.eflags |= TF;
}

/** Ends the step and closes what was open for it. @returns whether the guest itself has TF set */
export function stopStep(guest: DeprivilegedGuest): boolean {
  if (!guest.stepping) return (guest.frame.eflags & TF) !== 0;
  guest.stepping = false;
  const { frame, descriptors } = guest;
  if (guest.tableWritten) descriptors.stale = true;
  guest.tableWritten = false;
  // POPF may have cleared it meanwhile.
  if (!guest.guestTrapFlag) frame.eflags &= ~TF;
  if (!guest.guestTrapFlag && frame.eip !== guest.steppedEip) hideTrapFlag(guest);
  closeOpened(guest);
  return guest.guestTrapFlag;
}

/** Closes the pages that were opened for a step. */
export function closeOpened({ shadow, opened }: DeprivilegedGuest): void {
  for (const { linear, traced } of opened) {
    if (traced) shadow.closeTraced(linear);
    else shadow.closeHole(linear);
  }
  opened.length = 0;
}

/** A PUSHF that was stepped has shown the guest our trap flag. */
function hideTrapFlag(guest: DeprivilegedGuest): void {
  const { linear, vcpu } = guest;
  if (fetch(guest, guest.steppedEip)?.form.operation !== 'pushf') return;
  try {
    const at = linearOf(guest, SS, vcpu.regs[ESP]);
    linear.write(at + 1, linear.read8(at + 1) & ~(TF >>> 8), 1);
  } catch (error) {
    if (!isGuestFault(error)) throw error;
  }
}
