// CPUID (SDM vol. 2A): the truth about this processor. The vendor is our own; family, features and the brand string say
// what is really there, so that software which asks before it uses never meets a missing feature.
import type { Cpu } from './cpu.ts';
import { hasNestedPaging } from './msrs.ts';

/** The four registers that CPUID fills, as int32. */
export interface Identification {
  eax: number;
  ebx: number;
  ecx: number;
  edx: number;
}

/** Twelve characters, in EBX EDX ECX of leaf 0. */
export const VENDOR = 'RingsideIA32';
/** Family 6, model 1, stepping 9: a Pentium Pro as far as instructions go. Also what EDX holds after reset. */
export const SIGNATURE = 0x619;

/** FPU DE PSE TSC MSR PAE CX8 SEP PGE CMOV CLFSH MMX FXSR SSE SSE2. No VME, MCE, MTRR. */
const FEATURES =
  (1 << 0) |
  (1 << 2) |
  (1 << 3) |
  (1 << 4) |
  (1 << 5) |
  (1 << 6) |
  (1 << 8) |
  (1 << 11) |
  (1 << 13) |
  (1 << 15) |
  (1 << 19) |
  (1 << 23) |
  (1 << 24) |
  (1 << 25) |
  (1 << 26);
/** EBX 15:8: what CLFLUSH works on, in eight-byte units. */
const CLFLUSH_LINE = 8 << 8;
/** Only where the machine has one, and while MSR 1Bh leaves it on. */
const FEATURE_APIC = 1 << 9;
const FEATURE_VMX = 1 << 5;

const HIGHEST_BASIC = 1;
const EXTENDED = 0x80000000;
const HIGHEST_EXTENDED = 0x8000000a;
/** SVM and SKINIT in ECX of leaf 8000_0001h; NPT, SVML and NRIPS in EDX of leaf 8000_000Ah (APM vol. 3 app. E). */
const FEATURE_SVM = (1 << 2) | (1 << 12);
const NESTED_PAGING_GENERATION = 0xd;
const ADDRESS_SPACES = 64;
/** Physical addresses of 36 bits, linear ones of 32. */
const ADDRESS_BITS = 0x2024;
const MSR_VMX_BASIC = 0x480;

/** What CPUID answers. @param leaf EAX, uint32; beyond the highest leaf the highest basic one answers, as on Intel's */
export function cpuid(cpu: Cpu, leaf: number): Identification {
  if (leaf === 0)
    return { eax: HIGHEST_BASIC, ebx: word(VENDOR, 0), edx: word(VENDOR, 4), ecx: word(VENDOR, 8) };
  if (leaf >= EXTENDED && leaf <= HIGHEST_EXTENDED) {
    const n = leaf - EXTENDED;
    if (n === 0) return { eax: HIGHEST_EXTENDED | 0, ebx: 0, ecx: 0, edx: 0 };
    if (n === 1) return { eax: 0, ebx: 0, ecx: FEATURE_SVM, edx: 0 };
    if (n === 8) return { eax: ADDRESS_BITS, ebx: 0, ecx: 0, edx: 0 };
    if (n === 10) {
      const features = hasNestedPaging(cpu) ? NESTED_PAGING_GENERATION : 0;
      return { eax: 1, ebx: ADDRESS_SPACES, ecx: 0, edx: features };
    }
    if (n > 4) return { eax: 0, ebx: 0, ecx: 0, edx: 0 };
    const brand = `Ringside IA-32, costs of ${cpu.cost.name}`.padEnd(48, '\0');
    const at = (n - 2) * 16;
    return {
      eax: word(brand, at),
      ebx: word(brand, at + 4),
      ecx: word(brand, at + 8),
      edx: word(brand, at + 12),
    };
  }
  const { apic } = cpu;
  const edx = apic?.enabled ? FEATURES | FEATURE_APIC : FEATURES;
  return {
    eax: SIGNATURE,
    ebx: CLFLUSH_LINE | (apic ? apic.id << 24 : 0),
    ecx: cpu.msrs.has(MSR_VMX_BASIC) ? FEATURE_VMX : 0,
    edx,
  };
}

/** Four characters as a little-endian word. */
function word(text: string, at: number): number {
  let value = 0;
  for (let k = 3; k >= 0; k--) value = (value << 8) | (text.charCodeAt(at + k) & 0xff);
  return value;
}
