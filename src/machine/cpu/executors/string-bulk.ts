// REP MOVS and REP STOS in one piece: as far as source and destination each stay within a page that the TLB lets through
// without a further check. Whatever is not plain (limits, page crossings, overlap, empty bus) is left to the
// element-wise way, which raises the right fault at the right element.
import { ECX, EDI, ES, ESI, type Instruction } from '../../isa/instruction.ts';
import { segmentAllows } from '../access.ts';
import type { Cpu } from '../cpu.ts';
import { translate } from '../paging.ts';
import { Word } from '../tlb.ts';

/** Below this many bytes the element-wise way is as quick. */
const WORTH_WHILE = 32;
const PAGE = 0x1000;
/** Pages copied at once. */
const MOST_PAGES = 256;

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
  if (repeatsItself(source, destination, bytes)) return 0;
  const { memory } = cpu;
  memory.bytes.copyWithin(destination, source, source + bytes);
  if (memory.hasCode[destination >>> 12]) memory.touchCode(destination);
  advance(cpu, i, ESI, bytes);
  advance(cpu, i, EDI, bytes);
  return elements;
}

/**
 * Copies whole pages, each of them a batch, as long as there is time, both sides begin on a page, and what is copied is plain.
 * Pages that lie one behind the other in memory are copied in one piece; where the page tables have to be walked, all before
 * that is done. Raises #PF, as the first element of a page would.
 * @param most pages
 * @param cycles of each batch
 * @returns pages copied, the last of them not charged yet; 0 = do it the other way; negative: so many are copied and charged,
 *   and a batch has begun that is for the other way
 */
export function movePages(cpu: Cpu, i: Instruction, most: number, cycles: number): number {
  if (i.addressSize !== 32 || most < 1) return 0;
  const from = cpu.regs[ESI] >>> 0;
  const to = cpu.regs[EDI] >>> 0;
  if (roomAt(cpu, i, i.segment, from) !== PAGE || roomAt(cpu, i, ES, to) !== PAGE) return 0;
  let source = plain(cpu, i.segment, from, PAGE, false);
  let destination = plain(cpu, ES, to, PAGE, true);
  if (source < 0 || destination < 0 || repeatsItself(source, destination, PAGE)) return 0;
  // Offsets do not go round, so that limits hold for all of it.
  let pages = Math.min(most, MOST_PAGES);
  while (pages > 1 && !(reaches(cpu, i.segment, from, pages, false) && reaches(cpu, ES, to, pages, true)))
    pages >>= 1;
  const { memory, tlb } = cpu;
  const { touched } = memory;
  const user = cpu.cpl === 3;
  const fromLinear = cpu.segments[i.segment].base + from;
  const toLinear = cpu.segments[ES].base + to;
  // Copied and charged; and those behind them that lie in one piece.
  let done = 0;
  let n = 1;
  while (done + n < pages && cpu.cycles + n * cycles - i.cost < cpu.compiledUntil) {
    if (memory.hasCode[(destination >>> 12) + n - 1] || memory.touched !== touched || cpu.attention !== 0)
      break;
    const at = (done + n) * PAGE;
    const walks = !isTagged(cpu, fromLinear + at, false, user) || !isTagged(cpu, toLinear + at, true, user);
    const inPiece =
      !walks &&
      tlb.physical(fromLinear + at) >>> 0 === source + n * PAGE &&
      tlb.physical(toLinear + at) >>> 0 === destination + n * PAGE &&
      !repeatsItself(source, destination, (n + 1) * PAGE);
    if (inPiece) {
      n++;
      continue;
    }
    copyPages(cpu, i, source, destination, n);
    cpu.cycles += n * cycles;
    cpu.instructions += n;
    done += n;
    source = plain(cpu, i.segment, from + at, PAGE, false);
    destination = plain(cpu, ES, to + at, PAGE, true);
    if (source < 0 || destination < 0 || repeatsItself(source, destination, PAGE)) return -done;
    n = 1;
  }
  copyPages(cpu, i, source, destination, n);
  cpu.cycles += (n - 1) * cycles;
  cpu.instructions += n - 1;
  return done + n;
}

/** Upward into its own source, MOVS repeats what it has just written; a block copy would not. */
const repeatsItself = (source: number, destination: number, bytes: number): boolean =>
  destination > source && destination < source + bytes;

function copyPages(cpu: Cpu, i: Instruction, source: number, destination: number, pages: number): void {
  const { memory, regs } = cpu;
  const bytes = pages * PAGE;
  memory.bytes.copyWithin(destination, source, source + bytes);
  // Only the last one may have code.
  if (memory.hasCode[(destination + bytes - 1) >>> 12]) memory.touchCode(destination + bytes - PAGE);
  regs[ESI] += bytes;
  regs[EDI] += bytes;
  regs[ECX] -= bytes >>> elementShift(i);
}

/** Whether so many pages lie within the segment, and none behind the last linear address. */
function reaches(cpu: Cpu, segment: number, offset: number, pages: number, write: boolean): boolean {
  const s = cpu.segments[segment];
  const bytes = pages * PAGE;
  return (
    offset + bytes <= 2 ** 32 && s.base + offset + bytes <= 2 ** 32 && segmentAllows(s, offset, bytes, write)
  );
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
