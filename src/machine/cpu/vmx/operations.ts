// The VMX instructions as plain functions (SDM vol. 2 ch. 30): what the silicon does once the instruction is allowed to
// run. instructions.ts puts the privilege checks in front of them; a hypervisor written in TypeScript calls them directly.
// All set the status flags as the instruction does and charge its cycles. Results: 0, VM_FAIL_INVALID, or VM_ERROR.*.
import type { Cpu } from '../cpu.ts';
import { FEATURE_CONTROL_LOCK, FEATURE_CONTROL_VMXON, supported, VMX_MSR } from './capabilities.ts';
import { TOUCHES } from './dirty.ts';
import { vmEntry } from './entry.ts';
import { LAUNCH_CLEAR, REVISION_IDENTIFIER, WORD_LAUNCH_STATE } from './layout.ts';
import { NO_VMCS, type VmxState, vmxOf } from './state.ts';
import { conclude, succeed, VM_ERROR, VM_FAIL_INVALID, VM_SUCCEED } from './vm-fail.ts';

export { VM_ERROR, VM_FAIL_INVALID } from './vm-fail.ts';

const CR4_VMXE = 0x2000;
/** Of an encoding: the group of exit information, and the bits of its width (0: 16 bits). */
const READ_ONLY = 1;
const WIDTH = 0x6000;

/** Why VMXON would raise #GP(0) outside VMX operation, or ''. */
export function vmxonRefusal(cpu: Cpu): string {
  const { capabilities } = vmxOf(cpu);
  if (cpu.cpl !== 0) return 'CPL is not 0';
  if (cpu.intercepts !== null) return 'a guest of SVM is running';
  if (cpu.a20Mask !== 0xffffffff) return 'the A20 gate is closed';
  if (!supported(cpu.cr0, capabilities.cr0))
    return 'CR0 has a bit that VMX operation does not support (PE, NE and PG must be 1)';
  if (!supported(cpu.cr4, capabilities.cr4)) return 'CR4 has a bit that VMX operation does not support';
  const control = cpu.msrs.get(VMX_MSR.featureControl) ?? 0n;
  if (!(control & FEATURE_CONTROL_LOCK) || !(control & FEATURE_CONTROL_VMXON))
    return 'IA32_FEATURE_CONTROL does not permit it';
  return '';
}

/** Enters VMX root operation. Throws Error where the instruction would raise #UD or #GP: from TypeScript that is a mistake of the caller. */
export function vmxon(cpu: Cpu, physical: number): number {
  const vmx = vmxOf(cpu);
  if (vmx.operation) return conclude(cpu, vmx, VM_ERROR.vmxonInRoot);
  if (!(cpu.cr4 & CR4_VMXE)) throw new Error('VMXON: #UD, CR4.VMXE is 0');
  const refusal = vmxonRefusal(cpu);
  if (refusal) throw new Error(`VMXON: #GP(0), ${refusal}`);
  if (!isRegion(physical) || cpu.memory.read32(physical) !== REVISION_IDENTIFIER)
    return conclude(cpu, vmx, VM_FAIL_INVALID);
  vmx.operation = true;
  vmx.vmxonPointer = physical | 0;
  vmx.setCurrent(NO_VMCS);
  return conclude(cpu, vmx, VM_SUCCEED);
}

/** Leaves VMX operation. */
export function vmxoff(cpu: Cpu): number {
  const vmx = inRoot(cpu);
  vmx.operation = false;
  vmx.vmxonPointer = NO_VMCS;
  vmx.setCurrent(NO_VMCS);
  return conclude(cpu, vmx, VM_SUCCEED);
}

/** Makes a region's VMCS clear (and no longer current). Its data are in memory at any time, so nothing has to be written back. */
export function vmclear(cpu: Cpu, physical: number): number {
  const vmx = inRoot(cpu);
  if (!isRegion(physical)) return conclude(cpu, vmx, VM_ERROR.vmclearInvalidAddress);
  if ((physical | 0) === vmx.vmxonPointer) return conclude(cpu, vmx, VM_ERROR.vmclearVmxonPointer);
  cpu.memory.write32(physical + WORD_LAUNCH_STATE * 4, LAUNCH_CLEAR);
  if ((physical | 0) === vmx.current) vmx.setCurrent(NO_VMCS);
  return conclude(cpu, vmx, VM_SUCCEED);
}

/** Makes a region's VMCS current. */
export function vmptrld(cpu: Cpu, physical: number): number {
  const vmx = inRoot(cpu);
  cpu.cycles += vmx.cycles.vmptrld;
  if (!isRegion(physical)) return conclude(cpu, vmx, VM_ERROR.vmptrldInvalidAddress);
  if ((physical | 0) === vmx.vmxonPointer) return conclude(cpu, vmx, VM_ERROR.vmptrldVmxonPointer);
  // Beyond memory the bus answers all ones, which is no revision identifier either.
  if (cpu.memory.read32(physical) !== REVISION_IDENTIFIER)
    return conclude(cpu, vmx, VM_ERROR.vmptrldWrongRevision);
  vmx.setCurrent(physical | 0);
  return conclude(cpu, vmx, VM_SUCCEED);
}

/** Physical address of the current VMCS, or -1 for FFFFFFFF_FFFFFFFFH. */
export function vmptrst(cpu: Cpu): number {
  const vmx = inRoot(cpu);
  conclude(cpu, vmx, VM_SUCCEED);
  return vmx.current === NO_VMCS ? -1 : vmx.current >>> 0;
}

/** A field of the current VMCS, uint32; -1 when it fails (the flags, and VM_INSTRUCTION_ERROR, say why). */
export function vmread(cpu: Cpu, encoding: number): number {
  const { vmx } = cpu;
  // Mostly all is well: several of these come with each exit. (Beyond the table there is nothing, which is not above 0.)
  if (vmx !== null && vmx.current !== NO_VMCS && vmx.operation && cpu.intercepts === null) {
    const word = vmx.fieldIndex[encoding];
    if (word > 0) {
      cpu.cycles += vmx.readCycles;
      succeed(cpu);
      return vmx.words[vmx.base + word] >>> 0;
    }
  }
  return failingRead(cpu, encoding);
}

function failingRead(cpu: Cpu, encoding: number): number {
  const vmx = inRoot(cpu);
  cpu.cycles += vmx.readCycles;
  const word = wordOf(vmx, encoding);
  if (word <= 0) {
    conclude(cpu, vmx, word === 0 ? VM_ERROR.unsupportedComponent : VM_FAIL_INVALID);
    return -1;
  }
  throw new Error(`VMREAD ${encoding.toString(16)}h: it is there after all`);
}

/** Writes a field of the current VMCS. */
export function vmwrite(cpu: Cpu, encoding: number, value: number): number {
  const { vmx } = cpu;
  if (vmx !== null && vmx.current !== NO_VMCS && vmx.operation && cpu.intercepts === null) {
    const word = vmx.fieldIndex[encoding];
    if (word > 0 && ((encoding >>> 10) & 3) !== READ_ONLY) {
      cpu.cycles += vmx.writeCycles;
      succeed(cpu);
      vmx.words[vmx.base + word] = (encoding & WIDTH) === 0 ? value & 0xffff : value;
      vmx.dirty |= TOUCHES[word];
      return VM_SUCCEED;
    }
  }
  return failingWrite(cpu, encoding);
}

function failingWrite(cpu: Cpu, encoding: number): number {
  const vmx = inRoot(cpu);
  cpu.cycles += vmx.writeCycles;
  const word = wordOf(vmx, encoding);
  if (word < 0) return conclude(cpu, vmx, VM_FAIL_INVALID);
  if (word === 0) return conclude(cpu, vmx, VM_ERROR.unsupportedComponent);
  // Bits 11:10 of the encoding: 1 is the group that VMWRITE cannot write.
  return conclude(cpu, vmx, VM_ERROR.readOnlyComponent);
}

/** Enters the guest of a clear VMCS. After 0 the processor is in the guest, or already back with an exit recorded. */
export const vmlaunch = (cpu: Cpu): number => enter(cpu, true);
/** Enters the guest of a launched VMCS; see `vmlaunch`. */
export const vmresume = (cpu: Cpu): number => enter(cpu, false);

function enter(cpu: Cpu, launch: boolean): number {
  const vmx = inRoot(cpu);
  if (vmx.current === NO_VMCS) return conclude(cpu, vmx, VM_FAIL_INVALID);
  const error = vmEntry(cpu, vmx, launch);
  // On success the flags are the guest's by now (or, after a failed entry, the host's).
  return error === VM_SUCCEED ? VM_SUCCEED : conclude(cpu, vmx, error);
}

/** VMCALL in root operation: there is no system-management monitor to call. */
export function vmcall(cpu: Cpu): number {
  return conclude(cpu, inRoot(cpu), VM_ERROR.vmcallInRoot);
}

function inRoot(cpu: Cpu): VmxState {
  const vmx = vmxOf(cpu);
  if (!vmx.operation || cpu.intercepts !== null)
    throw new Error('a VMX instruction outside VMX root operation');
  return vmx;
}

/** Word of a field; 0 when this processor has no such field, -1 when there is no current VMCS. */
function wordOf(vmx: VmxState, encoding: number): number {
  if (vmx.current === NO_VMCS) return -1;
  return encoding >= 0 && encoding < 0x8000 ? vmx.fieldIndex[encoding] : 0;
}

/** A 4-KiB aligned address below 4 GiB. */
function isRegion(physical: number): boolean {
  return physical >= 0 && physical <= 0xfffff000 && physical % 4096 === 0;
}
