// Which files are taken for a BIOS.
import { describe, expect, it } from 'vitest';
import { parseImage } from './load.ts';

const rom = (size: number, jump = 0xea) => {
  const bytes = new Uint8Array(size);
  bytes[size - 16] = jump;
  return bytes;
};

describe('a BIOS ROM', () => {
  it.each([64, 128, 256])('has %i KiB and a jump at its reset vector', (kib) => {
    expect(parseImage(rom(kib * 1024), 'bios.bin')).toMatchObject({ kind: 'rom', bits: 16, entry: 0xffff0 });
  });
  it('has one of the sizes of ROMs, and begins with a jump', () => {
    expect(() => parseImage(rom(65_000), 'x')).toThrow(/BIOS ROMs/);
    expect(() => parseImage(rom(65_536, 0x90), 'x')).toThrow(/BIOS ROMs/);
  });
});
