// Where a guest's processor time went lately: shares of a sliding third of a virtual second, folded from the frames'
// sums since boot. Pure.
import type { Places } from '../worker/protocol.ts';

export const PLACES = ['user', 'kernel', 'hypervisor', 'ready', 'idle'] as const;
const WINDOW_SECONDS = 0.3;

export class RecentPlaces {
  private last: Places | null = null;
  private readonly sums: Places = { user: 0, kernel: 0, hypervisor: 0, ready: 0, idle: 0 };

  /** Takes the sums of a frame in. @param hz cycles per virtual second */
  add(places: Places, hz: number): void {
    const { last } = this;
    this.last = { ...places };
    if (!last) return;
    const deltas = PLACES.map((place) => places[place] - last[place]);
    if (deltas.some((delta) => delta < 0)) {
      // Booted anew: what was before belongs to another life.
      for (const place of PLACES) this.sums[place] = 0;
      return;
    }
    const elapsed = deltas.reduce((sum, delta) => sum + delta, 0);
    const keep = Math.exp(-elapsed / (hz * WINDOW_SECONDS));
    PLACES.forEach((place, n) => {
      this.sums[place] = this.sums[place] * keep + deltas[n];
    });
  }

  /** Shares that sum to 1; all 0 before anything was seen. */
  shares(): Places {
    return sharesOf(this.sums);
  }
}

/** Sums as shares of their total; all 0 when there is none. */
export function sharesOf(sums: Places): Places {
  const total = PLACES.reduce((sum, place) => sum + sums[place], 0);
  const shares: Places = { user: 0, kernel: 0, hypervisor: 0, ready: 0, idle: 0 };
  if (total > 0) for (const place of PLACES) shares[place] = sums[place] / total;
  return shares;
}
