// A VGA adapter as software programs it (IBM VGA Technical Reference; register names as there): every mode comes out of the
// registers, none out of a mode number. The planes are in planes.ts, the picture in picture.ts, the Bochs extensions with
// their linear frame buffer in vbe.ts.
import type { MemoryMap } from '../../memory/memory-mapped.ts';
import type { Clock, Device } from '../device.ts';
import { optional } from '../optional.ts';
import type { Screen } from '../screen.ts';
import { font } from './font.ts';
import { graphicsScreen, textScreen } from './picture.ts';
import { Planes, WINDOW_SIZE } from './planes.ts';
import { VgaRegisters } from './registers.ts';
import type { Vbe } from './vbe.ts';

const DOT_CLOCKS = [25_175_000, 28_322_000, 25_175_000, 28_322_000];
/** Lines of the font in a text mode of 400 scan lines. */
const FONT_HEIGHT = 16;

export class Vga implements Device {
  readonly name = 'vga';
  readonly ports = [
    [0x3b4, 0x3b5],
    [0x3ba, 0x3ba],
    [0x3c0, 0x3cf],
    [0x3d4, 0x3d5],
    [0x3da, 0x3da],
  ] as const;
  readonly registers = new VgaRegisters();
  readonly planes: Planes;
  /** The Bochs extensions; there when the adapter has a place for its frame buffer. */
  readonly vbe: Vbe | null;
  private sequencerIndex = 0;
  private crtcIndex = 0;
  private graphicsIndex = 0;
  private attributeData = false;
  private feature = 0;
  /** Counts changes of registers and colours; contents of memory are compared instead. */
  private generation = 0;
  private shownGeneration = -1;
  private shownWrites = -1;
  private shown: Uint8Array = new Uint8Array(0);

  /**
   * @param window 128 KiB: A0000h–BFFFFh, wherever they lie
   * @param map the machine's memory map, if accesses to A0000h and to the frame buffer can be had: a domain's adapter has
   *   none, and then shows text and 256 colours in chained memory only
   */
  constructor(
    private readonly clock: Clock,
    window: Uint8Array,
    map: MemoryMap | null = null,
  ) {
    if (window.length !== WINDOW_SIZE)
      throw new RangeError(`video memory is ${window.length} bytes, not 128 KiB`);
    this.planes = new Planes(this.registers, window, map);
    this.vbe = map && optional.Vbe ? new optional.Vbe(map, this.planes, this.registers.dac) : null;
    this.reset();
  }

  /** Ports of the CRTC and of status 1 move with misc bit 0: 3Dx colour, 3Bx monochrome; the other place is silent. */
  private decodes(port: number): boolean {
    return (port & 0x3f0) === 0x3c0 || port >= 0x3d0 === ((this.registers.misc & 1) !== 0);
  }

  readPort(port: number): number {
    if (!this.decodes(port)) return 0xff;
    const r = this.registers;
    switch (port) {
      case 0x3c0:
        return r.attributeIndex;
      case 0x3c1:
        return r.attribute[r.attributeIndex & 0x1f];
      case 0x3c2:
        return 0x10; // switch sense: a colour monitor
      case 0x3c4:
        return this.sequencerIndex;
      case 0x3c5:
        return r.sequencer[this.sequencerIndex & 7];
      case 0x3c6:
      case 0x3c7:
      case 0x3c8:
      case 0x3c9:
        return r.dac.read(port);
      case 0x3ca:
        return this.feature;
      case 0x3cc:
        return r.misc;
      case 0x3ce:
        return this.graphicsIndex;
      case 0x3cf:
        return r.graphics[this.graphicsIndex & 15];
      case 0x3b4:
      case 0x3d4:
        return this.crtcIndex;
      case 0x3b5:
      case 0x3d5:
        return r.crtc[this.crtcIndex & 31];
      case 0x3ba:
      case 0x3da:
        this.attributeData = false;
        return this.statusOne();
      default:
        return 0xff;
    }
  }

  /** Input status 1 from where the beam is: bit 0 display off, bit 3 vertical retrace. */
  private statusOne(): number {
    const { crtc: c, sequencer, misc, scanLines } = this.registers;
    const overflow = c[7];
    const lines = (c[6] | ((overflow & 1) << 8) | ((overflow & 0x20) << 4)) + 2;
    const retraceStart = c[0x10] | ((overflow & 4) << 6) | ((overflow & 0x80) << 2);
    const retraceLength = (c[0x11] - retraceStart) & 15 || 16;
    const characters = c[0] + 5;
    const dots = characters * (sequencer[1] & 1 ? 8 : 9) * (sequencer[1] & 8 ? 2 : 1);
    const seconds = this.clock.now() / this.clock.frequency;
    const line = (seconds * DOT_CLOCKS[(misc >> 2) & 3]) / dots;
    const row = Math.floor(line) % lines;
    const column = (line - Math.floor(line)) * characters;
    const retrace = row >= retraceStart && row < retraceStart + retraceLength;
    return (row >= scanLines || column > c[1] ? 1 : 0) | (retrace ? 8 : 0);
  }

  writePort(port: number, value: number): void {
    if (!this.decodes(port)) return;
    const v = value & 0xff;
    const r = this.registers;
    this.generation++;
    switch (port) {
      case 0x3c0:
        this.writeAttribute(v);
        break;
      case 0x3c2:
        r.misc = v;
        break;
      case 0x3c4:
        this.sequencerIndex = v;
        break;
      case 0x3c5:
        r.sequencer[this.sequencerIndex & 7] = v;
        this.planes.changed();
        break;
      case 0x3c6:
      case 0x3c7:
      case 0x3c8:
      case 0x3c9:
        r.dac.write(port, v);
        break;
      case 0x3ce:
        this.graphicsIndex = v;
        break;
      case 0x3cf:
        r.graphics[this.graphicsIndex & 15] = v;
        this.planes.changed();
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
    const r = this.registers;
    if (!this.attributeData) r.attributeIndex = v & 0x3f;
    else r.attribute[r.attributeIndex & 0x1f] = v;
    this.attributeData = !this.attributeData;
  }

  /** CRTC 11h bit 7 protects 00h–07h, except the line-compare bit of 07h. */
  private writeCrtc(i: number, v: number): void {
    const { crtc } = this.registers;
    if (crtc[0x11] & 0x80 && i <= 7) {
      if (i === 7) crtc[7] = (crtc[7] & ~0x10) | (v & 0x10);
      return;
    }
    crtc[i] = v;
  }

  /** What a monitor would show now, copied. */
  screen(): Screen {
    const { registers: r, planes } = this;
    if (this.vbe?.enabled) return this.vbe.screen();
    planes.gather();
    if (!r.isGraphics) return textScreen(r, planes);
    if (planes.complete || planes.isDirect) return graphicsScreen(r, planes);
    return message(
      'This video mode is not shown:',
      'under this hypervisor the adapter has text modes and mode 13h.',
    );
  }

  /** The screen when it differs from the last one this gave, else null. Costs one compare of the visible bytes at most. */
  changedScreen(): Screen | null {
    const writes = this.planes.writes + (this.vbe?.writes ?? 0);
    const untouched = this.generation === this.shownGeneration && writes === this.shownWrites;
    if (untouched && (this.vbe?.enabled || !this.planes.isDirect)) return null;
    const screen = this.screen();
    const bytes = screen.mode === 'text' ? screen.cells : screen.pixels;
    if (untouched && same(bytes, this.shown)) return null;
    const onlyMemory = this.generation === this.shownGeneration;
    this.shownGeneration = this.generation;
    this.shownWrites = writes;
    if (onlyMemory && same(bytes, this.shown)) return null;
    this.shown = bytes.slice();
    return screen;
  }

  nextDeadline(): number {
    return Infinity;
  }
  advance(): void {}

  /** Text mode 80×25 with a blank screen and our font, as firmware leaves it. */
  reset(): void {
    const { registers: r, planes } = this;
    r.reset();
    this.vbe?.reset();
    this.sequencerIndex = this.crtcIndex = this.graphicsIndex = 0;
    this.attributeData = false;
    this.feature = 0;
    planes.reset();
    planes.loadFont(0, font(FONT_HEIGHT), FONT_HEIGHT);
    // B8000h on, where the window is open now.
    for (let at = 0x18000, end = at + 80 * 25 * 2; at < end; at += 2) {
      planes.window[at] = 0x20;
      planes.window[at + 1] = 0x07;
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
