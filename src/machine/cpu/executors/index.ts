// From a decoded instruction to the function that runs it: once for each instruction, at its first execution.
import type { CostModel } from '../../../cost/model.ts';
import type { Instruction } from '../../isa/instruction.ts';
import type { Cpu } from '../cpu.ts';
import { fault, VECTOR } from '../fault.ts';
import { vmxExecutors } from '../vmx/instructions.ts';
import type { Executor, Executors } from './executor.ts';
import { integerExecutors } from './integer.ts';
import { systemExecutors } from './system.ts';
import { x87Executors } from './x87.ts';

/** All families: what this processor can do. */
export const EXECUTORS: Executors = {
  ...integerExecutors,
  ...systemExecutors,
  ...vmxExecutors,
  ...x87Executors,
};

function undefinedInstruction(cpu: Cpu): void {
  fault(cpu, VECTOR.UD);
}

/** Chooses the executor and the price of an instruction. Operations that this processor does not have raise #UD. */
export function bind(i: Instruction, cost: CostModel): void {
  const binder = EXECUTORS[i.form.operation];
  const execute: Executor = binder ? binder(i) : undefinedInstruction;
  i.execute = execute as Instruction['execute'];
  i.cost = cost.instructions[i.form.operation] ?? 1;
}
