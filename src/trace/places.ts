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

const PLACES: readonly Place[] = ['user', 'kernel', 'hypervisor', 'idle', 'ready', 'off'];
/** What a clock's times are kept by: events come by the million, and a property by a computed name is slow. */
const USER = 0;
const KERNEL = 1;
const HYPERVISOR = 2;
const IDLE = 3;
const READY = 4;
const OFF = 5;
const SLOT: Readonly<Record<Place, number>> = {
  user: USER,
  kernel: KERNEL,
  hypervisor: HYPERVISOR,
  idle: IDLE,
  ready: READY,
  off: OFF,
};

/** Where an event of a domain puts it (an index of `PLACES`); -1 = it stays. Arguments as in events.ts. */
function slotAfter(kind: number, a: number, b: number, d: number): number {
  switch (kind) {
    case Kind.exit:
      return HYPERVISOR;
    case Kind.entry:
    case Kind.ring:
      return b === 3 ? USER : KERNEL;
    case Kind.interrupt:
      return d === 3 ? USER : KERNEL;
    case Kind.idle:
      return IDLE;
    case Kind.domain:
      // booted, resumed: ready; ends: off (Life.* numbers).
      return a === 1 || a === 8 ? READY : OFF;
    default:
      return -1;
  }
}

/** One domain's place now, and its cycles so far. */
export class PlaceClock {
  since: number;
  protected slot = READY;
  private readonly spent = new Float64Array(PLACES.length);

  constructor(now: number) {
    this.since = now;
  }

  get place(): Place {
    return PLACES[this.slot];
  }

  /** Changes the place and counts nothing. */
  set place(place: Place) {
    this.slot = SLOT[place];
  }

  /** It is at `place` from `now` (cycles) on. */
  move(place: Place, now: number): void {
    this.moveTo(SLOT[place], now);
  }

  /** As `move`, for who goes from the guest to the hypervisor. */
  leaveGuest(now: number): void {
    this.moveTo(HYPERVISOR, now);
  }

  /** As `move`, for who enters a guest, or goes from ring to ring in it. */
  moveInside(user: boolean, now: number): void {
    this.moveTo(user ? USER : KERNEL, now);
  }

  /** As `move`. @param slot index of `PLACES` */
  protected moveTo(slot: number, now: number): void {
    if (now > this.since) this.spent[this.slot] += now - this.since;
    this.slot = slot;
    this.since = now;
  }

  /** Cycles by place up to `now`. */
  read(now: number): PlaceTimes {
    const [user, kernel, hypervisor, idle, ready] = this.spent;
    const times = { user, kernel, hypervisor, idle, ready };
    const { place } = this;
    if (place !== 'off') times[place] += Math.max(0, now - this.since);
    return times;
  }

  /** What an event of this domain says about its place. Arguments as in events.ts. */
  observe(kind: number, a: number, b: number, d: number, now: number): void {
    const slot = slotAfter(kind, a, b, d);
    if (slot >= 0) this.moveTo(slot, now);
  }
}
