// Draws the timeline on a 2D canvas: a lane for each virtual processor, where its time went as stacked shares (or as
// spans, when they can be told apart), events as ticks, the moments of the axis, now, and what is selected.
import { RECORD_WORDS } from '../trace/events.ts';
import { SPAN_PLACES } from '../trace/places.ts';
import type { TimelineWindow } from '../worker/protocol.ts';
import type { Palette } from './palette.ts';
import type { TimeView } from './time-view.ts';
import { ticks } from './time-view.ts';

const PLACES = SPAN_PLACES.length;
const TWO_32 = 2 ** 32;
/** Pixels of the canvas, in those of the page. */
export interface TimelineGeometry {
  width: number;
  lane: number;
  gap: number;
  axis: number;
  scale: number;
  font: string;
}
export interface TimelineMarks {
  now: number;
  /** Moment of the selected event, or null. */
  selected: number | null;
  /** Where the keyboard is, or null. */
  caret: { lane: number; time: number } | null;
}

/** Room for the ticks of events above a lane. */
const TICKS = 4;
/** Pixels between two names of moments, at least. */
const NAME = 92;

export const heightOf = (g: Pick<TimelineGeometry, 'lane' | 'gap' | 'axis'>, lanes: number) =>
  lanes * (g.lane + g.gap) + g.axis;

/** Draws everything anew: it is small, and drawn a few times a second. */
export function paintTimeline(
  c: CanvasRenderingContext2D,
  g: TimelineGeometry,
  view: TimeView,
  data: TimelineWindow,
  palette: Palette,
  hz: number,
  marks: TimelineMarks,
): void {
  const x = (time: number) => ((time - view.from) / (view.to - view.from)) * g.width;
  c.setTransform(g.scale, 0, 0, g.scale, 0, 0);
  c.fillStyle = palette.page;
  c.fillRect(0, 0, g.width, heightOf(g, data.domains));
  const tops = Array.from({ length: data.domains }, (_, n) => n * (g.lane + g.gap));
  c.fillStyle = palette.raised;
  for (const top of tops) c.fillRect(0, top, g.width, g.lane);
  const body = data.events ? TICKS : 0;
  if (data.spans) paintSpans(c, g, x, tops, body, data.spans, palette);
  else paintBins(c, g, x, tops, data, palette);
  if (data.events) paintEvents(c, g, x, tops, data.events, palette);
  paintAxis(c, g, x, view, tops.length, palette, hz);
  const line = (time: number, colour: string, width: number, top: number, height: number) => {
    const at = x(time);
    if (at < -2 || at > g.width + 2) return;
    c.fillStyle = colour;
    c.fillRect(Math.min(g.width - width, Math.max(0, Math.round(at - width / 2))), top, width, height);
  };
  const whole = tops.length * (g.lane + g.gap);
  if (marks.selected !== null) line(marks.selected, palette.focus, 2, 0, whole);
  if (marks.caret) line(marks.caret.time, palette.text, 2, tops[marks.caret.lane] ?? 0, g.lane);
  line(marks.now, palette.accent, 2, 0, whole);
}

function paintBins(
  c: CanvasRenderingContext2D,
  g: TimelineGeometry,
  x: (time: number) => number,
  tops: readonly number[],
  { shares, bins, from, to }: TimelineWindow,
  palette: Palette,
): void {
  const wide = (to - from) / bins;
  const edge = (n: number) => Math.round(x(from + n * wide) * g.scale) / g.scale;
  for (const [lane, top] of tops.entries()) {
    for (let place = 0; place < PLACES; place++) {
      c.fillStyle = palette.place[SPAN_PLACES[place]];
      for (let n = 0; n < bins; n++) {
        const at = (lane * bins + n) * PLACES;
        const share = shares[at + place];
        if (share <= 0) continue;
        let below = 0;
        for (let p = 0; p < place; p++) below += shares[at + p];
        // Neighbours that are all the same are one rectangle.
        let last = n + 1;
        if (share > 0.999)
          while (last < bins && shares[(lane * bins + last) * PLACES + place] > 0.999) last++;
        const left = edge(n);
        c.fillRect(left, top + g.lane * (1 - below - share), edge(last) - left, g.lane * share);
        n = last - 1;
      }
    }
  }
}

function paintSpans(
  c: CanvasRenderingContext2D,
  g: TimelineGeometry,
  x: (time: number) => number,
  tops: readonly number[],
  body: number,
  spans: Float64Array,
  palette: Palette,
): void {
  for (let at = 0; at < spans.length; at += 4) {
    const left = Math.max(0, x(spans[at + 2]));
    const right = Math.min(g.width, x(spans[at + 3]));
    if (right <= 0 || left >= g.width) continue;
    c.fillStyle = palette.place[SPAN_PLACES[spans[at + 1]]];
    c.fillRect(left, tops[spans[at]] + body, Math.max(right - left, 0.5), g.lane - body);
  }
}

function paintEvents(
  c: CanvasRenderingContext2D,
  g: TimelineGeometry,
  x: (time: number) => number,
  tops: readonly number[],
  events: Int32Array,
  palette: Palette,
): void {
  c.fillStyle = palette.text;
  for (let at = 0; at < events.length; at += RECORD_WORDS) {
    const top = tops[(events[at] << 16) >> 24];
    if (top === undefined) continue;
    const time = (events[at + 1] >>> 0) + events[at + 2] * TWO_32;
    c.fillRect(Math.round(x(time) * g.scale) / g.scale - 0.5, top, 1, TICKS + 2);
  }
}

function paintAxis(
  c: CanvasRenderingContext2D,
  g: TimelineGeometry,
  x: (time: number) => number,
  view: TimeView,
  lanes: number,
  palette: Palette,
  hz: number,
): void {
  const top = lanes * (g.lane + g.gap);
  c.font = g.font;
  c.textBaseline = 'top';
  let free = 0;
  for (const { time, label } of ticks(view, hz, g.width / NAME)) {
    const at = x(time);
    c.fillStyle = palette.control;
    c.fillRect(Math.round(at), top - g.gap, 1, 3);
    const width = c.measureText(label).width;
    const left = Math.min(g.width - width - 2, Math.max(0, at - width / 2));
    if (left < free) continue;
    free = left + width + 8;
    c.fillStyle = palette.dim;
    c.fillText(label, left, top + 1);
  }
}
