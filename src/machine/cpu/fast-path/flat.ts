// Segments that change nothing but where they end: readable and writable data from address 0 on, whole pages. What the fast
// path reaches memory through. They end before 4 GiB where a hypervisor keeps the last addresses for itself.
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
 * Physical address of a word of the stack; -1 when the TLB has no tag for it.
 * @param last page of the stack's segment
 * @param word `Word` of tlb.ts, with the privilege
 */
export function stackPlace(
  words: Int32Array,
  space: number,
  last: number,
  linear: number,
  word: number,
): number {
  // The numbers of tlb.ts.
  const page = linear >>> 12;
  if (page > last) return -1;
  const at = ((page ^ (page >>> 11)) & 1023) << 3;
  return words[at + word] === (page | space) && (linear & 3) === 0 ? (words[at + 6] + linear) | 0 : -1;
}
