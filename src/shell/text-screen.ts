// Draws a text screen at the very pixels of the display: letters from the page's monospaced face, frames and blocks of
// code page 437 as rectangles that meet without gaps. Only cells that changed are drawn.
import type { Screen } from '../worker/protocol.ts';
import { glyph, TEXT_COLOURS } from './cp437.ts';

type TextMode = Extract<Screen, { mode: 'text' }>;

/** Proportions of the VGA's 720 × 400 text picture. */
export const TEXT_ASPECT = 720 / 400;

/** Which sides of a cell a box-drawing character reaches: up, right, down, left; 0 no, 1 single, 2 double. */
const BOX: Readonly<Record<number, string>> = {
  179: '1010',
  180: '1011',
  181: '1012',
  182: '2021',
  183: '0021',
  184: '0012',
  185: '2022',
  186: '2020',
  187: '0022',
  188: '2002',
  189: '2001',
  190: '1002',
  191: '0011',
  192: '1100',
  193: '1101',
  194: '0111',
  195: '1110',
  196: '0101',
  197: '1111',
  198: '1210',
  199: '2120',
  200: '2200',
  201: '0220',
  202: '2202',
  203: '0222',
  204: '2220',
  205: '0202',
  206: '2222',
  207: '1202',
  208: '2101',
  209: '0212',
  210: '0121',
  211: '2100',
  212: '1200',
  213: '0210',
  214: '0120',
  215: '2121',
  216: '1212',
  217: '1001',
  218: '0110',
};
const SHADE: Readonly<Record<number, number>> = { 176: 0.25, 177: 0.5, 178: 0.75 };
/** Blocks as x, y, width, height in shares of the cell. */
const BLOCK: Readonly<Record<number, readonly [number, number, number, number]>> = {
  219: [0, 0, 1, 1],
  220: [0, 0.5, 1, 0.5],
  221: [0, 0, 0.5, 1],
  222: [0.5, 0, 0.5, 1],
  223: [0, 0, 1, 0.5],
  254: [0.25, 0.3, 0.5, 0.4],
};

export class TextScreen {
  private shown: Uint8Array | null = null;
  private colours: readonly string[] = TEXT_COLOURS;
  private palette = '';
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
    const palette = screen.palette?.join() ?? '';
    if (palette !== this.palette) {
      this.palette = palette;
      this.colours = screen.palette ? ownColours(screen.palette) : TEXT_COLOURS;
      this.shown = null;
    }
    if (!this.shown || this.columns !== columns || this.rows !== rows) {
      this.shown = null;
      this.columns = columns;
      this.rows = rows;
    }
    const cursorAt = cursor.visible ? cursor.row * columns + cursor.column : -1;
    for (let cell = 0; cell < columns * rows; cell++) {
      const same =
        this.shown &&
        this.shown[cell * 2] === cells[cell * 2] &&
        this.shown[cell * 2 + 1] === cells[cell * 2 + 1];
      if (!same || cell === cursorAt || cell === this.cursorAt)
        this.cell(cell, cells[cell * 2], cells[cell * 2 + 1]);
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
    c.fillStyle = this.colours[(attribute >> 4) & 7];
    c.fillRect(x, y, w, h);
    c.fillStyle = this.colours[attribute & 15];
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
      if (up || down)
        c.fillRect(x + Math.round(middleX + dx), y + Math.round(top), thin, Math.round(bottom - top));
    }
    for (const dy of offsets(Math.max(left, right))) {
      const start = left ? 0 : middleX - (up === 2 || down === 2 ? apart : 0);
      const end = right ? w : middleX + thin + (up === 2 || down === 2 ? apart : 0);
      if (left || right)
        c.fillRect(x + Math.round(start), y + Math.round(middleY + dy), Math.round(end - start), thin);
    }
  }

  private drawCursor(cell: number, attribute: number): void {
    const [x, y, w, h] = this.box(cell);
    this.context.fillStyle = this.colours[attribute & 15];
    const thick = Math.max(1, Math.round(h / 8));
    this.context.fillRect(x, y + h - thick, w, thick);
  }
}

/** The guest's sixteen colours, three bytes each. */
function ownColours(palette: Uint8Array): string[] {
  return Array.from(
    { length: 16 },
    (_, n) => `rgb(${palette[n * 3]} ${palette[n * 3 + 1]} ${palette[n * 3 + 2]})`,
  );
}
