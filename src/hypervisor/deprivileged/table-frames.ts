// Where in a guest's memory its descriptor tables lie, and what they hold: GDT and LDT need be neither aligned nor in one piece
// (SDM vol. 3 §3.5.1). A table is a base and a limit, -1 for none; its frames are guest-physical, -1 where there is no memory.
import type { GuestMemory } from '../frames.ts';

export interface Table {
  readonly base: number;
  readonly limit: number;
}

/** Words of a table of this limit, and one more for a table that is not aligned. */
const wordsOf = (limit: number): number => (limit < 0 ? 0 : ((limit + 3) >>> 2) + 1);

/** The frames of the tables, page by page. @param translate a linear address to a guest-physical one, negative when there is none */
export function framesOf(tables: readonly Table[], translate: (linear: number) => number): number[] {
  const frames: number[] = [];
  for (const { base, limit } of tables) {
    if (limit < 0) continue;
    const pages = (((base & 0xfff) + limit) >>> 12) + 1;
    for (let n = 0; n < pages; n++) {
      const physical = translate((base + n * 4096) >>> 0);
      frames.push(physical < 0 ? -1 : physical >>> 12);
    }
  }
  return frames;
}

/** Whether some of these bytes, which may lie over the end of their page, are a table's. @param frames of the tables */
export function contain(
  tables: readonly Table[],
  frames: readonly number[],
  physical: number,
  bytes: number,
): boolean {
  const frame = physical >>> 12;
  const start = physical & 0xfff;
  let n = 0;
  for (const { base, limit } of tables) {
    const first = base & 0xfff;
    for (let page = 0; page * 4096 <= first + limit && limit >= 0; page++, n++) {
      if (frames[n] !== frame) continue;
      const from = Math.max(first - page * 4096, 0);
      const to = first + limit - page * 4096;
      if (start <= to && start + bytes > from) return true;
    }
  }
  return false;
}

/** The tables as they lie in memory, wherever there is some. */
export function readWords(
  tables: readonly Table[],
  frames: readonly number[],
  memory: GuestMemory,
): Int32Array {
  const words = new Int32Array(tables.reduce((sum, { limit }) => sum + wordsOf(limit), 0));
  compareWords(tables, frames, memory, words);
  return words;
}

/** Reads them again. @returns whether they differ from what was there */
export function compareWords(
  tables: readonly Table[],
  frames: readonly number[],
  memory: GuestMemory,
  into: Int32Array,
): boolean {
  let first = 0;
  let count = 0;
  let different = false;
  for (const { base, limit } of tables) {
    const start = base & 0xfff;
    for (let n = 0; n < wordsOf(limit); n++) {
      const at = start + n * 4;
      const frame = frames[first + (at >>> 12)] ?? -1;
      const word = frame < 0 ? 0 : memory.read32(frame * 4096 + (at & 0xffc)) | 0;
      different ||= into[count] !== word;
      into[count++] = word;
    }
    if (limit >= 0) first += ((start + limit) >>> 12) + 1;
  }
  return different || count !== into.length;
}
