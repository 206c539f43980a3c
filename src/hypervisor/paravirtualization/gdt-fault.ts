// Selectors behind the last page of a guest's GDT (xen/arch/x86/traps.c handle_gdt_ldt_mapping_fault): the processor's GDT is
// as long as can be, for Xen's own descriptors are at its end, and between those and the guest's nothing is mapped. So the
// processor faults on the page, where with a shorter table it would have refused the selector: that is what the guest hears.
import { gdtOf } from './descriptors.ts';
import type { ExceptionHandler } from './extensions.ts';

const GDT_SIZE = 0x10000;
const PRESENT = 1;
const USER = 4;

/** A page fault of the processor's own reading of the GDT: #GP with the selector, as Xen gives it (no bits below the index). */
export const gdtFault: ExceptionHandler = ({ exceptions, vcpu, pv }, errorCode) => {
  const offset = (vcpu.cr2 >>> 0) - gdtOf(vcpu);
  // Guests' segments do not reach there: whoever reads without a mapping is the processor.
  if (offset < 0 || offset >= GDT_SIZE || errorCode & (PRESENT | USER)) return false;
  exceptions.reflect(vcpu, pv, 13, offset & ~7);
  return true;
};
