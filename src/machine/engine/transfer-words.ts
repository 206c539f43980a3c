// What the interpreter's side and compiled code both know of the ways between regions (links.ts, transfers.ts, runtime.ts):
// the words of links, gates, returns and notes, and the numbers that a region ends with.
import { AC, DF, ID, NT, RF, STATUS_FLAGS, TF } from '../cpu/flags.ts';

/** Links kept: a power of two. Four words each. */
export const LINKS = 1024;
export const Link = { eip: 0, stamp: 1, /** Region, and the entry above. */ target: 2, table: 3 } as const;
export const LINK_SHIFT = 4;
/** How the table of links folds an address. */
export const LINK_FOLD = 10;

/** Gates and returns that are known: powers of two. 32 words each. */
export const GATES = 32;
export const RETURNS = 8;
export const TRANSFER_WORDS = 32;
export const TRANSFER_SHIFT = 7;

/** Words of a known gate or return. `…At` is a linear address of eight bytes within one page, which must read `…Low`, `…High`. */
export const Transfer = {
  stamp: 0,
  /** Vector of a gate; selector of CS of a return. */
  key: 1,
  codeAt: 2,
  codeLow: 3,
  codeHigh: 4,
  /** With a change of stack. */
  stackChanges: 5,
  stackAt: 6,
  stackLow: 7,
  stackHigh: 8,
  stackSelector: 9,
  /** Selectors as loaded, and the stamp from then on. */
  cs: 10,
  ss: 11,
  next: 12,
  cycles: 13,
  /** Access rights of CS. */
  csAccess: 14,
  /** Of gates. */
  gateAt: 15,
  gateLow: 16,
  gateHigh: 17,
  eip: 18,
  /** Flags that stay. */
  keeps: 19,
  /** ESP and SS in the TSS: linear. */
  tssAt: 20,
  /** `Word.write` of the privilege that is entered. */
  pushes: 21,
  /** For the log. */
  note: 22,
  /** Of returns: the limit of the code segment. */
  limit: 23,
  /** Flags that may change but for IF, which is for IOPL to say. */
  changes: 24,
  /** Highest offset of the stack. */
  stackLimit: 25,
  ssAccess: 26,
} as const;

/** Notes of transfers (trace/transfer-notes.ts; what: `Transfer.note`) that wait for being told. */
export const MOST_NOTES = 128;

/** How a region ends, as `onward` takes it. */
export const Way = { link: 0, iret: 1, /** And the vector. */ gate: 2 } as const;
/** Gives back this when everything is in the state's words, EIP too, and nothing is to be given back. */
export const SETTLED = -1;

export const linkAt = (eip: number): number => ((eip ^ (eip >>> LINK_FOLD)) & (LINKS - 1)) << LINK_SHIFT;

/** What IRETD changes at any privilege. */
export const RETURN_CHANGES = STATUS_FLAGS | TF | DF | NT | RF | AC | ID;
