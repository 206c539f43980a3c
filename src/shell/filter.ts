// Which events the list shows: by domain, by meaning, by boundary. Pure; the cue says what an event means.
import type { Cue } from '../canvas/director.ts';
import type { Meaning } from '../canvas/meanings.ts';
import { type Boundary, boundaryBetween, type Place } from '../canvas/places.ts';
import type { TraceEvent } from '../trace/events.ts';

export interface Filter {
  /** Null: all; -1: the host's own events. */
  domain: number | null;
  /** Null: all. */
  meanings: readonly Meaning[] | null;
  boundary: Boundary | null;
  /** A station or stratum that the event must touch. */
  place: Place | null;
}

export const EVERYTHING: Filter = { domain: null, meanings: null, boundary: null, place: null };

export function isEverything(filter: Filter): boolean {
  return !filter.meanings && !filter.boundary && !filter.place && filter.domain === null;
}

/** True when the list shows the event. An event without a mark on the stage has no meaning, boundary or place. */
export function passes(filter: Filter, event: TraceEvent, cue: Cue | null): boolean {
  if (filter.domain !== null && event.domain !== filter.domain) return false;
  if (!filter.meanings && !filter.boundary && !filter.place) return true;
  if (!cue) return false;
  if (filter.meanings && !filter.meanings.includes(cue.meaning)) return false;
  if (filter.boundary && boundaryBetween(cue.from.place, cue.to.place) !== filter.boundary) return false;
  return !filter.place || [cue.from.place, cue.to.place, cue.about].includes(filter.place);
}

/** A meaning switched on or off; all of them on is no filter, and so is none. */
export function toggleMeaning(filter: Filter, meaning: Meaning, all: readonly Meaning[]): Filter {
  const before = filter.meanings ?? [];
  const meanings = before.includes(meaning) ? before.filter((m) => m !== meaning) : [...before, meaning];
  return { ...filter, meanings: meanings.length === 0 || meanings.length === all.length ? null : meanings };
}
