// What the engine knows of one page of code: where it is hot, what was compiled of it, and what of that may be good again when
// the code has changed.
import type { Heat } from '../cpu/code-cache.ts';
import { widen } from '../wide-numbers.ts';
import type { CompiledCode } from './compiled-code.ts';
import { type Entry, MOST_TARGETS, type Owner, type Runnable, unhook } from './enter.ts';
import type { Links } from './links.ts';

/** Cycles in which samples must come together: code that is met more seldom is not hot. */
const COOLS = 10_000_000;
/** A page whose code was compiled this often changes too much; half of that is forgotten after so many cycles. */
const MOST_COMPILES = 60;
const FORGETS = 50_000_000;
/** Of so many times that control left for another page, one is looked at. */
const LEFT = 16;

/** What a page tells the engine. */
interface Regions {
  readonly links: Links;
  /** Control has come from another page. */
  arrive(): void;
}

/** What is known of one page of code. */
export class PageHeat implements Heat {
  readonly supervisor: ModeHeat;
  readonly user: ModeHeat;

  constructor(engine: Regions) {
    this.supervisor = new ModeHeat(engine, false);
    this.user = new ModeHeat(engine, true);
  }

  clear(): void {
    this.supervisor.clear();
    this.user.clear();
  }
}

interface Compiled {
  readonly region: Runnable;
  readonly code: CompiledCode;
}

/** What was compiled and what was known, of a page whose code has changed since. */
export interface Earlier extends Compiled {
  readonly ways: readonly { readonly index: number; readonly at: number }[];
  readonly covered: ReadonlySet<number>;
  readonly starts: readonly number[];
  readonly targets: readonly number[];
  readonly walks: readonly number[];
  readonly newTargets: boolean;
  readonly stale: boolean;
}

/** What is known of one page of code as one of supervisor and user runs it. */
export class ModeHeat implements Owner {
  /** Samples since something was compiled: where nothing is compiled, and where something is. */
  samples = 0;
  missed = 0;
  /** Regions compiled, also of code that has gone since. */
  compiles = 0;
  /** Offsets in compiled code, or not worth another look. */
  readonly covered = new Set<number>();
  readonly starts = new Set<number>();
  /** Places that were jumped to and were no entries. */
  readonly targets = new Set<number>();
  readonly faults: Owner['faults'] = new Map();
  /** Places that miss the TLB often: how often so far, and those for which that was too often. */
  readonly misses: Owner['misses'] = new Map();
  readonly walks = new Set<number>();
  newTargets = false;
  /** Its loops are entries: that stays so when its code changes. */
  loopsToo = false;
  /** What was compiled before the code changed, and nothing else, is compiled, until that is found hot too; null = all. */
  within: ReadonlySet<number> | null = null;
  /** What was known of it. */
  private formerTargets: readonly number[] = [];
  strange = 0;
  stale = false;
  beside = false;
  storesBeside = 0;
  entries: readonly Entry[] = [];
  /** What the entries lead to, and the code that it was made from. */
  compiled: Compiled | null = null;
  /** What was compiled before the code changed, and still has to be compared with it. */
  earlier: Earlier | null = null;
  /** Number of its table; -1 = none. */
  table = -1;

  constructor(
    private readonly engine: Regions,
    private readonly user: boolean,
  ) {
    widen(this, 'countedFrom', 'remembered');
  }

  private left = 0;
  private countedFrom = 0;
  private remembered = 0;

  /** Forgets samples that are long past. @param now in cycles */
  cool(now: number): void {
    if (now - this.countedFrom <= COOLS) return;
    this.countedFrom = now;
    this.samples = this.missed = 0;
  }

  /** Has been compiled too often of late. @param now in cycles */
  tired(now: number): boolean {
    if (this.compiles <= MOST_COMPILES) return false;
    if (this.remembered === 0) this.remembered = now;
    if (now - this.remembered < FORGETS) return true;
    this.compiles >>= 1;
    this.remembered = 0;
    return false;
  }

  /** One in so many is looked at: what is called often is found soon. */
  leave(): void {
    if (++this.left % LEFT === 0) this.engine.arrive();
  }

  clear(): void {
    if (this.compiled !== null) this.remember(this.compiled);
    this.covered.clear();
    this.starts.clear();
    this.targets.clear();
    this.misses.clear();
    this.faults.clear();
    this.walks.clear();
    this.newTargets = this.stale = false;
    this.strange = 0;
    this.uninstall();
  }

  private remember({ region, code }: Compiled): void {
    const { newTargets, stale } = this;
    this.within = new Set(this.covered);
    this.formerTargets = [...this.targets];
    this.earlier = {
      region,
      code,
      ways: this.entries.map(({ index, at }) => ({ index, at })),
      covered: this.within,
      starts: [...this.starts],
      targets: this.formerTargets,
      walks: [...this.walks],
      newTargets,
      stale,
    };
  }

  /** Something is to be compiled. @returns the offsets that it may consist of, when `at` was compiled before the code changed; null = all */
  confine(at: number): ReadonlySet<number> | null {
    if (!this.within?.has(at)) this.within = null;
    return this.within;
  }

  /** What was jumped to before the code changed is, where it still belongs to what is compiled. @returns whether there is such a place */
  recall(isCompiled: (at: number) => boolean): boolean {
    const before = this.targets.size;
    for (const at of this.formerTargets)
      if (this.targets.size < MOST_TARGETS && isCompiled(at)) this.targets.add(at);
    this.formerTargets = this.formerTargets.filter((at) => !this.targets.has(at));
    return this.targets.size > before;
  }

  /** It is as if the code had not changed. */
  restore(earlier: Earlier, entries: readonly Entry[]): void {
    const { region, code, covered, starts, targets, walks } = earlier;
    this.compiled = { region, code };
    this.entries = entries;
    this.newTargets ||= earlier.newTargets;
    this.stale ||= earlier.stale;
    for (const at of covered) this.covered.add(at);
    for (const at of starts) this.starts.add(at);
    for (const at of targets) if (this.targets.size < MOST_TARGETS) this.targets.add(at);
    for (const at of walks) this.walks.add(at);
    this.samples = this.missed = 0;
  }

  /** Its table goes to another page. */
  evict(): void {
    this.uninstall();
    this.earlier = null;
  }

  /** Everything is interpreted again. */
  uninstall(): void {
    for (const entry of this.entries) unhook(entry, this.user);
    this.entries = [];
    this.compiled = null;
    this.engine.links.changes++;
    this.covered.clear();
  }
}
