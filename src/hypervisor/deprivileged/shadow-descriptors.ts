// Shadow descriptor tables: what GDTR and LDTR really point to while the guest runs, made from the guest's own GDT and LDT.
// The frames that these lie in are traced, so every write to them is seen, and the shadow is always what the guest's says.
// A table that shares its page with data which the kernel writes all the time need not be traced while nobody can load
// a segment register without the monitor: it is then compared with what it was whenever the guest comes (`relax`).
// A segment register may outlive its descriptor (LGDT, or a changed entry): hidden parts cannot be read back, so what
// such a register was loaded from is *kept*, and the entry of its selector stays empty so that every new load traps.
// What the processor itself writes there are accessed bits: whenever the guest comes, its own table gets them.
import { CS, SS } from '../../machine/isa/instruction.ts';
import { OWNER_HYPERVISOR } from '../frames.ts';
import type { Hypervisor } from '../hypervisor.ts';
import { PER_DOMAIN_START, SELECTOR } from '../monitor.ts';
import { ACCESSED, AccessedBits, isUnaccessed } from './accessed-bits.ts';
import { convert } from './convert.ts';
import type { DeprivilegedGuest } from './guest.ts';
import { isGuestFault } from './linear.ts';
import { compareWords, contain, framesOf, readWords } from './table-frames.ts';

/** GDT pages 0..13 are the guest's, 14 is the monitor's; the LDT follows from page 16. */
const GDT_PAGES = 14;
const LDT_PAGE = 16;
const AREA_PAGES = 32;
/** Present, accessed, dirty; and writable. */
const MAPPED = 0x61;
const MAPPED_WRITABLE = 0x63;

/** Selectors of the monitor's GDT page through which a kept CS or SS is loaded. */
const SLOT = { [CS]: 0xe048, [SS]: 0xe050 } as const;
const REGISTERS = [0, 1, 2, 3, 4, 5] as const;
const CODE_AND_STACK = [CS, SS] as const;

/** Descriptors of tables that are compared rather than traced, at most. */
const MOST_COMPARED = 64;

/** Bytes that one instruction can write from one address: FXSAVE. */
const WIDEST_WRITE = 512;

export interface Words {
  low: number;
  high: number;
}
/** A descriptor that a segment register was loaded from and that its table no longer has. */
interface Kept extends Words {
  selector: number;
}

export class ShadowDescriptors {
  /** The guest's GDTR, and its LDTR with the hidden part; `limit` -1 = no LDT. */
  readonly gdtr = { base: 0, limit: 0 };
  readonly ldtr = { selector: 0, base: 0, limit: -1 };
  private readonly tables = [this.gdtr, this.ldtr] as const;
  /** Something changed that the shadow must follow before the guest runs again. */
  stale = true;

  /** Machine address of each page of the area, 0 = the common empty page. */
  private readonly pages = new Int32Array(AREA_PAGES);
  private readonly emptyPage: number;
  private readonly kept: (Kept | null)[] = [null, null, null, null, null, null];
  private keptCount = 0;
  /** Entries that are empty because of a kept register: what would be there, by selector without RPL. */
  private readonly suppressed = new Map<number, Words>();
  /** Selectors that CS and SS have for the guest while they are loaded through a slot. */
  private readonly slotted = new Map<number, number>();
  /** Guest frames of the tables, traced. */
  private traced: number[] = [];
  private readonly converted: Words = { low: 0, high: 0 };
  private readonly accessed: AccessedBits;
  /** What the tables held when they ceased to be traced; null while they are. */
  private compared: Int32Array | null = null;

  /** @param area machine address of the page table for PER_DOMAIN_START, taken over */
  constructor(
    private readonly hypervisor: Hypervisor,
    private readonly guest: DeprivilegedGuest,
    private readonly area: number,
  ) {
    this.accessed = new AccessedBits(
      guest.linear,
      hypervisor.pc.memory,
      (selector) => this.ownAt(selector),
      (selector) => this.entryAt(selector),
    );
    this.emptyPage = hypervisor.frames.allocate(OWNER_HYPERVISOR) * 4096;
    for (let n = 0; n < AREA_PAGES; n++) this.mapPage(n, this.emptyPage, MAPPED);
    this.mapPage(GDT_PAGES, hypervisor.monitor.gdtPage, MAPPED_WRITABLE);
  }

  private get memory() {
    return this.hypervisor.pc.memory;
  }

  private mapPage(n: number, machine: number, flags: number): void {
    this.memory.write32(this.area + n * 4, machine | flags);
  }

  /** Where LDTR leads; null when the guest has no LDT, nor a register that was loaded from one. */
  get shadowLdt(): { base: number; limit: number } | null {
    const needed = this.ldtr.limit >= 0 || this.kept.some((kept) => kept && kept.selector & 4);
    return needed ? { base: PER_DOMAIN_START + LDT_PAGE * 4096, limit: 0xffff } : null;
  }

  /** Frames that the shadow tables take, by machine address: for tests of isolation. */
  get frames(): number[] {
    return [this.area, this.emptyPage, ...this.pages.filter((page) => page !== 0)];
  }

  // ---- the guest's own tables

  /** Reads the guest's own descriptor. Null when the selector lies outside its table. Raises #PF. */
  own(selector: number): Words | null {
    if ((selector & 0xfff8) + 7 > (selector & 4 ? this.ldtr : this.gdtr).limit) return null;
    const { linear } = this.guest;
    const at = this.ownAt(selector);
    return { low: linear.read32(at), high: linear.read32(at + 4) };
  }

  private ownAt(selector: number): number {
    return (selector & 4 ? this.ldtr : this.gdtr).base + (selector & 0xfff8);
  }

  // ---- the shadow

  /** Machine address of a shadow entry, 0 when its page is the empty one. */
  private entryAt(selector: number): number {
    const offset = selector & 0xfff8;
    const page = this.pages[(offset >>> 12) + (selector & 4 ? LDT_PAGE : 0)];
    return page && page + (offset & 0xfff);
  }

  /** As a register that is loaded from it has it: accessed. */
  private entry(selector: number): Words {
    const at = this.entryAt(selector);
    if (!at) return { low: 0, high: 0 };
    const high = this.memory.read32(at + 4);
    return { low: this.memory.read32(at), high: high && high | ACCESSED };
  }

  private put(selector: number, { low, high }: Words): void {
    const at = this.entryAt(selector);
    if (!at) return;
    this.memory.write32(at, low);
    this.memory.write32(at + 4, high);
  }

  /** The descriptor behind a segment register, as the processor has it. */
  loaded(register: number): Words {
    const selector = this.guest.selector(register);
    return this.kept[register] ?? this.suppressed.get(selector & 0xfffc) ?? this.entry(selector);
  }

  /** The linear page addresses of a table have perhaps come to mean other frames. */
  remapped(): void {
    const frames = this.tableFrames();
    if (frames.length !== this.traced.length || frames.some((frame, n) => frame !== this.traced[n]))
      this.stale = true;
  }

  /** Whether this guest frame has a part of a table. */
  lieIn(frame: number): boolean {
    return this.traced.includes(frame);
  }

  /** Whether an instruction that writes at this guest-physical address may change a table, or only lies beside one. */
  contain(physical: number, bytes = WIDEST_WRITE): boolean {
    return contain(this.tables, this.traced, physical, bytes);
  }

  /** Ceases to trace the tables: from now on `refresh` must be called before anything of the shadow is used. */
  relax(): void {
    const bytes = this.gdtr.limit + this.ldtr.limit;
    if (this.compared || this.stale || bytes > MOST_COMPARED * 8) return;
    this.compared = readWords(this.tables, this.traced, this.guest.domain.memory);
    this.trace(false);
  }

  /** The tables are not traced. */
  get isCompared(): boolean {
    return this.compared !== null;
  }

  /** Traces the tables again: segment registers may be loaded by the guest itself. */
  tighten(): void {
    if (!this.compared) return;
    this.refresh();
    if (!this.compared) return;
    this.compared = null;
    this.trace(true);
  }

  /** Looks whether tables that are not traced have changed; then the shadow follows, and they are traced again. */
  refresh(): void {
    const { compared } = this;
    if (!compared) return;
    // Both lie in the monitor's address space: it looks at every byte.
    this.hypervisor.charge.copyByte(compared.length * 4);
    if (compareWords(this.tables, this.traced, this.guest.domain.memory, compared)) this.synchronize();
  }

  private trace(on: boolean): void {
    for (const frame of this.traced) if (frame >= 0) this.guest.shadow.writes.traceFrame(frame, on);
  }

  private tableFrames(): number[] {
    return framesOf(this.tables, (linear) => this.guest.shadow.translate(linear, false, false));
  }

  /** Makes the shadow anew from the guest's tables. */
  synchronize(): void {
    this.stale = false;
    const before = REGISTERS.map((register) => ({ ...this.loaded(register) }));
    if (!this.compared) this.trace(false);
    this.compared = null;
    this.traced = this.tableFrames();
    this.trace(true);
    const unaccessed: number[] = [];
    this.rebuild(unaccessed, 0, 0, Math.min(this.gdtr.limit, SELECTOR.firstReserved - 1));
    this.rebuild(unaccessed, LDT_PAGE, 4, this.ldtr.limit);
    if (this.accessed.follow(unaccessed)) this.guest.accessForgotten();
    this.suppressed.clear();
    for (const register of REGISTERS) this.keep(register, before[register]);
    for (const register of REGISTERS) if (this.kept[register]) this.suppress(this.kept[register].selector);
  }

  /** @param unaccessed gets the selectors of segments that have not been accessed */
  private rebuild(unaccessed: number[], firstPage: number, table: number, limit: number): void {
    const { converted } = this;
    const size = limit + 1;
    this.hypervisor.charge.shadowDescriptor(size >>> 3);
    for (let page = 0; page < 16 && firstPage + page < AREA_PAGES; page++) {
      const n = firstPage + page;
      if (n === GDT_PAGES || n === GDT_PAGES + 1) continue;
      // Page 0 always exists: the selectors of the boot loader lie there.
      if (page * 4096 < size || page === 0) this.allocatePage(n);
      if (!this.pages[n]) continue;
      for (let offset = 0; offset < 4096; offset += 8) {
        const selector = page * 4096 + offset;
        converted.low = converted.high = 0;
        let untouched = false;
        if (selector + 7 < size && (selector || table)) untouched = this.convertOwn(selector | table);
        if (untouched) unaccessed.push(selector | table);
        const at = this.pages[n] + offset;
        this.memory.write32(at, converted.low);
        this.memory.write32(at + 4, untouched ? converted.high & ~ACCESSED : converted.high);
      }
    }
  }

  private allocatePage(n: number): void {
    if (this.pages[n]) return;
    this.pages[n] = this.hypervisor.frames.allocate(OWNER_HYPERVISOR) * 4096;
    this.mapPage(n, this.pages[n], MAPPED_WRITABLE);
  }

  /**
   * An entry whose page the guest's tables do not give stays empty: its use traps, and is then the guest's page fault.
   * @returns whether it is a segment that has not been accessed
   */
  private convertOwn(selector: number): boolean {
    const { converted } = this;
    try {
      const own = this.own(selector);
      if (!own) return false;
      convert(own.low, own.high, converted);
      return converted.high !== 0 && isUnaccessed(own.high);
    } catch (error) {
      if (!isGuestFault(error)) throw error;
      return false;
    }
  }

  // ---- accessed bits

  /** The monitor loads a segment in the guest's name. Raises #PF. */
  markAccessed(selector: number): void {
    const { stale } = this;
    this.accessed.mark(selector);
    // Of the shadow nothing else follows from that.
    this.stale = stale;
  }

  /** The processor has the guest's registers: loading them was no access of the guest's. */
  entered(): void {
    this.accessed.entered();
  }

  // ---- registers that outlive their descriptors

  private keep(register: number, before: Words): void {
    const selector = this.guest.selector(register);
    this.setKept(register, null);
    if (!(selector & 0xfffc) || selector >= SELECTOR.firstReserved) return;
    const now = this.entry(selector);
    if (now.low !== before.low || now.high !== before.high)
      this.setKept(register, { selector: selector & 0xfffc, ...before });
  }

  private suppress(selector: number): void {
    if (this.suppressed.has(selector)) return;
    this.suppressed.set(selector, this.entry(selector));
    this.put(selector, { low: 0, high: 0 });
  }

  /** The boot loader's segments, of which no table has a descriptor. */
  keepInitial(register: number, selector: number, low: number, high: number): void {
    convert(low, high, this.converted);
    this.setKept(register, { selector: selector & 0xfffc, ...this.converted });
  }

  /** CS or SS has become flat, whatever the table says: when it says the same, nothing needs to be kept. */
  keepFlat(register: typeof CS | typeof SS, selector: number, low: number, high: number): void {
    const { converted } = this;
    convert(low, high, converted);
    const there = this.entry(selector);
    const same = there.low === converted.low && there.high === converted.high;
    if (same && !this.kept[register] && !this.suppressed.has(selector & 0xfffc)) return;
    this.setKept(register, { selector: selector & 0xfffc, ...converted });
    this.stale = true;
  }

  /** A segment register has been loaded by the monitor in the guest's name, from the guest's own table. */
  reloaded(register: number): void {
    const selector = this.guest.selector(register) & 0xfffc;
    const empty = selector !== 0 && !this.suppressed.has(selector) && this.entry(selector).high === 0;
    if (this.kept[register] || empty) this.stale = true;
    this.setKept(register, null);
  }

  /** After an exit: which of the kept registers has the guest loaded itself? @param asked whether CS, and SS, were the guest's own */
  arrived(asked: readonly (typeof CS | typeof SS)[] = CODE_AND_STACK): void {
    const { stale } = this;
    this.accessed.note();
    this.stale = stale;
    if (this.keptCount === 0 && this.slotted.size === 0) return;
    for (const register of asked) {
      const selector = this.guest.selector(register);
      const slotted = this.slotted.get(register);
      if ((selector & 0xfff8) === SLOT[register] && slotted !== undefined)
        this.guest.setSelector(register, slotted);
      else if (this.kept[register]) this.reloaded(register);
    }
    for (const register of REGISTERS) {
      const kept = this.kept[register];
      const selector = this.guest.selector(register);
      if (kept && (selector & 0xfffc) !== kept.selector) this.reloaded(register);
    }
    this.slotted.clear();
  }

  /** Selector through which CS or SS is to be loaded now: its own, or that of a slot which holds what it was loaded from. */
  selectorFor(register: typeof CS | typeof SS): number {
    const selector = this.guest.selector(register);
    const kept = this.kept[register] ?? this.suppressed.get(selector & 0xfffc);
    if (!kept) return selector;
    const at = this.hypervisor.monitor.gdtPage + (SLOT[register] - SELECTOR.firstReserved);
    this.memory.write32(at, kept.low);
    this.memory.write32(at + 4, kept.high);
    this.slotted.set(register, selector);
    return SLOT[register] | (selector & 3);
  }

  /** The selector that the guest's table has for what it read from CS or SS: a slot's stands for another. */
  unslotted(register: number, selector: number): number {
    const slotted = this.slotted.get(register);
    return slotted !== undefined && (selector & 0xfff8) >= SELECTOR.firstReserved ? slotted : selector;
  }

  private setKept(register: number, kept: Kept | null): void {
    if ((this.kept[register] === null) !== (kept === null)) this.keptCount += kept ? 1 : -1;
    this.kept[register] = kept;
  }

  /** Every segment register is what its table says: no entry has to be put there for a load. */
  get isPlain(): boolean {
    return this.keptCount === 0 && this.suppressed.size === 0;
  }

  /** Runs `load` while the table has, at this data segment register's selector, what the register is to be loaded from. */
  withEntry(register: number, load: () => void): void {
    const selector = this.guest.selector(register) & 0xfffc;
    const words = this.kept[register] ?? this.suppressed.get(selector);
    if (words) this.put(selector, words);
    try {
      load();
    } finally {
      if (words && this.suppressed.has(selector)) this.put(selector, { low: 0, high: 0 });
    }
  }

  release(): void {
    for (const machine of this.frames) this.hypervisor.frames.release(machine >>> 12);
  }
}
