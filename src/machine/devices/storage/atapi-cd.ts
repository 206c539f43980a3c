// A CD-ROM drive on an ATA channel: the packet protocol of ATA/ATAPI-6 (T13 1410D) §9.8 (PIO) and §9.9 (DMA), as SFF-8020i
// has it too. What the packets mean is mmc.ts's matter.
import { AtaDrive, BYTE_NS, type Cable, STATUS } from './ata-drive.ts';
import { type DriveSettings, identifyPacketDevice } from './ata-identify.ts';
import type { Medium } from './medium.ts';
import { CD_BLOCK, CdUnit } from './mmc.ts';

const PACKET_BYTES = 12;
/** Blocks that a DMA transfer moves at a time. */
const DMA_BLOCKS = 32;
/** The largest piece of PIO (65 534 bytes), and what may be left of a block before it. */
const BUFFER_BLOCKS = 33;
/** Interrupt reason, in the sector count register (§7.15.6): a command packet, data to the host, or the end. */
const REASON = { command: 1, toHost: 2, end: 3 } as const;
const FEATURE_DMA = 0x01;
const FEATURE_OVERLAP = 0x02;

export class AtapiCd extends AtaDrive {
  protected readonly idleStatus = STATUS.ready | STATUS.seekDone;
  private readonly unit: CdUnit;
  private settings: DriveSettings = { transferMode: 0x45, writeCache: false, multiple: 0 };
  /** Of the packet command under way: by DMA; most bytes in one block of PIO; next block of the CD and how many are left. */
  private dma = false;
  private limit = 0;
  private lba = 0;
  private left = 0;
  /** Bytes of the buffer that are for the host: [from, ready). */
  private from = 0;
  private ready = 0;

  constructor(
    cable: Cable,
    private readonly medium: Medium,
    private readonly serial: string,
  ) {
    super(cable, BUFFER_BLOCKS * CD_BLOCK);
    this.unit = new CdUnit(medium.sectors);
    this.powerOn();
  }

  /** A packet device is not ready, so that drivers that know only disks leave it alone. */
  protected signature(): void {
    this.count = this.low = 1;
    this.middle = 0x14;
    this.high = 0xeb;
    this.status = 0;
  }

  protected defaults(): void {
    this.settings = { transferMode: 0x45, writeCache: false, multiple: 0 };
    this.unit.reset();
  }

  /** DEVICE RESET is taken at any time. */
  override command(code: number): void {
    if (code !== 0x08) {
      super.command(code);
      return;
    }
    const { device } = this;
    this.startReset(() => {
      this.device = device;
    });
  }

  /** PACKET: 50 µs at most, as IDENTIFY PACKET DEVICE promises. */
  protected asksAtOnce(command: number): boolean {
    return command === 0xa0;
  }

  protected execute(command: number): void {
    switch (command) {
      case 0xa0:
        return this.startPacket();
      case 0xa1:
        identifyPacketDevice(this.buffer, this.settings, this.serial);
        return this.offer(512, () => this.done(false));
      case 0xef:
        return this.setFeatures();
      case 0xe5: // CHECK POWER MODE: active
        this.count = 0xff;
        return this.done();
      case 0xe0: // power management: nothing to spin down
      case 0xe1:
      case 0xe2:
      case 0xe3:
      case 0xe6:
        return this.done();
      case 0x20: // READ SECTOR(S) and IDENTIFY DEVICE show the signature and abort (§9.12)
      case 0xec:
        this.signature();
        return this.abort();
      default:
        return this.abort();
    }
  }

  private setFeatures(): void {
    const mode = this.count;
    const known = mode <= 0x01 || (mode >= 0x08 && mode <= 0x0c) || (mode >= 0x20 && mode <= 0x22);
    if (this.features !== 0x03) return this.abort();
    if (!known && !(mode >= 0x40 && mode <= 0x45)) return this.abort();
    this.settings.transferMode = mode;
    this.done();
  }

  // ---- PACKET

  private startPacket(): void {
    if (this.features & FEATURE_OVERLAP) return this.abort();
    this.dma = (this.features & FEATURE_DMA) !== 0;
    this.limit = this.middle | (this.high << 8);
    if (this.limit & 1) this.limit--;
    this.count = REASON.command;
    this.ask(PACKET_BYTES, false, this.packetArrived);
  }

  private readonly packetArrived = (): void => {
    const packet = this.buffer.slice(0, PACKET_BYTES);
    this.busyFor(10 * BYTE_NS * PACKET_BYTES, () => this.executePacket(packet));
  };

  private executePacket(packet: Uint8Array): void {
    const outcome = this.unit.execute(packet);
    if (outcome === 'failed') return this.checkCondition();
    if (outcome === 'done') return this.complete();
    // A host that wants data, by PIO, has to say how much it takes at a time.
    if (!this.dma && this.limit === 0) {
      this.count = REASON.end;
      return this.abort();
    }
    this.from = this.ready = this.left = 0;
    if (outcome === 'reply') {
      this.ready = this.unit.length;
      this.buffer.set(this.unit.reply.subarray(0, this.ready));
    } else {
      this.lba = this.unit.lba;
      this.left = this.unit.blocks;
    }
    this.next();
  }

  /** The next piece for the host: as much as it takes at a time. Reads the blocks of the CD that it needs. */
  private readonly next = (): void => {
    const waiting = this.ready - this.from;
    const all = waiting + this.left * CD_BLOCK;
    if (all === 0) return this.complete();
    const piece = Math.min(all, this.dma ? DMA_BLOCKS * CD_BLOCK : this.limit);
    const blocks = Math.max(0, Math.ceil((piece - waiting) / CD_BLOCK));
    if (blocks) this.load(blocks);
    this.busyFor(blocks * CD_BLOCK * BYTE_NS, () => this.send(piece));
  };

  /** Blocks of the CD into the buffer, behind what is there. */
  private load(blocks: number): void {
    this.buffer.copyWithin(0, this.from, this.ready);
    this.ready -= this.from;
    this.from = 0;
    for (let n = 0; n < blocks; n++) {
      this.medium.read(this.lba++, this.buffer, this.ready);
      this.ready += CD_BLOCK;
    }
    this.left -= blocks;
  }

  private send(length: number): void {
    const { from } = this;
    this.from += length;
    this.count = REASON.toHost;
    if (this.dma) return this.transfer(true, from, this.from, this.next);
    this.middle = length & 0xff;
    this.high = length >>> 8;
    this.offer(length, this.next, from);
  }

  private complete(): void {
    this.count = REASON.end;
    this.done();
  }

  /** The sense key shows in the error register; REQUEST SENSE tells the rest. */
  private checkCondition(): void {
    this.count = REASON.end;
    this.fail(this.unit.senseKey << 4);
  }
}
