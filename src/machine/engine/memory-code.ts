// Memory operands in compiled code. Each kind of place (a base register, a table) remembers the page it was found in last:
// then an access is one comparison and one addition. Else the tags of the simulated TLB are looked up in line, with the
// conditions of the interpreter's fast path (access.ts) and no cost either. Anything else leaves the region before the
// instruction, and the interpreter does it: misses, devices, operands over two pages, stores into code. What is remembered stays
// good until the region is left; only where it calls for a page walk, CR3 or INVLPG is all of it forgotten (`forgetPages`).

import { Shared } from '../cpu/shared.ts';
import { Word } from '../cpu/tlb.ts';
import { type Instruction, SS } from '../isa/instruction.ts';
import { LINE_SHIFT, RAM_BASE } from '../memory/store.ts';
import { type Frame, Local, NO_PAGE } from './frame.ts';
import { given, State } from './state.ts';
import { pushEntryAt } from './tlb-code.ts';
import { Op } from './wasm-writer.ts';

export type Size = 8 | 16 | 32;

/** Displacements below this belong to the same object. */
const NEAR = 1024;

/** What a memory operand is for: places with one name mostly lie in one page. */
export function placeName(i: Instruction, write: boolean): string {
  const { base, index, displacement } = i;
  const far = Math.abs(displacement) < NEAR ? 0 : displacement >>> 12;
  return nameOf(i.segment, base, index, far, write);
}

/** The name of the top of the stack. */
export const stackName = (write: boolean): string => nameOf(SS, 4, -1, 0, write);

function nameOf(segment: number, base: number, index: number, far: number, write: boolean): string {
  return `${write ? 'w' : 'r'} ${segment} ${base} ${index} ${far}`;
}

/**
 * With the offset in its segment on the stack: leaves its physical address in the local `host`, or leaves the region.
 * @param segment whose limit holds
 * @param name of the place
 */
export function locate(f: Frame, segment: number, size: Size, write: boolean, name: string): void {
  const { code, assumes } = f;
  const limit = assumes.limits[segment];
  const base = assumes.bases[segment];
  const bytes = size >> 3;
  if (!assumes.uses.includes(segment)) assumes.uses.push(segment);
  code.set(Local.address);
  const cache = f.cacheOf(name);
  // With a limit of 4 GiB an offset that wraps reaches into the next page, and misses, if the base is that of a page.
  const limited = limit !== 0xffffffff || (bytes > 1 && (base & 0xfff) !== 0);
  // In a segment of whole pages, a page that is remembered lies within the limit.
  const whole = cache !== undefined && ((base | (limit + 1)) & 0xfff) === 0;
  if (limited && !whole) {
    code.with(Local.address, Op.i32GtU, (limit - bytes + 1) | 0);
    f.leaveHereIf();
  }
  if (base !== 0) {
    code.with(Local.address, Op.i32Add, base | 0);
    code.set(Local.address);
  }
  if (cache === undefined) {
    lookUp(f, bytes, write, -1);
    pushOffset(f);
  } else {
    const page = Local.caches + cache * 2;
    // An aligned operand lies within one page; others are looked up.
    code.with(Local.address, Op.i32And, -0x1000 | (bytes - 1));
    code.get(page);
    code.op(Op.i32Ne);
    code.if();
    if (limited && whole) {
      code.with(Local.address, Op.i32Sub, base | 0);
      code.const((limit - bytes + 1) | 0);
      code.op(Op.i32GtU);
      f.leaveHereIf();
    }
    lookUp(f, bytes, write, page);
    pushOffset(f);
    code.set(page + 1);
    code.end();
    code.get(page + 1);
  }
  code.get(Local.address);
  code.op(Op.i32Add);
  code.set(Local.host);
}

/** Makes sure that the TLB has the page of `address`, and leaves its slot in `slot`. @param page local of a cache for the page, or -1 */
function lookUp(f: Frame, bytes: number, write: boolean, page: number): void {
  const { code } = f;
  pushEntryAt(code, Local.address);
  code.tee(Local.slot);
  pushTag(f, write ? Word.write : Word.read);
  // The page of the last byte: an operand that reaches into the next page misses, as that never has the same slot.
  pushLastTag(f, bytes);
  code.op(Op.i32Ne);
  if (write && f.assumes.beside) {
    if (page >= 0) remember(f, page);
    code.if();
    lookBeside(f, bytes);
    // What is remembered is not asked again whether it meets code.
    if (page >= 0) {
      code.const(NO_PAGE);
      code.set(page);
    }
    code.end();
    return;
  }
  if (f.assumes.walks.has(f.at)) f.walkIf(bytes, write);
  else f.leaveForMissIf(bytes, write);
  if (page >= 0) remember(f, page);
}

function remember({ code }: Frame, page: number): void {
  code.with(Local.address, Op.i32And, -0x1000);
  code.set(page);
}

/** Replaces the place of an entry on the stack by one of its tags. */
function pushTag({ code, assumes }: Frame, word: number): void {
  code.memory(Op.i32Load, assumes.shared + Shared.tlb + (word + (assumes.user ? 1 : 0)) * 4);
}

/** Pushes what is added to an address of the page whose entry is in `slot`. */
function pushOffset({ code, assumes }: Frame): void {
  code.get(Local.slot);
  code.memory(Op.i32Load, assumes.shared + Shared.tlb + Word.offset * 4);
}

/** Pushes the tag that the page of the last byte of an operand has now. */
function pushLastTag(f: Frame, bytes: number): void {
  const { code } = f;
  code.get(Local.address);
  if (bytes > 1) {
    code.const(bytes - 1);
    code.op(Op.i32Add);
  }
  code.const(12);
  code.op(Op.i32ShrU);
  given(f, State.space);
  code.op(Op.i32Or);
}

/** A store for which there is no tag: the page may have code in it, and the store may lie beside that. Else leaves the region. */
function lookBeside(f: Frame, bytes: number): void {
  const { code, assumes } = f;
  code.get(Local.slot);
  pushTag(f, Word.beside);
  pushLastTag(f, bytes);
  code.op(Op.i32Ne);
  f.leaveForMissIf(bytes, true);
  pushOffset(f);
  code.get(Local.address);
  code.op(Op.i32Add);
  code.tee(Local.host);
  code.const(LINE_SHIFT);
  code.op(Op.i32ShrU);
  code.memory(Op.i32Load8u, assumes.lines);
  if (bytes > 1) {
    code.with(Local.host, Op.i32Add, bytes - 1);
    code.const(LINE_SHIFT);
    code.op(Op.i32ShrU);
    code.memory(Op.i32Load8u, assumes.lines);
    code.op(Op.i32Or);
  }
  f.leaveHereIf();
}

/** Loads from `host`, sign-extended. */
export function loadSigned(f: Frame, size: Size): void {
  f.code.get(Local.host);
  f.code.memory(size === 32 ? Op.i32Load : size === 16 ? Op.i32Load16s : Op.i32Load8s, RAM_BASE);
}

export function loadUnsigned(f: Frame, size: Size): void {
  f.code.get(Local.host);
  f.code.memory(size === 32 ? Op.i32Load : size === 16 ? Op.i32Load16u : Op.i32Load8u, RAM_BASE);
}

/** Stores a local at `host`. */
export function store(f: Frame, size: Size, local: number): void {
  f.code.get(Local.host);
  f.code.get(local);
  f.code.memory(size === 32 ? Op.i32Store : size === 16 ? Op.i32Store16 : Op.i32Store8, RAM_BASE);
}
