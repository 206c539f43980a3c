// What the hypervisor keeps about one paravirtualized domain beside its memory: what it registered through hypercalls.
import type { PhysicalMemory } from '../../machine/memory/physical-memory.ts';
import type { Domain } from '../domain.ts';
import { TrapFrame } from '../trap-frame.ts';
import type { ArgumentAccess, GuestFrames, Port, XenGuest } from '../xen/guest.ts';
import { SHARED_INFO } from './abi.ts';
import type { Layout } from './layout.ts';

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

export class PvDomain implements XenGuest {
  readonly traps: (TrapHandler | null)[] = new Array(256).fill(null);
  /** Counts changes of `traps`: the gates that the processor uses are made anew. */
  trapsVersion = 0;
  eventCallback = { selector: 0, address: 0 };
  failsafeCallback = { selector: 0, address: 0 };
  /** The kernel's stack for entries from ring 3 (stack_switch): TSS.SS1:ESP1. */
  kernelStack = { selector: 0, pointer: 0 };
  /** Entries of the hypervisor's in every address space, low words: the last is at the top. */
  sharedEntries = new Int32Array(0);
  /** Machine frame of what CR3 names: the page directory, with PAE the table of pointers. */
  baseFrame = 0;
  /** Machine frames of the guest's own GDT pages, and of the page table that maps them at PER_DOMAIN_START. */
  gdtFrames: number[] = [];
  perDomainTable = 0;
  /** Frames of its LDT that are mapped behind the GDT so far. */
  ldtFrames: number[] = [];
  /** Machine address of the page of start_info, as it was built. */
  startInfo = 0;
  /** Machine addresses of shared_info, the console ring and the store ring. */
  sharedInfo = 0;
  consoleRing = 0;
  storeRing = 0;
  /** Linear address of the guest's hypercall page; 0 when it has none. */
  hypercallPage = 0;
  readonly ports: Port[] = [{ kind: 'free' }];
  readonly grantFrames: number[] = [];
  readonly frame = new TrapFrame();
  /** Machine address of vcpu_info: in shared_info, unless the guest has put it elsewhere. */
  vcpuInfo = 0;
  /** What it wrote to CR4, to be read back; null until then. */
  cr4: number | null = null;
  /** VMASST_TYPE_* that are on, a bit each. */
  assists = 0;
  /** Its local descriptor table, when it has one (ldt.ts). */
  ldt: LocalDescriptors | null = null;
  /** A page table that the guest may write at the moment (writable-tables.ts): `reconnect` checks what it has written. */
  unhooked: { readonly from: number; reconnect(): void } | null = null;
  /** Waits by SCHEDOP_poll: what ends it. */
  polling: { until: number; ready(): boolean } | null = null;
  /** RUNSTATE_*, since when (cycles), and cycles spent in each so far. */
  runstate = RUNSTATE.runnable as number;
  runstateSince = 0;
  readonly runstateTimes = [0, 0, 0, 0];
  /** Called when the guest gets the processor, and when it loses it: for state that most guests have not. */
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
    readonly domain: Domain,
    readonly memory: PhysicalMemory,
    readonly access: ArgumentAccess,
    readonly frames: GuestFrames,
    readonly layout: Layout,
  ) {}

  /** The virtual interrupt flag is the *absence* of evtchn_upcall_mask. */
  get upcallMask(): number {
    return this.memory.read8(this.vcpuInfo + SHARED_INFO.upcallMask) & 1;
  }
  set upcallMask(value: number) {
    this.memory.write8(this.vcpuInfo + SHARED_INFO.upcallMask, value);
  }
  /** An event has arrived: if it waited for one, it waits for the processor now. */
  onUpcall(): void {
    if (this.runstate === RUNSTATE.blocked && this.now) this.enterRunstate(RUNSTATE.runnable, this.now());
  }
  now: (() => number) | null = null;
  enterRunstate(state: number, now: number): void {
    this.runstateTimes[this.runstate] += now - this.runstateSince;
    this.runstate = state;
    this.runstateSince = now;
  }

  get upcallPending(): boolean {
    return (this.memory.read8(this.vcpuInfo + SHARED_INFO.upcallPending) & 1) !== 0;
  }
}
