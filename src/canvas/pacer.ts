// When marks are let onto the stage. In slow motion and after a step they come one by one, so that each can be read; at
// speed only as many as an eye can follow come as particles, and the share that did not is what the lanes must show.
import type { TraceEvent } from '../trace/events.ts';
import type { Cue } from './director.ts';

export type Tempo =
  | { mode: 'slow'; eventsPerSecond: number }
  | { mode: 'normal' }
  | { mode: 'fast' }
  /** The machine stands still; events come from steps. */
  | { mode: 'paused' };

export interface Mark {
  event: TraceEvent;
  cue: Cue;
}
/** How a mark moves, in seconds. */
export interface Motion {
  travel: number;
  rest: number;
}

/** Particles let on in a second, and at once after a lull. */
const ALLOWANCE = { normal: 140, fast: 24 };
const BURST = 30;
/** A queue of steps is played within this many seconds, whatever its length. */
const PLAY_SECONDS = 3;
/** Seconds in which the share follows a change. */
const SHARE_SETTLES = 0.25;

export class Pacer {
  private queue: Mark[] = [];
  private wait = 0;
  /** Seconds between two worded marks. */
  private gap = 0.45;
  private tokens = BURST;
  private share = 0;
  /** Seconds since the share was looked at. */
  private elapsed = 0;
  private tempo: Tempo = { mode: 'paused' };

  /** Other guests: marks of those that were there have no place any more. */
  clear(): void {
    this.queue = [];
    this.share = 0;
  }

  setTempo(tempo: Tempo): void {
    // Marks of one tempo that were not shown yet have no place in another.
    if (tempo.mode !== this.tempo.mode && tempo.mode !== 'paused') this.queue = [];
    this.tempo = tempo;
  }

  /** Share (0–1, smoothed) of what happens that the particles do not show. */
  get crowding(): number {
    return this.share;
  }

  /** True while each mark is shown with its words. */
  get worded(): boolean {
    return this.tempo.mode === 'slow' || this.tempo.mode === 'paused';
  }

  get waiting(): number {
    return this.queue.length;
  }

  motion(): Motion {
    if (this.tempo.mode === 'slow') {
      const interval = 1 / this.tempo.eventsPerSecond;
      return {
        travel: Math.min(1.1, Math.max(0.18, interval * 0.7)),
        rest: Math.min(6, Math.max(0.5, interval * 2)),
      };
    }
    if (this.tempo.mode === 'paused') return { travel: 0.6, rest: 1 };
    return { travel: 0.75, rest: 0.12 };
  }

  /** Takes the marks of a frame. @param happened all events since the last frame, shown or not */
  add(marks: readonly Mark[], happened: number): Mark[] {
    if (this.worded) {
      this.share *= 0.8;
      this.queue.push(...marks);
      // A queue longer than this cannot be read any more: the latest are what counts.
      if (this.queue.length > 400) this.queue.splice(0, this.queue.length - 400);
      const own = this.tempo.mode === 'slow' ? 0.9 / this.tempo.eventsPerSecond : 0.45;
      this.gap = Math.min(own, PLAY_SECONDS / Math.max(1, this.queue.length));
      return [];
    }
    const admitted = Math.min(marks.length, Math.floor(this.tokens));
    this.tokens -= admitted;
    const total = Math.max(happened, marks.length);
    if (total > 0) {
      const follow = 1 - Math.exp(-this.elapsed / SHARE_SETTLES);
      this.share += ((total - admitted) / total - this.share) * follow;
      this.elapsed = 0;
    }
    const chosen: Mark[] = [];
    for (let n = 0; n < admitted; n++) chosen.push(marks[Math.floor(((n + 0.5) * marks.length) / admitted)]);
    return chosen;
  }

  /** Lets time pass. @param seconds since the last call. Returns the worded marks whose turn it is. */
  step(seconds: number): Mark[] {
    this.elapsed += seconds;
    if (this.tempo.mode === 'normal' || this.tempo.mode === 'fast') {
      this.tokens = Math.min(BURST, this.tokens + ALLOWANCE[this.tempo.mode] * seconds);
      return [];
    }
    this.wait -= seconds;
    const due: Mark[] = [];
    while (this.wait <= 0 && this.queue.length > 0) {
      due.push(this.queue.shift()!);
      this.wait = Math.max(this.wait, -0.05) + this.gap;
    }
    if (this.queue.length === 0) this.wait = Math.max(this.wait, 0);
    return due;
  }
}
