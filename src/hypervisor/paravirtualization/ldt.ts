// A guest's local descriptor table (xen/arch/x86/mm.c map_ldt_shadow_page): the processor's LDTR points to a window behind
// the domain's GDT, and a page of the guest's table is mapped there when the processor first reads a descriptor of it.
// Then it becomes a descriptor page: checked, and no longer writable to the guest. Also the
// commands of mmuext_op that only foreign kernels use: this one's, two on pages, and TLB operations by a mask.
import type { Vcpu } from '../domain.ts';
import { descriptor, SELECTOR } from '../monitor.ts';
import { ERROR, MMUEXT, PTE } from './abi.ts';
import { descriptorSlot, gdtOf } from './descriptors.ts';
import { type ExceptionHandler, optionalExtended } from './extensions.ts';
import { TYPE } from './layout.ts';
import type { PageTables } from './page-tables.ts';
import type { PvDomain } from './pv-domain.ts';
import type { LocalDescriptors, PvVcpu } from './pv-vcpu.ts';

/** The window lies 64 KiB behind the GDT; 8192 descriptors are 16 pages. */
const windowOf = (vcpu: Vcpu): number => gdtOf(vcpu) + 0x10000;
const FIRST_PAGE = 16;
const MAX_ENTRIES = 8192;
const LDT_REGISTER = 6;
const NULL_ACCESS = 0x10000;
/** Present LDT descriptor, DPL 0 (SDM vol. 3 table 3-2). */
const LDT_ACCESS = 0x82;

class Ldt implements LocalDescriptors {
  base = 0;
  entries = 0;

  constructor(
    private readonly tables: PageTables,
    private readonly pv: PvDomain,
    private readonly v: PvVcpu,
  ) {
    v.onLoad.add(() => this.load());
    v.onUnload.add(() => this.setRegister(0));
  }

  /** The table lies at `base` (linear) from now on and has so many descriptors; 0 = none. */
  set(base: number, entries: number): void {
    this.forget();
    this.base = base;
    this.entries = entries;
    if (this.pv.current === this.v) this.load();
  }

  private load(): void {
    this.setRegister(this.entries);
  }

  private setRegister(entries: number): void {
    const { hypervisor } = this.tables;
    const { memory } = hypervisor.pc;
    const page = memory.read32(descriptorSlot(this.pv, this.v, 14)) & ~0xfff;
    const window = windowOf(this.v.vcpu);
    const [low, high] = entries ? descriptor(window, entries * 8 - 1, LDT_ACCESS, 0) : [0, 0];
    memory.write32(page + (SELECTOR.ldt & 0xff8), low);
    memory.write32(page + (SELECTOR.ldt & 0xff8) + 4, high);
    const register = hypervisor.cpu.segments[LDT_REGISTER];
    register.selector = entries ? SELECTOR.ldt : 0;
    register.base = entries ? window : 0;
    register.limit = entries ? entries * 8 - 1 : 0;
    register.access = entries ? LDT_ACCESS : NULL_ACCESS;
  }

  private slot(page: number): number {
    return descriptorSlot(this.pv, this.v, FIRST_PAGE + page);
  }

  forget(): void {
    const { pv, v, tables } = this;
    const { memory } = tables.hypervisor.pc;
    if (!v.ldtFrames.length) return;
    for (let page = 0; page < FIRST_PAGE; page++) memory.write32(this.slot(page), 0);
    // The list first: giving a frame back may come here again.
    const frames = v.ldtFrames;
    v.ldtFrames = [];
    for (const frame of frames) tables.types.drop(pv, frame);
    tables.hypervisor.cpu.tlb.flush();
  }

  touch(selector: number): void {
    const page = (selector & 0xffff) >>> 12;
    if (selector & 4 && !(this.tables.hypervisor.pc.memory.read32(this.slot(page)) & PTE.present))
      this.mapPage(page);
  }

  /** The processor misses a page of the window. @returns false when the guest has no such descriptors there */
  mapPage(page: number): boolean {
    const { pv, v, tables } = this;
    if (page * 512 >= this.entries) return false;
    const slot = tables.access.entryOf(pv, this.base + page * 4096);
    const entry = slot < 0 ? 0 : tables.hypervisor.pc.memory.read32(slot);
    if (!(entry & PTE.present)) return false;
    const frame = entry >>> 12;
    if (!tables.types.take(pv, frame, TYPE.gdt)) return false;
    if (!tables.descriptors.validatePage(pv, frame)) {
      tables.types.drop(pv, frame);
      return false;
    }
    v.ldtFrames.push(frame);
    tables.hypervisor.pc.memory.write32(
      this.slot(page),
      (frame * 4096) | PTE.present | PTE.writable | PTE.accessed | PTE.dirty,
    );
    return true;
  }
}

/** A page fault of the processor's own reading of the window: the page is mapped, or the guest hears of it as of a fault at its own address. */
export const ldtFault: ExceptionHandler = ({ vcpu, pv }, errorCode) => {
  const offset = (vcpu.cr2 >>> 0) - windowOf(vcpu);
  if (offset < 0 || offset >= 0x10000 || errorCode & 5) return false;
  if (!(pv.current.ldt instanceof Ldt)) return false;
  if (pv.current.ldt.mapPage(offset >>> 12)) return true;
  vcpu.cr2 = (pv.current.ldt.base + offset) | 0;
  return false;
};

/** From now on a virtual processor's LDT is there, and has so many descriptors: checked by the caller. */
export function useLdt(tables: PageTables, pv: PvDomain, v: PvVcpu, base: number, entries: number): void {
  if (!entries && !v.ldt) return;
  v.ldt ??= new Ldt(tables, pv, v);
  (v.ldt as Ldt).set(base, entries);
}

/** May a table of descriptors be there? */
export const isLdt = (pv: PvDomain, base: number, entries: number): boolean =>
  !(base & 0xfff) && entries <= MAX_ENTRIES && (!entries || base + entries * 8 <= pv.layout.hypervisorStart);

/** mmuext_op SET_LDT: linear address and number of descriptors. */
function setLdt(tables: PageTables, pv: PvDomain, base: number, entries: number): number {
  if (!isLdt(pv, base, entries)) return ERROR.inval;
  useLdt(tables, pv, pv.current, base, entries);
  return 0;
}

/** CLEAR_PAGE and COPY_PAGE: a frame that is (or becomes, for the moment) an ordinary page. */
function writePage(tables: PageTables, pv: PvDomain, frame: number, content: Uint8Array): number {
  if (!tables.types.take(pv, frame, TYPE.writable)) return ERROR.inval;
  tables.hypervisor.pc.memory.load(frame * 4096, content);
  tables.hypervisor.charge.copyByte(4096);
  tables.types.drop(pv, frame);
  return 0;
}

/**
 * TLB_FLUSH_MULTI, INVLPG_MULTI: for the virtual processors of a mask in the guest's memory. What the others had in the TLB
 * is gone since they lost the processor (world-switch.ts): only the caller's own bit means work.
 */
function forMask(command: number, tables: PageTables, pv: PvDomain, address: number, mask: number): number {
  const { access, hypervisor } = tables;
  if (!((access.read32(pv, mask) >>> pv.current.vcpu.id) & 1)) return 0;
  if (command === MMUEXT.invlpgMulti) hypervisor.cpu.tlb.invalidate(address);
  else {
    hypervisor.charge.tlbFlush();
    hypervisor.cpu.tlb.flush();
  }
  return 0;
}

export function provideExtended(): void {
  optionalExtended.set(MMUEXT.setLdt, setLdt);
  for (const command of [MMUEXT.tlbFlushMulti, MMUEXT.invlpgMulti])
    optionalExtended.set(command, (...asked) => forMask(command, ...asked));
  optionalExtended.set(MMUEXT.clearPage, (tables, pv, frame) =>
    writePage(tables, pv, frame, new Uint8Array(4096)),
  );
  optionalExtended.set(MMUEXT.copyPage, (tables, pv, frame, source) => {
    if (!tables.types.owns(pv, source)) return ERROR.inval;
    const { bytes } = tables.hypervisor.pc.memory;
    return writePage(tables, pv, frame, bytes.slice(source * 4096, source * 4096 + 4096));
  });
}
