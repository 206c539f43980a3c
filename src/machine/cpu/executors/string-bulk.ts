// REP MOVS and REP STOS in one piece: as far as source and destination each stay within a page that the TLB lets through
// without a further check. Whatever is not plain (limits, page crossings, overlap, empty bus) is left to the
// element-wise way, which raises the right fault at the right element.
import { EDI, ES, ESI, type Instruction } from '../../isa/instruction.ts';
import { segmentAllows } from '../access.ts';
import type { Cpu } from '../cpu.ts';
import { translate } from '../paging.ts';
import { entryAt, Word } from '../tlb.ts';

/** Below this many bytes the element-wise way is as quick. */
const WORTH_WHILE = 32;
const PAGE = 0x1000;
/** Pages copied in one piece: much more is beyond the nearest cache, and no quicker. */
const MOST_PAGES = 64;

/** log2 of the element size: the opcode's bit 0 clear means bytes. */
export function elementShift(i: Instruction): number {
  if (!(i.form.opcode & 1)) return 0;
  return i.operandSize === 32 ? 2 : 1;
}

function pointer(cpu: Cpu, i: Instruction, register: number): number {
  return i.addressSize === 32 ? cpu.regs[register] >>> 0 : cpu.regs16[register << 1];
}

function advance(cpu: Cpu, i: Instruction, register: number, bytes: number): void {
  if (i.addressSize === 32) cpu.regs[register] += bytes;
  else cpu.regs16[register << 1] += bytes;
}

/** Bytes from an offset to the end of its page, not beyond the end of 16-bit offsets. */
function roomAt(cpu: Cpu, i: Instruction, segment: number, offset: number): number {
  const room = PAGE - ((cpu.segments[segment].base + offset) & (PAGE - 1));
  return i.addressSize === 32 ? room : Math.min(room, 0x10000 - offset);
}

/** Physical address of plain memory, or -1 when the access has to go the long way. Raises #PF, as the first element would. */
function plain(cpu: Cpu, segment: number, offset: number, bytes: number, write: boolean): number {
  const s = cpu.segments[segment];
  if (!segmentAllows(s, offset, bytes, write)) return -1;
  const linear = (s.base + offset) >>> 0;
  const user = cpu.cpl === 3;
  // Which pages have tags now, and what was decoded of them, must not be seen in how far a run goes.
  if (!isTagged(cpu, linear, write, user)) {
    translate(cpu, linear, write, user);
    if (!isTagged(cpu, linear, write, user)) return -1;
  }
  return cpu.tlb.physical(linear) >>> 0;
}

function isTagged({ tlb }: Cpu, linear: number, write: boolean, user: boolean): boolean {
  if (!write) return tlb.has(linear, Word.read, user);
  return tlb.has(linear, Word.write, user) || tlb.has(linear, Word.beside, user);
}

/** Copies a run of elements. @param left elements that REP has left; @returns elements done */
export function moveBlock(cpu: Cpu, i: Instruction, left: number): number {
  const shift = elementShift(i);
  const from = pointer(cpu, i, ESI);
  const to = pointer(cpu, i, EDI);
  const room = Math.min(roomAt(cpu, i, i.segment, from), roomAt(cpu, i, ES, to)) >>> shift;
  const elements = Math.min(left, room);
  const bytes = elements << shift;
  if (bytes < WORTH_WHILE) return 0;
  const source = plain(cpu, i.segment, from, bytes, false);
  if (source < 0) return 0;
  const destination = plain(cpu, ES, to, bytes, true);
  if (destination < 0) return 0;
  // Upward into its own source, MOVS repeats what it has just written; a block copy would not.
  if (destination > source && destination < source + bytes) return 0;
  const { memory } = cpu;
  memory.bytes.copyWithin(destination, source, source + bytes);
  if (memory.hasCode[destination >>> 12]) memory.touchCode(destination);
  advance(cpu, i, ESI, bytes);
  advance(cpu, i, EDI, bytes);
  return elements;
}

/**
 * Copies whole pages, as many as lie one behind the other in memory on both sides, when both begin on a page.
 * @param most pages
 * @returns pages copied; 0 = do it the other way
 */
export function movePages(cpu: Cpu, i: Instruction, most: number): number {
  if (i.addressSize !== 32 || most < 2) return 0;
  const from = cpu.regs[ESI] >>> 0;
  const to = cpu.regs[EDI] >>> 0;
  if (roomAt(cpu, i, i.segment, from) !== PAGE || roomAt(cpu, i, ES, to) !== PAGE) return 0;
  const source = plain(cpu, i.segment, from, PAGE, false);
  const destination = plain(cpu, ES, to, PAGE, true);
  if (source < 0 || destination < 0) return 0;
  let pages = Math.min(most, MOST_PAGES);
  // Offsets do not go round, so that the comparison of addresses below is one of places; and limits hold for all of it.
  while (pages > 1 && !(reaches(cpu, i.segment, from, pages, false) && reaches(cpu, ES, to, pages, true)))
    pages >>= 1;
  pages = Math.min(
    sameRun(cpu, i.segment, from, pages, Word.read, Word.read),
    sameRun(cpu, ES, to, pages, Word.write, Word.beside),
  );
  const bytes = pages * PAGE;
  if (pages < 2 || (destination > source && destination < source + bytes)) return 0;
  const { memory } = cpu;
  memory.bytes.copyWithin(destination, source, source + bytes);
  for (let at = destination; at < destination + bytes; at += PAGE)
    if (memory.hasCode[at >>> 12]) memory.touchCode(at);
  cpu.regs[ESI] += bytes;
  cpu.regs[EDI] += bytes;
  return pages;
}

/** Whether so many pages lie within the segment, and none behind the last linear address. */
function reaches(cpu: Cpu, segment: number, offset: number, pages: number, write: boolean): boolean {
  const s = cpu.segments[segment];
  const bytes = pages * PAGE;
  return (
    offset + bytes <= 2 ** 32 && s.base + offset + bytes <= 2 ** 32 && segmentAllows(s, offset, bytes, write)
  );
}

/** Of some pages, how many the TLB lets through, by one of two tags, and has one behind the other. */
function sameRun(
  cpu: Cpu,
  segment: number,
  offset: number,
  pages: number,
  word: number,
  other: number,
): number {
  const { words, space } = cpu.tlb;
  const linear = cpu.segments[segment].base + offset;
  const user = cpu.cpl === 3 ? 1 : 0;
  const displacement = words[entryAt(linear) + Word.offset];
  let n = 1;
  for (; n < pages; n++) {
    const next = linear + n * PAGE;
    const at = entryAt(next);
    const tag = (next >>> 12) | space;
    if (words[at + word + user] !== tag && words[at + other + user] !== tag) break;
    if (words[at + Word.offset] !== displacement) break;
  }
  return n;
}

/** Fills a run of elements with the accumulator. @param left elements that REP has left; @returns elements done */
export function storeBlock(cpu: Cpu, i: Instruction, left: number): number {
  const shift = elementShift(i);
  const to = pointer(cpu, i, EDI);
  const elements = Math.min(left, roomAt(cpu, i, ES, to) >>> shift);
  const bytes = elements << shift;
  if (bytes < WORTH_WHILE) return 0;
  const destination = plain(cpu, ES, to, bytes, true);
  if (destination < 0) return 0;
  const { memory } = cpu;
  const data = memory.bytes;
  const size = 1 << shift;
  for (let k = 0; k < size; k++) data[destination + k] = cpu.regs8[k];
  // Doubling what is there keeps the pattern of words and doublewords.
  for (let filled = size; filled < bytes; filled *= 2) {
    data.copyWithin(destination + filled, destination, destination + Math.min(filled, bytes - filled));
  }
  if (memory.hasCode[destination >>> 12]) memory.touchCode(destination);
  advance(cpu, i, EDI, bytes);
  return elements;
}
