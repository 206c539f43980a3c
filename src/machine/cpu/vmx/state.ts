// What a processor with VT-x remembers outside memory: whether it is in VMX operation, and which VMCS is current
// (SDM vol. 3 §24.1). All else that VMX knows lies in the VMCS region, in machine memory.
import type { Cpu } from '../cpu.ts';
import { SegmentsSeen } from '../segment-loads.ts';
import type { VmxCapabilities } from './capabilities.ts';
import { Dirty } from './dirty.ts';
import { settleHost } from './exit.ts';
import { capabilitiesOf, type SecondGeneration, secondGenerationOf } from './generations.ts';
import { buildFieldIndex } from './layout.ts';
import { SysenterMsrs } from './msr-areas.ts';
import { VmxIntercepts } from './vmx-intercepts.ts';

const CR0_PE_PG = 0x80000001;

/** The VMXON pointer and the current-VMCS pointer when there is none: FFFFFFFF_FFFFFFFFH, of which this is the low half. */
export const NO_VMCS = -1;

export class VmxState {
  /** Between VMXON and VMXOFF. Non-root operation is when cpu.intercepts is `intercepts`. */
  operation = false;
  /** Physical addresses, or NO_VMCS. */
  vmxonPointer: number = NO_VMCS;
  current: number = NO_VMCS;
  /** `current` as an index into `words`. */
  base = 0;
  /** Machine memory in 32-bit words: a VMCS field is words[base + W.x]. */
  readonly words: Int32Array;
  /** Word of a field by encoding, 0 = not on this processor. */
  readonly fieldIndex: Uint16Array;
  /** Cycles of the transitions, from the cost model. */
  readonly cycles: {
    readonly exit: number;
    readonly entry: number;
    readonly vmptrld: number;
  };
  readonly readCycles: number;
  readonly writeCycles: number;
  readonly intercepts: VmxIntercepts;
  /** What only the second generation does; null on the first. */
  readonly second: SecondGeneration | null;
  /** When the last recorded exit was, in cycles; -1 before the first. */
  leftAt = -1;
  /** The guest that is entered, or was last, may switch protection and paging off. */
  unrestricted = false;
  readonly sysenter = new SysenterMsrs();
  /** `Dirty` bits of the current VMCS. */
  dirty: number = Dirty.all;
  /**
   * A hypervisor of ours has entered VMX operation: its code is not the simulated processor's. Then a VM exit to the monitor
   * leaves the guest's registers where they are and those of the host unloaded (`resident`), until the next entry or until
   * somebody needs the host (`settleHost`). The guest's area in the VMCS is saved all the same.
   */
  ours = false;
  resident = false;
  /** When the current VMCS got the guest's segment registers. */
  readonly segmentsSaved = new SegmentsSeen();

  constructor(
    readonly cpu: Cpu,
    readonly capabilities: VmxCapabilities = capabilitiesOf(cpu),
  ) {
    this.second = capabilities.generation === 2 ? secondGenerationOf(cpu) : null;
    this.words = new Int32Array(cpu.memory.bytes.buffer, cpu.memory.bytes.byteOffset, cpu.memory.size >> 2);
    this.fieldIndex = buildFieldIndex(capabilities.generation);
    const charges = cpu.cost.charges;
    this.cycles = {
      exit: charges.vmExit.cycles,
      entry: charges.vmEntry.cycles,
      vmptrld: charges.vmptrld.cycles,
    };
    this.readCycles = charges.vmread.cycles;
    this.writeCycles = charges.vmwrite.cycles;
    this.intercepts = new VmxIntercepts(this);
  }

  /** A guest's CR0 for comparing with what is fixed: PE and PG are free in an unrestricted guest (§23.8). */
  fixed(cr0: number): number {
    return this.unrestricted ? cr0 | CR0_PE_PG : cr0;
  }

  /** Makes a region current. @param physical its address, or NO_VMCS */
  setCurrent(physical: number): void {
    settleHost(this.cpu);
    this.dirty = Dirty.all;
    this.segmentsSaved.forget();
    this.current = physical;
    this.base = physical === NO_VMCS ? 0 : physical >>> 2;
  }
}

/** The processor's VMX state; made on first use. */
export function vmxOf(cpu: Cpu): VmxState {
  return (cpu.vmx ??= new VmxState(cpu));
}
