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
} as const;

/** Pushes a word that the region was given. Not kept in a local: that would take a register from every loop around. */
export function given({ code, assumes }: Frame, word: number): void {
  code.const(0);
  code.memory(Op.i32Load, assumes.shared + Shared.state + word * 4);
}
