// Which paravirtualized virtual processor the physical one belongs to: CR3 and CR4, the descriptor tables, the gate that leads
// to the guest without the hypervisor, and the way back to ring 1 or 3 (xen/arch/x86/domain.c context_switch of 3.0).
import { isFault } from '../../machine/cpu/fault.ts';
import { returnFromInterrupt } from '../../machine/cpu/iret.ts';
import { CR4_PAE } from '../../machine/cpu/page-walk.ts';
import { loadSegment } from '../../machine/cpu/segmentation.ts';
import { DS, ES, FS, GS } from '../../machine/isa/instruction.ts';
import type { Hypervisor } from '../hypervisor.ts';
import { PER_DOMAIN_START } from '../monitor.ts';
import { prepareReturn } from '../trap-frame.ts';
import { type Descriptors, DIRECT_VECTOR, gdtOf } from './descriptors.ts';
import type { PageTables } from './page-tables.ts';
import { CR4_OWN } from './privileged-ops.ts';
import type { PvDomain } from './pv-domain.ts';
import { type PvVcpu, RUNSTATE } from './pv-vcpu.ts';

const CR4_SSE = 0x600;

export class WorldSwitch {
  /** Whose tables the processor has, and of which domain: cr3, GDT area, direct gates, TSS stack. */
  loaded: PvVcpu | null = null;
  domain: PvDomain | null = null;
  private gatesVersion = 0;

  constructor(
    private readonly hypervisor: Hypervisor,
    private readonly tables: PageTables,
    private readonly descriptors: Descriptors,
  ) {}

  /**
   * The processor goes from one form of page tables to the other: out of paging, where the monitor's code lies at its own
   * physical address, CR4, and on with the new CR3 (SDM vol. 3 §4.1.2).
   */
  private usePae(pae: boolean): void {
    const { cpu } = this.hypervisor;
    if (((cpu.cr4 & CR4_PAE) !== 0) === pae) return;
    cpu.cr4 ^= CR4_PAE;
    this.hypervisor.charge.switchBasePointer();
    cpu.tlb.flush();
  }

  /** Puts the tables of a domain's current virtual processor under the physical one. */
  use(pv: PvDomain): void {
    const { current } = pv;
    if (this.loaded !== current) this.load(pv);
    else if (this.gatesVersion !== current.trapsVersion) this.writeGates(pv);
  }

  private load(pv: PvDomain): void {
    const { cpu } = this.hypervisor;
    const { current } = pv;
    this.usePae(pv.layout.pae);
    this.tables.loadBase(pv);
    cpu.gdtr.base = gdtOf(current.vcpu);
    cpu.gdtr.limit = 0xffff;
    // SSE, as far as the processor has it, is every guest's: OSFXSR, OSXMMEXCPT.
    cpu.cr4 |= CR4_SSE | ((current.cr4 ?? 0) & CR4_OWN);
    this.hypervisor.charge.tlbFlush();
    this.writeGates(pv);
    this.loaded = current;
    this.domain = pv;
    current.enterRunstate(RUNSTATE.running, this.hypervisor.now);
    for (const call of current.onLoad) call();
  }

  private writeGates(pv: PvDomain): void {
    const { monitor } = this.hypervisor;
    monitor.writeGate(DIRECT_VECTOR, this.descriptors.directGate(pv) ?? monitor.monitorGate(DIRECT_VECTOR));
    this.gatesVersion = pv.current.trapsVersion;
  }

  /** Nobody's tables: whoever comes next finds the hypervisor's own, without PAE. */
  unload(): void {
    const { cpu, monitor } = this.hypervisor;
    this.domain?.unhooked?.reconnect();
    cpu.cr4 &= ~(CR4_SSE | CR4_OWN);
    cpu.gdtr.base = PER_DOMAIN_START;
    if (this.loaded) for (const call of this.loaded.onUnload) call();
    if (this.domain?.layout.pae) {
      this.usePae(false);
      cpu.cr3 = monitor.pageDirectory;
    }
    this.loaded = null;
    this.domain = null;
  }

  /** IRET to the frame. False when the processor refuses it, and then nothing has happened. */
  returnTo({ vcpu, frame }: PvVcpu): boolean {
    const { cpu } = this.hypervisor;
    prepareReturn(this.hypervisor, frame, vcpu.regs);
    try {
      returnFromInterrupt(cpu);
      return true;
    } catch (error) {
      if (!isFault(error)) throw error;
      return false;
    }
  }

  /** A selector that is not valid any more becomes null. False when there was one. */
  loadDataSegments({ frame }: PvVcpu): boolean {
    const { cpu } = this.hypervisor;
    let good = true;
    for (const [register, selector] of [
      [DS, frame.ds],
      [ES, frame.es],
      [FS, frame.fs],
      [GS, frame.gs],
    ]) {
      try {
        loadSegment(cpu, register, selector);
      } catch (error) {
        if (!isFault(error)) throw error;
        loadSegment(cpu, register, 0);
        good = false;
      }
    }
    return good;
  }
}
