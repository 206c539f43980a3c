// The Bochs video extensions ("DISPI" interface: Bochs and QEMU documentation, docs/specs/standard-vga): resolution and
// depth by an index and a data register at 1CEh and 1CFh, a linear frame buffer outside the machine's memory, and 64 KiB banks
// of it at A0000h.
import type { MemoryMap, MemoryMapped } from '../../memory/memory-mapped.ts';
import type { Device } from '../device.ts';
import type { Screen } from '../screen.ts';
import type { Dac } from './dac.ts';
import type { Bank, Planes } from './planes.ts';

/** Where Bochs has always had the frame buffer, whatever PCI says, and its size in bytes. */
export const FRAME_BUFFER_BASE = 0xe0000000;
export const FRAME_BUFFER_SIZE = 16 << 20;

/** Indices of the registers. */
export const VbeIndex = {
  id: 0,
  width: 1,
  height: 2,
  depth: 3,
  enable: 4,
  bank: 5,
  virtualWidth: 6,
  virtualHeight: 7,
  x: 8,
  y: 9,
  memory: 10,
} as const;
/** Bits of `VbeIndex.enable`. */
export const VbeEnable = { on: 1, capabilities: 2, wideDac: 0x20, linear: 0x40, keepMemory: 0x80 } as const;

const OLDEST = 0xb0c0;
const NEWEST = 0xb0c5;
const WIDEST = 1600;
const TALLEST = 1200;
const DEPTHS: readonly number[] = [8, 15, 16, 24, 32];

export class Vbe implements Device, MemoryMapped, Bank {
  readonly name = 'vbe';
  readonly ports = [[0x1ce, 0x1d0]] as const;
  readonly wide = true;
  private index = 0;
  private id = NEWEST;
  private width = 640;
  private height = 480;
  private depth = 8;
  private control = 0;
  private bankNumber = 0;
  private virtualWidth = 640;
  private x = 0;
  private y = 0;
  /** Made when somebody needs it. */
  private memory: Uint8Array | null = null;
  /** Where PCI BAR 0 puts the frame buffer; -1 = nowhere. */
  private base = -1;
  /** Counts changes of what is shown. */
  writes = 0;

  constructor(
    private readonly map: MemoryMap,
    private readonly planes: Planes,
    private readonly dac: Dac,
  ) {
    map.add(FRAME_BUFFER_BASE, FRAME_BUFFER_SIZE, this);
  }

  get enabled(): boolean {
    return (this.control & VbeEnable.on) !== 0;
  }

  /** The frame buffer answers at `base` too, as PCI BAR 0 says. @param base multiple of its size, or -1 for nowhere */
  place(base: number): void {
    if (base === this.base) return;
    if (this.base >= 0) this.map.remove(this.base, this);
    this.base = base;
    if (base >= 0 && base !== FRAME_BUFFER_BASE) this.map.add(base, FRAME_BUFFER_SIZE, this);
  }

  private get bytesPerPixel(): number {
    return (this.depth + 7) >> 3;
  }
  private get cells(): Uint8Array {
    return (this.memory ??= new Uint8Array(FRAME_BUFFER_SIZE));
  }
  /** Lines that fit into the memory at this width. */
  private get virtualHeight(): number {
    return Math.min(0xffff, Math.floor(FRAME_BUFFER_SIZE / (this.virtualWidth * this.bytesPerPixel)));
  }

  readPort(port: number, size: 1 | 2 | 4): number {
    const value = port === 0x1ce ? this.index : this.readRegister();
    return size === 1 ? value & 0xff : size === 2 ? value : value | (this.readRegister() << 16);
  }

  private readRegister(): number {
    // Asked for its capabilities, the adapter tells the limits in place of the settings.
    const limits = (this.control & VbeEnable.capabilities) !== 0;
    switch (this.index) {
      case VbeIndex.id:
        return this.id;
      case VbeIndex.width:
        return limits ? WIDEST : this.width;
      case VbeIndex.height:
        return limits ? TALLEST : this.height;
      case VbeIndex.depth:
        return limits ? 32 : this.depth;
      case VbeIndex.enable:
        return this.control;
      case VbeIndex.bank:
        return this.bankNumber;
      case VbeIndex.virtualWidth:
        return this.virtualWidth;
      case VbeIndex.virtualHeight:
        return this.virtualHeight;
      case VbeIndex.x:
        return this.x;
      case VbeIndex.y:
        return this.y;
      case VbeIndex.memory:
        return FRAME_BUFFER_SIZE >>> 16;
      default:
        return 0;
    }
  }

  writePort(port: number, value: number): void {
    const v = value & 0xffff;
    if (port === 0x1ce) this.index = v;
    else this.writeRegister(v);
  }

  private writeRegister(v: number): void {
    this.writes++;
    switch (this.index) {
      case VbeIndex.id:
        if (v >= OLDEST && v <= NEWEST) this.id = v;
        break;
      case VbeIndex.width:
        if (!this.enabled && v >= 8 && v <= WIDEST) this.width = v & ~7;
        break;
      case VbeIndex.height:
        if (!this.enabled && v >= 1 && v <= TALLEST) this.height = v;
        break;
      case VbeIndex.depth:
        if (!this.enabled && DEPTHS.includes(v)) this.depth = v;
        break;
      case VbeIndex.enable:
        this.enable(v);
        break;
      case VbeIndex.bank:
        this.bankNumber = v % (FRAME_BUFFER_SIZE >>> 16);
        break;
      case VbeIndex.virtualWidth:
        this.virtualWidth = Math.max(this.width, v & ~7);
        break;
      case VbeIndex.x:
        this.x = v;
        break;
      case VbeIndex.y:
        this.y = v;
        break;
    }
  }

  private enable(v: number): void {
    const before = this.enabled;
    this.control = v & 0xe3;
    this.dac.wide = this.enabled && (v & VbeEnable.wideDac) !== 0;
    if (this.enabled && !before) {
      this.virtualWidth = this.width;
      this.x = this.y = this.bankNumber = 0;
      if (!(v & VbeEnable.keepMemory)) this.cells.fill(0, 0, this.width * this.height * this.bytesPerPixel);
    }
    this.planes.bank = this.enabled ? this : null;
    this.planes.changed();
  }

  // The 64 KiB window at A0000h.

  read(offset: number): number {
    return this.cells[this.bankNumber * 0x10000 + offset];
  }
  write(offset: number, value: number): void {
    this.writes++;
    this.cells[this.bankNumber * 0x10000 + offset] = value;
  }

  // The linear frame buffer.

  readMemory(address: number, size: 1 | 2 | 4): number {
    const at = address & (FRAME_BUFFER_SIZE - 1);
    let value = 0;
    for (let k = 0; k < size; k++) value |= this.cells[at + k] << (8 * k);
    return value;
  }
  writeMemory(address: number, value: number, size: 1 | 2 | 4): void {
    const at = address & (FRAME_BUFFER_SIZE - 1);
    const { cells } = this;
    this.writes++;
    cells[at] = value;
    if (size === 1) return;
    cells[at + 1] = value >>> 8;
    if (size === 2) return;
    cells[at + 2] = value >>> 16;
    cells[at + 3] = value >>> 24;
  }

  screen(): Screen {
    const { width, height, bytesPerPixel } = this;
    const pitch = this.virtualWidth * bytesPerPixel;
    const origin = this.y * pitch + this.x * bytesPerPixel;
    // What lies beyond the memory stays dark.
    const rows = Math.max(0, Math.min(height, Math.floor((FRAME_BUFFER_SIZE - origin) / pitch)));
    if (this.depth === 8) {
      const pixels = new Uint8Array(width * height);
      for (let y = 0; y < rows; y++) {
        const from = origin + y * pitch;
        pixels.set(this.cells.subarray(from, from + width), y * width);
      }
      if (this.dac.mask !== 0xff) for (let i = 0; i < pixels.length; i++) pixels[i] &= this.dac.mask;
      return { mode: 'graphics', width, height, pixels, palette: this.dac.palette() };
    }
    const pixels = new Uint8Array(width * height * 4);
    for (let y = 0; y < rows; y++) this.colourLine(origin + y * pitch, pixels, y * width * 4);
    return { mode: 'true-colour', width, height, pixels };
  }

  /** One line of pixels to red, green, blue, 255. */
  private colourLine(from: number, pixels: Uint8Array, to: number): void {
    const { cells, depth } = this;
    const end = to + this.width * 4;
    const step = this.bytesPerPixel;
    for (; to < end; to += 4, from += step) {
      if (depth >= 24) {
        pixels[to] = cells[from + 2];
        pixels[to + 1] = cells[from + 1];
        pixels[to + 2] = cells[from];
      } else {
        const v = cells[from] | (cells[from + 1] << 8);
        const green = (v >> 5) & 63;
        pixels[to] = widen((v >> (depth === 16 ? 11 : 10)) & 31);
        pixels[to + 1] = depth === 16 ? (green << 2) | (green >> 4) : widen((v >> 5) & 31);
        pixels[to + 2] = widen(v & 31);
      }
      pixels[to + 3] = 255;
    }
  }

  nextDeadline(): number {
    return Infinity;
  }
  advance(): void {}

  reset(): void {
    this.index = 0;
    this.id = NEWEST;
    this.width = this.virtualWidth = 640;
    this.height = 480;
    this.depth = 8;
    this.control = this.bankNumber = this.x = this.y = 0;
    this.memory?.fill(0);
    this.planes.bank = null;
    this.writes++;
  }
}

/** Five bits to eight. */
function widen(v: number): number {
  return (v << 3) | (v >> 2);
}
