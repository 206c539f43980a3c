// Where the interpreter finds its fast path: a program provides it when it wants it. Without it every instruction goes to
// its executor, and nothing that can be seen is different but speed.
import type { fastForm } from './forms.ts';
import type { faulted } from './miss.ts';
import type { runFast } from './run.ts';

export interface FastPath {
  readonly form: typeof fastForm;
  readonly run: typeof runFast;
  readonly faulted: typeof faulted;
}

export const fastPaths: { provided: FastPath | null } = { provided: null };
