// A guest's descriptor made fit for ring 1: DPL 0 becomes 1, and no segment reaches into the monitor, which the page tables
// cannot hide from ring 1, where the processor counts as supervisor (SDM vol. 3 §3.4.5, §4.6). VMware called it truncation.
import { Descriptor } from '../../machine/cpu/segmentation.ts';
import { HYPERVISOR_START } from '../monitor.ts';
import { KERNEL_RING } from './rings.ts';

const ACCESSED = 0x100;
const GRANULAR = 0x800000;
const DPL_SHIFT = 13;

const d = new Descriptor();

/** Why a present segment cannot be given to the guest at all, in words; empty when it can. */
export function obstacle(low: number, high: number): string {
  d.low = low;
  d.high = high;
  if (!d.present || !d.isSegment) return '';
  const top = expandsDown(high) ? (high & 0x400000 ? 0xffffffff : d.base + 0xffff) : 0;
  if (d.base >= HYPERVISOR_START || top >= HYPERVISOR_START)
    return 'lies where the monitor hides, at FC000000h and above, and cannot be cut off';
  return '';
}

const expandsDown = (high: number): boolean => (high & 0x1c00) === 0x1400;

/**
 * The descriptor that the processor gets. Empty (both words 0) for system descriptors, whose use must trap, and for segments
 * with an `obstacle`. It is as a register has it that was loaded from there: accessed.
 */
export function convert(low: number, high: number, into: { low: number; high: number }): void {
  into.low = into.high = 0;
  d.low = low;
  d.high = high;
  if (!d.isSegment || obstacle(low, high)) return;
  const dpl = Math.max(d.dpl, KERNEL_RING);
  into.low = low;
  into.high = (high & ~(3 << DPL_SHIFT)) | (dpl << DPL_SHIFT) | ACCESSED;
  if (!d.present || expandsDown(high) || d.base + d.limit < HYPERVISOR_START) return;
  const bytes = HYPERVISOR_START - d.base;
  const granular = (high & GRANULAR) !== 0 && bytes >= 4096;
  const field = granular ? Math.floor(bytes / 4096) - 1 : bytes - 1;
  into.low = (low & 0xffff0000) | (field & 0xffff) | 0;
  into.high = (into.high & ~(0xf0000 | GRANULAR)) | (field & 0xf0000) | (granular ? GRANULAR : 0);
}
