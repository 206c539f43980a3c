// A guest's VMCB: ordinary memory, so the hypervisor reads and writes it as words (APM vol. 2 app. B). And how a guest stands at
// its first instruction. Real mode needs nothing special: SVM runs it, with paging on beneath it if need be.
import type { EntryState } from '../../images/boot.ts';
import { SIGNATURE } from '../../machine/cpu/cpuid.ts';
import { SVME } from '../../machine/cpu/msrs.ts';
import { GENERAL1, GENERAL2 } from '../../machine/cpu/svm/exit-codes.ts';
import { SEGMENT_WORD, V, VINTR } from '../../machine/cpu/svm/layout.ts';
import type { PhysicalMemory } from '../../machine/memory/physical-memory.ts';
import { CR4_PAE } from '../platform/control-registers.ts';
import { ROM_BASE } from '../platform/firmware-boot.ts';
import type { SvmGuest } from './svm-guest.ts';

const PG = 0x80000000;
const WP = 0x10000;
const CACHE = 0x60000000;
/** CR4 bits that are the guest's as it sets them (TSD DE PCE OSFXSR OSXMMEXCPT); PSE, PAE and PGE concern its tables, which the processor never walks. */
const CR4_PASSED = 0x70c;
/** MP and TS, which the guest changes without asking (CR0_SEL_WRITE). */
export const CR0_GUESTS = 0xa;

/** #TS #NP #SS #GP #PF and #DF leave the guest: the one for shadow paging, the others so that a chain of faults can be told. */
export const EXCEPTIONS = (1 << 8) | (1 << 10) | (1 << 11) | (1 << 12) | (1 << 13) | (1 << 14);

const GENERAL1_ALWAYS =
  GENERAL1.interrupt |
  GENERAL1.nmi |
  GENERAL1.smi |
  GENERAL1.init |
  GENERAL1.cpuid |
  GENERAL1.invd |
  GENERAL1.hlt |
  GENERAL1.rdpmc |
  GENERAL1.invlpga |
  GENERAL1.ioio |
  GENERAL1.msr |
  GENERAL1.ferrFreeze |
  GENERAL1.shutdown;
/** While the guest's tables are shadowed; a task switch loads CR3 too. */
const GENERAL1_SHADOW = GENERAL1.cr0SelectiveWrite | GENERAL1.invlpg | GENERAL1.taskSwitch;
/** SVM of its own the guest has none. */
const GENERAL2_ALWAYS =
  GENERAL2.vmrun |
  GENERAL2.vmmcall |
  GENERAL2.vmload |
  GENERAL2.vmsave |
  GENERAL2.stgi |
  GENERAL2.clgi |
  GENERAL2.skinit |
  GENERAL2.monitor |
  GENERAL2.mwait;

/** Attributes as in the VMCB: 12 bits. */
const FLAT_CODE = 0xc9b;
const FLAT_DATA = 0xc93;
const REAL_CODE = 0x9b;
const REAL_DATA = 0x93;
const LDT = 0x82;
const BUSY_TSS = 0x8b;
const CS = 1;
const RESET_EIP = 0xfff0;
const LDTR = 6;
const TR = 7;
/** Types WB WT UC- UC, twice: what the PAT holds after reset. */
const PAT_AT_RESET = 0x00070406;

/** CR0 that the processor holds when the guest believes in `value`: paging always, write protection always, caches on. */
export const realCr0 = (value: number): number => (value & ~CACHE) | PG | WP;
/** CR4 likewise; PAE is 1 when its shadow tables have three levels. */
export const realCr4 = (value: number, wide = false): number => (value & CR4_PASSED) | (wide ? CR4_PAE : 0);

/** The VMCB as words: `V.x` names them. */
export class Vmcb {
  /** All of machine memory, and the index of the first word in it. */
  readonly words: Int32Array;
  readonly base: number;
  /** Registers that VMRUN and VMLOAD may skip have been written since the last exit: segments, tables, those of SYSENTER. */
  registersChanged = true;

  constructor(
    memory: PhysicalMemory,
    /** Machine address. */
    readonly machine: number,
  ) {
    this.words = new Int32Array(memory.bytes.buffer, memory.bytes.byteOffset, memory.size >> 2);
    this.base = machine >>> 2;
  }

  get(word: number): number {
    return this.words[this.base + word];
  }

  /** Stores the lower word of a field. */
  set(word: number, value: number): void {
    this.words[this.base + word] = value;
  }

  segment(n: number, selector: number, base: number, limit: number, attributes: number): void {
    const at = SEGMENT_WORD[n];
    this.set(at, selector | (attributes << 16));
    this.set(at + 1, limit);
    this.set(at + 2, base);
  }

  segmentBase(n: number): number {
    return this.get(SEGMENT_WORD[n] + 2) >>> 0;
  }
  segmentSelector(n: number): number {
    return this.get(SEGMENT_WORD[n]) & 0xffff;
  }
  /** Whether code is of 32 bits: D of CS. */
  get wideCode(): boolean {
    return (this.get(SEGMENT_WORD[CS]) & (0x400 << 16)) !== 0;
  }
  get cpl(): number {
    return this.get(V.cplWord) >>> 24;
  }
}

/** What may be asked of the technique. */
export interface SvmOptions {
  /** RDTSC leaves to the hypervisor, instead of reading the counter with an offset. */
  readonly rdtscExits?: boolean;
}

/** Fills in what leaves the guest and where the maps are. */
export function setUpControls(guest: SvmGuest, options: SvmOptions): void {
  const { vmcb: v, nested } = guest;
  guest.general1 =
    GENERAL1_ALWAYS | (nested ? 0 : GENERAL1_SHADOW) | (options.rdtscExits ? GENERAL1.rdtsc : 0);
  v.set(V.general1, guest.general1);
  v.set(V.general2, GENERAL2_ALWAYS);
  v.set(V.exceptions, nested ? EXCEPTIONS & ~(1 << 14) : EXCEPTIONS);
  v.set(V.iopm, guest.maps);
  v.set(V.msrpm, guest.maps + 0x3000);
  v.set(V.vintr, VINTR.masking);
  if (nested) {
    v.set(V.nestedPaging, 1);
    v.set(V.nestedCr3, nested.root);
    v.set(V.gPat, PAT_AT_RESET);
    v.set(V.gPat + 1, PAT_AT_RESET);
  }
  writeTscOffset(guest);
  v.set(V.efer, SVME);
  v.set(V.dr6, 0xffff0ff0 | 0);
  v.set(V.dr7, 0x400);
  v.set(V.rflags, 2);
}

/** The guest's time-stamp counter is the processor's plus `guest.tscOffset`. */
export function writeTscOffset({ vmcb, tscOffset }: SvmGuest): void {
  const offset = BigInt(Math.floor(tscOffset));
  vmcb.set(V.tscOffset, Number(BigInt.asIntN(32, offset)));
  vmcb.set(V.tscOffset + 1, Number(BigInt.asIntN(32, offset >> 32n)));
}

/**
 * CR0, CR3 and CR4 from what the guest believes. SVM has no read shadows: reads leave too, as long as the guest must not see
 * what the processor holds. Writes of CR0 leave by the selective intercept, which compares with what the processor holds:
 * good as long as that is what the guest believes; else every write leaves. For shadowed tables; with nested ones all three
 * are the guest's own.
 */
export function loadControlRegisters(guest: SvmGuest): void {
  const { vmcb: v } = guest;
  const { cr0, cr4 } = guest.control;
  v.set(V.cr0, realCr0(cr0));
  const real4 = realCr4(cr4, guest.shadowTables?.wide);
  v.set(V.cr4, real4);
  const cr0Differs = (realCr0(cr0) ^ cr0) & ~CR0_GUESTS ? 1 : 0;
  const reads = cr0Differs | (1 << 3) | (real4 !== cr4 ? 1 << 4 : 0);
  v.set(V.cr, reads | ((cr0Differs | (1 << 3) | (1 << 4)) << 16));
}

/** The state that a boot loader leaves: flat 32-bit segments, interrupts off, no paging. */
export function enterAtImage({ vmcb: v, vcpu }: SvmGuest, entry: EntryState): void {
  for (let n = 0; n < 6; n++)
    v.segment(n, n === CS ? entry.codeSelector : entry.dataSelector, 0, -1, n === CS ? FLAT_CODE : FLAT_DATA);
  v.segment(LDTR, 0, 0, 0xffff, 0);
  v.segment(TR, 0, 0, 0xffff, BUSY_TSS);
  v.set(V.gdtr + 1, entry.gdt.limit);
  v.set(V.gdtr + 2, entry.gdt.base);
  v.set(V.idtr + 1, 0x3ff);
  vcpu.regs.set([entry.eax, 0, entry.edx, entry.ebx, entry.esp, 0, entry.esi, 0]);
  vcpu.eip = entry.eip;
  v.set(V.rip, entry.eip);
}

/** The state after RESET: real mode, at the firmware's first instruction. */
export function enterAtReset({ vmcb: v, vcpu }: SvmGuest): void {
  for (let n = 0; n < 6; n++) v.segment(n, 0, 0, 0xffff, n === CS ? REAL_CODE : REAL_DATA);
  v.segment(CS, ROM_BASE >>> 4, ROM_BASE, 0xffff, REAL_CODE);
  v.segment(LDTR, 0, 0, 0xffff, LDT);
  v.segment(TR, 0, 0, 0xffff, BUSY_TSS);
  v.set(V.gdtr + 1, 0xffff);
  v.set(V.idtr + 1, 0xffff);
  vcpu.regs.fill(0);
  vcpu.regs[2] = SIGNATURE;
  vcpu.eip = RESET_EIP;
  v.set(V.rip, RESET_EIP);
}

/** Advances RIP; blocking by STI or MOV SS is over with the instruction. */
export function skipTo(guest: SvmGuest, eip: number): void {
  // In 16-bit code the instruction pointer wraps.
  guest.vmcb.set(V.rip, guest.vmcb.wideCode ? eip : eip & 0xffff);
  guest.vmcb.set(V.interruptShadow, 0);
}
