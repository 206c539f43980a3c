// The SVM instructions in the instruction stream (APM vol. 3): #UD without EFER.SVME or outside protected mode, #GP(0) at
// CPL > 0 and for an address that is no page, then #VMEXIT, then the operations of operations.ts. EAX, or AX with a 16-bit
// address size, names the VMCB.
import type { Instruction } from '../../isa/instruction.ts';
import type { Cpu } from '../cpu.ts';
import type { Executor, Executors } from '../executors/executor.ts';
import { fault, VECTOR } from '../fault.ts';
import type { InterceptedInstruction } from '../intercepts.ts';
import { MSR, SVME } from '../msrs.ts';
import { isProtected } from '../segmentation.ts';
import * as operation from './operations.ts';

export * from './operations.ts';

/** An SVM guest may have SVM instructions of its own, if nobody intercepts them; in a guest of VT-x they do not exist. */
function exists(cpu: Cpu): boolean {
  if (cpu.intercepts !== null && cpu.intercepts !== cpu.svm?.intercepts) return false;
  return (Number(cpu.msrs.get(MSR.efer) ?? 0n) & SVME) !== 0;
}

/** The checks that all share. @returns false when the instruction has left to the hypervisor */
function mayRun(cpu: Cpu, which: InterceptedInstruction): boolean {
  if (!exists(cpu) || !isProtected(cpu)) fault(cpu, VECTOR.UD);
  if (cpu.cpl !== 0) fault(cpu, VECTOR.GP, 0);
  return !cpu.intercepts?.instruction(which, 0);
}

/** Physical address of a VMCB. */
function vmcbOperand(cpu: Cpu, i: Instruction): number {
  const address = i.addressSize === 32 ? cpu.regs[0] >>> 0 : cpu.regs16[0];
  if (address & 0xfff) fault(cpu, VECTOR.GP, 0);
  return address;
}

const onVmcb =
  (which: InterceptedInstruction, run: (cpu: Cpu, physical: number) => void): Executor =>
  (cpu, i) => {
    if (!exists(cpu) || !isProtected(cpu)) fault(cpu, VECTOR.UD);
    if (cpu.cpl !== 0) fault(cpu, VECTOR.GP, 0);
    const physical = vmcbOperand(cpu, i);
    if (!cpu.intercepts?.instruction(which, 0)) run(cpu, physical);
  };

/** VMRUN in a guest is always intercepted: a VMCB that does not ask for it is invalid. */
const vmrun = onVmcb('vmrun', (cpu, physical) => {
  operation.vmrun(cpu, physical);
});

/** From any ring; without an intercept it does not exist. */
const vmmcall: Executor = (cpu) => {
  if (!exists(cpu) || !cpu.intercepts?.instruction('vmmcall', 0)) fault(cpu, VECTOR.UD);
};

const plain =
  (which: InterceptedInstruction, run: (cpu: Cpu, i: Instruction) => void): Executor =>
  (cpu, i) => {
    if (mayRun(cpu, which)) run(cpu, i);
  };

const invlpga = plain('invlpga', (cpu, i) => {
  operation.invlpga(cpu, i.addressSize === 32 ? cpu.regs[0] >>> 0 : cpu.regs16[0], cpu.regs[1]);
});

const bindings: Readonly<Record<string, Executor>> = {
  vmrun,
  vmmcall,
  vmload: onVmcb('vmload', operation.vmload),
  vmsave: onVmcb('vmsave', operation.vmsave),
  stgi: plain('stgi', operation.stgi),
  clgi: plain('clgi', operation.clgi),
  skinit: plain('skinit', (cpu) => operation.skinit(cpu, cpu.regs[0])),
  invlpga,
};

/** SVM family, keyed by `Form.operation`. */
export const svmExecutors: Executors = Object.fromEntries(
  Object.entries(bindings).map(([name, execute]) => [name, () => execute]),
);
