// Which bits of CR0, CR3 and CR4 the processor of an unmodified guest has (what CPUID announces), and which values it refuses
// (SDM vol. 3 §2.5, vol. 2 "MOV—Move to/from Control Registers").

/** PE MP EM TS ET NE WP AM NW CD PG; writes to other bits are ignored. */
export const CR0_KNOWN = 0xe005003f;
/** TSD DE PSE PGE PCE OSFXSR OSXMMEXCPT; a write of another bit is #GP(0). */
export const CR4_KNOWN = 0x79c;
export const CR4_PAE = 0x20;

const PE = 1;
const ET = 0x10;
const NW = 0x20000000;
const CD = 0x40000000;
const PG = 0x80000000;
/** PE MP EM TS. */
const LMSW_BITS = 0xf;

/** What CR0 becomes, or null for #GP(0): paging without protection, or NW without CD. */
export function cr0Value(wanted: number): number | null {
  const value = (wanted & CR0_KNOWN) | ET;
  return (value & PG && !(value & PE)) || (value & NW && !(value & CD)) ? null : value;
}

/** CR0 that LMSW asks for: it reaches PE, MP, EM, TS and cannot clear PE. */
export const lmswValue = (cr0: number, source: number): number =>
  (cr0 & ~(LMSW_BITS & ~PE)) | (source & LMSW_BITS);

/** What CR3 becomes: PWT and PCD exist beside the address, which with PAE is that of 32 bytes. */
export const cr3Value = (value: number, cr4: number): number =>
  value & ((cr4 & CR4_PAE ? 0xffffffe0 : 0xfffff000) | 0x18);

/** Whether CR4 may be written with this value. @param pae the guest may have tables of three levels */
export const cr4Allowed = (value: number, pae: boolean): boolean =>
  (value & ~(CR4_KNOWN | (pae ? CR4_PAE : 0))) === 0;
