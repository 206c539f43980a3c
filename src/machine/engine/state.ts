// The words at `Shared.state`: what compiled code leaves behind, and what it is given.
import { Shared } from '../cpu/shared.ts';
import type { Frame } from './frame.ts';
import { Op } from './wasm-writer.ts';

/** Words at Shared.state. */
export const State = {
  flags: 0,
  mask: 1,
  kind: 2,
  a: 3,
  b: 4,
  result: 5,
  budget: 6,
  count: 7,
  eip: 8,
  carryA: 9,
  carryB: 10,
  address: 11,
  /** Given to it: above the number of a page in a tag of the TLB. */
  space: 12,
  /** Given to it: where the page's table lies. */
  table: 13,
  /** Number of the region that is run, or was run last. */
  region: 14,
  /** Cycle budget when that was entered. */
  entered: 15,
  /** Links and what is known of transfers are good when they have this: an epoch, and the privilege in the two low bits. */
  stamp: 16,
  /** Selectors of CS and SS, and the CPL in `stamp`: what transfers change. */
  cs: 17,
  ss: 18,
  /** Access rights of CS and SS when a transfer has loaded them; 0 = what they hold is in the processor. */
  csAccess: 19,
  ssAccess: 20,
  /** Transfers noted in the log. */
  logged: 21,
  /** An IRET to this privilege or less leaves the data segments as they are. */
  leastPrivilege: 22,
  /** Given to it, of SS: base, and the highest offset at which twenty bytes fit. */
  stackBase: 23,
  stackLimit: 24,
  /** Given to it: an interrupt waits for IF. */
  waiting: 25,
  /** An IRET was done. */
  returned: 26,
  /** Given to it: ports are not the program's own, or somebody watches them. */
  portsWatched: 27,
  /** After a call from its middle: what that cost, and whether the region must be left behind it. */
  charge: 28,
  disturbed: 29,
  /** Given to it: whether it may walk (walk-code.ts), where the page directory lies, what a walk costs, `Right.global` where there is such a thing. */
  walks: 30,
  directory: 31,
  walkCharge: 32,
  globalBit: 33,
  /** Given to it, two words each: the epochs of the address space's entries. */
  epoch: 34,
  globalEpoch: 36,
  /** It has walked. */
  walked: 38,
  /** Given to it; and whether somebody else may want to know that CR2 is read. */
  cr2: 39,
  cr3: 40,
  cr2Watched: 41,
  /** As `portsWatched`: MOV to CR3 and from it, INVLPG. */
  pagingWatched: 42,
  /** Given to it: the address space's number. */
  context: 43,
} as const;

/** Pushes a word that the region was given. Not kept in a local: that would take a register from every loop around. */
export function given({ code, assumes }: Frame, word: number): void {
  code.const(0);
  code.memory(Op.i32Load, assumes.shared + Shared.state + word * 4);
}
