// From events to spans: where each domain was, from when to when. The rule is that of trace/places.ts; what a processor
// spends on the way between guest and hypervisor (the silicon's share, cost/) is told apart as `switch`.
import { Kind, Life, timeOf } from '../trace/events.ts';
import { type Place, PlaceClock, preempts, SPAN_PLACES } from '../trace/places.ts';

const SWITCH = SPAN_PLACES.indexOf('switch');

/** Cycles that the silicon takes into the hypervisor, and out of it. */
export interface Crossing {
  into: number;
  out: number;
}
/** What the trace does not say by itself. */
export interface SpanRules {
  /** What a world switch costs the processor, by Vendor.*. */
  crossing(vendor: number): Crossing;
  /** The domain is the bare machine's: nobody enters it, it has the processor from its first cycle. */
  bare(domain: number): boolean;
}
/** A span that has ended. `place` is an index of SPAN_PLACES; times in cycles. */
export type SpanListener = (domain: number, place: number, from: number, to: number) => void;

/** One domain's place: tells of each span when it ends. */
class Lane extends PlaceClock {
  /** Kind of the last exit; -1 before the first. */
  vendor = -1;

  constructor(
    readonly domain: number,
    private readonly ended: SpanListener,
  ) {
    super(0);
    this.place = 'off';
  }

  protected override moveTo(slot: number, now: number): void {
    if (slot === this.slot) return;
    this.tell(now);
    this.slot = slot;
    this.since = Math.max(this.since, now);
  }

  /** The last `cycles` before `now` were spent on the way. */
  cross(cycles: number, now: number): void {
    if (this.place === 'off') return;
    const from = Math.max(this.since, now - cycles);
    this.tell(from);
    if (now > from) this.ended(this.domain, SWITCH, from, now);
    this.since = Math.max(this.since, now);
  }

  /** Says what lasts from `since` to `now`. */
  tell(now: number, listener = this.ended): void {
    if (this.place !== 'off' && now > this.since)
      listener(this.domain, SPAN_PLACES.indexOf(this.place), this.since, now);
  }
}

/** Where all domains were at one moment, by domain: a fold can begin there. */
export interface FoldState {
  places: Place[];
  since: number[];
  vendors: number[];
}

export class SpanFold {
  private readonly lanes: Lane[];

  constructor(
    domains: number,
    private readonly rules: SpanRules,
    ended: SpanListener,
  ) {
    this.lanes = Array.from({ length: domains }, (_, id) => new Lane(id, ended));
  }

  /** The next event, packed (trace/events.ts), at word `at`. */
  feed(words: Int32Array, at: number): void {
    const kind = words[at] & 0xff;
    const domain = (words[at] << 16) >> 24;
    const time = timeOf(words, at);
    const a = words[at + 4];
    const b = words[at + 5];
    if (preempts(kind, a, words[at + 6])) this.lanes[a]?.move('ready', time);
    const lane = this.lanes[domain];
    if (!lane) return;
    if (kind === Kind.exit) {
      lane.vendor = words[at + 8];
      if (lane.place === 'user' || lane.place === 'kernel')
        lane.cross(this.rules.crossing(lane.vendor).into, time);
    } else if (kind === Kind.entry && lane.vendor >= 0)
      lane.cross(this.rules.crossing(lane.vendor).out, time);
    lane.observe(kind, a, b, words[at + 7], time);
    if (kind === Kind.domain && a === Life.booted && this.rules.bare(domain)) lane.move('kernel', time);
  }

  /** Nothing is known from here on, until the next event says so. */
  lose(now: number): void {
    for (const lane of this.lanes) lane.move('off', now);
  }

  /** Tells of the spans that have not ended yet, as far as `now`. */
  open(now: number, listener: SpanListener): void {
    for (const lane of this.lanes) lane.tell(now, listener);
  }

  get state(): FoldState {
    return {
      places: this.lanes.map((l) => l.place),
      since: this.lanes.map((l) => l.since),
      vendors: this.lanes.map((l) => l.vendor),
    };
  }
  set state({ places, since, vendors }: FoldState) {
    this.lanes.forEach((lane, id) => {
      lane.place = places[id];
      lane.since = since[id];
      lane.vendor = vendors[id];
    });
  }
}
