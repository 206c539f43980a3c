// A guest's local descriptor table (xen/arch/x86/mm.c map_ldt_shadow_page): the processor's LDTR points to a window behind
// the domain's GDT, and a page of the guest's table is mapped there when the processor first reads a descriptor of it.
// Then it becomes a descriptor page: checked, and no longer writable to the guest. Also the two page commands of mmuext_op.
import { descriptor, PER_DOMAIN_START, SELECTOR } from '../monitor.ts';
import { ERROR, MMUEXT, PTE } from './abi.ts';
import { type ExceptionHandler, optionalExtended } from './extensions.ts';
import { TYPE } from './layout.ts';
import type { PageTables } from './page-tables.ts';
import type { LocalDescriptors, PvDomain } from './pv-domain.ts';

/** The window lies 64 KiB behind the GDT; 8192 descriptors are 16 pages. */
const WINDOW = PER_DOMAIN_START + 0x10000;
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
  ) {
    pv.onLoad.add(() => this.load());
    pv.onUnload.add(() => this.setRegister(0));
  }

  /** The table lies at `base` (linear) from now on and has so many descriptors; 0 = none. */
  set(base: number, entries: number): void {
    this.forget();
    this.base = base;
    this.entries = entries;
    this.load();
  }

  private load(): void {
    this.setRegister(this.entries);
  }

  private setRegister(entries: number): void {
    const { hypervisor } = this.tables;
    const { memory } = hypervisor.pc;
    const page = memory.read32(this.pv.perDomainTable + (14 << this.pv.layout.entryShift)) & ~0xfff;
    const [low, high] = entries ? descriptor(WINDOW, entries * 8 - 1, LDT_ACCESS, 0) : [0, 0];
    memory.write32(page + (SELECTOR.ldt & 0xff8), low);
    memory.write32(page + (SELECTOR.ldt & 0xff8) + 4, high);
    const register = hypervisor.cpu.segments[LDT_REGISTER];
    register.selector = entries ? SELECTOR.ldt : 0;
    register.base = entries ? WINDOW : 0;
    register.limit = entries ? entries * 8 - 1 : 0;
    register.access = entries ? LDT_ACCESS : NULL_ACCESS;
  }

  private slot(page: number): number {
    return this.pv.perDomainTable + ((FIRST_PAGE + page) << this.pv.layout.entryShift);
  }

  forget(): void {
    const { pv, tables } = this;
    const { memory } = tables.hypervisor.pc;
    if (!pv.ldtFrames.length) return;
    for (let page = 0; page < FIRST_PAGE; page++) memory.write32(this.slot(page), 0);
    // The list first: giving a frame back may come here again.
    const frames = pv.ldtFrames;
    pv.ldtFrames = [];
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
    const { pv, tables } = this;
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
    pv.ldtFrames.push(frame);
    tables.hypervisor.pc.memory.write32(
      this.slot(page),
      (frame * 4096) | PTE.present | PTE.writable | PTE.accessed | PTE.dirty,
    );
    return true;
  }
}

/** A page fault of the processor's own reading of the window: the page is mapped, or the guest hears of it as of a fault at its own address. */
export const ldtFault: ExceptionHandler = ({ vcpu, pv }, errorCode) => {
  const offset = (vcpu.cr2 >>> 0) - WINDOW;
  if (offset < 0 || offset >= 0x10000 || errorCode & 5) return false;
  if (!(pv.ldt instanceof Ldt)) return false;
  if (pv.ldt.mapPage(offset >>> 12)) return true;
  vcpu.cr2 = (pv.ldt.base + offset) | 0;
  return false;
};

/** mmuext_op SET_LDT: linear address and number of descriptors. */
function setLdt(tables: PageTables, pv: PvDomain, base: number, entries: number): number {
  if (base & 0xfff || entries > MAX_ENTRIES) return ERROR.inval;
  if (entries && base + entries * 8 > pv.layout.hypervisorStart) return ERROR.inval;
  if (!entries && !pv.ldt) return 0;
  pv.ldt ??= new Ldt(tables, pv);
  (pv.ldt as Ldt).set(base, entries);
  return 0;
}

/** CLEAR_PAGE and COPY_PAGE: a frame that is (or becomes, for the moment) an ordinary page. */
function writePage(tables: PageTables, pv: PvDomain, frame: number, content: Uint8Array): number {
  if (!tables.types.take(pv, frame, TYPE.writable)) return ERROR.inval;
  tables.hypervisor.pc.memory.load(frame * 4096, content);
  tables.hypervisor.charge('copyByte', 4096);
  tables.types.drop(pv, frame);
  return 0;
}

export function provideExtended(): void {
  optionalExtended.set(MMUEXT.setLdt, setLdt);
  optionalExtended.set(MMUEXT.clearPage, (tables, pv, frame) =>
    writePage(tables, pv, frame, new Uint8Array(4096)),
  );
  optionalExtended.set(MMUEXT.copyPage, (tables, pv, frame, source) => {
    if (!tables.types.owns(pv, source)) return ERROR.inval;
    const { bytes } = tables.hypervisor.pc.memory;
    return writePage(tables, pv, frame, bytes.slice(source * 4096, source * 4096 + 4096));
  });
}
