// Bounds that keep a hostile or runaway source from hanging the page. Each has one clear message.

export interface Limits {
  /** Characters of source read, includes counted each time they are read. */
  sourceCharacters: number;
  /** Characters in one line. */
  lineCharacters: number;
  /** Work of the preprocessor in one reading of the source: lines (several steps each) and tokens. */
  expansionSteps: number;
  includeDepth: number;
  macroDepth: number;
  repeatCount: number;
  /** Bytes in the image, and bytes emitted in one pass. */
  outputBytes: number;
  /** Emissions in all passes: instructions times their `times`. */
  emissions: number;
  /** Statements executed in all passes together. */
  work: number;
  passes: number;
  sections: number;
  diagnostics: number;
}

export const DEFAULT_LIMITS: Limits = {
  sourceCharacters: 8 << 20,
  lineCharacters: 1 << 18,
  expansionSteps: 4_000_000,
  includeDepth: 64,
  macroDepth: 1000,
  repeatCount: 1_000_000,
  outputBytes: 32 << 20,
  emissions: 6_000_000,
  work: 5_000_000,
  passes: 60,
  sections: 1000,
  diagnostics: 100,
};

/** Thrown to leave a runaway assembly at once; never leaves the assembler. The report has been made. */
export class Abort extends Error {}
