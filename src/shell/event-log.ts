// The events that the page knows, in order: those that frames brought (all of them in slow motion, a fair sample at
// speed) and windows that were asked for. Bounded; it always knows how many are missing between two of its rows.
import type { Cue, Director } from '../canvas/director.ts';
import { RECORD_WORDS, type TraceEvent } from '../trace/events.ts';
import { unpack } from '../trace/recorder.ts';

/** Events that are kept while new ones come in; and with those that were asked for. */
export const LOG_CAPACITY = 4096;
const LOG_LIMIT = 4 * LOG_CAPACITY;

export interface LogRow {
  event: TraceEvent;
  /** Its mark on the stage, if it has one. */
  cue: Cue | null;
  /** Events that happened between the row before and this one and are not known here. */
  missing: number;
}

export class EventLog {
  private events: TraceEvent[] = [];
  private cues: (Cue | null)[] = [];

  /** @param director says what an event means, from those before it */
  constructor(private readonly director: Director) {}

  get size(): number {
    return this.events.length;
  }

  clear(): void {
    this.events = [];
    this.cues = [];
  }

  /** Adds what a frame brought: newer than everything that is known. */
  append(words: Int32Array, seqs: Float64Array): void {
    const last = this.events.length > 0 ? this.events[this.events.length - 1].seq : -1;
    for (let n = 0; n < seqs.length; n++) {
      if (seqs[n] <= last) continue;
      const event = unpack(words, n * RECORD_WORDS, seqs[n]);
      this.events.push(event);
      this.cues.push(this.director.cue(event));
    }
    if (seqs.length > 0) this.trim(LOG_CAPACITY);
  }

  /** Adds a window of consecutive events that was asked for. @param from sequence number of its first */
  insert(words: Int32Array, from: number): void {
    const count = words.length / RECORD_WORDS;
    const known = this.events.filter((e) => e.seq < from || e.seq >= from + count);
    const at = known.findIndex((e) => e.seq >= from + count);
    const window = Array.from({ length: count }, (_, n) => unpack(words, n * RECORD_WORDS, from + n));
    known.splice(at < 0 ? known.length : at, 0, ...window);
    this.events = known;
    this.trim(LOG_LIMIT);
    this.cues = this.events.map((event) => this.director.cue(event));
  }

  /** The event with this number, or undefined when it is not known here. */
  find(seq: number): TraceEvent | undefined {
    return this.events[this.indexOf(seq)];
  }

  /** The mark of the event with this number. */
  cueOf(seq: number): Cue | null {
    return this.cues[this.indexOf(seq)] ?? null;
  }

  private indexOf(seq: number): number {
    let low = 0;
    let high = this.events.length - 1;
    while (low <= high) {
      const middle = (low + high) >> 1;
      const at = this.events[middle].seq;
      if (at === seq) return middle;
      if (at < seq) low = middle + 1;
      else high = middle - 1;
    }
    return -1;
  }

  /** The rows that pass, oldest first. @param oldest the first event that can still be asked for */
  rows(passes: (event: TraceEvent, cue: Cue | null) => boolean, oldest = Number.POSITIVE_INFINITY): LogRow[] {
    const rows: LogRow[] = [];
    let missing = 0;
    let before = this.events.length > 0 ? Math.min(this.events[0].seq, oldest) - 1 : 0;
    this.events.forEach((event, n) => {
      missing += event.seq - before - 1;
      before = event.seq;
      const cue = this.cues[n];
      if (!passes(event, cue)) return;
      rows.push({ event, cue, missing });
      missing = 0;
    });
    return rows;
  }

  private trim(limit: number): void {
    const surplus = this.events.length - limit;
    if (surplus <= 0) return;
    this.events.splice(0, surplus);
    this.cues.splice(0, surplus);
  }
}
