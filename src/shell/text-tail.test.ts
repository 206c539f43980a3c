import { expect, it } from 'vitest';
import { TEXT_TAIL, TextTail } from './text-tail.ts';

it('keeps the end of what was said, from the start of a line', () => {
  const tail = new TextTail();
  for (let n = 0; n < 20_000; n++) tail.append(`line ${n}\n`);
  const text = tail.toString();
  expect(text.length).toBeLessThanOrEqual(TEXT_TAIL * 2);
  expect(text).toMatch(/^line \d+\n/);
  expect(text.endsWith('line 19999\n')).toBe(true);
});

it('is bounded even by text without lines', () => {
  const tail = new TextTail();
  for (let n = 0; n < 100; n++) tail.append('x'.repeat(4096));
  expect(tail.toString().length).toBeLessThanOrEqual(TEXT_TAIL * 2);
});
