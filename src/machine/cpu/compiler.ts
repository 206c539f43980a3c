// The one seam between the interpreter and the compiler of hot code (machine/engine): a program provides it when it wants
// it. Without it the interpreter does everything, and nothing that can be seen is different but speed.
import type { CodeCache } from './code-cache.ts';
import type { Cpu } from './cpu.ts';

export interface Compiler {
  /**
   * A look at where the interpreter is: what is hot gets compiled.
   * @returns false when there was nothing to learn: then the next look may wait
   */
  sample(code: CodeCache): boolean;
}

export const compilers: { make: ((cpu: Cpu) => Compiler) | null } = { make: null };
