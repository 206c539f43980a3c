// What leaves an SVM guest (APM vol. 2 §15.7–15.14, §15.21), as the intercept vectors of its VMCB say. They are copied here at
// VMRUN: while the guest runs nobody can change them, and each look must be cheap. Without decode assists (2006) an exit
// says what happened and seldom to what: the instruction is for the hypervisor to read.
import { Attention, type Cpu } from '../cpu.ts';
import { fault, VECTOR } from '../fault.ts';
import { IF } from '../flags.ts';
import type { InterceptedInstruction, Intercepts } from '../intercepts.ts';
import { deliverEvent, EventType } from '../interrupts.ts';
import { peek } from '../paging.ts';
import { svmExit } from './exit.ts';
import { GENERAL1, INSTRUCTION_EXITS, SVM_EXIT } from './exit-codes.ts';
import { EVENT, EVENT_TYPE, V, VINTR } from './layout.ts';
import type { SvmState } from './state.ts';

/** MP and TS: what a selective intercept of CR0 writes lets through. */
const CR0_UNSELECTED = 0xa;
/** Instructions of the other vendor: the guest's processor is AMD's. */
const VMX_INSTRUCTIONS: ReadonlySet<string> = new Set(
  'vmcall vmclear vmlaunch vmptrld vmptrst vmread vmresume vmwrite vmxoff vmxon invept invvpid'.split(' '),
);
const OTHER_PREFIXES: ReadonlySet<number> = new Set([
  0x66, 0xf0, 0xf2, 0xf3, 0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65,
]);
/** Reads of CR3, and writes. */
const CR3_BOTH = (1 << 3) | (1 << 19);
const CODE_32 = 0x4000;
const CS = 1;

export class SvmIntercepts implements Intercepts {
  private cr = 0;
  private dr = 0;
  private exceptions = 0;
  private general1 = 0;
  private general2 = 0;
  private iopm = 0;
  private msrpm = 0;
  private offset = 0;
  private vintr = 0;
  /** EFLAGS.IF of the host at VMRUN: with V_INTR_MASKING it governs the real interrupts. */
  private hostIf = false;

  /** The event whose delivery through the guest's IDT is under way, in the format of EXITINTINFO; 0 = none. */
  vectoringInfo = 0;
  vectoringErrorCode = 0;
  /** RIP that goes with it when an instruction brought it about: of INT n, INT3 and INTO itself, behind INT1; else -1. */
  vectoringRip = -1;

  constructor(private readonly svm: SvmState) {}

  private get cpu(): Cpu {
    return this.svm.cpu;
  }

  /** Takes the controls from the VMCB. */
  load(hostIf: boolean): void {
    const { vmcb: w, base: b } = this.svm;
    this.cr = w[b + V.cr];
    this.dr = w[b + V.dr];
    this.exceptions = w[b + V.exceptions];
    this.general1 = w[b + V.general1];
    this.general2 = w[b + V.general2];
    this.iopm = page(w, b + V.iopm);
    this.msrpm = page(w, b + V.msrpm);
    this.offset = w[b + V.tscOffset + 1] * 2 ** 32 + (w[b + V.tscOffset] >>> 0);
    this.vintr = w[b + V.vintr];
    this.hostIf = hostIf;
    this.vectoringInfo = 0;
  }

  /** Writes back what the guest may have changed: whether the virtual interrupt still waits. */
  store(): void {
    const { vmcb: w, base: b } = this.svm;
    w[b + V.vintr] = this.vintr;
  }

  /** Leaves because of the instruction being executed. */
  private exit(code: number, info1 = 0, info2 = 0): true {
    const { cpu } = this;
    svmExit(cpu, code, cpu.instructionStart, cpu.eip, info1, info2);
    return true;
  }

  instruction(which: InterceptedInstruction): boolean {
    const row = INSTRUCTION_EXITS[which];
    if (row === undefined) {
      if (VMX_INSTRUCTIONS.has(which)) fault(this.cpu, VECTOR.UD);
      return false;
    }
    if (!((row[0] === 1 ? this.general1 : this.general2) & row[1])) return false;
    return this.exit(row[2]);
  }

  crWrite(cr: number, value: number): boolean {
    if ((this.cr >>> (16 + cr)) & 1) return this.exit(SVM_EXIT.crWrite + cr);
    if (cr !== 0 || !(this.general1 & GENERAL1.cr0SelectiveWrite)) return false;
    return (value ^ this.cpu.cr0) & ~CR0_UNSELECTED ? this.exit(SVM_EXIT.cr0SelectiveWrite) : false;
  }

  crRead(cr: number): boolean {
    return (this.cr >>> cr) & 1 ? this.exit(SVM_EXIT.crRead + cr) : false;
  }

  pagesFreely(): boolean {
    return !(this.cr & CR3_BOTH) && !(this.general1 & GENERAL1.invlpg);
  }

  readsCr2Freely(): boolean {
    return ((this.cr >>> 2) & 1) === 0;
  }

  /** No control takes them, and no virtual interrupt waits for IF. */
  transfersFreely(): boolean {
    return !(this.general1 & (GENERAL1.iret | GENERAL1.softwareInterrupt)) && !(this.vintr & VINTR.irq);
  }

  clts(): boolean {
    return (this.cr >>> 16) & 1 ? this.exit(SVM_EXIT.crWrite) : false;
  }

  /** A selective intercept takes LMSW whatever it would change (§15.9). */
  lmsw(): boolean {
    if ((this.cr >>> 16) & 1) return this.exit(SVM_EXIT.crWrite);
    return this.general1 & GENERAL1.cr0SelectiveWrite ? this.exit(SVM_EXIT.cr0SelectiveWrite) : false;
  }

  /** There are no read shadows: what the guest reads is what the processor has. */
  readCr(cr: 0 | 4): number {
    return cr === 0 ? this.cpu.cr0 : this.cpu.cr4;
  }

  maskCr(_cr: 0 | 4, value: number): number {
    return value;
  }

  drAccess(dr: number, write: boolean): boolean {
    if (!((this.dr >>> (write ? 16 + dr : dr)) & 1)) return false;
    return this.exit((write ? SVM_EXIT.drWrite : SVM_EXIT.drRead) + dr);
  }

  io(port: number, size: 1 | 2 | 4, input: boolean, string: boolean, rep: boolean): boolean {
    if (!(this.general1 & GENERAL1.ioio) || !this.ioHit(port, size)) return false;
    const kind = (input ? 1 : 0) | (string ? 4 : 0) | (rep ? 8 : 0) | (size << 4);
    return this.exit(
      SVM_EXIT.ioio,
      kind | (this.wideAddresses() ? 0x100 : 0x80) | (port << 16),
      this.cpu.eip,
    );
  }

  /** One bit a port; the map goes on for three bits, for accesses that run past FFFFh. */
  private ioHit(port: number, size: number): boolean {
    for (let p = port; p < port + size; p++)
      if ((this.cpu.memory.read8(this.iopm + (p >>> 3)) >>> (p & 7)) & 1) return true;
    return false;
  }

  /** Address size of the instruction being executed: that of its code segment, unless it has a prefix 67h. */
  private wideAddresses(): boolean {
    const { cpu } = this;
    const code = cpu.segments[CS];
    const wide = (code.access & CODE_32) !== 0;
    for (let at = cpu.instructionStart; at < cpu.eip; at++) {
      const linear = (code.base + at) >>> 0;
      // It has just been fetched, so the processor knows where from.
      const known = cpu.tlb.codeOf(linear >>> 12);
      const physical = known === -1 ? peek(cpu, linear) : ((known & 0xfffff000) | (linear & 0xfff)) >>> 0;
      const byte = physical < 0 ? 0 : cpu.memory.read8(physical);
      if (byte === 0x67) return !wide;
      if (!OTHER_PREFIXES.has(byte)) break;
    }
    return wide;
  }

  msr(index: number, write: boolean): boolean {
    if (!(this.general1 & GENERAL1.msr) || !this.msrHit(index >>> 0, write)) return false;
    return this.exit(SVM_EXIT.msr, write ? 1 : 0);
  }

  /** Two bits a register, read and write, in three maps of 2 KiB (§15.11); what is in none of them always leaves. */
  private msrHit(index: number, write: boolean): boolean {
    const map =
      index < 0x2000
        ? 0
        : index >>> 13 === 0xc0000000 >>> 13
          ? 1
          : index >>> 13 === 0xc0010000 >>> 13
            ? 2
            : -1;
    if (map < 0) return true;
    const bit = (index & 0x1fff) * 2 + (write ? 1 : 0);
    return ((this.cpu.memory.read8(this.msrpm + map * 2048 + (bit >>> 3)) >>> (bit & 7)) & 1) === 1;
  }

  exception(vector: number, errorCode: number, cr2: number): boolean {
    // A double fault is an event of its own, not one that another's delivery met.
    if (vector === VECTOR.DF) this.vectoringInfo = 0;
    if (!((this.exceptions >>> vector) & 1)) return false;
    const { cpu } = this;
    // Unlike in VMX, DR6 is up to date when #DB leaves (§15.12.2).
    if (vector === VECTOR.DB) cpu.dr[6] |= cpu.pendingDebug & 0xe00f;
    const byInstruction = (vector === VECTOR.BP || vector === VECTOR.OF) && cpu.eip !== cpu.instructionStart;
    const isPageFault = vector === VECTOR.PF;
    svmExit(
      cpu,
      SVM_EXIT.exception + vector,
      byInstruction ? cpu.instructionStart : cpu.eip,
      byInstruction ? cpu.eip : 0,
      Math.max(errorCode, 0),
      isPageFault ? cr2 : 0,
    );
    return true;
  }

  /** Real interrupts: by the host's IF when V_INTR_MASKING is set, else by the guest's. */
  acceptsInterrupt(open: boolean): boolean {
    return this.vintr & VINTR.masking ? this.hostIf : open;
  }

  /** The interrupt stays pending: the host takes it after STGI (§15.13.1). */
  externalInterrupt(): boolean {
    const { cpu } = this;
    if (!(this.general1 & GENERAL1.interrupt)) return false;
    if (!this.acceptsInterrupt((cpu.flags & IF) !== 0 && cpu.shadow === 0)) return false;
    svmExit(cpu, SVM_EXIT.interrupt, cpu.eip);
    return true;
  }

  nmi(): boolean {
    if (!(this.general1 & GENERAL1.nmi)) return false;
    svmExit(this.cpu, SVM_EXIT.nmi, this.cpu.eip);
    return true;
  }

  /** The virtual interrupt of the VMCB (§15.21.4): through the guest's IDT, or out when VINTR is intercepted. Real ones go first. */
  window(): boolean {
    const { cpu, vintr } = this;
    if (!(vintr & VINTR.irq) || !(cpu.flags & IF) || cpu.shadow !== 0) return false;
    const priority = (vintr & VINTR.priority) >>> 16;
    if (!(vintr & VINTR.ignoreTpr) && priority <= (vintr & 15)) return false;
    if (cpu.interrupts.pending() && this.acceptsInterrupt(true)) return false;
    if (this.general1 & GENERAL1.virtualInterrupt) {
      svmExit(cpu, SVM_EXIT.virtualInterrupt, cpu.eip);
      return true;
    }
    this.vintr &= ~VINTR.irq;
    cpu.halted = false;
    const { vmcb: w, base: b } = this.svm;
    deliverEvent(cpu, w[b + V.vintr + 1] & 0xff, EventType.external, -1, cpu.eip);
    cpu.attention |= Attention.event;
    return true;
  }

  taskSwitch(selector: number, source: 0 | 1 | 2 | 3): boolean {
    if (!(this.general1 & GENERAL1.taskSwitch)) return false;
    const { cpu } = this;
    const { vectoringInfo } = this;
    const hasErrorCode = source === 3 && (vectoringInfo & EVENT.errorCode) !== 0;
    // Bits 36, 38, 44 and 48 of EXITINFO2: IRET, JMP, error code, RF.
    const how = (source === 1 ? 1 << 4 : 0) | (source === 2 ? 1 << 6 : 0) | (hasErrorCode ? 1 << 12 : 0);
    const resumed = cpu.flags & 0x10000;
    const rip = source === 3 ? cpu.eip : cpu.instructionStart;
    const code = hasErrorCode ? this.vectoringErrorCode : 0;
    svmExit(cpu, SVM_EXIT.taskSwitch, rip, 0, selector & 0xffff, code, how | resumed);
    return true;
  }

  tripleFault(): boolean {
    if (!(this.general1 & GENERAL1.shutdown)) return false;
    this.vectoringInfo = 0;
    svmExit(this.cpu, SVM_EXIT.shutdown, this.cpu.eip);
    return true;
  }

  tscOffset(): number {
    return this.offset;
  }

  vectoring(valid: boolean, vector: number, type: number, errorCode: number): void {
    if (!valid) {
      this.vectoringInfo = 0;
      return;
    }
    // INT3, INTO and INT1 are exceptions here; only INT n has a type of its own.
    const kind = type > EVENT_TYPE.software ? EVENT_TYPE.exception : type;
    const { cpu } = this;
    this.vectoringRip =
      type < EVENT_TYPE.software
        ? -1
        : type === EventType.privilegedException
          ? cpu.eip
          : cpu.instructionStart;
    this.vectoringInfo = vector | (kind << 8) | (errorCode >= 0 ? EVENT.errorCode : 0) | EVENT.valid;
    this.vectoringErrorCode = errorCode;
  }
}

/** The page that a 64-bit address field names: its low twelve bits are ignored. Above 4 GiB there is no memory. */
function page(w: Int32Array, at: number): number {
  return w[at + 1] ? 2 ** 32 - 0x4000 : (w[at] & 0xfffff000) >>> 0;
}
