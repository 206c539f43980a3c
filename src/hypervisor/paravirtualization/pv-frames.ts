// The frames of a paravirtualized guest for those who use them from outside: it names them by machine frame number, and
// writing to one is a use of it as a writable page, so that it cannot become a page table meanwhile.
import type { Hypervisor } from '../hypervisor.ts';
import type { GuestFrames } from '../xen/guest.ts';
import { type PageTypes, TYPE } from './page-types.ts';
import type { PvDomain } from './pv-domain.ts';

export function pvFrames({ frames }: Hypervisor, types: PageTypes, pv: () => PvDomain): GuestFrames {
  return {
    toMachine: (frame) => (frame < frames.count && types.owns(pv(), frame) ? frame : -1),
    take: (frame) => types.take(pv(), frame, TYPE.writable),
    drop: (frame) => types.drop(pv(), frame),
  };
}
