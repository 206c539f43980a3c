// The pages that shadow page tables are made of: frames of the hypervisor's, found by what they shadow, linked both ways.
// Every entry knows what it leads to, so that all mappings of a guest frame, and all directories that use a table, can
// be found and changed without a search. The entries themselves lie in machine memory; only the links are kept here.
import type { PhysicalMemory } from '../machine/memory/physical-memory.ts';
import { type FrameTable, OutOfMemory, OWNER_HYPERVISOR } from './frames.ts';

/**
 * What a shadow page stands for. `table` and `split` come four times, by the rights that the directory entry above them
 * grants (bit 0 write, bit 1 user): rights differ, so entries do.
 */
export const ShadowKind = {
  /** A page table of the guest. */
  table: 0,
  /** A large page of the guest, cut into 4-KiB ones. */
  split: 4,
  /** A page directory of the guest. */
  root: 8,
  /** Guest-physical memory itself, while the guest has paging off: one table for 4 MiB, and the directory above. */
  flatTable: 9,
  flatRoot: 10,
  /** The four entries above the directories of a guest with PAE, as it loaded them. */
  pointers: 11,
} as const;

/** Slots of a page: as many entries as a table of 4-byte ones has. */
const ENTRIES = 1024;

export class ShadowPage {
  kind = 0;
  /** Guest frame of the table that it shadows; for `split` the first frame of the page; for `flatTable` the directory index. */
  frame = 0;
  /** First of the directory entries that point here, as a slot; -1 = none. */
  parents = -1;
  lastUse = 0;
  live = false;
  /** A bit for each entry that is not zero, but for those that are the hypervisor's own. */
  readonly filled = new Uint32Array(ENTRIES / 32);

  constructor(
    readonly index: number,
    /** Machine address. */
    readonly machine: number,
  ) {}

  get isDirectory(): boolean {
    return this.kind === ShadowKind.root || this.kind >= ShadowKind.flatRoot;
  }
  /** It shadows a page that the guest can write to. */
  get shadowsGuestTable(): boolean {
    return this.kind < ShadowKind.split || this.kind === ShadowKind.root;
  }
}

const PRESENT = 1;
const WRITABLE = 2;
/** Of an entry: what it allows, and where it leads. */
const RIGHTS = 7;
const FRAME = ~0xfff;

/** Pages taken at once: with these the processor can always be given what one instruction needs, by throwing out others. */
const RESERVE = 8;
/** With three levels there may be four directories beside the tables. */
const RESERVE_WIDE = 12;

/** The shadow pages of one domain. A slot is page index * 1024 + entry number. */
export class ShadowPages {
  private readonly pages: ShadowPage[] = [];
  private readonly unused: ShadowPage[] = [];
  private readonly byKey = new Map<number, ShadowPage>();
  /** Doubly linked lists through slots: entries with the same target. */
  private readonly next: Int32Array;
  private readonly previous: Int32Array;
  /** Guest frame (of a leaf) or page index (of a directory entry) that a slot leads to; -1 = nothing that is listed. */
  private readonly target: Int32Array;
  /** First slot that maps a guest frame. */
  private readonly mappings: Int32Array;
  /** How many shadow pages stand for tables that lie in a guest frame. */
  readonly tables: Uint8Array;
  private clock = 0;
  /** Entries removed so far. */
  private dropped = 0;
  /** Counts every change that takes something away from the processor: what it remembers in its TLB may be wrong since. */
  changes = 0;
  /** The same without entries that only allow more than before, or again: at a page fault the processor drops such by itself. */
  reductions = 0;
  /** Entries of a table, and log2 of the bytes of each. The upper halves of wide ones are 0: memory ends below 4 GiB. */
  entries = ENTRIES;
  private shift = 2;

  /**
   * Throws OutOfMemory when the host has no frames for the reserve.
   * @param limit most shadow pages that there may be at a time, at least the reserve (for three levels its own)
   * @param guestFrames size of guest-physical memory in frames
   */
  constructor(
    private readonly memory: PhysicalMemory,
    private readonly frames: FrameTable,
    private readonly limit: number,
    guestFrames: number,
  ) {
    const slots = Math.max(limit, RESERVE_WIDE) * ENTRIES;
    this.next = new Int32Array(slots).fill(-1);
    this.previous = new Int32Array(slots).fill(-1);
    this.target = new Int32Array(slots).fill(-1);
    this.mappings = new Int32Array(guestFrames).fill(-1);
    this.tables = new Uint8Array(guestFrames);
    try {
      for (let n = 0; n < RESERVE; n++) this.unused.push(this.take());
    } catch (error) {
      this.release();
      throw error;
    }
  }

  /** Shadow pages in use. */
  get count(): number {
    return this.byKey.size;
  }

  *[Symbol.iterator](): IterableIterator<ShadowPage> {
    for (const page of this.pages) if (page.live) yield page;
  }

  /** The page that shadows (kind, frame), or undefined. */
  find(kind: number, frame: number): ShadowPage | undefined {
    const page = this.byKey.get((kind << 20) | frame);
    if (page) page.lastUse = ++this.clock;
    return page;
  }

  /** A new, empty page for (kind, frame). May throw out others, but never `keep`. */
  create(kind: number, frame: number, keep: ShadowPage | null): ShadowPage {
    const page = this.unused.pop() ?? this.grow() ?? this.evict(keep);
    page.kind = kind;
    page.frame = frame;
    page.parents = -1;
    page.live = true;
    page.lastUse = ++this.clock;
    this.byKey.set((kind << 20) | frame, page);
    if (page.shadowsGuestTable && frame < this.tables.length) this.tables[frame]++;
    return page;
  }

  private take(): ShadowPage {
    const page = new ShadowPage(this.pages.length, this.frames.allocate(OWNER_HYPERVISOR) * 4096);
    this.pages.push(page);
    return page;
  }

  /** One more page, if the limit and the host's memory allow it. */
  private grow(): ShadowPage | undefined {
    if (this.pages.length >= this.limit) return undefined;
    try {
      return this.take();
    } catch (error) {
      if (error instanceof OutOfMemory) return undefined;
      throw error;
    }
  }

  /**
   * Empties every page and goes on with entries of 8 bytes, or of 4. Throws OutOfMemory when the host has not the few more
   * frames that three levels need.
   */
  format(wide: boolean): void {
    this.dropAll();
    this.entries = wide ? ENTRIES / 2 : ENTRIES;
    this.shift = wide ? 3 : 2;
    while (wide && this.pages.length < RESERVE_WIDE) this.unused.push(this.take());
  }

  /** Tables that no directory uses go first, then directories, then tables in use; the longest unused of each. With three levels directories in use are last. */
  private evict(keep: ShadowPage | null): ShadowPage {
    let best: ShadowPage | null = null;
    let bestRank = 5;
    for (const page of this) {
      if (page === keep) continue;
      const unused = page.parents === -1;
      const rank = page.isDirectory ? (unused ? 2 : 4) : unused ? 1 : 3;
      if (rank < bestRank || (rank === bestRank && best && page.lastUse < best.lastUse)) {
        best = page;
        bestRank = rank;
      }
    }
    this.drop(best!);
    return this.unused.pop()!;
  }

  /** Takes a page out of use: nothing leads to it or from it any more. */
  drop(page: ShadowPage): void {
    for (let n = 0; n < this.entries; n++) this.clear(page, n);
    while (page.parents !== -1) this.clear(this.pages[page.parents >>> 10], page.parents & 1023);
    this.byKey.delete((page.kind << 20) | page.frame);
    if (page.shadowsGuestTable && page.frame < this.tables.length) this.tables[page.frame]--;
    page.live = false;
    this.unused.push(page);
  }

  /** Drops everything. @returns how many entries there were */
  dropAll(): number {
    const before = this.dropped;
    for (const page of [...this]) this.drop(page);
    return this.dropped - before;
  }

  /** Gives all frames back. */
  release(): void {
    this.dropAll();
    for (const page of this.pages) this.frames.release(page.machine >>> 12);
    this.pages.length = 0;
    this.unused.length = 0;
  }

  /** The entry as it lies in memory, its lower half. */
  read(page: ShadowPage, n: number): number {
    return this.memory.read32(page.machine + (n << this.shift));
  }

  /** The first entry from `n` on that is not zero; -1 = none. Those of the hypervisor's own are passed over. */
  nextFilled(page: ShadowPage, n: number): number {
    if (n >= this.entries) return -1;
    let word = n >>> 5;
    let bits = page.filled[word] & (-1 << (n & 31));
    while (bits === 0) {
      if (++word >= page.filled.length) return -1;
      bits = page.filled[word];
    }
    return (word << 5) + 31 - Math.clz32(bits & -bits);
  }

  /** The table that a directory entry points to, or null. */
  child(page: ShadowPage, n: number): ShadowPage | null {
    const index = this.target[page.index * ENTRIES + n];
    return index < 0 ? null : this.pages[index];
  }

  /** Makes a leaf entry. @param frame the guest frame that it maps, -1 for one that is not the guest's memory */
  setLeaf(page: ShadowPage, n: number, entry: number, frame: number): void {
    const slot = page.index * ENTRIES + n;
    if (this.target[slot] !== frame) {
      this.unlink(page, slot);
      if (frame >= 0) this.link(slot, frame, this.mappings[frame]);
      if (frame >= 0) this.mappings[frame] = slot;
    }
    this.write(page, n, entry);
  }

  /** Makes a directory entry: present, and as permissive as can be, since the rights are in the leaves. */
  setChild(page: ShadowPage, n: number, child: ShadowPage, flags: number): void {
    const slot = page.index * ENTRIES + n;
    this.unlink(page, slot);
    this.link(slot, child.index, child.parents);
    child.parents = slot;
    this.write(page, n, child.machine | flags);
  }

  private write(page: ShadowPage, n: number, entry: number): void {
    const at = page.machine + (n << this.shift);
    const before = this.memory.read32(at);
    if (before & PRESENT) {
      this.changes++;
      if ((before ^ entry) & FRAME || before & ~entry & RIGHTS) this.reductions++;
    }
    page.filled[n >>> 5] |= 1 << (n & 31);
    this.memory.write32(at, entry);
  }

  /** Removes an entry. */
  clear(page: ShadowPage, n: number): void {
    const at = page.machine + (n << this.shift);
    if (this.memory.read32(at) === 0) return;
    this.dropped++;
    this.changes++;
    this.reductions++;
    this.unlink(page, page.index * ENTRIES + n);
    page.filled[n >>> 5] &= ~(1 << (n & 31));
    this.memory.write32(at, 0);
  }

  /** Whether a root uses a table or directory, or is it. */
  uses(root: ShadowPage, page: ShadowPage): boolean {
    if (page === root) return true;
    for (let slot = page.parents; slot !== -1; slot = this.next[slot])
      if (this.uses(root, this.pages[slot >>> 10])) return true;
    return false;
  }

  /** Whether one directory entry leads to a page, and no more. */
  isUsedOnce(page: ShadowPage): boolean {
    return page.parents !== -1 && this.next[page.parents] === -1;
  }

  /** Takes the write permission from all mappings of a guest frame. */
  writeProtect(frame: number): void {
    for (let slot = this.mappings[frame]; slot !== -1; slot = this.next[slot]) {
      const at = this.pages[slot >>> 10].machine + ((slot & 1023) << this.shift);
      const entry = this.memory.read32(at);
      if ((entry & (PRESENT | WRITABLE)) !== (PRESENT | WRITABLE)) continue;
      this.memory.write32(at, entry & ~WRITABLE);
      this.changes++;
      this.reductions++;
    }
  }

  private link(slot: number, target: number, head: number): void {
    this.target[slot] = target;
    this.next[slot] = head;
    this.previous[slot] = -1;
    if (head !== -1) this.previous[head] = slot;
  }

  private unlink(page: ShadowPage, slot: number): void {
    const target = this.target[slot];
    if (target < 0) return;
    const next = this.next[slot];
    const previous = this.previous[slot];
    if (next !== -1) this.previous[next] = previous;
    if (previous !== -1) this.next[previous] = next;
    else if (page.isDirectory) this.pages[target].parents = next;
    else this.mappings[target] = next;
    this.target[slot] = -1;
  }
}
