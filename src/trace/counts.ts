// What is counted for one domain for as long as it lives, whatever the log still holds: events by kind, time by place, exits
// by reason and by address, hypercalls, silently wrong instructions. Events come here by the hundred and as they were packed:
// nothing is allocated for one, and what was asked for last is tried first.
import { costOf, Kind, timeOf } from './events.ts';
import { PlaceClock } from './places.ts';

/** What has been counted for one exit reason of one domain. */
export interface ExitCount {
  domain: number;
  vendor: number;
  reason: number;
  count: number;
  /** Cycles from the exit to the following entry, summed; and the extremes. */
  cycles: number;
  min: number;
  max: number;
}

/** How often one instruction ran silently wrong, and the last time that it did: cycle, address, what it gave and should have. */
export interface HoleCount {
  count: number;
  time: number;
  eip: number;
  got: number;
  /** A vector when bare hardware `raises` one. */
  expected: number;
  raises: boolean;
}

/** A guest that exits everywhere, or calls by any number, keeps its first ones. */
const MAX_SITES = 4096;
const KINDS = 32;

/** Kinds of which more is known than how many there were, a bit each. */
const KNOWN_MORE_OF = [
  Kind.exit,
  Kind.entry,
  Kind.hypercall,
  Kind.hole,
  Kind.interrupt,
  Kind.ring,
  Kind.idle,
  Kind.domain,
  Kind.schedule,
].reduce((bits, kind) => bits | (1 << kind), 0);

/** Whether nothing of an event of this kind is counted but that it happened. */
export const isOnlyCounted = (kind: number): boolean => ((KNOWN_MORE_OF >>> kind) & 1) === 0;

/** How often something happened at each address, in the order of the first times. */
export class SiteCounts {
  private readonly addresses: number[] = [];
  private readonly counts: number[] = [];
  /** Place in the lists + 1 by hash of the address, 0 = free; twice as many as there are places. */
  private readonly index = new Int16Array(2 * MAX_SITES);
  private latest = -1;

  /** @param address uint32 */
  add(address: number): void {
    const at = this.addresses[this.latest] === address ? this.latest : this.find(address);
    if (at < 0) return;
    this.latest = at;
    this.counts[at]++;
  }

  private find(address: number): number {
    const { index, addresses } = this;
    // The golden ratio spreads neighbours.
    for (let slot = Math.imul(address, 0x9e3779b1) >>> 19; ; slot = (slot + 1) & (2 * MAX_SITES - 1)) {
      const place = index[slot] - 1;
      if (place >= 0) {
        if (addresses[place] === address) return place;
        continue;
      }
      if (addresses.length === MAX_SITES) return -1;
      addresses.push(address);
      this.counts.push(0);
      index[slot] = addresses.length;
      return addresses.length - 1;
    }
  }

  toMap(): Map<number, number> {
    return new Map(this.addresses.map((address, n) => [address, this.counts[n]]));
  }
}

export class DomainCounts {
  readonly kinds = new Float64Array(KINDS);
  readonly place: PlaceClock;
  readonly exits: ExitCount[] = [];
  readonly sites = new SiteCounts();
  readonly calls = new Map<number, { count: number; failed: number }>();
  /** By form of the instruction table. */
  readonly holes = new Map<number, HoleCount>();
  /** Of the latest exit; `open` until its entry. */
  private latest: ExitCount | null = null;
  private open = false;

  /** @param now cycle of the first event */
  constructor(
    readonly domain: number,
    now: number,
  ) {
    this.place = new PlaceClock(now);
  }

  /** Counts the event of the domain that is packed at word `at`. @param kind its kind */
  add(kind: number, words: Int32Array, at: number): void {
    this.kinds[kind]++;
    switch (kind) {
      case Kind.exit:
        this.place.leaveGuest(timeOf(words, at));
        this.exit(words[at + 8], words[at + 4] & 0xffff, words[at + 4]);
        this.sites.add(words[at + 3] >>> 0);
        break;
      case Kind.entry:
        this.place.moveInside(words[at + 5] === 3, timeOf(words, at));
        this.closeExit(costOf(words, at));
        break;
      case Kind.hypercall:
        this.call(words[at + 4], words[at + 8]);
        break;
      case Kind.hole: {
        const form = words[at + 4];
        this.holes.set(form, {
          count: (this.holes.get(form)?.count ?? 0) + 1,
          time: timeOf(words, at),
          eip: words[at + 3] >>> 0,
          got: words[at + 5],
          expected: words[at + 6],
          raises: words[at + 7] !== 0,
        });
        break;
      }
      case Kind.interrupt:
      case Kind.ring:
      case Kind.idle:
      case Kind.domain:
        this.place.observe(kind, words[at + 4], words[at + 5], words[at + 7], timeOf(words, at));
        break;
    }
  }

  private exit(vendor: number, basic: number, reason: number): void {
    const { latest } = this;
    const same = latest !== null && latest.vendor === vendor && (latest.reason & 0xffff) === basic;
    const entry = same ? latest : this.exitOf(vendor, basic, reason);
    entry.count++;
    this.latest = entry;
    this.open = true;
  }

  private exitOf(vendor: number, basic: number, reason: number): ExitCount {
    const { domain, exits } = this;
    for (const entry of exits) if (entry.vendor === vendor && (entry.reason & 0xffff) === basic) return entry;
    const made = { domain, vendor, reason, count: 0, cycles: 0, min: Infinity, max: 0 };
    exits.push(made);
    return made;
  }

  private closeExit(cost: number): void {
    const { latest: entry } = this;
    if (!this.open || entry === null) return;
    entry.cycles += cost;
    if (cost < entry.min) entry.min = cost;
    if (cost > entry.max) entry.max = cost;
    this.open = false;
  }

  private call(number: number, result: number): void {
    let call = this.calls.get(number);
    if (!call) {
      if (this.calls.size >= MAX_SITES) return;
      this.calls.set(number, (call = { count: 0, failed: 0 }));
    }
    call.count++;
    if (result < 0 && result > -200) call.failed++;
  }
}
