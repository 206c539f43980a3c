// What the TLB keeps of each address space that has a tag of its own (SDM vol. 3 §28.3.1: VPID and EPT pointer; APM vol. 2
// §15.16: ASID): which entries are still good, and its translations for fetches. Those are exact: nothing is ever thrown out
// of them for want of room, so that virtual time does not depend on which engine runs the code.

/** Rights of an entry, from PDE and PTE together. */
export const Right = { user: 1, write: 2, dirty: 4, global: 8, large: 16 } as const;

/** `TlbContext.root` where there is no second dimension, or where it is no tag. */
export const NO_ROOT = -1;
/** ASIDs are numbered from here on: the processor may have VPIDs too. ASID 0 is the host’s, as VPID 0 is. */
export const ASID_BASE = 0x10000;

/** Code pages that are found without a map, a power of two. */
const CODE_SLOTS = 256;

/** An entry that is kept outside the TLB itself: four numbers side by side, so that looking at one touches one line of the cache. */
export const Kept = {
  /** -1 = none. */
  page: 0,
  entry: 1,
  epoch: 2,
  globalEpoch: 3,
} as const;
/** log2 of the numbers of an entry. */
export const KEPT_SHIFT = 2;

/** Room for so many, none of them there. */
export const keptEntries = (count: number): Float64Array => new Float64Array(count << KEPT_SHIFT).fill(-1);

/** Fills a slot of them with the words of `Kept`. */
export function keep(
  kept: Float64Array,
  slot: number,
  page: number,
  entry: number,
  epoch: number,
  globalEpoch: number,
): void {
  const at = slot << KEPT_SHIFT;
  kept[at] = page;
  kept[at + Kept.entry] = entry;
  kept[at + Kept.epoch] = epoch;
  kept[at + Kept.globalEpoch] = globalEpoch;
}

/** Code pages (linear page number → physical page address | rights): the first to come has the slot, others go to the map. */
class CodeTranslations {
  private readonly kept = keptEntries(CODE_SLOTS);
  private readonly more = new Map<number, number>();

  constructor(private readonly context: TlbContext) {}

  /** Physical page address | rights of a linear page number; -1 = nothing. */
  of(page: number): number {
    const at = (page & (CODE_SLOTS - 1)) << KEPT_SHIFT;
    if (this.kept[at] === page && this.isCurrent(at)) return this.kept[at + Kept.entry] | 0;
    return this.more.size === 0 ? -1 : (this.more.get(page) ?? -1);
  }

  private isCurrent(at: number): boolean {
    const { context, kept } = this;
    if (kept[at + Kept.epoch] === context.epoch) return true;
    return (
      (kept[at + Kept.entry] & Right.global) !== 0 && kept[at + Kept.globalEpoch] === context.globalEpoch
    );
  }

  insert(page: number, entry: number): void {
    const { kept, context } = this;
    const slot = page & (CODE_SLOTS - 1);
    const there = kept[slot << KEPT_SHIFT];
    const taken = there !== -1 && this.isCurrent(slot << KEPT_SHIFT);
    if (taken ? there === page : !this.more.has(page))
      keep(kept, slot, page, entry, context.epoch, context.globalEpoch);
    else this.more.set(page, entry);
  }

  /** After the context's epochs have moved on. @param globals global pages too */
  forget(globals: boolean): void {
    if (this.more.size === 0) return;
    if (globals) this.more.clear();
    else for (const [page, entry] of this.more) if (!(entry & Right.global)) this.more.delete(page);
  }

  drop(page: number): void {
    const at = (page & (CODE_SLOTS - 1)) << KEPT_SHIFT;
    if (this.kept[at] === page) this.kept[at] = -1;
    if (this.more.size !== 0) this.more.delete(page);
  }

  /** All fragments of large pages in 4 MiB. */
  dropLarge(region: number): void {
    const { kept } = this;
    for (let at = 0; at < kept.length; at += 1 << KEPT_SHIFT)
      if (kept[at] >>> 10 === region && kept[at + Kept.entry] & Right.large) kept[at] = -1;
    for (const [page, entry] of this.more)
      if (page >>> 10 === region && entry & Right.large) this.more.delete(page);
  }
}

export class TlbContext {
  /**
   * Entries whose slot another context has taken, as `Kept` by slot: so each context has a whole TLB of its own. Null as long as
   * nothing of it had to give way. `Kept.page` is that word of the TLB's entry, `Kept.entry` its offset.
   */
  away: Float64Array | null = null;
  readonly code = new CodeTranslations(this);
  /** Entries of the TLB are this context's and good when they were made in this epoch; global ones, when in this other one. No two contexts ever have the same. */
  epoch = 0;
  globalEpoch = 0;
  /** While another context is the current one: what `Tlb` has of the current one, and the round of numbers it is from. */
  space = 0;
  translations = 0;
  round = -1;
  /** What fast tags were made under (`tagMode`), as of the last time it ceased to run. */
  mode = 0;
  /** By 4 MiB: in which global epoch a fragment of a large page came from there. */
  private large: Float64Array | null = null;

  /**
   * @param id 0: the host, or a processor without guests; a VPID; for ASIDs see `ASID_BASE`
   * @param root what tags combined mappings beside the VPID: address of the top EPT table, or `NO_ROOT`
   */
  constructor(
    public id: number,
    public root: number,
    /** Its place among those of the processor. */
    readonly number: number,
  ) {}

  noteLarge(page: number): void {
    this.large ??= new Float64Array(1024).fill(-1);
    this.large[page >>> 10] = this.globalEpoch;
  }

  hasLarge(region: number): boolean {
    return this.large !== null && this.large[region] === this.globalEpoch;
  }
}
