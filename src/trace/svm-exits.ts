// Exits of SVM in words: names as in Linux's svm.h, which perf kvm stat prints (APM vol. 2 app. C has the codes).
import type { TraceEvent } from './events.ts';
import { EXCEPTIONS, type ExitVocabulary, vectorName } from './exits.ts';

/** Codes 60h to 8Ch in their order. */
const FROM_60 =
  'interrupt nmi smi init vintr cr0_sel_write read_idtr read_gdtr read_ldtr read_tr write_idtr write_gdtr write_ldtr write_tr rdtsc rdpmc pushf popf cpuid rsm iret swint invd pause hlt invlpg invlpga io msr task_switch ferr_freeze shutdown vmrun hypercall vmload vmsave stgi clgi skinit rdtscp icebp wbinvd monitor mwait mwait_cond'.split(
    ' ',
  );
const REGISTERS = ['read_cr', 'write_cr', 'read_dr', 'write_dr'];

const INTERCEPT_PF = 0x4e;
const IOIO = 0x7b;
const MSR = 0x7c;
const NPF = 0x400;
const INVALID = -1;

function name(code: number): string {
  if (code === INVALID) return 'invalid_guest_state';
  if (code === NPF) return 'npf';
  if (code >= 0 && code < 0x40) return `${REGISTERS[code >> 4]}${code & 15}`;
  if (code >= 0x40 && code < 0x60) {
    const mnemonic = EXCEPTIONS[code - 0x40];
    return `${mnemonic?.startsWith('#') ? mnemonic.slice(1) : (code - 0x40).toString()} excp`;
  }
  return FROM_60[code - 0x60] ?? `exit_${(code >>> 0).toString(16)}h`;
}

const hex = (value: number): string => `${(value >>> 0).toString(16).toUpperCase()}h`;
const hex8 = (value: number): string => `${(value >>> 0).toString(16).toUpperCase().padStart(8, '0')}h`;

/** What the VMCB says beyond the code: EXITINFO1 is `b`, EXITINFO2 is `c`. */
function detail(e: TraceEvent): string {
  if (e.a === INTERCEPT_PF) return `: ${vectorName(14)} at ${hex8(e.c)}`;
  if (e.a >= 0x40 && e.a < 0x60) return `: ${vectorName(e.a - 0x40)}`;
  switch (e.a) {
    case IOIO:
      return `: ${e.b & 1 ? 'IN' : 'OUT'}${e.b & 4 ? 'S' : ''} port ${hex((e.b >>> 16) & 0xffff)}`;
    case MSR:
      return e.b & 1 ? ': WRMSR' : ': RDMSR';
    case NPF:
      return `: guest-physical ${hex8(e.c)}`;
    default:
      return '';
  }
}

export const SVM_WORDS: ExitVocabulary = {
  name,
  text: (e) => `#VMEXIT ${e.a < 0 ? '-1' : hex(e.a)} ${name(e.a)}${detail(e)}`,
};
