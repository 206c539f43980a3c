// The entries that a translation goes through, one by one, for people to look at (inspection.ts). Sets no bit, charges
// nothing. One function for every kind of table there is: 32-bit, PAE, EPT and NPT (SDM vol. 3 §4.3, §4.4, §28.2; APM
// vol. 2 §15.25); where a table lies in machine memory is the caller's to say.
import type { PhysicalMemory } from '../machine/memory/physical-memory.ts';
import type { WalkStep } from './inspection.ts';

/** `legacy`: two levels of 4-byte entries. `pae`: three levels of 8-byte ones. `ept`: four levels of 8-byte ones (EPT, or NPT of a hypervisor in long mode). */
export type TableKind = 'legacy' | 'pae' | 'ept';

const LARGE = 0x80;
const LEVELS: Record<TableKind, number> = { legacy: 2, pae: 3, ept: 4 };

export interface StepsResult {
  readonly steps: WalkStep[];
  /** Address behind `address` in the space that the tables map to, or -1. */
  readonly result: number;
}

/**
 * Walks from `root` (address of the top table, in the space its entries use) as far as entries are present.
 * @param toMachine machine address behind an address in that space, or -1: guest tables lie in guest-physical memory
 * @param isPresent EPT entries are present when any of their three rights is set; others have bit 0
 */
export function walkSteps(
  memory: PhysicalMemory,
  tables: WalkStep['tables'],
  kind: TableKind,
  root: number,
  address: number,
  toMachine: (address: number) => number = (at) => at,
  isPresent: (low: number) => boolean = kind === 'ept' ? (low) => (low & 7) !== 0 : (low) => (low & 1) !== 0,
): StepsResult {
  const steps: WalkStep[] = [];
  const wide = kind !== 'legacy';
  const bitsPerLevel = wide ? 9 : 10;
  // The four PDPTEs lie on 32 bytes, not on a page.
  let table = kind === 'pae' ? (root & ~0x1f) >>> 0 : (root & 0xfffff000) >>> 0;
  for (let level = LEVELS[kind]; level > 0; level--) {
    const shift = 12 + (level - 1) * bitsPerLevel;
    const index =
      shift >= 32 ? 0 : (address >>> shift) & (kind === 'pae' && level === 3 ? 3 : (1 << bitsPerLevel) - 1);
    const machine = toMachine((table + index * (wide ? 8 : 4)) >>> 0);
    if (machine < 0) return { steps, result: -1 };
    const low = memory.read32(machine);
    const high = wide ? memory.read32(machine + 4) : 0;
    steps.push({ tables, level, machine, index, low, high });
    if (!isPresent(low) || (wide && (high & 0x7fffffff) !== 0)) return { steps, result: -1 };
    const large = low & LARGE && level > 1 && !(kind === 'pae' && level === 3);
    if (level === 1 || large) {
      const mask = 2 ** shift - 1;
      return { steps, result: ((low & 0xfffff000 & ~mask) | (address & mask)) >>> 0 };
    }
    table = (low & 0xfffff000) >>> 0;
  }
  return { steps, result: -1 };
}
