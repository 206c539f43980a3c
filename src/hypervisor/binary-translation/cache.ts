// The translation cache: blocks of code in machine memory, mapped into every address space of the guest; the table through
// which returns and indirect jumps find them; the jumps that were patched from one into the other; and what has to be
// forgotten when the guest's code, or what its addresses lead to, changes. Cf. Adams & Agesen 2006, §3.
import { Kind } from '../../trace/events.ts';
import { OutOfMemory, OWNER_HYPERVISOR } from '../frames.ts';
import type { Hypervisor } from '../hypervisor.ts';
import type { Block, Exit, Part } from './block.ts';
import {
  BLOCKS,
  CACHE_BYTES,
  CACHE_PAGE,
  CACHE_START,
  LOOKUP_ENTRIES,
  LOOKUP_TABLE,
  ROUTINES,
} from './layout.ts';
import { CALL_OUT_STUB, emitRoutines, type Routines } from './routines.ts';

/** Selectors that a place learns at most: one that always sees another should not be rewritten for ever. */
const PATIENCE = 16;

/** Present, accessed, dirty: ring 1 may not write to it. */
const MAPPED = 0x61;

/** What the cache needs to know and to tell about the guest's memory. */
export interface CodeTracing {
  /** From now on (or no longer) every write to this guest frame must be told to `written`. */
  trace(frame: number, on: boolean): void;
}

export class TranslationCache {
  /** All blocks since the last flush, by offset; the dead ones too, for they may still be running. */
  blocks: Block[] = [];
  readonly routines: Routines;
  /** How often it was emptied, and how many blocks were made again for a site that trapped too often. */
  flushes = 0;
  adaptations = 0;

  private readonly byEip = new Map<number, Block>();
  private next = BLOCKS;
  /** Machine address of each page of the cache that exists. */
  private readonly pages: number[] = [];
  /** Live blocks by guest-physical frame of their code, and frames behind their linear pages. */
  private readonly byFrame = new Map<number, Set<Block>>();
  private readonly behind = new Map<number, number>();
  private readonly framesOf = new Map<Block, { linear: number; frame: number }[]>();

  /** @param area machine address of the page table in which the cache is mapped. @param limit pages that it may grow to. Throws OutOfMemory */
  constructor(
    private readonly hypervisor: Hypervisor,
    private readonly area: number,
    private readonly tracing: CodeTracing,
    private readonly limit = CACHE_BYTES / 4096,
  ) {
    try {
      while (this.pages.length * 4096 <= BLOCKS) this.grow();
    } catch (error) {
      this.release();
      throw error;
    }
    const { code, routines } = emitRoutines();
    this.routines = routines;
    this.write(ROUTINES, code);
    this.emptyTable();
  }

  private get memory() {
    return this.hypervisor.pc.memory;
  }

  /** Frames that it takes, by machine address. */
  get frames(): readonly number[] {
    return this.pages;
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

  // ---- the lookup table, which translated code reads

  /** An entry whose key cannot have led there. */
  private emptyTable(): void {
    for (let n = 0; n < LOOKUP_ENTRIES; n++) this.clearEntry(n);
  }

  private clearEntry(n: number): void {
    this.write32(LOOKUP_TABLE + n * 8, n ^ 1);
    this.write32(LOOKUP_TABLE + n * 8 + 4, this.routines.miss);
  }

  /** From now on translated code finds this block by itself. */
  enterTable(block: Block): void {
    const at = LOOKUP_TABLE + (block.guest & (LOOKUP_ENTRIES - 1)) * 8;
    this.write32(at, block.guest);
    this.write32(at + 4, block.cache);
  }

  private leaveTable(block: Block): void {
    const n = block.guest & (LOOKUP_ENTRIES - 1);
    if (this.memory.read32(this.machine(LOOKUP_TABLE + n * 8)) === block.guest) this.clearEntry(n);
  }

  // ---- blocks

  /** The live block that begins at this EIP. */
  find(eip: number): Block | undefined {
    return this.byEip.get(eip | 0);
  }

  /** The block that an offset in the cache belongs to, dead or alive. */
  blockAt(offset: number): Block | null {
    const { blocks } = this;
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

  /** Where the next block will lie. Empties the cache when fewer than `bytes` are left of it. */
  room(bytes: number): number {
    while (this.next + bytes > this.pages.length * 4096) {
      if (this.pages.length < this.limit && this.tryGrow()) continue;
      this.flush();
      break;
    }
    return this.next;
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
    this.next = block.cache + code.length;
    this.blocks.push(block);
    this.byEip.set(block.guest | 0, block);
    this.framesOf.set(block, sources);
    for (const { linear, frame } of sources) {
      this.behind.set(linear, frame);
      if (frame < 0) continue;
      const there = this.byFrame.get(frame);
      if (there) there.add(block);
      else {
        this.byFrame.set(frame, new Set([block]));
        this.tracing.trace(frame, true);
      }
    }
  }

  /** Forgets a block: nothing leads to it any more. Its bytes stay until the cache is emptied. */
  drop(block: Block): void {
    if (!block.live) return;
    block.live = false;
    for (const exit of block.incoming) this.unchain(exit);
    for (const { exit } of block.parts) if (exit?.chained) exit.chained.incoming.delete(exit);
    this.leaveTable(block);
    if (this.byEip.get(block.guest | 0) === block) this.byEip.delete(block.guest | 0);
    for (const { frame } of this.framesOf.get(block) ?? []) {
      const there = this.byFrame.get(frame);
      if (!there?.delete(block) || there.size > 0) continue;
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
    this.emptyTable();
    this.next = BLOCKS;
    this.flushes++;
    const { current } = this.hypervisor;
    if (current) this.hypervisor.record(current, Kind.translate, 0, 0, 0, 0, 2);
  }

  // ---- chaining

  /** Patches the way out of a block into a jump. */
  chain(exit: Exit, to: Block): void {
    if (exit.chained || !exit.block.live || !to.live) return;
    exit.chained = to;
    to.incoming.add(exit);
    exit.part.how = 'chained';
    const at = exit.part.cache;
    this.write(at, [0xe9]);
    const distance = to.cache - (at + 5);
    this.write(
      at + 1,
      [0, 8, 16, 24].map((shift) => (distance >>> shift) & 0xff),
    );
  }

  /** From now on this selector may be loaded at the place of `part` without asking. */
  expect(part: Part, selector: number): void {
    if (part.learned++ < PATIENCE) this.write32(part.expects, -selector);
  }

  private unchain(exit: Exit): void {
    exit.chained = null;
    exit.part.how = 'call-out';
    this.write(exit.part.cache, CALL_OUT_STUB);
  }

  // ---- what has become untrue

  /** These bytes of guest-physical memory have been, or are about to be, written. */
  written(physical: number, bytes: number): void {
    for (let frame = physical >>> 12; frame <= (physical + bytes - 1) >>> 12; frame++) {
      const there = this.byFrame.get(frame);
      if (!there) continue;
      for (const block of [...there]) if (this.covers(block, frame, physical, bytes)) this.drop(block);
    }
  }

  /** Whether code of a block lies in these bytes. */
  private covers(block: Block, frame: number, physical: number, bytes: number): boolean {
    const page = this.framesOf.get(block)!.find((source) => source.frame === frame)!;
    const start = frame * 4096 + (block.linear - page.linear);
    return start < physical + bytes && start + block.length > physical;
  }

  /** Something was written somewhere in this frame. */
  frameWritten(frame: number): void {
    this.written(frame * 4096, 4096);
  }

  /**
   * What linear addresses lead to may have changed: drops the blocks of pages that lead elsewhere now.
   * @param lookUp the frame behind a linear page now, -1 for none
   * @returns pages looked at
   */
  revalidate(lookUp: (linear: number) => number): number {
    let dropped = false;
    for (const [linear, frame] of this.behind) {
      const now = lookUp(linear);
      if (now === frame) continue;
      dropped = true;
      this.behind.delete(linear);
      for (const block of this.byFrame.get(frame) ?? [])
        if (this.framesOf.get(block)?.some((source) => source.linear === linear)) this.drop(block);
      if (frame < 0) this.dropWithoutMemory(linear);
    }
    return dropped ? this.behind.size + 1 : this.behind.size;
  }

  private dropWithoutMemory(linear: number): void {
    for (const [block, sources] of this.framesOf)
      if (sources.some((source) => source.linear === linear)) this.drop(block);
  }

  /** Gives its frames back. */
  release(): void {
    for (const machine of this.pages) this.hypervisor.frames.release(machine >>> 12);
    this.pages.length = 0;
  }
}
