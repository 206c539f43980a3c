// Where time went since the session began: an overview of bounded size (buckets that merge in pairs as time grows), and
// windows of detail from the events that are still held. Both are folded from the trace by the same rule (spans.ts).
import { isBare } from '../hypervisor/technique.ts';
import { RECORD_WORDS, timeOf, Vendor } from '../trace/events.ts';
import { SPAN_PLACES } from '../trace/places.ts';
import type { Session } from './session.ts';
import { type FoldState, SpanFold, type SpanRules } from './spans.ts';

const PLACES = SPAN_PLACES.length;
/** Buckets of the overview; twice the pixels of a wide screen. */
const BUCKETS = 4096;
/** Cycles of a bucket in the beginning. */
const FIRST_WIDTH = 4096;
/** Events between two states from which a window can be folded. */
const STRIDE = 4096;
/** Records that are read from the log at once. */
const BATCH = 1024;
const MAX_BINS = 4096;
const MAX_SPANS = 1500;
const MAX_EVENTS = 300;

/** Where time went in a stretch of it. */
export interface TimelineWindow {
  /** Bounds in cycles, and the session's time. */
  from: number;
  to: number;
  now: number;
  domains: number;
  bins: number;
  /** Shares of each bin by domain, bin, place (SPAN_PLACES). What is missing to 1: the domain was not there. */
  shares: Float32Array;
  /** From this cycle on the events are held, and bins are exact. */
  exactFrom: number;
  /** Every span that touches the window as domain, place, from, to; null when there are too many, or they are no longer known. */
  spans: Float64Array | null;
  /** Every event of the window, packed, and the number of the first; null when there are too many. */
  events: Int32Array | null;
  firstEvent: number;
}

interface Mark extends FoldState {
  seq: number;
  time: number;
}

export class Overview {
  private width = FIRST_WIDTH;
  private readonly sums: Float64Array;
  private readonly fold: SpanFold;
  private readonly domains: number;
  private readonly marks: Mark[] = [];
  private readonly batch = new Int32Array(BATCH * RECORD_WORDS);
  /** Sequence number of the next event to read. */
  private next = 0;

  constructor(private readonly session: Session) {
    this.domains = session.domains.length;
    this.sums = new Float64Array(BUCKETS * this.domains * PLACES);
    this.fold = new SpanFold(this.domains, this.rules, (domain, place, from, to) =>
      this.add(domain, place, from, to),
    );
    this.mark(0);
  }

  /** As session/explain.ts tells a cost: into ring 0 by a gate, and back within the handler's own time. */
  private readonly rules: SpanRules = {
    crossing: (vendor) => {
      const { vmExit, vmEntry, interruptDelivery } = this.session.host.pc.cost.charges;
      return vendor === Vendor.vmx || vendor === Vendor.svm
        ? { into: vmExit.cycles, out: vmEntry.cycles }
        : { into: interruptDelivery.cycles, out: 0 };
    },
    bare: (domain) => isBare(this.session.domains[domain].technique),
  };

  /** Reads what was recorded since the last call. Call it often: what has left the log by then is blank. */
  advance(): void {
    const { recorder } = this.session.host;
    if (this.next < recorder.oldest) {
      this.fold.lose(this.timeAt(recorder.oldest));
      this.next = recorder.oldest;
      this.mark(this.timeAt(this.next));
    }
    while (this.next < recorder.next) {
      const end = Math.min(recorder.next, this.next + BATCH, this.marks[this.marks.length - 1].seq + STRIDE);
      recorder.copy(this.next, end, this.batch);
      for (let n = 0; n < end - this.next; n++) this.fold.feed(this.batch, n * RECORD_WORDS);
      const time = timeOf(this.batch, (end - this.next - 1) * RECORD_WORDS);
      this.next = end;
      if (end - this.marks[this.marks.length - 1].seq >= STRIDE) this.mark(time);
    }
  }

  private mark(time: number): void {
    const { oldest } = this.session.host.recorder;
    this.marks.push({ seq: this.next, time, ...this.fold.state });
    while (this.marks.length > 1 && this.marks[0].seq < oldest) this.marks.shift();
  }

  /** Adds a span to the buckets that it covers. */
  private add(domain: number, place: number, from: number, to: number): void {
    while (to >= this.width * BUCKETS) this.merge();
    const { width } = this;
    for (let n = Math.floor(from / width); n * width < to; n++)
      this.sums[(n * this.domains + domain) * PLACES + place] +=
        Math.min(to, (n + 1) * width) - Math.max(from, n * width);
  }

  /** Each bucket becomes twice as wide. */
  private merge(): void {
    const { sums } = this;
    const row = this.domains * PLACES;
    for (let n = 0; n < BUCKETS / 2; n++)
      for (let k = 0; k < row; k++) sums[n * row + k] = sums[2 * n * row + k] + sums[(2 * n + 1) * row + k];
    sums.fill(0, (BUCKETS / 2) * row);
    this.width *= 2;
  }

  /** Time of an event that is held. */
  private timeAt(seq: number): number {
    const { recorder } = this.session.host;
    return recorder.get(seq)?.time ?? this.session.now;
  }

  /** First event that is held and not before `time`. */
  private firstFrom(time: number): number {
    const { recorder } = this.session.host;
    let low = recorder.oldest;
    let high = recorder.next;
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      if (this.timeAt(middle) < time) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** The event of a domain that is nearest to a moment (cycles); null when none is held. */
  eventAt(domain: number, time: number): number | null {
    const { recorder } = this.session.host;
    const from = this.firstFrom(time);
    const search = (start: number, step: number): number | null => {
      for (let seq = start, n = 0; n < STRIDE; seq += step, n++) {
        const event = recorder.get(seq);
        if (!event) return null;
        if (event.domain === domain) return seq;
      }
      return null;
    };
    const after = search(from, 1);
    const before = search(from - 1, -1);
    if (before === null || after === null) return before ?? after;
    return time - this.timeAt(before) <= this.timeAt(after) - time ? before : after;
  }

  /** Where time went between two moments (cycles), in so many bins. */
  window(from: number, to: number, bins: number): TimelineWindow {
    this.advance();
    const { now, domains } = this.session;
    const start = Math.max(0, Number.isFinite(from) ? from : 0);
    const end = Math.max(start + 1, Number.isFinite(to) ? to : now);
    const count = Math.max(1, Math.min(MAX_BINS, Math.floor(bins) || 1));
    const shares = new Float32Array(domains.length * count * PLACES);
    const { oldest } = this.session.host.recorder;
    const held = this.marks.filter((m) => m.seq >= oldest);
    const exactFrom = held[0]?.time ?? now;
    const wide = (end - start) / count;
    // Bins from here on are exact; those before come from the overview.
    const firstExact = Math.min(count, Math.max(0, Math.ceil((exactFrom - start) / wide)));
    const put = (domain: number, place: number, a: number, b: number, first: number, last: number) => {
      const low = Math.max(a, start + first * wide);
      const high = Math.min(b, start + last * wide);
      for (let n = Math.max(first, Math.floor((low - start) / wide)); n < last; n++) {
        const left = start + n * wide;
        if (left >= high) break;
        const part = Math.min(high, left + wide) - Math.max(low, left);
        if (part > 0) shares[(domain * count + n) * PLACES + place] += part / wide;
      }
    };
    if (firstExact > 0) {
      this.coarse(start, start + firstExact * wide, (d, p, a, b, part) => {
        // A bucket's cycles lie evenly in it: finer is not known.
        const scale = part / (b - a);
        const low = Math.max(0, Math.floor((a - start) / wide));
        for (let n = low; n < firstExact && start + n * wide < b; n++) {
          const left = start + n * wide;
          const overlap = Math.min(b, left + wide) - Math.max(a, left);
          if (overlap > 0) shares[(d * count + n) * PLACES + p] += (overlap * scale) / wide;
        }
      });
      this.fold.open(now, (d, p, a, b) => put(d, p, a, b, 0, firstExact));
    }
    const spans: number[] = [];
    let many = exactFrom > start;
    if (firstExact < count) {
      this.exact(held, start + firstExact * wide, end, (d, p, a, b) => {
        if (b <= start || a >= end) return;
        put(d, p, a, b, firstExact, count);
        if (spans.length >= MAX_SPANS * 4) many = true;
        else spans.push(d, p, a, b);
      });
    }
    return {
      from: start,
      to: end,
      now,
      domains: domains.length,
      bins: count,
      shares,
      exactFrom,
      spans: many ? null : Float64Array.from(spans),
      ...this.eventsIn(start, end, exactFrom),
    };
  }

  private eventsIn(
    from: number,
    to: number,
    exactFrom: number,
  ): Pick<TimelineWindow, 'events' | 'firstEvent'> {
    const firstEvent = this.firstFrom(from);
    const last = this.firstFrom(to);
    if (from < exactFrom || last - firstEvent > MAX_EVENTS) return { events: null, firstEvent };
    const events = new Int32Array((last - firstEvent) * RECORD_WORDS);
    this.session.host.recorder.copy(firstEvent, last, events);
    return { events, firstEvent };
  }

  /** Buckets that overlap a stretch: domain, place, the bucket's bounds, cycles spent there. */
  private coarse(
    from: number,
    to: number,
    tell: (domain: number, place: number, a: number, b: number, cycles: number) => void,
  ): void {
    const { width, sums } = this;
    for (let n = Math.floor(from / width); n < BUCKETS && n * width < to; n++)
      for (let d = 0; d < this.domains; d++)
        for (let p = 0; p < PLACES; p++) {
          const cycles = sums[(n * this.domains + d) * PLACES + p];
          if (cycles > 0) tell(d, p, n * width, (n + 1) * width, cycles);
        }
  }

  /** Folds the held events around a stretch anew. */
  private exact(
    marks: readonly Mark[],
    from: number,
    to: number,
    tell: (domain: number, place: number, a: number, b: number) => void,
  ): void {
    const mark = marks.findLast((m) => m.time <= from) ?? marks[0];
    if (!mark) return;
    const fold = new SpanFold(this.domains, this.rules, tell);
    fold.state = mark;
    // One event beyond the stretch in each lane ends what began in it; a stride is enough, and the rest lasts.
    const { recorder } = this.session.host;
    const last = Math.min(recorder.next, this.firstFrom(to) + BATCH);
    for (let seq = mark.seq; seq < last; seq += BATCH) {
      const end = Math.min(last, seq + BATCH);
      recorder.copy(seq, end, this.batch);
      for (let n = 0; n < end - seq; n++) fold.feed(this.batch, n * RECORD_WORDS);
    }
    if (last === recorder.next) fold.open(this.session.now, tell);
    else fold.open(to, tell);
  }
}
