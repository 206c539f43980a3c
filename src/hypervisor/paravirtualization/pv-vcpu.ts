// What the hypervisor keeps about one virtual processor of a paravirtualized domain: what it registered through hypercalls,
// its registers while it does not run, its address space, its time (xen/include/asm-x86/domain.h struct arch_vcpu of 3.x).
import type { PhysicalMemory } from '../../machine/memory/physical-memory.ts';
import type { Vcpu } from '../domain.ts';
import { TrapFrame } from '../trap-frame.ts';
import { SHARED_INFO } from './abi.ts';

/** A handler that the guest registered with set_trap_table. */
export interface TrapHandler {
  /** Lowest ring that may reach it by INT n. */
  dpl: number;
  /** Events are masked on entry, as IF is by an interrupt gate. */
  masksEvents: boolean;
  selector: number;
  address: number;
}

/** RUNSTATE_* of xen/include/public/vcpu.h. */
export const RUNSTATE = { running: 0, runnable: 1, blocked: 2, offline: 3 } as const;

export interface LocalDescriptors {
  /** Linear address and number of its descriptors. */
  readonly base: number;
  readonly entries: number;
  /** A selector of this table is about to be loaded: its page shall be there. */
  touch(selector: number): void;
  /** Its pages are unmapped; they are looked for again when the processor asks. */
  forget(): void;
}

export class PvVcpu {
  /** It has registers and an address space (VCPUOP_initialise); and it may run (VCPUOP_up). */
  initialised = false;
  up = false;
  readonly traps: (TrapHandler | null)[] = new Array(256).fill(null);
  /** Counts changes of `traps`: the gates that the processor uses are made anew. */
  trapsVersion = 0;
  eventCallback = { selector: 0, address: 0 };
  failsafeCallback = { selector: 0, address: 0 };
  /** The kernel's stack for entries from ring 3 (stack_switch): TSS.SS1:ESP1. */
  kernelStack = { selector: 0, pointer: 0 };
  /** Machine frame of what CR3 names: the page directory, with PAE the table of pointers. 0 = none yet. */
  baseFrame = 0;
  /** Machine frames of the guest's own GDT pages. */
  gdtFrames: number[] = [];
  /** Frames of its LDT that are mapped behind the GDT so far. */
  ldtFrames: number[] = [];
  readonly frame = new TrapFrame();
  /** Machine address of vcpu_info: in shared_info, unless the guest has put it elsewhere. */
  vcpuInfo = 0;
  /** What it wrote to CR4, to be read back; null until then. */
  cr4: number | null = null;
  /** Its local descriptor table, when it has one (ldt.ts). */
  ldt: LocalDescriptors | null = null;
  /** Waits by SCHEDOP_poll: what ends it. */
  polling: { until: number; ready(): boolean } | null = null;
  /** RUNSTATE_*, since when (cycles), and cycles spent in each so far. */
  runstate: number;
  runstateSince = 0;
  readonly runstateTimes = [0, 0, 0, 0];
  /** Called when it gets the processor, and when it loses it: for state that most guests have not. */
  readonly onLoad = new Set<() => void>();
  readonly onUnload = new Set<() => void>();
  /** Cycles between periodic ticks; 0 = Xen's own period, Infinity = none. */
  period = 0;
  /** Next periodic tick, and the one-shot timer (cycles; Infinity = off). */
  nextTick = Infinity;
  timer = Infinity;
  /** CR0.TS as the guest asked for it (fpu_taskswitch). */
  taskSwitched = false;

  constructor(
    readonly vcpu: Vcpu,
    private readonly memory: PhysicalMemory,
  ) {
    this.runstate = vcpu.id ? RUNSTATE.offline : RUNSTATE.runnable;
  }

  /** The virtual interrupt flag is the *absence* of evtchn_upcall_mask. */
  get upcallMask(): number {
    return this.memory.read8(this.vcpuInfo + SHARED_INFO.upcallMask) & 1;
  }
  set upcallMask(value: number) {
    this.memory.write8(this.vcpuInfo + SHARED_INFO.upcallMask, value);
  }

  get upcallPending(): boolean {
    return (this.memory.read8(this.vcpuInfo + SHARED_INFO.upcallPending) & 1) !== 0;
  }

  enterRunstate(state: number, now: number): void {
    this.runstateTimes[this.runstate] += now - this.runstateSince;
    this.runstate = state;
    this.runstateSince = now;
  }
}
