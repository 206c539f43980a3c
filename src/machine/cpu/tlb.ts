// The translation lookaside buffer (SDM vol. 3 §4.10): what the processor remembers of the page tables, and goes on
// believing until INVLPG, a CR3 load or a page fault on that page. One set of entries, direct-mapped, for code and data.
// `read` and `write` are derived fast tags: a hit there needs no further check, whatever the reason it was allowed.

import { RAM_BASE } from '../memory/store.ts';
import { Shared } from './shared.ts';

const BITS = 10;
/** Entries of the TLB. */
export const TLB_SIZE = 1 << BITS;
/** Code pages that are found without a map, a power of two. */
const CODE_SLOTS = 256;

/** Rights of an entry, from PDE and PTE together. */
export const Right = { user: 1, write: 2, dirty: 4, global: 8, large: 16 } as const;

/** How far the high bits are folded: one more than the slot has, so that a page and the next never share a slot, also across 80000000h. */
const FOLD = BITS + 1;

/** Slot of a linear page number. Folds the high bits in, so that a kernel at C0000000h does not collide with low pages. */
export function tlbSlot(page: number): number {
  return (page ^ (page >>> FOLD)) & (TLB_SIZE - 1);
}

export class Tlb {
  /** Linear page number by slot, -1 = empty. */
  readonly page = new Int32Array(TLB_SIZE).fill(-1);
  /** Physical address of the page by slot. */
  readonly frame: Int32Array;
  /** What compiled code adds to a linear address of the page to find it in the buffer. */
  private readonly addend: Int32Array;
  readonly rights = new Uint8Array(TLB_SIZE);
  /** Page number that may be read / written without further check: [slot] at CPL 0–2, [slot + TLB_SIZE] at CPL 3. */
  readonly read: Int32Array;
  readonly write: Int32Array;
  /** As `write`, for pages with code in them: each store has to look whether it meets any. */
  readonly beside: Int32Array;
  /** Slots that may hold something, so that a flush costs what was filled since the last one; `listed` says which are in the list. */
  private readonly filled = new Int16Array(TLB_SIZE);
  private filledCount = 0;
  private readonly listed = new Uint8Array(TLB_SIZE);
  /** Code pages (linear page number, physical page address | rights): the first to come has the slot, others go to the map. */
  private readonly codePage = new Int32Array(CODE_SLOTS).fill(-1);
  private readonly codeEntry = new Int32Array(CODE_SLOTS);
  private readonly codeFilled = new Int16Array(CODE_SLOTS);
  private codeCount = 0;
  private readonly codeListed = new Uint8Array(CODE_SLOTS);
  private readonly codeMore = new Map<number, number>();
  /**
   * Bumped by whatever may change where the next instruction is fetched from: every invalidation here, and every load of CS.
   * `execute.ts` keeps the current code page only as long as this stands still.
   */
  generation = 0;
  /** Bumped by every invalidation alone. */
  translations = 0;
  /** The A20 mask that the entries were made with. */
  a20Mask = 0xffffffff;
  /** True when an entry stems from a 4 MiB page: then INVLPG must look for its other fragments. */
  private hasLarge = false;

  /** @param base where the block of its processor begins in the buffer (shared.ts) */
  constructor(buffer: ArrayBuffer, base: number) {
    this.read = new Int32Array(buffer, base + Shared.read, TLB_SIZE * 2).fill(-1);
    this.write = new Int32Array(buffer, base + Shared.write, TLB_SIZE * 2).fill(-1);
    this.beside = new Int32Array(buffer, base + Shared.beside, TLB_SIZE * 2).fill(-1);
    this.frame = new Int32Array(buffer, base + Shared.frame, TLB_SIZE);
    this.addend = new Int32Array(buffer, base + Shared.addend, TLB_SIZE);
  }

  /** Remembers a translation. Fast tags of the replaced entry go with it. */
  insert(page: number, frame: number, rights: number): void {
    const slot = tlbSlot(page);
    this.drop(slot);
    if (this.listed[slot] === 0) {
      this.listed[slot] = 1;
      this.filled[this.filledCount++] = slot;
    }
    this.page[slot] = page;
    this.frame[slot] = frame;
    this.addend[slot] = frame - (page << 12) + RAM_BASE;
    this.rights[slot] = rights;
    if (rights & Right.large) this.hasLarge = true;
  }

  /** What is remembered for fetches from a page: physical page address | rights; -1 = nothing. */
  codeOf(page: number): number {
    const slot = page & (CODE_SLOTS - 1);
    if (this.codePage[slot] === page) return this.codeEntry[slot];
    return this.codeMore.size === 0 ? -1 : (this.codeMore.get(page) ?? -1);
  }

  /** Remembers a translation for fetches. */
  insertCode(page: number, frame: number, rights: number): void {
    const slot = page & (CODE_SLOTS - 1);
    if (this.codePage[slot] === -1 && !this.codeMore.has(page)) {
      this.codePage[slot] = page;
      this.codeEntry[slot] = frame | rights;
      if (this.codeListed[slot] === 0) {
        this.codeListed[slot] = 1;
        this.codeFilled[this.codeCount++] = slot;
      }
    } else if (this.codePage[slot] === page) this.codeEntry[slot] = frame | rights;
    else this.codeMore.set(page, frame | rights);
    if (rights & Right.large) this.hasLarge = true;
  }

  /** Forgets everything, global pages too (CR0.PG, CR4.PGE/PSE changes, VM entry and exit). */
  flush(): void {
    this.generation++;
    this.translations++;
    this.hasLarge = false;
    for (let n = 0; n < this.filledCount; n++) {
      const slot = this.filled[n];
      this.drop(slot);
      this.listed[slot] = 0;
    }
    this.filledCount = 0;
    for (let n = 0; n < this.codeCount; n++) {
      const slot = this.codeFilled[n];
      this.codePage[slot] = -1;
      this.codeListed[slot] = 0;
    }
    this.codeCount = 0;
    if (this.codeMore.size !== 0) this.codeMore.clear();
  }

  /** Forgets everything but global pages (MOV CR3, task switch). */
  flushNonGlobal(): void {
    this.generation++;
    this.translations++;
    let kept = 0;
    for (let n = 0; n < this.filledCount; n++) {
      const slot = this.filled[n];
      if (this.page[slot] !== -1 && this.rights[slot] & Right.global) {
        this.filled[kept++] = slot;
        continue;
      }
      this.drop(slot);
      this.listed[slot] = 0;
    }
    this.filledCount = kept;
    kept = 0;
    for (let n = 0; n < this.codeCount; n++) {
      const slot = this.codeFilled[n];
      if (this.codePage[slot] !== -1 && this.codeEntry[slot] & Right.global) this.codeFilled[kept++] = slot;
      else {
        this.codePage[slot] = -1;
        this.codeListed[slot] = 0;
      }
    }
    this.codeCount = kept;
    if (this.codeMore.size !== 0) {
      for (const [page, entry] of this.codeMore) if (!(entry & Right.global)) this.codeMore.delete(page);
    }
  }

  /** Forgets the page of a linear address (INVLPG, page fault), with all fragments when it is a 4 MiB page. */
  invalidate(linear: number): void {
    this.generation++;
    this.translations++;
    const page = linear >>> 12;
    const slot = tlbSlot(page);
    if (this.page[slot] === page) this.drop(slot);
    const codeSlot = page & (CODE_SLOTS - 1);
    // Its slot stays in the list, and is free for the next page.
    if (this.codePage[codeSlot] === page) this.codePage[codeSlot] = -1;
    if (this.codeMore.size !== 0) this.codeMore.delete(page);
    if (!this.hasLarge) return;
    const sameLarge = (other: number, rights: number) =>
      (rights & Right.large) !== 0 && other >>> 10 === page >>> 10;
    for (let n = 0; n < this.filledCount; n++) {
      const s = this.filled[n];
      if (this.page[s] !== -1 && sameLarge(this.page[s], this.rights[s])) this.drop(s);
    }
    for (let n = 0; n < CODE_SLOTS; n++) {
      if (this.codePage[n] !== -1 && sameLarge(this.codePage[n], this.codeEntry[n])) this.codePage[n] = -1;
    }
    for (const [other, entry] of this.codeMore) if (sameLarge(other, entry)) this.codeMore.delete(other);
  }

  /** Makes every access go through the checks again, on the same entries (CR0.WP or a data breakpoint changed). */
  dropFastTags(): void {
    this.generation++;
    this.translations++;
    for (let n = 0; n < this.filledCount; n++) this.dropTags(this.filled[n]);
  }

  /** Stores into a page of memory must be seen from now on. @param frame physical page address */
  dropWriteTags(frame: number): void {
    for (let n = 0; n < this.filledCount; n++) {
      const slot = this.filled[n];
      if (this.frame[slot] === (frame | 0)) this.write[slot] = this.write[slot + TLB_SIZE] = -1;
    }
  }

  private dropTags(slot: number): void {
    this.read[slot] = this.read[slot + TLB_SIZE] = -1;
    this.write[slot] = this.write[slot + TLB_SIZE] = -1;
    this.beside[slot] = this.beside[slot + TLB_SIZE] = -1;
  }

  private drop(slot: number): void {
    this.page[slot] = -1;
    this.dropTags(slot);
  }
}
