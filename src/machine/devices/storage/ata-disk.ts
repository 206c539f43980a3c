// An ATA hard disk: ATA/ATAPI-6 (T13 1410D) §8, the general feature set, 48-bit addresses and, from older standards, sectors
// by cylinder and head (INITIALIZE DEVICE PARAMETERS, RECALIBRATE, SEEK).
import { AtaDrive, BYTE_NS, type Cable, ERROR, STATUS } from './ata-drive.ts';
import { type DriveSettings, identifyDisk, MAXIMUM_MULTIPLE } from './ata-identify.ts';
import { chsOf, diskGeometry, type Geometry, linearSector } from './geometry.ts';
import type { Medium } from './medium.ts';

const SECTOR = 512;
/** Sectors that a DMA transfer moves at a time. */
const DMA_SECTORS = 128;
const BY_LBA = 0x40;
const WRITES = new Set([0x30, 0x31, 0x34, 0x39, 0x3c, 0xc5]);

/** Which way the sectors go, in blocks of how many. */
interface Transfer {
  lba: number;
  left: number;
  block: number;
  extended: boolean;
}

export class AtaDisk extends AtaDrive {
  protected readonly idleStatus = STATUS.ready | STATUS.seekDone;
  private readonly geometry: Geometry;
  private translation: Geometry;
  private settings: DriveSettings = { transferMode: 0x45, writeCache: true, multiple: 0 };
  private readonly run: Transfer = { lba: 0, left: 0, block: 1, extended: false };

  constructor(
    cable: Cable,
    private readonly medium: Medium,
    private readonly serial: string,
  ) {
    super(cable, DMA_SECTORS * SECTOR);
    this.geometry = this.translation = diskGeometry(medium.sectors);
    this.powerOn();
  }

  protected signature(): void {
    this.count = this.low = 1;
    this.middle = this.high = 0;
    this.status = this.idleStatus;
  }

  protected defaults(): void {
    this.translation = this.geometry;
    this.settings = { transferMode: 0x45, writeCache: true, multiple: 0 };
  }

  /** The PIO writes. */
  protected asksAtOnce(command: number): boolean {
    return WRITES.has(command);
  }

  protected execute(command: number): void {
    switch (command) {
      case 0x20: // READ SECTOR(S), with and without retries
      case 0x21:
        return this.start(false, 1, this.readBlock);
      case 0x24: // READ SECTOR(S) EXT
        return this.start(true, 1, this.readBlock);
      case 0xc4: // READ MULTIPLE
      case 0x29: // READ MULTIPLE EXT
        return this.startMultiple(command === 0x29, this.readBlock);
      case 0x30: // WRITE SECTOR(S)
      case 0x31:
      case 0x3c: // WRITE VERIFY
        return this.start(false, 1, this.writeFirst);
      case 0x34: // WRITE SECTOR(S) EXT
        return this.start(true, 1, this.writeFirst);
      case 0xc5: // WRITE MULTIPLE
      case 0x39: // WRITE MULTIPLE EXT
        return this.startMultiple(command === 0x39, this.writeFirst);
      case 0xc8: // READ DMA
      case 0xc9:
        return this.start(false, DMA_SECTORS, this.readDma);
      case 0x25: // READ DMA EXT
        return this.start(true, DMA_SECTORS, this.readDma);
      case 0xca: // WRITE DMA
      case 0xcb:
        return this.start(false, DMA_SECTORS, this.writeDma);
      case 0x35: // WRITE DMA EXT
        return this.start(true, DMA_SECTORS, this.writeDma);
      case 0x40: // READ VERIFY SECTOR(S)
      case 0x41:
      case 0x42: // READ VERIFY SECTOR(S) EXT
        return this.start(command === 0x42, 1, this.verify);
      case 0xec:
        identifyDisk(
          this.buffer,
          this.medium.sectors,
          this.geometry,
          this.translation,
          this.settings,
          this.serial,
        );
        return this.offer(SECTOR, () => this.done(false));
      case 0xef:
        return this.setFeatures();
      case 0xc6:
        return this.setMultiple();
      case 0x91:
        return this.initializeParameters();
      case 0xe7: // FLUSH CACHE: a medium keeps what it has taken
      case 0xea: // FLUSH CACHE EXT
        return this.done();
      case 0xf8: // READ NATIVE MAX ADDRESS
      case 0x27: // READ NATIVE MAX ADDRESS EXT
        this.run.extended = command === 0x27;
        this.showAddress(this.medium.sectors - 1);
        return this.done();
      case 0xe5: // CHECK POWER MODE: active
      case 0x98:
        this.count = 0xff;
        return this.done();
      case 0xe0: // STANDBY and IDLE IMMEDIATE, STANDBY, IDLE, SLEEP
      case 0xe1:
      case 0xe2:
      case 0xe3:
      case 0xe6:
      case 0x94:
      case 0x95:
      case 0x96:
      case 0x97:
      case 0x99:
        return this.done();
      default:
        if (command >> 4 === 1) return this.done(); // RECALIBRATE
        if (command >> 4 === 7) return this.seek();
        return this.abort();
    }
  }

  // ---- addresses

  /** Number of the addressed sector, or -1. */
  private address(extended: boolean): number {
    if (extended) {
      if (!(this.device & BY_LBA)) return -1;
      const upper = this.previousLow + this.previousMiddle * 2 ** 8 + this.previousHigh * 2 ** 16;
      return upper * 2 ** 24 + this.low + (this.middle << 8) + (this.high << 16);
    }
    if (this.device & BY_LBA)
      return this.low | (this.middle << 8) | (this.high << 16) | ((this.device & 15) << 24);
    return linearSector(this.translation, this.middle | (this.high << 8), this.device & 15, this.low);
  }

  /** Puts a sector's number where the command had its own: that of an error, or of the end. */
  private showAddress(sector: number): void {
    if (this.run.extended) {
      const upper = Math.floor(sector / 2 ** 24);
      this.previousLow = upper & 0xff;
      this.previousMiddle = (upper >>> 8) & 0xff;
      this.previousHigh = (upper >>> 16) & 0xff;
    } else if (!(this.device & BY_LBA)) {
      const { cylinder, head, sector: number } = chsOf(this.translation, sector);
      this.low = number;
      this.middle = cylinder & 0xff;
      this.high = (cylinder >>> 8) & 0xff;
      this.device = (this.device & 0xf0) | head;
      return;
    } else this.device = (this.device & 0xf0) | ((sector >>> 24) & 15);
    this.low = sector & 0xff;
    this.middle = (sector >>> 8) & 0xff;
    this.high = (sector >>> 16) & 0xff;
  }

  // ---- transfers

  /** Reads address and count; a count of zero is the largest one. */
  private start(extended: boolean, block: number, then: () => void): void {
    const { run } = this;
    run.extended = extended;
    run.block = block;
    run.lba = this.address(extended);
    run.left = extended ? (this.previousCount << 8) | this.count || 65_536 : this.count || 256;
    if (run.lba < 0 || run.lba >= this.medium.sectors) return this.fail(ERROR.idNotFound);
    then();
  }

  private startMultiple(extended: boolean, then: () => void): void {
    if (!this.settings.multiple) return this.abort();
    this.start(extended, this.settings.multiple, then);
  }

  /** Copies the next sectors from the medium, as many as a block has. Bytes; 0 when already the first is not there. */
  private fill(): number {
    const { run } = this;
    const wanted = Math.min(run.block, run.left);
    let got = 0;
    while (got < wanted && this.medium.read(run.lba, this.buffer, got * SECTOR)) {
      run.lba++;
      got++;
    }
    run.left -= got;
    return got * SECTOR;
  }

  /** Copies `bytes` from the buffer to the medium. False when a sector could not be written; it is in the registers then. */
  private store(bytes: number): boolean {
    const { run } = this;
    for (let at = 0; at < bytes; at += SECTOR) {
      if (!this.medium.write(run.lba, this.buffer.subarray(at, at + SECTOR))) {
        this.lost();
        return false;
      }
      run.lba++;
      run.left--;
    }
    return true;
  }

  /** The transfer has come to a sector that is not there, or may not be written. */
  private lost(): void {
    this.showAddress(this.run.lba);
    this.fail(this.run.lba >= this.medium.sectors ? ERROR.idNotFound : ERROR.aborted);
  }

  private readonly readBlock = (): void => {
    const bytes = this.fill();
    if (bytes === 0) this.lost();
    else this.offer(bytes, this.readNext);
  };
  private readonly readNext = (): void => {
    if (this.run.left === 0) this.done(false);
    else this.busyFor(this.blockTime(), this.readBlock);
  };

  private readonly writeFirst = (): void => this.askForBlock(false);
  private readonly writeNext = (): void => this.askForBlock(true);
  private askForBlock(interrupt: boolean): void {
    this.ask(Math.min(this.run.block, this.run.left) * SECTOR, interrupt, this.writeBusy);
  }
  private readonly writeBusy = (): void => this.busyFor(this.blockTime(), this.writeBlock);
  private readonly writeBlock = (): void => {
    if (!this.store(Math.min(this.run.block, this.run.left) * SECTOR)) return;
    if (this.run.left === 0) this.done();
    else this.writeNext();
  };

  private blockTime(): number {
    return Math.min(this.run.block, this.run.left) * SECTOR * BYTE_NS;
  }

  private readonly readDma = (): void => this.busyFor(this.blockTime(), this.readDmaBlock);
  private readonly readDmaBlock = (): void => {
    const bytes = this.fill();
    if (bytes === 0) this.lost();
    else this.transfer(true, 0, bytes, this.readDmaNext);
  };
  private readonly readDmaNext = (): void => {
    if (this.run.left === 0) this.done();
    else this.readDma();
  };

  private readonly writeDma = (): void => this.busyFor(this.blockTime(), this.writeDmaBlock);
  private readonly writeDmaBlock = (): void => {
    this.transfer(false, 0, Math.min(this.run.block, this.run.left) * SECTOR, this.writeDmaMoved);
  };
  private readonly writeDmaMoved = (): void => {
    if (!this.store(Math.min(this.run.block, this.run.left) * SECTOR)) return;
    if (this.run.left === 0) this.done();
    else this.writeDma();
  };

  private readonly verify = (): void => {
    const { run } = this;
    const last = run.lba + run.left - 1;
    if (last >= this.medium.sectors) {
      run.lba = this.medium.sectors;
      return this.lost();
    }
    this.done();
  };

  // ---- settings

  private seek(): void {
    const lba = this.address(false);
    if (lba < 0 || lba >= this.medium.sectors) this.fail(ERROR.idNotFound);
    else this.done();
  }

  private setMultiple(): void {
    const count = this.count;
    if (count > MAXIMUM_MULTIPLE || count & (count - 1)) return this.abort();
    this.settings.multiple = count;
    this.done();
  }

  /** Heads and sectors per track for addresses without LBA; cylinders follow from the capacity (§6.2.1). */
  private initializeParameters(): void {
    const heads = (this.device & 15) + 1;
    const sectorsPerTrack = this.count;
    if (!sectorsPerTrack) return this.abort();
    const reachable = Math.min(this.medium.sectors, 16_383 * 16 * 63);
    const cylinders = Math.min(65_535, Math.max(1, Math.floor(reachable / (heads * sectorsPerTrack))));
    this.translation = { cylinders, heads, sectorsPerTrack };
    this.done();
  }

  private setFeatures(): void {
    switch (this.features) {
      case 0x02:
      case 0x82:
        this.settings.writeCache = this.features === 0x02;
        return this.done();
      case 0x03:
        return this.setTransferMode();
      case 0xaa: // read look-ahead on, off; advanced power management off; keep or restore defaults at software reset
      case 0x55:
      case 0x85:
      case 0x66:
      case 0xcc:
        return this.done();
      default:
        return this.abort();
    }
  }

  private setTransferMode(): void {
    const mode = this.count;
    const known = mode <= 0x01 || (mode >= 0x08 && mode <= 0x0c) || (mode >= 0x20 && mode <= 0x22);
    if (!known && !(mode >= 0x40 && mode <= 0x45)) return this.abort();
    this.settings.transferMode = mode;
    this.done();
  }
}
