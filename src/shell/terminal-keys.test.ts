import { expect, it } from 'vitest';
import { terminalKey } from './terminal-keys.ts';

const key = (name: string, held: Partial<Parameters<typeof terminalKey>[0]> = {}) =>
  terminalKey({ key: name, ctrlKey: false, altKey: false, metaKey: false, ...held });

it('sends characters as they are, and named keys as control characters', () => {
  expect([key('a'), key('ß'), key('Enter'), key('Backspace'), key('ArrowUp')]).toEqual([
    'a',
    'ß',
    '\r',
    '\x7f',
    '\x1b[A',
  ]);
});

it('sends Ctrl with a letter as C0, and leaves the browser its own keys', () => {
  expect(key('c', { ctrlKey: true })).toBe('\x03');
  expect(key('D', { ctrlKey: true })).toBe('\x04');
  expect([key('F5'), key('Shift'), key('r', { metaKey: true })]).toEqual(['', '', '']);
});

it('takes AltGr’s characters', () => {
  expect(key('@', { ctrlKey: true, altKey: true })).toBe('@');
});
