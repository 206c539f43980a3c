// The one seam between the interpreter and the compiler of hot code (machine/engine): a program provides it when it wants
// it. Without it the interpreter does everything, and nothing that can be seen is different but speed.
import type { CodeCache } from './code-cache.ts';
import type { Cpu } from './cpu.ts';

export interface Compiler {
  /** A look at where the interpreter is: what is hot gets compiled. Called at fixed cycles. */
  sample(code: CodeCache): void;
}

export const compilers: { make: ((cpu: Cpu) => Compiler) | null } = { make: null };
