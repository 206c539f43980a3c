// Where compiled code finds the entry of a page in the TLB: the same function of the page as `tlbSlot`.
import { ENTRY_SHIFT, FOLD, TLB_SIZE } from '../cpu/tlb.ts';
import { Op, type Writer } from './wasm-writer.ts';

/** log2 of the bytes of an entry, and of a page. */
export const ENTRY_BYTES_SHIFT = ENTRY_SHIFT + 2;
const PAGE_SHIFT = 12;

/** Pushes the place of the entry, in bytes from the first one, of the linear address in a local. */
export function pushEntryAt(code: Writer, linear: number): void {
  code.with(linear, Op.i32ShrU, PAGE_SHIFT - ENTRY_BYTES_SHIFT);
  code.with(linear, Op.i32ShrU, PAGE_SHIFT + FOLD - ENTRY_BYTES_SHIFT);
  code.op(Op.i32Xor);
  code.const((TLB_SIZE - 1) << ENTRY_BYTES_SHIFT);
  code.op(Op.i32And);
}
