// The BIOS: the same bytes from our assembler and from NASM, entries where software expects them, and a machine that comes
// up under it. What its services answer is compared with another BIOS in guests/exercisers/bios.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { assemble } from '../assembler/assemble.ts';
import { readSources } from '../cli/library.ts';
import { font } from '../machine/devices/vga/font.ts';
import { assembleFirmware } from './firmware.ts';

const FOLDER = fileURLToPath(new URL('.', import.meta.url));
const files = readSources(FOLDER);
const rom = assembleFirmware(files);
const word = (at: number) => rom[at] | (rom[at + 1] << 8);

const has = (program: string) => {
  try {
    execFileSync(program, ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
};

describe('the ROM', () => {
  it('has a far jump into itself at the reset vector, a date and the model byte of an AT', () => {
    expect(rom.length).toBe(0x10000);
    expect([rom[0xfff0], word(0xfff3)]).toEqual([0xea, 0xf000]);
    expect(String.fromCharCode(...rom.subarray(0xfff5, 0xfffd))).toBe('12/05/05');
    expect(rom[0xfffe]).toBe(0xfc);
  });

  it('has the diskette parameters at EFC7h, an IRET at FF53h, and the fonts of the video adapter', () => {
    expect([...rom.subarray(0xefca, 0xefcc)]).toEqual([2, 18]); // 512 bytes, 18 sectors
    expect(rom[0xff53]).toBe(0xcf);
    expect(rom.slice(0xd000, 0xe000)).toEqual(font(16));
    expect(rom.slice(0xe000, 0xe800)).toEqual(font(8));
  });

  it.skipIf(!has('nasm'))('is what NASM makes of the same sources (skipped when it is not installed)', () => {
    const out = join(mkdtempSync(join(tmpdir(), 'ringside-bios-')), 'bios.bin');
    execFileSync('nasm', ['-f', 'bin', '-Werror', '-o', out, 'bios.asm'], { cwd: FOLDER });
    const ours = assemble(files, 'bios.asm', { includePaths: [''] }).bytes;
    expect(Buffer.compare(Buffer.from(ours), readFileSync(out))).toBe(0);
  });
});
