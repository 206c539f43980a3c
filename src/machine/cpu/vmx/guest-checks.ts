// What VM entry demands of the guest state (SDM vol. 3 §26.3.1). A failure is not an error
// of the instruction: the entry begins, and ends at once with exit reason 80000021H (§26.7).
// Each check answers '' or a sentence that names the rule; `linkPointerOk` stands apart because its failure has exit qualification 4.
import { CS, LDTR, SS, TR } from '../../isa/instruction.ts';
import { IF, TF, VM } from '../flags.ts';
import { supported } from './capabilities.ts';
import { INFO_VALID, TYPE } from './exit-reasons.ts';
import { REVISION_IDENTIFIER } from './layout.ts';
import { NO_VMCS, type VmxState } from './state.ts';
import { W } from './words.ts';

const UNUSABLE = 0x10000;
/** Bits 11:8 and 31:17 of the access rights. */
const RESERVED_ACCESS = 0xfffe0f00;
/** Bits of RFLAGS that must be 0, and bit 1 that must be 1. */
const RFLAGS_ZERO = 0xffc08028;
/** IA32_DEBUGCTL: LBR, BTF, TR, BTS, BTINT. */
const DEBUGCTL_BITS = 0b1_1100_0011;
/** Interruptibility: bits 0 STI, 1 MOV SS, 3 NMI; SMI blocking (2) belongs to system-management mode. */
const BLOCKED_BY_STI = 1;
const BLOCKED_BY_MOV_SS = 2;
/** Type of CS as real mode leaves it in an unrestricted guest: accessed, writable data. */
const DATA_CODE = 3;
const CR0_PE = 1;
const CR0_PG = 0x80000000;
const NAMES = ['ES', 'CS', 'SS', 'DS', 'FS', 'GS', 'LDTR', 'TR'];

export function checkGuestState(vmx: VmxState): string {
  const { words: w, base: b, capabilities: can } = vmx;
  const cr0 = w[b + W.cr0];
  if (!supported(vmx.fixed(cr0), can.cr0))
    return 'guest CR0 has a bit that VMX operation does not support (PE, NE and PG must be 1)';
  if (!supported(w[b + W.cr4], can.cr4)) return 'guest CR4 has a bit that VMX operation does not support';
  if (w[b + W.debugctl] & ~DEBUGCTL_BITS || w[b + W.debugctl + 1])
    return 'guest IA32_DEBUGCTL has reserved bits set';
  if (cr0 & CR0_PG && !(cr0 & CR0_PE)) return 'guest CR0: PG without PE';
  const flags = w[b + W.rflags];
  if (flags & VM && !(cr0 & CR0_PE)) return 'guest RFLAGS.VM is 1 in real mode';
  if (flags & RFLAGS_ZERO || !(flags & 2)) return 'guest RFLAGS has reserved bits set wrongly';
  if ((w[b + W.gdtrLimit] | w[b + W.idtrLimit]) & 0xffff0000)
    return 'a descriptor-table limit has more than 16 bits';
  return (
    (flags & VM ? checkVirtual8086(w, b) : checkSegments(w, b, vmx.unrestricted)) ||
    checkSystemSegments(w, b) ||
    checkNonRegister(vmx, flags)
  );
}

/** The part that can change from entry to entry although nobody has written to the guest's area: `checkGuestState` has passed before. */
export function checkEventState(vmx: VmxState): string {
  return checkNonRegister(vmx, vmx.words[vmx.base + W.rflags]);
}

/** §26.3.1.2 for a virtual-8086 guest: everything is fixed but the selectors. */
function checkVirtual8086(w: Int32Array, b: number): string {
  for (let n = 0; n < 6; n++) {
    if (w[b + W.base + n] !== w[b + W.selector + n] << 4)
      return `guest ${NAMES[n]}: in virtual-8086 mode the base is selector * 16`;
    if (w[b + W.limit + n] !== 0xffff) return `guest ${NAMES[n]}: in virtual-8086 mode the limit is FFFFH`;
    if (w[b + W.access + n] !== 0xf3)
      return `guest ${NAMES[n]}: in virtual-8086 mode the access rights are F3H`;
  }
  return '';
}

function checkSegments(w: Int32Array, b: number, unrestricted: boolean): string {
  const ssDpl = (w[b + W.access + SS] >>> 5) & 3;
  const ssRpl = w[b + W.selector + SS] & 3;
  // A guest that has just left real mode has selectors that were never checked.
  if (!unrestricted) {
    if (ssRpl !== (w[b + W.selector + CS] & 3)) return 'guest SS: its RPL differs from that of CS';
    if (ssDpl !== ssRpl) return 'guest SS: its DPL differs from its RPL';
  } else if (ssDpl !== 0 && ((w[b + W.access + CS] & 15) === DATA_CODE || !(w[b + W.cr0] & CR0_PE)))
    return 'guest SS: its DPL is not 0 in real mode';
  for (let n = 0; n < 6; n++) {
    const access = w[b + W.access + n];
    if (n !== CS && access & UNUSABLE) continue;
    const type = access & 15;
    const dpl = (access >>> 5) & 3;
    if ((access & 0x90) !== 0x90) return `guest ${NAMES[n]}: not a present code or data segment`;
    if (n === CS) {
      const data = unrestricted && type === DATA_CODE;
      if ((type & 9) !== 9 && !data) return 'guest CS: the type is not accessed code';
      if (data ? dpl !== 0 : type < 12 ? dpl !== ssDpl : dpl > ssDpl)
        return 'guest CS: its DPL does not fit the DPL of SS';
    } else if (n === SS) {
      if (type !== 3 && type !== 7) return 'guest SS: the type is not accessed, writable data';
    } else {
      if (!(type & 1)) return `guest ${NAMES[n]}: the type is not accessed`;
      if ((type & 10) === 8) return `guest ${NAMES[n]}: the type is code that cannot be read`;
      if (!unrestricted && type < 12 && dpl < (w[b + W.selector + n] & 3))
        return `guest ${NAMES[n]}: its RPL is greater than its DPL`;
    }
    if (!wellFormed(access, w[b + W.limit + n]))
      return `guest ${NAMES[n]}: reserved access-rights bits, or a limit that granularity cannot express`;
  }
  return '';
}

function checkSystemSegments(w: Int32Array, b: number): string {
  const tr = w[b + W.access + TR];
  if (tr & UNUSABLE) return 'guest TR is unusable';
  if (w[b + W.selector + TR] & 4) return 'guest TR: the TI flag is set';
  if ((tr & 15) !== 3 && (tr & 15) !== 11) return 'guest TR: the type is not a busy TSS';
  if ((tr & 0x90) !== 0x80) return 'guest TR: not a present system segment';
  if (!wellFormed(tr, w[b + W.limit + TR]))
    return 'guest TR: reserved access-rights bits, or a limit that granularity cannot express';
  const ldtr = w[b + W.access + LDTR];
  if (ldtr & UNUSABLE) return '';
  if (w[b + W.selector + LDTR] & 4) return 'guest LDTR: the TI flag is set';
  if ((ldtr & 0x9f) !== 0x82) return 'guest LDTR: not a present LDT';
  if (!wellFormed(ldtr, w[b + W.limit + LDTR]))
    return 'guest LDTR: reserved access-rights bits, or a limit that granularity cannot express';
  return '';
}

/** Reserved bits, and granularity against the limit: byte granularity ends below 1 MiB, page granularity ends a page. */
function wellFormed(access: number, limit: number): boolean {
  if (access & RESERVED_ACCESS) return false;
  if ((limit & 0xfff) !== 0xfff && access & 0x8000) return false;
  return (limit & 0xfff00000) === 0 || (access & 0x8000) !== 0;
}

/** §26.3.1.4 (the VM and IF flags), §26.3.1.5: activity, interruptibility, pending debug exceptions. */
function checkNonRegister(vmx: VmxState, flags: number): string {
  const { words: w, base: b } = vmx;
  const info = w[b + W.entryInfo];
  const injects = (info & INFO_VALID) !== 0;
  const type = (info >>> 8) & 7;
  const vector = info & 0xff;
  const activity = w[b + W.activity];
  const blocking = w[b + W.interruptibility];
  if (injects && type === TYPE.externalInterrupt && !(flags & IF))
    return 'an external interrupt is injected while RFLAGS.IF is 0';
  if (activity !== 0 && (activity >>> 0 > 3 || !((vmx.capabilities.activityStates >>> (activity - 1)) & 1)))
    return 'the activity state is not supported';
  if (activity === 1 && (w[b + W.access + SS] >>> 5) & 3) return 'HLT activity with an SS.DPL other than 0';
  if (activity !== 0 && blocking & (BLOCKED_BY_STI | BLOCKED_BY_MOV_SS))
    return 'blocking by STI or MOV SS while not active';
  if (injects && activity !== 0 && !wakes(activity, type, vector))
    return 'the injected event cannot reach a processor in this activity state';
  if (blocking & 0xfffffff0) return 'interruptibility has reserved bits set';
  if ((blocking & 3) === 3) return 'blocking by both STI and MOV SS';
  if (blocking & BLOCKED_BY_STI && !(flags & IF)) return 'blocking by STI while RFLAGS.IF is 0';
  if (injects && type === TYPE.externalInterrupt && blocking & 3)
    return 'an external interrupt is injected under blocking by STI or MOV SS';
  if (injects && type === TYPE.nmi && blocking & BLOCKED_BY_MOV_SS)
    return 'an NMI is injected under blocking by MOV SS';
  if (blocking & 4) return 'blocking by SMI outside system-management mode';
  return checkPendingDebug(w, b, flags, blocking, activity);
}

/** Which injected events end the HLT (1) and shutdown (2) states. */
function wakes(activity: number, type: number, vector: number): boolean {
  if (type === TYPE.nmi) return true;
  if (type === TYPE.hardwareException) return vector === 18 || (activity === 1 && vector === 1);
  return activity === 1 && type === TYPE.externalInterrupt;
}

function checkPendingDebug(
  w: Int32Array,
  b: number,
  flags: number,
  blocking: number,
  activity: number,
): string {
  const pending = w[b + W.pendingDebug];
  // Bits 3:0 matched breakpoints, 12 enabled breakpoint, 14 single step.
  if (pending & ~0x500f) return 'pending debug exceptions has reserved bits set';
  if (!(blocking & 3) && activity !== 1) return '';
  const singleStep = (flags & TF) !== 0 && !(w[b + W.debugctl] & 2);
  if (singleStep !== ((pending & 0x4000) !== 0))
    return 'pending debug exceptions: bit BS does not agree with RFLAGS.TF';
  return '';
}

/** The VMCS link pointer is all ones, or names another region with our revision identifier. */
export function linkPointerOk(vmx: VmxState): boolean {
  const { words: w, base: b } = vmx;
  const low = w[b + W.linkPointer];
  const high = w[b + W.linkPointer + 1];
  if (low === NO_VMCS && high === NO_VMCS) return true;
  return (
    high === 0 &&
    (low & 0xfff) === 0 &&
    low !== vmx.current &&
    vmx.cpu.memory.read32(low >>> 0) === REVISION_IDENTIFIER
  );
}
