// What the monitor keeps for a guest whose kernel is out of ring 0: the virtual processor whose privileged state no silicon holds.
// While the guest runs, the real EFLAGS have IF=1 and IOPL=0, and the descriptor tables, TR and CR0..CR4 are the monitor's.

import { Attention } from '../../machine/cpu/cpu.ts';
import { IF, IOPL } from '../../machine/cpu/flags.ts';
import type { Board } from '../../machine/devices/board.ts';
import { CS, DS, ES, FS, GS, SS } from '../../machine/isa/instruction.ts';
import { Vendor } from '../../trace/events.ts';
import type { Domain, Vcpu } from '../domain.ts';
import { FaultChain } from '../fault-chain.ts';
import { OWNER_HYPERVISOR } from '../frames.ts';
import type { Hypervisor } from '../hypervisor.ts';
import { HYPERCALL_VECTOR, HYPERVISOR_START, IRQ_BASE, MONITOR_START, PER_DOMAIN_START } from '../monitor.ts';
import type { PcGuest } from '../platform/pc-guest.ts';
import { ShadowPaging } from '../shadow-paging.ts';
import { firstExit, type Resume } from '../technique.ts';
import { TrapFrame } from '../trap-frame.ts';
import { LinearMemory } from './linear.ts';
import type { Unsupported } from './segments.ts';
import { ShadowDescriptors } from './shadow-descriptors.ts';

const DR7_GD = 0x2000;
const GATE_DPL3 = 0x6000;
/** Behind the exceptions and the interrupts of the two controllers. */
const FIRST_SOFTWARE = IRQ_BASE + 16;

export class DeprivilegedGuest implements PcGuest {
  readonly vcpu: Vcpu;
  readonly shadow: ShadowPaging;
  readonly linear: LinearMemory;
  readonly descriptors: ShadowDescriptors;
  /** The latest exit: one for all, which follow each other closely. */
  readonly exit = firstExit(Vendor.trap);
  /** How the guest stands: selectors of CS and SS carry the real ring, ESP is in `vcpu.regs`. */
  readonly frame = new TrapFrame();

  /** EFLAGS.IF and IOPL as the guest's kernel set them, in their places. */
  privilegedFlags = 0;
  readonly idtr = { base: 0, limit: 0 };
  /** The task register; `limit` -1 until LTR. */
  readonly task = { selector: 0, base: 0, limit: -1, wide: true };
  /** DR0..DR7. */
  readonly debug = new Int32Array([0, 0, 0, 0, 0, 0, 0xffff0ff0 | 0, 0x400]);
  readonly sysenter = { cs: 0, esp: 0, eip: 0 };
  /** Added to the processor's counter; while it is not 0, RDTSC has to trap. */
  tscOffset: number = 0;

  /** Vectors of INT n for which the guest's gates let its programs through, and so do the monitor's. */
  private readonly openVectors = new Set<number>();
  /** The processor's SYSENTER leads to the monitor; while the guest has none, it faults. */
  directSysenter = false;
  /** The SYSENTER that has just arrived was executed with TF set. */
  sysenterTrapped = false;

  /** STI or MOV SS was emulated: no interrupt until the instruction at this address has run; -1 = none. */
  shadowedEip = -1;
  /** It was a load of SS, and that holds back debug traps, too. */
  shadowHoldsTraps = false;
  /** IF at the last HLT: a guest that halted without it is not woken. */
  interruptible = true;

  /** The instruction that is being emulated was entered with RF set, which lasts for all its repetitions. */
  resumes = false;

  /** One instruction is being let run with TF set: for pages that are opened to it, or for the end of a shadow. */
  stepping = false;
  steppedEip = 0;
  guestTrapFlag = false;
  /** What was opened is, at that place, a descriptor table. */
  tableWritten = false;
  readonly opened: { linear: number; traced: boolean }[] = [];

  /** The processor did not enter it: there is no exit to be read. */
  stoodStill = false;

  /** Shadow root in CR3, and the state of its entries that the TLB knows. */
  loadedRoot = -1;
  loadedChanges = -1;
  /** Exceptions that led to each other, oldest first. */
  readonly chain = new FaultChain();

  /** Machine address of the page table for PER_DOMAIN_START: what lies there beside the descriptor tables. */
  protected readonly area: number;

  constructor(
    readonly hypervisor: Hypervisor,
    readonly domain: Domain,
    readonly board: Board,
  ) {
    this.vcpu = domain.vcpus[0];
    const area = hypervisor.frames.allocate(OWNER_HYPERVISOR) * 4096;
    const reserved = new Int32Array(16);
    const monitor = (MONITOR_START - HYPERVISOR_START) >>> 22;
    reserved[monitor] = hypervisor.monitor.sharedEntries[monitor];
    // Present, writable, accessed, dirty: the page table of this guest's descriptor tables.
    reserved[(PER_DOMAIN_START - HYPERVISOR_START) >>> 22] = area | 0x63;
    try {
      this.shadow = new ShadowPaging(hypervisor, this.vcpu, domain.memory, undefined, reserved);
    } catch (error) {
      hypervisor.frames.release(area >>> 12);
      throw error;
    }
    this.area = area;
    const { tlb } = hypervisor.cpu;
    this.shadow.remembered = { forgetPage: (linear) => tlb.invalidate(linear) };
    const knows = (): boolean =>
      this.opened.length === 0 &&
      this.loadedRoot === this.shadow.root &&
      this.loadedChanges === this.shadow.changes;
    this.linear = new LinearMemory(this.shadow, domain.memory, tlb, knows);
    this.descriptors = new ShadowDescriptors(hypervisor, this, area);
    this.shadow.writes.onTraced = (physical, frame) => this.monitorWrote(physical, frame);
  }

  /** Ring in which the guest believes to be. */
  get ring(): 0 | 3 {
    return (this.frame.cs & 3) === 3 ? 3 : 0;
  }
  get interruptsOn(): boolean {
    return (this.privilegedFlags & IF) !== 0;
  }
  get ioPrivilege(): number {
    return (this.privilegedFlags & IOPL) >>> 12;
  }
  /** EFLAGS as the guest should see them. */
  get flags(): number {
    return (this.frame.eflags & ~(IF | IOPL)) | this.privilegedFlags;
  }
  /** Sets EFLAGS as the guest sees them. */
  set flags(value: number) {
    this.privilegedFlags = value & (IF | IOPL);
    this.frame.eflags = (value & ~IOPL) | IF | 2;
  }

  /** Selector of a segment register as it stands in the frame. */
  selector(register: number): number {
    const { frame } = this;
    switch (register) {
      case ES:
        return frame.es;
      case CS:
        return frame.cs;
      case SS:
        return frame.ss;
      case DS:
        return frame.ds;
      case FS:
        return frame.fs;
      default:
        return frame.gs;
    }
  }

  setSelector(register: number, selector: number): void {
    const { frame } = this;
    if (register === ES) frame.es = selector;
    else if (register === CS) frame.cs = selector;
    else if (register === SS) frame.ss = selector;
    else if (register === DS) frame.ds = selector;
    else if (register === FS) frame.fs = selector;
    else if (register === GS) frame.gs = selector;
  }

  /** Puts the guest's breakpoints into the processor, but for those that lie in the monitor. */
  loadDebugRegisters(): void {
    const { cpu } = this.hypervisor;
    let control = this.debug[7] & ~DR7_GD;
    for (let n = 0; n < 4; n++) {
      cpu.dr[n] = this.debug[n];
      if (this.debug[n] >>> 0 >= HYPERVISOR_START - 4) control &= ~(3 << (n * 2));
    }
    cpu.dr[7] = control;
    cpu.tlb.dropFastTags();
    cpu.attention |= Attention.event;
  }

  /**
   * The guest's programs came through this gate by INT n: next time without a fault whose instruction must be read. Not so
   * for vectors that hardware, or the monitor's own call-outs, have.
   */
  openVector(vector: number): void {
    if (vector < FIRST_SOFTWARE || vector === HYPERCALL_VECTOR || this.openVectors.has(vector)) return;
    this.openVectors.add(vector);
    this.writeGate(vector, true);
  }

  closeVector(vector: number): void {
    if (this.openVectors.delete(vector)) this.writeGate(vector, false);
  }

  /** The processor's IDT becomes this guest's, or ceases to be. */
  writeGates(open: boolean): void {
    for (const vector of this.openVectors) this.writeGate(vector, open);
  }

  private writeGate(vector: number, open: boolean): void {
    const { monitor } = this.hypervisor;
    const [low, high] = monitor.monitorGate(vector);
    monitor.writeGate(vector, [low, open ? high | GATE_DPL3 : high]);
  }

  /** What the guest's linear addresses lead to has perhaps changed: MOV to CR0, CR3 or CR4; INVLPG of one page. */
  remapped(_linear = -1): void {
    this.descriptors.remapped();
  }

  /** The monitor, or a device, writes to a traced frame: one byte there, or -1 and anywhere in the frame. */
  monitorWrote(physical: number, frame: number): void {
    const { descriptors } = this;
    if (physical < 0 ? descriptors.lieIn(frame) : descriptors.contain(physical, 4)) descriptors.stale = true;
  }

  /** Accessed bits of segments have been cleared: to load one of those is for the monitor, or the processor, to see. */
  accessForgotten(): void {}

  /** A write to a traced frame is about to be let through, at this guest-physical address. */
  tracedWrite(physical: number): void {
    this.tableWritten ||= this.descriptors.contain(physical);
  }

  /** The processor can be entered with its state. */
  get enterable(): boolean {
    return true;
  }

  /** The processor cannot go on with this guest: who knows another way goes it. Null: the guest ends. */
  takeOver(_why: Unsupported): Resume | null {
    return null;
  }

  /** The registers shall be those at the beginning of the instruction at `frame.eip`: something else comes instead of its rest. */
  settle(): void {}

  /** Gives back what is not the domain's own. */
  release(): void {
    this.descriptors.release();
    this.shadow.release();
  }
}
