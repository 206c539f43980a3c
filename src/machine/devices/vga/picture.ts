// What the monitor of a VGA shows, out of its registers and planes: text cells, or a picture of colour indices (IBM VGA
// Technical Reference, "CRT controller registers", "Attribute controller registers"). No mode number is looked at.
import type { Screen } from '../screen.ts';
import type { Planes } from './planes.ts';
import { Attr, type VgaRegisters } from './registers.ts';

/** Largest picture that is drawn, whatever the registers say. */
const WIDEST = 1024;
const TALLEST = 1024;

/** Sixteen attributes to DAC entries, as video firmware sets them for text. */
const USUAL_TEXT_COLOURS = [0, 1, 2, 3, 4, 5, 0x14, 7, 0x38, 0x39, 0x3a, 0x3b, 0x3c, 0x3d, 0x3e, 0x3f];

/** Scan line, counted as rows of the picture, at which the lower half of a split screen begins. */
function splitRow(r: VgaRegisters, linesPerRow: number): number {
  return Math.ceil((r.lineCompare + 1) / linesPerRow);
}

export function textScreen(r: VgaRegisters, planes: Planes): Screen {
  const columns = Math.min(132, r.characters);
  const rows = Math.max(1, Math.min(60, Math.floor(r.scanLines / (r.linesPerRow * (r.doubled ? 2 : 1)))));
  const cells = new Uint8Array(columns * rows * 2);
  const pitch = r.pitch || columns;
  const split = splitRow(r, r.linesPerRow * (r.doubled ? 2 : 1));
  for (let row = 0, to = 0; row < rows && !r.blanked; row++) {
    let display = row >= split ? (row - split) * pitch : r.start + row * pitch;
    for (let column = 0; column < columns; column++, display++, to += 2) {
      const word = planes.words[r.planeAddress(display & 0xffff, 0)];
      cells[to] = word;
      cells[to + 1] = word >> 8;
    }
  }
  const at = r.cursor - r.start;
  const column = at % pitch;
  const row = Math.floor(at / pitch);
  const visible = !r.blanked && r.cursorShown && at >= 0 && row < rows && column < columns;
  const palette = textColours(r);
  return {
    mode: 'text',
    columns,
    rows,
    cells,
    cursor: { column: Math.max(0, column), row: Math.max(0, row), visible },
    ...(palette ? { palette } : {}),
  };
}

/** Sixteen colours of the attributes, or null when they are the usual ones. */
function textColours(r: VgaRegisters): Uint8Array | null {
  const all = r.dac.palette();
  const colours = new Uint8Array(48);
  let usual = true;
  for (let i = 0; i < 16; i++) {
    const at = r.dacIndex(i) * 3;
    for (let k = 0; k < 3; k++) {
      colours[i * 3 + k] = all[at + k];
      const level = (USUAL_TEXT_COLOURS[i] >> (2 - k)) & 9;
      usual &&= all[at + k] === (level & 1 ? 170 : 0) + (level & 8 ? 85 : 0);
    }
  }
  return usual ? null : colours;
}

export function graphicsScreen(r: VgaRegisters, planes: Planes): Screen {
  const { shift } = r;
  const width = Math.min(WIDEST, r.characters * (shift === 'bytes' ? 4 : 8));
  // Scan lines that differ only in the row scan counter look alike, unless that counter is part of the address.
  const perRow = (r.doubled ? 2 : 1) * ((r.crtc[0x17] & 3) === 3 ? r.linesPerRow : 1);
  const rowScans = (r.crtc[0x17] & 3) === 3 ? 1 : r.linesPerRow;
  const height = Math.max(1, Math.min(TALLEST, Math.floor(r.scanLines / perRow)));
  const pixels = new Uint8Array(width * height);
  if (!r.blanked) {
    const draw = shift === 'bytes' ? bytesLine : shift === 'pairs' ? pairsLine : planarLine;
    const split = splitRow(r, perRow);
    const colours = attributeColours(r);
    const line = new Uint8Array(width + 16);
    for (let y = 0; y < height; y++) {
      const below = y >= split;
      const row = Math.floor((below ? y - split : y) / rowScans);
      const display = (below ? 0 : r.start) + row * r.pitch;
      draw(r, planes.words, display, y % rowScans, line);
      const pan = below && r.attribute[Attr.mode] & 0x20 ? 0 : panning(r);
      const to = y * width;
      for (let x = 0; x < width; x++) pixels[to + x] = colours[line[x + pan]];
    }
  }
  return {
    mode: 'graphics',
    width,
    height,
    pixels,
    palette: r.blanked ? new Uint8Array(768) : r.dac.palette(),
  };
}

/** Pixels that the picture is shifted to the left. */
function panning(r: VgaRegisters): number {
  const value = r.attribute[Attr.panning] & 15;
  if (r.shift === 'bytes') return (value & 7) >> 1;
  return value > 7 ? 0 : value;
}

/** DAC entry of each value that a line may hold. */
function attributeColours(r: VgaRegisters): Uint8Array {
  const colours = new Uint8Array(256);
  for (let i = 0; i < 256; i++) colours[i] = r.shift === 'bytes' ? i & r.dac.mask : r.dacIndex(i & 15);
  return colours;
}

type LineDrawer = (
  r: VgaRegisters,
  words: Int32Array,
  display: number,
  rowScan: number,
  line: Uint8Array,
) => void;

/** 256 colours: the four planes of an address are four pixels. */
const bytesLine: LineDrawer = (r, words, display, rowScan, line) => {
  for (let x = 0; x < line.length; x += 4, display++) {
    const word = words[r.planeAddress(display & 0xffff, rowScan)];
    line[x] = word;
    line[x + 1] = word >> 8;
    line[x + 2] = word >> 16;
    line[x + 3] = word >> 24;
  }
};

/** Sixteen colours: one bit of each plane, the highest first. */
const planarLine: LineDrawer = (r, words, display, rowScan, line) => {
  for (let x = 0; x + 8 <= line.length; x += 8, display++) {
    const word = words[r.planeAddress(display & 0xffff, rowScan)];
    for (let k = 0; k < 8; k++) {
      const bits = word >> (7 - k);
      line[x + k] = (bits & 1) | ((bits >> 7) & 2) | ((bits >> 14) & 4) | ((bits >> 21) & 8);
    }
  }
};

/** Four colours, as on the CGA: pairs of bits, from plane 0 and then from plane 1; planes 2 and 3 give the higher bits. */
const pairsLine: LineDrawer = (r, words, display, rowScan, line) => {
  for (let x = 0; x + 8 <= line.length; x += 8, display++) {
    const word = words[r.planeAddress(display & 0xffff, rowScan)];
    for (let k = 0; k < 8; k++) {
      const from = (k < 4 ? 0 : 8) + 6 - 2 * (k & 3);
      line[x + k] = ((word >> from) & 3) | (((word >> (from + 16)) & 3) << 2);
    }
  }
};
