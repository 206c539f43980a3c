// Motorola MC146818 real-time clock and its CMOS memory (data sheet MC146818, register A–D sections) at ports 70h/71h.
// Time is a start date plus virtual seconds; interrupts go to IRQ 8. Memory-size bytes follow the PC/AT layout.
import { civilFromSeconds, parseDate, secondsFromCivil } from './calendar.ts';
import type { Clock, Device, InterruptLine } from './device.ts';
import { diskGeometry } from './storage/geometry.ts';
import type { DriveSetUp } from './storage/storage.ts';
import { cycleOfTick, RTC_HZ, ticksAt } from './time-base.ts';

const A = 0x0a;
const B = 0x0b;
const C = 0x0c;
const D = 0x0d;
/** Register B. */
const SET = 0x80;
const PIE = 0x40;
const AIE = 0x20;
const UIE = 0x10;
const BINARY = 0x04;
const HOUR24 = 0x02;
/** Register C: flags line up with the enables of B. */
const IRQF = 0x80;
/** UIP rises 244 µs before an update that lasts 1984 µs: in ticks of 32 768 Hz. */
const UPDATE_TICKS = Math.ceil((244e-6 + 1984e-6) * RTC_HZ);
const CENTURY = 0x32;

export class Cmos implements Device {
  readonly name = 'cmos';
  readonly ports = [[0x70, 0x71]] as const;
  private readonly ram = new Uint8Array(128);
  private index = 0;
  private readonly startSeconds: number;
  /** Clock time at virtual second `baseSecond`, both in whole seconds. */
  private base = 0;
  private baseSecond = 0;
  /** Ticks up to which periodic flags, and seconds up to which update and alarm flags, are in register C. */
  private periodicSeen = 0;
  private updateSeen = 0;
  private deadline = Infinity;

  /**
   * @param startDate `YYYY-MM-DDTHH:MM:SS` shown at power-on
   * @param memoryBytes memory of the machine, for the size bytes
   * @param drives for the drive type bytes
   */
  constructor(
    private readonly clock: Clock,
    private readonly irq8: InterruptLine,
    startDate: string,
    private readonly memoryBytes: number,
    private readonly drives: DriveSetUp = { floppyTypes: [0, 0], disks: [0, 0] },
  ) {
    this.startSeconds = parseDate(startDate);
    this.reset();
  }

  private ticks(now = this.clock.now()): number {
    return ticksAt(now, RTC_HZ, this.clock.frequency);
  }
  private second(now = this.clock.now()): number {
    return Math.floor(now / this.clock.frequency);
  }

  /** Seconds since 1970 that the time registers show. */
  private shown(second: number): number {
    return this.base + (this.stopped ? 0 : second - this.baseSecond);
  }

  /** The time stands still while software sets it, and while it holds the divider chain in reset. */
  private get stopped(): boolean {
    return (this.ram[B] & SET) !== 0 || (this.ram[A] & 0x60) === 0x60;
  }

  readPort(port: number): number {
    if (port === 0x70) return 0xff;
    const i = this.index;
    if (i <= 9 || i === CENTURY) return isAlarm(i) ? this.ram[i] : this.timeRegister(i);
    if (i === A) return this.ram[A] | (this.updateInProgress() ? 0x80 : 0);
    if (i === C) return this.readFlags();
    return this.ram[i];
  }

  private updateInProgress(): boolean {
    if (this.stopped) return false;
    return RTC_HZ - (this.ticks() % RTC_HZ) <= UPDATE_TICKS;
  }

  private timeRegister(i: number): number {
    const t = civilFromSeconds(this.shown(this.second()));
    switch (i) {
      case 0:
        return this.encode(t.second);
      case 2:
        return this.encode(t.minute);
      case 4:
        return this.encodeHour(t.hour);
      case 6:
        return this.encode(t.weekday + 1);
      case 7:
        return this.encode(t.day);
      case 8:
        return this.encode(t.month);
      case 9:
        return this.encode(t.year % 100);
      default:
        return this.encode(Math.floor(t.year / 100));
    }
  }

  private encode(value: number): number {
    return this.ram[B] & BINARY ? value : ((value / 10) << 4) | (value % 10);
  }
  private decode(value: number): number {
    return this.ram[B] & BINARY ? value : (value >> 4) * 10 + (value & 15);
  }
  private encodeHour(hour: number): number {
    if (this.ram[B] & HOUR24) return this.encode(hour);
    return this.encode(hour % 12 || 12) | (hour >= 12 ? 0x80 : 0);
  }
  private decodeHour(value: number): number {
    if (this.ram[B] & HOUR24) return this.decode(value) % 24;
    return (this.decode(value & 0x7f) % 12) + (value & 0x80 ? 12 : 0);
  }

  writePort(port: number, value: number): void {
    if (port === 0x70) {
      this.index = value & 0x7f; // bit 7 gates NMI, which nothing on this board raises
      return;
    }
    const i = this.index;
    if (i === C || i === D) return;
    if ((i <= 9 || i === CENTURY) && !isAlarm(i)) this.setTime(i, value);
    else if (i === A || i === B) this.writeControl(i, value);
    else this.ram[i] = value;
    if (i <= B) this.refresh();
  }

  private setTime(i: number, value: number): void {
    const second = this.second();
    const t = civilFromSeconds(this.shown(second));
    const v = this.decode(value);
    if (i === 0) t.second = v % 60;
    else if (i === 2) t.minute = v % 60;
    else if (i === 4) t.hour = this.decodeHour(value);
    else if (i === 7) t.day = Math.max(1, v);
    else if (i === 8) t.month = Math.min(12, Math.max(1, v));
    else if (i === 9) t.year = Math.floor(t.year / 100) * 100 + (v % 100);
    else if (i === CENTURY) t.year = (v % 100) * 100 + (t.year % 100);
    this.base = secondsFromCivil(t);
    this.baseSecond = second;
  }

  /** Registers A and B. What stops the time lets it go on from where it stood. */
  private writeControl(i: number, value: number): void {
    const now = this.clock.now();
    this.collect(now);
    const second = this.second(now);
    this.base = this.shown(second);
    this.baseSecond = second;
    if (i === A) this.ram[A] = value & 0x7f;
    else this.ram[B] = value & SET ? value & ~UIE : value;
    // Another rate counts from here on: no interrupt for what was before.
    this.periodicSeen = this.periods(now);
  }

  /** Whole periods of the periodic flag since power-on. */
  private periods(now: number): number {
    const hz = this.periodicHz();
    return hz ? Math.floor(this.ticks(now) / (RTC_HZ / hz)) : 0;
  }

  /** Rate of the periodic flag in hertz, 0 = off (register A, RS bits; rates 1 and 2 repeat 8 and 9). */
  private periodicHz(): number {
    const rs = this.ram[A] & 15;
    if (rs === 0 || (this.ram[A] & 0x60) === 0x60) return 0;
    return rs < 3 ? 256 >> (rs - 1) : RTC_HZ >> (rs - 1);
  }

  /** Brings the flags of register C up to `now`. */
  private collect(now: number): void {
    const periods = this.periods(now);
    if (periods > this.periodicSeen) this.ram[C] |= PIE;
    this.periodicSeen = periods;
    const second = this.second(now);
    if (second > this.updateSeen && !this.stopped) {
      this.ram[C] |= UIE;
      // An alarm comes at least once a day or never, so a longer look back finds nothing new.
      for (let s = Math.max(this.updateSeen + 1, second - 86399); s <= second; s++) {
        if (!this.alarmAt(this.shown(s))) continue;
        this.ram[C] |= AIE;
        break;
      }
    }
    this.updateSeen = second;
  }

  private alarmAt(seconds: number): boolean {
    const day = ((seconds % 86400) + 86400) % 86400;
    const matches = (register: number, shown: number) =>
      (this.ram[register] & 0xc0) === 0xc0 || this.ram[register] === shown;
    return (
      matches(1, this.encode(day % 60)) &&
      matches(3, this.encode(Math.floor(day / 60) % 60)) &&
      matches(5, this.encodeHour(Math.floor(day / 3600)))
    );
  }

  /** Reading register C clears its flags and lets the line fall. */
  private readFlags(): number {
    this.collect(this.clock.now());
    const pending = this.ram[C] & this.ram[B] & (PIE | AIE | UIE);
    const value = this.ram[C] | (pending ? IRQF : 0);
    this.ram[C] = 0;
    this.refresh();
    return value;
  }

  private refresh(): void {
    const now = this.clock.now();
    this.collect(now);
    const b = this.ram[B];
    this.irq8((this.ram[C] & b & (PIE | AIE | UIE)) !== 0);
    const hz = this.periodicHz();
    let next = Infinity;
    if (b & PIE && hz)
      next = cycleOfTick((this.periodicSeen + 1) * (RTC_HZ / hz), RTC_HZ, this.clock.frequency);
    if (b & (UIE | AIE) && !this.stopped) next = Math.min(next, (this.updateSeen + 1) * this.clock.frequency);
    this.deadline = next;
  }

  nextDeadline(): number {
    return this.deadline;
  }
  advance(now: number): void {
    if (now >= this.deadline) this.refresh();
  }

  /** The battery keeps time and memory; here that is the scenario's date, and the set-up that firmware would have left. */
  reset(): void {
    const ram = this.ram.fill(0);
    this.index = 0;
    this.base = this.startSeconds;
    this.baseSecond = 0;
    ram[A] = 0x26; // 32 768 Hz divider, 1024 Hz periodic
    ram[B] = HOUR24;
    ram[D] = 0x80; // battery good
    ram[0x14] = 0x06; // equipment: coprocessor, PS/2 mouse, 80-column display
    const baseKiB = 640;
    const extendedKiB = Math.max(0, Math.floor(this.memoryBytes / 1024) - 1024);
    const above16M = Math.max(0, Math.floor((this.memoryBytes - 0x1000000) / 65536));
    const word = (at: number, value: number) => {
      ram[at] = value & 0xff;
      ram[at + 1] = value >> 8;
    };
    word(0x15, baseKiB);
    word(0x17, Math.min(0xffff, extendedKiB));
    word(0x30, Math.min(0xffff, extendedKiB));
    word(0x34, Math.min(0xffff, above16M));
    this.setUpDrives(ram);
    const sum = ram.subarray(0x10, 0x2e).reduce((a, b) => a + b, 0);
    ram[0x2e] = (sum >> 8) & 0xff;
    ram[0x2f] = sum & 0xff;
    this.periodicSeen = this.periods(this.clock.now());
    this.updateSeen = this.second();
    this.refresh();
  }

  /** Drive types: bytes 10h (diskettes), 12h, 19h and 1Ah (disks: 47 = as bytes 1Bh–2Ch say), 14h bits 7–6 and 0. */
  private setUpDrives(ram: Uint8Array): void {
    const { floppyTypes, disks } = this.drives;
    ram[0x10] = (floppyTypes[0] << 4) | floppyTypes[1];
    const floppies = floppyTypes.filter((type) => type !== 0).length;
    if (floppies) ram[0x14] |= 0x01 | ((floppies - 1) << 6);
    disks.forEach((sectors, n) => {
      if (!sectors) return;
      const { cylinders, heads, sectorsPerTrack } = diskGeometry(sectors);
      ram[0x12] |= n ? 0x0f : 0xf0;
      ram[0x19 + n] = 47;
      // Cylinders, heads, write precompensation (none), control (more than 8 heads), landing zone, sectors.
      const bytes = [cylinders & 255, cylinders >> 8, heads, 0xff, 0xff, 0xc0 | (heads > 8 ? 8 : 0)];
      ram.set([...bytes, cylinders & 255, cylinders >> 8, sectorsPerTrack], 0x1b + 9 * n);
    });
  }
}

const isAlarm = (i: number) => i === 1 || i === 3 || i === 5;
