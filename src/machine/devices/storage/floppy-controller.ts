// The diskette controller, an Intel 82077AA (data sheet 290166): registers at 3F0h–3F5h and 3F7h, IRQ 6, DMA channel 2.
// §2 registers, §5 commands and their phases, §6 status registers. Sectors move in floppy-transfer.ts.
import type { Clock, Device, InterruptLine } from '../device.ts';
import type { DmaLine } from '../dma.ts';
import { FloppyDrive } from './floppy-drive.ts';
import { FloppyTransfer, ST0 } from './floppy-transfer.ts';
import type { Medium } from './medium.ts';

/** Main status register. */
const REQUEST = 0x80;
const TO_HOST = 0x40;
const NON_DMA = 0x20;
const BUSY = 0x10;
/** Digital output register. */
const NOT_RESET = 0x04;
const DMA_GATE = 0x08;
/** Reset, seeks and the gap before a result. Heads and motors move at once: a real drive takes milliseconds. */
const COMMAND_NS = 50_000;
const NOTHING = (): void => {};

/** Parameter bytes of each command, by its low five bits; what is missing is invalid. */
const PARAMETERS: Readonly<Record<number, number>> = {
  2: 8, // READ TRACK
  3: 2, // SPECIFY
  4: 1, // SENSE DRIVE STATUS
  5: 8, // WRITE DATA
  6: 8, // READ DATA
  7: 1, // RECALIBRATE
  8: 0, // SENSE INTERRUPT STATUS
  9: 8, // WRITE DELETED DATA
  10: 1, // READ ID
  12: 8, // READ DELETED DATA
  13: 5, // FORMAT TRACK
  14: 0, // DUMPREG
  15: 2, // SEEK, RELATIVE SEEK
  16: 0, // VERSION
  18: 1, // PERPENDICULAR MODE
  19: 3, // CONFIGURE
  20: 0, // LOCK
  22: 8, // VERIFY
};

export class FloppyController implements Device {
  readonly name = 'floppy';
  readonly ports = [
    [0x3f0, 0x3f5],
    [0x3f7, 0x3f7],
  ] as const;
  readonly drives: readonly FloppyDrive[];
  /** Bytes of the command under way, and how many it has. */
  readonly bytes: number[] = [];
  private expected = 0;
  private result: number[] = [];
  private phase: 'command' | 'execution' | 'result' = 'command';
  private readonly transfer: FloppyTransfer;
  /** SPECIFY: no DMA. */
  nonDma = false;
  /** Data rate select: 0 = 500, 1 = 300, 2 = 250, 3 = 1000 kbit/s. */
  rate = 0;
  private output = 0;
  private tape = 0;
  private specify = [0, 0];
  private configuration = [0, 0];
  private perpendicular = 0;
  private locked = false;
  /** SENSE INTERRUPT STATUS has these to tell: status 0 and cylinder, the oldest first. */
  private readonly told: [st0: number, cylinder: number][] = [];
  /** Drives that seek, for the main status register. */
  private seeking = 0;
  private interrupt = false;
  private atDeadline: () => void = NOTHING;
  private deadline = Infinity;

  constructor(
    readonly clock: Clock,
    private readonly irq: InterruptLine,
    dma: DmaLine,
    media: readonly (Medium | undefined)[],
  ) {
    this.drives = [0, 1].map((n) => new FloppyDrive(media[n] ?? null));
    this.transfer = new FloppyTransfer(this, dma);
    this.reset();
  }

  /** The drive that a command's second byte addresses; drives 2 and 3 are never there. */
  drive(number: number): FloppyDrive {
    return this.drives[number & 3] ?? NO_DRIVE;
  }

  /** CONFIGURE's EIS: data commands move the head by themselves. */
  get impliedSeek(): boolean {
    return (this.configuration[0] & 0x40) !== 0;
  }

  // ---- registers

  readPort(port: number): number {
    switch (port & 7) {
      case 0: // status A (PS/2): interrupt, second drive, step, track 0, head, index, write protect, direction
        return (this.interrupt ? 0x80 : 0) | 0x40 | (this.selected.cylinder === 0 ? 0 : 0x10) | 0x06;
      case 1:
        return 0xc0 | (this.output & 1 ? 0x20 : 0) | ((this.output >> 4) & 3);
      case 2:
        return this.output;
      case 3:
        return this.tape;
      case 4:
        return this.mainStatus();
      case 5:
        return this.readData();
      default: // 3F7h: only bit 7 is driven
        return this.selected.changed || !this.selected.present ? 0x80 : 0x00;
    }
  }

  private get selected(): FloppyDrive {
    return this.drive(this.output & 3);
  }

  private mainStatus(): number {
    if (!(this.output & NOT_RESET) || (this.phase === 'command' && this.deadline < Infinity && !this.seeking))
      return 0;
    switch (this.phase) {
      case 'command':
        return REQUEST | (this.bytes.length ? BUSY : 0) | this.seeking;
      case 'result':
        return REQUEST | TO_HOST | BUSY;
      default:
        return (
          BUSY |
          (this.nonDma ? NON_DMA : 0) |
          (this.transfer.wantsHost ? REQUEST : 0) |
          (this.transfer.wantsHost && this.transfer.toHost ? TO_HOST : 0)
        );
    }
  }

  writePort(port: number, value: number): void {
    switch (port & 7) {
      case 2:
        this.writeOutput(value);
        break;
      case 3:
        this.tape = value & 3;
        break;
      case 4: // data rate select, with a software reset that ends by itself
        this.rate = value & 3;
        if (value & 0x80) this.softwareReset();
        break;
      case 5:
        this.writeData(value);
        break;
      case 7:
        this.rate = value & 3;
        break;
    }
  }

  private writeOutput(value: number): void {
    const before = this.output;
    this.output = value;
    if (!(value & NOT_RESET)) this.stop();
    else if (!(before & NOT_RESET)) this.softwareReset();
    this.updateLine();
  }

  /** After a reset the controller polls: it interrupts, and has something to tell about each of four drives. */
  private softwareReset(): void {
    this.stop();
    if (!this.locked) this.configuration = [0, 0];
    this.later(COMMAND_NS, () => {
      for (let n = 0; n < 4; n++) this.told.push([0xc0 | n, this.drive(n).cylinder]);
      this.setInterrupt(true);
    });
  }

  private stop(): void {
    this.phase = 'command';
    this.bytes.length = this.told.length = this.seeking = 0;
    this.result = [];
    this.deadline = Infinity;
    this.atDeadline = NOTHING;
    this.transfer.stop();
    this.setInterrupt(false);
  }

  // ---- command and result phases

  private readData(): number {
    if (this.phase === 'execution') return this.transfer.hostReads();
    if (this.phase !== 'result') return 0;
    this.setInterrupt(false);
    const value = this.result.shift() ?? 0;
    if (!this.result.length) this.phase = 'command';
    return value;
  }

  private writeData(value: number): void {
    if (!(this.output & NOT_RESET)) return;
    if (this.phase === 'execution') {
      this.transfer.hostWrites(value);
      return;
    }
    if (this.phase !== 'command') return;
    if (this.bytes.length === 0) this.expected = 1 + (PARAMETERS[value & 0x1f] ?? 0);
    this.bytes.push(value);
    if (this.bytes.length < this.expected) return;
    this.execute();
    if (!this.executing) this.bytes.length = 0;
  }

  private get executing(): boolean {
    return this.phase === 'execution';
  }

  private execute(): void {
    const { bytes } = this;
    const code = bytes[0] & 0x1f;
    // Heads move one after the other: what is still on its way arrives before the next command that moves one.
    if (this.seeking && code !== 8 && code !== 4) this.advance(Infinity);
    const drive = this.drive(bytes[1]);
    switch (code) {
      case 3:
        this.specify = [bytes[1], bytes[2]];
        this.nonDma = (bytes[2] & 1) !== 0;
        return;
      case 4:
        return this.answer([
          0x28 | (drive.writeProtected ? 0x40 : 0) | (drive.cylinder === 0 ? 0x10 : 0) | (bytes[1] & 7),
        ]);
      case 7:
        return this.seek(bytes[1] & 3, 0);
      case 8: {
        const next = this.told.shift();
        this.setInterrupt(false);
        return this.answer(next ? [...next] : [ST0.invalid]);
      }
      case 14:
        return this.answer([
          ...[0, 1, 2, 3].map((n) => this.drive(n).cylinder),
          ...this.specify,
          0,
          (this.locked ? 0x80 : 0) | (this.perpendicular & 0x3c),
          ...this.configuration,
        ]);
      case 15:
        return this.seek(bytes[1] & 3, this.seekTarget(bytes, drive));
      case 16:
        return this.answer([0x90]); // enhanced controller
      case 18:
        this.perpendicular = bytes[1];
        return;
      case 19:
        this.configuration = [bytes[2], bytes[3]];
        return;
      case 20:
        this.locked = (bytes[0] & 0x80) !== 0;
        return this.answer([this.locked ? 0x10 : 0]);
    }
    if (PARAMETERS[code] === undefined) return this.answer([ST0.invalid]);
    this.phase = 'execution';
    this.transfer.start();
  }

  /** SEEK names a cylinder; with bit 7 (RELATIVE SEEK) a distance, inwards with bit 6. */
  private seekTarget(bytes: readonly number[], drive: FloppyDrive): number {
    if (!(bytes[0] & 0x80)) return bytes[2];
    return drive.cylinder + (bytes[0] & 0x40 ? bytes[2] : -bytes[2]);
  }

  /** Moves the head; the end is told by an interrupt, and by SENSE INTERRUPT STATUS. Track 0 of no drive is never found. */
  private seek(number: number, cylinder: number): void {
    const drive = this.drive(number);
    const head = this.bytes[0] === 7 ? 0 : this.bytes[1] & 4;
    const recalibrate = (this.bytes[0] & 0x1f) === 7;
    this.seeking |= 1 << number;
    this.later(COMMAND_NS, () => {
      drive.step(cylinder);
      this.seeking = 0;
      const lost = recalibrate && !drive.present ? ST0.abnormal | ST0.equipment : 0;
      if (this.told.length >= 4) this.told.shift();
      this.told.push([ST0.seekEnd | lost | head | number, drive.cylinder]);
      this.setInterrupt(true);
    });
  }

  /** A result that comes at once, without an interrupt. */
  private answer(result: number[]): void {
    this.result = result;
    this.phase = 'result';
  }

  /** The end of a transfer: its result, with an interrupt. */
  finish(result: number[]): void {
    this.bytes.length = 0;
    this.answer(result);
    this.setInterrupt(true);
  }

  // ---- time and interrupts

  /** The line reaches the PC only while the DMA gate is open. */
  setInterrupt(level: boolean): void {
    this.interrupt = level;
    this.updateLine();
  }
  private updateLine(): void {
    this.irq(this.interrupt && (this.output & DMA_GATE) !== 0);
  }

  /** Does `then` after a time in nanoseconds. */
  later(ns: number, then: () => void): void {
    this.atDeadline = then;
    this.deadline = this.clock.now() + Math.ceil((ns * this.clock.frequency) / 1e9);
  }

  nextDeadline(): number {
    return this.deadline;
  }

  advance(now: number): void {
    if (this.deadline > now) return;
    this.deadline = Infinity;
    const then = this.atDeadline;
    this.atDeadline = NOTHING;
    then();
  }

  /** As firmware leaves it: out of reset, drive A selected, interrupts let through, nothing to tell. */
  reset(): void {
    this.output = NOT_RESET | DMA_GATE;
    this.stop();
    this.rate = this.tape = this.perpendicular = 0;
    this.nonDma = this.locked = false;
    this.specify = [0xaf, 0x02];
    this.configuration = [0, 0];
    for (const drive of this.drives) drive.reset();
  }
}

const NO_DRIVE = new FloppyDrive(null);
