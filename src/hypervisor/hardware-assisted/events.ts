// Events on their way into the guest: exceptions that the hypervisor decided on, events whose delivery an exit cut short,
// and interrupts of the virtual board. One event fits into an entry; the interrupt window calls for the rest.
import type { Cpu } from '../../machine/cpu/cpu.ts';
import { hasErrorCode } from '../../machine/cpu/fault.ts';
import { IF } from '../../machine/cpu/flags.ts';
import { PROC } from '../../machine/cpu/vmx/capabilities.ts';
import { INFO_ERROR_CODE, interruptionInfo, TYPE } from '../../machine/cpu/vmx/exit-reasons.ts';
import { FIELD as F } from '../../machine/cpu/vmx/fields.ts';
import { vmread, vmwrite } from '../../machine/cpu/vmx/operations.ts';
import { Injected, Kind } from '../../trace/events.ts';
import type { VtxGuest } from './vtx-guest.ts';

const TYPE_OF = (info: number): number => (info >>> 8) & 7;

/** Takes over the event whose delivery the exit interrupted, to be delivered again. Called at every exit. */
export function keepInterruptedEvent(cpu: Cpu, guest: VtxGuest): void {
  const vectoring = vmread(cpu, F.IDT_VECTORING_INFO) | 0;
  guest.event = 0;
  if (vectoring >= 0 || TYPE_OF(vectoring) !== TYPE.hardwareException) guest.chain.clear();
  if (vectoring >= 0) return;
  // Bit 12 is undefined on the way out and reserved on the way in.
  guest.event = vectoring & ~0x1000;
  if (vectoring & INFO_ERROR_CODE) guest.eventErrorCode = vmread(cpu, F.IDT_VECTORING_ERROR_CODE);
  if (TYPE_OF(vectoring) >= TYPE.softwareInterrupt)
    guest.eventLength = vmread(cpu, F.VM_EXIT_INSTRUCTION_LEN);
}

/** Writes the event for this entry into the VMCS, or asks for the window that a waiting interrupt needs. @returns its vector, or -1 */
export function prepareEvents(cpu: Cpu, guest: VtxGuest): number {
  const { board, hypervisor, vcpu } = guest;
  // In real mode on silicon without it, and for a guest that is parked, the emulator delivers.
  const direct = !guest.emulation?.real && !guest.emulation?.parked;
  if (!guest.event && direct && guest.steppedHole < 0 && board.pic.pending() && isInterruptible(cpu)) {
    const vector = board.pic.acknowledge();
    guest.event = interruptionInfo(vector, TYPE.externalInterrupt, -1);
    hypervisor.charge.injectEvent();
    hypervisor.record(vcpu, Kind.inject, vector, -1, Injected.virtualInterrupt);
  }
  const parked = guest.emulation?.parked ?? false;
  requestWindow(cpu, guest, parked || (board.pic.pending() && guest.steppedHole < 0));
  if (guest.nested !== null && guest.event) fitErrorCode(cpu, guest);
  const { event } = guest;
  if (!event) return -1;
  vmwrite(cpu, F.VM_ENTRY_INTR_INFO, event);
  if (event & INFO_ERROR_CODE) vmwrite(cpu, F.VM_ENTRY_EXCEPTION_ERROR_CODE, guest.eventErrorCode);
  if (TYPE_OF(event) >= TYPE.softwareInterrupt) vmwrite(cpu, F.VM_ENTRY_INSTRUCTION_LEN, guest.eventLength);
  return event & 0xff;
}

/** A guest with nested paging may be in real mode, which has no error codes, and may have changed its mode since the event was met. */
function fitErrorCode(cpu: Cpu, guest: VtxGuest): void {
  const vector = guest.event & 0xff;
  if (TYPE_OF(guest.event) !== TYPE.hardwareException || !hasErrorCode(vector)) return;
  const wanted = (vmread(cpu, F.GUEST_CR0) & 1) !== 0;
  if (wanted && !(guest.event & INFO_ERROR_CODE)) guest.eventErrorCode = 0;
  guest.event = wanted ? guest.event | INFO_ERROR_CODE : guest.event & ~INFO_ERROR_CODE;
}

/** Interrupts are on, and neither STI nor MOV SS holds them off. */
function isInterruptible(cpu: Cpu): boolean {
  return (vmread(cpu, F.GUEST_RFLAGS) & IF) !== 0 && (vmread(cpu, F.GUEST_INTERRUPTIBILITY_INFO) & 3) === 0;
}

function requestWindow(cpu: Cpu, guest: VtxGuest, wanted: boolean): void {
  if (wanted === guest.windowOpen) return;
  guest.windowOpen = wanted;
  vmwrite(cpu, F.CPU_BASED_VM_EXEC_CONTROL, guest.procControls | (wanted ? PROC.interruptWindow : 0));
}
