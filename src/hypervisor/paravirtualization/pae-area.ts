// The hypervisor's area in an address space with PAE: F5800000h to the top (xen/include/asm-x86/config.h, 168 MiB). The
// machine-to-physical table stands at its beginning; the monitor's pages stand where they stand without PAE, so that one
// IDT, TSS and stack serve guests of both kinds; its GDT page differs, because guests' flat segments end elsewhere.
import { OWNER_HYPERVISOR } from '../frames.ts';
import type { Hypervisor } from '../hypervisor.ts';
import { descriptor, MONITOR_START, SELECTOR } from '../monitor.ts';
import { PTE } from './abi.ts';
import { PAE } from './layout.ts';

export interface HypervisorArea {
  /** Entries of the level-2 table of the top GiB from F5800000h up, low words; the high ones are 0. */
  readonly entries: Int32Array;
  /** Machine address of the page that is page 14 of the GDT. */
  readonly gdtPage: number;
}

const RIGHTS = PTE.present | PTE.writable | PTE.accessed | PTE.dirty;
/** What the monitor has between MONITOR_START and its descriptor area, in pages. */
const MONITOR_PAGES = 8;

/** Builds the area from the monitor's own mappings: frames of the hypervisor, taken once. */
export function makePaeArea({ frames, monitor, pc: { memory } }: Hypervisor): HypervisorArea {
  const entries = new Int32Array((0x100000000 - PAE.hypervisorStart) / (1 << PAE.tableShift));
  const map = (linear: number, entry: number): void => {
    const slot = (linear - PAE.hypervisorStart) >>> PAE.tableShift;
    if (!entries[slot]) entries[slot] = (frames.allocate(OWNER_HYPERVISOR) * 4096) | RIGHTS;
    memory.write32((entries[slot] & ~0xfff) + ((linear >>> 12) & 511) * 8, entry);
  };
  // Not global: what is global for one form of tables would outlive the change to the other.
  const m2pPages = Math.ceil((frames.count * 4) / 4096);
  for (let n = 0; n < m2pPages; n++)
    map(PAE.hypervisorStart + n * 4096, (monitor.m2p + n * 4096) | PTE.present | PTE.accessed);
  for (let n = 0; n < MONITOR_PAGES; n++) {
    const linear = MONITOR_START + n * 4096;
    const table = memory.read32(monitor.pageDirectory + (linear >>> 22) * 4) & ~0xfff;
    const entry = memory.read32(table + ((linear >>> 12) & 1023) * 4);
    if (entry & PTE.present) map(linear, entry & ~PTE.global);
  }

  const gdtPage = frames.allocate(OWNER_HYPERVISOR) * 4096;
  memory.load(gdtPage, memory.bytes.slice(monitor.gdtPage, monitor.gdtPage + 4096));
  const end = PAE.segmentEnd - 1;
  for (const [selector, access] of [
    [SELECTOR.ring1Code, 0xbb],
    [SELECTOR.ring1Data, 0xb3],
    [SELECTOR.ring3Code, 0xfb],
    [SELECTOR.ring3Data, 0xf3],
  ]) {
    const [low, high] = descriptor(0, end, access, 4);
    memory.write32(gdtPage + (selector & 0xff8), low);
    memory.write32(gdtPage + (selector & 0xff8) + 4, high);
  }
  return { entries, gdtPage };
}
