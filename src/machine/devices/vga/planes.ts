// The memory of a VGA: four planes of 64 KiB behind the graphics controller (IBM VGA Technical Reference, "Graphics
// controller registers", "Sequencer registers"). Text modes and plain chained modes need none of its arithmetic, so there the
// window in the machine's memory *is* the display memory, at full speed; other modes answer every access here. When the
// mode changes, contents move over.
import type { MemoryMap, MemoryMapped } from '../../memory/memory-mapped.ts';
import { Gc, type VgaRegisters } from './registers.ts';

/** First byte of the legacy window, and its size. */
export const WINDOW_BASE = 0xa0000;
export const WINDOW_SIZE = 0x20000;

/** Offset and size of what graphics controller 06h lets through. */
const WINDOWS = [
  { offset: 0, size: 0x20000 },
  { offset: 0, size: 0x10000 },
  { offset: 0x10000, size: 0x8000 },
  { offset: 0x18000, size: 0x8000 },
] as const;

/** How the window stands for the planes while it is used directly. */
type Direct = 'none' | 'text' | 'chained';

/** Four bits, one a plane, as a mask of four bytes. */
const PLANE_MASK = Int32Array.from({ length: 16 }, (_, bits) => {
  let mask = 0;
  for (let plane = 0; plane < 4; plane++) if (bits & (1 << plane)) mask |= 0xff << (8 * plane);
  return mask;
});

/** What takes the window's accesses instead of the planes (the banks of the Bochs extensions). */
export interface Bank {
  read(offset: number): number;
  write(offset: number, value: number): void;
}

export class Planes implements MemoryMapped {
  /** One word an address: plane 0 in the low byte. */
  readonly words = new Int32Array(0x10000);
  private readonly bytes = new Uint8Array(this.words.buffer);
  private readonly window16: Uint16Array;
  private readonly window32: Int32Array;
  private readonly words16 = new Uint16Array(this.words.buffer);
  private latch = 0;
  private direct: Direct = 'none';
  /** The part of the window that is the machine's own memory now. */
  private directFrom = 0;
  private directSize = 0;
  /** Counts writes that came through here. */
  writes = 0;
  /** When set, the first 64 KiB of the window lead there. */
  bank: Bank | null = null;

  /**
   * @param window 128 KiB of the machine's memory at A0000h, four-byte aligned
   * @param map where accesses can be had; without it only the directly used modes work
   */
  constructor(
    private readonly r: VgaRegisters,
    readonly window: Uint8Array,
    private readonly map: MemoryMap | null,
  ) {
    this.window16 = new Uint16Array(window.buffer, window.byteOffset, WINDOW_SIZE / 2);
    this.window32 = new Int32Array(window.buffer, window.byteOffset, WINDOW_SIZE / 4);
    map?.add(WINDOW_BASE, WINDOW_SIZE, this);
  }

  /** True when accesses can be had, so that every mode works. */
  get complete(): boolean {
    return this.map !== null;
  }

  /** Everything empty; the window is what the registers say. */
  reset(): void {
    this.words.fill(0);
    this.latch = 0;
    this.bank = null;
    this.direct = 'none';
    this.open(this.wanted());
  }

  /** To be called after every change of a register that the processor's way to the planes depends on. */
  changed(): void {
    // Going direct waits for the next access: on the way from mode to mode there are many states that last for one write.
    if (this.direct !== 'none' && !this.stillDirect()) this.close();
    if (!this.map && this.direct === 'none') this.open(this.wanted());
  }

  private stillDirect(): boolean {
    const { offset, size } = WINDOWS[this.r.memoryMap];
    const wanted = this.wanted();
    return (
      wanted === this.direct && this.directFrom === offset && this.directSize === Math.min(size, 0x10000)
    );
  }

  /** Whether the registers now describe a plain window, and which. */
  private wanted(): Direct {
    const { r } = this;
    const g = r.graphics;
    // Without accesses to look at, a guest gets what its mode looks like.
    if (!this.map) return !r.isGraphics ? 'text' : r.chain4 && g[Gc.mode] & 0x40 ? 'chained' : 'none';
    if (this.bank || g[Gc.enableSetReset] & 15 || g[Gc.rotate] & 31 || g[Gc.bitMask] !== 0xff) return 'none';
    // Write mode 0, read mode 0.
    if (g[Gc.mode] & 0x0b) return 'none';
    if (r.chain4) return r.mapMask === 15 && r.memoryMap === 1 ? 'chained' : 'none';
    const text = r.oddEven && r.mapMask === 3 && g[Gc.mode] & 0x10 && !(g[Gc.readMap] & 2);
    return text && r.memoryMap >= 2 ? 'text' : 'none';
  }

  /** The planes' contents go into the window, and the machine's memory answers there. */
  private open(direct: Direct): void {
    if (direct === 'none') {
      this.map?.setMapped(WINDOW_BASE, WINDOW_SIZE, true);
      return;
    }
    const window = WINDOWS[this.r.memoryMap];
    this.direct = direct;
    this.directFrom = window.offset;
    this.directSize = Math.min(window.size, 0x10000);
    const first = this.directFrom;
    if (direct === 'chained') {
      for (let n = 0; n < this.directSize; n += 4) this.window32[(first + n) >> 2] = this.words[n];
    } else {
      for (let n = 0; n < this.directSize; n += 2) this.window16[(first + n) >> 1] = this.words16[n * 2];
    }
    this.map?.setMapped(WINDOW_BASE, WINDOW_SIZE, true);
    this.map?.setMapped(WINDOW_BASE + first, this.directSize, false);
  }

  /** Accesses come here again. */
  private close(): void {
    this.gather();
    this.direct = 'none';
    this.map?.setMapped(WINDOW_BASE, WINDOW_SIZE, true);
  }

  /** Brings the planes up to what was written into the window directly. */
  gather(): void {
    const first = this.directFrom;
    if (this.direct === 'chained') {
      for (let n = 0; n < this.directSize; n += 4) this.words[n] = this.window32[(first + n) >> 2];
    } else if (this.direct === 'text') {
      for (let n = 0; n < this.directSize; n += 2) this.words16[n * 2] = this.window16[(first + n) >> 1];
    }
  }

  /** True while writes do not come through here, and only a comparison tells whether anything changed. */
  get isDirect(): boolean {
    return this.direct !== 'none';
  }

  // Accesses of the processor. The adapter is eight bits wide.

  readMemory(address: number, size: 1 | 2 | 4): number {
    this.settle();
    let value = 0;
    for (let k = 0; k < size; k++) value |= this.read(address - WINDOW_BASE + k) << (8 * k);
    return value;
  }

  writeMemory(address: number, value: number, size: 1 | 2 | 4): void {
    this.settle();
    this.writes++;
    for (let k = 0; k < size; k++) this.write(address - WINDOW_BASE + k, (value >>> (8 * k)) & 0xff);
  }

  private settle(): void {
    if (this.direct !== 'none') return;
    const wanted = this.wanted();
    if (wanted !== 'none') this.open(wanted);
  }

  private read(at: number): number {
    if (this.bank && at < 0x10000) return this.bank.read(at);
    const window = WINDOWS[this.r.memoryMap];
    const n = at - window.offset;
    if (n < 0 || n >= window.size) return 0xff;
    if (this.direct !== 'none') return this.window[at];
    const { r } = this;
    const g = r.graphics;
    const address = r.chain4 ? n & 0xfffc : r.oddEven ? n & 0xfffe : n & 0xffff;
    const latch = this.words[address];
    this.latch = latch;
    if (g[Gc.mode] & 8) {
      const differs = (latch ^ PLANE_MASK[g[Gc.colourCompare] & 15]) & PLANE_MASK[g[Gc.colourDontCare] & 15];
      return ~(differs | (differs >> 8) | (differs >> 16) | (differs >> 24)) & 0xff;
    }
    const plane = r.chain4 ? n & 3 : r.oddEven ? (g[Gc.readMap] & 2) | (n & 1) : g[Gc.readMap] & 3;
    return (latch >>> (8 * plane)) & 0xff;
  }

  private write(at: number, value: number): void {
    if (this.bank && at < 0x10000) {
      this.bank.write(at, value);
      return;
    }
    const window = WINDOWS[this.r.memoryMap];
    const n = at - window.offset;
    if (n < 0 || n >= window.size) return;
    if (this.direct !== 'none') {
      this.window[at] = value;
      return;
    }
    const { r } = this;
    const g = r.graphics;
    let address = n & 0xffff;
    let planes = r.mapMask;
    if (r.chain4) {
      planes &= 1 << (n & 3);
      address &= 0xfffc;
    } else if (r.oddEven) {
      planes &= n & 1 ? 10 : 5;
      address &= 0xfffe;
    }
    const mask = PLANE_MASK[planes];
    this.words[address] = (this.words[address] & ~mask) | (this.combine(g, value) & mask);
  }

  /** What the graphics controller makes of a byte: write modes 0 to 3. */
  private combine(g: Uint8Array, value: number): number {
    const mode = g[Gc.mode] & 3;
    if (mode === 1) return this.latch;
    const turn = g[Gc.rotate] & 7;
    const rotated = ((value >> turn) | (value << (8 - turn))) & 0xff;
    const setReset = PLANE_MASK[g[Gc.setReset] & 15];
    let bits = g[Gc.bitMask];
    let data: number;
    if (mode === 0) {
      const enabled = PLANE_MASK[g[Gc.enableSetReset] & 15];
      data = (Math.imul(rotated, 0x01010101) & ~enabled) | (setReset & enabled);
    } else if (mode === 2) data = PLANE_MASK[value & 15];
    else {
      data = setReset;
      bits &= rotated;
    }
    switch ((g[Gc.rotate] >> 3) & 3) {
      case 1:
        data &= this.latch;
        break;
      case 2:
        data |= this.latch;
        break;
      case 3:
        data ^= this.latch;
        break;
    }
    const mask = Math.imul(bits, 0x01010101);
    return (data & mask) | (this.latch & ~mask);
  }

  /** Puts a font into plane 2, where text modes look for it: 32 bytes a character. @param slot 0..7, 8 KiB each */
  loadFont(slot: number, glyphs: Uint8Array, height: number): void {
    const base = fontOffset(slot);
    for (let character = 0; character < 256; character++) {
      for (let row = 0; row < 32; row++) {
        const bits = row < height ? glyphs[character * height + row] : 0;
        this.bytes[(base + character * 32 + row) * 4 + 2] = bits;
      }
    }
  }

  /** One row of a character in plane 2. */
  fontRow(slot: number, character: number, row: number): number {
    return this.bytes[(fontOffset(slot) + character * 32 + row) * 4 + 2];
  }
}

/** Where a character map lies in plane 2: 0, 4000h, 8000h, C000h, then 2000h, 6000h … */
function fontOffset(slot: number): number {
  return (slot & 3) * 0x4000 + (slot >> 2) * 0x2000;
}
