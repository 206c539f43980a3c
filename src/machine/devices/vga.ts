// A VGA adapter as software programs it (IBM VGA Technical Reference; register names as there): text modes and chained
// 256-colour modes come out of the registers, not out of a mode number. Video memory is written past the device, so
// planar writing is not modelled: a planar mode shows a message, as a monitor does that cannot sync.

import type { Clock, Device } from './device.ts';
import type { Screen } from './screen.ts';
import { MODE_03, textDac } from './vga-registers.ts';

/** Offset of B8000h in the window A0000h–BFFFFh. */
const TEXT_OFFSET = 0x18000;
const MONO_TEXT_OFFSET = 0x10000;
const DOT_CLOCKS = [25_175_000, 28_322_000, 25_175_000, 28_322_000];

export class Vga implements Device {
  readonly name = 'vga';
  readonly ports = [
    [0x3b4, 0x3b5],
    [0x3ba, 0x3ba],
    [0x3c0, 0x3cf],
    [0x3d4, 0x3d5],
    [0x3da, 0x3da],
  ] as const;
  private misc = 0;
  private readonly sequencer = new Uint8Array(8);
  private readonly crtc = new Uint8Array(32);
  private readonly graphics = new Uint8Array(16);
  private readonly attribute = new Uint8Array(32);
  private readonly dac = new Uint8Array(768);
  private sequencerIndex = 0;
  private crtcIndex = 0;
  private graphicsIndex = 0;
  /** Index register of the attribute controller; bit 5 connects the screen to the palette. */
  private attributeIndex = 0x20;
  private attributeData = false;
  private pixelMask = 0xff;
  private dacRead = 0;
  private dacWrite = 0;
  private dacState = 0;
  private dacLatch: [number, number] = [0, 0];
  private feature = 0;
  /** Counts changes of registers and colours; contents of memory are compared instead. */
  private generation = 0;
  private shownGeneration = -1;
  private shown: Uint8Array = new Uint8Array(0);

  /** @param memory 128 KiB: A0000h–BFFFFh, wherever they lie */
  constructor(
    private readonly clock: Clock,
    private readonly memory: Uint8Array,
  ) {
    if (memory.length !== 0x20000)
      throw new RangeError(`video memory is ${memory.length} bytes, not 128 KiB`);
    this.reset();
  }

  /** Ports of the CRTC and of status 1 move with misc bit 0: 3Dx colour, 3Bx monochrome; the other place is silent. */
  private decodes(port: number): boolean {
    return (port & 0x3f0) === 0x3c0 || port >= 0x3d0 === ((this.misc & 1) !== 0);
  }

  readPort(port: number): number {
    if (!this.decodes(port)) return 0xff;
    switch (port) {
      case 0x3c0:
        return this.attributeIndex;
      case 0x3c1:
        return this.attribute[this.attributeIndex & 0x1f];
      case 0x3c2:
        return 0x10; // switch sense: a colour monitor
      case 0x3c4:
        return this.sequencerIndex;
      case 0x3c5:
        return this.sequencer[this.sequencerIndex & 7];
      case 0x3c6:
        return this.pixelMask;
      case 0x3c7:
        return this.dacState;
      case 0x3c8:
        return Math.floor(this.dacWrite / 3);
      case 0x3c9:
        return this.readDac();
      case 0x3ca:
        return this.feature;
      case 0x3cc:
        return this.misc;
      case 0x3ce:
        return this.graphicsIndex;
      case 0x3cf:
        return this.graphics[this.graphicsIndex & 15];
      case 0x3b4:
      case 0x3d4:
        return this.crtcIndex;
      case 0x3b5:
      case 0x3d5:
        return this.crtc[this.crtcIndex & 31];
      case 0x3ba:
      case 0x3da:
        this.attributeData = false;
        return this.statusOne();
      default:
        return 0xff;
    }
  }

  private readDac(): number {
    const value = this.dac[this.dacRead];
    this.dacRead = (this.dacRead + 1) % 768;
    return value;
  }

  /** Input status 1 from where the beam is: bit 0 display off, bit 3 vertical retrace. */
  private statusOne(): number {
    const c = this.crtc;
    const overflow = c[7];
    const lines = (c[6] | ((overflow & 1) << 8) | ((overflow & 0x20) << 4)) + 2;
    const shownLines = this.verticalEnd();
    const retraceStart = c[0x10] | ((overflow & 4) << 6) | ((overflow & 0x80) << 2);
    const retraceLength = (c[0x11] - retraceStart) & 15 || 16;
    const characters = c[0] + 5;
    const dots = characters * (this.sequencer[1] & 1 ? 8 : 9) * (this.sequencer[1] & 8 ? 2 : 1);
    const seconds = this.clock.now() / this.clock.frequency;
    const line = (seconds * DOT_CLOCKS[(this.misc >> 2) & 3]) / dots;
    const row = Math.floor(line) % lines;
    const column = (line - Math.floor(line)) * characters;
    const retrace = row >= retraceStart && row < retraceStart + retraceLength;
    return (row >= shownLines || column > c[1] ? 1 : 0) | (retrace ? 8 : 0);
  }

  /** Scan lines shown. */
  private verticalEnd(): number {
    const overflow = this.crtc[7];
    return (this.crtc[0x12] | ((overflow & 2) << 7) | ((overflow & 0x40) << 3)) + 1;
  }

  writePort(port: number, value: number): void {
    if (!this.decodes(port)) return;
    const v = value & 0xff;
    this.generation++;
    switch (port) {
      case 0x3c0:
        this.writeAttribute(v);
        break;
      case 0x3c2:
        this.misc = v;
        break;
      case 0x3c4:
        this.sequencerIndex = v;
        break;
      case 0x3c5:
        this.sequencer[this.sequencerIndex & 7] = v;
        break;
      case 0x3c6:
        this.pixelMask = v;
        break;
      case 0x3c7:
        this.dacRead = v * 3;
        this.dacState = 3;
        break;
      case 0x3c8:
        this.dacWrite = v * 3;
        this.dacState = 0;
        break;
      case 0x3c9:
        this.writeDac(v & 0x3f);
        break;
      case 0x3ce:
        this.graphicsIndex = v;
        break;
      case 0x3cf:
        this.graphics[this.graphicsIndex & 15] = v;
        break;
      case 0x3b4:
      case 0x3d4:
        this.crtcIndex = v;
        break;
      case 0x3b5:
      case 0x3d5:
        this.writeCrtc(this.crtcIndex & 31, v);
        break;
      case 0x3ba:
      case 0x3da:
        this.feature = v;
        break;
    }
  }

  private writeAttribute(v: number): void {
    if (!this.attributeData) this.attributeIndex = v & 0x3f;
    else this.attribute[this.attributeIndex & 0x1f] = v;
    this.attributeData = !this.attributeData;
  }

  /** A colour takes effect with its third component. */
  private writeDac(v: number): void {
    const at = this.dacWrite;
    if (at % 3 < 2) this.dacLatch[at % 3] = v;
    else this.dac.set([this.dacLatch[0], this.dacLatch[1], v], at - 2);
    this.dacWrite = (at + 1) % 768;
  }

  /** CRTC 11h bit 7 protects 00h–07h, except the line-compare bit of 07h. */
  private writeCrtc(i: number, v: number): void {
    if (this.crtc[0x11] & 0x80 && i <= 7) {
      if (i === 7) this.crtc[7] = (this.crtc[7] & ~0x10) | (v & 0x10);
      return;
    }
    this.crtc[i] = v;
  }

  /** What a monitor would show now, copied. */
  screen(): Screen {
    if (!(this.graphics[6] & 1)) return this.text();
    if (this.graphics[5] & 0x40 && this.sequencer[4] & 8) return this.chained();
    return message('This video mode is not shown:', 'the adapter here has text modes and mode 13h.');
  }

  private get blanked(): boolean {
    return (this.sequencer[1] & 0x20) !== 0 || !(this.attributeIndex & 0x20);
  }
  private get start(): number {
    return (this.crtc[0x0c] << 8) | this.crtc[0x0d];
  }
  private get scanLinesPerRow(): number {
    return (this.crtc[9] & 31) + 1;
  }

  private text(): Screen {
    const columns = Math.min(132, this.crtc[1] + 1);
    const rows = Math.max(1, Math.min(60, Math.floor(this.verticalEnd() / this.scanLinesPerRow)));
    const cells = new Uint8Array(columns * rows * 2);
    const window = ((this.graphics[6] >> 2) & 3) === 2 ? MONO_TEXT_OFFSET : TEXT_OFFSET;
    const pitch = this.crtc[0x13] * 4 || columns * 2;
    for (let row = 0; row < rows && !this.blanked; row++) {
      // The window of a text mode is 32 KiB and wraps.
      const from = (this.start * 2 + row * pitch) & 0x7fff;
      cells.set(
        this.memory.subarray(window + from, window + Math.min(0x8000, from + columns * 2)),
        row * columns * 2,
      );
    }
    const at = ((this.crtc[0x0e] << 8) | this.crtc[0x0f]) - this.start;
    const perRow = pitch / 2;
    const column = at % perRow;
    const row = Math.floor(at / perRow);
    const visible =
      !this.blanked &&
      !(this.crtc[0x0a] & 0x20) &&
      (this.crtc[0x0a] & 31) <= (this.crtc[0x0b] & 31) &&
      at >= 0 &&
      row < rows &&
      column < columns;
    return {
      mode: 'text',
      columns,
      rows,
      cells,
      cursor: { column: Math.max(0, column), row: Math.max(0, row), visible },
    };
  }

  private chained(): Screen {
    const width = (this.crtc[1] + 1) * 4;
    const doubled = this.crtc[9] & 0x80 ? 2 : 1;
    const height = Math.max(1, Math.floor(this.verticalEnd() / (this.scanLinesPerRow * doubled)));
    const pixels = new Uint8Array(width * height);
    // Chained memory: four neighbouring bytes are one address of the CRTC.
    const pitch = this.crtc[0x13] * 8 || width;
    for (let y = 0; y < height && !this.blanked; y++) {
      const from = (this.start * 4 + y * pitch) & 0xffff;
      pixels.set(this.memory.subarray(from, Math.min(0x10000, from + width)), y * width);
    }
    if (this.pixelMask !== 0xff) for (let i = 0; i < pixels.length; i++) pixels[i] &= this.pixelMask;
    return {
      mode: 'graphics',
      width,
      height,
      pixels,
      palette: this.blanked ? new Uint8Array(768) : this.palette(),
    };
  }

  /** 256 colours, red green blue, eight bits each. */
  private palette(): Uint8Array {
    return this.dac.map((v) => (v << 2) | (v >> 4));
  }

  /** The screen when it differs from the last one this gave, else null. Costs one compare of the visible bytes. */
  changedScreen(): Screen | null {
    const screen = this.screen();
    const bytes = screen.mode === 'text' ? screen.cells : screen.pixels;
    if (this.generation === this.shownGeneration && same(bytes, this.shown)) return null;
    this.shownGeneration = this.generation;
    this.shown = bytes.slice();
    return screen;
  }

  nextDeadline(): number {
    return Infinity;
  }
  advance(): void {}

  /** Text mode 80×25 with a blank screen, as firmware leaves it. */
  reset(): void {
    this.misc = MODE_03.misc;
    this.sequencer.set(MODE_03.sequencer);
    this.crtc.set(MODE_03.crtc);
    this.graphics.set(MODE_03.graphics);
    this.attribute.set(MODE_03.attribute);
    this.dac.set(textDac());
    this.sequencerIndex = this.crtcIndex = this.graphicsIndex = 0;
    this.attributeIndex = 0x20;
    this.attributeData = false;
    this.pixelMask = 0xff;
    this.dacRead = this.dacWrite = this.dacState = this.feature = 0;
    for (let i = 0; i < 80 * 25; i++) {
      this.memory[TEXT_OFFSET + i * 2] = 0x20;
      this.memory[TEXT_OFFSET + i * 2 + 1] = 0x07;
    }
    this.generation++;
  }
}

function same(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

/** A text screen with centred lines. */
function message(...lines: string[]): Screen {
  const cells = new Uint8Array(80 * 25 * 2);
  for (let i = 0; i < cells.length; i += 2) cells.set([0x20, 0x07], i);
  lines.forEach((line, i) => {
    const at = ((11 + i) * 80 + ((80 - line.length) >> 1)) * 2;
    for (let k = 0; k < line.length; k++) cells[at + k * 2] = line.charCodeAt(k);
  });
  return { mode: 'text', columns: 80, rows: 25, cells, cursor: { column: 0, row: 0, visible: false } };
}
