import { describe, expect, it } from 'vitest';
import { foldHeat, shortCount, visibleHeat } from './heat.ts';
import { LineMapping } from './line-diff.ts';

const same = new LineMapping('', '');
const heat = [
  { file: 'a.asm', line: 7, count: 10_000 },
  { file: 'a.asm', line: 3, count: 1 },
  { file: 'b.inc', line: 1, count: 100 },
];

describe('heat of lines', () => {
  it('takes one file, in order; the hottest line of the guest is 1', () => {
    expect(foldHeat(heat, 'a.asm', same).map(({ line, level }) => [line, level])).toEqual([
      [3, 1],
      [7, 4],
    ]);
    expect(foldHeat(heat, 'a.asm', same).at(-1)?.share).toBe(1);
    const [hundred] = foldHeat(heat, 'b.inc', same);
    expect(hundred.share).toBeCloseTo(0.5, 2);
    expect(hundred.level).toBe(3);
  });

  it('follows lines that have moved since the guest was booted, and forgets lines that are gone', () => {
    const mapping = new LineMapping('a\nb\nc', 'new\na\nc');
    const entries = [1, 2, 3].map((line) => ({ file: 'f', line, count: line }));
    expect(foldHeat(entries, 'f', mapping).map(({ line, count }) => [line, count])).toEqual([
      [2, 1],
      [3, 3],
    ]);
  });

  it('nothing is hot before the first exit', () => {
    expect(foldHeat([], 'a.asm', same)).toEqual([]);
    expect(foldHeat([{ file: 'a.asm', line: 1, count: 0 }], 'a.asm', same)).toEqual([]);
  });

  it('cuts to what is visible', () => {
    expect(visibleHeat(foldHeat(heat, 'a.asm', same), 4, 10).map(({ line }) => line)).toEqual([7]);
  });

  it.each([
    [0, '0'],
    [9_999, '9999'],
    [10_000, '10.0k'],
    [12_390, '12.3k'],
    [999_999, '999k'],
    [1_000_000, '1.0M'],
    [4_560_000_000, '4.5G'],
  ])('%i is written %s', (count, text) => {
    expect(shortCount(count)).toBe(text);
  });
});
