// INVEPT and INVVPID (SDM vol. 2 ch. 30, vol. 3 §28.3.3): exactly the translations go that the type and the descriptor name.
import type { Instruction } from '../../isa/instruction.ts';
import { linearForRead, readLinear32 } from '../access.ts';
import { effectiveAddress } from '../address.ts';
import type { Cpu } from '../cpu.ts';
import type { Executor, Executors } from '../executors/executor.ts';
import { fault, VECTOR } from '../fault.ts';
import { ASID_BASE, NO_ROOT, type TlbContext } from '../tlb-context.ts';
import { isEptPointer } from './ept.ts';
import { mayRun } from './instructions.ts';
import { topTable } from './second-generation.ts';
import { conclude, VM_ERROR, VM_SUCCEED } from './vm-fail.ts';

/** INVEPT types, and INVVPID types. */
export const INVEPT = { single: 1, all: 2 } as const;
export const INVVPID = { address: 0, single: 1, all: 2, singleRetainingGlobals: 3 } as const;

/** INVEPT as a function, for a hypervisor in TypeScript: combined mappings of the tables at an EPT pointer, or of all. @returns 0 or VM_ERROR.* */
export function invept(cpu: Cpu, type: number, low = 0, high = 0): number {
  const vmx = cpu.vmx!;
  cpu.cycles += cpu.cost.charges.invept.cycles;
  if (type !== INVEPT.all && !(type === INVEPT.single && isEptPointer(low, high)))
    return conclude(cpu, vmx, VM_ERROR.invalidInvalidation);
  const root = topTable(low, high);
  const { tlb } = cpu;
  for (const context of tlb.contexts)
    if (type === INVEPT.all ? context.root !== NO_ROOT : context.root === root) tlb.forget(context);
  return conclude(cpu, vmx, VM_SUCCEED);
}

/**
 * INVVPID likewise: linear and combined mappings of a VPID.
 * @param high bits 63:16 of the descriptor, shifted down: must be 0
 * @param linear for type 0
 */
export function invvpid(cpu: Cpu, type: number, vpid = 0, high = 0, linear = 0): number {
  const vmx = cpu.vmx!;
  cpu.cycles += cpu.cost.charges.invvpid.cycles;
  const known = type === INVVPID.all || (type >= 0 && type <= 3 && vpid !== 0);
  if (!known || high !== 0) return conclude(cpu, vmx, VM_ERROR.invalidInvalidation);
  const { tlb } = cpu;
  for (const context of tlb.contexts) {
    if (type === INVVPID.all ? !isGuest(context) : context.id !== vpid) continue;
    if (type === INVVPID.address) tlb.forgetPage(context, linear);
    else if (type === INVVPID.singleRetainingGlobals) tlb.forgetNonGlobal(context);
    else tlb.forget(context);
  }
  // Code of the current context may be fetched from elsewhere now.
  tlb.generation++;
  return conclude(cpu, vmx, VM_SUCCEED);
}

/** It has a VPID, and not that of the host. */
const isGuest = ({ id }: TlbContext): boolean => id !== 0 && id < ASID_BASE;

/** The 16-byte descriptor in double words. */
function descriptor(cpu: Cpu, i: Instruction): number[] {
  const linear = linearForRead(cpu, i.segment, effectiveAddress(cpu, i), 16);
  return [0, 4, 8, 12].map((at) => readLinear32(cpu, (linear + at) >>> 0, false));
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
  const [low, high, address, above] = descriptor(cpu, i);
  const type = cpu.regs[i.reg];
  // Not canonical; and what is beyond 32 bits is remembered nowhere.
  const bad = type === INVVPID.address && above >> 15 !== 0 && above >> 15 !== -1;
  if (type === INVVPID.address && above !== 0 && !bad && high === 0 && low >>> 16 === 0 && low !== 0) {
    cpu.cycles += cpu.cost.charges.invvpid.cycles;
    conclude(cpu, cpu.vmx!, VM_SUCCEED);
  } else invvpid(cpu, type, low & 0xffff, bad ? -1 : (low >>> 16) | high, address);
};

export const invalidateExecutors: Executors = {
  invept: () => inveptInstruction,
  invvpid: () => invvpidInstruction,
};
