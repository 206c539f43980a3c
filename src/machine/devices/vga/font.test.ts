// The font: every printing character has dots, no two letters look alike, frames meet at the edges of their cells.
import { describe, expect, it } from 'vitest';
import { font } from './font.ts';

const rows = (character: number, height: 8 | 14 | 16) => [
  ...font(height).subarray(character * height, (character + 1) * height),
];

describe.each([8, 14, 16] as const)('font of %d lines', (height) => {
  it('has a picture for every printing character of code page 437', () => {
    for (let c = 1; c < 255; c++)
      if (c !== 0x20) expect([c, rows(c, height).some((bits) => bits)]).toEqual([c, true]);
    for (const blank of [0, 0x20, 0xff]) expect(rows(blank, height).every((bits) => bits === 0)).toBe(true);
  });

  it('tells all letters, digits and accented letters apart', () => {
    const codes = [...Array(94).keys()]
      .map((n) => n + 0x21)
      .concat([...Array(0x2e).keys()].map((n) => n + 0x80));
    expect(new Set(codes.map((c) => rows(c, height).join())).size).toBe(codes.length);
  });

  it('joins frames: what leaves a cell on the right enters the next on the left', () => {
    const [across, corner] = [rows(0xc4, height), rows(0xda, height)];
    expect(across.map((bits) => bits & 1)).toEqual(corner.map((bits) => bits & 1));
    expect(across.map((bits) => bits >> 7)).toEqual(across.map((bits) => bits & 1));
    expect(rows(0xba, height)[height - 1]).toBe(rows(0xc9, height)[height - 1]);
  });
});

it('draws an A that one can read', () => {
  expect(
    rows(0x41, 8).map((bits) => bits.toString(2).padStart(8, '0').replaceAll('0', '.').replaceAll('1', '#')),
  ).toEqual(['...##...', '..####..', '.##..##.', '.##..##.', '.######.', '.##..##.', '.##..##.', '........']);
});
