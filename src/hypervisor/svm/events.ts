// Events on their way into the guest: exceptions that the hypervisor decided on, events whose delivery an exit cut short, and
// interrupts of the virtual board. One event fits into EVENTINJ; a virtual interrupt that is intercepted calls for the rest.
import { IF } from '../../machine/cpu/flags.ts';
import { GENERAL1 } from '../../machine/cpu/svm/exit-codes.ts';
import { V, VINTR } from '../../machine/cpu/svm/layout.ts';
import { Injected, Kind } from '../../trace/events.ts';
import { EVENT_ERROR_CODE, EVENT_TYPE, EVENT_VALID, eventType, eventWord } from '../platform/exceptions.ts';
import type { SvmGuest } from './svm-guest.ts';

const BREAKPOINT = 3;
const OVERFLOW = 4;

/** Takes over the event whose delivery the exit interrupted, to be delivered again. Called at every exit. */
export function keepInterruptedEvent(guest: SvmGuest): void {
  const info = guest.vmcb.get(V.exitIntInfo);
  guest.event = 0;
  const isException = info < 0 && eventType(info) === EVENT_TYPE.exception;
  if (!isException) guest.chain.clear();
  if (!(info & EVENT_VALID)) return;
  const vector = info & 0xff;
  // What an instruction brought about, it brings about again: RIP is on it.
  if (eventType(info) === EVENT_TYPE.software) return;
  if (isException && (vector === BREAKPOINT || vector === OVERFLOW)) return;
  guest.event = info;
  if (info & EVENT_ERROR_CODE) guest.eventErrorCode = guest.vmcb.get(V.exitIntInfo + 1);
}

/** Writes the event for this entry into the VMCB, or asks for the window that a waiting interrupt needs. @returns its vector, or -1 */
export function prepareEvents(guest: SvmGuest): number {
  const { board, hypervisor, vcpu, vmcb } = guest;
  if (!guest.event && board.pic.pending() && isInterruptible(guest)) {
    const vector = board.pic.acknowledge();
    guest.event = eventWord(vector, EVENT_TYPE.external, -1);
    hypervisor.charge.injectEvent();
    hypervisor.record(vcpu, Kind.inject, vector, -1, Injected.virtualInterrupt);
  }
  requestWindow(guest, board.pic.pending());
  const { event } = guest;
  vmcb.set(V.eventInj, event);
  if (!event) return -1;
  vmcb.set(V.eventInj + 1, event & EVENT_ERROR_CODE ? guest.eventErrorCode : 0);
  return event & 0xff;
}

/** Interrupts are on, and neither STI nor MOV SS holds them off. */
function isInterruptible({ vmcb }: SvmGuest): boolean {
  return (vmcb.get(V.rflags) & IF) !== 0 && (vmcb.get(V.interruptShadow) & 1) === 0;
}

/** A virtual interrupt of the highest priority that is never taken: VINTR is intercepted (APM vol. 2 §15.21.4). */
function requestWindow(guest: SvmGuest, wanted: boolean): void {
  if (wanted === guest.windowOpen) return;
  guest.windowOpen = wanted;
  guest.vmcb.set(V.vintr, VINTR.masking | (wanted ? VINTR.irq | VINTR.priority | VINTR.ignoreTpr : 0));
  guest.vmcb.set(V.general1, guest.general1 | (wanted ? GENERAL1.virtualInterrupt : 0));
}
