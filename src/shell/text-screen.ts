// Draws a text screen at the very pixels of the display: letters from the page's monospaced face, frames and blocks of
// code page 437 as rectangles that meet without gaps. Only cells that changed are drawn.
import type { Screen } from '../worker/protocol.ts';
import { glyph, TEXT_COLOURS } from './cp437.ts';

type TextMode = Extract<Screen, { mode: 'text' }>;

/** Proportions of the VGA's 720 × 400 text picture. */
export const TEXT_ASPECT = 720 / 400;

/** Which sides of a cell a box-drawing character reaches: up, right, down, left; 0 no, 1 single, 2 double. */
const BOX: Readonly<Record<number, string>> = {
  0xb3: '1010', 0xb4: '1011', 0xb5: '1012', 0xb6: '2021', 0xb7: '0021', 0xb8: '0012', 0xb9: '2022', 0xba: '2020', 0xbb: '0022', 0xbc: '2002',
  0xbd: '2001', 0xbe: '1002', 0xbf: '0011', 0xc0: '1100', 0xc1: '1101', 0xc2: '0111', 0xc3: '1110', 0xc4: '0101', 0xc5: '1111', 0xc6: '1210',
  0xc7: '2120', 0xc8: '2200', 0xc9: '0220', 0xca: '2202', 0xcb: '0222', 0xcc: '2220', 0xcd: '0202', 0xce: '2222', 0xcf: '1202', 0xd0: '2101',
  0xd1: '0212', 0xd2: '0121', 0xd3: '2100', 0xd4: '1200', 0xd5: '0210', 0xd6: '0120', 0xd7: '2121', 0xd8: '1212', 0xd9: '1001', 0xda: '0110',
};
const SHADE: Readonly<Record<number, number>> = { 0xb0: 0.25, 0xb1: 0.5, 0xb2: 0.75 };
/** Blocks as x, y, width, height in shares of the cell. */
const BLOCK: Readonly<Record<number, readonly [number, number, number, number]>> = {
  0xdb: [0, 0, 1, 1], 0xdc: [0, 0.5, 1, 0.5], 0xdd: [0, 0, 0.5, 1], 0xde: [0.5, 0, 0.5, 1], 0xdf: [0, 0, 1, 0.5], 0xfe: [0.25, 0.3, 0.5, 0.4],
};

export class TextScreen {
  private shown: Uint8Array | null = null;
  private cursorAt = -1;
  private columns = 0;
  private rows = 0;

  constructor(
    private readonly context: CanvasRenderingContext2D,
    private readonly family: string,
  ) {}

  /** Everything is drawn anew next time: the canvas was resized. */
  invalidate(): void {
    this.shown = null;
  }

  draw(screen: TextMode): void {
    const { columns, rows, cells, cursor } = screen;
    if (!this.shown || this.columns !== columns || this.rows !== rows) {
      this.shown = null;
      this.columns = columns;
      this.rows = rows;
    }
    const cursorAt = cursor.visible ? cursor.row * columns + cursor.column : -1;
    for (let cell = 0; cell < columns * rows; cell++) {
      const same = this.shown && this.shown[cell * 2] === cells[cell * 2] && this.shown[cell * 2 + 1] === cells[cell * 2 + 1];
      if (!same || cell === cursorAt || cell === this.cursorAt) this.cell(cell, cells[cell * 2], cells[cell * 2 + 1]);
    }
    if (cursorAt >= 0) this.drawCursor(cursorAt, cells[cursorAt * 2 + 1]);
    this.shown = cells.slice();
    this.cursorAt = cursorAt;
  }

  private box(cell: number): [number, number, number, number] {
    const { width, height } = this.context.canvas;
    const column = cell % this.columns;
    const row = Math.floor(cell / this.columns);
    const x = Math.round((column * width) / this.columns);
    const y = Math.round((row * height) / this.rows);
    const right = Math.round(((column + 1) * width) / this.columns);
    return [x, y, right - x, Math.round(((row + 1) * height) / this.rows) - y];
  }

  private cell(cell: number, code: number, attribute: number): void {
    const c = this.context;
    const [x, y, w, h] = this.box(cell);
    c.fillStyle = TEXT_COLOURS[(attribute >> 4) & 7];
    c.fillRect(x, y, w, h);
    c.fillStyle = TEXT_COLOURS[attribute & 15];
    if (code === 0 || code === 0x20 || code === 0xff) return;
    const block = BLOCK[code];
    if (block) {
      const top = Math.round(block[1] * h);
      const left = Math.round(block[0] * w);
      c.fillRect(x + left, y + top, Math.round(block[2] * w), Math.round((block[1] + block[3]) * h) - top);
      return;
    }
    if (SHADE[code]) {
      c.globalAlpha = SHADE[code];
      c.fillRect(x, y, w, h);
      c.globalAlpha = 1;
      return;
    }
    if (BOX[code]) {
      this.lines(BOX[code], x, y, w, h);
      return;
    }
    // JetBrains Mono is 0.6 em wide: the size that fills the cell's width without leaving its height.
    // The same for all cells, though rounding makes some a pixel wider.
    const { width, height } = c.canvas;
    c.font = `${Math.min(width / this.columns / 0.6, (height / this.rows) * 0.92)}px ${this.family}`;
    c.textAlign = 'center';
    c.textBaseline = 'alphabetic';
    c.save();
    c.beginPath();
    c.rect(x, y, w, h);
    c.clip();
    c.fillText(glyph(code), x + w / 2, y + h * 0.78);
    c.restore();
  }

  private lines(sides: string, x: number, y: number, w: number, h: number): void {
    const thin = Math.max(1, Math.round(w / 8));
    const middleX = Math.round(w / 2 - thin / 2);
    const middleY = Math.round(h / 2 - thin / 2);
    const apart = thin * 1.5;
    const [up, right, down, left] = [...sides].map(Number);
    const offsets = (kind: number) => (kind === 2 ? [-apart, apart] : [0]);
    const c = this.context;
    for (const dx of offsets(Math.max(up, down))) {
      const top = up ? 0 : middleY - (left === 2 || right === 2 ? apart : 0);
      const bottom = down ? h : middleY + thin + (left === 2 || right === 2 ? apart : 0);
      if (up || down) c.fillRect(x + Math.round(middleX + dx), y + Math.round(top), thin, Math.round(bottom - top));
    }
    for (const dy of offsets(Math.max(left, right))) {
      const start = left ? 0 : middleX - (up === 2 || down === 2 ? apart : 0);
      const end = right ? w : middleX + thin + (up === 2 || down === 2 ? apart : 0);
      if (left || right) c.fillRect(x + Math.round(start), y + Math.round(middleY + dy), Math.round(end - start), thin);
    }
  }

  private drawCursor(cell: number, attribute: number): void {
    const [x, y, w, h] = this.box(cell);
    this.context.fillStyle = TEXT_COLOURS[attribute & 15];
    const thick = Math.max(1, Math.round(h / 8));
    this.context.fillRect(x, y + h - thick, w, thick);
  }
}
