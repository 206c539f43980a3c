// How heavy the traffic is: rates per second of virtual time, so that they say what the guest does and not how fast the
// simulation happens to run. Widths come from the frame's counts; the split into lanes from its fair sample of events.
import type { Cue } from './director.ts';
import { BOUNDARIES, type Boundary } from './places.ts';

/** Virtual seconds after which a burst has faded to a third. */
const MEMORY = 0.02;
/** Virtual seconds that must have been observed before a rate means anything. */
const LEAST = 0.0005;

/** A count that forgets. Its rate is right from the first moment on: it never averages over time that was not observed. */
class Fading {
  private sum = 0;
  private observed = 0;
  add(count: number, seconds: number): void {
    const keep = Math.exp(-seconds / MEMORY);
    this.sum = this.sum * keep + count;
    this.observed = this.observed * keep + seconds;
  }
  /** True when hardly anything is left of what was counted. */
  get spent(): boolean {
    return this.sum < 0.001;
  }
  get rate(): number {
    return this.observed >= LEAST ? this.sum / this.observed : 0;
  }
}

/** What the meter reads of a frame; the protocol's `Frame` fits. */
export interface TrafficSample {
  time: number;
  eventCount: number;
  domains: readonly { id: number; flow: Readonly<Record<Boundary, number>> }[];
}

/** One stream of like crossings: same way, same meaning. */
export interface Lane {
  readonly cue: Cue;
  /** Crossings per virtual second. */
  rate: number;
}

export class Traffic {
  private readonly boundaries = new Map<string, Fading>();
  private readonly laneCounts = new Map<string, { cue: Cue; fading: Fading }>();
  private lastTime = -1;
  private lastCount = 0;

  /** @param clockHz cycles per virtual second of the host */
  constructor(private clockHz: number) {}

  reset(clockHz: number): void {
    this.clockHz = clockHz;
    this.boundaries.clear();
    this.laneCounts.clear();
    this.lastTime = -1;
    this.lastCount = 0;
  }

  /** Takes a frame in. `cues` are the marks of the events that came with it. */
  add(frame: TrafficSample, cues: readonly Cue[], sampled: number): void {
    const first = this.lastTime < 0 || frame.time < this.lastTime;
    const seconds = first ? 0 : (frame.time - this.lastTime) / this.clockHz;
    const happened = first ? sampled : Math.max(sampled, frame.eventCount - this.lastCount);
    this.lastTime = frame.time;
    this.lastCount = frame.eventCount;
    if (seconds <= 0 && happened === 0) return;
    for (const domain of frame.domains) {
      for (const id of BOUNDARIES) this.boundary(domain.id, id).add(domain.flow[id], seconds);
    }
    this.addLanes(cues, sampled > 0 ? happened / sampled : 0, seconds);
  }

  /** Crossings of a boundary per virtual second. */
  rate(domain: number, boundary: Boundary): number {
    return this.boundaries.get(`${domain} ${boundary}`)?.rate ?? 0;
  }

  /** The streams that flow now, heaviest first. */
  lanes(limit: number): Lane[] {
    const lanes: Lane[] = [];
    for (const { cue, fading } of this.laneCounts.values()) lanes.push({ cue, rate: fading.rate });
    return lanes.sort((a, b) => b.rate - a.rate).slice(0, limit);
  }

  private boundary(domain: number, id: Boundary): Fading {
    const key = `${domain} ${id}`;
    let fading = this.boundaries.get(key);
    if (!fading) this.boundaries.set(key, (fading = new Fading()));
    return fading;
  }

  private addLanes(cues: readonly Cue[], weight: number, seconds: number): void {
    const counts = new Map<string, number>();
    for (const cue of cues) {
      const { from, to } = cue;
      if (from.place === to.place && from.domain === to.domain) continue;
      const key = `${from.domain} ${from.place} ${to.domain} ${to.place} ${cue.meaning}`;
      counts.set(key, (counts.get(key) ?? 0) + 1);
      if (!this.laneCounts.has(key)) this.laneCounts.set(key, { cue, fading: new Fading() });
    }
    for (const [key, lane] of this.laneCounts) {
      lane.fading.add((counts.get(key) ?? 0) * weight, seconds);
      if (lane.fading.spent) this.laneCounts.delete(key);
    }
  }
}

/** 0 for hardly any traffic, 1 for a flood: the common logarithmic scale of all widths. 10/s → 0, 1 million/s → 1. */
export function heaviness(rate: number): number {
  return Math.min(1, Math.max(0, (Math.log10(Math.max(rate, 1)) - 1) / 5));
}
