// Segments that change nothing: data of 4 GiB from address 0 on, readable and writable. What the fast path reaches memory through.
import { PLAIN_WRITE, PLAIN_WRITE_MASK } from '../access.ts';
import type { SegmentRegister } from '../cpu.ts';

/** @param more access bits that must be set too: `Access.big` of a stack */
export function isFlat(s: SegmentRegister, more = 0): boolean {
  return (
    (s.access & (PLAIN_WRITE_MASK | more)) === (PLAIN_WRITE | more) && s.base === 0 && s.limit === 0xffffffff
  );
}

/** Physical address of a word of the stack; -1 when the TLB has no tag for it. @param word `Word` of tlb.ts, with the privilege */
export function stackPlace(words: Int32Array, space: number, linear: number, word: number): number {
  // The numbers of tlb.ts.
  const page = linear >>> 12;
  const at = ((page ^ (page >>> 11)) & 1023) << 3;
  return words[at + word] === (page | space) && (linear & 3) === 0 ? (words[at + 6] + linear) | 0 : -1;
}
