// The translation lookaside buffer (SDM vol. 3 §4.10): what the processor remembers of the page tables, and goes on
// believing until INVLPG, a CR3 load or a page fault on that page. One set of entries, direct-mapped, for data, and one
// for code. Eight words an entry, in the buffer that compiled code addresses too. Six of them are derived fast tags: a hit
// there needs no further check, whatever the reason it was allowed. A tag is the page's number with the number of the
// current space above it, and forgetting everything is going on to the next space.

import { Shared } from './shared.ts';

const BITS = 10;
/** Entries of the TLB. */
export const TLB_SIZE = 1 << BITS;
/** log2 of the words of an entry. */
export const ENTRY_SHIFT = 3;
/** Code pages that are found without a map, a power of two. */
const CODE_SLOTS = 256;

/** Rights of an entry, from PDE and PTE together. */
export const Right = { user: 1, write: 2, dirty: 4, global: 8, large: 16 } as const;

/** Words of an entry. */
export const Word = {
  /** Tags for accesses at CPL 0–2; each is followed by the one for CPL 3. */
  read: 0,
  write: 2,
  /** As `write`, for pages with code in them: each store has to look whether it meets any. */
  beside: 4,
  /** What is added to a linear address of the page for the physical one. */
  offset: 6,
  /** The page's number above, `Right` bits in the low byte. */
  page: 7,
} as const;

/** No page has this number in any space. */
const NO_TAG = -1;
/** Spaces are numbered from bit 20 on; the last one would make `NO_TAG` a tag. */
const SPACE_UNIT = 1 << 20;
const SPACES = 0xfff;

/** How far the high bits are folded: one more than the slot has, so that a page and the next never share a slot, also across 80000000h. */
const FOLD = BITS + 1;

/** Slot of a linear page number. Folds the high bits in, so that a kernel at C0000000h does not collide with low pages. */
export function tlbSlot(page: number): number {
  return (page ^ (page >>> FOLD)) & (TLB_SIZE - 1);
}

/** First word of the entry of a linear address. */
export function entryAt(linear: number): number {
  return tlbSlot(linear >>> 12) << ENTRY_SHIFT;
}

export class Tlb {
  /** `Word`s of all entries. */
  readonly words: Int32Array;
  /** What is above the page's number in a tag now. */
  space = 0;
  /** When an entry was made, and with which global ones: entries of another epoch are gone, but for global pages. */
  private readonly epochs = new Int32Array(TLB_SIZE).fill(-1);
  private readonly globalEpochs = new Int32Array(TLB_SIZE);
  private epoch = 0;
  private globalEpoch = 0;
  /** By 4 MiB: in which global epoch a fragment of a large page came from there. */
  private readonly large = new Int32Array(1024).fill(-1);
  /** Code pages (linear page number, physical page address | rights): the first to come has the slot, others go to the map. */
  private readonly codePage = new Int32Array(CODE_SLOTS).fill(-1);
  private readonly codeEntry = new Int32Array(CODE_SLOTS);
  private readonly codeEpoch = new Int32Array(CODE_SLOTS);
  private readonly codeGlobalEpoch = new Int32Array(CODE_SLOTS);
  private readonly codeMore = new Map<number, number>();
  /**
   * Bumped by whatever may change where the next instruction is fetched from: every invalidation here, and every load of CS.
   * `execute.ts` keeps the current code page only as long as this stands still.
   */
  generation = 0;
  /** Bumped by every invalidation alone. */
  translations = 0;
  /** Bumped whenever a tag goes: while it stands still, places that had one have it. */
  stamp = 0;
  /** The A20 mask that the entries were made with. */
  a20Mask = 0xffffffff;

  /** @param base where the block of its processor begins in the buffer (shared.ts) */
  constructor(buffer: ArrayBuffer, base: number) {
    this.words = new Int32Array(buffer, base + Shared.tlb, TLB_SIZE << ENTRY_SHIFT).fill(NO_TAG);
  }

  /** Physical address (int32) of a linear one whose page is remembered. */
  physical(linear: number): number {
    return (this.words[entryAt(linear) + Word.offset] + linear) | 0;
  }

  /** Whether the page of a linear address has a tag. @param word `Word.read`, `.write` or `.beside` */
  has(linear: number, word: number, user: boolean): boolean {
    return this.words[entryAt(linear) + word + (user ? 1 : 0)] === ((linear >>> 12) | this.space);
  }

  /** From now on the page of a linear address, which is remembered, needs no further check. */
  tag(linear: number, word: number, user: boolean): void {
    this.words[entryAt(linear) + word + (user ? 1 : 0)] = (linear >>> 12) | this.space;
  }

  /** `Right` bits of a linear page number; -1 when it is not remembered. */
  rightsOf(page: number): number {
    const slot = tlbSlot(page);
    const word = this.words[(slot << ENTRY_SHIFT) + Word.page];
    if (word >>> 8 !== page || !this.isCurrent(slot, word)) return -1;
    return word & 0xff;
  }

  private isCurrent(slot: number, word: number): boolean {
    if (this.epochs[slot] === this.epoch) return true;
    return (word & Right.global) !== 0 && this.globalEpochs[slot] === this.globalEpoch;
  }

  /** Remembers a translation. Fast tags of the replaced entry go with it. */
  insert(page: number, frame: number, rights: number): void {
    const slot = tlbSlot(page);
    const at = slot << ENTRY_SHIFT;
    this.dropTags(at);
    this.words[at + Word.offset] = frame - (page << 12);
    this.words[at + Word.page] = (page << 8) | rights;
    this.epochs[slot] = this.epoch;
    this.globalEpochs[slot] = this.globalEpoch;
    if (rights & Right.large) this.large[page >>> 10] = this.globalEpoch;
  }

  /** What is remembered for fetches from a page: physical page address | rights; -1 = nothing. */
  codeOf(page: number): number {
    const slot = page & (CODE_SLOTS - 1);
    if (this.codePage[slot] === page && this.isCodeCurrent(slot)) return this.codeEntry[slot];
    return this.codeMore.size === 0 ? -1 : (this.codeMore.get(page) ?? -1);
  }

  private isCodeCurrent(slot: number): boolean {
    if (this.codeEpoch[slot] === this.epoch) return true;
    return (this.codeEntry[slot] & Right.global) !== 0 && this.codeGlobalEpoch[slot] === this.globalEpoch;
  }

  /** Remembers a translation for fetches. */
  insertCode(page: number, frame: number, rights: number): void {
    const slot = page & (CODE_SLOTS - 1);
    const taken = this.codePage[slot] !== -1 && this.isCodeCurrent(slot);
    if (taken ? this.codePage[slot] === page : !this.codeMore.has(page)) {
      this.codePage[slot] = page;
      this.codeEntry[slot] = frame | rights;
      this.codeEpoch[slot] = this.epoch;
      this.codeGlobalEpoch[slot] = this.globalEpoch;
    } else this.codeMore.set(page, frame | rights);
    if (rights & Right.large) this.large[page >>> 10] = this.globalEpoch;
  }

  /** Forgets everything, global pages too (CR0.PG, CR4.PGE/PSE changes, VM entry and exit). */
  flush(): void {
    this.globalEpoch++;
    this.nextEpoch();
    if (this.codeMore.size !== 0) this.codeMore.clear();
  }

  /** Forgets everything but global pages (MOV CR3, task switch). */
  flushNonGlobal(): void {
    this.nextEpoch();
    if (this.codeMore.size !== 0) {
      for (const [page, entry] of this.codeMore) if (!(entry & Right.global)) this.codeMore.delete(page);
    }
  }

  private nextEpoch(): void {
    this.epoch++;
    this.dropFastTags();
  }

  /** Forgets the page of a linear address (INVLPG, page fault), with all fragments when it is a 4 MiB page. */
  invalidate(linear: number): void {
    this.generation++;
    this.translations++;
    const page = linear >>> 12;
    const slot = tlbSlot(page);
    if (this.words[(slot << ENTRY_SHIFT) + Word.page] >>> 8 === page) this.drop(slot);
    const codeSlot = page & (CODE_SLOTS - 1);
    if (this.codePage[codeSlot] === page) this.codePage[codeSlot] = -1;
    if (this.codeMore.size !== 0) this.codeMore.delete(page);
    if (this.large[page >>> 10] === this.globalEpoch) this.invalidateLarge(page >>> 10);
  }

  /** Forgets all fragments of large pages in 4 MiB. */
  private invalidateLarge(region: number): void {
    const { words } = this;
    for (let slot = 0; slot < TLB_SIZE; slot++) {
      const word = words[(slot << ENTRY_SHIFT) + Word.page];
      if (word >>> 18 === region && word & Right.large) this.drop(slot);
    }
    for (let n = 0; n < CODE_SLOTS; n++)
      if (this.codePage[n] >>> 10 === region && this.codeEntry[n] & Right.large) this.codePage[n] = -1;
    for (const [page, entry] of this.codeMore)
      if (page >>> 10 === region && entry & Right.large) this.codeMore.delete(page);
  }

  /** Makes every access go through the checks again, on the same entries (CR0.WP or a data breakpoint changed). */
  dropFastTags(): void {
    this.generation++;
    this.translations++;
    this.dropTagsOfAll();
  }

  /** As `dropFastTags`, for data alone (a page has got its first code: stores there must be seen from now on). */
  dropTagsOfAll(): void {
    this.stamp++;
    this.space = (this.space + SPACE_UNIT) | 0;
    if (this.space >>> 20 !== SPACES) return;
    // All numbers have been used: no tag of the first round may be left.
    this.space = 0;
    for (let slot = 0; slot < TLB_SIZE; slot++) this.dropTags(slot << ENTRY_SHIFT);
  }

  private dropTags(at: number): void {
    const { words } = this;
    this.stamp++;
    words[at] = words[at + 1] = words[at + 2] = words[at + 3] = words[at + 4] = words[at + 5] = NO_TAG;
  }

  private drop(slot: number): void {
    this.words[(slot << ENTRY_SHIFT) + Word.page] = -1;
    this.dropTags(slot << ENTRY_SHIFT);
  }
}
