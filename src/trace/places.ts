// Where time goes: each domain's cycles by place, folded from the events that move it. The lanes of the timeline, and
// "time by place" of the comparison table.
import { Kind, Switch } from './events.ts';

export type Place = 'user' | 'kernel' | 'hypervisor' | 'idle' | 'ready' | 'off';
export type PlaceTimes = Record<Exclude<Place, 'off'>, number>;

/** Places of a timeline's lane, in the order of every packed answer. `switch`: on the way between guest and hypervisor. */
export const SPAN_PLACES = ['user', 'kernel', 'hypervisor', 'switch', 'ready', 'idle'] as const;

/** True when an event (arguments as in events.ts) says that domain `a` lost the processor though it had work left. */
export function preempts(kind: number, a: number, c: number): boolean {
  return kind === Kind.schedule && a >= 0 && c !== Switch.blocked && c !== Switch.stopped;
}

/** What a clock's times are kept by: events come by the million, and a property by a computed name is slow. */
const SLOT: Readonly<Record<Place, number>> = {
  user: 0,
  kernel: 1,
  hypervisor: 2,
  idle: 3,
  ready: 4,
  off: 5,
};

/** One domain's place now, and its cycles so far. */
export class PlaceClock {
  place: Place = 'ready';
  since: number;
  private slot = SLOT.ready;
  private readonly spent = new Float64Array(6);

  constructor(now: number) {
    this.since = now;
  }

  /** It is at `place` from `now` (cycles) on. */
  move(place: Place, now: number): void {
    if (now > this.since) this.spent[this.slot] += now - this.since;
    this.place = place;
    this.slot = place === 'kernel' ? SLOT.kernel : place === 'hypervisor' ? SLOT.hypervisor : SLOT[place];
    this.since = now;
  }

  /** Cycles by place up to `now`. */
  read(now: number): PlaceTimes {
    const [user, kernel, hypervisor, idle, ready] = this.spent;
    const times = { user, kernel, hypervisor, idle, ready };
    if (this.place !== 'off') times[this.place] += Math.max(0, now - this.since);
    return times;
  }

  /** What an event of this domain says about its place. Arguments as in events.ts. */
  observe(kind: number, a: number, b: number, d: number, now: number): void {
    switch (kind) {
      case Kind.exit:
        this.move('hypervisor', now);
        break;
      case Kind.entry:
        this.move(b === 3 ? 'user' : 'kernel', now);
        break;
      case Kind.interrupt:
        this.move(d === 3 ? 'user' : 'kernel', now);
        break;
      case Kind.ring:
        this.move(b === 3 ? 'user' : 'kernel', now);
        break;
      case Kind.idle:
        this.move('idle', now);
        break;
      case Kind.domain:
        // booted, resumed: ready; ends: off (Life.* numbers).
        this.move(a === 1 || a === 8 ? 'ready' : 'off', now);
        break;
    }
  }
}
