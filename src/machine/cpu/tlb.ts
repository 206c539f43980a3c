// The translation lookaside buffer (SDM vol. 3 §4.10): what the processor remembers of the page tables, and goes on
// believing until INVLPG, a CR3 load or a page fault on that page. One set of entries, direct-mapped, for code and data.
// `read` and `write` are derived fast tags: a hit there needs no further check, whatever the reason it was allowed.

import { RAM_BASE } from '../memory/store.ts';
import { Shared } from './shared.ts';

const BITS = 10;
/** Entries of the TLB. */
export const TLB_SIZE = 1 << BITS;

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
  /** Code pages: linear page number → physical page address | rights. */
  readonly code = new Map<number, number>();
  /**
   * Bumped by whatever may change where the next instruction is fetched from: every invalidation here, and every load of CS.
   * `execute.ts` keeps the current code page only as long as this stands still.
   */
  generation = 0;
  /** The A20 mask that the entries were made with. */
  a20Mask = 0xffffffff;
  /** True when an entry stems from a 4 MiB page: then INVLPG must look for its other fragments. */
  private hasLarge = false;
  /** False when nothing was remembered since the last flush: worlds are switched more often than they are filled. */
  private used = false;

  /** @param base where the block of its processor begins in the buffer (shared.ts) */
  constructor(buffer: ArrayBuffer, base: number) {
    this.read = new Int32Array(buffer, base + Shared.read, TLB_SIZE * 2).fill(-1);
    this.write = new Int32Array(buffer, base + Shared.write, TLB_SIZE * 2).fill(-1);
    this.frame = new Int32Array(buffer, base + Shared.frame, TLB_SIZE);
    this.addend = new Int32Array(buffer, base + Shared.addend, TLB_SIZE);
  }

  /** Remembers a translation. Fast tags of the replaced entry go with it. */
  insert(page: number, frame: number, rights: number): void {
    const slot = tlbSlot(page);
    this.drop(slot);
    this.used = true;
    this.page[slot] = page;
    this.frame[slot] = frame;
    this.addend[slot] = frame - (page << 12) + RAM_BASE;
    this.rights[slot] = rights;
    if (rights & Right.large) this.hasLarge = true;
  }

  /** Remembers a translation for fetches. */
  insertCode(page: number, frame: number, rights: number): void {
    this.code.set(page, frame | rights);
    if (rights & Right.large) this.hasLarge = true;
  }

  /** Forgets everything, global pages too (CR0.PG, CR4.PGE/PSE changes, VM entry and exit). */
  flush(): void {
    this.code.clear();
    this.generation++;
    this.hasLarge = false;
    if (!this.used) return;
    this.page.fill(-1);
    this.dropFastTags();
    this.used = false;
  }

  /** Forgets everything but global pages (MOV CR3, task switch). */
  flushNonGlobal(): void {
    for (let slot = 0; slot < TLB_SIZE; slot++) {
      if (this.page[slot] !== -1 && !(this.rights[slot] & Right.global)) this.drop(slot);
    }
    for (const [page, entry] of this.code) if (!(entry & Right.global)) this.code.delete(page);
    this.generation++;
  }

  /** Forgets the page of a linear address (INVLPG, page fault), with all fragments when it is a 4 MiB page. */
  invalidate(linear: number): void {
    const page = linear >>> 12;
    const slot = tlbSlot(page);
    if (this.page[slot] === page) this.drop(slot);
    this.code.delete(page);
    if (this.hasLarge) {
      for (const [other, entry] of this.code) {
        if (entry & Right.large && other >>> 10 === page >>> 10) this.code.delete(other);
      }
      for (let s = 0; s < TLB_SIZE; s++) {
        if (this.rights[s] & Right.large && this.page[s] >>> 10 === page >>> 10) this.drop(s);
      }
    }
    this.generation++;
  }

  /** Makes every access go through the checks again, on the same entries (CR0.WP or a data breakpoint changed). */
  dropFastTags(): void {
    this.read.fill(-1);
    this.write.fill(-1);
    this.generation++;
  }

  private drop(slot: number): void {
    this.page[slot] = -1;
    this.read[slot] = this.read[slot + TLB_SIZE] = -1;
    this.write[slot] = this.write[slot + TLB_SIZE] = -1;
  }
}
