// What an executor is. A binder looks at a decoded instruction once and picks the function that will run it ever after.
import type { Instruction } from '../../isa/instruction.ts';
import type { Cpu } from '../cpu.ts';

export type Executor = (cpu: Cpu, i: Instruction) => void;
export type Binder = (i: Instruction) => Executor;
/** Keys are `Form.operation`. */
export type Executors = Readonly<Record<string, Binder>>;
