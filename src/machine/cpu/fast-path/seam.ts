// Where the interpreter finds its fast path: a program provides it when it wants it. Without it every instruction goes to
// its executor, and nothing that can be seen is different but speed.
import type { Instruction } from '../../isa/instruction.ts';
import type { faulted } from './miss.ts';
import type { runFast } from './run.ts';

export const fastPath: {
  /** `fastForm` of forms.ts. */
  form: (i: Instruction) => number;
  run: typeof runFast | null;
  faulted: typeof faulted | null;
} = { form: () => 0, run: null, faulted: null };
