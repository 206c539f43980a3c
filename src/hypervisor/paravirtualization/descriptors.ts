// Descriptor tables of a paravirtualized guest: trap table, GDT pages, single descriptors. A guest's segment may never
// reach into the hypervisor or carry ring 0 (xen/arch/x86/mm.c check_descriptor, x86_32/mm.c).
import type { Vcpu } from '../domain.ts';
import type { Hypervisor } from '../hypervisor.ts';
import { PER_DOMAIN_START, SELECTOR } from '../monitor.ts';
import { ERROR, PTE, TRAP_INFO_SIZE } from './abi.ts';
import type { GuestAccess } from './guest-access.ts';
import { LEVEL, TYPE } from './layout.ts';
import type { PageTypes } from './page-types.ts';
import type { PvDomain } from './pv-domain.ts';
import type { PvVcpu } from './pv-vcpu.ts';

/** Guests may use 14 pages of GDT; the fifteenth is the hypervisor's. */
const MAX_GDT_FRAMES = 14;
/** Each virtual processor has its GDT and, behind that, its LDT at a place of its own (GDT_LDT_VCPU_VA_SHIFT): in pages. */
const PAGES_PER_VCPU = 32;
/** Linear address of the GDT that the processor has while this one runs: the guest's pages, and page 14, Xen's. */
export const gdtOf = ({ id }: Vcpu): number => PER_DOMAIN_START + id * PAGES_PER_VCPU * 4096;
/** Machine address of the entry that maps page `page` of the descriptor tables of one virtual processor: 0.. GDT, 16.. LDT. */
export const descriptorSlot = (pv: PvDomain, { vcpu }: PvVcpu, page: number): number =>
  pv.perDomainTable + ((vcpu.id * PAGES_PER_VCPU + page) << pv.layout.entryShift);

/** The one vector whose gate may lead to the guest without the hypervisor: Linux's system calls. */
export const DIRECT_VECTOR = 0x80;

const FLAT = { base: 0, wide: true };
const baseOf = (low: number, high: number): number =>
  ((low >>> 16) | ((high & 0xff) << 16) | (high & 0xff000000)) >>> 0;

export class Descriptors {
  constructor(
    private readonly hypervisor: Hypervisor,
    private readonly access: GuestAccess,
    private readonly types: PageTypes,
  ) {}

  /** set_trap_table: entries until one with address 0. Code selectors are raised to ring 1. */
  setTrapTable(pv: PvDomain, table: number): number {
    pv.current.trapsVersion++;
    if (!table) {
      pv.current.traps.fill(null);
      return 0;
    }
    for (let n = 0; n <= 256; n++) {
      const at = table + n * TRAP_INFO_SIZE;
      const vector = this.access.read8(pv, at);
      const flags = this.access.read8(pv, at + 1);
      const selector = this.access.read16(pv, at + 2);
      const address = this.access.read32(pv, at + 4);
      if (!address) break;
      pv.current.traps[vector] = {
        dpl: flags & 3,
        masksEvents: (flags & 4) !== 0,
        selector: this.guestSelector(selector),
        address,
      };
    }
    return 0;
  }

  /** A selector with at least ring 1 in its RPL. */
  guestSelector(selector: number): number {
    return selector & 3 ? selector & 0xffff : (selector & 0xffff) | 1;
  }

  /**
   * The guest's gate for INT 80h when the processor may take it without the hypervisor: straight from ring 3 to ring 1
   * (Barham et al. 2003, §3.3.1 "fast" handlers; Xen's init_int80_direct_trap). Null when it must go through the
   * hypervisor: a gate that masks events needs the mask written, and the processor ignores the RPL of a gate's selector,
   * so one that names a segment of the hypervisor would lead to ring 0.
   */
  directGate(pv: PvDomain): [number, number] | null {
    const handler = pv.current.traps[DIRECT_VECTOR];
    if (!handler || handler.masksEvents || handler.dpl !== 3 || !this.isGateTarget(handler.selector))
      return null;
    return [
      (handler.selector << 16) | (handler.address & 0xffff),
      (handler.address & 0xffff0000) | ((0x8f | (3 << 5)) << 8),
    ];
  }

  /** A ring-1 selector of the guest's own (checked) descriptors, or the flat one that every guest has. */
  private isGateTarget(selector: number): boolean {
    const own = (selector & 7) === 1 && selector < SELECTOR.firstReserved;
    return own || selector === SELECTOR.ring1Code;
  }

  /** Where a guest's code segment begins, and whether it is a 32-bit one; null when there is no such descriptor. */
  segment(pv: PvDomain, selector: number): { base: number; wide: boolean } | null {
    if (selector >= SELECTOR.firstReserved) return FLAT;
    const frame = pv.current.gdtFrames[selector >>> 12];
    if (frame === undefined || selector & 4) return null;
    const { memory } = this.hypervisor.pc;
    const at = frame * 4096 + (selector & 0xff8);
    const high = memory.read32(at + 4);
    return { base: baseOf(memory.read32(at), high), wide: (high & 0x400000) !== 0 };
  }

  /** The descriptor as the guest may have it, or null. Segments are cut off below the monitor. */
  check({ layout: { segmentEnd } }: PvDomain, low: number, high: number): [number, number] | null {
    if (!(high & 0x8000)) return [low, high];
    // System descriptors: none are allowed. Ring 0: never.
    if (!(high & 0x1000) || !(high & 0x6000)) return null;
    const base = baseOf(low, high);
    const pages = (high & 0x800000) !== 0;
    const field = (low & 0xffff) | (high & 0xf0000);
    // Expand-down data segments reach up to 4 GiB: only those that wrap around before they begin are good (segments-4gb.ts).
    if ((high & 0xc00) === 0x400)
      return pages && base < segmentEnd && base + (field + 1) * 4096 >= 0x100000000 ? [low, high] : null;
    const limit = pages ? field * 4096 + 0xfff : field;
    if (base + limit < segmentEnd) return [low, high];
    // Cut to whole pages; a segment that begins in the last page below the monitor has none left.
    const left = Math.floor((segmentEnd - base) / 4096) - 1;
    if (left < 0 || !pages) return null;
    return [(low & 0xffff0000) | (left & 0xffff), (high & ~0xf0000) | (left & 0xf0000)];
  }

  /** set_gdt(frame list, entries). See `useGdt`. */
  setGdt(pv: PvDomain, list: number, entries: number): number {
    const count = Math.ceil((entries >>> 0) / 512);
    if (count > MAX_GDT_FRAMES) return ERROR.inval;
    const wanted: number[] = [];
    for (let n = 0; n < count; n++) wanted.push(this.access.read32(pv, list + n * 4) >>> 0);
    return this.useGdt(pv, pv.current, wanted);
  }

  /**
   * The guest's own descriptor pages become the first pages of a virtual processor's GDT. When one of them cannot, everything
   * stays as it was. @param wanted machine frames
   */
  useGdt(pv: PvDomain, v: PvVcpu, wanted: readonly number[]): number {
    if (wanted.length > MAX_GDT_FRAMES) return ERROR.inval;
    const taken: number[] = [];
    for (const frame of wanted) {
      const ours = this.types.take(pv, frame, TYPE.gdt);
      if (ours) taken.push(frame);
      if (ours && this.validatePage(pv, frame)) continue;
      for (const back of taken) this.types.drop(pv, back);
      return ERROR.inval;
    }
    for (const frame of v.gdtFrames) this.types.drop(pv, frame);
    v.gdtFrames = taken;
    this.mapGdt(pv, v);
    return 0;
  }

  /** Checks 512 descriptors; when all are acceptable, writes back those that had to be cut. */
  validatePage(pv: PvDomain, frame: number): boolean {
    this.hypervisor.charge.pinPageTable();
    const { memory } = this.hypervisor.pc;
    const end = frame * 4096 + 4096;
    for (let at = frame * 4096; at < end; at += 8) {
      if (!this.check(pv, memory.read32(at), memory.read32(at + 4))) return false;
    }
    for (let at = frame * 4096; at < end; at += 8) {
      const [low, high] = this.check(pv, memory.read32(at), memory.read32(at + 4))!;
      memory.write32(at, low);
      memory.write32(at + 4, high);
    }
    return true;
  }

  private mapGdt(pv: PvDomain, v: PvVcpu): void {
    for (let n = 0; n < MAX_GDT_FRAMES; n++) {
      const frame = v.gdtFrames[n];
      const entry =
        frame === undefined ? 0 : (frame * 4096) | PTE.present | PTE.writable | PTE.accessed | PTE.dirty;
      this.hypervisor.pc.memory.write32(descriptorSlot(pv, v, n), entry);
    }
    this.hypervisor.cpu.tlb.flush();
  }

  /** update_descriptor(machine address, descriptor): one checked entry of a GDT page in use, or of an ordinary page. */
  updateDescriptor(pv: PvDomain, machine: number, low: number, high: number): number {
    const frame = machine >>> 12;
    if (machine & 7 || !this.types.owns(pv, frame) || LEVEL[this.types.typeOf(frame)]) return ERROR.inval;
    const checked = this.check(pv, low, high);
    if (!checked) return ERROR.inval;
    this.hypervisor.pc.memory.write32(machine, checked[0]);
    this.hypervisor.pc.memory.write32(machine + 4, checked[1]);
    return 0;
  }
}
