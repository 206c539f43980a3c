// Flat segments: readable and writable data from address 0 on, so that an offset is the linear address, and whole pages up to
// any limit (a hypervisor may keep the last addresses for itself). What the fast path reaches memory through.
import { PLAIN_WRITE, PLAIN_WRITE_MASK } from '../access.ts';
import type { SegmentRegister } from '../cpu.ts';

/**
 * The last page (its linear number) of such a segment; -1 for any other.
 * @param more access bits that must be set too: `Access.big` of a stack
 */
export function lastFlatPage(s: SegmentRegister, more = 0): number {
  const flat =
    (s.access & (PLAIN_WRITE_MASK | more)) === (PLAIN_WRITE | more) &&
    s.base === 0 &&
    (s.limit & 0xfff) === 0xfff;
  return flat ? s.limit >>> 12 : -1;
}

/**
 * Physical address of an aligned word of the stack; -1 when the TLB has no tag for it, or when it is none.
 * @param lastPage behind it the limit does not reach
 * @param word `Word` of tlb.ts, with the privilege
 */
export function stackPlace(
  words: Int32Array,
  space: number,
  lastPage: number,
  linear: number,
  word: number,
): number {
  // The numbers of tlb.ts.
  const page = linear >>> 12;
  if (page > lastPage) return -1;
  const at = ((page ^ (page >>> 11)) & 1023) << 3;
  return words[at + word] === (page | space) && (linear & 3) === 0 ? (words[at + 6] + linear) | 0 : -1;
}
