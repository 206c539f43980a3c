// The VMX instructions in the instruction stream (SDM vol. 2 ch. 30): #UD outside VMX operation, VM exit in non-root
// operation, #GP(0) at CPL > 0, in that order; then the operations of operations.ts.
import type { Instruction } from '../../isa/instruction.ts';
import { linearForRead, linearForWrite, read32, readLinear32, write32, writeLinear32 } from '../access.ts';
import { effectiveAddress } from '../address.ts';
import type { Cpu } from '../cpu.ts';
import type { Executor, Executors } from '../executors/executor.ts';
import { fault, VECTOR } from '../fault.ts';
import { VM } from '../flags.ts';
import type { InterceptedInstruction } from '../intercepts.ts';
import { translate } from '../paging.ts';
import * as operation from './operations.ts';

export * from './operations.ts';

const CR0_PE = 1;
const CR4_VMXE = 0x2000;

type VmxInstruction = Extract<InterceptedInstruction, `vm${string}` | `inv${string}`>;

/** The checks that all share. @returns false when the instruction has left to the hypervisor */
export function mayRun(cpu: Cpu, which: VmxInstruction): boolean {
  if (!cpu.vmx?.operation) fault(cpu, VECTOR.UD);
  // VMCALL exits from any mode, the others are unknown to real and virtual-8086 mode.
  if (which !== 'vmcall') checkMode(cpu);
  if (cpu.intercepts?.instruction(which, 0)) return false;
  checkMode(cpu);
  if (cpu.cpl !== 0) fault(cpu, VECTOR.GP, 0);
  return true;
}

function checkMode(cpu: Cpu): void {
  if (!(cpu.cr0 & CR0_PE) || cpu.flags & VM) fault(cpu, VECTOR.UD);
}

/** Reads the 64-bit physical address that is the operand. Addresses beyond 4 GiB come out as such, and are refused there. */
function addressOperand(cpu: Cpu, i: Instruction): number {
  const linear = linearForRead(cpu, i.segment, effectiveAddress(cpu, i), 8);
  const low = readLinear32(cpu, linear, cpu.cpl === 3) >>> 0;
  const high = readLinear32(cpu, (linear + 4) >>> 0, cpu.cpl === 3) >>> 0;
  return high * 2 ** 32 + low;
}

const vmxon: Executor = (cpu, i) => {
  checkMode(cpu);
  if (!(cpu.cr4 & CR4_VMXE)) fault(cpu, VECTOR.UD);
  if (cpu.vmx?.operation) {
    if (cpu.intercepts?.instruction('vmxon', 0)) return;
    if (cpu.cpl !== 0) fault(cpu, VECTOR.GP, 0);
    // Root operation already: the answer does not depend on the operand.
    operation.vmxon(cpu, 0);
    return;
  }
  if (operation.vmxonRefusal(cpu) !== '') fault(cpu, VECTOR.GP, 0);
  operation.vmxon(cpu, addressOperand(cpu, i));
};

const vmclear: Executor = (cpu, i) => {
  if (mayRun(cpu, 'vmclear')) operation.vmclear(cpu, addressOperand(cpu, i));
};

const vmptrld: Executor = (cpu, i) => {
  if (mayRun(cpu, 'vmptrld')) operation.vmptrld(cpu, addressOperand(cpu, i));
};

const vmptrst: Executor = (cpu, i) => {
  if (!mayRun(cpu, 'vmptrst')) return;
  const linear = linearForWrite(cpu, i.segment, effectiveAddress(cpu, i), 8);
  // Both halves must be writable before either is written.
  translate(cpu, (linear + 7) >>> 0, true, false);
  const current = operation.vmptrst(cpu);
  writeLinear32(cpu, linear, current, false);
  writeLinear32(cpu, (linear + 4) >>> 0, current === -1 ? -1 : 0, false);
};

const vmread: Executor = (cpu, i) => {
  if (!mayRun(cpu, 'vmread')) return;
  const encoding = cpu.regs[i.reg] >>> 0;
  if (!i.memory) {
    const value = operation.vmread(cpu, encoding);
    if (value >= 0) cpu.regs[i.rm] = value;
    return;
  }
  const offset = effectiveAddress(cpu, i);
  translate(cpu, linearForWrite(cpu, i.segment, offset, 4), true, false);
  translate(cpu, linearForWrite(cpu, i.segment, offset, 4) + 3, true, false);
  const value = operation.vmread(cpu, encoding);
  if (value >= 0) write32(cpu, i.segment, offset, value);
};

const vmwrite: Executor = (cpu, i) => {
  if (!mayRun(cpu, 'vmwrite')) return;
  const value = i.memory ? read32(cpu, i.segment, effectiveAddress(cpu, i)) : cpu.regs[i.rm];
  operation.vmwrite(cpu, cpu.regs[i.reg] >>> 0, value);
};

const plain =
  (which: VmxInstruction, run: (cpu: Cpu) => unknown): Executor =>
  (cpu) => {
    if (mayRun(cpu, which)) run(cpu);
  };

const bindings: Readonly<Record<string, Executor>> = {
  vmxon,
  vmxoff: plain('vmxoff', operation.vmxoff),
  vmclear,
  vmptrld,
  vmptrst,
  vmread,
  vmwrite,
  vmlaunch: plain('vmlaunch', operation.vmlaunch),
  vmresume: plain('vmresume', operation.vmresume),
  vmcall: plain('vmcall', operation.vmcall),
};

/** VMX family, keyed by `Form.operation`. */
export const vmxExecutors: Executors = Object.fromEntries(
  Object.entries(bindings).map(([name, execute]) => [name, () => execute]),
);
