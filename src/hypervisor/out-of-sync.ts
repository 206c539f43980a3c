// Which of a guest's own tables it may write to without being seen, for the time being, and how their shadows are made true
// again. A table that has a shadow cannot be written; the first write makes it "out of sync", writable until the guest next
// does what flushes a TLB, when its shadows are compared with it, entry by entry, and it is protected again.
import type { FrameTable, GuestMemory } from './frames.ts';
import type { GuestControl } from './guest-walk.ts';
import type { Hypervisor } from './hypervisor.ts';
import { BASE, childFrame, childKind, isLive, isReserved, leafRights } from './shadow-entries.ts';
import { ShadowKind, type ShadowPage, type ShadowPages } from './shadow-pages.ts';
import type { WriteLog } from './write-log.ts';

/** What is needed of the hypervisor. */
export type ShadowHost = Pick<Hypervisor, 'charge' | 'record'> & { readonly frames: FrameTable };

/** Kinds of shadow that a guest's own table can have. */
const GUEST_TABLES = [
  ShadowKind.table,
  ShadowKind.table + 1,
  ShadowKind.table + 2,
  ShadowKind.table + 3,
  ShadowKind.root,
];

/** The guest whose tables these are, as its shadow paging knows it. */
export interface ShadowedGuest {
  readonly control: GuestControl;
  /** Guest-physical addresses whose accesses a device of the guest wants; null when none can. */
  readonly devices: { answers(address: number): boolean } | null;
  /** The entry of its table at a machine address; 0 for one that leads nowhere. */
  guestEntry(table: number, n: number): number;
}

export class OutOfSync {
  /** By guest frame, and the same as a list. */
  private readonly frames: Uint8Array;
  private readonly list: number[] = [];
  private count = 0;
  /** How often a write to a guest's table was seen. */
  writesSeen = 0;

  constructor(
    private readonly host: ShadowHost,
    private readonly pages: ShadowPages,
    private readonly memory: GuestMemory,
    private readonly writes: WriteLog,
    private readonly guest: ShadowedGuest,
  ) {
    this.frames = new Uint8Array(memory.pages);
  }

  has(frame: number): boolean {
    return this.frames[frame] === 1;
  }

  /** Whether a leaf may let the guest write to a frame unseen. @param frame -1 where it has no memory */
  mayWrite(frame: number): boolean {
    return (
      frame >= 0 && !this.writes.isTraced(frame) && (!this.pages.tables[frame] || this.frames[frame] === 1)
    );
  }

  /** There are no shadows: none is out of sync. */
  forget(): void {
    this.frames.fill(0);
    this.count = 0;
  }

  /** The guest writes to a frame. If that has shadows, those of the address space in use go out of sync, others are dropped. */
  written(frame: number, root: ShadowPage): void {
    const { pages } = this;
    if (!pages.tables[frame] || this.frames[frame]) return;
    this.writesSeen++;
    for (const kind of GUEST_TABLES) {
      const page = pages.find(kind, frame);
      if (page && !pages.uses(root, page)) {
        pages.drop(page);
        this.host.charge.shadowFlush();
      }
    }
    if (!pages.tables[frame]) return;
    this.frames[frame] = 1;
    this.list[this.count++] = frame;
  }

  /** Compares every table that is out of sync with its shadows and protects it again. */
  synchronize(): void {
    const { pages } = this;
    for (let n = 0; n < this.count; n++) {
      const frame = this.list[n];
      if (!this.frames[frame]) continue;
      this.frames[frame] = 0;
      if (!pages.tables[frame]) continue;
      for (const kind of GUEST_TABLES) {
        const page = pages.find(kind, frame);
        if (page) this.compare(page);
      }
      pages.writeProtect(frame);
    }
    this.count = 0;
  }

  /** Compares every directory that is out of sync with its shadow; they stay out of sync. */
  compareDirectories(): void {
    for (let n = 0; n < this.count; n++) {
      const frame = this.list[n];
      if (!this.frames[frame] || !this.pages.tables[frame]) continue;
      const page = this.pages.find(ShadowKind.root, frame);
      if (page) this.compare(page);
    }
  }

  /** Compares a shadow with its table, where that is out of sync; it stays so. */
  compareChanged(page: ShadowPage): void {
    if (page.shadowsGuestTable && this.frames[page.frame]) this.compare(page);
  }

  /** As `compareChanged`, for one entry. */
  compareChangedEntry(page: ShadowPage, n: number): void {
    if (!page.shadowsGuestTable || !this.frames[page.frame]) return;
    this.host.charge.shadowFlush();
    this.compareEntry(page, this.memory.toMachine(page.frame * 4096), n);
  }

  private compare(page: ShadowPage): void {
    this.host.charge.shadowFlush();
    if (page.isDirectory) this.compareDirectory(page);
    else this.compareTable(page);
  }

  private compareTable(page: ShadowPage): void {
    const { pages } = this;
    const table = this.memory.toMachine(page.frame * 4096);
    for (let n = pages.nextFilled(page, 0); n >= 0; n = pages.nextFilled(page, n + 1))
      this.compareEntry(page, table, n);
  }

  /** Makes an entry of a table's shadow as the guest's is, or takes it away. @param table machine address of the guest's */
  private compareEntry(page: ShadowPage, table: number, n: number): void {
    const { pages, memory, guest } = this;
    const pte = guest.guestEntry(table, n);
    const frame = pte >>> 12;
    const gone = !isLive(pte) || frame >= memory.pages || memory.p2m[frame] < 0;
    if (gone || guest.devices?.answers(frame * 4096)) {
      pages.clear(page, n);
      return;
    }
    const entry = (memory.p2m[frame] << 12) | BASE | leafRights(page.kind, pte, this.mayWrite(frame));
    if (entry !== pages.read(page, n)) pages.setLeaf(page, n, entry, frame);
  }

  /** Takes the entries of a directory's shadow away that lead elsewhere than the guest's. */
  private compareDirectory(page: ShadowPage): void {
    const { pages, guest } = this;
    const { control } = guest;
    const directory = this.memory.toMachine(page.frame * 4096);
    for (let n = pages.nextFilled(page, 0); n >= 0; n = pages.nextFilled(page, n + 1)) {
      const child = pages.child(page, n);
      if (!child) continue;
      const pde = guest.guestEntry(directory, n);
      const same =
        isLive(pde) &&
        !isReserved(control, pde) &&
        child.kind === childKind(control, pde) &&
        child.frame === childFrame(control, pde);
      if (!same) pages.clear(page, n);
    }
  }
}
