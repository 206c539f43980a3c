// What the hypervisor keeps for a guest under SVM beside its VMCB: shadow or nested tables, permission maps, virtual board, the
// event that the next entry has to inject, and the registers that the VMCB has no field for.

import { V } from '../../machine/cpu/svm/layout.ts';
import { invlpga, vmsave } from '../../machine/cpu/svm/operations.ts';
import type { Board } from '../../machine/devices/board.ts';
import type { MemoryMap } from '../../machine/memory/memory-mapped.ts';
import { Vendor } from '../../trace/events.ts';
import type { Domain, Vcpu } from '../domain.ts';
import { NO_INTERFACES } from '../enlightenments/seam.ts';
import { FaultChain } from '../fault-chain.ts';
import { OWNER_HYPERVISOR } from '../frames.ts';
import type { GuestPaging, Remembered } from '../guest-paging.ts';
import type { GuestControl } from '../guest-walk.ts';
import type { Hypervisor } from '../hypervisor.ts';
import { NestedPaging, NPT_FORMAT } from '../nested-paging.ts';
import { wireCoprocessor } from '../platform/coprocessor.ts';
import type { PcGuest } from '../platform/pc-guest.ts';
import type { ShadowPaging } from '../shadow-paging.ts';
import { firstExit } from '../technique.ts';
import { WideShadowPaging } from '../wide-shadow-paging.ts';
import { Emulation } from './emulation.ts';
import type { ExitContext } from './exits/context.ts';
import { DecodedInstructions } from './instruction.ts';
import { CR0_GUESTS, Vmcb } from './vmcb.ts';

/** I/O permission map, three pages, and MSR permission map, two. */
const MAP_PAGES = 5;

export class SvmGuest implements PcGuest {
  readonly vcpu: Vcpu;
  readonly vmcb: Vmcb;
  /** Machine address of the permission maps: every port and every MSR leaves. */
  readonly maps: number;
  /** How its addresses are translated: one of the two below. */
  readonly shadow: GuestPaging;
  readonly shadowTables: ShadowPaging | null = null;
  readonly nested: NestedPaging | null = null;
  readonly emulation: Emulation;
  /** The ASID of its TLB entries; 0: nothing of it is remembered that may be used, and the next entry takes another one. */
  asid = 0;
  asidRound = 0;
  /** Its VMCB asks for the whole TLB to go. */
  flushes = false;
  /** Shadow root and `shadowTables.reductions` at the last entry: what is remembered is of those. */
  enteredRoot = -1;
  seenReductions = 0;
  /** Shadow root that the VMCB's CR3 holds. */
  loadedRoot = -1;

  /** Event for the next entry in the format of EVENTINJ; 0 = none. */
  event = 0;
  eventErrorCode = 0;
  /** First general intercept vector without the interrupt window; and whether that is asked for now. */
  general1 = 0;
  windowOpen = false;
  /** IF at the last HLT: a guest that halted without it is not woken. */
  interruptible = true;
  /** The latest exit, and what its handlers get: one of each for all, which follow each other closely. */
  readonly exit = firstExit(Vendor.svm);
  context: ExitContext | null = null;
  /** DR0–DR3, while another domain's guest runs. */
  readonly debugRegisters = new Int32Array(4);
  /** Exceptions that led to each other, oldest first. */
  readonly chain = new FaultChain();
  interfaces = NO_INTERFACES;
  readonly decoded = new DecodedInstructions();
  /** What TSC_OFFSET holds, in cycles. */
  tscOffset = 0;

  constructor(
    readonly hypervisor: Hypervisor,
    readonly domain: Domain,
    readonly board: Board,
    /** Pages that devices want for themselves. */
    readonly devices: MemoryMap,
    nested: boolean,
  ) {
    this.vcpu = domain.vcpus[0];
    const { frames } = hypervisor;
    const region = frames.allocateContiguous(OWNER_HYPERVISOR, 1 + MAP_PAGES) * 4096;
    const { memory } = hypervisor.pc;
    this.maps = region + 4096;
    memory.bytes.fill(0xff, this.maps, this.maps + MAP_PAGES * 4096);
    this.vmcb = new Vmcb(memory, region);
    try {
      if (nested)
        this.shadow = this.nested = new NestedPaging(
          hypervisor,
          domain.memory,
          NPT_FORMAT,
          () => this.ownControl(),
          this.remembered(),
          devices,
        );
      else {
        this.shadow = this.shadowTables = new WideShadowPaging(hypervisor, this.vcpu, domain.memory);
        this.shadowTables.devices = devices;
        this.shadowTables.remembered = this.remembered();
      }
    } catch (error) {
      this.releaseRegion();
      throw error;
    }
    devices.onChange(() => this.shadow.devicesChanged());
    this.emulation = new Emulation(this, devices);
    wireCoprocessor(board, [hypervisor.cpu, this.emulation.emulator.cpu]);
  }

  /** CR0, CR3 and CR4 as the guest believes them to be. */
  get control(): Readonly<GuestControl> {
    return this.shadow.control;
  }

  /** CR0 as the guest sees it now: MP and TS it changes without an exit. */
  get cr0(): number {
    return (this.control.cr0 & ~CR0_GUESTS) | (this.vmcb.get(V.cr0) & CR0_GUESTS);
  }

  /** With nested paging the control registers are the guest's own. */
  private ownControl(): GuestControl {
    const { vmcb } = this;
    return { cr0: vmcb.get(V.cr0), cr3: vmcb.get(V.cr3), cr4: vmcb.get(V.cr4) };
  }

  private remembered(): Remembered {
    const other = (): void => {
      this.asid = 0;
    };
    return {
      forgetTables: other,
      forgetAll: other,
      forgetPage: (linear) => {
        if (this.asid !== 0) invlpga(this.hypervisor.cpu, linear, this.asid);
      },
    };
  }

  private releaseRegion(): void {
    const { frames } = this.hypervisor;
    for (let n = 0; n <= MAP_PAGES; n++) frames.release((this.vmcb.machine >>> 12) + n);
  }

  /** FS GS TR LDTR and SYSENTER of the latest exit are in the processor, and not in the VMCB yet. */
  unsaved = false;

  /** Who is going to look at them there calls this. VMSAVE was charged at the exit. */
  saveExtra(): void {
    if (!this.unsaved) return;
    this.unsaved = false;
    const { cpu } = this.hypervisor;
    const { cycles } = cpu;
    vmsave(cpu, this.vmcb.machine);
    cpu.cycles = cycles;
  }

  /** Gives back what is not the domain's own. */
  release(): void {
    this.shadow.release();
    this.releaseRegion();
  }
}
