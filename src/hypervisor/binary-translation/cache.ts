// The translation cache: blocks of code in machine memory, mapped into every address space of the guest; the jumps that were
// patched from one into the other; and what has to be forgotten when the guest's code, or what its addresses lead to, changes.
// Blocks whose originals are neighbours are neighbours. Cf. Adams & Agesen 2006, §3.
import { Kind } from '../../trace/events.ts';
import { OutOfMemory, OWNER_HYPERVISOR } from '../frames.ts';
import type { Hypervisor } from '../hypervisor.ts';
import type { Block, Part } from './block.ts';
import { Chains } from './chains.ts';
import { BLOCKS, CACHE_BYTES, CACHE_PAGE, CACHE_START, ROUTINES } from './layout.ts';
import { LookupTable } from './lookup-table.ts';
import { emitRoutines, type Routines } from './routines.ts';

/** Selectors that a place learns at most: one that always sees another should not be rewritten for ever. */
const PATIENCE = 16;

/** Blocks begin at multiples of so many bytes: a line of memory that has only code of one block (memory/store.ts). */
const ALIGNMENT = 32;

/** A page of which less is used takes in the code of another guest page. */
const ROOMY = 2048;

/** What `Part.expects` says while no selector may be loaded: the sum is not zero for any of them. */
export const NO_SELECTOR = 1;

/** Present, accessed, dirty: ring 1 may not write to it. */
const MAPPED = 0x61;

const regionOf = (linear: number): number => (linear & 0xffc00000) >>> 0;

/** Live blocks with code in a guest frame, and in which of its lines of 128 bytes code has been since there was any. */
interface FrameCode {
  readonly blocks: Set<Block>;
  lines: number;
}

/** Lines of a page in which bytes [start, end) lie, a bit each; what lies outside the page counts not. */
function linesOf(start: number, end: number): number {
  const first = Math.max(start, 0) >>> 7;
  const last = (Math.min(end, 4096) - 1) >>> 7;
  return ((-1 << first) & (-1 >>> (31 - last))) | 0;
}

/** What the cache needs to know and to tell about the guest's memory. */
export interface CodeTracing {
  /** From now on (or no longer) every write to this guest frame must be told to `written`. */
  trace(frame: number, on: boolean): void;
}

export class TranslationCache {
  /** All blocks since the last flush, oldest first; the dead ones too, for they may still be running. */
  blocks: Block[] = [];
  readonly routines: Routines;
  /** Jumps from block to block. */
  readonly chains = new Chains((offset, bytes) => this.write(offset, bytes));
  /** How often it was emptied, and how many blocks were made again for a site that trapped too often. */
  flushes = 0;
  adaptations = 0;

  private readonly byEip = new Map<number, Block>();
  private readonly table: LookupTable;
  /** Machine address of each page of the cache that exists. */
  private readonly pages: number[] = [];
  /** Pages in use, and of each: where the next block goes, and its blocks by offset. */
  private used = BLOCKS / 4096;
  private ends: number[] = [];
  private inPage: Block[][] = [];
  /** Page of the cache in which a guest page's code goes on, by linear page number. */
  private readonly home = new Map<number, number>();
  /** Live blocks by guest-physical frame of their code, and frames behind their linear pages. */
  private readonly byFrame = new Map<number, FrameCode>();
  private readonly behind = new Map<number, number>();
  /** The linear pages by regions of 4 MiB, and the large page that each region was at the last look. */
  private readonly regions = new Map<number, { large: number; linear: Set<number> }>();
  private readonly framesOf = new Map<Block, { linear: number; frame: number }[]>();

  /** @param area machine address of the page table in which the cache is mapped. @param limit pages that it may grow to. Throws OutOfMemory */
  constructor(
    private readonly hypervisor: Hypervisor,
    private readonly area: number,
    private readonly tracing: CodeTracing,
    private readonly limit = CACHE_BYTES / 4096,
  ) {
    const { code, routines } = emitRoutines();
    this.routines = routines;
    this.table = new LookupTable(hypervisor, area, routines.miss);
    try {
      while (this.pages.length * 4096 <= BLOCKS) this.grow();
    } catch (error) {
      this.release();
      throw error;
    }
    this.write(ROUTINES, code);
  }

  private get memory() {
    return this.hypervisor.pc.memory;
  }

  /** Frames that it takes, by machine address. */
  get frames(): readonly number[] {
    return [...this.pages, ...this.table.frames];
  }

  private grow(): void {
    const machine = this.hypervisor.frames.allocate(OWNER_HYPERVISOR) * 4096;
    this.memory.write32(this.area + (CACHE_PAGE + this.pages.length) * 4, machine | MAPPED);
    this.pages.push(machine);
  }

  /** Machine address of an offset in the cache. */
  machine(offset: number): number {
    return this.pages[offset >>> 12] + (offset & 0xfff);
  }

  /** Linear address of an offset in the cache. */
  linear(offset: number): number {
    return (CACHE_START + offset) >>> 0;
  }

  private write(offset: number, bytes: ArrayLike<number>): void {
    for (let n = 0; n < bytes.length; n++) this.memory.write8(this.machine(offset + n), bytes[n]);
  }

  private write32(offset: number, value: number): void {
    this.memory.write32(this.machine(offset), value);
  }

  /** From now on translated code finds this block by itself. */
  enterTable(block: Block): void {
    this.table.enter(block);
  }

  // ---- blocks

  /** The live block that begins at this EIP. */
  find(eip: number): Block | undefined {
    return this.byEip.get(eip | 0);
  }

  /** The block that an offset in the cache belongs to, dead or alive. */
  blockAt(offset: number): Block | null {
    const blocks = this.inPage[offset >>> 12];
    if (!blocks) return null;
    let low = 0;
    let high = blocks.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      if (blocks[middle].cache <= offset) low = middle;
      else high = middle - 1;
    }
    const block = blocks[low];
    return block && offset >= block.cache && offset < block.cache + block.cacheLength ? block : null;
  }

  /** Where the next block for code of this linear address will lie, in its page. */
  room(linear: number): number {
    const page = this.home.get(linear >>> 12) ?? this.roomyPage();
    if (page < 0) return this.newPage(linear);
    const start = Math.ceil(this.ends[page] / ALIGNMENT) * ALIGNMENT;
    if (start === (page + 1) * 4096) return this.newPage(linear);
    this.home.set(linear >>> 12, page);
    return start;
  }

  /** The newest page, when there is much room in it; else -1. */
  private roomyPage(): number {
    const newest = this.used - 1;
    return this.ends[newest] - newest * 4096 < ROOMY ? newest : -1;
  }

  /** The beginning of a page for blocks of this linear address, instead of the one that is full. Empties the cache when there is none left. */
  newPage(linear: number): number {
    const full = this.used >= this.limit || (this.used >= this.pages.length && !this.tryGrow());
    if (full) this.flush();
    const page = this.used++;
    this.home.set(linear >>> 12, page);
    this.ends[page] = page * 4096;
    this.inPage[page] = [];
    return page * 4096;
  }

  private tryGrow(): boolean {
    try {
      this.grow();
      return true;
    } catch (error) {
      if (error instanceof OutOfMemory) return false;
      throw error;
    }
  }

  /** Puts a block into the cache. @param sources linear page addresses of its code and the guest frames behind them, -1 where there is no memory */
  insert(block: Block, code: Uint8Array, sources: { linear: number; frame: number }[]): void {
    this.write(block.cache, code);
    block.cacheLength = code.length;
    this.ends[block.cache >>> 12] = block.cache + code.length;
    this.inPage[block.cache >>> 12].push(block);
    this.blocks.push(block);
    if (this.hypervisor.cpu.breakpoints.size > 0) this.placeBreakpointsIn(block);
    this.byEip.set(block.guest | 0, block);
    this.chains.inserted(block, (eip) => this.find(eip));
    this.framesOf.set(block, sources);
    for (const { linear, frame } of sources) {
      this.noteSource(linear, frame);
      if (frame < 0) continue;
      let there = this.byFrame.get(frame);
      if (!there) {
        this.byFrame.set(frame, (there = { blocks: new Set(), lines: 0 }));
        this.tracing.trace(frame, true);
      }
      there.blocks.add(block);
      const start = block.linear - linear;
      there.lines |= linesOf(start, start + block.length);
    }
  }

  private noteSource(linear: number, frame: number): void {
    if (this.behind.get(linear) === frame) return;
    this.behind.set(linear, frame);
    const region = this.regions.get(regionOf(linear));
    // What was found at the last look need not hold for a page that is new.
    if (region) region.large = -1;
    if (region) region.linear.add(linear);
    else this.regions.set(regionOf(linear), { large: -1, linear: new Set([linear]) });
  }

  /** Forgets a block: nothing leads to it any more. Its bytes stay until the cache is emptied. */
  drop(block: Block): void {
    if (!block.live) return;
    block.live = false;
    this.chains.dropped(block);
    this.table.leave(block);
    if (this.byEip.get(block.guest | 0) === block) this.byEip.delete(block.guest | 0);
    for (const { frame } of this.framesOf.get(block) ?? []) {
      const there = this.byFrame.get(frame);
      if (!there?.blocks.delete(block) || there.blocks.size > 0) continue;
      this.byFrame.delete(frame);
      this.tracing.trace(frame, false);
    }
    this.framesOf.delete(block);
  }

  /** Empties the cache. */
  flush(): void {
    for (const block of this.blocks) this.drop(block);
    this.blocks = [];
    this.behind.clear();
    this.regions.clear();
    this.table.clearAll();
    this.home.clear();
    this.ends = [];
    this.inPage = [];
    this.used = BLOCKS / 4096;
    this.flushes++;
    const { current } = this.hypervisor;
    if (current) this.hypervisor.record(current, Kind.translate, 0, 0, 0, 0, 2);
  }

  // ---- selectors

  /** From now on this selector may be loaded at the place of `part` without asking. */
  expect(part: Part, selector: number): void {
    if (part.learned++ < PATIENCE) this.write32(part.expects, -selector);
  }

  /** No selector may be loaded without asking any more. */
  unlearn(): void {
    for (const { live, parts } of this.blocks)
      if (live)
        for (const part of parts)
          if (part.learned > 0) {
            part.learned = 0;
            this.write32(part.expects, NO_SELECTOR);
          }
  }

  // ---- the session's breakpoints

  /** Where translations stand for an instruction with a breakpoint, the processor gets one too. */
  placeBreakpoints(): void {
    if (this.hypervisor.cpu.breakpoints.size === 0) return;
    for (const block of this.blocks) if (block.live) this.placeBreakpointsIn(block);
  }

  private placeBreakpointsIn({ parts, linear, guest }: Block): void {
    const { breakpoints } = this.hypervisor.cpu;
    for (const part of parts)
      if (part.boundary && !part.exit && breakpoints.has((linear + part.guest - guest) >>> 0))
        breakpoints.add(this.linear(part.cache));
  }

  // ---- what has become untrue

  /** These bytes of guest-physical memory have been, or are about to be, written. */
  written(physical: number, bytes: number): void {
    for (let frame = physical >>> 12; frame <= (physical + bytes - 1) >>> 12; frame++) {
      const there = this.byFrame.get(frame);
      // Mostly they are data beside code. (A set may lose members while it is walked.)
      if (!there || !(there.lines & linesOf(physical - frame * 4096, physical + bytes - frame * 4096)))
        continue;
      for (const block of there.blocks) if (this.covers(block, frame, physical, bytes)) this.drop(block);
    }
  }

  /** Whether code of a block lies in these bytes. */
  private covers(block: Block, frame: number, physical: number, bytes: number): boolean {
    for (const source of this.framesOf.get(block)!) {
      if (source.frame !== frame) continue;
      const start = frame * 4096 + (block.linear - source.linear);
      return start < physical + bytes && start + block.length > physical;
    }
    return false;
  }

  /** Something was written somewhere in this frame. */
  frameWritten(frame: number): void {
    this.written(frame * 4096, 4096);
  }

  /** There are translations of code in this frame. */
  hasCode(frame: number): boolean {
    return this.byFrame.has(frame);
  }

  /** Forgets all code of a frame. */
  dropFrame(frame: number): void {
    for (const block of [...(this.byFrame.get(frame)?.blocks ?? [])]) this.drop(block);
  }

  /**
   * What linear addresses lead to may have changed: drops the blocks of pages that lead elsewhere now.
   * @param frameOf the frame behind a linear page now; negative for none
   * @param largePage which large page a region of 4 MiB leads to now; -1: none
   * @returns entries of page tables looked at
   */
  revalidate(frameOf: (linear: number) => number, largePage: (region: number) => number): number {
    let looked = 0;
    for (const [region, pages] of this.regions) {
      const large = largePage(region);
      looked++;
      // As at the last look, one entry vouches for all.
      if (large >= 0 && pages.large === large) continue;
      pages.large = large;
      for (const linear of pages.linear) looked += this.revalidatePage(linear, frameOf);
    }
    return looked;
  }

  /** The same for one address. */
  revalidatePage(linear: number, frameOf: (linear: number) => number): number {
    const page = (linear & ~0xfff) >>> 0;
    const frame = this.behind.get(page);
    if (frame === undefined || frameOf(page) === frame) return frame === undefined ? 0 : 1;
    this.behind.delete(page);
    this.regions.get(regionOf(page))?.linear.delete(page);
    for (const block of this.byFrame.get(frame)?.blocks ?? [])
      if (this.framesOf.get(block)?.some((source) => source.linear === page)) this.drop(block);
    if (frame < 0) this.dropWithoutMemory(page);
    return 1;
  }

  private dropWithoutMemory(linear: number): void {
    for (const [block, sources] of this.framesOf)
      if (sources.some((source) => source.linear === linear)) this.drop(block);
  }

  /** Gives its frames back. */
  release(): void {
    for (const machine of this.pages) this.hypervisor.frames.release(machine >>> 12);
    this.pages.length = 0;
    this.table.release();
  }
}
