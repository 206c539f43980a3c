import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { GONE, LineMapping, mapLines } from './line-diff.ts';

const map = (from: string, to: string) => [...mapLines(from.split(''), to.split(''))];

describe('lines of two texts', () => {
  it('keeps what is the same, and moves what comes after an edit', () => {
    expect(map('abc', 'abc')).toEqual([0, 1, 2]);
    expect(map('abc', 'abXYc')).toEqual([0, 1, 4]);
    expect(map('abcd', 'ad')).toEqual([0, GONE, GONE, 1]);
    expect(map('abc', 'aBc')).toEqual([0, GONE, 2]);
    expect(map('', 'abc')).toEqual([]);
  });

  it('finds its way by lines that occur once', () => {
    // Two edits with equal lines between them.
    expect(map('1-m-2-n', '3-m-4-n')).toEqual([GONE, 1, 2, 3, GONE, 5, 6]);
    expect(map('a==b==c', 'X==b==Y')).toEqual([GONE, 1, 2, 3, 4, 5, GONE]);
  });

  it('a moved block loses its counterpart rather than the order', () => {
    const result = map('abcdef', 'defabc').filter((line) => line !== GONE);
    expect(result).toEqual([...result].sort((a, b) => a - b));
  });

  it('counterparts are equal lines in increasing order, for any two texts', () => {
    const text = fc.array(fc.constantFrom('', 'nop', 'a', 'b', 'c', 'd', 'e'), { maxLength: 40 });
    fc.assert(
      fc.property(text, text, (from, to) => {
        let last = -1;
        mapLines(from, to).forEach((b, a) => {
          if (b === GONE) return;
          expect(to[b]).toBe(from[a]);
          expect(b).toBeGreaterThan(last);
          last = b;
        });
      }),
    );
  });

  it('speaks of lines from 1, both ways', () => {
    const mapping = new LineMapping('one\ntwo\nthree', 'one\nnew\r\ntwo\nthree');
    expect([1, 2, 3].map((line) => mapping.to(line))).toEqual([1, 3, 4]);
    expect([1, 2, 3, 4].map((line) => mapping.from(line))).toEqual([1, null, 2, 3]);
    expect(new LineMapping('a', 'a').same).toBe(true);
  });

  it('is quick with 50 000 equal lines', () => {
    const lines = Array.from({ length: 50_000 }, () => 'nop');
    expect(mapLines([...lines, 'a'], ['b', ...lines]).length).toBe(50_001);
  });
});
