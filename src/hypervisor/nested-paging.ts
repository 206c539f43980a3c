// Nested paging: the second dimension as a hypervisor keeps it, guest-physical to machine frames in tables that the
// processor walks (EPT: SDM vol. 3 §28.2; NPT: APM vol. 2 §15.25). They hold what the domain's p2m holds and nothing else,
// so a guest reaches its own frames only. No shadow: CR3, page faults and INVLPG are the guest's own business.
import type { MemoryMap } from '../machine/memory/memory-mapped.ts';
import { type FrameTable, type GuestMemory, OWNER_HYPERVISOR } from './frames.ts';
import type { GuestPaging, Remembered } from './guest-paging.ts';
import { type GuestControl, GuestWalk } from './guest-walk.ts';
import type { Hypervisor } from './hypervisor.ts';
import type { TableKind } from './walk-steps.ts';

/** How entries look. Bits are of the low word; the high words stay 0, for memory ends below 4 GiB. */
export interface NestedFormat {
  readonly kind: TableKind;
  readonly levels: number;
  readonly entryBytes: 4 | 8;
  /** In an entry that points to a table; at the top level; in one that maps a page. */
  readonly table: number;
  readonly top: number;
  readonly page: number;
}

const READ_WRITE_EXECUTE = 7;
const WRITE_BACK = 6 << 3;
/** Present, writable, user: NPT treats every access as one of user mode. */
const PRESENT_WRITE_USER = 7;

export const EPT_FORMAT: NestedFormat = {
  kind: 'ept',
  levels: 4,
  entryBytes: 8,
  table: READ_WRITE_EXECUTE,
  top: READ_WRITE_EXECUTE,
  page: READ_WRITE_EXECUTE | WRITE_BACK,
};
/** NPT of a host of 32 bits without PAE. */
export const NPT_FORMAT: NestedFormat = {
  kind: 'legacy',
  levels: 2,
  entryBytes: 4,
  table: PRESENT_WRITE_USER,
  top: PRESENT_WRITE_USER,
  page: PRESENT_WRITE_USER,
};

/** Tables from guest-physical to machine frames. */
export class NestedTables {
  /** Machine address of the top table. */
  readonly root: number;
  private readonly frames: number[] = [];

  /** Throws OutOfMemory when the host has no frames left; nothing is kept then. */
  constructor(
    private readonly table: FrameTable,
    readonly format: NestedFormat,
  ) {
    this.root = this.newTable();
  }

  /** Frames that the tables occupy. */
  get pageCount(): number {
    return this.frames.length;
  }

  private newTable(): number {
    const frame = this.table.allocate(OWNER_HYPERVISOR);
    this.frames.push(frame);
    return frame * 4096;
  }

  /**
   * Maps a guest frame to a machine frame, or (-1) to nothing.
   * @returns whether an entry that was there led elsewhere: a processor may remember it
   */
  map(frame: number, machine: number): boolean {
    const { memory } = this.table;
    const { levels, entryBytes, page } = this.format;
    const bits = entryBytes === 8 ? 9 : 10;
    let table = this.root;
    for (let level = levels; level > 1; level--) {
      const shift = (level - 1) * bits;
      const at = table + (Math.floor(frame / 2 ** shift) & ((1 << bits) - 1)) * entryBytes;
      let entry = memory.read32(at);
      if (entry === 0) {
        if (machine < 0) return false;
        entry = this.newTable() | (level === levels ? this.format.top : this.format.table);
        memory.write32(at, entry);
      }
      table = (entry & 0xfffff000) >>> 0;
    }
    const at = table + (frame & ((1 << bits) - 1)) * entryBytes;
    const before = memory.read32(at);
    memory.write32(at, machine < 0 ? 0 : (machine << 12) | page);
    // NPT has accessed and dirty bits in its entries.
    return before !== 0 && (machine < 0 || before >>> 12 !== machine);
  }

  release(): void {
    for (const frame of this.frames) this.table.release(frame);
    this.frames.length = 0;
  }
}

/** A guest with nested paging. */
export class NestedPaging implements GuestPaging {
  readonly tables: NestedTables;
  guestError = 0;
  private readonly walker: GuestWalk;

  /**
   * @param registers the guest's control registers as its control structure holds them now; `looking`: for people, not for work
   * @param remembered what the processor may remember that is no longer so
   * @param devices pages that devices of the domain want for themselves
   */
  constructor(
    private readonly hypervisor: Pick<Hypervisor, 'charge' | 'frames'>,
    private readonly memory: GuestMemory,
    format: NestedFormat,
    private readonly registers: (looking: boolean) => GuestControl,
    readonly remembered: Remembered,
    private readonly devices: MemoryMap,
  ) {
    this.walker = new GuestWalk(memory);
    this.tables = new NestedTables(hypervisor.frames, format);
    try {
      for (let frame = 0; frame < memory.pages; frame++) this.mapFrame(frame);
    } catch (error) {
      this.tables.release();
      throw error;
    }
  }

  /** Machine address of the top table: what the EPT pointer or nCR3 names. */
  get root(): number {
    return this.tables.root;
  }
  get pageCount(): number {
    return this.tables.pageCount;
  }
  get control(): GuestControl {
    return this.registers(true);
  }

  private mapFrame(frame: number): boolean {
    return this.tables.map(frame, this.devices.mapped[frame] ? -1 : this.memory.p2m[frame]);
  }

  devicesChanged(): void {
    let lost = false;
    for (let frame = 0xa0; frame < 0xc0; frame++) lost = this.mapFrame(frame) || lost;
    if (lost) this.remembered.forgetTables();
  }

  remapped(frame: number): void {
    if (this.mapFrame(frame)) this.remembered.forgetTables();
  }

  translate(linear: number, write: boolean, user: boolean): number {
    const valid = this.walker.walk(this.registers(false), linear, write, user);
    this.hypervisor.charge.guestWalkReference(this.walker.references);
    this.guestError = this.walker.errorCode;
    return valid ? this.walker.physical : -1;
  }

  // The guest's control registers are in its control structure, and its tables are its own: nothing hangs on them here but
  // what the processor would have forgotten, had the guest done it.
  loadCr0(): boolean {
    this.remembered.forgetAll();
    return true;
  }
  loadCr3(): boolean {
    this.remembered.forgetAll();
    return true;
  }
  loadCr4(): boolean {
    this.remembered.forgetAll();
    return true;
  }
  invalidatePage(linear: number): void {
    this.remembered.forgetPage(linear);
  }

  release(): void {
    this.tables.release();
  }
}
