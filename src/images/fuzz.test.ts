// Images are untrusted: whatever the bytes are, the loaders either give an image that is safe to place or throw ImageError.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { placeImage } from './boot.ts';
import { ascii, concat, elf, flatKernel, words, xenNote } from './fixtures.ts';
import { ImageError } from './image.ts';
import { parseImage } from './load.ts';

const code = new Uint8Array(40).fill(0x90);
const seeds: Uint8Array[] = [
  flatKernel(96),
  elf([
    { data: concat(words(0x1badb002, 3, -(0x1badb002 + 3)), code), memorySize: 9000 },
    { virtual: 0x200000, data: code },
  ]),
  elf(
    [
      { virtual: 0xc0100000, physical: 0x100000, data: code },
      { type: 4, virtual: 0, data: concat(xenNote(3, words(0xc0000000)), xenNote(6, ascii('linux\0'))) },
    ],
    0xc0100000,
  ),
];
const SIZE = 16 << 20;
const memory = new Uint8Array(SIZE);
const target = {
  size: SIZE,
  load: (address: number, data: Uint8Array) => {
    if (address < 0 || address + data.length > SIZE) throw new RangeError('outside of memory');
    memory.set(data, address);
  },
};

function tryOut(bytes: Uint8Array): void {
  try {
    const image = parseImage(bytes, 'fuzz');
    for (const s of image.segments) {
      expect(s.data.length).toBeLessThanOrEqual(s.memorySize);
      expect(s.address).toBeGreaterThanOrEqual(0);
      expect(s.address + s.memorySize).toBeLessThanOrEqual(2 ** 32);
    }
    if (image.kind !== 'xen')
      placeImage(image, { commandLine: 'a=b', modules: [{ name: 'm', data: code }] }, target);
  } catch (error) {
    if (!(error instanceof ImageError)) throw error;
  }
}

describe('untrusted images', () => {
  it('truncated anywhere', () => {
    for (const seed of seeds) for (let n = 0; n <= seed.length; n++) tryOut(seed.subarray(0, n));
  });

  it('with any one byte set to an extreme', () => {
    for (const seed of seeds) {
      for (let i = 0; i < seed.length; i++) {
        for (const v of [0, 1, 0x7f, 0x80, 0xff]) {
          const bytes = seed.slice();
          bytes[i] = v;
          tryOut(bytes);
        }
      }
    }
  });

  it('with any words replaced', () => {
    const value = fc.oneof(
      fc.integer(),
      fc.constantFrom(0, -1, 0x7fffffff, 0x80000000, 0xfffff000, 0x100000),
    );
    const edits = fc.array(fc.tuple(fc.nat({ max: 60 }), value), { minLength: 1, maxLength: 6 });
    fc.assert(
      fc.property(fc.constantFrom(...seeds), edits, (seed, changes) => {
        const bytes = seed.slice();
        const view = new DataView(bytes.buffer);
        for (const [at, v] of changes) if (at * 4 + 4 <= bytes.length) view.setInt32(at * 4, v | 0, true);
        tryOut(bytes);
      }),
      { numRuns: 5000 },
    );
  });

  it('random bytes behind a known beginning', () => {
    const start = fc.constantFrom(
      ascii('\x7fELF\x01\x01\x01'),
      words(0x1badb002, 0x10003, -(0x1badb002 + 0x10003)),
      ascii('MZ'),
      new Uint8Array(0),
    );
    fc.assert(
      fc.property(start, fc.uint8Array({ maxLength: 600 }), (head, tail) => tryOut(concat(head, tail))),
      { numRuns: 3000 },
    );
  });
});
