// Parts of the board that not every machine has. A program provides them before it asks for one: the terminal all at once,
// the page when a scenario wants them, so that nobody waits for what is not used.
import type { ApicSystem } from './apic/apic-system.ts';
import type { firmwareTables } from './apic/tables.ts';
import type { ScanSet3 } from './scan-set-3.ts';
import type { Storage } from './storage/storage.ts';
import type { TestDevice } from './test-device.ts';
import type { Vbe } from './vga/vbe.ts';

export const optional: {
  Storage?: typeof Storage;
  ApicSystem?: typeof ApicSystem;
  firmwareTables?: typeof firmwareTables;
  /** These are simply absent when nobody has provided them: software finds out by asking. */
  Vbe?: typeof Vbe;
  ScanSet3?: typeof ScanSet3;
  TestDevice?: typeof TestDevice;
} = {};

/** A part, or an error that says what was forgotten. */
export function part<K extends keyof typeof optional>(name: K): NonNullable<(typeof optional)[K]> {
  const found = optional[name];
  if (!found) throw new Error(`${name} is wanted on a board, and nobody has provided it`);
  return found;
}
