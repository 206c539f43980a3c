// Paces the session against real time: fast (as fast as it goes, but a waiting machine keeps to the clock on the wall),
// normal (so many cycles a second), slow (one event at a time). Works in short turns, so that messages get through.
import type { Session } from '../session/session.ts';
import type { Speed } from './protocol.ts';

/** Real time that one turn may take, in milliseconds. */
const TURN = 8;
/** Cycles between two looks at the wall clock. */
const CHUNK = 50_000;
/** A machine that fell behind the wall by more than this (milliseconds) does not try to catch up. */
const LAG = 100;

export class Engine {
  running = false;
  speed: Speed = { mode: 'fast' };
  private wallBase = 0;
  private virtualBase = 0;
  private nextEventAt = 0;
  private rateFrom = { wall: 0, instructions: 0 };
  /** Guest instructions a second, smoothed. */
  rate = 0;

  constructor(
    public session: Session,
    private readonly clock: () => number,
  ) {}

  /** Real and virtual time are level from here on. */
  rebase(): void {
    this.wallBase = this.clock();
    this.virtualBase = this.session.now;
    this.nextEventAt = this.wallBase;
  }

  /** One turn. Returns milliseconds until the next is useful; 0 = at once. */
  turn(): number {
    if (!this.running) return TURN;
    const wait =
      this.speed.mode === 'slow'
        ? this.slow(this.speed.eventsPerSecond)
        : this.speed.mode === 'normal'
          ? this.paced(this.speed.cyclesPerSecond)
          : this.fast();
    this.measure();
    return wait;
  }

  private slow(eventsPerSecond: number): number {
    const now = this.clock();
    if (now < this.nextEventAt) return Math.min(TURN, this.nextEventAt - now);
    this.session.stepEvent();
    this.nextEventAt = Math.max(now, this.nextEventAt) + 1000 / eventsPerSecond;
    return 0;
  }

  private paced(cyclesPerSecond: number): number {
    const start = this.clock();
    const target = this.virtualBase + ((start - this.wallBase) * cyclesPerSecond) / 1000;
    if (target - this.session.now > (LAG * cyclesPerSecond) / 1000) this.rebase();
    if (this.session.now >= target) return 4;
    while (this.session.now < target && this.clock() - start < TURN) {
      if (this.session.run(Math.min(target, this.session.now + CHUNK)) === 'breakpoint') return this.halt();
    }
    return 0;
  }

  private fast(): number {
    const start = this.clock();
    const perMillisecond = this.session.host.pc.cost.clockHz / 1000;
    while (this.clock() - start < TURN) {
      const { now } = this.session;
      const idle = this.session.host.idleCycles;
      const end = this.session.run(now + CHUNK);
      if (end === 'breakpoint') return this.halt();
      const passed = this.session.now - now;
      const ahead = (this.session.now - this.virtualBase) / perMillisecond - (this.clock() - this.wallBase);
      if (ahead < -LAG) this.rebase();
      // Mostly waiting: time must not run away from the wall. Computing: the faster the better.
      if (ahead > 0) {
        if ((this.session.host.idleCycles - idle) * 2 > passed || passed === 0) return Math.min(TURN, ahead);
        this.rebase();
      }
    }
    return 0;
  }

  private halt(): number {
    this.running = false;
    return TURN;
  }

  private measure(): void {
    const wall = this.clock();
    const elapsed = wall - this.rateFrom.wall;
    if (elapsed < 250) return;
    const { instructions } = this.session.host.pc.cpu;
    const rate = (Math.max(0, instructions - this.rateFrom.instructions) * 1000) / elapsed;
    this.rate = this.rate ? this.rate * 0.5 + rate * 0.5 : rate;
    this.rateFrom = { wall, instructions };
  }
}
