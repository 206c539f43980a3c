import { expect, it } from 'vitest';
import { address, bytes, grouped, kernelPlace, percent, short, virtualTime } from './words.ts';

const plain = (text: string) => text.replaceAll('\u202f', ' ');

it('groups digits', () => {
  expect(plain(grouped(8340))).toBe('8 340');
  expect(plain(grouped(999))).toBe('999');
  expect(plain(grouped(-1234567))).toBe('−1 234 567');
});

it('shortens to three digits', () => {
  expect([0, 7, 940, 1240, 12_400, 999_999, 2.5e9].map(short).map(plain)).toEqual([
    '0',
    '7',
    '940',
    '1.24 k',
    '12.4 k',
    '1.00 M',
    '2.50 G',
  ]);
});

it('tells virtual time in the unit that fits', () => {
  expect(plain(virtualTime(0, 50e6))).toBe('0.000 ms');
  expect(plain(virtualTime(417, 50e6))).toBe('8.34 µs');
  expect(plain(virtualTime(617_250, 50e6))).toBe('12.345 ms');
  expect(plain(virtualTime(100_050_000, 50e6))).toBe('2.001 s');
});

it('tells shares, sizes, places and addresses', () => {
  expect([0, 0.0004, 0.004, 0.123, 1].map(percent).map(plain)).toEqual([
    '0 %',
    '< 0.1 %',
    '0.4 %',
    '12 %',
    '100 %',
  ]);
  expect(plain(bytes(16 * 2 ** 20))).toBe('16 MiB');
  expect(kernelPlace({ kernelRing: 1, nonRoot: false, technique: 'paravirtualization' })).toBe('ring 1');
  expect(kernelPlace({ kernelRing: 0, nonRoot: true, technique: 'vt-x' })).toBe('ring 0, VMX non-root');
  expect(kernelPlace({ kernelRing: 0, nonRoot: true, technique: 'svm' })).toBe('ring 0, guest mode');
  expect(address(-1)).toBe('ffffffff');
});
