// The hidden parts of a guest's segment registers, as descriptor words and back (SDM vol. 3 §3.4.3, §3.4.5): what the processor
// has is made fit for ring 1 and cut off below the monitor; the emulator is to have what the guest loaded.
import { Descriptor } from '../../machine/cpu/segmentation.ts';
import { CS, SS } from '../../machine/isa/instruction.ts';
import { convert } from '../deprivileged/convert.ts';
import { isGuestFault } from '../deprivileged/linear.ts';
import { believed, KERNEL_RING } from '../deprivileged/rings.ts';
import { isNull } from '../deprivileged/segments.ts';
import type { Words } from '../deprivileged/shadow-descriptors.ts';
import { HYPERVISOR_START } from '../monitor.ts';
import type { TranslatedGuest } from './guest.ts';

export interface SegmentPart {
  selector: number;
  base: number;
  limit: number;
  access: number;
}

const UNUSABLE = 0x10000;
const PRESENT = 0x80;
const ACCESSED = 1;
const GRANULAR = 0x8000;

const d = new Descriptor();
const converted: Words = { low: 0, high: 0 };

/** A segment register as the guest loaded it. */
export function hiddenPart(guest: TranslatedGuest, register: number): SegmentPart {
  const selector =
    register === CS || register === SS ? believed(guest.selector(register)) : guest.selector(register);
  const loaded = guest.descriptors.loaded(register);
  if ((isNull(selector) && register !== CS && register !== SS) || !(loaded.high & 0x8000))
    return { selector, base: 0, limit: 0, access: UNUSABLE };
  const own = ownWords(guest, selector);
  if (own) {
    convert(own.low, own.high, converted);
    if (same(converted, loaded)) {
      d.low = own.low;
      d.high = own.high;
      return { selector, base: d.base, limit: d.limit, access: d.access | ACCESSED };
    }
  }
  // It has outlived its descriptor.
  d.low = loaded.low;
  d.high = loaded.high;
  const { base } = d;
  const cut = base + d.limit === HYPERVISOR_START - 1;
  const ring = d.dpl === KERNEL_RING ? 0 : d.dpl;
  return {
    selector,
    base,
    limit: cut ? 0xffffffff - base : d.limit,
    access: (d.access & ~0x60) | (ring << 5) | (cut ? GRANULAR : 0),
  };
}

const same = (a: Words, b: Words): boolean => a.low === b.low && ((a.high ^ b.high) & ~0x100) === 0;

function ownWords(guest: TranslatedGuest, selector: number): Words | null {
  try {
    return guest.descriptors.own(selector);
  } catch (error) {
    if (!isGuestFault(error)) throw error;
    return null;
  }
}

/** A descriptor that would load this hidden part; null when none would. */
export function wordsOf({ base, limit, access }: SegmentPart): Words | null {
  const fine = limit <= 0xfffff;
  if (!fine && (limit & 0xfff) !== 0xfff) return null;
  if (!(access & PRESENT)) return null;
  const field = fine ? limit : limit >>> 12;
  const flags = (access & 0xf0ff & ~GRANULAR) | (fine ? 0 : GRANULAR);
  return {
    low: ((base & 0xffff) << 16) | (field & 0xffff) | 0,
    high: (base & 0xff000000) | (flags << 8) | (field & 0xf0000) | ((base >>> 16) & 0xff) | 0,
  };
}
