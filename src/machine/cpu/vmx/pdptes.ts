// The four PDPTEs of a guest or host that pages with PAE, as VM entries and VM exits load them (SDM vol. 3 §26.3.1.6, §27.5.4).
import type { Cpu } from '../cpu.ts';
import { CR0_PG, CR4_PAE, HIGH_RESERVED, PDPTE_RESERVED, Pte } from '../page-walk.ts';

export const usesPae = (cpu: Cpu): boolean => (cpu.cr0 & CR0_PG) !== 0 && (cpu.cr4 & CR4_PAE) !== 0;

/** Takes four PDPTEs from consecutive double words, unless one that is present has reserved bits set. */
export function takePdptes(cpu: Cpu, word: (n: number) => number): boolean {
  for (let n = 0; n < 8; n += 2) {
    const low = word(n);
    if (low & Pte.present && (low & PDPTE_RESERVED || word(n + 1) & HIGH_RESERVED)) return false;
  }
  for (let n = 0; n < 8; n++) cpu.pdptes[n] = word(n);
  return true;
}

/** Takes those that CR3 names in machine memory, when PAE is on. False when they have reserved bits set. */
export function takeNamedPdptes(cpu: Cpu): boolean {
  if (!usesPae(cpu)) return true;
  const table = (cpu.cr3 & 0xffffffe0) >>> 0;
  return takePdptes(cpu, (n) => cpu.memory.read32(table + n * 4));
}
