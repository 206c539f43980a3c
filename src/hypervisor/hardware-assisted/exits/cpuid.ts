// CPUID: the processor as the guest may know it. It has no VT-x of its own, and PAE only where its tables are its own.
import { cpuid as identify } from '../../../machine/cpu/cpuid.ts';
import type { VtxGuest } from '../vtx-guest.ts';

const FEATURE_VMX = 1 << 5;
/** Three-level tables, which shadow paging here does not follow. */
const FEATURE_PAE = 1 << 6;
/** Vendor extensions of the other kind of silicon. */
const EXTENDED_FEATURES = 0x80000001;
const FEATURE_SVM = 1 << 2;

/** What CPUID answers the guest. */
export function guestCpuid(guest: VtxGuest, leaf: number): ReturnType<typeof identify> {
  const answer = identify(guest.hypervisor.cpu, leaf);
  if (leaf === 1) {
    answer.ecx &= ~FEATURE_VMX;
    if (!guest.nested) answer.edx &= ~FEATURE_PAE;
  } else if (leaf === EXTENDED_FEATURES) answer.ecx &= ~FEATURE_SVM;
  return answer;
}
