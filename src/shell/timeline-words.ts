// What the timeline says in words: of the moment under the pointer or the caret, and of the whole stretch. Pure.

import { RECORD_WORDS, type TraceEvent } from '../trace/events.ts';
import { eventText } from '../trace/format.ts';
import { SPAN_PLACES } from '../trace/places.ts';
import { unpack } from '../trace/recorder.ts';
import type { TimelineWindow } from '../worker/protocol.ts';
import { grouped, PLACE_LABEL, percent, virtualTime } from './words.ts';

const PLACES = SPAN_PLACES.length;
/** Where a processor can be, in words. */
export const PLACE_NAME = { ...PLACE_LABEL, switch: 'world switch' };

/** Shares of a lane's time between two bins. */
export function sharesOfLane(data: TimelineWindow, lane: number, first = 0, last = data.bins): number[] {
  const sums = new Array<number>(PLACES).fill(0);
  for (let n = first; n < last; n++)
    for (let p = 0; p < PLACES; p++) sums[p] += data.shares[(lane * data.bins + n) * PLACES + p];
  return sums.map((sum) => sum / Math.max(1, last - first));
}

/** The event of a lane nearest to a moment, when the window has its events. @param reach cycles */
export function eventNear(
  data: TimelineWindow,
  lane: number,
  time: number,
  reach: number,
): TraceEvent | null {
  let best: TraceEvent | null = null;
  const { events } = data;
  if (!events) return null;
  for (let n = 0; n * RECORD_WORDS < events.length; n++) {
    const event = unpack(events, n * RECORD_WORDS, data.firstEvent + n);
    if (event.domain !== lane || Math.abs(event.time - time) > reach) continue;
    if (!best || Math.abs(event.time - time) < Math.abs(best.time - time)) best = event;
  }
  return best;
}

/** What a lane was doing at a moment, and how long. @param reach cycles within which an event is named */
export function momentWords(
  data: TimelineWindow,
  name: string,
  lane: number,
  time: number,
  reach: number,
  hz: number,
): string {
  const when = virtualTime(time, hz);
  if (time > data.now) return `${when} · not yet`;
  const event = eventNear(data, lane, time, reach);
  const happened = event ? ` · ${eventText(event)}` : '';
  if (data.spans) {
    const at = spanAt(data.spans, lane, time);
    if (at < 0) return `${when} · ${name}: not there${happened}`;
    const cycles = data.spans[at + 3] - data.spans[at + 2];
    const place = PLACE_NAME[SPAN_PLACES[data.spans[at + 1]]];
    return `${when} · ${name}: ${place}, ${grouped(cycles)} cycles (${virtualTime(cycles, hz)})${happened}`;
  }
  const wide = (data.to - data.from) / data.bins;
  const bin = Math.min(data.bins - 1, Math.max(0, Math.floor((time - data.from) / wide)));
  const words = shareWords(sharesOfLane(data, lane, bin, bin + 1));
  return `${when} · ${name}, ${virtualTime(wide, hz)}: ${words || 'not there'}${happened}`;
}

/** `guest kernel 40 %, idle 60 %`; the largest first. */
export function shareWords(shares: readonly number[]): string {
  return shares
    .map((share, p) => ({ share, label: PLACE_NAME[SPAN_PLACES[p]] }))
    .filter(({ share }) => share > 0.0005)
    .sort((a, b) => b.share - a.share)
    .map(({ share, label }) => `${label} ${percent(Math.min(1, share))}`)
    .join(', ');
}

function spanAt(spans: Float64Array, lane: number, time: number): number {
  for (let at = 0; at < spans.length; at += 4)
    if (spans[at] === lane && time >= spans[at + 2] && time < spans[at + 3]) return at;
  return -1;
}
