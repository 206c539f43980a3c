// How compiled code notes what passes through gates by the hundred, for the recorder: a few words each instead of an event.

/** Words of a note: what, cycles that were left of the budget then, EIP, and one that is free. */
export const NOTE_WORDS = 4;
/** What: vector in 7:0, CPL before in 9:8, after in 11:10; then one of these. */
export const GATE_NOTE = 1 << 12;
export const RING_NOTE = 2 << 12;
/** `e` of an event of `Kind.interrupt` that INT n raised. */
export const SOFTWARE = 2;

export function noteOf(what: number, before: number, after: number, vector: number): number {
  return what | (after << 10) | (before << 8) | vector;
}
