// What the hypervisor keeps for a guest under VT-x beside its VMCS: shadow tables or nested ones, virtual board, the event that the next
// entry has to inject, and the registers that the VMCS has no field for.

import { fieldWord } from '../../machine/cpu/vmx/layout.ts';
import type { Board } from '../../machine/devices/board.ts';
import type { MemoryMap } from '../../machine/memory/memory-mapped.ts';
import { Vendor } from '../../trace/events.ts';
import type { Domain, Vcpu } from '../domain.ts';
import { NO_INTERFACES } from '../enlightenments/seam.ts';
import { FaultChain } from '../fault-chain.ts';
import { OWNER_HYPERVISOR } from '../frames.ts';
import type { GuestPaging, Remembered } from '../guest-paging.ts';
import type { Hypervisor } from '../hypervisor.ts';
import type { NestedPaging } from '../nested-paging.ts';
import type { PcGuest } from '../platform/pc-guest.ts';
import { ShadowPaging } from '../shadow-paging.ts';
import { firstExit } from '../technique.ts';
import type { Emulation } from './emulation.ts';
import type { ExitContext } from './exits/context.ts';
import { optional, parts } from './optional.ts';

export class VtxGuest implements PcGuest {
  readonly vcpu: Vcpu;
  /** How its addresses are translated: one of the two below. */
  readonly shadow: GuestPaging;
  readonly shadowTables: ShadowPaging | null = null;
  readonly nested: NestedPaging | null = null;
  devices?: MemoryMap;
  /** The emulator, for guests that may need it. */
  emulation: Emulation | null = null;
  /** Machine address of the VMCS region. */
  readonly vmcs: number;
  /** False until the VMCS has been filled in; then until VMLAUNCH. */
  prepared = false;
  launched = false;
  /** Shadow root that GUEST_CR3 holds. */
  loadedRoot = -1;
  /** The processor's memory of it, where its translations are tagged with `vpid`; null where each entry flushes. */
  readonly remembered: Remembered | null;
  /** `shadowTables.reductions` at the last entry: what was taken away since may still be remembered. */
  seenReductions = 0;

  /** Event for the next entry in the format of VM-entry interruption information; 0 = none. */
  event = 0;
  eventErrorCode = 0;
  eventLength = 0;
  /** Processor-based controls without the interrupt window; and whether that is asked for now. */
  procControls = 0;
  windowOpen = false;
  /** IF at the last HLT: a guest that halted without it is not woken. */
  interruptible = true;
  /** Linear address whose write without memory behind it is being stepped over, and whether the guest itself had TF; -1 = none. */
  steppedHole = -1;
  guestTrapFlag = false;

  /** The latest exit, and what its handlers get: one of each for all exits, which follow each other closely. */
  readonly exit = firstExit(Vendor.vmx);
  context: ExitContext | null = null;

  /** DR0–DR3 and DR6, while another domain's guest runs. */
  readonly debugRegisters = new Int32Array(8);
  /** Exceptions that led to each other, oldest first. */
  readonly chain = new FaultChain();
  interfaces = NO_INTERFACES;
  /** What TSC_OFFSET holds, in cycles. */
  tscOffset = 0;

  constructor(
    readonly hypervisor: Hypervisor,
    readonly domain: Domain,
    readonly board: Board,
    /** Its virtual-processor identifier; 0 where the processor has none to give. */
    readonly vpid: number,
    nested: ((guest: VtxGuest) => NestedPaging) | null = null,
  ) {
    this.vcpu = domain.vcpus[0];
    this.vmcs = hypervisor.frames.allocate(OWNER_HYPERVISOR) * 4096;
    try {
      if (nested) this.shadow = this.nested = nested(this);
      else {
        const Shadows = optional.parts?.Shadows ?? ShadowPaging;
        this.shadow = this.shadowTables = new Shadows(hypervisor, this.vcpu, domain.memory);
      }
    } catch (error) {
      hypervisor.frames.release(this.vmcs >>> 12);
      throw error;
    }
    this.remembered = this.nested?.remembered ?? (vpid ? parts().remembered(this) : null);
    if (this.shadowTables) this.shadowTables.remembered = this.remembered;
    this.debugRegisters[6] = 0xffff0ff0 | 0;
    this.debugRegisters[7] = 0x400;
  }

  /** Gives back what is not the domain's own. */
  release(): void {
    this.shadow.release();
    this.hypervisor.frames.release(this.vmcs >>> 12);
  }

  /** A VMCS field as it lies in memory, without VMREAD: for showing it to people, never for running the guest. */
  look(encoding: number): number {
    return this.hypervisor.pc.memory.read32(this.vmcs + fieldWord(encoding) * 4);
  }
}
