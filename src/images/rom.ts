// A BIOS as a file: what a processor runs after a reset (SDM vol. 3 §9.1.4). It is told by its size and by the jump at its
// reset vector, sixteen bytes before its end.
import { RESET_VECTOR } from './disk.ts';
import type { Image } from './image.ts';

const KIB = 1024;
const SIZES = [64, 128, 256, 512, 1024].map((kib) => kib * KIB);
/** Far jump, near jump, short jump: what stands at a reset vector. */
const JUMPS = [0xea, 0xe9, 0xeb];

/** The image of a ROM; null when it is no such thing. */
export function parseRom(bytes: Uint8Array, name: string): Image | null {
  if (!SIZES.includes(bytes.length) || !JUMPS.includes(bytes[bytes.length - 16])) return null;
  return {
    kind: 'rom',
    description: 'a BIOS ROM',
    name,
    segments: [],
    entry: RESET_VECTOR,
    bits: 16,
    symbols: [],
    rom: bytes,
  };
}
