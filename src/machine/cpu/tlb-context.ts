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

/** Code pages (linear page number → physical page address | rights): the first to come has the slot, others go to the map. */
class CodeTranslations {
  private readonly page = new Int32Array(CODE_SLOTS).fill(-1);
  private readonly entry = new Int32Array(CODE_SLOTS);
  private readonly epoch = new Float64Array(CODE_SLOTS);
  private readonly globalEpoch = new Float64Array(CODE_SLOTS);
  private readonly more = new Map<number, number>();

  constructor(private readonly context: TlbContext) {}

  /** Physical page address | rights of a linear page number; -1 = nothing. */
  of(page: number): number {
    const slot = page & (CODE_SLOTS - 1);
    if (this.page[slot] === page && this.isCurrent(slot)) return this.entry[slot];
    return this.more.size === 0 ? -1 : (this.more.get(page) ?? -1);
  }

  private isCurrent(slot: number): boolean {
    const { context } = this;
    if (this.epoch[slot] === context.epoch) return true;
    return (this.entry[slot] & Right.global) !== 0 && this.globalEpoch[slot] === context.globalEpoch;
  }

  insert(page: number, entry: number): void {
    const slot = page & (CODE_SLOTS - 1);
    const taken = this.page[slot] !== -1 && this.isCurrent(slot);
    if (taken ? this.page[slot] === page : !this.more.has(page)) {
      this.page[slot] = page;
      this.entry[slot] = entry;
      this.epoch[slot] = this.context.epoch;
      this.globalEpoch[slot] = this.context.globalEpoch;
    } else this.more.set(page, entry);
  }

  /** After the context's epochs have moved on. @param globals global pages too */
  forget(globals: boolean): void {
    if (this.more.size === 0) return;
    if (globals) this.more.clear();
    else for (const [page, entry] of this.more) if (!(entry & Right.global)) this.more.delete(page);
  }

  drop(page: number): void {
    const slot = page & (CODE_SLOTS - 1);
    if (this.page[slot] === page) this.page[slot] = -1;
    if (this.more.size !== 0) this.more.delete(page);
  }

  /** All fragments of large pages in 4 MiB. */
  dropLarge(region: number): void {
    for (let n = 0; n < CODE_SLOTS; n++)
      if (this.page[n] >>> 10 === region && this.entry[n] & Right.large) this.page[n] = -1;
    for (const [page, entry] of this.more)
      if (page >>> 10 === region && entry & Right.large) this.more.delete(page);
  }
}

/** Entries of a context whose slot another one has taken: one a slot, so that each context has a whole TLB of its own. */
export class Away {
  /** As the words of the TLB's entries, and its epochs; -1 = none. */
  readonly page: Int32Array;
  readonly offset: Int32Array;
  readonly epoch: Float64Array;
  readonly globalEpoch: Float64Array;

  constructor(slots: number) {
    this.page = new Int32Array(slots).fill(-1);
    this.offset = new Int32Array(slots);
    this.epoch = new Float64Array(slots);
    this.globalEpoch = new Float64Array(slots);
  }
}

export class TlbContext {
  /** Null as long as nothing of it had to give way. */
  away: Away | null = null;
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
