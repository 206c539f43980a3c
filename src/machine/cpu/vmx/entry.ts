// VM entry (SDM vol. 3 ch. 26): checks, guest state, controls, event injection. Either VMfail, and nothing has happened;
// or the entry fails and the host is back with exit reason 80000021H; or the guest runs.

import { Attention, type Cpu } from '../cpu.ts';
import { EXITED, isFault } from '../fault.ts';
import { deliverEvent, deliverFault, softwareInterrupt } from '../interrupts.ts';
import { tagMode } from '../paging.ts';
import { loads } from '../segment-loads.ts';
import { Dirty } from './dirty.ts';
import { checkControls, checkHostState, checkInjection } from './entry-checks.ts';
import { CR0_KEPT, failEntry, isGuestHypervisor, recordEntry } from './exit.ts';
import { ENTRY_FAILURE, EXIT, INFO_ERROR_CODE, INFO_VALID, TYPE } from './exit-reasons.ts';
import { checkEventState, checkGuestState, linkPointerOk } from './guest-checks.ts';
import { LAUNCH_CLEAR, LAUNCH_LAUNCHED, WORD_LAUNCH_STATE } from './layout.ts';
import { loadMsrs, syncSysenterIn } from './msr-areas.ts';
import { takeNamedPdptes } from './pdptes.ts';
import type { VmxState } from './state.ts';
import { VM_ERROR, VM_SUCCEED } from './vm-fail.ts';
import { W } from './words.ts';

const MSR_DEBUGCTL = 0x1d9;
const BLOCKED_BY_MOV_SS = 2;
const BLOCKED_BY_NMI = 8;
/** Secondary control 7. */
const UNRESTRICTED = 1 << 7;
/** Qualifications of a failed entry (§26.7). */
const PDPTE_LOADING = 2;
const LINK_POINTER = 4;

/**
 * Enters the guest of the current VMCS. Flags are not touched here (instructions.ts does that for VMfail).
 * @returns 0 when the entry began (the guest runs, or an exit has already happened), else the VM-instruction error
 */
export function vmEntry(cpu: Cpu, vmx: VmxState, launch: boolean): number {
  const { words: w, base: b } = vmx;
  if (cpu.shadow & BLOCKED_BY_MOV_SS) return VM_ERROR.entryBlockedByMovSs;
  const state = w[b + WORD_LAUNCH_STATE];
  if (launch ? state !== LAUNCH_CLEAR : state !== LAUNCH_LAUNCHED) {
    return launch ? VM_ERROR.launchNotClear : VM_ERROR.resumeNotLaunched;
  }
  const { dirty } = vmx;
  const info = w[b + W.entryInfo];
  if (dirty & Dirty.controls) {
    vmx.unrestricted = vmx.second !== null && (vmx.second.controls(vmx) & UNRESTRICTED) !== 0;
    if (checkControls(vmx) !== '') return VM_ERROR.invalidControls;
  } else if (info & INFO_VALID && checkInjection(vmx) !== '') return VM_ERROR.invalidControls;
  if (dirty & Dirty.host && checkHostState(vmx) !== '') return VM_ERROR.invalidHostState;
  cpu.cycles += vmx.cycles.entry;
  if ((dirty & Dirty.guest ? checkGuestState(vmx) : checkEventState(vmx)) !== '') {
    failEntry(cpu, vmx, ENTRY_FAILURE | EXIT.invalidGuestState, 0);
    return VM_SUCCEED;
  }
  if (dirty & Dirty.guest && !linkPointerOk(vmx)) {
    failEntry(cpu, vmx, ENTRY_FAILURE | EXIT.invalidGuestState, LINK_POINTER);
    return VM_SUCCEED;
  }
  // The host has used the TLB; else it is the guest's still.
  const { resident } = vmx;
  if (!resident) cpu.tlb.current.mode = tagMode(cpu);
  if (!resident || dirty & Dirty.registers) loadRegisters(cpu, vmx);
  vmx.resident = false;
  loadGuest(cpu, vmx);
  // Without VPID translations of host and guest never live together.
  if (vmx.second === null) cpu.tlb.flush();
  const same = resident && !(dirty & Dirty.controls);
  if (!(vmx.second !== null ? vmx.second.enter(cpu, vmx, same) : takeNamedPdptes(cpu))) {
    failEntry(cpu, vmx, ENTRY_FAILURE | EXIT.invalidGuestState, PDPTE_LOADING);
    return VM_SUCCEED;
  }
  if (w[b + W.entryLoadCount]) {
    const failed = loadMsrs(vmx, b + W.entryLoadCount, b + W.entryLoadAddress);
    if (failed !== 0) {
      failEntry(cpu, vmx, ENTRY_FAILURE | EXIT.msrLoading, failed);
      return VM_SUCCEED;
    }
  }
  if (launch) w[b + WORD_LAUNCH_STATE] = LAUNCH_LAUNCHED;
  if (dirty & Dirty.controls) vmx.intercepts.load();
  vmx.intercepts.vectoringInfo = 0;
  // A VMCS that others than a hypervisor of ours can reach is looked at as a whole every time.
  vmx.dirty = vmx.ours ? 0 : Dirty.all;
  cpu.intercepts = vmx.intercepts;
  cpu.attention |= Attention.event;
  if (isGuestHypervisor(cpu, vmx)) recordEntry(cpu, vmx);
  if (info & INFO_VALID) inject(cpu, vmx, info);
  return VM_SUCCEED;
}

/** §26.3.2, what a guest that left last and comes back has still in the processor. */
function loadRegisters(cpu: Cpu, vmx: VmxState): void {
  const { words: w, base: b } = vmx;
  cpu.dr[7] = w[b + W.dr7] | 0x400;
  if (cpu.msrs.has(MSR_DEBUGCTL)) cpu.msrs.set(MSR_DEBUGCTL, BigInt(w[b + W.debugctl]));
  syncSysenterIn(vmx, W.sysenterCs, W.sysenterEsp, W.sysenterEip);
  for (let n = 0; n < 8; n++) {
    const segment = cpu.segments[n];
    segment.selector = w[b + W.selector + n];
    loads.count++;
    segment.base = w[b + W.base + n] >>> 0;
    segment.limit = w[b + W.limit + n] >>> 0;
    segment.access = w[b + W.access + n];
  }
  cpu.gdtr.base = w[b + W.gdtrBase] >>> 0;
  cpu.gdtr.limit = w[b + W.gdtrLimit];
  cpu.idtr.base = w[b + W.idtrBase] >>> 0;
  cpu.idtr.limit = w[b + W.idtrLimit];
}

/** §26.3.2, what every entry loads. */
function loadGuest(cpu: Cpu, vmx: VmxState): void {
  const { words: w, base: b } = vmx;
  cpu.cr0 = (cpu.cr0 & CR0_KEPT) | (w[b + W.cr0] & ~CR0_KEPT);
  cpu.cr3 = w[b + W.cr3];
  cpu.cr4 = w[b + W.cr4];
  // DPL of SS, which holds even when SS is unusable.
  cpu.cpl = (w[b + W.access + 2] >>> 5) & 3;
  cpu.eip = w[b + W.rip] >>> 0;
  cpu.instructionStart = cpu.eip;
  cpu.regs[4] = w[b + W.rsp];
  cpu.flags = w[b + W.rflags];
  cpu.lazyMask = 0;
  const blocking = w[b + W.interruptibility];
  cpu.shadow = blocking & 3;
  cpu.nmiBlocked = (blocking & BLOCKED_BY_NMI) !== 0;
  cpu.halted = w[b + W.activity] === 1;
  cpu.pendingDebug = w[b + W.pendingDebug] & 0x400f;
}

/** §26.5.1: the event goes through the guest's IDT before its first instruction. */
function inject(cpu: Cpu, vmx: VmxState, info: number): void {
  const { words: w, base: b } = vmx;
  const type = (info >>> 8) & 7;
  const vector = info & 0xff;
  cpu.halted = false;
  cpu.shadow = 0;
  cpu.pendingDebug = 0;
  try {
    if (type < TYPE.softwareInterrupt) {
      const errorCode = info & INFO_ERROR_CODE ? w[b + W.entryErrorCode] : -1;
      deliverEvent(cpu, vector, type, errorCode, cpu.eip);
      return;
    }
    // As if the INT instruction at RIP had been executed: the frame points behind it, a fault of its own does not.
    cpu.eip = (cpu.eip + w[b + W.entryLength]) >>> 0;
    softwareOrFault(cpu, vector, type);
  } catch (thrown) {
    // A page that the second dimension does not have: the exit has happened.
    if (thrown !== EXITED) throw thrown;
  }
}

function softwareOrFault(cpu: Cpu, vector: number, type: number): void {
  try {
    softwareInterrupt(cpu, vector, type);
  } catch (caught) {
    if (!isFault(caught)) throw caught;
    deliverFault(cpu, caught);
  }
}
