// The font of our video firmware, eight dots wide: what lies in plane 2 after power-on and what graphics modes write with.
// Letters come from glyphs.ts; frames, shades and blocks of code page 437 are drawn for the very height, so that they meet.
import { drawnGlyphs } from './glyphs.ts';

/** Which sides of a cell a frame reaches, from B3h on: up, right, down, left; 0 no, 1 single, 2 double. */
const FRAMES = [
  '1010 1011 1012 2021 0021 0012 2022 2020 0022 2002 2001 1002 0011 1100 1101 0111 1110 0101 1111',
  '1210 2120 2200 0220 2202 0222 2220 0202 2222 1202 2101 0212 0121 2100 1200 0210 0120 2121 1212 1001 0110',
]
  .join(' ')
  .split(' ');
const FIRST_FRAME = 0xb3;

const fonts = new Map<number, Uint8Array>();

/** 256 characters of code page 437, `height` bytes each, bit 7 on the left. @param height 8, 14 or 16 */
export function font(height: 8 | 14 | 16): Uint8Array {
  const known = fonts.get(height);
  if (known) return known;
  const made = new Uint8Array(256 * height);
  drawnGlyphs().forEach((rows, character) => {
    made.set(letter(rows, height, DENSE.has(character)), character * height);
  });
  FRAMES.forEach((sides, i) => {
    made.set(frame(sides, height), (FIRST_FRAME + i) * height);
  });
  for (let i = 0; i < 3; i++) made.set(shade(i, height), (0xb0 + i) * height);
  const half = height >> 1;
  const rows = (bits: (row: number) => number) => Uint8Array.from({ length: height }, (_, row) => bits(row));
  made.set(
    rows(() => 0xff),
    0xdb * height,
  );
  made.set(
    rows((row) => (row >= half ? 0xff : 0)),
    0xdc * height,
  );
  made.set(
    rows(() => 0xf0),
    0xdd * height,
  );
  made.set(
    rows(() => 0x0f),
    0xde * height,
  );
  made.set(
    rows((row) => (row < half ? 0xff : 0)),
    0xdf * height,
  );
  for (const [inverse, of] of [
    [0x08, 0x07],
    [0x0a, 0x09],
  ])
    made.set(
      made.slice(of * height, (of + 1) * height).map((bits) => ~bits),
      inverse * height,
    );
  fonts.set(height, made);
  return made;
}

/** Characters with so many strokes that only the outer ones can be two dots thick. */
const DENSE: ReadonlySet<number> = new Set([0x01, 0x02, ...[...'#$%&*@MWmw'].map((c) => c.charCodeAt(0))]);

/** Five dots become six with strokes of two, or seven; in the taller fonts every row is there twice. */
function letter(rows: readonly number[], height: number, dense: boolean): Uint8Array {
  const wide = rows.map((bits) =>
    dense
      ? (bits & 16 ? 0xc0 : 0) | ((bits & 14) << 2) | (bits & 1 ? 6 : 0)
      : ((bits << 2) | (bits << 1)) & 0xff,
  );
  if (height === 8) return Uint8Array.from(wide);
  const cut = (16 - height) >> 1;
  return Uint8Array.from({ length: height }, (_, row) => wide[(row + cut) >> 1]);
}

/** Quarter, half and three quarters of the dots. */
function shade(density: number, height: number): Uint8Array {
  const patterns = [
    [0x22, 0x88],
    [0x55, 0xaa],
    [0xdd, 0x77],
  ];
  return Uint8Array.from({ length: height }, (_, row) => patterns[density][row & 1]);
}

/** Lines from the sides to the middle: single ones two dots thick upright, double ones apart. */
function frame(sides: string, height: number): Uint8Array {
  const [up, right, down, left] = [...sides].map(Number);
  const middle = (height >> 1) - 1;
  const cell = new Uint8Array(height);
  const upright = (weight: number): number => (weight === 2 ? 0x24 : weight === 1 ? 0x18 : 0);
  const level = (weight: number): readonly number[] =>
    weight === 2 ? [middle - 1, middle + 1] : weight === 1 ? [middle] : [];
  const reach = Math.max(left, right) === 2 ? 1 : 0;
  for (let row = 0; row <= middle + reach; row++) cell[row] |= upright(up);
  for (let row = middle - reach; row < height; row++) cell[row] |= upright(down);
  // As far as the farther of the upright lines.
  const double = Math.max(up, down) === 2;
  for (const row of level(left)) cell[row] |= double ? 0xfc : 0xf8;
  for (const row of level(right)) cell[row] |= double ? 0x3f : 0x1f;
  return cell;
}
