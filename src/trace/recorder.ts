// Where events are written: a bounded ring of packed records, the counters that are kept for ever, and a running hash.
// Readers pull by sequence number; nobody is called back in the middle of an instruction.
import { DomainCounts, type ExitCount, type HoleCount } from './counts.ts';
import { RECORD_WORDS, type TraceEvent } from './events.ts';
import { type PlaceClock, preempts } from './places.ts';

export type { ExitCount } from './counts.ts';

const TWO_32 = 2 ** 32;
const NOTHING: ReadonlyMap<number, never> = new Map<number, never>();

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
  /** By domain + 1: the host has the first place. */
  private readonly counted: (DomainCounts | undefined)[] = [];
  /** Who was asked for last: mostly the same one again. */
  private latest: DomainCounts | null = null;

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
    const start = (this.next++ & this.mask) * RECORD_WORDS;
    w[start] = kind | ((domain & 0xff) << 8) | ((this.vcpu & 0xff) << 16);
    w[start + 1] = time;
    w[start + 2] = time < TWO_32 ? 0 : Math.floor(time / TWO_32);
    w[start + 3] = eip;
    w[start + 4] = a;
    w[start + 5] = b;
    w[start + 6] = c;
    w[start + 7] = d;
    w[start + 8] = e;
    w[start + 9] = cost;
    if (this.hashing) this.addToHash(start);
    const { latest } = this;
    const counts = latest !== null && latest.domain === domain ? latest : this.countsOf(domain, time);
    counts.add(kind, time, eip, a, b, c, d, e, cost);
    // Whoever was preempted waits for the processor from here on.
    if (preempts(kind, a, c)) this.countsOf(a, time).place.move('ready', time);
    if (this.notify !== null) this.notify();
  }

  private addToHash(start: number): void {
    let h = this.hash;
    for (let at = start; at < start + RECORD_WORDS; at++) h = Math.imul(h ^ this.words[at], 0x01000193);
    this.hash = h;
  }

  private countsOf(domain: number, now: number): DomainCounts {
    if (this.latest !== null && this.latest.domain === domain) return this.latest;
    this.latest = this.counted[domain + 1] ??= new DomainCounts(domain, now);
    return this.latest;
  }

  /** Where a domain is, and its time by place. */
  placeOf(domain: number, now: number): PlaceClock {
    return this.countsOf(domain, now).place;
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
    if (domain !== undefined) return this.counted[domain + 1]?.kinds[kind] ?? 0;
    return this.counted.reduce((sum, counts) => sum + (counts?.kinds[kind] ?? 0), 0);
  }

  /** Exits by domain and reason, most frequent first. */
  exitCounts(domain?: number): ExitCount[] {
    const all = domain === undefined ? this.counted : [this.counted[domain + 1]];
    return all
      .flatMap((counts) => counts?.exits ?? [])
      .sort((x, y) => y.count - x.count || x.reason - y.reason);
  }

  /** Hypercalls by number, for a domain. */
  hypercallCounts(domain: number): ReadonlyMap<number, { count: number; failed: number }> {
    return this.counted[domain + 1]?.calls ?? NOTHING;
  }

  /** Silently wrong instructions by form of the instruction table, for a domain. */
  holeCounts(domain: number): ReadonlyMap<number, HoleCount> {
    return this.counted[domain + 1]?.holes ?? NOTHING;
  }

  /** Exits by guest instruction pointer, for a domain. */
  exitSites(domain: number): ReadonlyMap<number, number> {
    return this.counted[domain + 1]?.sites.toMap() ?? NOTHING;
  }

  /** Forgets what was counted for a domain (it was destroyed or booted anew). The log stays. */
  resetCounts(domain: number): void {
    this.counted[domain + 1] = undefined;
    this.latest = null;
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
