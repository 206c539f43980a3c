// From a decoded instruction to the function that runs it: once for each instruction, at its first execution.
import type { CostModel } from '../../../cost/model.ts';
import type { Instruction } from '../../isa/instruction.ts';
import { PACKED } from '../../isa/table/packed.ts';
import { SSE } from '../../isa/table/sse.ts';
import { SVM } from '../../isa/table/svm.ts';
import { X87 } from '../../isa/table/x87.ts';
import type { Cpu } from '../cpu.ts';
import { fastPaths } from '../fast-path/seam.ts';
import { fault, VECTOR } from '../fault.ts';
import { vmxExecutors } from '../vmx/instructions.ts';
import type { Binder, Executor, Executors } from './executor.ts';
import { integerExecutors } from './integer.ts';
import { systemExecutors } from './system.ts';

/** All families: what this processor can do. */
export const EXECUTORS: Record<string, Binder> = {
  ...integerExecutors,
  ...systemExecutors,
  ...vmxExecutors,
};

/** Operations that a program provides when a guest may want them: floating point (provide-floating-point.ts), SVM (svm/provide.ts). */
const OPTIONAL: ReadonlySet<string> = new Set(
  [...X87, ...PACKED, ...SSE, ...SVM].map((row) => row.operation),
);

/** Adds families. */
export function provideExecutors(families: Executors): void {
  Object.assign(EXECUTORS, families);
}

function notProvided(_: Cpu, i: Instruction): never {
  throw new Error(`${i.form.mnemonic}: nobody has provided the unit that runs it`);
}

function undefinedInstruction(cpu: Cpu): void {
  fault(cpu, VECTOR.UD);
}

/** Chooses the executor and the price of an instruction. Operations that this processor does not have raise #UD. */
export function bind(i: Instruction, cost: CostModel): void {
  const binder = EXECUTORS[i.form.operation];
  const missing = OPTIONAL.has(i.form.operation) ? notProvided : undefinedInstruction;
  const execute: Executor = binder ? binder(i) : missing;
  i.execute = execute as Instruction['execute'];
  i.cost = cost.instructions[i.form.operation] ?? 1;
  i.fast = fastPaths.provided?.form(i) ?? 0;
}
