// CPUID: the processor as the guest may know it, and what its hypervisor tells of itself.
import type { Identification } from '../../machine/cpu/cpuid.ts';
import { identifyEnlightened } from '../enlightenments/seam.ts';
import { identifyForGuest } from '../platform/identification.ts';
import type { SvmGuest } from './svm-guest.ts';

export const guestIdentification = (guest: SvmGuest, leaf: number): Identification =>
  identifyEnlightened(guest, leaf, identifyForGuest(guest.hypervisor.cpu, leaf, true));
