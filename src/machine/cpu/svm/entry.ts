// VMRUN (APM vol. 2 §15.5): saves the host, checks the VMCB, loads the guest, delivers the event that is to be injected. What
// is wrong with a VMCB is told by an exit, VMEXIT_INVALID, and then no guest state has been touched.
import { Kind } from '../../../trace/events.ts';
import { Attention, type Cpu } from '../cpu.ts';
import { EXITED, isFault } from '../fault.ts';
import { VM } from '../flags.ts';
import { deliverEvent, deliverFault, EventType, softwareInterrupt } from '../interrupts.ts';
import { CR0_PG, CR4_PAE, loadPdptes } from '../page-walk.ts';
import { tagMode } from '../paging.ts';
import { CR0_PE } from '../segmentation.ts';
import { ASID_BASE, NO_ROOT } from '../tlb-context.ts';
import { invalidity } from './checks.ts';
import { invalidEntry, isMonitor } from './exit.ts';
import { EVENT, EVENT_TYPE, V } from './layout.ts';
import { nestedWalkOf } from './nested.ts';
import { loadState, saveState } from './save-area.ts';
import { type SvmState, svmOf } from './state.ts';

/**
 * Enters the guest of the VMCB at `physical`. The host's state is what the processor holds now, and it goes on at `cpu.eip`
 * when the guest leaves. Afterwards the guest runs, or an exit has already happened.
 */
export function vmrun(cpu: Cpu, physical: number): void {
  const svm = svmOf(cpu);
  const host = svm.hostArea;
  const kept = svm.resident && svm.kept === svm.at(physical);
  // What is in the processor is a guest's; the host's part of the area is as it was.
  if (svm.resident) svm.resident = false;
  else {
    cpu.tlb.current.mode = tagMode(cpu);
    saveState(cpu, svm, svm.words(host), svm.at(host), cpu.eip);
  }
  svm.use(physical);
  cpu.cycles += svm.cycles.run;
  if (invalidity(svm) !== '') {
    invalidEntry(cpu, svm);
    return;
  }
  try {
    enter(cpu, kept);
  } catch (thrown) {
    // The guest's tables, or the stack of the injected event, lie where nested paging has no page.
    if (thrown !== EXITED) throw thrown;
  }
}

function enter(cpu: Cpu, kept: boolean): void {
  const svm = svmOf(cpu);
  const { vmcb: w, base: b } = svm;
  const hostIf = (cpu.flags & 0x200) !== 0;
  svm.intercepts.load(hostIf);
  loadState(cpu, svm, w, b, kept);
  cpu.cr2 = w[b + V.cr2];
  cpu.dr[6] = (w[b + V.dr6] & 0xe00f) | 0xffff0ff0;
  cpu.dr[7] = (w[b + V.dr7] & 0xffff2fff) | 0x400;
  // The field counts, except where the mode leaves no choice.
  cpu.cpl = !(cpu.cr0 & CR0_PE) ? 0 : cpu.flags & VM ? 3 : (w[b + V.cplWord] >>> 24) & 3;
  cpu.shadow = w[b + V.interruptShadow] & 1;
  cpu.halted = false;
  cpu.pendingDebug = 0;
  // §15.16: translations are tagged with the ASID. Bit 0 asks for all to go, whosever they are; FlushByASID, with values of its own, came in 2010.
  const { tlb } = cpu;
  if (w[b + V.tlbControl] & 1) {
    tlb.flushAll();
    cpu.cycles += cpu.cost.charges.tlbFlush.cycles;
  }
  tlb.enter(tlb.contextOf(ASID_BASE + w[b + V.asid], NO_ROOT), tagMode(cpu));
  cpu.nested = w[b + V.nestedPaging] & 1 ? nestedWalkOf(svm) : null;
  cpu.gif = true;
  cpu.intercepts = svm.intercepts;
  cpu.attention |= Attention.event;
  if (cpu.cr0 & CR0_PG && cpu.cr4 & CR4_PAE) {
    try {
      loadPdptes(cpu, cpu.cr3);
    } catch (thrown) {
      if (!isFault(thrown)) throw thrown;
      invalidEntry(cpu, svm);
      return;
    }
  }
  // As in exit.ts: where the host goes on says whether somebody else records it.
  if (!svm.ours && !isMonitor(cpu, svm)) recordEntry(cpu, svm);
  const event = w[b + V.eventInj];
  if (event & EVENT.valid) inject(cpu, event, w[b + V.eventInj + 1]);
}

/** Its cost is what the hypervisor has spent since the exit. */
function recordEntry(cpu: Cpu, { leftAt }: SvmState): void {
  const cost = leftAt < 0 ? 0 : cpu.cycles - leftAt;
  cpu.recorder.record(Kind.entry, cpu.eip, -1, cpu.cpl, 0, 0, 0, cost);
}

/** §15.20. The event goes through the guest's IDT before its first instruction; nobody is asked whether to intercept it. */
function inject(cpu: Cpu, info: number, code: number): void {
  const type = (info >>> 8) & 7;
  const vector = info & 0xff;
  cpu.shadow = 0;
  const software =
    type === EVENT_TYPE.software || (type === EVENT_TYPE.exception && (vector === 3 || vector === 4));
  if (!software) {
    deliverEvent(cpu, vector, type, info & EVENT.errorCode ? code : -1, cpu.eip);
    return;
  }
  // As INT n, INT3 or INTO: the gate's DPL counts. The frame has the RIP of the VMCB, which must lie behind the instruction.
  try {
    softwareInterrupt(
      cpu,
      vector,
      type === EVENT_TYPE.software ? EventType.softwareInterrupt : EventType.softwareException,
    );
  } catch (caught) {
    if (!isFault(caught)) throw caught;
    deliverFault(cpu, caught);
  }
}
