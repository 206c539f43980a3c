// INVEPT and INVVPID (SDM vol. 2 ch. 30): dropping tagged translations. This TLB is dropped whole, which the manual allows
// at any time (§28.3.3.5); the operands are checked as if it were not.
import type { Instruction } from '../../isa/instruction.ts';
import { linearForRead, readLinear32 } from '../access.ts';
import { effectiveAddress } from '../address.ts';
import type { Cpu } from '../cpu.ts';
import type { Executor, Executors } from '../executors/executor.ts';
import { fault, VECTOR } from '../fault.ts';
import { isEptPointer } from './ept.ts';
import { mayRun } from './instructions.ts';
import { forgetTranslations } from './second-generation.ts';
import { conclude, VM_ERROR, VM_SUCCEED } from './vm-fail.ts';

/** INVEPT types, and INVVPID types. */
export const INVEPT = { single: 1, all: 2 } as const;
export const INVVPID = { address: 0, single: 1, all: 2, singleRetainingGlobals: 3 } as const;

/** INVEPT as a function, for a hypervisor in TypeScript. @returns 0 or VM_ERROR.* */
export function invept(cpu: Cpu, type: number, low = 0, high = 0): number {
  const known = type === INVEPT.all || (type === INVEPT.single && isEptPointer(low, high));
  return finish(cpu, known);
}

/** INVVPID likewise. @param high bits 63:16 of the descriptor, shifted down: must be 0 */
export function invvpid(cpu: Cpu, type: number, vpid = 0, high = 0): number {
  const known = type === INVVPID.all || (type >= 0 && type <= 3 && vpid !== 0);
  return finish(cpu, known && high === 0);
}

function finish(cpu: Cpu, known: boolean): number {
  const vmx = cpu.vmx!;
  if (!known) return conclude(cpu, vmx, VM_ERROR.invalidInvalidation);
  forgetTranslations(cpu, vmx);
  cpu.cycles += cpu.cost.charges.tlbFlush.cycles;
  return conclude(cpu, vmx, VM_SUCCEED);
}

/** The first double words of the 16-byte descriptor. The whole of it must be readable. */
function descriptor(cpu: Cpu, i: Instruction): [number, number] {
  const linear = linearForRead(cpu, i.segment, effectiveAddress(cpu, i), 16);
  const words = [0, 4, 8, 12].map((at) => readLinear32(cpu, (linear + at) >>> 0, false));
  return [words[0], words[1]];
}

const inveptInstruction: Executor = (cpu, i) => {
  if (!cpu.vmx?.second) fault(cpu, VECTOR.UD);
  if (!mayRun(cpu, 'invept')) return;
  const [low, high] = descriptor(cpu, i);
  invept(cpu, cpu.regs[i.reg], low, high);
};

const invvpidInstruction: Executor = (cpu, i) => {
  if (!cpu.vmx?.second) fault(cpu, VECTOR.UD);
  if (!mayRun(cpu, 'invvpid')) return;
  const [low, high] = descriptor(cpu, i);
  invvpid(cpu, cpu.regs[i.reg], low & 0xffff, (low >>> 16) | high);
};

export const invalidateExecutors: Executors = {
  invept: () => inveptInstruction,
  invvpid: () => invvpidInstruction,
};
