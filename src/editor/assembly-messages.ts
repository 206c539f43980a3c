// What the page and the assembling worker say to each other: one program out, one result back, by number.
import type { Diagnostic } from '../assembler/diagnostics.ts';

export interface AssembleRequest {
  readonly id: number;
  readonly files: readonly (readonly [string, string])[];
  readonly main: string;
}

export interface AssembleResult {
  readonly id: number;
  readonly diagnostics: readonly Diagnostic[];
  /** Value of every name; the ones of the last assembly without errors are worth showing. */
  readonly symbols: ReadonlyMap<string, number>;
  /** Bytes of the image; 0 when there are errors. */
  readonly size: number;
  readonly origin: number;
  /** Lines that made bytes, in order, by file; none when there are errors. */
  readonly codeLines: ReadonlyMap<string, readonly number[]>;
}
