// Numbers of page tables and control structures in words. Pure.

import { address } from '../shell/words.ts';
import type { WalkStep } from '../worker/protocol.ts';

/** Names of the bits of an entry, lowest first (SDM vol. 3 §4.3; EPT: §28.2.2). */
const LEGACY_BITS: readonly (readonly [number, string])[] = [
  [0x001, 'P'],
  [0x002, 'W'],
  [0x004, 'U'],
  [0x020, 'A'],
  [0x040, 'D'],
  [0x080, 'PS'],
  [0x100, 'G'],
];
const EPT_BITS: readonly (readonly [number, string])[] = [
  [1, 'R'],
  [2, 'W'],
  [4, 'X'],
  [0x80, 'PS'],
];

/** `P W U A D`, or `not present`. @param ept its rights are read, write, execute */
export function entryBits(step: Pick<WalkStep, 'low' | 'level'>, ept: boolean): string {
  const names = (ept ? EPT_BITS : LEGACY_BITS)
    // Bit 7 of a lowest-level entry is not a page size.
    .filter(([bit, name]) => step.low & bit && !(name === 'PS' && step.level === 1))
    .map(([, name]) => name);
  return present(step, ept) ? names.join(' ') : 'not present';
}

/** An entry of EPT is present when any right is given; others have a bit for it. */
export function present({ low }: Pick<WalkStep, 'low'>, ept: boolean): boolean {
  return (ept ? low & 7 : low & 1) !== 0;
}

/** The entry's own words: eight digits, sixteen when the upper half says something. */
export function entryValue({ low, high }: Pick<WalkStep, 'low' | 'high'>): string {
  return high ? `${(high >>> 0).toString(16)}_${address(low)}` : address(low);
}

/** What a table of that level is called. */
export function tableName(step: Pick<WalkStep, 'tables' | 'level'>, levels: number): string {
  const names =
    levels >= 3
      ? ['page table', 'page directory', 'directory pointers', 'top level']
      : ['page table', 'page directory'];
  return names[step.level - 1] ?? `level ${step.level}`;
}

/** A field's value at its width: 4, 8 or 16 digits. */
export function fieldValue(bits: 16 | 32 | 64, low: number, high: number): string {
  if (bits === 16) return (low & 0xffff).toString(16).padStart(4, '0');
  return bits === 32 ? address(low) : `${address(high)}_${address(low)}`;
}
