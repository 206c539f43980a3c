// Where events are written: a bounded ring of packed records, the counters that are kept for ever, and a running hash.
// Readers pull by sequence number; nobody is called back in the middle of an instruction.
import { Kind, RECORD_WORDS, type TraceEvent } from './events.ts';
import { PlaceClock, preempts } from './places.ts';

const TWO_32 = 2 ** 32;
const MAX_SITES = 4096;

/** What has been counted for one exit reason of one domain. */
export interface ExitCount {
  domain: number;
  vendor: number;
  reason: number;
  count: number;
  /** Cycles from the exit to the following entry, summed; and the extremes. */
  cycles: number;
  min: number;
  max: number;
}

export class Recorder {
  private readonly words: Int32Array;
  private readonly mask: number;
  /** Sequence number that the next event gets. */
  next = 0;
  /** FNV-1a over all words of all events when `hashing` is on: equal hashes, equal traces. */
  hash = 0x811c9dc5;
  hashing = false;
  /** Called after each event: the session's stepping. Must not record. */
  notify: (() => void) | null = null;
  /** Domain and virtual processor that silicon events are attributed to; set by the run loop at a world switch. */
  domain = -1;
  vcpu = 0;
  /** Asked before each event of the silicon, when several share a kernel: whose is it? */
  attribute: ((time: number, eip: number) => number) | null = null;
  /** Events per domain (index domain + 1) and kind (0..31). */
  private readonly kindCounts: number[][] = [];
  private readonly places = new Map<number, PlaceClock>();
  /** Who was asked for last: mostly the same one again. */
  private latestDomain = 0;
  private latestPlace: PlaceClock | null = null;
  private readonly exits = new Map<number, ExitCount>();
  private readonly sites = new Map<number, Map<number, number>>();
  private readonly calls = new Map<number, Map<number, { count: number; failed: number }>>();
  private readonly holes = new Map<number, Map<number, number>>();
  private readonly openExit: (ExitCount | undefined)[] = [];

  /** @param capacity records kept, a power of two */
  constructor(readonly capacity = 1 << 16) {
    if (capacity & (capacity - 1)) throw new RangeError('capacity must be a power of two');
    this.words = new Int32Array(capacity * RECORD_WORDS);
    this.mask = capacity - 1;
  }

  /** Writes one event; `time` in cycles. Attributed to the current domain. */
  record(kind: number, time: number, eip: number, a = 0, b = 0, c = 0, d = 0, e = 0, cost = 0): void {
    if (this.attribute) this.domain = this.attribute(time, eip);
    this.recordFor(this.domain, kind, time, eip, a, b, c, d, e, cost);
  }

  /** Writes one event for a named domain (-1 = the host). */
  recordFor(
    domain: number,
    kind: number,
    time: number,
    eip: number,
    a = 0,
    b = 0,
    c = 0,
    d = 0,
    e = 0,
    cost = 0,
  ): void {
    const w = this.words;
    let at = (this.next++ & this.mask) * RECORD_WORDS;
    const start = at;
    w[at++] = kind | ((domain & 0xff) << 8) | ((this.vcpu & 0xff) << 16);
    w[at++] = time | 0;
    w[at++] = Math.floor(time / TWO_32);
    w[at++] = eip;
    w[at++] = a;
    w[at++] = b;
    w[at++] = c;
    w[at++] = d;
    w[at++] = e;
    w[at] = cost;
    if (this.hashing) {
      let h = this.hash;
      for (let i = start; i <= at; i++) h = Math.imul(h ^ w[i], 0x01000193);
      this.hash = h;
    }
    const counts = (this.kindCounts[domain + 1] ??= new Array(32).fill(0));
    counts[kind]++;
    this.placeOf(domain, time).observe(kind, a, b, d, time);
    // Whoever was preempted waits for the processor from here on.
    if (preempts(kind, a, c)) this.placeOf(a, time).move('ready', time);
    if (kind === Kind.exit) this.countExit(domain, eip >>> 0, e, a);
    else if (kind === Kind.entry) this.closeExit(domain, cost);
    else if (kind === Kind.hypercall) this.countCall(domain, a, e);
    else if (kind === Kind.hole) this.countHole(domain, a);
    this.notify?.();
  }

  /** Where a domain is, and its time by place. */
  placeOf(domain: number, now: number): PlaceClock {
    if (domain === this.latestDomain && this.latestPlace !== null) return this.latestPlace;
    let clock = this.places.get(domain);
    if (!clock) this.places.set(domain, (clock = new PlaceClock(now)));
    this.latestDomain = domain;
    this.latestPlace = clock;
    return clock;
  }

  private countExit(domain: number, eip: number, vendor: number, reason: number): void {
    const key = (domain + 1) * 0x100000 + vendor * 0x10000 + (reason & 0xffff);
    let entry = this.exits.get(key);
    if (!entry)
      this.exits.set(key, (entry = { domain, vendor, reason, count: 0, cycles: 0, min: Infinity, max: 0 }));
    entry.count++;
    let sites = this.sites.get(domain);
    if (!sites) this.sites.set(domain, (sites = new Map()));
    // Bounded: a guest that exits everywhere keeps its first sites.
    if (sites.size < MAX_SITES || sites.has(eip)) sites.set(eip, (sites.get(eip) ?? 0) + 1);
    this.openExit[domain + 1] = entry;
  }

  private closeExit(domain: number, cost: number): void {
    const entry = this.openExit[domain + 1];
    if (!entry) return;
    entry.cycles += cost;
    entry.min = Math.min(entry.min, cost);
    entry.max = Math.max(entry.max, cost);
    this.openExit[domain + 1] = undefined;
  }

  /** Oldest sequence number still held. */
  get oldest(): number {
    return Math.max(0, this.next - this.capacity);
  }

  /** One event, or undefined when it is no longer (or not yet) held. */
  get(seq: number): TraceEvent | undefined {
    if (seq < this.oldest || seq >= this.next) return undefined;
    return unpack(this.words, (seq & this.mask) * RECORD_WORDS, seq);
  }

  /** Copies the packed words of [from, to) into `target` at record index `at`. The caller has checked the range. */
  copy(from: number, to: number, target: Int32Array, at = 0): void {
    for (let seq = from, out = at * RECORD_WORDS; seq < to; seq++, out += RECORD_WORDS) {
      const start = (seq & this.mask) * RECORD_WORDS;
      target.set(this.words.subarray(start, start + RECORD_WORDS), out);
    }
  }

  /** Events of a kind so far; for one domain, or for all. */
  count(kind: number, domain?: number): number {
    if (domain !== undefined) return this.kindCounts[domain + 1]?.[kind] ?? 0;
    return this.kindCounts.reduce((sum, counts) => sum + (counts?.[kind] ?? 0), 0);
  }

  /** Exits by domain and reason, most frequent first. */
  exitCounts(domain?: number): ExitCount[] {
    const all = [...this.exits.values()].filter((x) => domain === undefined || x.domain === domain);
    return all.sort((x, y) => y.count - x.count || x.reason - y.reason);
  }

  private countCall(domain: number, number: number, result: number): void {
    let calls = this.calls.get(domain);
    if (!calls) this.calls.set(domain, (calls = new Map()));
    let call = calls.get(number);
    if (!call) {
      // Bounded: numbers come from the guest.
      if (calls.size >= MAX_SITES) return;
      calls.set(number, (call = { count: 0, failed: 0 }));
    }
    call.count++;
    if (result < 0 && result > -200) call.failed++;
  }

  private countHole(domain: number, form: number): void {
    let holes = this.holes.get(domain);
    if (!holes) this.holes.set(domain, (holes = new Map()));
    holes.set(form, (holes.get(form) ?? 0) + 1);
  }

  /** Hypercalls by number, for a domain. */
  hypercallCounts(domain: number): ReadonlyMap<number, { count: number; failed: number }> {
    return this.calls.get(domain) ?? new Map();
  }

  /** Silently wrong instructions by form of the instruction table, for a domain. */
  holeCounts(domain: number): ReadonlyMap<number, number> {
    return this.holes.get(domain) ?? new Map();
  }

  /** Exits by guest instruction pointer, for a domain. */
  exitSites(domain: number): ReadonlyMap<number, number> {
    return this.sites.get(domain) ?? new Map();
  }

  /** Forgets what was counted for a domain (it was destroyed or booted anew). The log stays. */
  resetCounts(domain: number): void {
    delete this.kindCounts[domain + 1];
    delete this.openExit[domain + 1];
    this.places.delete(domain);
    this.latestPlace = null;
    this.sites.delete(domain);
    this.calls.delete(domain);
    this.holes.delete(domain);
    for (const [key, entry] of this.exits) if (entry.domain === domain) this.exits.delete(key);
  }
}

/** Reads the record that starts at word `at`. */
export function unpack(words: Int32Array, at: number, seq: number): TraceEvent {
  const head = words[at];
  return {
    seq,
    time: (words[at + 1] >>> 0) + words[at + 2] * TWO_32,
    kind: head & 0xff,
    domain: (head << 16) >> 24,
    vcpu: (head >> 16) & 0xff,
    eip: words[at + 3] >>> 0,
    a: words[at + 4],
    b: words[at + 5],
    c: words[at + 6],
    d: words[at + 7],
    e: words[at + 8],
    cost: words[at + 9] >>> 0,
  };
}
