// Which stretch of time the timeline shows: the whole run, the newest so much, or a stretch that stands still. Zooming
// keeps the moment under the pointer where it is. Pure; times in cycles.

/** The narrowest view: a few instructions. */
export const LEAST_SPAN = 100;

export interface TimeView {
  readonly from: number;
  readonly to: number;
  /** `whole`: from boot to now. `follow`: its right edge stays at now. `still`: it stays where it is. */
  readonly mode: 'whole' | 'follow' | 'still';
}

export const WHOLE: TimeView = { from: 0, to: 1, mode: 'whole' };

/** The view when it is `now`. */
export function at(view: TimeView, now: number): TimeView {
  if (view.mode === 'still') return view;
  const to = Math.max(now, LEAST_SPAN);
  return { ...view, to, from: view.mode === 'whole' ? 0 : Math.max(0, to - (view.to - view.from)) };
}

/** Zooms by a factor (below 1: closer) around a moment. All the way out is the whole run. */
export function zoom(view: TimeView, now: number, around: number, factor: number): TimeView {
  const seen = at(view, now);
  const before = seen.to - seen.from;
  const span = Math.max(LEAST_SPAN, before * factor);
  const most = Math.max(now, LEAST_SPAN);
  if (span >= most) return at(WHOLE, now);
  const share = Math.min(1, Math.max(0, (around - seen.from) / before));
  const from = around - span * share;
  // Looking at now means going along with it.
  const follow = view.mode !== 'still' && around >= now - before * 0.02;
  return place(from, span, now, follow);
}

/** Moves the view by so many cycles. Pushed against now, it goes along with it. */
export function pan(view: TimeView, now: number, by: number): TimeView {
  const seen = at(view, now);
  if (seen.mode === 'whole') return seen;
  return place(seen.from + by, seen.to - seen.from, now, by > 0 && seen.to + by >= now);
}

/** Moves the view as little as brings a moment into it. */
export function reveal(view: TimeView, now: number, moment: number): TimeView {
  const seen = at(view, now);
  const span = seen.to - seen.from;
  if (moment < seen.from) return place(moment - span * 0.1, span, now, false);
  if (moment > seen.to) return place(moment - span * 0.9, span, now, false);
  return view;
}

/** The same width, with its right edge at now. */
export function toNow(view: TimeView, now: number): TimeView {
  const seen = at(view, now);
  return seen.mode === 'whole' ? seen : place(now, seen.to - seen.from, now, true);
}

function place(from: number, span: number, now: number, follow: boolean): TimeView {
  const latest = Math.max(0, now - span);
  const start = follow ? latest : Math.max(0, Math.min(latest, from));
  return { from: start, to: start + span, mode: follow ? 'follow' : 'still' };
}

export interface Tick {
  time: number;
  label: string;
}
const UNITS: readonly [number, string][] = [
  [1, 's'],
  [1e-3, 'ms'],
  [1e-6, 'µs'],
  [1e-9, 'ns'],
];

/**
 * Round moments of the view and what to call them: absolute while that is short; close up, the first by its full name
 * and the others by what they are after it.
 * @param hz cycles per virtual second
 * @param most ticks that have room
 */
export function ticks(view: TimeView, hz: number, most: number): Tick[] {
  const seconds = (view.to - view.from) / hz;
  const rough = seconds / Math.max(1, most);
  const magnitude = 10 ** Math.floor(Math.log10(rough));
  const step = magnitude * ([1, 2, 5, 10].find((n) => n * magnitude >= rough) ?? 10);
  const first = Math.ceil(view.from / hz / step - 1e-9);
  const last = Math.floor(view.to / hz / step + 1e-9);
  const [unit, name] = UNITS.find(([size]) => step >= size * 0.999) ?? UNITS[UNITS.length - 1];
  const close = (last * step) / step > 2000;
  const result: Tick[] = [];
  for (let n = first; n <= last && result.length < 100; n++) {
    const label = !close
      ? `${round((n * step) / unit)} ${name}`
      : n === first
        ? `${round(n * step, Math.max(0, Math.ceil(-Math.log10(step))))} s`
        : `+${round(((n - first) * step) / unit)} ${name}`;
    result.push({ time: n * step * hz, label });
  }
  return result;
}

function round(value: number, digits = 3): string {
  return digits > 3 ? value.toFixed(digits) : `${+value.toFixed(digits)}`;
}
