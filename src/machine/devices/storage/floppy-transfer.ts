// The execution phase of the diskette controller's data commands: READ, WRITE, VERIFY, FORMAT, READ ID. 82077AA data sheet
// (290166) §5.1, tables 5-1 to 5-5: how far a command runs, which sector its result names, what the status registers say.
import type { DmaLine } from '../dma.ts';
import type { FloppyController } from './floppy-controller.ts';
import type { FloppyDrive } from './floppy-drive.ts';

const SECTOR = 512;
/** Status register 0. */
export const ST0 = { abnormal: 0x40, invalid: 0x80, seekEnd: 0x20, equipment: 0x10 } as const;
/** Status register 1: end of cylinder, overrun, no data, not writable, missing address mark. Status register 2. */
const ST1 = { end: 0x80, overrun: 0x10, noData: 0x04, notWritable: 0x02, noMark: 0x01 } as const;
const ST2 = { wrongCylinder: 0x10, controlMark: 0x40 } as const;
/** 200 ns a byte, 40 times as fast as a diskette turns: what software waits for is the order of things. */
const BYTE_NS = 200;
/** kbit/s of the data rate select register. */
const RATES = [500, 300, 250, 1000];

export class FloppyTransfer {
  /** In non-DMA mode: the host has to move a byte now; and which way. */
  wantsHost = false;
  toHost = false;
  private readonly buffer = new Uint8Array(SECTOR);
  private position = 0;
  private length = SECTOR;
  /** The address that the result names: cylinder, head, sector, size code. */
  private c = 0;
  private h = 0;
  private r = 0;
  private n = 0;
  /** Side of the diskette. */
  private side = 0;
  /** READ TRACK, FORMAT TRACK and VERIFY with EC end after so many sectors. */
  private counted = false;
  private left = 0;

  constructor(
    private readonly controller: FloppyController,
    private readonly dma: DmaLine,
  ) {}

  private get bytes(): readonly number[] {
    return this.controller.bytes;
  }
  private get command(): number {
    return this.bytes[0] & 0x1f;
  }
  private get drive(): FloppyDrive {
    return this.controller.drive(this.bytes[1]);
  }

  stop(): void {
    this.wantsHost = false;
  }

  /** All bytes of a data command are there. */
  start(): void {
    const { bytes, controller, command } = this;
    this.side = (bytes[1] >> 2) & 1;
    this.toHost = command !== 5 && command !== 9 && command !== 13;
    [this.c, this.h, this.r, this.n] =
      command === 10 || command === 13 ? [this.drive.cylinder, this.side, 1, 2] : bytes.slice(2, 6);
    this.counted = command === 2 || command === 13 || (command === 22 && (bytes[1] & 0x80) !== 0);
    this.left = command === 13 ? bytes[3] : command === 2 ? bytes[6] : bytes[8];
    if (command === 2) this.r = 1;
    if (controller.impliedSeek && command !== 10 && command !== 13) this.drive.step(this.c);
    controller.later(SECTOR * BYTE_NS, command === 10 ? this.readId : this.next);
  }

  private end(st1: number, st2: number): void {
    this.wantsHost = false;
    const bad = st1 || st2 & ~ST2.controlMark ? ST0.abnormal : 0;
    const st0 = bad | (this.side << 2) | (this.bytes[1] & 3);
    this.controller.finish([st0, st1, st2, this.c, this.h, this.r, this.n]);
  }

  /** A diskette that turns, read at the rate it was written with? Else there are no address marks. */
  private get readable(): boolean {
    return this.drive.format?.rate === RATES[this.controller.rate];
  }

  private readonly readId = (): void => {
    const sector = this.readable ? this.drive.nextHeader(this.side) : 0;
    this.c = this.drive.cylinder;
    this.r = sector;
    this.end(sector ? 0 : ST1.noMark, 0);
  };

  /** The next sector passes the head. */
  private readonly next = (): void => {
    if (!this.readable) return this.end(ST1.noMark, 0);
    if (!this.toHost && this.drive.writeProtected) return this.end(ST1.notWritable, 0);
    if (this.command === 13) return this.collect(4);
    if (this.c !== this.drive.cylinder) return this.end(ST1.noData, ST2.wrongCylinder);
    const sector = this.drive.find(this.side, this.r);
    if (sector < 0 || this.n !== 2 || this.h !== this.side) return this.end(ST1.noData, 0);
    if (!this.toHost) return this.collect(SECTOR);
    this.drive.read(sector, this.buffer);
    if (this.command === 22) return this.sectorDone(false);
    this.deliver();
  };

  // ---- to the host

  private deliver(): void {
    this.length = SECTOR;
    if (this.controller.nonDma) return this.waitForHost();
    const moved = this.dma.toMemory(this.buffer, 0, SECTOR);
    if (moved < SECTOR && !this.dma.ended) return this.end(ST1.overrun, 0);
    this.sectorDone(this.dma.ended);
  }

  hostReads(): number {
    if (!this.wantsHost || !this.toHost) return 0;
    const value = this.buffer[this.position++];
    if (this.position === this.length) {
      this.wantsHost = false;
      this.controller.setInterrupt(false);
      this.sectorDone(false);
    }
    return value;
  }

  // ---- from the host

  /** `length` bytes of data: a sector, or the four bytes of an address to format. */
  private collect(length: number): void {
    this.length = length;
    if (this.controller.nonDma) return this.waitForHost();
    const moved = this.dma.fromMemory(this.buffer, 0, length);
    if (moved < length && !this.dma.ended) return this.end(ST1.overrun, 0);
    this.buffer.fill(0, moved); // the rest of a sector that the host cut short is zeros
    this.store(this.dma.ended);
  }

  hostWrites(value: number): void {
    if (!this.wantsHost || this.toHost) return;
    this.buffer[this.position++] = value;
    if (this.position === this.length) {
      this.wantsHost = false;
      this.controller.setInterrupt(false);
      this.store(false);
    }
  }

  private store(ended: boolean): void {
    if (this.command === 13) return this.format();
    const sector = this.drive.find(this.side, this.r);
    if (!this.drive.write(sector, this.buffer)) return this.end(ST1.notWritable, 0);
    this.sectorDone(ended);
  }

  /** FORMAT TRACK: the sector that the four bytes name gets the filler byte. */
  private format(): void {
    const [c, h, r, n] = this.buffer;
    const sector =
      c === this.drive.cylinder && h === this.side && n === 2 ? this.drive.find(this.side, r) : -1;
    if (sector >= 0) this.drive.write(sector, this.buffer.fill(this.bytes[5]));
    this.left--;
    if (this.left <= 0) return this.end(0, 0);
    this.controller.later(SECTOR * BYTE_NS, this.next);
  }

  private waitForHost(): void {
    this.position = 0;
    this.wantsHost = true;
    this.controller.setInterrupt(true);
  }

  // ---- from sector to sector

  /** A sector is through. Ends at terminal count, or behind the last sector of the track, or of both sides with MT. */
  private sectorDone(terminalCount: boolean): void {
    const { command, side } = this;
    const twoSides = (this.bytes[0] & 0x80) !== 0 && command !== 2;
    const enough = this.counted && --this.left <= 0;
    const trackEnds = command === 2 ? enough : this.r === this.bytes[6];
    const cylinderEnds = trackEnds && (!twoSides || side === 1);
    this.r = trackEnds ? 1 : (this.r + 1) & 0xff;
    if (trackEnds && twoSides) this.h = side ^ 1;
    if (cylinderEnds) this.c = (this.c + 1) & 0xff;
    if (terminalCount || enough) return this.end(0, 0);
    // Without a terminal count the end of the cylinder is an error; VERIFY expects none.
    if (cylinderEnds) return this.end(command === 22 ? 0 : ST1.end, 0);
    if (trackEnds) this.side = 1;
    this.controller.later(SECTOR * BYTE_NS, this.next);
  }
}
