// Canned pictures for the playground only.
import type { Screen } from '../../worker/protocol.ts';

/** A desktop in mode 13h: bars, windows and a disc, to judge colours, edges and roundness by. */
export function cannedDesktop(tick: number): Screen {
  const width = 320;
  const height = 200;
  const pixels = new Uint8Array(width * height).fill(3);
  const fill = (x: number, y: number, w: number, h: number, colour: number) => {
    for (let row = y; row < y + h; row++) pixels.fill(colour, row * width + x, row * width + x + w);
  };
  fill(0, 186, 320, 14, 7);
  fill(3, 188, 40, 10, 2);
  const window = (x: number, y: number, w: number, h: number) => {
    fill(x - 1, y - 1, w + 2, h + 2, 0);
    fill(x, y, w, h, 15);
    fill(x, y, w, 11, 1);
    fill(x + w - 10, y + 2, 7, 7, 7);
  };
  window(30, 24, 150, 96);
  window(150, 70, 140, 92);
  for (let n = 0; n < 16; n++) fill(158 + n * 8, 90, 8, 60, n);
  const radius = 32;
  for (let y = -radius; y <= radius; y++) {
    for (let x = -radius; x <= radius; x++)
      if (x * x + y * y <= radius * radius) pixels[(78 + y) * width + 80 + x] = 14;
  }
  const angle = (tick / 60) * Math.PI * 2;
  for (let n = 0; n < radius - 4; n++) {
    pixels[Math.round(78 - Math.cos(angle) * n) * width + Math.round(80 + Math.sin(angle) * n)] = 4;
  }
  const palette = new Uint8Array(768);
  const ega = [
    0, 0xaa, 0xaa00, 0xaaaa, 0xaa0000, 0xaa00aa, 0xaa5500, 0xaaaaaa, 0x555555, 0x5555ff, 0x55ff55, 0x55ffff,
    0xff5555, 0xff55ff, 0xffff55, 0xffffff,
  ];
  ega.forEach((rgb, n) => {
    palette.set([(rgb >> 16) & 255, (rgb >> 8) & 255, rgb & 255], n * 3);
  });
  return { mode: 'graphics', width, height, pixels, palette };
}

/** A text screen with every character of the set, frames and all sixteen colours. */
export function cannedText(): Screen {
  const columns = 80;
  const rows = 25;
  const cells = new Uint8Array(columns * rows * 2);
  for (let n = 0; n < cells.length; n += 2) cells.set([0x20, 0x07], n);
  const put = (column: number, row: number, codes: number[], attribute = 0x07) => {
    codes.forEach((code, n) => {
      cells.set([code, attribute], (row * columns + column + n) * 2);
    });
  };
  const text = (words: string) => [...words].map((c) => c.charCodeAt(0));
  put(2, 0, text('Penguin 0.1 (native) on a PC with 16 MiB - canned picture'), 0x0f);
  for (let row = 0; row < 8; row++)
    put(
      4,
      row + 2,
      Array.from({ length: 32 }, (_, n) => row * 32 + n),
      0x0a,
    );
  put(44, 2, [0xc9, ...Array(30).fill(0xcd), 0xbb], 0x1e);
  for (let row = 3; row < 9; row++) put(44, row, [0xba, ...Array(30).fill(0x20), 0xba], 0x1e);
  put(44, 9, [0xc8, ...Array(30).fill(0xcd), 0xbc], 0x1e);
  put(47, 5, text('double frame, blue ground'), 0x1e);
  for (let n = 0; n < 16; n++) put(4 + n * 4, 12, [0xdb, 0xdb, 0xb1, 0xb0], n);
  put(4, 14, [0xda, 0xc4, 0xc4, 0xc2, 0xc4, 0xbf], 0x0b);
  put(4, 15, [0xb3, 0x20, 0x41, 0xb3, 0x42, 0xb3], 0x0b);
  put(4, 16, [0xc0, 0xc4, 0xc4, 0xc1, 0xc4, 0xd9], 0x0b);
  put(0, 18, text('$ primes'));
  put(0, 19, text('2 3 5 7 11 13 17 19 23 29 31 37 41 43 47 53 59 61 67 71 73 79 83 89 97'));
  put(0, 20, text('$ '));
  return { mode: 'text', columns, rows, cells, cursor: { column: 2, row: 20, visible: true } };
}
