// Names of exit reasons, by whose numbers they are. VMX: SDM vol. 3 app. C, spelled as in Linux's and Xen's headers
// (perf kvm stat prints them so). Xen: the IDT vector of the monitor that was reached.
import { type TraceEvent, Vendor } from './events.ts';

/** What tells exits whose technique is loaded when somebody wants it. */
export interface ExitVocabulary {
  name(reason: number): string;
  /** The exit in words, without time and place. */
  text(e: TraceEvent): string;
}
/** By vendor. */
export const vocabularies: Partial<Record<number, ExitVocabulary>> = {};

const VMX: Record<number, string> = {
  0: 'EXCEPTION_NMI',
  1: 'EXTERNAL_INTERRUPT',
  2: 'TRIPLE_FAULT',
  3: 'INIT',
  4: 'SIPI',
  7: 'INTERRUPT_WINDOW',
  8: 'NMI_WINDOW',
  9: 'TASK_SWITCH',
  10: 'CPUID',
  11: 'GETSEC',
  12: 'HLT',
  13: 'INVD',
  14: 'INVLPG',
  15: 'RDPMC',
  16: 'RDTSC',
  17: 'RSM',
  18: 'VMCALL',
  19: 'VMCLEAR',
  20: 'VMLAUNCH',
  21: 'VMPTRLD',
  22: 'VMPTRST',
  23: 'VMREAD',
  24: 'VMRESUME',
  25: 'VMWRITE',
  26: 'VMXOFF',
  27: 'VMXON',
  28: 'CR_ACCESS',
  29: 'DR_ACCESS',
  30: 'IO_INSTRUCTION',
  31: 'MSR_READ',
  32: 'MSR_WRITE',
  33: 'INVALID_GUEST_STATE',
  34: 'MSR_LOADING',
  36: 'MWAIT_INSTRUCTION',
  37: 'MONITOR_TRAP_FLAG',
  39: 'MONITOR_INSTRUCTION',
  40: 'PAUSE_INSTRUCTION',
  48: 'EPT_VIOLATION',
  49: 'EPT_MISCONFIG',
  54: 'WBINVD',
};

/** Ways out of the translation cache: an instruction that is the monitor's; code not yet translated; a jump to be patched; an address that the lookup table does not have. And SYSENTER of a program, which leads to the monitor. */
const TRANSLATION: Record<number, string> = {
  256: 'CALL_OUT',
  257: 'TRANSLATE',
  258: 'CHAIN',
  259: 'LOOKUP_MISS',
  260: 'INTERPRETED',
  261: 'SYSENTER',
};

/** Mnemonics of the exceptions (SDM vol. 3 table 6-1). */
export const EXCEPTIONS = [
  '#DE',
  '#DB',
  'NMI',
  '#BP',
  '#OF',
  '#BR',
  '#UD',
  '#NM',
  '#DF',
  'coprocessor overrun',
  '#TS',
  '#NP',
  '#SS',
  '#GP',
  '#PF',
  'reserved',
  '#MF',
  '#AC',
  '#MC',
  '#XF',
];

/** `#PF`, `IRQ 0`-less: the short name of a vector. */
export function vectorName(vector: number): string {
  return EXCEPTIONS[vector] ?? `vector ${vector.toString(16).toUpperCase().padStart(2, '0')}h`;
}

/** The name of an exit reason as tools print it. */
export function exitName(vendor: number, reason: number): string {
  const words = vocabularies[vendor];
  if (words) return words.name(reason);
  if (vendor === Vendor.vmx) return VMX[reason & 0xffff] ?? `REASON_${reason & 0xffff}`;
  if (reason === 0x82 && vendor === Vendor.xen) return 'HYPERCALL';
  if (vendor === Vendor.trap && reason in TRANSLATION) return TRANSLATION[reason];
  if (reason === 14) return 'PAGE_FAULT';
  if (reason === 13) return 'GENERAL_PROTECTION';
  if (reason >= 0x20 && reason < 0x30) return 'INTERRUPT';
  return reason < EXCEPTIONS.length
    ? `TRAP ${EXCEPTIONS[reason]}`
    : `INT_${reason.toString(16).toUpperCase()}h`;
}
