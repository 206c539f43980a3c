// Direct paging (Barham et al. 2003, §3.3.3): the guest's page tables are the processor's, read-only to the guest; every
// change comes here, is checked, and is then made. mmu_update, update_va_mapping, mmuext_op (xen/arch/x86/mm.c).
import { Kind } from '../../trace/events.ts';
import type { Vcpu } from '../domain.ts';
import type { Hypervisor } from '../hypervisor.ts';
import { DOMID_SELF, ERROR, FIRST_HYPERVISOR_PDE, MMU, MMUEXT, PTE } from './abi.ts';
import type { GuestAccess } from './guest-access.ts';
import { type PageTypes, TYPE } from './page-types.ts';
import type { PvDomain } from './pv-domain.ts';

/** Requests that one hypercall may carry: an 8 MiB address space (Barham et al. 2003, §3.3.3). */
const MAX_BATCH = 2048;
/** Flag in a count: this call goes on with a list that was interrupted, and the done-count holds what was done before. */
const PREEMPTED = 0x80000000;

export class PageTables {
  constructor(
    private readonly hypervisor: Hypervisor,
    private readonly types: PageTypes,
    private readonly access: GuestAccess,
  ) {}

  /** Does something that may validate tables; each one is charged. Result as `operation`'s. */
  private charged<T>(operation: () => T): T {
    const before = this.types.validations;
    const result = operation();
    this.hypervisor.charge('pinPageTable', this.types.validations - before);
    return result;
  }

  /** Writes one validated entry. @param machine machine address of the entry. Result 0 or -errno. */
  private update(vcpu: Vcpu, machine: number, value: number, preserveAd: boolean): number {
    const { memory } = this.hypervisor.pc;
    const frame = machine >>> 12;
    const level = this.types.typeOf(frame) === TYPE.directory ? 2 : 1;
    const start = this.hypervisor.now;
    this.hypervisor.charge('validatePageTableEntry');
    const old = memory.read32(machine);
    const result = this.charged(() => this.store(vcpu.domain.id, frame, level, machine, value, preserveAd));
    this.hypervisor.record(
      vcpu,
      Kind.pageTable,
      machine,
      result ? value : memory.read32(machine),
      level,
      result,
      old,
      this.hypervisor.now - start,
    );
    return result;
  }

  private store(
    domain: number,
    frame: number,
    level: number,
    machine: number,
    value: number,
    preserveAd: boolean,
  ): number {
    const { memory } = this.hypervisor.pc;
    if (
      frame >= this.hypervisor.frames.count ||
      this.hypervisor.frames.owner[frame] !== domain ||
      machine & 3
    )
      return ERROR.inval;
    const type = this.types.typeOf(frame);
    if (type !== TYPE.table && type !== TYPE.directory) {
      // Not a page table (yet): an ordinary page of the guest's own.
      if (type === TYPE.gdt) return ERROR.inval;
      memory.write32(machine, value);
      return 0;
    }
    if (level === 2 && (machine & 0xfff) >>> 2 >= FIRST_HYPERVISOR_PDE) return ERROR.inval;
    const old = memory.read32(machine);
    if (!this.types.takeEntry(domain, level, value)) return ERROR.inval;
    memory.write32(machine, preserveAd ? value | (old & (PTE.accessed | PTE.dirty)) : value);
    this.types.dropEntry(domain, level, old);
    return 0;
  }

  /**
   * Works a guest's list off: a request that fails ends it, and so does the end of the time slice; then the hypercall is
   * made again for the rest (Xen's hypercall continuation), so that no list holds the host up.
   * @param a arguments of the hypercall: list, count, address of the done-count or 0, domain; changed to what remains
   * @returns result for the guest, or null when the rest is to be done by another call
   */
  private workOff(pv: PvDomain, a: Int32Array, size: number, request: (at: number) => number): number | null {
    if ((a[3] & 0xffff) !== DOMID_SELF) return ERROR.perm;
    const { access, hypervisor } = this;
    const again = (a[1] & PREEMPTED) !== 0;
    const count = a[1] & ~PREEMPTED;
    if (count > MAX_BATCH) return ERROR.inval;
    let result = 0;
    let done = 0;
    while (done < count && !result) {
      if (done > 0 && hypervisor.now >= hypervisor.sliceEnd) break;
      result = request(a[0] + done * size);
      if (!result) done++;
    }
    if (a[2]) access.write32(pv, a[2], (again ? access.read32(pv, a[2]) : 0) + done);
    if (result || done === count) return result;
    a[0] += done * size;
    a[1] = (count - done) | PREEMPTED;
    return null;
  }

  /** mmu_update(req, count, success_count, domid). Null: see `workOff`. */
  mmuUpdate(vcpu: Vcpu, pv: PvDomain, a: Int32Array): number | null {
    return this.workOff(pv, a, 16, (at) => {
      const low = this.access.read32(pv, at);
      const high = this.access.read32(pv, at + 4);
      const value = this.access.read32(pv, at + 8);
      const command = low & 3;
      const machine = (low & ~3) >>> 0;
      if (high) return ERROR.inval;
      if (command === MMU.normal || command === MMU.preserveAd)
        return this.update(vcpu, machine, value, command === MMU.preserveAd);
      return command === MMU.machphys ? this.machphys(vcpu, machine >>> 12, value) : ERROR.nosys;
    });
  }

  private machphys(vcpu: Vcpu, frame: number, value: number): number {
    this.hypervisor.charge('validatePageTableEntry');
    if (frame >= this.hypervisor.frames.count || this.hypervisor.frames.owner[frame] !== vcpu.domain.id)
      return ERROR.inval;
    this.hypervisor.monitor.setMachineToPhysical(frame, value);
    return 0;
  }

  /** update_va_mapping(va, value, flags): the level-1 entry of a linear address in the current address space. */
  updateVaMapping(
    vcpu: Vcpu,
    pv: PvDomain,
    address: number,
    value: number,
    valueHigh: number,
    flags: number,
  ): number {
    const machine = this.access.entryOf(pv, address);
    if (machine < 0 || valueHigh) return ERROR.inval;
    const result = this.update(vcpu, machine, value, false);
    if ((flags & 3) === 1) this.hypervisor.cpu.tlb.flush();
    else if ((flags & 3) === 2) this.hypervisor.cpu.tlb.invalidate(address);
    return result;
  }

  /** mmuext_op(op, count, success_count, domid). Null: see `workOff`. */
  mmuext(vcpu: Vcpu, pv: PvDomain, a: Int32Array): number | null {
    return this.workOff(pv, a, 12, (at) =>
      this.extended(
        vcpu,
        pv,
        this.access.read32(pv, at),
        this.access.read32(pv, at + 4),
        this.access.read32(pv, at + 8),
      ),
    );
  }

  private extended(vcpu: Vcpu, pv: PvDomain, command: number, first: number, second: number): number {
    const domain = vcpu.domain.id;
    const { hypervisor } = this;
    hypervisor.charge('validatePageTableEntry');
    switch (command) {
      case MMUEXT.pinL1:
      case MMUEXT.pinL2:
        return this.charged(() =>
          this.types.pin(
            domain,
            first >>> 0,
            command === MMUEXT.pinL1 ? TYPE.table : TYPE.directory,
            pv.perDomainTable,
          ),
        )
          ? 0
          : ERROR.inval;
      case MMUEXT.unpin:
        return this.types.unpin(domain, first >>> 0) ? 0 : ERROR.inval;
      case MMUEXT.newBasePointer:
        return this.newBasePointer(vcpu, pv, first >>> 0);
      case MMUEXT.tlbFlushLocal:
      case MMUEXT.tlbFlushMulti:
      case MMUEXT.tlbFlushAll:
        hypervisor.charge('tlbFlush');
        hypervisor.cpu.tlb.flush();
        return 0;
      case MMUEXT.invlpgLocal:
      case MMUEXT.invlpgMulti:
      case MMUEXT.invlpgAll:
        hypervisor.cpu.tlb.invalidate(first);
        return 0;
      case MMUEXT.flushCache:
        return 0;
      case MMUEXT.setLdt:
        // The guests of this ABI run without an LDT; clearing it is all that is needed.
        return second === 0 ? 0 : ERROR.nosys;
      default:
        return ERROR.nosys;
    }
  }

  /** The guest's new page directory: validated (or already so), used, loaded. */
  newBasePointer(vcpu: Vcpu, pv: PvDomain, frame: number): number {
    const { hypervisor } = this;
    const domain = vcpu.domain.id;
    hypervisor.charge('switchBasePointer');
    if (!this.charged(() => this.types.take(domain, frame, TYPE.directory, pv.perDomainTable)))
      return ERROR.inval;
    const old = pv.baseFrame;
    pv.baseFrame = frame;
    hypervisor.cpu.cr3 = (frame * 4096) | 0;
    hypervisor.cpu.tlb.flush();
    if (old) this.types.drop(domain, old);
    return 0;
  }
}
