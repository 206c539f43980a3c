// The hypervisor's own structures, in machine memory and at one linear address in every address space, as Xen lays them
// out for i386 without PAE (xen/include/asm-x86/config.h): top 64 MiB. GDT, IDT, TSS, stack and entry points are
// what the silicon reads; the code behind an entry point is TypeScript, reached through Cpu.monitorBase.
import type { Cpu } from '../machine/cpu/cpu.ts';
import type { PhysicalMemory } from '../machine/memory/physical-memory.ts';
import { type FrameTable, OWNER_HYPERVISOR } from './frames.ts';

/** First linear address of the hypervisor (HYPERVISOR_VIRT_START without PAE). */
export const HYPERVISOR_START = 0xfc000000;
/** Machine-to-physical table, readable by guests: 4 MiB of linear space. */
export const M2P_START = 0xfc000000;
/** The monitor's private part starts here: guests' segments end below. */
export const MONITOR_START = 0xfc400000;
/** Per-domain area: the GDT that the processor uses, guest frames first. */
export const PER_DOMAIN_START = 0xfc800000;

/** Entry points: one for each IDT vector, 16 bytes apart, then the one where VM exits arrive. */
export const ENTRY_STRIDE = 16;
export const VM_EXIT_ENTRY = MONITOR_START + 0x1000;
const ENTRY_SIZE = 0x2000;

/** Selectors as in xen/include/public/arch-x86_32.h; the GDT's page 14 is the hypervisor's. */
export const SELECTOR = {
  /** Below it descriptors are the guest's own. */
  firstReserved: 0xe000,
  hypervisorCode: 0xe008,
  hypervisorData: 0xe010,
  ring1Code: 0xe019,
  ring1Data: 0xe021,
  ring3Code: 0xe02b,
  ring3Data: 0xe033,
  tss: 0xe038,
  ldt: 0xe040,
} as const;

/** Vector of hypercalls, and the first vector of the remapped PIC pair. */
export const HYPERCALL_VECTOR = 0x82;
export const IRQ_BASE = 0x20;

const PRESENT = 1,
  WRITABLE = 2,
  ACCESSED_DIRTY = 0x60,
  GLOBAL = 0x100;

/** A segment descriptor's two words (SDM vol. 3 §3.4.5). `limit` in bytes. */
export function descriptor(
  base: number,
  limit: number,
  access: number,
  flags: number,
): [low: number, high: number] {
  const granular = limit > 0xfffff;
  const field = granular ? limit >>> 12 : limit;
  const low = ((base & 0xffff) << 16) | (field & 0xffff);
  const high =
    (base & 0xff000000) |
    ((flags | (granular ? 8 : 0)) << 20) |
    (field & 0xf0000) |
    (access << 8) |
    ((base >>> 16) & 0xff);
  return [low | 0, high | 0];
}

export class Monitor {
  /** Machine addresses of what lies in memory. */
  readonly idt: number;
  readonly gdtPage: number;
  readonly tss: number;
  readonly stack: number;
  readonly m2p: number;
  /** The page directory under which the hypervisor runs when no guest's is loaded (VMX host CR3). */
  readonly pageDirectory: number;
  /** Page-directory entries 1008..1023 that every paravirtual address space gets (the per-domain one is filled in by its owner). */
  readonly sharedEntries = new Int32Array(16);

  /** Linear addresses of the same. */
  readonly linear = {
    idt: MONITOR_START + 0x2000,
    tss: MONITOR_START + 0x3000,
    stackTop: MONITOR_START + 0x6000,
  };

  constructor(
    readonly memory: PhysicalMemory,
    readonly frames: FrameTable,
  ) {
    const page = () => frames.allocate(OWNER_HYPERVISOR) * 4096;
    const entries = [page(), page()];
    this.idt = page();
    this.tss = page();
    this.stack = frames.allocateContiguous(OWNER_HYPERVISOR, 2) * 4096;
    this.gdtPage = page();
    this.pageDirectory = page();
    const m2pPages = Math.max(1, Math.ceil((frames.count * 4) / 4096));
    this.m2p = frames.allocateContiguous(OWNER_HYPERVISOR, m2pPages) * 4096;

    // Entry points hold HLT: arriving there the silicon hands over; running on would be a bug, and would show.
    for (const address of entries) memory.load(address, new Uint8Array(4096).fill(0xf4));
    this.map(M2P_START, this.m2p, m2pPages, false);
    this.map(MONITOR_START, entries[0], 1, false);
    this.map(MONITOR_START + 0x1000, entries[1], 1, false);
    this.map(this.linear.idt, this.idt, 1, false);
    this.map(this.linear.tss, this.tss, 1, true);
    this.map(this.linear.stackTop - 0x2000, this.stack, 2, true);
    this.map(PER_DOMAIN_START + 0xe000, this.gdtPage, 1, true);
    this.buildGdt();
    this.buildIdt();
    memory.write32(this.tss + 4, this.linear.stackTop);
    memory.write16(this.tss + 8, SELECTOR.hypervisorData);
    // I/O bitmap offset beyond the limit: no port is open to a deprivileged guest.
    memory.write16(this.tss + 0x66, 0x68);
    for (let n = 0; n < 16; n++) this.sharedEntries[n] = memory.read32(this.pageDirectory + (1008 + n) * 4);
  }

  /** Maps hypervisor pages, supervisor-only, in the monitor's page directory. */
  private map(linear: number, machine: number, pages: number, writable: boolean): void {
    for (let n = 0; n < pages; n++) {
      const address = linear + n * 4096;
      const slot = this.pageDirectory + (address >>> 22) * 4;
      if (!(this.memory.read32(slot) & PRESENT)) {
        this.memory.write32(
          slot,
          (this.frames.allocate(OWNER_HYPERVISOR) * 4096) | PRESENT | WRITABLE | ACCESSED_DIRTY,
        );
      }
      const table = this.memory.read32(slot) & ~0xfff;
      const flags = PRESENT | ACCESSED_DIRTY | GLOBAL | (writable ? WRITABLE : 0);
      this.memory.write32(table + ((address >>> 12) & 1023) * 4, (machine + n * 4096) | flags);
    }
  }

  private buildGdt(): void {
    const put = (selector: number, [low, high]: [number, number]) => {
      const at = this.gdtPage + ((selector & ~7) - 0xe000);
      this.memory.write32(at, low);
      this.memory.write32(at + 4, high);
    };
    const guestLimit = MONITOR_START - 1;
    put(SELECTOR.hypervisorCode, descriptor(0, 0xffffffff, 0x9b, 4));
    put(SELECTOR.hypervisorData, descriptor(0, 0xffffffff, 0x93, 4));
    put(SELECTOR.ring1Code, descriptor(0, guestLimit, 0xbb, 4));
    put(SELECTOR.ring1Data, descriptor(0, guestLimit, 0xb3, 4));
    put(SELECTOR.ring3Code, descriptor(0, guestLimit, 0xfb, 4));
    put(SELECTOR.ring3Data, descriptor(0, guestLimit, 0xf3, 4));
    put(SELECTOR.tss, descriptor(this.linear.tss, 0x67, 0x89, 0));
  }

  /** All 256 gates lead to the monitor at ring 0. INT may take the hypercall's from ring 1 (Xen: DPL 1, so ring 3 cannot), INT3 and INTO theirs from anywhere. */
  private buildIdt(): void {
    for (let vector = 0; vector < 256; vector++) this.writeGate(vector, this.monitorGate(vector));
  }

  monitorGate(vector: number): [number, number] {
    const target = MONITOR_START + vector * ENTRY_STRIDE;
    const dpl = vector === HYPERCALL_VECTOR ? 1 : vector === 3 || vector === 4 ? 3 : 0;
    return [
      (SELECTOR.hypervisorCode << 16) | (target & 0xffff),
      (target & 0xffff0000) | ((0x8e | (dpl << 5)) << 8),
    ];
  }

  writeGate(vector: number, [low, high]: [number, number]): void {
    this.memory.write32(this.idt + vector * 8, low);
    this.memory.write32(this.idt + vector * 8 + 4, high);
  }

  /** What system software does once after power-on: descriptor tables, task register, paging, write protection, entry points. */
  boot(cpu: Cpu): void {
    cpu.monitorBase = MONITOR_START;
    cpu.monitorSize = ENTRY_SIZE;
    cpu.gdtr.base = PER_DOMAIN_START;
    cpu.gdtr.limit = 0xffff;
    cpu.idtr.base = this.linear.idt;
    cpu.idtr.limit = 0x7ff;
    // PE, MP, ET, NE, WP, PG; PSE and PGE.
    cpu.cr0 = 0x80010033 | 0;
    cpu.cr4 = 0x90;
    cpu.cr3 = this.pageDirectory;
    cpu.tlb.flush();
    const tr = cpu.segments[7];
    tr.selector = SELECTOR.tss;
    tr.base = this.linear.tss;
    tr.limit = 0x67;
    tr.access = 0x8b;
    const ldt = cpu.segments[6];
    ldt.selector = 0;
    ldt.access = 0x10000;
    this.loadHypervisorSegments(cpu);
  }

  /** CS, SS and data segments of ring 0, as after an interrupt into the hypervisor. */
  loadHypervisorSegments(cpu: Cpu): void {
    for (let n = 0; n < 6; n++) {
      const segment = cpu.segments[n];
      const code = n === 1;
      segment.selector = code ? SELECTOR.hypervisorCode : SELECTOR.hypervisorData;
      segment.base = 0;
      segment.limit = 0xffffffff;
      segment.access = code ? 0xc09b : 0xc093;
    }
    cpu.cpl = 0;
    cpu.regs[4] = this.linear.stackTop | 0;
  }

  /** Machine-to-physical entry: what guests read at M2P_START + 4 * mfn. */
  setMachineToPhysical(machineFrame: number, guestFrame: number): void {
    this.memory.write32(this.m2p + machineFrame * 4, guestFrame);
  }
}
