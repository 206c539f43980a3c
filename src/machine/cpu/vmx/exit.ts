// VM exit (SDM vol. 3 ch. 27): from non-root to root operation. Records why, saves the guest's state in the current VMCS,
// loads the host's. This and entry.ts are the path that everything else waits for: no allocation, words by known index.

import { Kind, Vendor } from '../../../trace/events.ts';
import { type Cpu, Stop } from '../cpu.ts';
import { getFlags, RF, VM } from '../flags.ts';
import { tagMode } from '../paging.ts';
import { loads } from '../segment-loads.ts';
import { Dirty } from './dirty.ts';
import { INFO_ERROR_CODE, TYPE } from './exit-reasons.ts';
import { WORD_ABORT } from './layout.ts';
import { loadMsrs, storeMsrs, syncSysenterIn, syncSysenterOut } from './msr-areas.ts';
import { takeNamedPdptes } from './pdptes.ts';
import type { VmxState } from './state.ts';
import { W } from './words.ts';

/** CR0 bits that neither entry nor exit loads: ET, NW, CD and the reserved ones (§26.3.2.1, §27.5.1). */
export const CR0_KEPT = 0x7ffaffd0;
const MSR_DEBUGCTL = 0x1d9;
const UNUSABLE = 0x10000;

/**
 * Leaves non-root operation. The caller has decided that it must, and does nothing afterwards.
 * Guest-linear address and instruction information, where a reason has them, are stored by the caller before.
 * @param reason basic exit reason (EXIT.*)
 * @param instructionLength bytes of the instruction that caused the exit, 0 when none did; with it, the saved RIP is that instruction's
 * @param info VM-exit interruption information, 0 = invalid
 * @param errorCode of that event; only meaningful when `info` says so
 */
export function vmExit(
  cpu: Cpu,
  reason: number,
  qualification = 0,
  instructionLength = 0,
  info = 0,
  errorCode = 0,
): void {
  const vmx = cpu.vmx!;
  const { words: w, base: b, intercepts } = vmx;
  cpu.cycles += vmx.cycles.exit;
  cpu.tlb.current.mode = tagMode(cpu);

  const vectoring = intercepts.vectoringInfo;
  w[b + W.vectoringInfo] = vectoring;
  let length = instructionLength;
  if (vectoring) {
    if (vectoring & INFO_ERROR_CODE) w[b + W.vectoringErrorCode] = intercepts.vectoringErrorCode;
    // Delivery of INT n, INT3 or INTO was under way: the exit belongs to that instruction.
    if (((vectoring >>> 8) & 7) >= TYPE.softwareInterrupt) length = intercepts.vectoringLength;
    intercepts.vectoringInfo = 0;
  }
  w[b + W.exitReason] = reason;
  w[b + W.qualification] = qualification;
  w[b + W.exitInfo] = info;
  if (info & INFO_ERROR_CODE) w[b + W.exitErrorCode] = errorCode;
  w[b + W.instructionLength] = length;

  saveGuest(
    cpu,
    vmx,
    length !== 0 ? cpu.instructionStart : cpu.eip,
    rflagsToSave(cpu, instructionLength, info),
  );
  w[b + W.entryInfo] &= 0x7fffffff;
  if (w[b + W.exitStoreCount]) storeMsrs(vmx, b + W.exitStoreCount, b + W.exitStoreAddress);
  if (isGuestHypervisor(cpu, vmx)) recordExit(cpu, vmx, reason, qualification, length);
  else if (vmx.ours && w[b + W.exitLoadCount] === 0) {
    stayResident(cpu, vmx);
    return;
  }
  loadHost(cpu, vmx);
}

/** Into a hypervisor of ours: what it does not need of §27.5 waits. */
function stayResident(cpu: Cpu, vmx: VmxState): void {
  vmx.resident = true;
  beginHost(cpu, vmx);
  cpu.stop = Stop.monitor;
}

/** The host's registers come into the processor after all: somebody else than the guest that left is about to use it. */
export function settleHost(cpu: Cpu): void {
  const { vmx } = cpu;
  if (!vmx?.resident) return;
  vmx.resident = false;
  loadHostRegisters(cpu, vmx);
}

/**
 * Whether the current VMCS belongs to a hypervisor that is itself a guest of the session, on the bare machine: nobody else
 * records what leaves to it.
 */
export function isGuestHypervisor(cpu: Cpu, vmx: VmxState): boolean {
  return ((vmx.words[vmx.base + W.hostRip] >>> 0) - cpu.monitorBase) >>> 0 >= cpu.monitorSize;
}

function recordExit(cpu: Cpu, vmx: VmxState, reason: number, qualification: number, length: number): void {
  const { words: w, base: b } = vmx;
  vmx.leftAt = cpu.cycles;
  // Exceptions and interrupts say which.
  const detail = (reason & 0xffff) <= 1 ? w[b + W.exitInfo] : 0;
  cpu.recorder.record(Kind.exit, w[b + W.rip], reason, qualification, detail, length, Vendor.vmx);
}

/** As `recordExit`, for the way in; its cost is what the hypervisor has spent since. */
export function recordEntry(cpu: Cpu, vmx: VmxState): void {
  const cost = vmx.leftAt < 0 ? 0 : cpu.cycles - vmx.leftAt;
  cpu.recorder.record(Kind.entry, cpu.eip, -1, cpu.cpl, 0, 0, 0, cost);
}

/** RF is 0 after an instruction that exits, and 1 in the image of a fault (§27.3.3). */
function rflagsToSave(cpu: Cpu, instructionLength: number, info: number): number {
  const flags = getFlags(cpu);
  if (instructionLength) return flags & ~RF;
  const isFault = info < 0 && ((info >>> 8) & 7) === TYPE.hardwareException && (info & 0xff) !== 1;
  return isFault ? flags | RF : flags;
}

/** A VM entry that failed after the guest state was looked at (§26.7): the host state comes back, the guest's fields stay as they were. */
export function failEntry(cpu: Cpu, vmx: VmxState, reason: number, qualification: number): void {
  const { words: w, base: b } = vmx;
  w[b + W.exitReason] = reason;
  w[b + W.qualification] = qualification;
  vmx.intercepts.vectoringInfo = 0;
  vmx.dirty = Dirty.all;
  vmx.resident = false;
  if (isGuestHypervisor(cpu, vmx)) recordExit(cpu, vmx, reason, qualification, 0);
  loadHost(cpu, vmx);
}

/** §27.3. */
function saveGuest(cpu: Cpu, vmx: VmxState, rip: number, rflags: number): void {
  const { words: w, base: b } = vmx;
  // Bits that are different from what the last entry checked.
  let changed = (w[b + W.cr0] ^ cpu.cr0) | (w[b + W.cr4] ^ cpu.cr4) | ((w[b + W.rflags] ^ rflags) & VM);
  w[b + W.cr0] = cpu.cr0;
  w[b + W.cr3] = cpu.cr3;
  w[b + W.cr4] = cpu.cr4;
  w[b + W.dr7] = cpu.dr[7];
  // Under a hypervisor of ours every WRMSR exits.
  if (!vmx.ours) syncSysenterOut(vmx);
  // Mostly they are as they were.
  if (!vmx.ours || !vmx.segmentsSaved.stand) {
    changed |= saveSegments(cpu, w, b);
    vmx.segmentsSaved.note();
  }
  if (changed !== 0) vmx.dirty |= Dirty.guest;
  w[b + W.gdtrBase] = cpu.gdtr.base;
  w[b + W.gdtrLimit] = cpu.gdtr.limit;
  w[b + W.idtrBase] = cpu.idtr.base;
  w[b + W.idtrLimit] = cpu.idtr.limit;
  w[b + W.rip] = rip;
  w[b + W.rsp] = cpu.regs[4];
  w[b + W.rflags] = rflags;
  w[b + W.activity] = cpu.halted ? 1 : 0;
  w[b + W.interruptibility] = cpu.shadow | (cpu.nmiBlocked ? 8 : 0);
  // Only MOV SS holds a debug trap back over an exit; bit 12 says that an enabled breakpoint is among the reasons.
  const pending = cpu.shadow & 2 ? cpu.pendingDebug & 0x400f : 0;
  w[b + W.pendingDebug] = pending & 15 ? pending | 0x1000 : pending;
  if (vmx.second !== null) vmx.second.leave(cpu, vmx);
}

/** @returns bits that are different from what was there */
function saveSegments(cpu: Cpu, w: Int32Array, b: number): number {
  let changed = 0;
  for (let n = 0; n < 8; n++) {
    const { selector, base, limit, access } = cpu.segments[n];
    const differs =
      (w[b + W.selector + n] ^ selector) |
      (w[b + W.base + n] ^ base) |
      (w[b + W.limit + n] ^ limit) |
      (w[b + W.access + n] ^ access);
    if (differs === 0) continue;
    changed = differs;
    w[b + W.selector + n] = selector;
    w[b + W.base + n] = base;
    w[b + W.limit + n] = limit;
    w[b + W.access + n] = access;
  }
  return changed;
}

/** §27.5, what nobody can do without. */
function beginHost(cpu: Cpu, vmx: VmxState): void {
  const { words: w, base: b } = vmx;
  cpu.intercepts = null;
  cpu.nested = null;
  cpu.cpl = 0;
  cpu.eip = w[b + W.hostRip] >>> 0;
  cpu.instructionStart = cpu.eip;
  cpu.regs[4] = w[b + W.hostRsp];
  cpu.flags = 2;
  cpu.lazyMask = 0;
  cpu.halted = false;
  cpu.shadow = 0;
  cpu.pendingDebug = 0;
}

/** §27.5.1 and §27.5.2: control, debug and segment registers, descriptor tables, MSRs with fields of their own. */
function loadHostRegisters(cpu: Cpu, vmx: VmxState): void {
  const { words: w, base: b } = vmx;
  cpu.cr0 = (cpu.cr0 & CR0_KEPT) | (w[b + W.hostCr0] & ~CR0_KEPT);
  cpu.cr3 = w[b + W.hostCr3];
  cpu.cr4 = w[b + W.hostCr4];
  cpu.dr[7] = 0x400;
  if (cpu.msrs.get(MSR_DEBUGCTL)) cpu.msrs.set(MSR_DEBUGCTL, 0n);
  syncSysenterIn(vmx, W.hostSysenterCs, W.hostSysenterEsp, W.hostSysenterEip);
  for (let n = 0; n < 6; n++) {
    const segment = cpu.segments[n];
    const selector = w[b + W.hostSelector + n];
    segment.selector = selector;
    loads.count++;
    segment.base = 0;
    segment.limit = 0xffffffff;
    segment.access = n === 1 ? 0xc09b : selector ? 0xc093 : UNUSABLE;
  }
  cpu.segments[4].base = w[b + W.hostFsBase] >>> 0;
  cpu.segments[5].base = w[b + W.hostGsBase] >>> 0;
  const ldtr = cpu.segments[6];
  ldtr.selector = 0;
  ldtr.access = UNUSABLE;
  const tr = cpu.segments[7];
  tr.selector = w[b + W.hostTrSelector];
  tr.base = w[b + W.hostTrBase] >>> 0;
  tr.limit = 0x67;
  tr.access = 0x8b;
  cpu.gdtr.base = w[b + W.hostGdtrBase] >>> 0;
  cpu.gdtr.limit = 0xffff;
  cpu.idtr.base = w[b + W.hostIdtrBase] >>> 0;
  cpu.idtr.limit = 0xffff;
  const [host] = cpu.tlb.contexts;
  // No VPID: translations of the guest and of the host never live together.
  if (cpu.tlb.current === host) cpu.tlb.flush();
  else cpu.tlb.enter(host, tagMode(cpu));
}

/** §27.5. */
function loadHost(cpu: Cpu, vmx: VmxState): void {
  const { words: w, base: b } = vmx;
  beginHost(cpu, vmx);
  loadHostRegisters(cpu, vmx);
  if (!takeNamedPdptes(cpu)) {
    abort(cpu, vmx, 2);
    return;
  }
  if (w[b + W.exitLoadCount] && loadMsrs(vmx, b + W.exitLoadCount, b + W.exitLoadAddress) !== 0) {
    abort(cpu, vmx, 4);
    return;
  }
  if (cpu.eip - cpu.monitorBase >= 0 && cpu.eip - cpu.monitorBase < cpu.monitorSize) cpu.stop = Stop.monitor;
}

/** VMX abort (§27.7): the processor stops for good. @param indicator 2: bad PDPTEs of the host, 4: its MSRs could not be loaded */
function abort(cpu: Cpu, vmx: VmxState, indicator: number): void {
  vmx.words[vmx.base + WORD_ABORT] = indicator;
  cpu.stop = Stop.shutdown;
}
