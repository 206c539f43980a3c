// The two forms that the page tables of a Xen guest have on i386, and where Xen's own area begins in each (xen/include/
// public/arch-x86/xen-x86_32.h, xen/include/asm-x86/config.h of 3.x): ABI xen-3.0-x86_32 and xen-3.0-x86_32p.
import { HYPERVISOR_START, MONITOR_START } from '../monitor.ts';

/** What a frame is used as. A frame has one type at a time. */
export const TYPE = {
  none: 0,
  /** Level 1: its entries map pages. */
  table: 1,
  /** Level 2. Without PAE the hypervisor's entries are in it. */
  directory: 2,
  /** Holds descriptors: GDT or LDT. */
  gdt: 3,
  writable: 4,
  /** PAE: the level-2 table of the top GiB, with the hypervisor's entries (PGT_pae_xen_l2). */
  topDirectory: 5,
  /** PAE: level 3, four entries that count. */
  pointers: 6,
} as const;

export interface Layout {
  readonly pae: boolean;
  readonly magic: string;
  /** Bytes of an entry, as a shift. */
  readonly entryShift: 2 | 3;
  /** Entries of a level-1 table. */
  readonly entries: 1024 | 512;
  /** What one level-1 table maps, as a shift. */
  readonly tableShift: 22 | 21;
  /** Guest-linear addresses end here: Xen's area (and first in it the machine-to-physical table). */
  readonly hypervisorStart: number;
  /** Guests' segments end here: behind the machine-to-physical table. */
  readonly segmentEnd: number;
  /** The type of what CR3 names. */
  readonly baseType: number;
  /** Entries of each type that are the guest's to fill; 0 for what is no page table. */
  readonly guestEntries: readonly number[];
}

export const TWO_LEVELS: Layout = {
  pae: false,
  magic: 'xen-3.0-x86_32',
  entryShift: 2,
  entries: 1024,
  tableShift: 22,
  hypervisorStart: HYPERVISOR_START,
  segmentEnd: MONITOR_START,
  baseType: TYPE.directory,
  guestEntries: [0, 1024, 1008, 0, 0, 0, 0],
};

export const PAE: Layout = {
  pae: true,
  magic: 'xen-3.0-x86_32p',
  entryShift: 3,
  entries: 512,
  tableShift: 21,
  hypervisorStart: 0xf5800000,
  segmentEnd: 0xf6800000,
  baseType: TYPE.pointers,
  guestEntries: [0, 512, 512, 0, 0, 428, 4],
};

/** Level of a table type: 1 to 3; 0 for what is no page table. */
export const LEVEL: readonly number[] = [0, 1, 2, 0, 0, 2, 3];
