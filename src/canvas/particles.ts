// The particles: a fixed pool in flat arrays, so that a frame allocates nothing. A particle travels its path once,
// rests at the end while it may be read, fades and gives its slot back. Pure: time comes from outside, in seconds.
import { type Path, pointOn } from './layout.ts';

/** With a tail each, twice as many quads: what a software-rendered canvas draws at 60 frames a second. */
export const MAX_PARTICLES = 1200;
const FADE = 0.35;
/** A particle that rests at least so long (seconds) is there to be read: it stays while the machine is paused. */
const WORDED_REST = 0.5;
const RELEASED_REST = 0.3;
/** Share of the way that the tail lags behind. */
const TAIL = 0.24;

export class Particles {
  /** Slots in use, in order of birth. */
  readonly live: number[] = [];
  readonly x = new Float32Array(MAX_PARTICLES);
  readonly y = new Float32Array(MAX_PARTICLES);
  /** Where the visible tail ends. */
  readonly tailX = new Float32Array(MAX_PARTICLES);
  readonly tailY = new Float32Array(MAX_PARTICLES);
  readonly alpha = new Float32Array(MAX_PARTICLES);
  /** 0 at the start of the way, 1 at its end. */
  readonly progress = new Float32Array(MAX_PARTICLES);
  readonly meaning = new Uint8Array(MAX_PARTICLES);
  readonly pulse = new Uint8Array(MAX_PARTICLES);
  /** 1 when the way leads up, towards the programs. */
  readonly up = new Uint8Array(MAX_PARTICLES);
  readonly seq = new Float64Array(MAX_PARTICLES);
  /** 1 while it stays for as long as the machine is paused. */
  private readonly held = new Uint8Array(MAX_PARTICLES);
  private readonly age = new Float32Array(MAX_PARTICLES);
  private readonly travel = new Float32Array(MAX_PARTICLES);
  private readonly rest = new Float32Array(MAX_PARTICLES);
  private readonly paths = new Float32Array(MAX_PARTICLES * 8);
  private readonly free: number[] = [];
  private readonly point = { x: 0, y: 0 };

  constructor() {
    for (let slot = MAX_PARTICLES - 1; slot >= 0; slot--) this.free.push(slot);
  }

  /** Starts a particle; the oldest gives way when the pool is empty. @param travel,rest seconds. Returns its slot. */
  spawn(seq: number, meaning: number, path: Path, pulse: boolean, travel: number, rest: number): number {
    const slot = this.free.pop() ?? this.live.shift()!;
    this.live.push(slot);
    this.seq[slot] = seq;
    this.meaning[slot] = meaning;
    this.pulse[slot] = pulse ? 1 : 0;
    this.up[slot] = path[7] < path[1] ? 1 : 0;
    this.age[slot] = 0;
    this.held[slot] = rest >= WORDED_REST ? 1 : 0;
    this.travel[slot] = travel;
    this.rest[slot] = rest;
    this.paths.set(path, slot * 8);
    this.place(slot);
    return slot;
  }

  /** @param seconds since the last call. @param hold particles that are there to be read stay (the machine is paused). */
  step(seconds: number, hold: boolean): void {
    let kept = 0;
    for (let n = 0; n < this.live.length; n++) {
      const slot = this.live[n];
      const rested = Math.fround(this.travel[slot] + this.rest[slot]);
      const age = this.age[slot] + seconds;
      this.age[slot] = hold && this.held[slot] && this.age[slot] <= rested ? Math.min(age, rested) : age;
      if (this.age[slot] >= this.travel[slot] + this.rest[slot] + FADE) {
        this.free.push(slot);
        continue;
      }
      this.place(slot);
      this.live[kept++] = slot;
    }
    this.live.length = kept;
  }

  /** Lets go of all particles before `seq`: they end their way and fade. */
  release(seq: number): void {
    for (const slot of this.live) {
      if (this.seq[slot] >= seq) continue;
      this.held[slot] = 0;
      this.rest[slot] = Math.min(this.rest[slot], RELEASED_REST);
    }
  }

  clear(): void {
    this.free.push(...this.live);
    this.live.length = 0;
  }

  /** Slot of the particle nearest to a point, within `radius` pixels; -1 when there is none. The newest wins a tie. */
  nearest(x: number, y: number, radius: number): number {
    let best = -1;
    let distance = radius * radius;
    for (const slot of this.live) {
      const d = (this.x[slot] - x) ** 2 + (this.y[slot] - y) ** 2;
      if (d <= distance) {
        distance = d;
        best = slot;
      }
    }
    return best;
  }

  private place(slot: number): void {
    const age = this.age[slot];
    const travel = this.travel[slot];
    const raw = travel > 0 ? Math.min(1, age / travel) : 1;
    // Sets out and arrives gently: a smooth step reads as one movement even at a low frame rate.
    const t = raw * raw * (3 - 2 * raw);
    this.progress[slot] = raw;
    pointOn(this.paths, slot * 8, t, this.point);
    this.x[slot] = this.point.x;
    this.y[slot] = this.point.y;
    const late = Math.max(0, raw - TAIL);
    pointOn(this.paths, slot * 8, late * late * (3 - 2 * late), this.point);
    this.tailX[slot] = this.point.x;
    this.tailY[slot] = this.point.y;
    const left = travel + this.rest[slot] + FADE - age;
    this.alpha[slot] = Math.min(1, Math.max(0, left / FADE), 0.25 + age * 12);
  }
}
