// The registers of a VGA and what their bits say (IBM VGA Technical Reference, register descriptions). Everything that
// depends on a register asks here: the planes, the picture and the ports share one set.
import { Dac } from './dac.ts';
import { MODE_03, type ModeRegisters } from './modes.ts';

/** Sequencer registers. */
export const Seq = { clocking: 1, mapMask: 2, characterMap: 3, memoryMode: 4 } as const;
/** Graphics controller registers. */
export const Gc = {
  setReset: 0,
  enableSetReset: 1,
  colourCompare: 2,
  rotate: 3,
  readMap: 4,
  mode: 5,
  miscellaneous: 6,
  colourDontCare: 7,
  bitMask: 8,
} as const;
/** Attribute controller registers behind the sixteen palette entries. */
export const Attr = {
  mode: 0x10,
  overscan: 0x11,
  planeEnable: 0x12,
  panning: 0x13,
  colourSelect: 0x14,
} as const;

export class VgaRegisters {
  misc = 0;
  readonly sequencer = new Uint8Array(8);
  readonly crtc = new Uint8Array(32);
  readonly graphics = new Uint8Array(16);
  readonly attribute = new Uint8Array(32);
  /** Index register of the attribute controller; bit 5 connects the screen to the palette. */
  attributeIndex = 0x20;
  readonly dac = new Dac();

  /** Sets what a video BIOS sets for a mode, but for the colours. */
  load(mode: ModeRegisters): void {
    this.misc = mode.misc;
    this.sequencer.set(mode.sequencer);
    this.crtc.set(mode.crtc);
    this.graphics.set(mode.graphics);
    this.attribute.set(mode.attribute);
  }

  /** Text mode 80×25, as firmware leaves it. */
  reset(): void {
    this.load(MODE_03);
    this.dac.reset();
    this.attributeIndex = 0x20;
  }

  // What the processor sees.

  /** Neighbouring bytes lie in neighbouring planes. */
  get chain4(): boolean {
    return (this.sequencer[Seq.memoryMode] & 8) !== 0;
  }
  /** Even bytes lie in planes 0 and 2, odd ones in 1 and 3. */
  get oddEven(): boolean {
    return (this.sequencer[Seq.memoryMode] & 4) === 0;
  }
  get mapMask(): number {
    return this.sequencer[Seq.mapMask] & 15;
  }
  /** Graphics controller 06h bits 3:2: A0000h 128 KiB, A0000h 64 KiB, B0000h 32 KiB, B8000h 32 KiB. */
  get memoryMap(): number {
    return (this.graphics[Gc.miscellaneous] >> 2) & 3;
  }

  // What the monitor sees.

  get isGraphics(): boolean {
    return (this.graphics[Gc.miscellaneous] & 1) !== 0;
  }
  /** Two bits of each plane pair, four bytes of 256-colour pixels, or four planes. */
  get shift(): 'planar' | 'pairs' | 'bytes' {
    const mode = this.graphics[Gc.mode];
    return mode & 0x40 ? 'bytes' : mode & 0x20 ? 'pairs' : 'planar';
  }
  get blanked(): boolean {
    return (this.sequencer[Seq.clocking] & 0x20) !== 0 || !(this.attributeIndex & 0x20);
  }
  /** Character clocks shown in a line. */
  get characters(): number {
    return this.crtc[1] + 1;
  }
  /** Scan lines shown. */
  get scanLines(): number {
    const overflow = this.crtc[7];
    return (this.crtc[0x12] | ((overflow & 2) << 7) | ((overflow & 0x40) << 3)) + 1;
  }
  /** Scan lines of a character row, or of a row of pixels. */
  get linesPerRow(): number {
    return (this.crtc[9] & 31) + 1;
  }
  /** Each scan line is shown twice. */
  get doubled(): boolean {
    return (this.crtc[9] & 0x80) !== 0;
  }
  /** Display address at which the picture begins, byte panning included. */
  get start(): number {
    return ((this.crtc[0x0c] << 8) | this.crtc[0x0d]) + ((this.crtc[8] >> 5) & 3);
  }
  /** Display addresses from one row to the next. */
  get pitch(): number {
    return this.crtc[0x13] * 2;
  }
  /** Scan line behind which the display address starts again at 0: the lower half of a split screen. */
  get lineCompare(): number {
    return this.crtc[0x18] | ((this.crtc[7] & 0x10) << 4) | ((this.crtc[9] & 0x40) << 3);
  }
  get cursor(): number {
    return (this.crtc[0x0e] << 8) | this.crtc[0x0f];
  }
  get cursorShown(): boolean {
    return !(this.crtc[0x0a] & 0x20) && (this.crtc[0x0a] & 31) <= (this.crtc[0x0b] & 31);
  }

  /**
   * Address in the planes for a display address: byte, word or doubleword addressing, and the row scan counter in place of
   * bits 13 and 14 as on the CGA and the Hercules (CRTC 14h and 17h).
   */
  planeAddress(display: number, rowScan: number): number {
    const mode = this.crtc[0x17];
    let at = display;
    if (this.crtc[0x14] & 0x40) at = (display << 2) | ((display >> 14) & 3);
    else if (!(mode & 0x40)) at = (display << 1) | ((display >> (mode & 0x20 ? 15 : 13)) & 1);
    if (!(mode & 1)) at = (at & ~0x2000) | ((rowScan & 1) << 13);
    if (!(mode & 2)) at = (at & ~0x4000) | ((rowScan & 2) << 13);
    return at & 0xffff;
  }

  /** Colour of the DAC for a four-bit pixel, through the attribute controller's palette. */
  dacIndex(pixel: number): number {
    const mode = this.attribute[Attr.mode];
    const select = this.attribute[Attr.colourSelect];
    let index = this.attribute[pixel & this.attribute[Attr.planeEnable] & 15] & 0x3f;
    if (mode & 0x80) index = (index & 0x0f) | ((select & 3) << 4);
    return (index | ((select & 0x0c) << 4)) & this.dac.mask;
  }
}
