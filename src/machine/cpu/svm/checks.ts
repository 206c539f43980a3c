// What VMRUN looks at before it trusts a VMCB with the processor (APM vol. 2 §15.5.1 "Canonicalization and Consistency
// Checks", §15.20 for events, §15.25.4 for nested paging). The answer is a sentence that names the broken rule, or ''.
import { SVME } from '../msrs.ts';
import { GENERAL2 } from './exit-codes.ts';
import { EVENT, EVENT_TYPE, V } from './layout.ts';
import type { SvmState } from './state.ts';

const CR0_NW = 1 << 29;
const CR0_CD = 1 << 30;
/** TSD DE PSE PAE PGE PCE OSFXSR OSXMMEXCPT, as MOV to CR4 has them; VMXE where the processor has VT-x too. */
const CR4_BITS = 0x7bc;
const CR4_VMXE = 0x2000;
/** Physical addresses have 36 bits. */
const MAX_PHYSICAL = 2 ** 36;
const IOPM_SIZE = 0x3000;
const MSRPM_SIZE = 0x2000;
/** PAT types: UC WC WT WP WB UC-. */
const PAT_TYPES = 0b11110011;

/** Why VMRUN would answer with VMEXIT_INVALID. */
export function invalidity(svm: SvmState): string {
  const { vmcb: w, base: b } = svm;
  const efer = w[b + V.efer];
  const cr0 = w[b + V.cr0];
  if (!(efer & SVME)) return 'EFER.SVME is 0';
  if (efer & ~SVME || w[b + V.efer + 1] !== 0)
    return 'EFER has a bit that this processor does not have (it has no long mode)';
  if (!(cr0 & CR0_CD) && cr0 & CR0_NW) return 'CR0.NW is 1 and CR0.CD is 0';
  if (w[b + V.cr0 + 1] !== 0) return 'CR0 has bits above 31';
  if (w[b + V.cr3 + 1] !== 0) return 'CR3 has bits above 31';
  if (w[b + V.cr4] & ~(CR4_BITS | CR4_VMXE) || w[b + V.cr4 + 1] !== 0) return 'CR4 has a reserved bit';
  if (w[b + V.dr6 + 1] !== 0) return 'DR6 has bits above 31';
  if (w[b + V.dr7 + 1] !== 0) return 'DR7 has bits above 31';
  if (!(w[b + V.general2] & GENERAL2.vmrun)) return 'VMRUN is not intercepted';
  // Below 4 GiB there is nothing to look at.
  if (w[b + V.iopm + 1] !== 0 && address(w, b + V.iopm) + IOPM_SIZE > MAX_PHYSICAL)
    return 'the I/O permission map ends beyond physical memory';
  if (w[b + V.msrpm + 1] !== 0 && address(w, b + V.msrpm) + MSRPM_SIZE > MAX_PHYSICAL)
    return 'the MSR permission map ends beyond physical memory';
  if (w[b + V.asid] === 0) return 'the ASID is 0, which is the host’s';
  if (w[b + V.nestedPaging] & 1) {
    if (!svm.nestedPaging) return 'this processor has no nested paging';
    if (address(w, b + V.nestedCr3) >= MAX_PHYSICAL) return 'nested CR3 lies beyond physical memory';
    if (!validPat(w[b + V.gPat]) || !validPat(w[b + V.gPat + 1]))
      return 'G_PAT names a memory type that does not exist';
  }
  return w[b + V.eventInj] & EVENT.valid ? checkEvent(w[b + V.eventInj]) : '';
}

function checkEvent(info: number): string {
  const type = (info >>> 8) & 7;
  const vector = info & 0xff;
  if (type === 1 || type > EVENT_TYPE.software) return 'EVENTINJ: the type is reserved';
  if (type === EVENT_TYPE.exception && (vector === 2 || vector > 31))
    return 'EVENTINJ: there is no exception with this vector';
  return '';
}

function address(w: Int32Array, at: number): number {
  return (w[at] & 0xfffff000) * 1 + (w[at] < 0 ? 2 ** 32 : 0) + (w[at + 1] >>> 0) * 2 ** 32;
}

function validPat(word: number): boolean {
  for (let n = 0; n < 32; n += 8) {
    const type = (word >>> n) & 0xff;
    if (type > 7 || !((PAT_TYPES >>> type) & 1)) return false;
  }
  return true;
}
