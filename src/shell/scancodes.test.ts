import { expect, it } from 'vitest';
import { letsGo, releaseAll, scancodes } from './scancodes.ts';

it('sends make and break codes', () => {
  expect(scancodes('KeyA', false)).toEqual([0x1e]);
  expect(scancodes('KeyA', true)).toEqual([0x9e]);
  expect(scancodes('Enter', false)).toEqual([0x1c]);
});

it('prefixes the keys that the AT keyboard added', () => {
  expect(scancodes('ArrowUp', false)).toEqual([0xe0, 0x48]);
  expect(scancodes('ArrowUp', true)).toEqual([0xe0, 0xc8]);
  expect(scancodes('ControlRight', false)).toEqual([0xe0, 0x1d]);
});

it('says nothing for a key that it does not know', () => {
  expect(scancodes('AudioVolumeUp', false)).toEqual([]);
});

it('lets go by Ctrl and Alt of the left hand, whichever comes first; AltGr is the guest’s', () => {
  expect(letsGo({ code: 'AltLeft', ctrlKey: true, altKey: true, location: 1 })).toBe(true);
  expect(letsGo({ code: 'ControlLeft', ctrlKey: true, altKey: true, location: 1 })).toBe(true);
  expect(letsGo({ code: 'AltRight', ctrlKey: true, altKey: true, location: 2 })).toBe(false);
});

it('leaves no key hanging', () => {
  const held = new Set(['ShiftLeft', 'KeyA']);
  expect(releaseAll(held)).toEqual([0xaa, 0x9e]);
  expect(held.size).toBe(0);
});
