// What every ATA device has, disk or packet device: the task file, its status, one block of data on its way through the data
// port, and the time it takes. ATA/ATAPI-6 (T13 1410D) §7 registers, §9 protocols (PIO data in/out, DMA, non-data).
import type { Clock } from '../device.ts';

export const STATUS = { error: 0x01, dataRequest: 0x08, seekDone: 0x10, ready: 0x40, busy: 0x80 } as const;
export const ERROR = { aborted: 0x04, idNotFound: 0x10 } as const;

/** A drive answers from its buffer: 20 µs for a command, and the 100 MB/s of Ultra DMA mode 5. Seeks are not modelled. */
const COMMAND_NS = 20_000;
/** Time for one byte. */
export const BYTE_NS = 10;
/** From the end of a reset until the drive is ready. The standard allows 31 s; a drive that spins takes some microseconds. */
const RESET_NS = 100_000;

/** The bus master of a channel, as a drive sees it: it takes or gives bytes while it is started. */
export interface DmaPort {
  /** Bytes that were moved to memory: fewer than offered when the host has stopped, or its table is at an end. */
  toMemory(data: Uint8Array, from: number, to: number): number;
  fromMemory(data: Uint8Array, from: number, to: number): number;
}

/** What a drive needs of its channel. */
export interface Cable {
  readonly clock: Clock;
  readonly dma: DmaPort;
  /** INTRQ of some drive has changed. */
  interruptChanged(): void;
}

const NOTHING = (): void => {};

export abstract class AtaDrive {
  // Task file: each register holds what was written last and, behind it, what was there before (48-bit addresses).
  features = 0;
  count = 0;
  low = 0;
  middle = 0;
  high = 0;
  device = 0;
  previousCount = 0;
  previousLow = 0;
  previousMiddle = 0;
  previousHigh = 0;
  status = 0;
  error = 0;
  /** INTRQ is asserted (whether it reaches the channel is for device control to say). */
  interrupt = false;

  /** The block under way: the host is at `position`, the block ends at `end`. */
  protected readonly buffer: Uint8Array;
  protected position = 0;
  protected end = 0;
  private hostWrites = false;
  /** What to do when the host has moved the whole block; at `deadline`; when the bus master is started. */
  private afterBlock: () => void = NOTHING;
  private atDeadline: () => void = NOTHING;
  deadline = Infinity;
  private waiting: (() => void) | null = null;

  /** @param bufferSize bytes of the largest block */
  constructor(
    protected readonly cable: Cable,
    bufferSize: number,
  ) {
    this.buffer = new Uint8Array(bufferSize);
  }

  /** Status when nothing is going on. */
  protected abstract readonly idleStatus: number;
  /** Content of the registers after a reset, by which drivers tell disks from packet devices (§9.12). */
  protected abstract signature(): void;
  /** A command whose time has come; what no drive knows ends in `abort()`. */
  protected abstract execute(command: number): void;
  /** A command that begins by asking the host for data: its buffer is free, so it asks without a delay. */
  protected abstract asksAtOnce(command: number): boolean;
  /** Settings of the drive after power-on or a hardware reset. */
  protected abstract defaults(): void;

  // ---- registers

  write(register: number, value: number): void {
    if (register === 6) {
      this.device = value;
      return;
    }
    if (this.status & STATUS.busy) return;
    switch (register) {
      case 1:
        this.features = value;
        break;
      case 2:
        this.previousCount = this.count;
        this.count = value;
        break;
      case 3:
        this.previousLow = this.low;
        this.low = value;
        break;
      case 4:
        this.previousMiddle = this.middle;
        this.middle = value;
        break;
      case 5:
        this.previousHigh = this.high;
        this.high = value;
        break;
    }
  }

  /** @param before true: what was written before the last (HOB of device control) */
  read(register: number, before: boolean): number {
    switch (register) {
      case 1:
        return this.error;
      case 2:
        return before ? this.previousCount : this.count;
      case 3:
        return before ? this.previousLow : this.low;
      case 4:
        return before ? this.previousMiddle : this.middle;
      case 5:
        return before ? this.previousHigh : this.high;
      default:
        return this.device | 0xa0;
    }
  }

  /** The command register. A drive that is busy or in the middle of a transfer takes none. */
  command(code: number): void {
    if (this.status & (STATUS.busy | STATUS.dataRequest)) return;
    this.setInterrupt(false);
    this.error = 0;
    if (this.asksAtOnce(code)) this.execute(code);
    else this.busyFor(COMMAND_NS, () => this.execute(code));
  }

  // ---- protocols

  /** Busy for a time in nanoseconds, then `then`. */
  protected busyFor(ns: number, then: () => void): void {
    this.status = STATUS.busy;
    this.atDeadline = then;
    this.deadline = this.cable.clock.now() + Math.ceil((ns * this.cable.clock.frequency) / 1e9);
  }

  /** PIO data in: `length` bytes of the buffer, from byte `from`, wait for the host, with an interrupt; then `then`. */
  protected offer(length: number, then: () => void, from = 0): void {
    this.block(from, length, false, then);
    this.setInterrupt(true);
  }

  /** PIO data out: the host is asked for `length` bytes; then `then`. The first block of a command asks without an interrupt. */
  protected ask(length: number, interrupt: boolean, then: () => void): void {
    this.block(0, length, true, then);
    if (interrupt) this.setInterrupt(true);
  }

  private block(from: number, length: number, hostWrites: boolean, then: () => void): void {
    this.position = from;
    this.end = from + length;
    this.hostWrites = hostWrites;
    this.afterBlock = then;
    this.status = this.idleStatus | STATUS.dataRequest;
  }

  /** DMA: moves bytes [from, to) of the buffer, as soon as and as far as the bus master lets it; then `then`. */
  protected transfer(toMemory: boolean, from: number, to: number, then: () => void): void {
    const { dma } = this.cable;
    const moved = toMemory ? dma.toMemory(this.buffer, from, to) : dma.fromMemory(this.buffer, from, to);
    if (moved === to - from) {
      this.waiting = null;
      then();
    } else this.waiting = () => this.transfer(toMemory, from + moved, to, then);
  }

  /** The bus master was started: a drive that waits for it goes on. */
  dmaStarted(): void {
    this.waiting?.();
  }

  /** The command has ended well. */
  protected done(interrupt = true): void {
    this.end = this.position = 0;
    this.status = this.idleStatus;
    if (interrupt) this.setInterrupt(true);
  }

  /** The command has ended with an error (ERROR.*). */
  protected fail(error: number): void {
    this.end = this.position = 0;
    this.error = error;
    this.status = this.idleStatus | STATUS.error;
    this.setInterrupt(true);
  }

  protected abort(): void {
    this.fail(ERROR.aborted);
  }

  // ---- data port

  /** @param size 1, 2 or 4 bytes; a byte access moves a word all the same, since the port is 16 bits wide */
  readData(size: 1 | 2 | 4): number {
    if (!(this.status & STATUS.dataRequest) || this.hostWrites) return 0;
    const { buffer, position: at } = this;
    let value = buffer[at] | (buffer[at + 1] << 8);
    if (size === 4) value = (value | (buffer[at + 2] << 16) | (buffer[at + 3] << 24)) >>> 0;
    this.moved(size);
    return size === 1 ? value & 0xff : value;
  }

  writeData(value: number, size: 1 | 2 | 4): void {
    if (!(this.status & STATUS.dataRequest) || !this.hostWrites) return;
    const { buffer, position: at } = this;
    buffer[at] = value;
    buffer[at + 1] = value >>> 8;
    if (size === 4) {
      buffer[at + 2] = value >>> 16;
      buffer[at + 3] = value >>> 24;
    }
    this.moved(size);
  }

  private moved(size: number): void {
    this.position += size === 4 ? 4 : 2;
    if (this.position >= this.end) {
      const then = this.afterBlock;
      this.afterBlock = NOTHING;
      this.status = this.idleStatus;
      then();
    }
  }

  // ---- time, interrupts and resets

  protected setInterrupt(level: boolean): void {
    if (this.interrupt === level) return;
    this.interrupt = level;
    this.cable.interruptChanged();
  }

  /** The host has read the status register. */
  acknowledge(): void {
    this.setInterrupt(false);
  }

  advance(now: number): void {
    if (this.deadline > now) return;
    this.deadline = Infinity;
    const then = this.atDeadline;
    this.atDeadline = NOTHING;
    then();
  }

  /** Busy while SRST is asserted. */
  holdReset(): void {
    this.stop();
    this.status = STATUS.busy;
  }

  /** Diagnostics pass, the signature appears; ready after a while. `then` says more about it. */
  startReset(then: () => void = NOTHING): void {
    this.stop();
    this.busyFor(RESET_NS, () => {
      this.restore();
      then();
    });
  }

  /** The end of EXECUTE DEVICE DIAGNOSTIC in device 0 is an interrupt; a reset has none. */
  signalDiagnostics(): void {
    this.setInterrupt(true);
  }

  private stop(): void {
    this.deadline = Infinity;
    this.atDeadline = this.afterBlock = NOTHING;
    this.waiting = null;
    this.position = this.end = 0;
    this.setInterrupt(false);
  }

  private restore(): void {
    this.error = 0x01; // diagnostic code: no error
    this.device = 0;
    this.signature();
  }

  /** Power-on, as firmware leaves it: ready, signature in the registers. */
  powerOn(): void {
    this.stop();
    this.features = this.previousCount = this.previousLow = this.previousMiddle = this.previousHigh = 0;
    this.defaults();
    this.restore();
  }
}
