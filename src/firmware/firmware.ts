// Our BIOS as bytes: assembled from the sources beside this file by our own assembler, with the video adapter's fonts put
// where its code looks for them. 64 KiB, for F0000h; its reset vector is at FFFF0h.
import { assemble } from '../assembler/assemble.ts';
import { font } from '../machine/devices/vga/font.ts';

const FIRMWARE_BYTES = 0x10000;
/** The main source, below the folder of the firmware. */
const MAIN = 'bios.asm';
/** Offsets of the fonts, as bios.asm has them. */
const FONTS = [
  [0xc000, 14],
  [0xd000, 16],
  [0xe000, 8],
] as const;

/**
 * Assembles the firmware.
 * @param files its sources by name, as the folder has them
 * Throws Error with place and reason when a source has a mistake.
 */
export function assembleFirmware(files: ReadonlyMap<string, string>): Uint8Array {
  const { bytes, diagnostics } = assemble(files, MAIN, { includePaths: [''] });
  const error = diagnostics.find((d) => d.severity === 'error');
  if (error) throw new Error(`firmware: ${error.file}:${error.line}:${error.column}: ${error.message}`);
  if (bytes.length !== FIRMWARE_BYTES)
    throw new Error(`firmware: ${bytes.length} bytes instead of ${FIRMWARE_BYTES}`);
  const rom = bytes.slice();
  for (const [offset, height] of FONTS) rom.set(font(height), offset);
  return rom;
}
