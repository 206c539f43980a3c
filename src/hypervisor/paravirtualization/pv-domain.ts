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
  /** Machine addresses of shared_info, the console ring and the store ring. */
  sharedInfo = 0;
  consoleRing = 0;
  storeRing = 0;
  /** Linear address of the guest's hypercall page; 0 when it has none. */
  hypercallPage = 0;
  readonly ports: Port[] = [{ kind: 'free' }];
  readonly grantFrames: number[] = [];
  readonly frame = new TrapFrame();
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
    return this.memory.read8(this.sharedInfo + SHARED_INFO.upcallMask) & 1;
  }
  set upcallMask(value: number) {
    this.memory.write8(this.sharedInfo + SHARED_INFO.upcallMask, value);
  }
  get upcallPending(): boolean {
    return (this.memory.read8(this.sharedInfo + SHARED_INFO.upcallPending) & 1) !== 0;
  }
}
