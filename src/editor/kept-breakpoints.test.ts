import { describe, expect, it } from 'vitest';
import { keepBreakpoints, readBreakpoints } from './kept-breakpoints.ts';

function storage() {
  const kept = new Map<string, string>();
  return {
    getItem: (key: string) => kept.get(key) ?? null,
    setItem: (key: string, value: string) => void kept.set(key, value),
    removeItem: (key: string) => void kept.delete(key),
    kept,
  };
}

describe('breakpoints', () => {
  it('are there after a reload, each guest its own', () => {
    const s = storage();
    keepBreakpoints(() => s, 'side-by-side', 0, 'penguin-xen', { lines: [{ file: 'a.asm', line: 3 }] });
    keepBreakpoints(() => s, 'side-by-side', 1, 'panes', { addresses: [0x80100bdf] });
    expect(readBreakpoints(() => s, 'side-by-side', 0, 'penguin-xen').lines).toEqual([
      { file: 'a.asm', line: 3 },
    ]);
    expect(readBreakpoints(() => s, 'side-by-side', 1, 'panes').addresses).toEqual([0x80100bdf]);
    expect(readBreakpoints(() => s, 'hello-xen', 0, 'penguin-xen').lines).toEqual([]);
  });

  it('leave nothing behind when the last one goes', () => {
    const s = storage();
    keepBreakpoints(() => s, 'x', 0, 'y', { addresses: [1] });
    keepBreakpoints(() => s, 'x', 0, 'y', {});
    expect(s.kept.size).toBe(0);
  });

  it('are none when storage holds something else, or refuses', () => {
    const s = storage();
    for (const text of [
      '{',
      '7',
      '{"lines":[{"file":1,"line":2},{"file":"a","line":0}],"addresses":[-1,"x",1e12]}',
    ]) {
      s.setItem('ringside.breakpoints:x:0:y', text);
      expect(readBreakpoints(() => s, 'x', 0, 'y')).toEqual({ lines: [], addresses: [] });
    }
    const none = () => {
      throw new Error('denied');
    };
    expect(readBreakpoints(none, 'x', 0, 'y').lines).toEqual([]);
    expect(() => keepBreakpoints(none, 'x', 0, 'y', { addresses: [1] })).not.toThrow();
  });
});
