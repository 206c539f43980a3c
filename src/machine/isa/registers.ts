// Register names by encoded number, as NASM writes them (SDM vol. 2 tables 2-1 and 3-1).

export const REGISTERS_8: readonly string[] = ['al', 'cl', 'dl', 'bl', 'ah', 'ch', 'dh', 'bh'];
export const REGISTERS_16: readonly string[] = ['ax', 'cx', 'dx', 'bx', 'sp', 'bp', 'si', 'di'];
export const REGISTERS_32: readonly string[] = ['eax', 'ecx', 'edx', 'ebx', 'esp', 'ebp', 'esi', 'edi'];
export const X87_REGISTERS: readonly string[] = ['st0', 'st1', 'st2', 'st3', 'st4', 'st5', 'st6', 'st7'];
export const MMX_REGISTERS: readonly string[] = ['mm0', 'mm1', 'mm2', 'mm3', 'mm4', 'mm5', 'mm6', 'mm7'];
export const XMM_REGISTERS: readonly string[] = MMX_REGISTERS.map((name) => `x${name}`);
export const SEGMENT_REGISTERS: readonly string[] = ['es', 'cs', 'ss', 'ds', 'fs', 'gs'];
/** CR1 and CR5..CR7 do not exist; index = number. */
export const CONTROL_REGISTERS: readonly string[] = ['cr0', 'cr1', 'cr2', 'cr3', 'cr4', 'cr5', 'cr6', 'cr7'];
export const DEBUG_REGISTERS: readonly string[] = ['dr0', 'dr1', 'dr2', 'dr3', 'dr4', 'dr5', 'dr6', 'dr7'];
