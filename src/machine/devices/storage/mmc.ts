// The commands of a CD-ROM drive with one data track: SFF-8020i rev. 2.6 §10 (INF-8020i), and of MMC-3 (T10 1363D) GET
// CONFIGURATION, GET EVENT STATUS NOTIFICATION and READ DISC INFORMATION. A command either fails with sense data, or is
// done, or has a reply, or wants blocks of the CD sent.

export const CD_BLOCK = 2048;
/** Blocks of an 80-minute CD: what is larger is a DVD. */
const CD_BLOCKS = 80 * 60 * 75;
/** Sense keys. */
const NOT_READY = 2;
const ILLEGAL_REQUEST = 5;
/** Additional sense codes with their qualifiers. */
const INVALID_COMMAND = 0x2000;
const OUT_OF_RANGE = 0x2100;
const INVALID_FIELD = 0x2400;
const NOT_SAVED = 0x3900;
const NO_MEDIUM = 0x3a00;
const LOCKED = 0x5302;

type Outcome = 'failed' | 'done' | 'reply' | 'blocks';

export class CdUnit {
  /** The reply of the last command, and its length in bytes. */
  readonly reply = new Uint8Array(256);
  length = 0;
  /** Blocks to send. */
  lba = 0;
  blocks = 0;
  senseKey = 0;
  /** Additional sense code and qualifier. */
  private senseCode = 0;
  private ejected = false;
  private locked = false;
  /** Media event for GET EVENT STATUS NOTIFICATION: 0 none, 1 eject request, 2 new medium, 3 removal. */
  private event = 0;

  /** @param capacity blocks of the CD */
  constructor(private readonly capacity: number) {}

  reset(): void {
    this.senseKey = this.senseCode = this.event = 0;
    this.ejected = this.locked = false;
  }

  execute(p: Uint8Array): Outcome {
    if (p[0] === 0x03) return this.requestSense(p);
    this.senseKey = this.senseCode = 0;
    switch (p[0]) {
      case 0x12:
        return this.inquiry(p);
      case 0x1b:
        return this.startStop(p);
      case 0x1e: // PREVENT/ALLOW MEDIUM REMOVAL
        this.locked = (p[4] & 1) !== 0;
        return 'done';
      case 0x46:
        return this.getConfiguration(p);
      case 0x4a:
        return this.getEventStatus(p);
      case 0x5a:
        return this.modeSense(p);
      case 0xbb: // SET CD SPEED
        return 'done';
      case 0xbd: // MECHANISM STATUS: no changer
        this.begin(8);
        this.reply[5] = 1;
        return this.cut(word(p, 8));
    }
    if (!MEDIUM_COMMANDS.has(p[0])) return this.fail(ILLEGAL_REQUEST, INVALID_COMMAND);
    if (this.ejected) return this.fail(NOT_READY, NO_MEDIUM);
    switch (p[0]) {
      case 0x25:
        return this.readCapacity();
      case 0x28:
        return this.read(long(p, 2), word(p, 7));
      case 0xa8:
        return this.read(long(p, 2), long(p, 6));
      case 0xbe:
        return this.readCd(p);
      case 0x2b: // SEEK
        return long(p, 2) < this.capacity ? 'done' : this.fail(ILLEGAL_REQUEST, OUT_OF_RANGE);
      case 0x43:
        return this.readToc(p);
      case 0x51:
        return this.readDiscInformation(p);
      default: // TEST UNIT READY
        return 'done';
    }
  }

  private fail(key: number, code: number): Outcome {
    this.senseKey = key;
    this.senseCode = code;
    return 'failed';
  }

  private begin(length: number): void {
    this.reply.fill(0);
    this.length = length;
  }

  /** No more than the host has room for. */
  private cut(allocation: number): Outcome {
    this.length = Math.min(this.length, allocation);
    return this.length ? 'reply' : 'done';
  }

  private put16(at: number, value: number): void {
    this.reply[at] = value >>> 8;
    this.reply[at + 1] = value;
  }
  private put32(at: number, value: number): void {
    this.put16(at, value >>> 16);
    this.put16(at + 2, value);
  }
  private putText(at: number, length: number, text: string): void {
    for (let n = 0; n < length; n++) this.reply[at + n] = n < text.length ? text.charCodeAt(n) : 0x20;
  }

  /** Tells why the last command failed, once. */
  private requestSense(p: Uint8Array): Outcome {
    this.begin(18);
    this.reply[0] = 0x70;
    this.reply[2] = this.senseKey;
    this.reply[7] = 10;
    this.put16(12, this.senseCode);
    this.senseKey = this.senseCode = 0;
    return this.cut(p[4]);
  }

  private inquiry(p: Uint8Array): Outcome {
    if (p[1] & 1 || p[2]) return this.fail(ILLEGAL_REQUEST, INVALID_FIELD); // no vital product data
    this.begin(36);
    this.reply[0] = 5; // CD-ROM
    this.reply[1] = 0x80; // removable
    this.reply[3] = 0x21; // ATAPI, response format 1
    this.reply[4] = 31;
    this.putText(8, 8, 'RINGSIDE');
    this.putText(16, 16, 'CD-ROM');
    this.putText(32, 4, '1.0');
    return this.cut(word(p, 3));
  }

  private startStop(p: Uint8Array): Outcome {
    const load = (p[4] & 2) !== 0;
    const start = (p[4] & 1) !== 0;
    if (!load) return this.ejected && start ? this.fail(NOT_READY, NO_MEDIUM) : 'done';
    if (!start && this.locked)
      return this.fail(this.ejected ? NOT_READY : ILLEGAL_REQUEST, this.ejected ? NO_MEDIUM : LOCKED);
    if (this.ejected === start) this.event = start ? 2 : 3;
    this.ejected = !start;
    return 'done';
  }

  private readCapacity(): Outcome {
    this.begin(8);
    this.put32(0, this.capacity - 1);
    this.put32(4, CD_BLOCK);
    return 'reply';
  }

  private read(lba: number, blocks: number): Outcome {
    if (blocks === 0) return 'done';
    if (lba + blocks > this.capacity) return this.fail(ILLEGAL_REQUEST, OUT_OF_RANGE);
    this.lba = lba;
    this.blocks = blocks;
    return 'blocks';
  }

  /** READ CD, user data only: an image has no headers and no error correction. */
  private readCd(p: Uint8Array): Outcome {
    const blocks = (p[6] << 16) | word(p, 7);
    if (blocks === 0 || (p[9] & 0xf8) === 0) return 'done';
    if ((p[9] & 0xfe) !== 0x10 || p[10] & 7) return this.fail(ILLEGAL_REQUEST, INVALID_FIELD);
    return this.read(long(p, 2), blocks);
  }

  // ---- what is on the disc

  private putAddress(at: number, lba: number, msf: boolean): void {
    if (!msf) {
      this.put32(at, lba);
      return;
    }
    const frames = lba + 150;
    this.reply[at] = 0;
    this.reply[at + 1] = Math.floor(frames / 75 / 60);
    this.reply[at + 2] = Math.floor(frames / 75) % 60;
    this.reply[at + 3] = frames % 75;
  }

  private readToc(p: Uint8Array): Outcome {
    const msf = (p[1] & 2) !== 0;
    const format = p[2] & 15 || p[9] >> 6;
    const first = p[6];
    this.begin(4);
    this.reply[2] = this.reply[3] = 1; // first and last track (format 0), session (1 and 2)
    if (format === 0) {
      if (first > 1 && first !== 0xaa) return this.fail(ILLEGAL_REQUEST, INVALID_FIELD);
      if (first <= 1) this.putTrack(1, 0, msf);
      this.putTrack(0xaa, this.capacity, msf);
    } else if (format === 1) this.putTrack(1, 0, msf);
    else if (format === 2) for (const point of [0xa0, 0xa1, 0xa2, 1]) this.putPoint(point);
    else return this.fail(ILLEGAL_REQUEST, INVALID_FIELD);
    this.put16(0, this.length - 2);
    return this.cut(word(p, 7));
  }

  private putTrack(track: number, lba: number, msf: boolean): void {
    const at = this.length;
    this.length += 8;
    this.reply[at + 1] = track === 0xaa ? 0x16 : 0x14; // position in Q, data; the lead-out may be copied
    this.reply[at + 2] = track;
    this.putAddress(at + 4, lba, msf);
  }

  /** An entry of the raw table: first track, last track, lead-out, track 1. */
  private putPoint(point: number): void {
    const at = this.length;
    this.length += 11;
    this.reply[at] = 1;
    this.reply[at + 1] = 0x14;
    this.reply[at + 3] = point;
    if (point === 0xa0 || point === 0xa1) this.reply[at + 8] = 1;
    else {
      this.putAddress(at + 7, point === 1 ? 0 : this.capacity, true);
      this.reply[at + 7] = 0;
    }
  }

  private readDiscInformation(p: Uint8Array): Outcome {
    this.begin(34);
    this.put16(0, 32);
    this.reply[2] = 0x0e; // complete, last session complete
    this.reply[3] = this.reply[4] = this.reply[5] = this.reply[6] = 1;
    this.reply[7] = 0x20;
    return this.cut(word(p, 7));
  }

  // ---- what the drive can do

  private modeSense(p: Uint8Array): Outcome {
    if (p[2] >> 6 === 3) return this.fail(ILLEGAL_REQUEST, NOT_SAVED);
    const page = p[2] & 0x3f;
    const all = page === 0x3f;
    if (!all && page !== 0x01 && page !== 0x2a) return this.fail(ILLEGAL_REQUEST, INVALID_FIELD);
    this.begin(8);
    this.reply[2] = this.ejected ? 0x70 : 0x01; // no disc; data CD of 120 mm
    const put = (bytes: readonly number[]) => {
      this.reply.set(bytes, this.length);
      this.length += bytes.length;
    };
    if (all || page === 0x01) put([0x01, 6, 0, 5, 0, 0, 0, 0]); // error recovery: five retries
    if (all || page === 0x2a) {
      const lock = 0x29 | (this.locked ? 2 : 0); // can lock and eject, has a tray
      const speed = 706; // kB/s, four times the rate of music
      put([0x2a, 18, 0, 0, 0x70, 0, lock, 0, speed >> 8, speed & 255, 0, 2, 2, 0, speed >> 8, speed & 255]);
      put([0, 0, 0, 0]);
    }
    this.put16(0, this.length - 2);
    return this.cut(word(p, 7));
  }

  /** The profile list, core and removable-medium features. */
  private getConfiguration(p: Uint8Array): Outcome {
    const dvd = this.capacity > CD_BLOCKS;
    const from = word(p, 2);
    const only = (p[1] & 3) === 2;
    this.begin(8);
    this.put16(6, this.ejected ? 0 : dvd ? 0x10 : 0x08);
    const put = (feature: number, flags: number, data: readonly number[]) => {
      if (only ? feature !== from : feature < from) return;
      this.put16(this.length, feature);
      this.reply[this.length + 2] = flags;
      this.reply[this.length + 3] = data.length;
      this.reply.set(data, this.length + 4);
      this.length += 4 + data.length;
    };
    const current = (yes: boolean) => (yes && !this.ejected ? 1 : 0);
    put(0x0000, 0x03, [0, 0x10, current(dvd), 0, 0, 0x08, current(!dvd), 0]);
    put(0x0001, 0x03, [0, 0, 0, 2]); // core: ATAPI
    put(0x0003, 0x03, [0x29, 0, 0, 0]); // removable medium: tray, eject, lock
    put(0x0010, current(true), [0, 0, 8, 0, 0, 1, 0, 0]); // random readable: blocks of 2048 bytes
    this.put32(0, this.length - 4);
    return this.cut(word(p, 7));
  }

  private getEventStatus(p: Uint8Array): Outcome {
    if (!(p[1] & 1)) return this.fail(ILLEGAL_REQUEST, INVALID_FIELD); // asynchronous notification
    const media = (p[4] & 0x10) !== 0;
    this.begin(media ? 8 : 4);
    this.put16(0, media ? 6 : 2);
    this.reply[2] = media ? 4 : 0x80;
    this.reply[3] = 0x10; // classes there are: media
    if (media) {
      this.reply[4] = this.event;
      this.reply[5] = this.ejected ? 1 : 2; // tray open; medium present
      this.event = 0;
    }
    return this.cut(word(p, 7));
  }
}

/** Commands that need a disc: TEST UNIT READY, READ CAPACITY, READ(10), SEEK, READ TOC, READ DISC INFORMATION, READ(12), READ CD. */
const MEDIUM_COMMANDS = new Set([0x00, 0x25, 0x28, 0x2b, 0x43, 0x51, 0xa8, 0xbe]);

const word = (p: Uint8Array, at: number): number => (p[at] << 8) | p[at + 1];
const long = (p: Uint8Array, at: number): number => ((word(p, at) << 16) | word(p, at + 2)) >>> 0;
