// The translation lookaside buffer (SDM vol. 3 §4.10, §28.3): what the processor remembers of the page tables, and goes on
// believing until INVLPG, a CR3 load or a page fault on that page. One set of entries, direct-mapped, for data; those for
// code, and what distinguishes address spaces with tags of their own, are in tlb-context.ts. Eight words an entry, in the
// buffer that compiled code addresses too. Six of them are derived fast tags: a hit there needs no further check, whatever
// the reason it was allowed. A tag is the page's number with a number above it that the current space has for itself:
// forgetting everything is going on to the next number, and another address space is another number.

import { Shared } from './shared.ts';
import { KEPT_SHIFT, Kept, keep, keptEntries, NO_ROOT, Right, TlbContext } from './tlb-context.ts';

export { Right } from './tlb-context.ts';

const BITS = 10;
/** Entries of the TLB. */
export const TLB_SIZE = 1 << BITS;
/** log2 of the words of an entry. */
export const ENTRY_SHIFT = 3;
/** Address spaces whose translations are kept; the longest unused goes first. */
const CONTEXTS = 16;

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
export const NO_TAG = -1;
/** Spaces are numbered from bit 20 on; the last one would make `NO_TAG` a tag. */
const SPACE_UNIT = 1 << 20;
const SPACES = 0xfff;

/** How far the high bits are folded: one more than the slot has, so that a page and the next never share a slot, also across 80000000h. */
export const FOLD = BITS + 1;

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
  /** The latest number that was given out; and how often all tags have become void, by the numbers' end or otherwise. */
  private lastSpace = 0;
  private round = 0;
  /** When an entry was made, and with which global ones: entries of no context's epoch are gone, but for global pages. */
  private readonly epochs: Float64Array;
  private readonly globalEpochs: Float64Array;
  private lastEpoch = 0;
  /** The processor's own, which is there from the beginning, first. */
  readonly contexts: TlbContext[] = [new TlbContext(0, NO_ROOT, 0)];
  /** Whose translations are used and made. */
  current = this.contexts[0];
  /** Whose the entries are, by number. Of its own a context has nothing out of the way. */
  private readonly owners: Uint8Array;
  /** Some two contexts have the same VPID, with different nested tables. */
  private siblings = false;
  /** By number of the context: what is asked of all of them at once. */
  private readonly ids = new Int32Array(CONTEXTS);
  private readonly lastUses = new Float64Array(CONTEXTS);
  private clock = 0;
  /**
   * Bumped by whatever may change where the next instruction is fetched from: every invalidation here, and every load of CS.
   * `execute.ts` keeps the current code page only as long as this stands still.
   */
  generation = 0;
  /** Another number whenever a translation for fetches goes; no two contexts ever have the same. */
  translations = 0;
  private lastTranslations = 0;
  /** Bumped whenever a tag goes: while it stands still, places that had one have it. */
  stamp = 0;
  /** The A20 mask that the entries were made with. */
  a20Mask = 0xffffffff;

  /** @param base where the block of its processor begins in the buffer (shared.ts) */
  constructor(buffer: ArrayBuffer, base: number) {
    this.words = new Int32Array(buffer, base + Shared.tlb, TLB_SIZE << ENTRY_SHIFT).fill(NO_TAG);
    this.epochs = new Float64Array(buffer, base + Shared.epochs, TLB_SIZE).fill(-1);
    this.globalEpochs = new Float64Array(buffer, base + Shared.globalEpochs, TLB_SIZE);
    this.owners = new Uint8Array(buffer, base + Shared.owners, TLB_SIZE);
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
    if (word >>> 8 === page && this.isOf(this.current, slot, word)) return word & 0xff;
    return this.current.away === null ? -1 : this.comeBack(this.current.away, slot, page);
  }

  private isOf(context: TlbContext, slot: number, word: number): boolean {
    if (this.epochs[slot] === context.epoch) return true;
    return (word & Right.global) !== 0 && this.globalEpochs[slot] === context.globalEpoch;
  }

  /** The current context takes a slot: what another one has there goes out of the way, and what of its own was out of the way is replaced. */
  private takeSlot(slot: number): void {
    const { current } = this;
    const owner = this.contexts[this.owners[slot]];
    if (owner === current) return;
    if (current.away !== null) current.away[slot << KEPT_SHIFT] = -1;
    this.owners[slot] = current.number;
    const at = slot << ENTRY_SHIFT;
    const word = this.words[at + Word.page];
    if (word === -1 || !this.isOf(owner, slot, word)) return;
    owner.away ??= keptEntries(TLB_SIZE);
    keep(owner.away, slot, word, this.words[at + Word.offset], this.epochs[slot], this.globalEpochs[slot]);
  }

  /** An entry of the current context that had to give way takes its slot again. @returns its rights, or -1 */
  private comeBack(away: Float64Array, slot: number, page: number): number {
    const kept = slot << KEPT_SHIFT;
    const word = away[kept] | 0;
    if (word >>> 8 !== page) return -1;
    const epoch = away[kept + Kept.epoch];
    const globalEpoch = away[kept + Kept.globalEpoch];
    const { current } = this;
    if (epoch !== current.epoch && !(word & Right.global && globalEpoch === current.globalEpoch)) return -1;
    const offset = away[kept + Kept.entry];
    const at = slot << ENTRY_SHIFT;
    this.takeSlot(slot);
    this.dropTags(at);
    this.words[at + Word.offset] = offset;
    this.words[at + Word.page] = word;
    this.epochs[slot] = epoch;
    this.globalEpochs[slot] = globalEpoch;
    return word & 0xff;
  }

  /** Remembers a translation. Fast tags of the replaced entry go with it. */
  insert(page: number, frame: number, rights: number): void {
    const slot = tlbSlot(page);
    const at = slot << ENTRY_SHIFT;
    if (this.contexts.length > 1) this.takeSlot(slot);
    this.dropTags(at);
    this.words[at + Word.offset] = frame - (page << 12);
    this.words[at + Word.page] = (page << 8) | rights;
    this.epochs[slot] = this.current.epoch;
    this.globalEpochs[slot] = this.current.globalEpoch;
    if (rights & Right.large) this.current.noteLarge(page);
  }

  /** What is remembered for fetches from a page: physical page address | rights; -1 = nothing. */
  codeOf(page: number): number {
    return this.current.code.of(page);
  }

  /** Remembers a translation for fetches. */
  insertCode(page: number, frame: number, rights: number): void {
    this.current.code.insert(page, frame | rights);
    if (rights & Right.large) this.current.noteLarge(page);
  }

  /** Forgets everything of the current address space, global pages too (CR0.PG, CR4.PGE/PSE changes; VM entry and exit without VPID). */
  flush(): void {
    this.forget(this.current);
    if (this.siblings) for (const context of this.contexts) if (this.isSibling(context)) this.forget(context);
  }

  /** Forgets everything of it but global pages (MOV CR3, task switch). */
  flushNonGlobal(): void {
    this.forgetNonGlobal(this.current);
    if (this.siblings)
      for (const context of this.contexts) if (this.isSibling(context)) this.forgetNonGlobal(context);
  }

  /** Forgets the page of a linear address (INVLPG, page fault), with all fragments when it is a 4 MiB page. */
  invalidate(linear: number): void {
    this.generation++;
    this.forgetPage(this.current, linear);
    if (this.siblings)
      for (const context of this.contexts) if (this.isSibling(context)) this.forgetPage(context, linear);
  }

  private isSibling(context: TlbContext): boolean {
    return context !== this.current && context.id === this.current.id;
  }

  /** Forgets everything of everybody (RESET, another A20 mask). */
  flushAll(): void {
    for (const context of this.contexts) this.forget(context);
  }

  /** Forgets everything of an address space. */
  forget(context: TlbContext): void {
    context.globalEpoch = ++this.lastEpoch;
    context.epoch = ++this.lastEpoch;
    context.code.forget(true);
    this.renew(context);
  }

  /** Forgets everything of an address space but global pages. */
  forgetNonGlobal(context: TlbContext): void {
    context.epoch = ++this.lastEpoch;
    context.code.forget(false);
    this.renew(context);
  }

  private renew(context: TlbContext): void {
    if (context !== this.current) {
      context.round = -1;
      return;
    }
    this.generation++;
    this.translations = ++this.lastTranslations;
    this.nextSpace();
  }

  /** Forgets a page of an address space. */
  forgetPage(context: TlbContext, linear: number): void {
    const page = linear >>> 12;
    const slot = tlbSlot(page);
    const word = this.words[(slot << ENTRY_SHIFT) + Word.page];
    if (word >>> 8 === page && this.isOf(context, slot, word)) this.drop(slot);
    const kept = slot << KEPT_SHIFT;
    if (context.away !== null && context.away[kept] >>> 8 === page) context.away[kept] = -1;
    const large = context.hasLarge(page >>> 10);
    const fetched = large || context.code.of(page) !== -1;
    context.code.drop(page);
    if (large) this.forgetLarge(context, page >>> 10);
    if (!fetched) return;
    if (context === this.current) this.translations = ++this.lastTranslations;
    else context.translations = ++this.lastTranslations;
  }

  /** Forgets all fragments of large pages in 4 MiB. */
  private forgetLarge(context: TlbContext, region: number): void {
    const { words } = this;
    for (let slot = 0; slot < TLB_SIZE; slot++) {
      const word = words[(slot << ENTRY_SHIFT) + Word.page];
      if (word >>> 18 === region && word & Right.large && this.isOf(context, slot, word)) this.drop(slot);
      const away = context.away !== null ? context.away[slot << KEPT_SHIFT] : -1;
      if (away >>> 18 === region && away & Right.large) context.away![slot << KEPT_SHIFT] = -1;
    }
    context.code.dropLarge(region);
  }

  /** The context with these tags, made if need be. The longest unused one may be lost for it. */
  contextOf(id: number, root: number): TlbContext {
    const { current, contexts } = this;
    if (current.id === id && current.root === root) return current;
    let isNew = true;
    for (let n = 0; n < contexts.length; n++) {
      if (this.ids[n] !== id) continue;
      if (contexts[n].root === root) return contexts[n];
      isNew = false;
    }
    let context: TlbContext;
    if (contexts.length < CONTEXTS) contexts.push((context = new TlbContext(id, root, contexts.length)));
    else {
      context = contexts[this.longestUnused()];
      context.id = id;
      context.root = root;
    }
    this.ids[context.number] = id;
    this.forget(context);
    if (!isNew || this.siblings) this.siblings = contexts.some((other) => this.hasSibling(other));
    return context;
  }

  /** Number of the context that was left longest ago; the current one and the processor's own stay. */
  private longestUnused(): number {
    const { lastUses } = this;
    const current = this.current.number;
    let found = current === 1 ? 2 : 1;
    for (let n = 2; n < CONTEXTS; n++) if (n !== current && lastUses[n] < lastUses[found]) found = n;
    return found;
  }

  /** Whether another context has the same VPID. */
  private hasSibling({ id, number }: TlbContext): boolean {
    for (let n = 0; n < this.contexts.length; n++) if (this.ids[n] === id && n !== number) return true;
    return false;
  }

  /**
   * Goes on in a context; its translations are still there. Whoever leaves one sets its `mode` before.
   * @param mode what its fast tags hang on now, beside the tables: see `tagMode` (paging.ts)
   */
  enter(next: TlbContext, mode: number): void {
    const { current } = this;
    this.generation++;
    this.lastUses[next.number] = ++this.clock;
    if (next !== current) {
      current.space = this.space;
      current.translations = this.translations;
      current.round = this.round;
      this.current = next;
      this.stamp++;
      this.space = next.space;
      this.translations = next.translations;
      if (next.round !== this.round) {
        this.translations = ++this.lastTranslations;
        this.nextSpace();
        return;
      }
    }
    if (mode < 0 || mode !== next.mode) this.nextSpace();
  }

  /** As `enter`, in the context that is current and that nobody has been in since. */
  stay(mode: number): void {
    if (mode !== this.current.mode) this.nextSpace();
  }

  /** Makes every access go through the checks again, on the same entries (CR0.WP, a data breakpoint or a device in memory changed). */
  dropFastTags(): void {
    this.generation++;
    this.translations = ++this.lastTranslations;
    this.dropTagsOfAll();
  }

  /** As `dropFastTags`, for data alone (a page has got its first code: stores there must be seen from now on). */
  dropTagsOfAll(): void {
    this.round++;
    this.nextSpace();
  }

  /** The current context goes on with the next number: none of its tags is good any more. */
  private nextSpace(): void {
    this.stamp++;
    this.lastSpace = (this.lastSpace + SPACE_UNIT) | 0;
    if (this.lastSpace >>> 20 === SPACES) {
      // All numbers have been used: no tag of the first round may be left, and nobody may keep a number.
      this.lastSpace = 0;
      this.round++;
      for (let slot = 0; slot < TLB_SIZE; slot++) this.dropTags(slot << ENTRY_SHIFT);
    }
    this.space = this.lastSpace;
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
