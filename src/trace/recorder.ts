// Where events are written: a bounded ring of packed records, the counters that are kept for ever, and a running hash.
// Writing one must cost next to nothing, so they are counted later, many at once: when somebody asks, or after `BATCH`.
// Readers pull by sequence number; nobody is called back in the middle of an instruction.
import { DomainCounts, type ExitCount, type HoleCount, isOnlyCounted } from './counts.ts';
import { costOf, Kind, RECORD_WORDS, type TraceEvent, timeOf } from './events.ts';
import { type PlaceClock, preempts } from './places.ts';
import { NOTE_WORDS, RING_NOTE, SOFTWARE } from './transfer-notes.ts';

export type { ExitCount } from './counts.ts';

const TWO_32 = 2 ** 32;
/** Events that wait for being counted, at most: they are still in the nearest cache. */
const BATCH = 512;
const NOTHING: ReadonlyMap<number, never> = new Map<number, never>();

export class Recorder {
  private readonly words: Int32Array;
  private readonly mask: number;
  /** Sequence number that the next event gets. */
  next = 0;
  /** FNV-1a over all words of all events when `hashing` is on: equal hashes, equal traces. */
  hash = 0x811c9dc5;
  hashing = false;
  /** Tells now, in cycles: the processor whose events these are. */
  clock: { readonly cycles: number } = { cycles: 0 };
  /** Called after each event: the session's stepping. Must not record. */
  notify: (() => void) | null = null;
  /** Domain and virtual processor that silicon events are attributed to; set by the run loop at a world switch. */
  domain = -1;
  vcpu = 0;
  /** Asked before each event of the silicon, when several share a kernel: whose is it? */
  attribute: ((eip: number) => number) | null = null;
  /** By domain + 1: the host has the first place. */
  private readonly counted: (DomainCounts | undefined)[] = [];
  /** The high word of the latest event's time, and the cycle from which it is that. */
  private high = 0;
  private from = 0;
  /** Events before this one are counted; and the one before which it must be done again. */
  private settled = 0;
  private due: number;
  /** Who was asked for last: mostly the same one again. */
  private latest: DomainCounts | null = null;

  /** @param capacity records kept, a power of two */
  constructor(readonly capacity = 1 << 16) {
    if (capacity & (capacity - 1)) throw new RangeError('capacity must be a power of two');
    this.words = new Int32Array(capacity * RECORD_WORDS);
    this.mask = capacity - 1;
    this.due = Math.min(capacity, BATCH);
  }

  /** Writes one event that happens now (`clock`). Attributed to the current domain. Arguments as in events.ts. */
  record(kind: number, eip: number, a = 0, b = 0, c = 0, d = 0, e = 0, cost = 0): void {
    if (this.attribute !== null) this.domain = this.attribute(eip);
    this.recordFor(this.domain, kind, eip, a, b, c, d, e, cost);
  }

  /** As `record`, for a named domain (-1 = the host). */
  recordFor(domain: number, kind: number, eip: number, a = 0, b = 0, c = 0, d = 0, e = 0, cost = 0): void {
    if (this.next === this.due) this.settle();
    // Read here: a time that is handed over would be allocated for each event.
    const time = this.clock.cycles;
    if (time < this.from || time >= this.from + TWO_32) this.turnTo(time);
    const w = this.words;
    const start = (this.next++ & this.mask) * RECORD_WORDS;
    w[start] = kind | ((domain & 0xff) << 8) | ((this.vcpu & 0xff) << 16);
    w[start + 1] = time;
    w[start + 2] = this.high;
    w[start + 3] = eip;
    w[start + 4] = a;
    w[start + 5] = b;
    w[start + 6] = c;
    w[start + 7] = d;
    w[start + 8] = e;
    w[start + 9] = cost;
    if (cost >= TWO_32) w[start] |= Math.floor(cost / TWO_32) << 24;
    if (this.hashing) this.addToHash(start);
    if (this.notify !== null) this.notify();
  }

  /** As `recordFor`, for what happened, or is said to have happened, at `time` (cycles). */
  recordAt(domain: number, kind: number, time: number, eip: number, ...rest: number[]): void {
    const { clock } = this;
    this.clock = { cycles: time };
    const [a, b, c, d, e, cost] = rest;
    this.recordFor(domain, kind, eip, a, b, c, d, e, cost);
    this.clock = clock;
  }

  /** The high word of the time changes, once in billions of cycles: dividing for each event would take a third of its writing. */
  private turnTo(time: number): void {
    this.high = Math.floor(time / TWO_32);
    this.from = this.high * TWO_32;
  }

  /**
   * Writes the events that compiled code has noted (transfer-notes.ts), which it does only where nobody asks whose they are.
   * @param end cycle at which the budget ends that each note tells the rest of
   * @param inward cycles of a delivery through a gate to an inner ring; `level`: within the ring
   */
  recordTransfers(notes: Int32Array, count: number, end: number, inward: number, level: number): void {
    if (this.notify !== null || this.hashing) {
      this.recordOneByOne(notes, count, end, inward, level);
      return;
    }
    // These are counted at once: there is little to count.
    this.settle();
    const { words: w, mask, next, domain } = this;
    const head = ((domain & 0xff) << 8) | ((this.vcpu & 0xff) << 16);
    const { place, kinds } = this.countsOf(domain, end - notes[1]);
    let rings = 0;
    for (let n = 0; n < count; n++) {
      const note = n * NOTE_WORDS;
      const what = notes[note];
      const time = end - notes[note + 1];
      const before = (what >>> 8) & 3;
      const after = (what >>> 10) & 3;
      const start = ((next + n) & mask) * RECORD_WORDS;
      w[start + 1] = time;
      w[start + 2] = time < TWO_32 ? 0 : Math.floor(time / TWO_32);
      w[start + 3] = notes[note + 2];
      if (what & RING_NOTE) {
        rings++;
        w[start] = head | Kind.ring;
        w[start + 4] = before;
        w[start + 5] = after;
        w[start + 6] = w[start + 7] = w[start + 8] = w[start + 9] = 0;
      } else {
        w[start] = head | Kind.interrupt;
        w[start + 4] = what & 0xff;
        w[start + 5] = -1;
        w[start + 6] = before;
        w[start + 7] = after;
        w[start + 8] = SOFTWARE;
        w[start + 9] = before === after ? level : inward;
      }
      place.moveInside(after === 3, time);
    }
    kinds[Kind.ring] += rings;
    kinds[Kind.interrupt] += count - rings;
    this.next = this.settled = next + count;
    this.due = this.next + Math.min(this.capacity, BATCH);
  }

  private recordOneByOne(notes: Int32Array, count: number, end: number, inward: number, level: number): void {
    for (let n = 0; n < count * NOTE_WORDS; n += NOTE_WORDS) {
      const what = notes[n];
      const time = end - notes[n + 1];
      const eip = notes[n + 2] >>> 0;
      const before = (what >>> 8) & 3;
      const after = (what >>> 10) & 3;
      const cost = before === after ? level : inward;
      if (what & RING_NOTE) this.recordAt(this.domain, Kind.ring, time, eip, before, after);
      else
        this.recordAt(this.domain, Kind.interrupt, time, eip, what & 0xff, -1, before, after, SOFTWARE, cost);
    }
  }

  /** Counts what has been recorded since. */
  private settle(): void {
    const { words, mask, next } = this;
    let counts = this.latest;
    for (let seq = this.settled; seq < next; ) {
      const at = (seq & mask) * RECORD_WORDS;
      const kindAndDomain = words[at] & 0xffff;
      const domain = (kindAndDomain << 16) >> 24;
      if (counts === null || counts.domain !== domain) counts = this.countsOf(domain, timeOf(words, at));
      const kind = kindAndDomain & 0xff;
      if (isOnlyCounted(kind)) {
        // Accesses to a device come in hundreds.
        const first = seq++;
        while (seq < next && (words[(seq & mask) * RECORD_WORDS] & 0xffff) === kindAndDomain) seq++;
        counts.kinds[kind] += seq - first;
        continue;
      }
      counts.add(kind, words, at);
      // Whoever was preempted waits for the processor from here on.
      if (kind === Kind.schedule && preempts(kind, words[at + 4], words[at + 6])) {
        const time = timeOf(words, at);
        counts = this.countsOf(words[at + 4], time);
        counts.place.move('ready', time);
      }
      seq++;
    }
    this.settled = next;
    this.due = next + Math.min(this.capacity, BATCH);
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
    this.settle();
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
    this.settle();
    if (domain !== undefined) return this.counted[domain + 1]?.kinds[kind] ?? 0;
    return this.counted.reduce((sum, counts) => sum + (counts?.kinds[kind] ?? 0), 0);
  }

  /** Exits by domain and reason, most frequent first. */
  exitCounts(domain?: number): ExitCount[] {
    this.settle();
    const all = domain === undefined ? this.counted : [this.counted[domain + 1]];
    return all
      .flatMap((counts) => counts?.exits ?? [])
      .sort((x, y) => y.count - x.count || x.reason - y.reason);
  }

  /** Hypercalls by number, for a domain. */
  hypercallCounts(domain: number): ReadonlyMap<number, { count: number; failed: number }> {
    this.settle();
    return this.counted[domain + 1]?.calls ?? NOTHING;
  }

  /** Silently wrong instructions by form of the instruction table, for a domain. */
  holeCounts(domain: number): ReadonlyMap<number, HoleCount> {
    this.settle();
    return this.counted[domain + 1]?.holes ?? NOTHING;
  }

  /** Exits by guest instruction pointer, for a domain. */
  exitSites(domain: number): ReadonlyMap<number, number> {
    this.settle();
    return this.counted[domain + 1]?.sites.toMap() ?? NOTHING;
  }

  /** Forgets what was counted for a domain (it was destroyed or booted anew). The log stays. */
  resetCounts(domain: number): void {
    this.settle();
    this.counted[domain + 1] = undefined;
    this.latest = null;
  }
}

/** Reads the record that starts at word `at`. */
export function unpack(words: Int32Array, at: number, seq: number): TraceEvent {
  const head = words[at];
  return {
    seq,
    time: timeOf(words, at),
    kind: head & 0xff,
    domain: (head << 16) >> 24,
    vcpu: (head >> 16) & 0xff,
    eip: words[at + 3] >>> 0,
    a: words[at + 4],
    b: words[at + 5],
    c: words[at + 6],
    d: words[at + 7],
    e: words[at + 8],
    cost: costOf(words, at),
  };
}
