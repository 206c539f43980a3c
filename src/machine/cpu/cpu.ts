// Architectural state of one IA-32 processor (SDM vol. 1 §3.4, vol. 3 §2), and nothing else: what it *does* is in the
// other files of this room, as functions that take the Cpu first. Fields are public because those functions are its body.

import type { CostModel } from '../../cost/model.ts';
import type { Recorder } from '../../trace/recorder.ts';
import type { InterruptController, PortBus } from '../devices/device.ts';
import type { Instruction } from '../isa/instruction.ts';
import type { PhysicalMemory } from '../memory/physical-memory.ts';
import { widen } from '../wide-numbers.ts';
import type { ApicSeam } from './apic-seam.ts';
import type { Intercepts } from './intercepts.ts';
import { KnownTransfers } from './known-words.ts';
import { MsrFile } from './msr-file.ts';
import type { NestedWalk } from './nested-walk.ts';
import { Shared, type SharedBlock, STATE_WORDS, sharedBlock } from './shared.ts';
import type { SvmState } from './svm/state.ts';
import { Tlb } from './tlb.ts';
import type { VmxState } from './vmx/state.ts';
import { X87 } from './x87/state.ts';

/** A segment register with its hidden part (SDM vol. 3 §3.4.3). */
export class SegmentRegister {
  selector = 0;
  /** Linear base, uint32. */
  base = 0;
  /** Byte limit after granularity, uint32. */
  limit = 0xffff;
  /** Access rights as in the VMCS (SDM vol. 3 §24.4.1): 3:0 type, 4 S, 6:5 DPL, 7 P, 12 AVL, 14 D/B, 15 G, 16 unusable. */
  access = 0x93;
}

/** Why `run` came back. */
export const Stop = {
  none: 0,
  /** The cycle budget is used up. */
  budget: 1,
  /** Control reached the monitor's entry points (see `monitorBase`). */
  monitor: 2,
  /** HLT executed and no interrupt pending. */
  halted: 3,
  /** Triple fault with nobody to catch it. */
  shutdown: 4,
  /** A breakpoint of the session (not of the guest) was reached; the instruction has not run. */
  breakpoint: 5,
  /** The session asked for it through `requestStop`. */
  requested: 6,
  /** `Cpu.monitor` has been at work and wants to go on outside. */
  monitorBusy: 7,
} as const;

/** Bits of `Cpu.attention`. */
export const Attention = {
  /** An event may be deliverable: INTR or NMI came, IF or TF was set, non-root operation was entered, a debug register changed. */
  event: 1,
} as const;

export class Cpu {
  /** Where compiled code finds the registers and the TLB. */
  readonly shared: SharedBlock & { readonly compiled: boolean };
  /** EAX ECX EDX EBX ESP EBP ESI EDI, and overlays of the same bytes. */
  readonly regs: Int32Array;
  /** 16-bit overlay: register r is regs16[r * 2]. */
  readonly regs16: Uint16Array;
  /** 8-bit overlay: AL..BL (0..3) are regs8[r * 4], AH..BH (4..7) are regs8[(r - 4) * 4 + 1]. */
  readonly regs8: Uint8Array;

  /** Next instruction (uint32 offset in CS). While an instruction executes it already points behind it. */
  eip = 0xfff0;
  /** Offset of the instruction being executed: what a fault pushes. */
  instructionStart = 0xfff0;

  /** EFLAGS without the bits in `lazyMask`, which are derived from the last result (flags.ts). Use getFlags/setFlags. */
  flags = 0x0002;
  lazyMask = 0;
  lazyKind = 0;
  lazyResult = 0;
  lazyA = 0;
  lazyB = 0;

  /** ES CS SS DS FS GS LDTR TR. */
  readonly segments: SegmentRegister[] = Array.from({ length: 8 }, () => new SegmentRegister());
  readonly gdtr = { base: 0, limit: 0xffff };
  readonly idtr = { base: 0, limit: 0xffff };
  /** Current privilege level 0..3 = DPL of SS (0 in real mode). */
  cpl = 0;

  /** Floating-point unit, with the registers of MMX and SSE. */
  readonly x87 = new X87();

  cr0 = 0x60000010;
  cr2 = 0;
  cr3 = 0;
  cr4 = 0;
  /** With PAE: the four page-directory-pointer entries as last loaded, low and high word of each (SDM vol. 3 §4.4.1). */
  readonly pdptes = new Int32Array(8);
  readonly dr = new Int32Array([0, 0, 0, 0, 0, 0, 0xffff0ff0 | 0, 0x400]);
  /** Model-specific registers by index; reading an absent one is #GP. */
  readonly msrs = new MsrFile();

  /** Cycles since power-on: the time-stamp counter and the virtual time of everything. */
  cycles = 0;
  /** Those of them that passed while it was halted, or waited to be started. */
  idleCycles = 0;
  /** Instructions retired since power-on. */
  instructions = 0;

  /** Calls of `run` so far: between two of them anybody may have done anything. */
  runs = 0;

  /** Interruptibility: interrupts are held off until one instruction after STI / MOV SS (bit 0 STI, bit 1 MOV SS: as in the VMCS). */
  shadow = 0;
  /** HLT was executed; an interrupt, NMI or reset ends it. */
  halted = false;
  /** NMI latched at the pin; blocked between NMI delivery and IRET. */
  nmiPending = false;
  nmiBlocked = false;

  /** Non-null while this processor is in VMX non-root operation (or in an SVM guest): what leaves to the hypervisor. */
  intercepts: Intercepts | null = null;
  /** Non-null while a guest with EPT or NPT runs: what its tables call physical is translated once more (nested-walk.ts). */
  nested: NestedWalk | null = null;
  /** VMX operation and the current VMCS; made by vmx/ on first use. */
  vmx: VmxState | null = null;
  /** SVM's VMCB and host save area; made by svm/ on first use. */
  svm: SvmState | null = null;
  /** Global interrupt flag of SVM: while it is false nothing is taken from the pins. */
  gif = true;

  /** Linear addresses [monitorBase, monitorBase+monitorSize) are the monitor's entry points: arriving there at CPL 0 and outside non-root ends `run` with Stop.monitor. Size 0 = no monitor. */
  monitorBase = 0;
  monitorSize = 0;
  /**
   * What the monitor's entry points lead to, where that need not end `run`: called instead, between two instructions. True
   * when a guest is in the processor again; false when whoever has called `run` is to go on, and is told `Stop.monitorBusy`.
   */
  monitor: (() => boolean) | null = null;
  /** Set (Stop.*) by whatever wants the run loop to return after this instruction. */
  stop = 0;
  /** Bits of `Attention`: something other than the next instruction may be due. Set by whatever might make it so; `execute.ts` looks and clears. */
  attention = 0;
  /** DR6 bits of debug traps that the instruction being executed has earned (SDM vol. 3 §17.3.1); delivered behind it. */
  pendingDebug = 0;
  /** The exceptions that led to each other in the latest delivery, for telling a shutdown: vector, error code (-1 = none), CR2 of each. */
  readonly faultChain: number[] = [];
  /** Cycle at which compiled code must have come back; 0 = one instruction at a time. */
  compiledUntil = 0;
  /** False: everything is interpreted. */
  compiledAllowed = true;
  /** Words that compiled code leaves behind. */
  readonly compiledState: Int32Array;
  /** Session breakpoints: linear addresses. Empty = no check. */
  readonly breakpoints = new Set<number>();

  /** The local APIC on the die, or null. */
  apic: ApicSeam | null = null;

  /** Gates and returns as they went last time. */
  readonly known = new KnownTransfers();

  readonly tlb: Tlb;
  /** A20 gate and so on are the board's: the bus masks here. */
  a20Mask = 0xffffffff;

  /**
   * Called for sensitive instructions that have run at CPL 1..2 without trapping (the watcher that the guest cannot see).
   * `got` is what the instruction gave, `expected` what it would have given at CPL 0; `operand` is the selector that LAR, LSL,
   * VERR and VERW asked about, or the number of the segment register that was stored or loaded.
   */
  watcher: ((i: Instruction, got: number, expected: number, operand: number) => void) | null = null;

  constructor(
    readonly memory: PhysicalMemory,
    readonly cost: CostModel,
    readonly recorder: Recorder,
    public ports: PortBus,
    public interrupts: InterruptController,
  ) {
    this.shared = sharedBlock(memory);
    const { buffer, base } = this.shared;
    this.regs = new Int32Array(buffer, base + Shared.regs, 8);
    this.regs16 = new Uint16Array(buffer, base + Shared.regs, 16);
    this.regs8 = new Uint8Array(buffer, base + Shared.regs, 32);
    this.tlb = new Tlb(buffer, base);
    this.compiledState = new Int32Array(buffer, base + Shared.state, STATE_WORDS);
    recorder.clock = this;
    widen(this, 'cycles', 'idleCycles', 'instructions', 'compiledUntil');
    memory.map.onChange(() => this.tlb.dropFastTags());
    memory.onFirstCode(() => this.tlb.dropTagsOfAll());
  }
}
