// VMX instructions as functions: results and flags (SDM vol. 2 ch. 30), and that a VMCS is nothing but memory.
import { describe, expect, it } from 'vitest';
import { CF, getFlags, ZF } from '../flags.ts';
import { FIELD as F, LATER_FIELD } from './fields.ts';
import { REVISION_IDENTIFIER } from './layout.ts';
import {
  VM_ERROR,
  VM_FAIL_INVALID,
  vmclear,
  vmlaunch,
  vmptrld,
  vmptrst,
  vmread,
  vmwrite,
  vmxoff,
  vmxon,
} from './operations.ts';
import { AT, readyProcessor, readyVmcs } from './testing.ts';

describe('VMXON', () => {
  it('wants CR4.VMXE, the fixed bits of CR0, and firmware that allows it', () => {
    const { cpu } = readyProcessor();
    cpu.cr4 = 0x10;
    expect(() => vmxon(cpu, AT.vmxon)).toThrow('#UD');
    cpu.cr4 = 0x2010;
    cpu.cr0 &= 0x7fffffff;
    expect(() => vmxon(cpu, AT.vmxon)).toThrow('#GP(0), CR0');
    cpu.cr0 |= 0x80000000;
    cpu.msrs.set(0x3a, 1n);
    expect(() => vmxon(cpu, AT.vmxon)).toThrow('IA32_FEATURE_CONTROL');
    cpu.msrs.set(0x3a, 5n);
    expect(vmxon(cpu, AT.vmxon)).toBe(0);
    expect(getFlags(cpu) & (CF | ZF)).toBe(0);
    expect(vmxon(cpu, AT.vmxon)).toBe(VM_FAIL_INVALID);
  });

  it('refuses an unaligned region and one with another revision identifier', () => {
    const { cpu } = readyProcessor();
    expect(vmxon(cpu, AT.vmxon + 8)).toBe(VM_FAIL_INVALID);
    expect(getFlags(cpu) & CF).toBe(CF);
    cpu.memory.write32(AT.vmxon, 7);
    expect(vmxon(cpu, AT.vmxon)).toBe(VM_FAIL_INVALID);
    expect(vmxon(cpu, 2 ** 32)).toBe(VM_FAIL_INVALID);
  });

  it('in root operation fails with error 15, once there is a VMCS to hold the number', () => {
    const { cpu } = readyVmcs();
    expect(vmxon(cpu, AT.vmxon)).toBe(VM_ERROR.vmxonInRoot);
    expect(getFlags(cpu) & ZF).toBe(ZF);
    expect(vmread(cpu, F.VM_INSTRUCTION_ERROR)).toBe(15);
  });

  it('is undone by VMXOFF', () => {
    const { cpu } = readyVmcs();
    expect(vmxoff(cpu)).toBe(0);
    expect(() => vmread(cpu, F.GUEST_RIP)).toThrow();
  });
});

describe('VMPTRLD, VMPTRST, VMCLEAR', () => {
  it('fail with their own numbers', () => {
    const { cpu } = readyVmcs();
    expect(vmptrld(cpu, 0x2001)).toBe(9);
    expect(vmptrld(cpu, AT.vmxon)).toBe(10);
    expect(vmptrld(cpu, AT.ioBitmapA)).toBe(11);
    expect(vmptrld(cpu, 0xfffff000), 'beyond memory').toBe(11);
    expect(vmclear(cpu, 0x2010)).toBe(2);
    expect(vmclear(cpu, AT.vmxon)).toBe(3);
    expect(vmptrst(cpu)).toBe(AT.vmcs);
  });

  it('leave no current VMCS after VMCLEAR of it: everything is VMfailInvalid then', () => {
    const { cpu } = readyVmcs();
    vmclear(cpu, AT.vmcs);
    expect(vmptrst(cpu)).toBe(-1);
    expect(vmread(cpu, F.GUEST_RIP)).toBe(-1);
    expect(getFlags(cpu) & CF).toBe(CF);
    expect(vmwrite(cpu, F.GUEST_RIP, 1)).toBe(VM_FAIL_INVALID);
    expect(vmlaunch(cpu)).toBe(VM_FAIL_INVALID);
  });

  it('find a VMCS in memory wherever it was copied to', () => {
    const { cpu } = readyVmcs();
    vmwrite(cpu, F.GUEST_RIP, 0xabcdef01);
    vmclear(cpu, AT.vmcs);
    const elsewhere = 0x9000;
    cpu.memory.load(elsewhere, cpu.memory.bytes.slice(AT.vmcs, AT.vmcs + 4096));
    cpu.memory.clear(AT.vmcs, 4096);
    expect(vmptrld(cpu, AT.vmcs)).toBe(VM_FAIL_INVALID);
    expect(vmptrld(cpu, elsewhere)).toBe(0);
    expect(vmread(cpu, F.GUEST_RIP)).toBe(0xabcdef01);
    expect(cpu.memory.read32(elsewhere)).toBe(REVISION_IDENTIFIER);
  });
});

describe('VMREAD and VMWRITE', () => {
  it('read back what was written, cut to the width of the field', () => {
    const { cpu } = readyVmcs();
    expect(vmwrite(cpu, F.GUEST_CS_SELECTOR, 0x12345)).toBe(0);
    expect(vmread(cpu, F.GUEST_CS_SELECTOR)).toBe(0x2345);
    vmwrite(cpu, F.TSC_OFFSET, 0x11111111);
    vmwrite(cpu, F.TSC_OFFSET + 1, 0x22222222);
    expect(vmread(cpu, F.TSC_OFFSET)).toBe(0x11111111);
    expect(vmread(cpu, F.TSC_OFFSET + 1)).toBe(0x22222222);
  });

  it('fail with 12 for a field that is not there and 13 for one that is read-only', () => {
    const { cpu } = readyVmcs();
    expect(vmwrite(cpu, LATER_FIELD.EPT_POINTER, 0)).toBe(12);
    expect(vmread(cpu, 0x6bff)).toBe(-1);
    expect(vmread(cpu, F.VM_INSTRUCTION_ERROR)).toBe(12);
    expect(vmread(cpu, 0x10000)).toBe(-1);
    expect(vmwrite(cpu, F.VM_EXIT_REASON, 0)).toBe(13);
  });

  it('cost what the processor model says', () => {
    const { cpu } = readyVmcs();
    const before = cpu.cycles;
    vmread(cpu, F.GUEST_RIP);
    vmwrite(cpu, F.GUEST_RIP, 0);
    expect(cpu.cycles - before).toBe(178 + 171);
  });
});
