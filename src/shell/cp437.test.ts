import { expect, it } from 'vitest';
import { glyph, screenText, TEXT_COLOURS } from './cp437.ts';

it('has 256 characters, each its own, but for code 0, which is blank too', () => {
  const all = Array.from({ length: 256 }, (_, code) => glyph(code));
  expect(all.every((c) => c?.length === 1)).toBe(true);
  expect(new Set(all).size).toBe(255);
});

it.each([
  [0x01, '☺'],
  [0x41, 'A'],
  [0x7f, '⌂'],
  [0x80, 'Ç'],
  [0x9f, 'ƒ'],
  [0xb3, '│'],
  [0xc4, '─'],
  [0xda, '┌'],
  [0xdb, '█'],
  [0xe1, 'ß'],
  [0xe3, 'π'],
  [0xf1, '±'],
  [0xfe, '■'],
])('knows the landmarks: %i is %s', (code, character) => {
  expect(glyph(code)).toBe(character);
});

it('reads a screen as text', () => {
  const cells = new Uint8Array(3 * 2 * 2).fill(0x20);
  cells[0] = 0x48;
  cells[2] = 0x69;
  expect(screenText(3, 2, cells)).toBe('Hi');
  expect(TEXT_COLOURS).toHaveLength(16);
});
