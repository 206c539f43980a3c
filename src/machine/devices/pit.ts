// Intel 8254 programmable interval timer (data sheet, order 231164) with the PC's wiring: channel 0 drives IRQ 0,
// channel 2 is gated by port 61h and drives the speaker. State is a load time and a count; everything is derived.

import { widen } from '../wide-numbers.ts';
import type { Clock, Device, InterruptLine } from './device.ts';
import { cycleOfTick, PIT_HZ } from './time-base.ts';

/** One counter. Times are in ticks of the 1.193 182 MHz input. */
class Channel {
  mode = 0;
  bcd = false;
  /** 1 low byte, 2 high byte, 3 low then high. */
  access = 3;
  /** Count in force, 1..65536 (1..10000 in BCD); 0 = none loaded yet. */
  count = 0;
  /** A count that waits: in modes 2 and 3 for the end of the (half) period, in 1 and 5 for the next trigger; 0 = none. */
  nextCount = 0;
  /** Modes 2 and 3: tick at which `nextCount` takes over, and whether that is in the middle of a square wave. */
  private switchAt = Infinity;
  private switchInMiddle = false;
  /** Tick at which the counting element held `count`. */
  loaded = 0;
  /** Ticks already counted when the gate stopped it; -1 while it runs. */
  stoppedAfter = -1;
  /** Modes 1 and 5 wait for a gate edge after a mode word; others count at once. */
  triggered = false;
  gate = true;
  writeHighNext = false;
  readHighNext = false;
  lowByte = 0;
  /** Latched count, -1 = none; latched status, -1 = none. */
  latchedCount = -1;
  latchedStatus = -1;

  private get modulus(): number {
    return this.bcd ? 10000 : 65536;
  }
  private get running(): boolean {
    return this.count > 0 && this.triggered;
  }

  setMode(mode: number, access: number, bcd: boolean): void {
    this.mode = mode > 5 ? mode - 4 : mode;
    this.access = access;
    this.bcd = bcd;
    this.count = this.nextCount = 0;
    this.switchAt = Infinity;
    this.writeHighNext = this.readHighNext = false;
    this.latchedCount = this.latchedStatus = -1;
    this.triggered = this.mode !== 1 && this.mode !== 5;
    this.stoppedAfter = this.gate || this.mode === 1 || this.mode === 5 ? -1 : 0;
  }

  elapsed(tick: number): number {
    if (this.stoppedAfter >= 0) return this.stoppedAfter;
    return Math.max(0, tick - this.loaded);
  }

  /** Periodic modes: brings a waiting count into force when what ran has ended. */
  sync(tick: number): void {
    if (!this.nextCount || this.stoppedAfter >= 0 || tick < this.switchAt) return;
    this.count = this.nextCount;
    this.loaded = this.switchInMiddle ? this.switchAt - ((this.count + 1) >> 1) : this.switchAt;
    this.nextCount = 0;
    this.switchAt = Infinity;
  }

  /** Mode 2 finishes its period with the old count, mode 3 its half period. */
  private switchLater(tick: number): void {
    const phase = (tick - this.loaded) % this.count;
    const half = (this.count + 1) >> 1;
    this.switchInMiddle = this.mode === 3 && phase < half;
    this.switchAt = tick - phase + (this.switchInMiddle ? half : this.count);
  }

  writeByte(value: number, tick: number): void {
    if (this.access === 3 && !this.writeHighNext) {
      this.lowByte = value;
      this.writeHighNext = true;
      // Mode 0: the first byte stops the count and pulls the output low.
      if (this.mode === 0) this.count = 0;
      return;
    }
    this.writeHighNext = false;
    const raw = this.access === 1 ? value : this.access === 2 ? value << 8 : this.lowByte | (value << 8);
    this.load((this.bcd ? fromBcd(raw) : raw) || this.modulus, tick);
  }

  private load(count: number, tick: number): void {
    const periodic = this.mode === 2 || this.mode === 3;
    this.sync(tick);
    if (periodic && this.count > 0 && this.stoppedAfter < 0 && tick >= this.loaded) {
      this.nextCount = count;
      this.switchLater(tick);
      return;
    }
    if (this.mode === 1 || this.mode === 5) {
      if (this.running) this.nextCount = count;
      else this.count = count;
      return;
    }
    this.nextCount = 0;
    this.count = count;
    this.loaded = tick + 1;
    if (this.stoppedAfter >= 0) this.stoppedAfter = 0;
  }

  setGate(high: boolean, tick: number): void {
    if (high === this.gate) return;
    this.gate = high;
    switch (this.mode) {
      case 0:
      case 4: // the level enables counting
        if (high) {
          this.loaded = tick - Math.max(0, this.stoppedAfter);
          this.stoppedAfter = -1;
        } else this.stoppedAfter = this.elapsed(tick);
        break;
      case 1:
      case 5: // a rising edge (re)starts
        if (high && this.count) {
          if (this.nextCount) this.count = this.nextCount;
          this.nextCount = 0;
          this.triggered = true;
          this.loaded = tick + 1;
        }
        break;
      default: // modes 2 and 3: low stops with the output high, a rising edge reloads
        if (high) {
          if (this.nextCount) this.count = this.nextCount;
          this.nextCount = 0;
          this.loaded = tick + 1;
          this.stoppedAfter = -1;
        } else this.stoppedAfter = this.elapsed(tick);
    }
  }

  /** Level of OUT. */
  output(tick: number): boolean {
    this.sync(tick);
    if (!this.running) return this.mode !== 0;
    const e = this.elapsed(tick);
    switch (this.mode) {
      case 0:
        return e >= this.count;
      case 1:
        return e >= this.count;
      case 2:
        return this.stoppedAfter >= 0 || e % this.count !== this.count - 1 || this.count === 1;
      case 3:
        return this.stoppedAfter >= 0 || e % this.count < (this.count + 1) >> 1;
      default:
        return e !== this.count; // modes 4 and 5: one tick low
    }
  }

  /** First tick after `tick` at which OUT changes (periodic pulses of one tick count as one moment: their rising edge). */
  nextEdge(tick: number): number {
    this.sync(tick);
    if (!this.running || this.stoppedAfter >= 0) return Infinity;
    const e = tick - this.loaded;
    switch (this.mode) {
      case 0:
      case 1:
        return e < this.count ? this.loaded + this.count : Infinity;
      case 2:
        return this.loaded + (Math.max(0, Math.floor(e / this.count)) + 1) * this.count;
      case 3: {
        if (e < 0) return this.loaded + ((this.count + 1) >> 1);
        const period = this.loaded + Math.floor(e / this.count) * this.count;
        const half = period + ((this.count + 1) >> 1);
        return tick < half && half < period + this.count ? half : period + this.count;
      }
      default:
        return e < this.count + 1 ? this.loaded + this.count + (e < this.count ? 0 : 1) : Infinity;
    }
  }

  /** The counting element, as the two bytes that software reads. */
  currentCount(tick: number): number {
    this.sync(tick);
    const e = this.elapsed(tick);
    let value: number;
    if (!this.running) value = this.count;
    else if (this.mode === 2) value = this.count - remainder(e, this.count);
    else if (this.mode === 3) {
      const phase = remainder(e, this.count);
      const half = (this.count + 1) >> 1;
      const into = phase < half ? phase : phase - half;
      value = (this.count & ~1) - 2 * into;
    } else value = (((this.count - e) % this.modulus) + this.modulus) % this.modulus;
    value %= this.modulus;
    return this.bcd ? toBcd(value) : value;
  }

  status(tick: number): number {
    const nullCount = this.count === 0 || this.nextCount ? 0x40 : 0;
    return (
      (this.output(tick) ? 0x80 : 0) | nullCount | (this.access << 4) | (this.mode << 1) | (this.bcd ? 1 : 0)
    );
  }

  readByte(tick: number): number {
    if (this.latchedStatus >= 0) {
      const status = this.latchedStatus;
      this.latchedStatus = -1;
      return status;
    }
    const value = this.latchedCount >= 0 ? this.latchedCount : this.currentCount(tick);
    const high = this.access === 2 || (this.access === 3 && this.readHighNext);
    if (this.access === 3) this.readHighNext = !this.readHighNext;
    if (this.access !== 3 || high) this.latchedCount = -1;
    return high ? value >> 8 : value & 0xff;
  }

  latchCount(tick: number): void {
    if (this.latchedCount < 0) this.latchedCount = this.currentCount(tick);
  }
  latchStatus(tick: number): void {
    if (this.latchedStatus < 0) this.latchedStatus = this.status(tick);
  }
}

/** Farther than this from a whole number nothing is rounded to the wrong one. */
const ENOUGH = 1e-6;

/** `a % b` for whole numbers; dividing integers is much quicker than numbers that only happen to be whole. */
function remainder(a: number, b: number): number {
  return a <= 0x7fffffff ? (a | 0) % (b | 0) : a % b;
}

/** The 8254 at 40h–43h and the speaker control byte of port 61h. */
export class Pit implements Device {
  readonly name = 'pit';
  readonly readsQuietly = true;
  readonly ports = [
    [0x40, 0x43],
    [0x61, 0x61],
  ] as const;
  private channels = [new Channel(), new Channel(), new Channel()];
  private speakerData = false;
  /** Bits 3:2 of port 61h, which switch checks on and off that nothing here fails. */
  private checks = 0;
  /** Tick of the next change of channel 0's output that was announced. */
  private deadlineTick = Infinity;
  private deadline = Infinity;
  /** Cycle and tick at which the second began that was asked for last. */
  private secondAt = 0;
  private readonly ticksPerCycle: number;
  private secondTick = 0;

  /** @param irq0 wire to input 0 of the interrupt controller */
  constructor(
    private readonly clock: Clock,
    private readonly irq0: InterruptLine,
  ) {
    this.ticksPerCycle = PIT_HZ / clock.frequency;
    widen(this, 'secondAt');
    this.reset();
  }

  /** `ticksAt`, with the second of the last time remembered. */
  private tick(now = this.clock.now()): number {
    const { frequency } = this.clock;
    let into = now - this.secondAt;
    if (!(into >= 0 && into < frequency)) {
      const second = Math.floor(now / frequency);
      this.secondAt = second * frequency;
      this.secondTick = second * PIT_HZ;
      into = now - this.secondAt;
    }
    // A product instead of the quotient, where its error cannot matter: it is below a millionth.
    const ticks = into * this.ticksPerCycle;
    const whole = Math.floor(ticks);
    const part = ticks - whole;
    if (part > ENOUGH && part < 1 - ENOUGH) return this.secondTick + whole;
    return this.secondTick + Math.floor((into * PIT_HZ) / frequency);
  }

  /** Frequency that the speaker sounds at, in hertz; 0 when silent. */
  speakerFrequency(): number {
    const c = this.channels[2];
    return this.speakerData && c.gate && c.mode === 3 && c.count ? PIT_HZ / c.count : 0;
  }

  readPort(port: number): number {
    const tick = this.tick();
    if (port === 0x61) {
      const c2 = this.channels[2];
      // Bit 4 toggles with every memory-refresh request, about 15 µs (18 ticks) apart.
      const refresh = Math.floor(tick / 18) & 1;
      return (
        (c2.gate ? 1 : 0) |
        (this.speakerData ? 2 : 0) |
        this.checks |
        (refresh << 4) |
        (c2.output(tick) ? 0x20 : 0)
      );
    }
    return port === 0x43 ? 0xff : this.channels[port & 3].readByte(tick);
  }

  writePort(port: number, value: number): void {
    const tick = this.tick();
    if (port === 0x61) {
      this.speakerData = (value & 2) !== 0;
      this.checks = value & 0x0c;
      this.channels[2].setGate((value & 1) !== 0, tick);
      return;
    }
    if (port === 0x43) this.writeControl(value & 0xff, tick);
    else this.channels[port & 3].writeByte(value & 0xff, tick);
    if (port === 0x40 || port === 0x43) {
      this.irq0(this.channels[0].output(tick));
      this.schedule(tick);
    }
  }

  private writeControl(value: number, tick: number): void {
    const select = value >> 6;
    if (select === 3) {
      for (let i = 0; i < 3; i++) {
        if (!(value & (2 << i))) continue;
        if (!(value & 0x20)) this.channels[i].latchCount(tick);
        if (!(value & 0x10)) this.channels[i].latchStatus(tick);
      }
      return;
    }
    const access = (value >> 4) & 3;
    if (access === 0) this.channels[select].latchCount(tick);
    else this.channels[select].setMode((value >> 1) & 7, access, (value & 1) !== 0);
  }

  private schedule(tick: number): void {
    this.deadlineTick = this.channels[0].nextEdge(tick);
    this.deadline =
      this.deadlineTick === Infinity
        ? Infinity
        : cycleOfTick(this.deadlineTick, PIT_HZ, this.clock.frequency);
  }

  nextDeadline(): number {
    return this.deadline;
  }

  /** However late it is called, the controller sees one edge if there was any, and then the level of now. */
  advance(now: number): void {
    if (now < this.deadline) return;
    const tick = this.tick(now);
    const channel = this.channels[0];
    if (channel.mode === 2 || tick > this.deadlineTick) this.irq0(false);
    if (channel.mode === 2 || tick > this.deadlineTick) this.irq0(true);
    this.irq0(channel.output(tick));
    this.schedule(tick);
  }

  /** As a PC's firmware leaves it: channel 0 in mode 3 at 18.2 Hz, channel 2 silent. */
  reset(): void {
    const tick = this.tick();
    this.channels = [new Channel(), new Channel(), new Channel()];
    this.speakerData = false;
    this.checks = 0;
    this.channels[2].gate = false;
    this.channels[0].setMode(3, 3, false);
    this.channels[0].writeByte(0, tick);
    this.channels[0].writeByte(0, tick);
    this.channels[2].setMode(3, 3, false);
    this.irq0(this.channels[0].output(tick));
    this.schedule(tick);
  }
}

const fromBcd = (v: number) =>
  (v & 15) + ((v >> 4) & 15) * 10 + ((v >> 8) & 15) * 100 + ((v >> 12) & 15) * 1000;
const toBcd = (v: number) =>
  (v % 10) |
  ((Math.floor(v / 10) % 10) << 4) |
  ((Math.floor(v / 100) % 10) << 8) |
  ((Math.floor(v / 1000) % 10) << 12);
