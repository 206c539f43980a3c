// Direct paging (Barham et al. 2003, §3.3.3): the guest's page tables are the processor's, read-only to the guest; every
// change comes here, is checked, and is then made. mmu_update, update_va_mapping, mmuext_op (xen/arch/x86/mm.c).
import { loadPdptes } from '../../machine/cpu/page-walk.ts';
import { Kind } from '../../trace/events.ts';
import type { Vcpu } from '../domain.ts';
import type { Hypervisor } from '../hypervisor.ts';
import { DOMID_SELF, ERROR, MMU, MMUEXT, PTE } from './abi.ts';
import type { Descriptors } from './descriptors.ts';
import { optionalExtended } from './extensions.ts';
import type { GuestAccess } from './guest-access.ts';
import { LEVEL, TYPE } from './layout.ts';
import { IGNORED_IN_POINTER, type PageTypes } from './page-types.ts';
import type { PvDomain } from './pv-domain.ts';

/** Requests that one hypercall may carry: an 8 MiB address space (Barham et al. 2003, §3.3.3). */
const MAX_BATCH = 2048;
/** Flag in a count: this call goes on with a list that was interrupted, and the done-count holds what was done before. */
const PREEMPTED = 0x80000000;

export class PageTables {
  /** Set by whoever makes both. */
  descriptors!: Descriptors;

  constructor(
    readonly hypervisor: Hypervisor,
    readonly types: PageTypes,
    readonly access: GuestAccess,
  ) {}

  /** Does something that may validate tables; each one is charged. Result as `operation`'s. */
  charged<T>(operation: () => T): T {
    const before = this.types.validations;
    const result = operation();
    this.hypervisor.charge.pinPageTable(this.types.validations - before);
    return result;
  }

  /** Writes one validated entry. @param machine machine address of the entry. Result 0 or -errno. */
  update(
    vcpu: Vcpu,
    pv: PvDomain,
    machine: number,
    value: number,
    high: number,
    preserveAd: boolean,
  ): number {
    const { memory } = this.hypervisor.pc;
    const type = this.types.typeOf(machine >>> 12);
    const level = LEVEL[type] || 1;
    const start = this.hypervisor.now;
    this.hypervisor.charge.validatePageTableEntry();
    const old = memory.read32(machine);
    const result = this.charged(() => this.store(pv, type, machine, value, high, preserveAd));
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
    pv: PvDomain,
    type: number,
    machine: number,
    value: number,
    high: number,
    preserveAd: boolean,
  ): number {
    const { memory } = this.hypervisor.pc;
    const { pae, entryShift, guestEntries } = pv.layout;
    if (!this.types.owns(pv, machine >>> 12) || machine & (pae ? 7 : 3)) return ERROR.inval;
    // A descriptor page takes descriptors only; any other that is no page table (yet) is an ordinary page of the guest's own.
    if (type === TYPE.gdt) return ERROR.inval;
    const old = memory.read32(machine);
    if (LEVEL[type]) {
      const index = (machine & 0xfff) >>> entryShift;
      if (index >= guestEntries[type]) return ERROR.inval;
      // The top GiB of an address space stays what it was when its table of pointers was validated.
      if (type === TYPE.pointers && index === 3) return ERROR.inval;
      if (this.types.keepsUse(type, old, value, pae ? high : 0)) {
        memory.write32(machine, preserveAd ? value | (old & (PTE.accessed | PTE.dirty)) : value);
        return 0;
      }
      if (!this.types.takeEntry(pv, type, index, value, pae ? high : 0)) return ERROR.inval;
    }
    const kept = LEVEL[type] && preserveAd ? value | (old & (PTE.accessed | PTE.dirty)) : value;
    memory.write32(machine, type === TYPE.pointers && kept & 1 ? kept & ~IGNORED_IN_POINTER : kept);
    if (pae) memory.write32(machine + 4, high);
    if (LEVEL[type]) this.types.dropEntry(pv, type, old);
    if (type === TYPE.pointers && machine >>> 12 === pv.current.baseFrame) this.loadBase(pv);
    return 0;
  }

  /** The processor reads CR3, and with PAE the four pointers behind it. */
  loadBase(pv: PvDomain): void {
    const { cpu } = this.hypervisor;
    cpu.cr3 = (pv.current.baseFrame * 4096) | 0;
    if (pv.layout.pae) loadPdptes(cpu, cpu.cr3);
    cpu.tlb.flush();
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
      const valueHigh = this.access.read32(pv, at + 12);
      const command = low & 3;
      const machine = (low & ~3) >>> 0;
      if (high) return ERROR.inval;
      if (command === MMU.normal || command === MMU.preserveAd)
        return this.update(vcpu, pv, machine, value, valueHigh, command === MMU.preserveAd);
      return command === MMU.machphys ? this.machphys(pv, machine >>> 12, value) : ERROR.nosys;
    });
  }

  private machphys(pv: PvDomain, frame: number, value: number): number {
    this.hypervisor.charge.validatePageTableEntry();
    if (!this.types.owns(pv, frame)) return ERROR.inval;
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
    if (machine < 0 || (valueHigh && !pv.layout.pae)) return ERROR.inval;
    const result = this.update(vcpu, pv, machine, value, valueHigh, false);
    if ((flags & 3) === 1) this.hypervisor.cpu.tlb.flush();
    else if ((flags & 3) === 2) this.hypervisor.cpu.tlb.invalidate(address);
    return result;
  }

  /** mmuext_op(op, count, success_count, domid). Null: see `workOff`. */
  mmuext(pv: PvDomain, a: Int32Array): number | null {
    return this.workOff(pv, a, 12, (at) =>
      this.extended(
        pv,
        this.access.read32(pv, at),
        this.access.read32(pv, at + 4),
        this.access.read32(pv, at + 8),
      ),
    );
  }

  private extended(pv: PvDomain, command: number, first: number, second: number): number {
    const { hypervisor } = this;
    hypervisor.charge.validatePageTableEntry();
    switch (command) {
      case MMUEXT.pinL1:
      case MMUEXT.pinL2:
      case MMUEXT.pinL3: {
        // Levels that there are not have nothing to pin: Xen takes no notice.
        if (command === MMUEXT.pinL3 && !pv.layout.pae) return 0;
        const type = [TYPE.table, TYPE.directory, TYPE.pointers][command];
        return this.charged(() => this.types.pin(pv, first >>> 0, type)) ? 0 : ERROR.inval;
      }
      case MMUEXT.pinL4:
        return 0;
      case MMUEXT.unpin:
        return this.types.unpin(pv, first >>> 0) ? 0 : ERROR.inval;
      case MMUEXT.newBasePointer:
        return this.newBasePointer(pv, first >>> 0);
      case MMUEXT.tlbFlushLocal:
      case MMUEXT.tlbFlushAll:
        hypervisor.charge.tlbFlush();
        hypervisor.cpu.tlb.flush();
        return 0;
      case MMUEXT.invlpgLocal:
      case MMUEXT.invlpgAll:
        hypervisor.cpu.tlb.invalidate(first);
        return 0;
      default:
        return optionalExtended.get(command)?.(this, pv, first >>> 0, second >>> 0) ?? ERROR.nosys;
    }
  }

  /** The guest's new page directory: validated (or already so), used, loaded. */
  newBasePointer(pv: PvDomain, frame: number): number {
    this.hypervisor.charge.switchBasePointer();
    if (!this.charged(() => this.types.take(pv, frame, pv.layout.baseType))) return ERROR.inval;
    const old = pv.current.baseFrame;
    pv.current.baseFrame = frame;
    this.loadBase(pv);
    pv.current.ldt?.forget();
    if (old) this.types.drop(pv, old);
    return 0;
  }
}
