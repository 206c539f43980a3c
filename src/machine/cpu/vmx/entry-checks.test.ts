// One row for each check of VM entry (SDM vol. 3 §26.1–26.3): change one field of a VMCS that would enter, and see how it fails.
import { describe, expect, it } from 'vitest';
import { Stop } from '../cpu.ts';
import { FIELD as F } from './fields.ts';
import { VM_ERROR, vmlaunch, vmread, vmresume, vmwrite } from './operations.ts';
import { AT, readyVmcs } from './testing.ts';

type Change = Partial<Record<keyof typeof F, number>>;

/** @param words what lies in memory before */
function attempt(change: Change, words: readonly [address: number, value: number][] = []) {
  const machine = readyVmcs();
  const { cpu } = machine;
  for (const [address, value] of words) cpu.memory.write32(address, value);
  for (const [name, value] of Object.entries(change)) vmwrite(cpu, F[name as keyof typeof F], value);
  return { ...machine, result: vmlaunch(cpu) };
}

describe('VMLAUNCH and VMRESUME', () => {
  it('enter a VMCS that obeys every rule', () => {
    const { cpu, result } = attempt({});
    expect(result).toBe(0);
    expect(cpu.intercepts).not.toBeNull();
    expect(cpu.eip).toBe(AT.code);
    expect(cpu.regs[4]).toBe(AT.stack);
  });

  it('want the launch state that is theirs: errors 5 and 4', () => {
    const { cpu } = readyVmcs();
    expect(vmresume(cpu)).toBe(VM_ERROR.resumeNotLaunched);
    vmwrite(cpu, F.GUEST_RIP, AT.code);
    expect(vmlaunch(cpu)).toBe(0);
    cpu.vmx!.intercepts.instruction('cpuid', 0);
    expect(vmlaunch(cpu)).toBe(VM_ERROR.launchNotClear);
    expect(vmresume(cpu)).toBe(0);
  });

  it('are blocked by MOV SS: error 26', () => {
    const { cpu } = readyVmcs();
    cpu.shadow = 2;
    expect(vmlaunch(cpu)).toBe(26);
  });
});

const WRONG_CONTROLS: [string, Change][] = [
  ['pin-based: a required bit is 0', { PIN_BASED_VM_EXEC_CONTROL: 0 }],
  ['pin-based: virtual NMIs', { PIN_BASED_VM_EXEC_CONTROL: 0x3e }],
  ['processor-based: CR3 exits switched off', { CPU_BASED_VM_EXEC_CONTROL: 0x0401e172 & ~0x18000 }],
  ['processor-based: secondary controls', { CPU_BASED_VM_EXEC_CONTROL: 0x8401e172 }],
  ['five CR3 targets', { CR3_TARGET_COUNT: 5 }],
  ['an I/O bitmap off its page', { CPU_BASED_VM_EXEC_CONTROL: 0x0601e172, IO_BITMAP_B: 0x5001 }],
  ['an MSR bitmap off its page', { CPU_BASED_VM_EXEC_CONTROL: 0x1401e172, MSR_BITMAP: 0x6004 }],
  ['exit controls: 64-bit host', { VM_EXIT_CONTROLS: 0x36fff }],
  ['entry controls: 64-bit guest', { VM_ENTRY_CONTROLS: 0x13ff }],
  ['an MSR-load area off its 16 bytes', { VM_ENTRY_MSR_LOAD_COUNT: 1, VM_ENTRY_MSR_LOAD_ADDR: 8 }],
  ['injection: reserved type', { VM_ENTRY_INTR_INFO: 0x80000120 }],
  ['injection: NMI with vector 3', { VM_ENTRY_INTR_INFO: 0x80000203 }],
  ['injection: exception with vector 32', { VM_ENTRY_INTR_INFO: 0x80000320 }],
  ['injection: #GP without error code', { VM_ENTRY_INTR_INFO: 0x8000030d }],
  ['injection: #UD with error code', { VM_ENTRY_INTR_INFO: 0x80000b06 }],
  ['injection: reserved bits', { VM_ENTRY_INTR_INFO: 0x80001020 }],
  [
    'injection: error code with high bits',
    { VM_ENTRY_INTR_INFO: 0x80000b0d, VM_ENTRY_EXCEPTION_ERROR_CODE: 0x10000 },
  ],
  ['injection: INT n without length', { VM_ENTRY_INTR_INFO: 0x80000480 }],
  ['injection: INT n of 16 bytes', { VM_ENTRY_INTR_INFO: 0x80000480, VM_ENTRY_INSTRUCTION_LEN: 16 }],
];

const WRONG_HOST: [string, Change][] = [
  ['CR0 without paging', { HOST_CR0: 0x31 }],
  ['CR4 without VMXE', { HOST_CR4: 0x10 }],
  ['a selector with RPL', { HOST_DS_SELECTOR: 0x13 }],
  ['a selector in the LDT', { HOST_FS_SELECTOR: 0x0c }],
  ['null CS', { HOST_CS_SELECTOR: 0 }],
  ['null SS', { HOST_SS_SELECTOR: 0 }],
  ['null TR', { HOST_TR_SELECTOR: 0 }],
];

const V86 = 0x20002;
const WRONG_GUEST: [string, Change][] = [
  ['CR0 without protection', { GUEST_CR0: 0x80000020 }],
  ['CR0 without paging', { GUEST_CR0: 0x33 }],
  ['CR4 with MCE', { GUEST_CR4: 0x2050 }],
  ['RFLAGS bit 1 clear', { GUEST_RFLAGS: 0 }],
  ['RFLAGS bit 15', { GUEST_RFLAGS: 0x8002 }],
  ['IA32_DEBUGCTL reserved bit', { GUEST_IA32_DEBUGCTL: 4 }],
  ['GDTR limit over 64 KiB', { GUEST_GDTR_LIMIT: 0x10000 }],
  ['IDTR limit over 64 KiB', { GUEST_IDTR_LIMIT: 0x10000 }],
  ['SS.RPL is not CS.RPL', { GUEST_SS_SELECTOR: 0x13 }],
  ['SS.DPL is not SS.RPL', { GUEST_SS_AR_BYTES: 0xc0f3 }],
  ['CS not accessed', { GUEST_CS_AR_BYTES: 0xc09a }],
  ['CS is data', { GUEST_CS_AR_BYTES: 0xc093 }],
  ['CS not present', { GUEST_CS_AR_BYTES: 0xc01b }],
  ['CS.DPL is not SS.DPL', { GUEST_CS_AR_BYTES: 0xc0fb }],
  ['SS is read-only', { GUEST_SS_AR_BYTES: 0xc091 }],
  ['DS is execute-only code', { GUEST_DS_AR_BYTES: 0xc099 }],
  ['DS not accessed', { GUEST_DS_AR_BYTES: 0xc092 }],
  ['ES.RPL above ES.DPL', { GUEST_ES_SELECTOR: 0x13 }],
  ['FS with reserved access bits', { GUEST_FS_AR_BYTES: 0xc193 }],
  ['GS with a limit that pages cannot express', { GUEST_GS_LIMIT: 0x12345678 }],
  ['GS with a limit that bytes cannot express', { GUEST_GS_AR_BYTES: 0x4093 }],
  ['TR unusable', { GUEST_TR_AR_BYTES: 0x1008b }],
  ['TR not busy', { GUEST_TR_AR_BYTES: 0x89 }],
  ['TR in the LDT', { GUEST_TR_SELECTOR: 0x1c }],
  ['LDTR of another type', { GUEST_LDTR_AR_BYTES: 0x83 }],
  ['virtual-8086 with a protected-mode base', { GUEST_RFLAGS: V86 }],
  ['an activity state that is not there', { GUEST_ACTIVITY_STATE: 3 }],
  [
    'HLT and blocking by STI',
    { GUEST_ACTIVITY_STATE: 1, GUEST_INTERRUPTIBILITY_INFO: 1, GUEST_RFLAGS: 0x202 },
  ],
  ['HLT and an injected #GP', { GUEST_ACTIVITY_STATE: 1, VM_ENTRY_INTR_INFO: 0x80000b0d }],
  ['interruptibility: reserved bits', { GUEST_INTERRUPTIBILITY_INFO: 0x20 }],
  ['interruptibility: STI and MOV SS', { GUEST_INTERRUPTIBILITY_INFO: 3, GUEST_RFLAGS: 0x202 }],
  ['interruptibility: STI with IF = 0', { GUEST_INTERRUPTIBILITY_INFO: 1 }],
  ['external interrupt with IF = 0', { VM_ENTRY_INTR_INFO: 0x80000020 }],
  [
    'external interrupt under STI',
    { VM_ENTRY_INTR_INFO: 0x80000020, GUEST_INTERRUPTIBILITY_INFO: 1, GUEST_RFLAGS: 0x202 },
  ],
  ['NMI under MOV SS', { VM_ENTRY_INTR_INFO: 0x80000202, GUEST_INTERRUPTIBILITY_INFO: 2 }],
  ['pending debug exceptions: reserved bits', { GUEST_PENDING_DBG_EXCEPTIONS: 0x10 }],
  [
    'pending debug exceptions without BS under STI and TF',
    { GUEST_RFLAGS: 0x302, GUEST_INTERRUPTIBILITY_INFO: 1 },
  ],
];

describe('VM entry', () => {
  it.each(WRONG_CONTROLS)('fails with error 7: %s', (_, change) => {
    const { cpu, result } = attempt(change);
    expect(result).toBe(7);
    expect(vmread(cpu, F.VM_INSTRUCTION_ERROR)).toBe(7);
    expect(cpu.intercepts).toBeNull();
  });

  it.each(WRONG_HOST)('fails with error 8: host %s', (_, change) => {
    expect(attempt(change).result).toBe(8);
  });

  it.each(WRONG_GUEST)('exits at once with reason 80000021H: guest %s', (_, change) => {
    const { cpu, result } = attempt(change);
    expect(result).toBe(0);
    expect(vmread(cpu, F.VM_EXIT_REASON)).toBe(0x80000021);
    expect(vmread(cpu, F.EXIT_QUALIFICATION)).toBe(0);
    expect(cpu.eip).toBe(AT.monitor);
    expect(cpu.stop).toBe(Stop.monitor);
    expect(vmresume(cpu), 'not launched').toBe(5);
  });

  it('accepts an injected error code of sixteen bits: selectors from 8000H up are error codes too', () => {
    const { result } = attempt({ VM_ENTRY_INTR_INFO: 0x80000b0d, VM_ENTRY_EXCEPTION_ERROR_CODE: 0xfff8 });
    expect(result).toBe(0);
  });

  it('loads the PDPTEs of a guest with PAE, and gives exit qualification 2 when one has a reserved bit', () => {
    const change = { GUEST_CR4: 0x2030, GUEST_CR3: AT.ioBitmapA };
    const { cpu, result } = attempt(change, [[AT.ioBitmapA, AT.pageDirectory | 1]]);
    expect([result, cpu.pdptes[0], cpu.pdptes[2]]).toEqual([0, AT.pageDirectory | 1, 0]);
    expect(cpu.intercepts).not.toBeNull();
    const bad = attempt(change, [[AT.ioBitmapA, AT.pageDirectory | 3]]);
    expect(vmread(bad.cpu, F.VM_EXIT_REASON)).toBe(0x80000021);
    expect(vmread(bad.cpu, F.EXIT_QUALIFICATION)).toBe(2);
  });

  it('gives exit qualification 4 for a bad VMCS link pointer', () => {
    const { cpu } = attempt({ VMCS_LINK_POINTER: 0x4000 });
    expect(vmread(cpu, F.VM_EXIT_REASON)).toBe(0x80000021);
    expect(vmread(cpu, F.EXIT_QUALIFICATION)).toBe(4);
  });

  it('fails with reason 80000022H and the number of the MSR that cannot be loaded', () => {
    const { cpu } = attempt({ VM_ENTRY_MSR_LOAD_COUNT: 2, VM_ENTRY_MSR_LOAD_ADDR: 0x9000 });
    expect(vmread(cpu, F.VM_EXIT_REASON)).toBe(0x80000022);
    expect(vmread(cpu, F.EXIT_QUALIFICATION)).toBe(1);
  });

  it('keeps the injected event of an entry that failed, and the guest fields as they were', () => {
    const { cpu } = attempt({ VM_ENTRY_INTR_INFO: 0x80000020 });
    expect(vmread(cpu, F.VM_ENTRY_INTR_INFO)).toBe(0x80000020);
    expect(vmread(cpu, F.GUEST_RIP)).toBe(AT.code);
  });
});
