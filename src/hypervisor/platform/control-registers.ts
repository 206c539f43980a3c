// Which bits of CR0 and CR4 the processor of an unmodified guest has: what CPUID announces (SDM vol. 3 §2.5).

/** PE MP EM TS ET NE WP AM NW CD PG; writes to other bits are ignored. */
export const CR0_KNOWN = 0xe005003f;
/** TSD DE PSE PGE PCE OSFXSR OSXMMEXCPT; a write of another bit is #GP(0). */
export const CR4_KNOWN = 0x79c;
