// What CPUID tells an unmodified guest with hardware assistance: this processor, without the means to virtualize it, and
// without PAE where the hypervisor's part for tables of three levels is not there.
import type { Cpu } from '../../machine/cpu/cpu.ts';
import { type Identification, cpuid as identify } from '../../machine/cpu/cpuid.ts';

const FEATURE_VMX = 1 << 5;
const FEATURE_PAE = 1 << 6;
/** SVM and SKINIT. */
const EXTENDED_SVM = (1 << 2) | (1 << 12);
const EXTENDED = 0x80000000;
const SVM_LEAF = 0x8000000a;
/** Highest extended leaf that a guest is told of: that of the address sizes. */
const HIGHEST = 0x80000008 | 0;

/** The four registers. @param pae the guest's tables may have three levels */
export function identifyForGuest(cpu: Cpu, leaf: number, pae: boolean): Identification {
  const answer = identify(cpu, leaf);
  if (leaf === EXTENDED) return { ...answer, eax: HIGHEST };
  if (leaf === SVM_LEAF) return { eax: 0, ebx: 0, ecx: 0, edx: 0 };
  if (leaf === EXTENDED + 1) return { ...answer, ecx: answer.ecx & ~EXTENDED_SVM };
  if (leaf !== 1) return answer;
  return {
    ...answer,
    ecx: answer.ecx & ~FEATURE_VMX,
    edx: pae ? answer.edx : answer.edx & ~FEATURE_PAE,
  };
}
