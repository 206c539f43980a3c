// Loads of segment and table registers by anybody, on any processor, so far: compiled code that knows what these registers
// hold (engine/links.ts) looks again when the count has changed. Whoever writes one by hand counts too.
export const loads = {
  count: 0,
  /** Likewise, when it is known that compiled code has no reason to look: another selector, say. */
  quiet: 0,
};

/** Whether segment registers are still what they were at a moment: for who keeps a copy of all of them. */
export class SegmentsSeen {
  private count = -1;
  private quiet = -1;

  get stand(): boolean {
    return this.count === loads.count && this.quiet === loads.quiet;
  }
  note(): void {
    this.count = loads.count;
    this.quiet = loads.quiet;
  }
  forget(): void {
    this.count = -1;
  }
}
