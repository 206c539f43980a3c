// #VMEXIT (APM vol. 2 §15.6): why goes into the VMCB, the guest's state too, the host's comes back from its save area. The
// processor then stands behind the VMRUN, with the global interrupt flag clear: nothing interrupts before STGI.
import { Kind, Vendor } from '../../../trace/events.ts';
import { type Cpu, Stop } from '../cpu.ts';
import { isFault } from '../fault.ts';
import { RF } from '../flags.ts';
import { CR0_PG, CR4_PAE, loadPdptes } from '../page-walk.ts';
import { tagMode } from '../paging.ts';
import { CR0_PE, stopInMonitor } from '../segmentation.ts';
import { SVM_EXIT } from './exit-codes.ts';
import { EVENT, V } from './layout.ts';
import { loadState, put, saveState } from './save-area.ts';
import type { SvmState } from './state.ts';

/**
 * Leaves the guest. The caller has decided that it must, and does nothing afterwards.
 * @param code EXITCODE
 * @param rip what the VMCB says of the guest's instruction pointer: for an instruction that was intercepted, its first byte
 * @param nextRip address behind that instruction, or 0: saved by processors that do so
 */
export function svmExit(
  cpu: Cpu,
  code: number,
  rip: number,
  nextRip = 0,
  info1 = 0,
  info2 = 0,
  info2High = 0,
): void {
  const svm = cpu.svm!;
  const { vmcb: w, base: b, intercepts } = svm;
  cpu.cycles += svm.cycles.exit;
  cpu.tlb.current.mode = tagMode(cpu);
  put(w, b + V.exitCode, code);
  put(w, b + V.exitInfo1, info1);
  w[b + V.exitInfo2] = info2;
  w[b + V.exitInfo2 + 1] = info2High;
  w[b + V.exitIntInfo] = intercepts.vectoringInfo;
  w[b + V.exitIntInfo + 1] = intercepts.vectoringInfo & EVENT.errorCode ? intercepts.vectoringErrorCode : 0;
  // INT n, INT3 or INTO was on its way: the instruction has not happened, and can be run again.
  const from = intercepts.vectoringInfo && intercepts.vectoringRip >= 0 ? intercepts.vectoringRip : rip;
  intercepts.vectoringInfo = 0;
  if (svm.savesNextRip) put(w, b + V.nextRip, nextRip);
  w[b + V.eventInj] &= ~EVENT.valid;
  // Mostly the segment registers are as they were.
  saveState(cpu, svm, w, b, from, svm.ours && svm.segmentsSaved.stand);
  svm.segmentsSaved.note();
  // RF has been used up by the instruction that faulted; where breakpoints are on, it must not meet them again when it is run again.
  const faulted = code >= SVM_EXIT.exception && code < SVM_EXIT.interrupt && code !== SVM_EXIT.exception + 1;
  if (faulted && cpu.dr[7] & 0xff) w[b + V.rflags] |= RF;
  put(w, b + V.cr2, cpu.cr2);
  put(w, b + V.dr6, cpu.dr[6]);
  put(w, b + V.dr7, cpu.dr[7]);
  w[b + V.cplWord] = (w[b + V.cplWord] & 0xffffff) | (cpu.cpl << 24);
  put(w, b + V.interruptShadow, cpu.shadow ? 1 : 0);
  intercepts.store();
  if (svm.ours && isMonitor(cpu, svm)) {
    svm.resident = true;
    svm.kept = b;
    beginHost(cpu);
    const area = svm.words(svm.hostArea);
    cpu.eip = area[svm.at(svm.hostArea) + V.rip] >>> 0;
    cpu.instructionStart = cpu.eip;
    cpu.flags = 2;
    cpu.lazyMask = 0;
    cpu.stop = Stop.monitor;
    return;
  }
  loadHost(cpu, svm);
  // A hypervisor that is itself a guest of the session, on the bare machine: nobody else records what leaves to it.
  if (cpu.stop === Stop.monitor) return;
  svm.leftAt = cpu.cycles;
  cpu.recorder.record(Kind.exit, from, code, info1, info2, 0, Vendor.svm);
}

/** VMRUN refused its VMCB: the host is back at once, and the guest's part is as it was. */
export function invalidEntry(cpu: Cpu, svm: SvmState): void {
  const { vmcb: w, base: b } = svm;
  cpu.cycles += svm.cycles.exit;
  w[b + V.exitCode] = w[b + V.exitCode + 1] = SVM_EXIT.invalid;
  put(w, b + V.exitInfo1, 0);
  put(w, b + V.exitInfo2, 0);
  put(w, b + V.exitIntInfo, 0);
  svm.intercepts.vectoringInfo = 0;
  loadHost(cpu, svm);
}

/** Where the host goes on is the monitor. */
export function isMonitor(cpu: Cpu, svm: SvmState): boolean {
  const rip = svm.words(svm.hostArea)[svm.at(svm.hostArea) + V.rip] >>> 0;
  return (rip - cpu.monitorBase) >>> 0 < cpu.monitorSize;
}

/** What no host can do without. */
function beginHost(cpu: Cpu): void {
  cpu.intercepts = null;
  cpu.nested = null;
  cpu.gif = false;
  cpu.cpl = 0;
  cpu.halted = false;
  cpu.shadow = 0;
  cpu.pendingDebug = 0;
}

/** The host's registers come into the processor after all: somebody else than the guest that left is about to use it. */
export function settleHost(cpu: Cpu): void {
  const { svm } = cpu;
  if (!svm?.resident) return;
  svm.resident = false;
  const { stop } = cpu;
  loadHost(cpu, svm);
  cpu.stop = stop;
}

function loadHost(cpu: Cpu, svm: SvmState): void {
  beginHost(cpu);
  const at = svm.hostArea;
  loadState(cpu, svm, svm.words(at), svm.at(at));
  cpu.cr0 |= CR0_PE;
  cpu.dr[7] = 0x400;
  cpu.tlb.enter(cpu.tlb.contexts[0], tagMode(cpu));
  if (cpu.cr0 & CR0_PG && cpu.cr4 & CR4_PAE) {
    try {
      loadPdptes(cpu, cpu.cr3);
    } catch (thrown) {
      if (!isFault(thrown)) throw thrown;
      // Host state that cannot be loaded: the processor shuts down (§15.6).
      cpu.stop = Stop.shutdown;
      return;
    }
  }
  stopInMonitor(cpu);
}
