// What this processor's VMX can do, as its capability MSRs report it (SDM vol. 3 app. A): VT-x as it was from 2005 to
// 2007. No secondary controls, so no EPT, VPID or unrestricted guest; no virtual NMIs, TPR shadow or monitor trap flag;
// and CR3 loads and stores always exit, because their controls are in the default-1 class. (2008: second-generation.ts.)
import { REVISION_IDENTIFIER, VMCS_SIZE } from './layout.ts';

/** Pin-based VM-execution controls. */
export const PIN = { externalInterrupt: 1 << 0, nmi: 1 << 3, virtualNmis: 1 << 5 } as const;

/** Primary processor-based VM-execution controls. */
export const PROC = {
  interruptWindow: 1 << 2,
  tscOffset: 1 << 3,
  hlt: 1 << 7,
  invlpg: 1 << 9,
  mwait: 1 << 10,
  rdpmc: 1 << 11,
  rdtsc: 1 << 12,
  cr3Load: 1 << 15,
  cr3Store: 1 << 16,
  nmiWindow: 1 << 22,
  movDr: 1 << 23,
  unconditionalIo: 1 << 24,
  ioBitmaps: 1 << 25,
  msrBitmaps: 1 << 28,
  monitor: 1 << 29,
  pause: 1 << 30,
  /** The secondary controls count (second generation). */
  secondary: 1 << 31,
} as const;

/** VM-exit controls that are not fixed. */
export const EXIT_CONTROL = { acknowledgeInterrupt: 1 << 15 } as const;

/** A control word: bits that must be 1, bits that may be 1. */
export interface ControlCapability {
  readonly required: number;
  readonly allowed: number;
}

/** As int32, so that comparing with the result of a bitwise AND is comparing like with like. */
export const control = (required: number, optional: number): ControlCapability => ({
  required: required | 0,
  allowed: required | optional,
});
export const all = (bits: Readonly<Record<string, number>>, ...without: number[]): number =>
  Object.values(bits).reduce((sum, bit) => (without.includes(bit) ? sum : sum | bit), 0);

/** What one generation of VT-x supports; the silicon's checks and its capability MSRs both read it. */
export interface VmxCapabilities {
  readonly generation: 1 | 2;
  readonly pin: ControlCapability;
  readonly proc: ControlCapability;
  readonly secondary: ControlCapability;
  readonly exit: ControlCapability;
  readonly entry: ControlCapability;
  /** CR0 and CR4 in VMX operation: bits that must be 1, bits that may be 1. */
  readonly cr0: ControlCapability;
  readonly cr4: ControlCapability;
  readonly cr3Targets: number;
  /** Activity states besides `active`: bit 0 HLT, 1 shutdown, 2 wait-for-SIPI. */
  readonly activityStates: number;
}

/** 2005–2007. The default-1 words are the ones Xen 3.0 knew by heart (facts §5.4). */
export const FIRST_GENERATION: VmxCapabilities = {
  generation: 1,
  pin: control(0x16, all(PIN, PIN.virtualNmis)),
  proc: control(0x0401e172, all(PROC, PROC.nmiWindow, PROC.secondary)),
  secondary: control(0, 0),
  exit: control(0x36dff, all(EXIT_CONTROL)),
  entry: control(0x11ff, 0),
  // PE, NE and PG must be 1 (SDM vol. 3 app. A.7): the guest cannot be in real mode nor run without paging.
  cr0: control(0x80000021, 0x7fffffff),
  // VMXE must be 1; TSD DE PSE PAE PGE PCE OSFXSR OSXMMEXCPT may be. What CPUID does not announce (VME, MCE …) may not.
  cr4: control(0x2000, 0x7bc),
  cr3Targets: 4,
  activityStates: 0b011,
};

/** MSR numbers of app. A, and of IA32_FEATURE_CONTROL. */
export const VMX_MSR = {
  featureControl: 0x3a,
  basic: 0x480,
  pin: 0x481,
  proc: 0x482,
  exit: 0x483,
  entry: 0x484,
  misc: 0x485,
  cr0Fixed0: 0x486,
  cr0Fixed1: 0x487,
  cr4Fixed0: 0x488,
  cr4Fixed1: 0x489,
  vmcsEnum: 0x48a,
} as const;

/** Highest 9-bit field index of the first generation's VMCS (natural-width guest field 6826H). */
const HIGHEST_FIELD_INDEX = 0x13;

export const unsigned = (value: number): bigint => BigInt(value >>> 0);
export const word = (c: ControlCapability): bigint => unsigned(c.required) | (unsigned(c.allowed) << 32n);

/** The read-only capability MSRs 480H–48AH: what RDMSR returns. */
export function capabilityMsrs(c: VmxCapabilities = FIRST_GENERATION): ReadonlyMap<number, bigint> {
  // Bit 48: VMX structures lie below 4 GiB. 53:50: write-back memory. 54: no instruction information for INS/OUTS.
  const basic = unsigned(REVISION_IDENTIFIER) | (BigInt(VMCS_SIZE) << 32n) | (1n << 48n) | (6n << 50n);
  // 8:6 activity states, 24:16 CR3-target values.
  const misc = (BigInt(c.activityStates) << 6n) | (BigInt(c.cr3Targets) << 16n);
  return new Map([
    [VMX_MSR.basic, basic],
    [VMX_MSR.pin, word(c.pin)],
    [VMX_MSR.proc, word(c.proc)],
    [VMX_MSR.exit, word(c.exit)],
    [VMX_MSR.entry, word(c.entry)],
    [VMX_MSR.misc, misc],
    [VMX_MSR.cr0Fixed0, unsigned(c.cr0.required)],
    [VMX_MSR.cr0Fixed1, unsigned(c.cr0.allowed)],
    [VMX_MSR.cr4Fixed0, unsigned(c.cr4.required)],
    [VMX_MSR.cr4Fixed1, unsigned(c.cr4.allowed)],
    [VMX_MSR.vmcsEnum, BigInt(HIGHEST_FIELD_INDEX << 1)],
  ]);
}

/** Lock bit and "enable VMXON outside SMX operation" of IA32_FEATURE_CONTROL: what firmware sets at power-on. */
export const FEATURE_CONTROL_LOCK = 1n;
export const FEATURE_CONTROL_VMXON = 4n;

/** True when every bit of a control word or control register is one that this processor supports. */
export const supported = (value: number, c: ControlCapability): boolean =>
  (value & c.required) === c.required && (value & ~c.allowed) === 0;
