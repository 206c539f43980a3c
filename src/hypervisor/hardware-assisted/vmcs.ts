// The control structure of a guest, filled in once: what leaves the guest, where the host is, and how the guest stands at
// its first instruction (as Xen 3.0 did in construct_vmcs). First-generation VT-x wants PE and PG in CR0 at all times,
// so a guest that has not switched paging on yet runs on shadow tables that map its physical memory one to one.
import type { EntryState } from '../../images/boot.ts';
import type { Cpu } from '../../machine/cpu/cpu.ts';
import { PIN, PROC, VMX_MSR } from '../../machine/cpu/vmx/capabilities.ts';
import { FIELD as F, LATER_FIELD as L } from '../../machine/cpu/vmx/fields.ts';
import { vmclear, vmptrld, vmread, vmwrite } from '../../machine/cpu/vmx/operations.ts';
import { type Monitor, PER_DOMAIN_START, SELECTOR, VM_EXIT_ENTRY } from '../monitor.ts';
import { CR4_PAE } from '../platform/control-registers.ts';
import type { VtxGuest } from './vtx-guest.ts';

/** CR0: PE, ET, NE, WP, PG are the hypervisor's while the guest runs; WP keeps write protection true at CPL 0. */
const CR0_FORCED = 0x80010031 | 0;
/** CR0 bits that the guest may change without asking: MP, EM, TS. */
const CR0_GUESTS = 0xe;
const CR0_CACHE = 0x60000000;
export const CR4_VMXE = 0x2000;
/** CR4 bits that are the guest's as it sets them (TSD DE PCE OSFXSR OSXMMEXCPT); PSE, PAE and PGE concern its tables, which the processor never walks. */
const CR4_PASSED = 0x70c;

/**
 * With nested paging and an unrestricted guest the guest owns its control registers, but for what must be 1 (NE), what the
 * processor does not switch between worlds (the caches), and CR4.VMXE.
 */
export const NESTED_CR0_OWNED = 0x60000020;
export const nestedCr0 = (value: number): number => (value & ~CR0_CACHE) | 0x30;
export const nestedCr4 = (value: number): number => value | CR4_VMXE;
/** Write-back tables of four levels. */
export const EPT_POINTER_BITS = 0x1e;
const SECONDARY_CONTROLS = { ept: 1 << 1, vpid: 1 << 5, unrestricted: 1 << 7 } as const;
/** The capability MSRs that are there since EPT is: secondary controls, and the primary ones with what may be cleared. */
const MSR_SECONDARY = 0x48b;
const MSR_TRUE_PROC = 0x48e;
const MSR_EPT_VPID = 0x48c;
/** INVVPID; for one address; for one VPID. */
const INVVPID_WANTED = (1n << 32n) | (1n << 40n) | (1n << 41n);

const allowedSecondary = (cpu: Cpu): number =>
  Number(BigInt.asIntN(32, (cpu.msrs.get(MSR_SECONDARY) ?? 0n) >> 32n));

/** Whether this processor can have nested paging and unrestricted guests. */
export function hasNestedPaging(cpu: Cpu): boolean {
  const { ept, vpid, unrestricted } = SECONDARY_CONTROLS;
  const wanted = ept | vpid | unrestricted;
  return (allowedSecondary(cpu) & wanted) === wanted;
}

/** Whether it can tag translations with a VPID, and has every type of INVVPID that this hypervisor uses. */
export function hasVpid(cpu: Cpu): boolean {
  const capabilities = cpu.msrs.get(MSR_EPT_VPID) ?? 0n;
  return (
    (allowedSecondary(cpu) & SECONDARY_CONTROLS.vpid) !== 0 &&
    (capabilities & INVVPID_WANTED) === INVVPID_WANTED
  );
}

const HOST_CR0 = 0x80010033 | 0;
const HOST_CR4 = 0x90 | CR4_VMXE;
const ACKNOWLEDGE_INTERRUPT = 1 << 15;

/**
 * #TS #NP #SS #GP #PF and #DF leave the guest: the one for shadow paging, the others so that a chain of faults can be told. So
 * does #MF: NE is 1 whatever the guest believes, and without NE there is no #MF.
 */
export const EXCEPTIONS = (1 << 8) | (1 << 10) | (1 << 11) | (1 << 12) | (1 << 13) | (1 << 14) | (1 << 16);

const FLAT_CODE = 0xc09b;
const FLAT_DATA = 0xc093;
const UNUSABLE = 0x10000;
const BUSY_TSS = 0x8b;

/** CR0 that the processor holds when the guest believes in `value`. */
export const realCr0 = (value: number): number => (value & ~CR0_CACHE) | CR0_FORCED;
/** CR4 likewise; PAE is 1 when its shadow tables have three levels. */
export const realCr4 = (value: number, { shadowTables }: VtxGuest): number =>
  (value & CR4_PASSED) | CR4_VMXE | (shadowTables?.wide ? CR4_PAE : 0);

const PROC_CONTROLS =
  PROC.hlt | PROC.rdpmc | PROC.invlpg | PROC.unconditionalIo | PROC.tscOffset | PROC.cr3Load | PROC.cr3Store;

const NESTED_PROC_CONTROLS = PROC.hlt | PROC.rdpmc | PROC.unconditionalIo | PROC.tscOffset | PROC.secondary;
/** Without page faults, which are the guest's own. */
export const NESTED_EXCEPTIONS = EXCEPTIONS & ~(1 << 14);

/** What leaves a guest, by how its addresses are translated. */
export const exceptionsOf = (guest: VtxGuest): number =>
  guest.emulation?.real ? -1 : guest.nested ? NESTED_EXCEPTIONS : EXCEPTIONS;

/** The control word that this processor wants: the wish and the bits that must be 1. */
function controls(cpu: Cpu, msr: number, wish: number): number {
  const required = Number(BigInt.asIntN(32, cpu.msrs.get(msr) ?? 0n));
  return required | wish;
}

/** What may be asked of the technique. */
export interface VtxOptions {
  /** RDTSC leaves to the hypervisor, instead of reading the counter with an offset. */
  readonly rdtscExits?: boolean;
}

/** Makes the guest's VMCS current and fills every field. */
export function setUpVmcs(
  cpu: Cpu,
  monitor: Monitor,
  guest: VtxGuest,
  entry: EntryState,
  options: VtxOptions,
): void {
  cpu.memory.write32(guest.vmcs, Number(BigInt.asUintN(31, cpu.msrs.get(VMX_MSR.basic) ?? 0n)));
  vmclear(cpu, guest.vmcs);
  vmptrld(cpu, guest.vmcs);
  const write = (encoding: number, value: number): void => {
    const error = vmwrite(cpu, encoding, value);
    if (error) throw new Error(`VMWRITE ${encoding.toString(16)}h failed with ${error}`);
  };
  writeControls(cpu, write, guest, options);
  writeHost(write, monitor);
  writeGuest(write, guest, entry);
  guest.prepared = true;
}

type Write = (encoding: number, value: number) => void;

function writeControls(cpu: Cpu, write: Write, guest: VtxGuest, options: VtxOptions): void {
  write(F.PIN_BASED_VM_EXEC_CONTROL, controls(cpu, VMX_MSR.pin, PIN.externalInterrupt | PIN.nmi));
  const extra = options.rdtscExits ? PROC.rdtsc : 0;
  guest.procControls = guest.nested
    ? controls(cpu, MSR_TRUE_PROC, NESTED_PROC_CONTROLS | extra)
    : controls(cpu, VMX_MSR.proc, PROC_CONTROLS | extra | (guest.vpid ? PROC.secondary : 0));
  write(F.CPU_BASED_VM_EXEC_CONTROL, guest.procControls);
  write(F.VM_EXIT_CONTROLS, controls(cpu, VMX_MSR.exit, ACKNOWLEDGE_INTERRUPT));
  write(F.VM_ENTRY_CONTROLS, controls(cpu, VMX_MSR.entry, 0));
  write(F.EXCEPTION_BITMAP, exceptionsOf(guest));
  write(F.PAGE_FAULT_ERROR_CODE_MASK, 0);
  write(F.PAGE_FAULT_ERROR_CODE_MATCH, 0);
  write(F.CR3_TARGET_COUNT, 0);
  write(F.CR0_GUEST_HOST_MASK, guest.nested ? NESTED_CR0_OWNED : ~CR0_GUESTS);
  write(F.CR4_GUEST_HOST_MASK, guest.nested ? CR4_VMXE : -1);
  const { ept, vpid, unrestricted } = SECONDARY_CONTROLS;
  if (guest.nested) {
    write(L.SECONDARY_VM_EXEC_CONTROL, ept | vpid | unrestricted);
    write(L.EPT_POINTER, guest.nested.root | EPT_POINTER_BITS);
    write(L.EPT_POINTER + 1, 0);
  } else if (guest.vpid) write(L.SECONDARY_VM_EXEC_CONTROL, vpid);
  if (guest.vpid) write(L.VIRTUAL_PROCESSOR_ID, guest.vpid);
  write(F.VMCS_LINK_POINTER, -1);
  write(F.VMCS_LINK_POINTER + 1, -1);
  writeTscOffset(cpu, guest);
}

/** The guest's time-stamp counter is the processor's plus `guest.tscOffset`. */
export function writeTscOffset(cpu: Cpu, guest: VtxGuest): void {
  const offset = BigInt(Math.floor(guest.tscOffset));
  vmwrite(cpu, F.TSC_OFFSET, Number(BigInt.asIntN(32, offset)));
  vmwrite(cpu, F.TSC_OFFSET + 1, Number(BigInt.asIntN(32, offset >> 32n)));
}

/** Where the processor is after a VM exit: the monitor's segments, tables, stack and entry point. */
function writeHost(write: Write, monitor: Monitor): void {
  write(F.HOST_CR0, HOST_CR0);
  write(F.HOST_CR3, monitor.pageDirectory);
  write(F.HOST_CR4, HOST_CR4);
  write(F.HOST_CS_SELECTOR, SELECTOR.hypervisorCode);
  for (const field of [F.HOST_SS_SELECTOR, F.HOST_DS_SELECTOR, F.HOST_ES_SELECTOR])
    write(field, SELECTOR.hypervisorData);
  write(F.HOST_FS_SELECTOR, 0);
  write(F.HOST_GS_SELECTOR, 0);
  write(F.HOST_TR_SELECTOR, SELECTOR.tss);
  write(F.HOST_TR_BASE, monitor.linear.tss);
  write(F.HOST_GDTR_BASE, PER_DOMAIN_START);
  write(F.HOST_IDTR_BASE, monitor.linear.idt);
  write(F.HOST_SYSENTER_CS, 0);
  write(F.HOST_RSP, monitor.linear.stackTop);
  write(F.HOST_RIP, VM_EXIT_ENTRY);
}

/** The state that a boot loader leaves: flat 32-bit segments, interrupts off, and for the guest's eyes no paging. */
function writeGuest(write: Write, guest: VtxGuest, entry: EntryState): void {
  for (let n = 0; n < 6; n++) {
    write(F.GUEST_ES_SELECTOR + n * 2, n === 1 ? entry.codeSelector : entry.dataSelector);
    write(F.GUEST_ES_BASE + n * 2, 0);
    write(F.GUEST_ES_LIMIT + n * 2, 0xffffffff);
    write(F.GUEST_ES_AR_BYTES + n * 2, n === 1 ? FLAT_CODE : FLAT_DATA);
  }
  write(F.GUEST_LDTR_SELECTOR, 0);
  write(F.GUEST_LDTR_AR_BYTES, UNUSABLE);
  write(F.GUEST_TR_SELECTOR, 0);
  write(F.GUEST_TR_LIMIT, 0xffff);
  write(F.GUEST_TR_AR_BYTES, BUSY_TSS);
  write(F.GUEST_GDTR_BASE, entry.gdt.base);
  write(F.GUEST_GDTR_LIMIT, entry.gdt.limit);
  write(F.GUEST_IDTR_BASE, 0);
  write(F.GUEST_IDTR_LIMIT, 0x3ff);
  const { cr0, cr4 } = guest.shadow.control;
  write(F.CR0_READ_SHADOW, cr0);
  write(F.GUEST_CR0, guest.nested ? nestedCr0(cr0) : realCr0(cr0));
  write(F.CR4_READ_SHADOW, cr4);
  write(F.GUEST_CR4, guest.nested ? nestedCr4(cr4) : realCr4(cr4, guest));
  guest.loadedRoot = guest.shadowTables?.root ?? 0;
  write(F.GUEST_CR3, guest.loadedRoot);
  write(F.GUEST_DR7, 0x400);
  write(F.GUEST_RFLAGS, 2);
  write(F.GUEST_RIP, entry.eip);
  write(F.GUEST_RSP, entry.esp);
  write(F.GUEST_ACTIVITY_STATE, 0);
  write(F.GUEST_INTERRUPTIBILITY_INFO, 0);
}

/** Advances RIP over the instruction that exited and was emulated; blocking by STI or MOV SS is over with it. */
export function skipInstruction(cpu: Cpu, eip: number, length: number): void {
  vmwrite(cpu, F.GUEST_RIP, eip + length);
  const blocking = vmread(cpu, F.GUEST_INTERRUPTIBILITY_INFO);
  if (blocking & 3) vmwrite(cpu, F.GUEST_INTERRUPTIBILITY_INFO, blocking & ~3);
}
