// CPUID: the processor as the guest may know it, and what its hypervisor adds.
import type { Identification } from '../../../machine/cpu/cpuid.ts';
import { identifyEnlightened } from '../../enlightenments/seam.ts';
import { identifyForGuest } from '../../platform/identification.ts';
import type { VtxGuest } from '../vtx-guest.ts';

/** What CPUID answers the guest. */
export function guestCpuid(guest: VtxGuest, leaf: number): Identification {
  const answer = identifyForGuest(guest.hypervisor.cpu, leaf, guest.shadowTables?.canBeWide ?? true);
  return identifyEnlightened(guest, leaf, answer);
}
