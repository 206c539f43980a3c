// The events that the page knows, in order: those that frames brought (all of them in slow motion, a fair sample at
// speed) and windows that were asked for. Bounded; it always knows how many are missing between two of its rows.
import { RECORD_WORDS, type TraceEvent } from '../trace/events.ts';
import { unpack } from '../trace/recorder.ts';

/** Events that are kept while new ones come in; and with those that were asked for. */
export const LOG_CAPACITY = 4096;
const LOG_LIMIT = 4 * LOG_CAPACITY;

export interface LogRow {
  event: TraceEvent;
  /** Events that happened between the row before and this one and are not known here. */
  missing: number;
}

export class EventLog {
  private events: TraceEvent[] = [];

  get size(): number {
    return this.events.length;
  }

  clear(): void {
    this.events = [];
  }

  /** Adds what a frame brought: newer than everything that is known. */
  append(words: Int32Array, seqs: Float64Array): void {
    const last = this.events.length > 0 ? this.events[this.events.length - 1].seq : -1;
    for (let n = 0; n < seqs.length; n++) {
      if (seqs[n] > last) this.events.push(unpack(words, n * RECORD_WORDS, seqs[n]));
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
  }

  find(seq: number): TraceEvent | undefined {
    let low = 0;
    let high = this.events.length - 1;
    while (low <= high) {
      const middle = (low + high) >> 1;
      const event = this.events[middle];
      if (event.seq === seq) return event;
      if (event.seq < seq) low = middle + 1;
      else high = middle - 1;
    }
    return undefined;
  }

  /** The rows that pass, oldest first. @param oldest the first event that can still be asked for */
  rows(passes: (event: TraceEvent) => boolean, oldest = Number.POSITIVE_INFINITY): LogRow[] {
    const rows: LogRow[] = [];
    let missing = 0;
    let before = this.events.length > 0 ? Math.min(this.events[0].seq, oldest) - 1 : 0;
    for (const event of this.events) {
      missing += event.seq - before - 1;
      before = event.seq;
      if (!passes(event)) continue;
      rows.push({ event, missing });
      missing = 0;
    }
    return rows;
  }

  private trim(limit: number): void {
    if (this.events.length > limit) this.events.splice(0, this.events.length - limit);
  }
}
