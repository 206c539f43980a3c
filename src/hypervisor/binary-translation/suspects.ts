// Who traps how often: innocent until proven guilty (Adams & Agesen 2006, §3.3). Counts are bounded whatever a guest does.

/** Traps after which something is done about it. */
export const GUILTY = 16;
/** Suspects at most: a guest that traps everywhere starts over. */
const MOST = 4096;

export class Suspects {
  private readonly counts = new Map<number, number>();

  /** One more trap. True when that was once too often; from then on the count begins anew. */
  accuse(who: number): boolean {
    const count = (this.counts.get(who) ?? 0) + 1;
    if (this.counts.size >= MOST) this.counts.clear();
    if (count < GUILTY) this.counts.set(who, count);
    else this.counts.delete(who);
    return count === GUILTY;
  }
}
