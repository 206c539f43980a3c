// What leaves a guest in VMX non-root operation (SDM vol. 3 ch. 25), as the current VMCS's controls say. The controls are
// copied here at VM entry: while the guest runs nobody can change them, and each look must be cheap.
import type { Cpu } from '../cpu.ts';
import { fault, VECTOR } from '../fault.ts';
import { IF } from '../flags.ts';
import type { InterceptedInstruction, Intercepts } from '../intercepts.ts';
import { EXIT_CONTROL, PIN, PROC, supported } from './capabilities.ts';
import { vmExit } from './exit.ts';
import { CR_ACCESS, EXIT, interruptionInfo, TYPE } from './exit-reasons.ts';
import { describeLmsw, describeStringIo, describeVmxOperands } from './instruction-information.ts';
import type { VmxState } from './state.ts';
import { W } from './words.ts';

/** Instructions with exits of their own: the basic reason, and the processor-based control that asks for it (-1: always, 0: never). */
const INSTRUCTIONS: Partial<Record<InterceptedInstruction, readonly [reason: number, control: number]>> = {
  cpuid: [EXIT.cpuid, -1],
  invd: [EXIT.invd, -1],
  hlt: [EXIT.hlt, PROC.hlt],
  invlpg: [EXIT.invlpg, PROC.invlpg],
  rdtsc: [EXIT.rdtsc, PROC.rdtsc],
  rdpmc: [EXIT.rdpmc, PROC.rdpmc],
  pause: [EXIT.pause, PROC.pause],
  mwait: [EXIT.mwait, PROC.mwait],
  monitor: [EXIT.monitor, PROC.monitor],
  vmcall: [EXIT.vmcall, -1],
  vmclear: [EXIT.vmclear, -1],
  vmlaunch: [EXIT.vmlaunch, -1],
  vmptrld: [EXIT.vmptrld, -1],
  vmptrst: [EXIT.vmptrst, -1],
  vmread: [EXIT.vmread, -1],
  vmresume: [EXIT.vmresume, -1],
  vmwrite: [EXIT.vmwrite, -1],
  vmxoff: [EXIT.vmxoff, -1],
  vmxon: [EXIT.vmxon, -1],
  invept: [EXIT.invept, -1],
  invvpid: [EXIT.invvpid, -1],
};

const CR0_PE = 1;
const TS = 8;
/** Secondary control 6. */
const WBINVD_EXITS = 1 << 6;

export class VmxIntercepts implements Intercepts {
  private pin = 0;
  private proc = 0;
  private secondary = 0;
  private exceptionBitmap = 0;
  private pfMask = 0;
  private pfMatch = 0;
  private cr0Mask = 0;
  private cr4Mask = 0;
  private cr0Shadow = 0;
  private cr4Shadow = 0;
  private ioBitmapA = 0;
  private ioBitmapB = 0;
  private msrBitmap = 0;
  private offset = 0;

  /** The event whose delivery through the guest's IDT is under way, in the format of IDT-vectoring information; 0 = none. */
  vectoringInfo = 0;
  vectoringErrorCode = 0;
  /** Bytes of the INT instruction behind that event. */
  vectoringLength = 0;

  constructor(private readonly vmx: VmxState) {}

  private get cpu(): Cpu {
    return this.vmx.cpu;
  }

  /** Takes the controls from the current VMCS. */
  load(): void {
    const { words: w, base: b } = this.vmx;
    this.pin = w[b + W.pin];
    this.proc = w[b + W.proc];
    this.secondary = this.vmx.second === null ? 0 : this.vmx.second.controls(this.vmx);
    this.exceptionBitmap = w[b + W.exceptionBitmap];
    this.pfMask = w[b + W.pfMask];
    this.pfMatch = w[b + W.pfMatch];
    this.cr0Mask = w[b + W.cr0Mask];
    this.cr4Mask = w[b + W.cr4Mask];
    this.cr0Shadow = w[b + W.cr0Shadow];
    this.cr4Shadow = w[b + W.cr4Shadow];
    this.ioBitmapA = w[b + W.ioBitmapA] >>> 0;
    this.ioBitmapB = w[b + W.ioBitmapB] >>> 0;
    this.msrBitmap = w[b + W.msrBitmap] >>> 0;
    this.offset =
      this.proc & PROC.tscOffset ? w[b + W.tscOffset + 1] * 2 ** 32 + (w[b + W.tscOffset] >>> 0) : 0;
    this.vectoringInfo = 0;
  }

  /** Leaves because of the instruction being executed. */
  private exitByInstruction(reason: number, qualification: number): true {
    const cpu = this.cpu;
    vmExit(cpu, reason, qualification, (cpu.eip - cpu.instructionStart) >>> 0);
    return true;
  }

  instruction(which: InterceptedInstruction, operand: number): boolean {
    if (which === 'wbinvd')
      return (this.secondary & WBINVD_EXITS) !== 0 && this.exitByInstruction(EXIT.wbinvd, 0);
    const row = INSTRUCTIONS[which];
    if (row === undefined || !(this.proc & row[1] || row[1] === -1)) return false;
    const reason = row[0];
    const isVmx = (reason >= EXIT.vmclear && reason <= EXIT.vmxon) || reason >= EXIT.invept;
    const qualification = isVmx ? describeVmxOperands(this.vmx, reason) : which === 'invlpg' ? operand : 0;
    return this.exitByInstruction(reason, qualification);
  }

  crWrite(cr: number, value: number, gpr: number): boolean {
    // CR2 is the guest's own: no control makes a load of it leave (§25.1.3).
    if (cr === 2) return false;
    if (
      cr === 0
        ? !((value ^ this.cr0Shadow) & this.cr0Mask)
        : cr === 4
          ? !((value ^ this.cr4Shadow) & this.cr4Mask)
          : this.mayLoadCr3(value)
    )
      return false;
    return this.exitByInstruction(EXIT.crAccess, cr | (CR_ACCESS.toCr << 4) | (gpr << 8));
  }

  /** CR3-target values are let through (§25.1.3). */
  private mayLoadCr3(value: number): boolean {
    if (!(this.proc & PROC.cr3Load)) return true;
    const { words: w, base: b } = this.vmx;
    const count = w[b + W.cr3TargetCount];
    for (let n = 0; n < count; n++) if (w[b + W.cr3Targets + n] === (value | 0)) return true;
    return false;
  }

  crRead(cr: number, gpr: number): boolean {
    if (cr !== 3 || !(this.proc & PROC.cr3Store)) return false;
    return this.exitByInstruction(EXIT.crAccess, cr | (CR_ACCESS.fromCr << 4) | (gpr << 8));
  }

  clts(): boolean {
    if (!(this.cr0Mask & this.cr0Shadow & TS)) return false;
    return this.exitByInstruction(EXIT.crAccess, CR_ACCESS.clts << 4);
  }

  /** LMSW can set PE but not clear it; MP, EM and TS it may change both ways (§25.1.3). */
  lmsw(source: number): boolean {
    const setsPe = this.cr0Mask & source & ~this.cr0Shadow & 1;
    const changes = this.cr0Mask & (source ^ this.cr0Shadow) & 0xe;
    if (!setsPe && !changes) return false;
    const memory = describeLmsw(this.vmx);
    return this.exitByInstruction(
      EXIT.crAccess,
      (CR_ACCESS.lmsw << 4) | (memory << 6) | ((source & 0xffff) << 16),
    );
  }

  readCr(cr: 0 | 4): number {
    return cr === 0
      ? (this.cpu.cr0 & ~this.cr0Mask) | (this.cr0Shadow & this.cr0Mask)
      : (this.cpu.cr4 & ~this.cr4Mask) | (this.cr4Shadow & this.cr4Mask);
  }

  /** Raises #GP(0) when a bit that the guest owns would get a value that VMX operation does not support (§23.8). */
  maskCr(cr: 0 | 4, value: number): number {
    const { cr0, cr4 } = this.vmx.capabilities;
    const merged =
      cr === 0
        ? (value & ~this.cr0Mask) | (this.cpu.cr0 & this.cr0Mask)
        : (value & ~this.cr4Mask) | (this.cpu.cr4 & this.cr4Mask);
    if (!supported(cr === 0 ? this.vmx.fixed(merged) : merged, cr === 0 ? cr0 : cr4))
      fault(this.cpu, VECTOR.GP, 0);
    return merged;
  }

  drAccess(dr: number, write: boolean, gpr: number): boolean {
    if (!(this.proc & PROC.movDr)) return false;
    return this.exitByInstruction(EXIT.drAccess, dr | (write ? 0 : 16) | (gpr << 8));
  }

  io(
    port: number,
    size: 1 | 2 | 4,
    input: boolean,
    string: boolean,
    rep: boolean,
    immediate: boolean,
  ): boolean {
    if (this.proc & PROC.ioBitmaps ? !this.ioBitmapHit(port, size) : !(this.proc & PROC.unconditionalIo))
      return false;
    if (string) describeStringIo(this.vmx, input);
    const kind = (input ? 8 : 0) | (string ? 16 : 0) | (rep ? 32 : 0) | (immediate ? 64 : 0);
    return this.exitByInstruction(EXIT.ioInstruction, (size - 1) | kind | (port << 16));
  }

  /** One bit a port, A below 8000H and B from there; an access that runs past FFFFH always exits. */
  private ioBitmapHit(port: number, size: number): boolean {
    for (let p = port; p < port + size; p++) {
      if (p > 0xffff) return true;
      const bits = this.cpu.memory.read8(
        (p < 0x8000 ? this.ioBitmapA : this.ioBitmapB) + ((p & 0x7fff) >>> 3),
      );
      if ((bits >>> (p & 7)) & 1) return true;
    }
    return false;
  }

  msr(index: number, write: boolean): boolean {
    if (this.proc & PROC.msrBitmaps && !this.msrBitmapHit(index >>> 0, write)) return false;
    return this.exitByInstruction(write ? EXIT.msrWrite : EXIT.msrRead, 0);
  }

  /** Four bitmaps of 1 KiB: reads of 0–1FFFH, reads of C0000000–C0001FFFH, then the same for writes. */
  private msrBitmapHit(index: number, write: boolean): boolean {
    const high = index >= 0xc0000000;
    const n = high ? index - 0xc0000000 : index;
    if (n > 0x1fff) return true;
    return (
      ((this.cpu.memory.read8(this.msrBitmap + (write ? 2048 : 0) + (high ? 1024 : 0) + (n >>> 3)) >>>
        (n & 7)) &
        1) ===
      1
    );
  }

  exception(vector: number, errorCode: number, cr2: number): boolean {
    // A double fault is an event of its own, not one that another's delivery met (§27.2.3).
    if (vector === VECTOR.DF) this.vectoringInfo = 0;
    if (!this.wants(vector, errorCode)) return false;
    this.exitForException(vector, errorCode, cr2);
    return true;
  }

  /** The exception bitmap; for page faults with a filter that turns the bit's meaning round when it does not match (§25.2). */
  private wants(vector: number, errorCode: number): boolean {
    const bit = ((this.exceptionBitmap >>> vector) & 1) === 1;
    return vector === VECTOR.PF && (errorCode & this.pfMask) !== this.pfMatch ? !bit : bit;
  }

  private exitForException(vector: number, errorCode: number, cr2: number): void {
    const { cpu } = this.vmx;
    const byInstruction = (vector === VECTOR.BP || vector === VECTOR.OF) && cpu.eip !== cpu.instructionStart;
    const qualification = vector === VECTOR.PF ? cr2 : vector === VECTOR.DB ? cpu.pendingDebug & 0x600f : 0;
    // Real mode has no error codes (SDM vol. 3 §27.2.2).
    if (!(cpu.cr0 & CR0_PE)) errorCode = -1;
    const info = interruptionInfo(
      vector,
      byInstruction ? TYPE.softwareException : TYPE.hardwareException,
      errorCode,
    );
    vmExit(
      cpu,
      EXIT.exceptionOrNmi,
      qualification,
      byInstruction ? (cpu.eip - cpu.instructionStart) >>> 0 : 0,
      info,
      errorCode,
    );
  }

  externalInterrupt(): boolean {
    if (!(this.pin & PIN.externalInterrupt)) return false;
    const { words: w, base: b, cpu } = this.vmx;
    const acknowledge = w[b + W.exitControls] & EXIT_CONTROL.acknowledgeInterrupt;
    const info = acknowledge ? interruptionInfo(cpu.interrupts.acknowledge(), TYPE.externalInterrupt, -1) : 0;
    vmExit(cpu, EXIT.externalInterrupt, 0, 0, info);
    return true;
  }

  nmi(): boolean {
    if (!(this.pin & PIN.nmi)) return false;
    const cpu = this.cpu;
    cpu.nmiPending = false;
    vmExit(cpu, EXIT.exceptionOrNmi, 0, 0, interruptionInfo(VECTOR.NMI, TYPE.nmi, -1));
    cpu.nmiBlocked = true;
    return true;
  }

  window(): boolean {
    const cpu = this.cpu;
    if (!(this.proc & PROC.interruptWindow) || !(cpu.flags & IF) || cpu.shadow !== 0) return false;
    vmExit(cpu, EXIT.interruptWindow);
    return true;
  }

  taskSwitch(selector: number, source: 0 | 1 | 2 | 3): boolean {
    const cpu = this.cpu;
    const length = source === 3 ? 0 : (cpu.eip - cpu.instructionStart) >>> 0;
    vmExit(cpu, EXIT.taskSwitch, (selector & 0xffff) | (source << 30), length);
    return true;
  }

  /** No control makes INT n or IRET leave (§25.1); windows open behind an IRET, and virtual NMIs are unblocked by it. */
  transfersFreely(): boolean {
    return !(this.proc & (PROC.interruptWindow | PROC.nmiWindow)) && !(this.pin & PIN.virtualNmis);
  }

  pagesFreely(): boolean {
    return !(this.proc & (PROC.cr3Load | PROC.cr3Store | PROC.invlpg));
  }

  /** No control makes it leave (§25.1.3). */
  readsCr2Freely(): boolean {
    return true;
  }

  tripleFault(): boolean {
    this.vectoringInfo = 0;
    vmExit(this.cpu, EXIT.tripleFault);
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
    if (!(this.cpu.cr0 & CR0_PE)) errorCode = -1;
    this.vectoringInfo = interruptionInfo(vector, type, errorCode);
    this.vectoringErrorCode = errorCode;
    this.vectoringLength = (this.cpu.eip - this.cpu.instructionStart) >>> 0;
  }
}
