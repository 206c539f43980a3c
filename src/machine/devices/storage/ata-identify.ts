// What IDENTIFY DEVICE and IDENTIFY PACKET DEVICE answer: 256 words, ATA/ATAPI-6 (T13 1410D) tables 27 and 29. Words that
// are not written here are zero: "not supported" or "not specified".
import { capacity, type Geometry } from './geometry.ts';

/** What a drive can be set to, and is. */
export interface DriveSettings {
  /** Transfer mode of SET FEATURES 03h: 8+n PIO, 20h+n multiword DMA, 40h+n Ultra DMA. */
  transferMode: number;
  writeCache: boolean;
  /** Sectors of a READ MULTIPLE block, 0 = off. */
  multiple: number;
}

export const MAXIMUM_MULTIPLE = 16;
/** Ultra DMA modes 0–5, multiword DMA modes 0–2. */
const ULTRA_DMA_MODES = 0x3f;
const MULTIWORD_MODES = 0x07;

class Words {
  constructor(private readonly into: Uint8Array) {
    into.fill(0, 0, 512);
  }
  set(word: number, value: number): void {
    this.into[word * 2] = value;
    this.into[word * 2 + 1] = value >>> 8;
  }
  /** Low word first. */
  set32(word: number, value: number): void {
    this.set(word, value);
    this.set(word + 1, value >>> 16);
  }
  /** The first character of each pair is in the high byte. */
  text(word: number, words: number, text: string): void {
    const padded = text.padEnd(words * 2).slice(0, words * 2);
    for (let n = 0; n < words; n++)
      this.set(word + n, (padded.charCodeAt(2 * n) << 8) | padded.charCodeAt(2 * n + 1));
  }
}

function common(words: Words, settings: DriveSettings, serial: string, model: string): void {
  words.text(10, 10, serial);
  words.text(23, 4, '1.0');
  words.text(27, 20, model);
  words.set(49, 0x0f00); // IORDY, LBA, DMA
  words.set(50, 0x4000);
  words.set(51, 0x0200);
  words.set(53, 0x0007); // words 54–58, 64–70 and 88 are valid
  const mode = settings.transferMode;
  const selected = mode >= 0x20 ? 1 << (8 + (mode & 7)) : 0;
  words.set(63, MULTIWORD_MODES | (mode < 0x40 ? selected : 0));
  words.set(64, 0x0003); // PIO modes 3 and 4
  for (let n = 65; n <= 68; n++) words.set(n, 120); // cycle times in ns
  words.set(80, 0x007e); // ATA-1 … ATA/ATAPI-6
  words.set(88, ULTRA_DMA_MODES | (mode >= 0x40 ? selected : 0));
}

/** @param translation what INITIALIZE DEVICE PARAMETERS has set */
export function identifyDisk(
  into: Uint8Array,
  sectors: number,
  geometry: Geometry,
  translation: Geometry,
  settings: DriveSettings,
  serial: string,
): void {
  const words = new Words(into);
  common(words, settings, serial, 'Ringside hard disk');
  words.set(0, 0x0040); // fixed
  words.set(1, geometry.cylinders);
  words.set(3, geometry.heads);
  words.set(6, geometry.sectorsPerTrack);
  words.set(47, 0x8000 | MAXIMUM_MULTIPLE);
  words.set(48, 0x0001); // the data port may be read 32 bits at a time
  words.set(54, translation.cylinders);
  words.set(55, translation.heads);
  words.set(56, translation.sectorsPerTrack);
  words.set32(57, Math.min(sectors, capacity(translation)));
  words.set(59, settings.multiple ? 0x0100 | settings.multiple : 0);
  words.set32(60, Math.min(sectors, 0x0fffffff));
  words.set(82, 0x4020); // NOP, write cache
  words.set(83, 0x7400); // FLUSH CACHE (EXT), 48-bit addresses
  words.set(84, 0x4000);
  words.set(85, 0x4000 | (settings.writeCache ? 0x20 : 0));
  words.set(86, 0x3400);
  words.set(87, 0x4000);
  words.set(93, 0x600b); // hardware reset: device 0, found by jumper; 80-wire cable
  words.set32(100, sectors >>> 0);
  words.set32(102, Math.floor(sectors / 2 ** 32));
}

export function identifyPacketDevice(into: Uint8Array, settings: DriveSettings, serial: string): void {
  const words = new Words(into);
  common(words, settings, serial, 'Ringside CD-ROM');
  words.set(0, 0x85c0); // packet device, CD-ROM, removable, DRQ within 50 µs, packets of 12 bytes
  words.set(82, 0x4210); // NOP, DEVICE RESET, PACKET
  words.set(83, 0x4000);
  words.set(84, 0x4000);
  words.set(85, 0x4210);
  words.set(87, 0x4000);
  words.set(93, 0x600b);
}
