// Memory operands in compiled code: the tags of the simulated TLB, looked up in line. A hit is what the interpreter's fast
// path is (access.ts), with the same conditions and no cost. Anything else leaves the region before the instruction, and
// the interpreter does it: misses, faults, pages of devices, operands over two pages, stores into pages with code.

import { Shared } from '../cpu/shared.ts';
import { TLB_SIZE } from '../cpu/tlb.ts';
import { RAM_BASE } from '../memory/store.ts';
import { type Frame, Local } from './frame.ts';
import { Op } from './wasm-writer.ts';

export type Size = 8 | 16 | 32;

/**
 * With the offset in its segment on the stack: leaves its place in the buffer in the local `host`, or leaves the region.
 * @param segment whose limit holds
 */
export function locate(f: Frame, segment: number, size: Size, write: boolean): void {
  const { code, assumes } = f;
  const limit = assumes.limits[segment];
  const base = assumes.bases[segment];
  const bytes = size >> 3;
  if (!assumes.uses.includes(segment)) assumes.uses.push(segment);
  code.set(Local.address);
  // With a limit of 4 GiB an offset that wraps reaches into the next page, and misses, if the base is that of a page.
  if (limit !== 0xffffffff || (bytes > 1 && (base & 0xfff) !== 0)) {
    code.with(Local.address, Op.i32GtU, (limit - bytes + 1) | 0);
    f.leaveHereIf();
  }
  if (base !== 0) {
    code.with(Local.address, Op.i32Add, base | 0);
    code.set(Local.address);
  }
  // Slot of the page, times four: (page ^ page >> 11) & 3FFh.
  code.with(Local.address, Op.i32ShrU, 10);
  code.with(Local.address, Op.i32ShrU, 21);
  code.op(Op.i32Xor);
  code.const((TLB_SIZE - 1) << 2);
  code.op(Op.i32And);
  code.tee(Local.slot);
  const tags = (write ? Shared.write : Shared.read) + (assumes.user ? TLB_SIZE * 4 : 0);
  code.memory(Op.i32Load, assumes.shared + tags);
  // The page of the last byte: an operand that reaches into the next page misses, as that never has the same slot.
  code.get(Local.address);
  if (bytes > 1) {
    code.const(bytes - 1);
    code.op(Op.i32Add);
  }
  code.const(12);
  code.op(Op.i32ShrU, Op.i32Ne);
  f.leaveHereIf();
  code.get(Local.slot);
  code.memory(Op.i32Load, assumes.shared + Shared.addend);
  code.get(Local.address);
  code.op(Op.i32Add);
  code.set(Local.host);
  if (!write) return;
  code.with(Local.host, Op.i32ShrU, 12);
  code.memory(Op.i32Load8u, assumes.hasCode - (RAM_BASE >>> 12));
  f.leaveHereIf();
}

/** Loads from `host`, sign-extended. */
export function loadSigned(f: Frame, size: Size): void {
  f.code.get(Local.host);
  f.code.memory(size === 32 ? Op.i32Load : size === 16 ? Op.i32Load16s : Op.i32Load8s);
}

export function loadUnsigned(f: Frame, size: Size): void {
  f.code.get(Local.host);
  f.code.memory(size === 32 ? Op.i32Load : size === 16 ? Op.i32Load16u : Op.i32Load8u);
}

/** Stores a local at `host`. */
export function store(f: Frame, size: Size, local: number): void {
  f.code.get(Local.host);
  f.code.get(local);
  f.code.memory(size === 32 ? Op.i32Store : size === 16 ? Op.i32Store16 : Op.i32Store8);
}
