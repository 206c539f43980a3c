// Shadow paging: the page tables that the processor really uses while a guest believes in its own. They map guest-linear
// to machine addresses, hold nothing that the guest has not touched, and are filled by the page faults that this causes
// ("hidden" faults). Neutral of vendor: a technique loads `root` into CR3 and passes on what its guest does.
//
// How they stay true: (1) a guest table that has a shadow cannot be written unseen (out-of-sync.ts), until the guest next does
// what flushes a TLB (CR3, CR0, CR4); if the address space in use does not contain it, its shadow is simply dropped. So
// shadows of many address spaces live side by side. INVLPG compares the one entry that it names, and leaves the table out of
// sync, as a TLB may keep others. (2) A leaf appears only when the guest's entry has A set, and is writable only when
// D is set too. (3) Leaves map frames of the domain's own p2m and nothing else. (For guests with PAE: wide-shadow-paging.ts.)
import type { PhysicalMemory } from '../machine/memory/physical-memory.ts';
import { Kind, Shadow } from '../trace/events.ts';
import type { Vcpu } from './domain.ts';
import type { GuestMemory } from './frames.ts';
import type { GuestPaging, Remembered } from './guest-paging.ts';
import { type GuestControl, GuestWalk, PTE } from './guest-walk.ts';
import { OutOfSync, type ShadowHost } from './out-of-sync.ts';
import { BASE, childFrame, childKind, DIRECTORY, leafRights } from './shadow-entries.ts';
import { ShadowKind, type ShadowPage, ShadowPages } from './shadow-pages.ts';
import { WriteLog } from './write-log.ts';

/** What a page fault of the processor was. */
export const FaultIs = {
  /** Hidden: the shadow has what it lacked, run the instruction again. */
  filled: 0,
  /** The guest's own: inject #PF with `guestError`. */
  guests: 1,
  /** A write where the guest has no memory: see `openHole`. */
  hole: 2,
  /** A write to a frame that is traced: see `WriteLog.traceFrame`, `openTraced`. */
  traced: 3,
  /** A device of the guest's answers there: see `devices`. */
  device: 4,
} as const;

/** First directory entry that a technique may reserve for what is not the guest's. */
const FIRST_RESERVED = 1008;

const CR0_PG = 0x80000000;
const CR0_WP = 0x10000;
const CR4_PSE = 0x10;
/** Shadow pages a domain may have, unless told otherwise: 1 MiB. */
const DEFAULT_LIMIT = 256;

export class ShadowPaging implements GuestPaging {
  /** The guest's control registers as it sees them. Change them with the methods below. */
  readonly control: GuestControl = { cr0: 0, cr3: 0, cr4: 0 };
  /** The processor is to page with PAE while the guest runs: CR4.PAE must be 1 then, and else 0. */
  wide = false;
  /** Whether the guest may use PAE. */
  readonly canBeWide: boolean = false;
  /** Guest-physical addresses whose accesses a device of the guest wants; null when none can. Tell changes by `devicesChanged`. */
  devices: { answers(address: number): boolean } | null = null;
  /** Error code for the guest after `FaultIs.guests`. */
  guestError = 0;
  /** Drops a page of the guest's from the processor's TLB, where that is worth while: else all that it remembers goes at the next entry. */
  remembered: Pick<Remembered, 'forgetPage'> | null = null;

  protected readonly memory: PhysicalMemory;
  protected readonly pages: ShadowPages;
  private readonly walker: GuestWalk;
  protected current: ShadowPage;
  protected readonly outOfSync: OutOfSync;
  /** What of the guest's memory must not be written to without being seen. */
  readonly writes: WriteLog;
  /** A frame of ones, for guest-physical addresses without memory. Taken at once: another guest may have the host's last frames later. */
  private readonly holeFrame: number;

  /**
   * Throws OutOfMemory when the host has not even a few frames.
   * @param limit shadow pages at most, at least 8 (12 for a guest with PAE)
   * @param reserved entries 1008..1023 of every root, when the hypervisor lives in the guest's address space
   */
  constructor(
    private readonly host: ShadowHost,
    private readonly vcpu: Vcpu,
    protected readonly guest: GuestMemory,
    limit = DEFAULT_LIMIT,
    private readonly reserved: Int32Array | null = null,
  ) {
    this.memory = host.frames.memory;
    this.pages = new ShadowPages(this.memory, host.frames, limit, guest.pages);
    this.walker = new GuestWalk(guest);
    this.writes = new WriteLog(this.pages, guest.pages);
    this.outOfSync = new OutOfSync(host, this.pages, guest, this.writes, this);
    this.current = this.pages.create(ShadowKind.flatRoot, 0, null);
    this.reserve(this.current);
    try {
      this.holeFrame = host.frames.allocate(guest.owner);
    } catch (error) {
      this.pages.release();
      throw error;
    }
    this.memory.bytes.fill(0xff, this.holeFrame * 4096, this.holeFrame * 4096 + 4096);
    guest.onDeviceWrite = (frame) => this.wroteFrame(frame);
  }

  /** Machine address of the root in use: what CR3 must hold. */
  get root(): number {
    return this.current.machine;
  }
  /** Changes when the processor's TLB may remember what is no longer so. For techniques whose entry does not flush it. */
  get changes(): number {
    return this.pages.changes;
  }
  /** As `changes`, when the processor is known to drop the page of every page fault. For techniques whose guests have a VPID or an ASID. */
  get reductions(): number {
    return this.pages.reductions;
  }
  /** How often a write to a guest's table was seen. */
  get tableWrites(): number {
    return this.outOfSync.writesSeen;
  }
  /** Shadow pages in use. */
  get pageCount(): number {
    return this.pages.count;
  }

  /** MOV to CR3: another address space, or the same one again to flush the TLB. */
  loadCr3(value: number, _pointers?: Int32Array): boolean {
    this.outOfSync.synchronize();
    this.control.cr3 = value;
    if (this.control.cr0 & CR0_PG) this.chooseRoot();
    return true;
  }

  /** CR0 as the guest sees it has changed. */
  loadCr0(value: number, _pointers?: Int32Array): boolean {
    const changed = this.control.cr0 ^ value;
    this.control.cr0 = value;
    if (changed & CR0_WP) this.flush();
    else if (changed & CR0_PG) {
      this.outOfSync.synchronize();
      this.chooseRoot();
    }
    return true;
  }

  /** CR4 as the guest sees it has changed. */
  loadCr4(value: number, _pointers?: Int32Array): boolean {
    const changed = this.control.cr4 ^ value;
    this.control.cr4 = value;
    if (changed & CR4_PSE) this.flush();
    else this.outOfSync.synchronize();
    return true;
  }

  /**
   * INVLPG: the guest says that its entry for this page has changed. Entries of other pages may stay as they were remembered,
   * so a table that is out of sync remains so; what is remembered of directory entries goes, whatever pages they are for (SDM
   * vol. 3 §4.10.4.1).
   */
  invalidatePage(linear: number): void {
    const { pages } = this;
    this.outOfSync.compareDirectories();
    const directory = this.directoryFor(linear, false);
    const page = directory && pages.child(directory, this.directoryIndex(linear));
    let entry = 0;
    if (page) {
      const { changes, reductions } = pages;
      const n = this.index(linear);
      this.outOfSync.compareChangedEntry(page, n);
      entry = pages.read(page, n);
      const alone = pages.isUsedOnce(page) && (directory === this.current || pages.isUsedOnce(directory));
      if (pages.changes !== changes && alone && this.remembered !== null) {
        // Nothing but this page was remembered through that entry.
        this.remembered.forgetPage(linear);
        pages.changes = changes;
        pages.reductions = reductions;
      }
    }
    this.host.record(this.vcpu, Kind.shadow, Shadow.invalidatePage, linear, 0, entry);
  }

  /** The shadow of a guest's table, to be put below an entry: with nothing in it that the guest has not any more. */
  protected known(kind: number, frame: number): ShadowPage | undefined {
    const page = this.pages.find(kind, frame);
    if (page) this.outOfSync.compareChanged(page);
    return page;
  }

  /** Removes the entry for a page from the address space in use. */
  private clearLeaf(linear: number): void {
    const directory = this.directoryFor(linear, false);
    const table = directory && this.pages.child(directory, this.directoryIndex(linear));
    if (table) this.pages.clear(table, this.index(linear));
  }

  /** Index into a page table; and into a directory. */
  private index(linear: number): number {
    return (linear >>> 12) & (this.pages.entries - 1);
  }
  protected directoryIndex(linear: number): number {
    return linear >>> 22;
  }

  /** The directory for an address. @param make put it under the current root if need be: the address has just been walked */
  protected directoryFor(_linear: number, _make: boolean): ShadowPage | null {
    return this.current;
  }

  /**
   * The processor met a page fault in the shadow tables.
   * @param errorCode as the processor gave it
   */
  pageFault(linear: number, errorCode: number): number {
    const { walker, control, guest } = this;
    const write = (errorCode & 2) !== 0;
    const user = (errorCode & 4) !== 0;
    const valid = walker.walk(control, linear, write, user);
    this.host.charge.guestWalkReference(walker.references);
    if (!valid) {
      this.guestError = walker.errorCode;
      this.host.record(this.vcpu, Kind.shadow, Shadow.guestFault, linear, 0, 0);
      return FaultIs.guests;
    }
    const frame = walker.physical >>> 12;
    if (this.devices?.answers(walker.physical)) return FaultIs.device;
    const backed = frame < guest.pages && guest.p2m[frame] >= 0;
    if (!backed && write) return FaultIs.hole;
    if (backed && write) {
      this.outOfSync.written(frame, this.current);
      if (this.writes.isTraced(frame)) return FaultIs.traced;
    }
    const cost = this.host.charge.shadowFill();
    const table = this.tableFor(linear);
    const n = this.index(linear);
    const entry = this.filledLeaf(table, backed ? frame : -1);
    this.pages.setLeaf(table, n, entry, backed ? frame : -1);
    this.host.record(
      this.vcpu,
      Kind.shadow,
      Shadow.fill,
      linear,
      walker.physical | 0,
      (entry & 0xfffff000) | (linear & 0xfff),
      0,
      cost,
    );
    return FaultIs.filled;
  }

  /**
   * Guest-physical address for an access that the hypervisor makes in the guest's name (string I/O, fetching an
   * instruction), with its effects on accessed and dirty bits. -1: the guest deserves a page fault with `guestError`.
   */
  translate(linear: number, write: boolean, user: boolean): number {
    const valid = this.walker.walk(this.control, linear, write, user);
    this.host.charge.guestWalkReference(this.walker.references);
    this.guestError = this.walker.errorCode;
    if (!valid) return -1;
    const frame = this.walker.physical >>> 12;
    if (write && frame < this.guest.pages) this.wroteFrame(frame, this.walker.physical);
    return this.walker.physical;
  }

  /** The hypervisor or a device writes to a frame itself, past the protection. */
  private wroteFrame(frame: number, physical = -1): void {
    this.outOfSync.written(frame, this.current);
    if (this.writes.isTraced(frame)) this.writes.tell(physical, frame);
  }

  /** Lets a write to a place without memory happen, on a page of ones that belongs to the domain. Step one instruction, then `closeHole`. */
  openHole(linear: number): void {
    const table = this.tableFor(linear);
    this.pages.setLeaf(table, this.index(linear), this.hole() | BASE | PTE.write | PTE.user, -1);
  }

  /** Lets the write that `pageFault` has just called `traced` happen. Step one instruction, then `closeTraced`. @returns where it goes, guest-physical */
  openTraced(linear: number): number {
    const table = this.tableFor(linear);
    const frame = this.walker.physical >>> 12;
    const entry = this.filledLeaf(table, frame) | PTE.write;
    this.pages.setLeaf(table, this.index(linear), entry, frame);
    return this.walker.physical;
  }

  closeTraced(linear: number): void {
    this.clearLeaf(linear);
  }

  /** What was written is lost, as on a bus where nobody listens. */
  closeHole(linear: number): void {
    this.clearLeaf(linear);
    this.memory.bytes.fill(0xff, this.hole(), this.hole() + 4096);
  }

  /** Drops every shadow; they come back fault by fault. */
  flush(): void {
    const cost = this.host.charge.shadowFlush(this.pages.count);
    const entries = this.pages.dropAll();
    this.host.record(this.vcpu, Kind.shadow, Shadow.flush, entries, 0, 0, 0, cost);
    this.outOfSync.forget();
    this.current = this.findRoot();
  }

  /** Pages have changed between memory and device. */
  devicesChanged(): void {
    this.flush();
  }

  /** Another machine frame (or none) is behind a guest frame: no shadow may lead to the old one. */
  remapped(): void {
    this.flush();
  }

  /** Gives all frames back. The object is of no use afterwards. */
  release(): void {
    this.pages.release();
    this.host.frames.release(this.holeFrame);
  }

  // ---- roots and tables

  protected chooseRoot(): void {
    const cost = this.host.charge.shadowSwitch();
    this.current = this.findRoot();
    this.host.record(this.vcpu, Kind.shadow, Shadow.switchRoot, 0, this.control.cr3, this.root, 0, cost);
  }

  protected findRoot(): ShadowPage {
    const paging = (this.control.cr0 & CR0_PG) !== 0;
    const kind = paging ? ShadowKind.root : ShadowKind.flatRoot;
    const frame = paging ? this.control.cr3 >>> 12 : 0;
    return this.pages.find(kind, frame) ?? this.create(kind, frame);
  }

  protected create(kind: number, frame: number): ShadowPage {
    const page = this.pages.create(kind, frame, this.current?.live ? this.current : null);
    this.reserve(page);
    // What has a shadow must not change unseen.
    if (page.shadowsGuestTable && frame < this.guest.pages && !this.outOfSync.has(frame))
      this.pages.writeProtect(frame);
    return page;
  }

  private reserve(page: ShadowPage): void {
    if (!this.reserved || !page.isDirectory) return;
    this.reserved.forEach((entry, n) => {
      this.memory.write32(page.machine + (FIRST_RESERVED + n) * 4, entry);
    });
  }

  /** The shadow table for an address that has just been walked, put under the current root if need be. */
  private tableFor(linear: number): ShadowPage {
    const directory = this.directoryFor(linear, true)!;
    const n = this.directoryIndex(linear);
    const kind = this.control.cr0 & CR0_PG ? childKind(this.control, this.walker.pde) : ShadowKind.flatTable;
    const frame = this.control.cr0 & CR0_PG ? childFrame(this.control, this.walker.pde) : n;
    const present = this.pages.child(directory, n);
    if (present && present.kind === kind && present.frame === frame) return present;
    const table = this.known(kind, frame) ?? this.create(kind, frame);
    this.pages.setChild(directory, n, table, DIRECTORY);
    return table;
  }

  // ---- leaves

  /** The leaf that the walk just done earns. @param frame -1 where the guest has no memory: a page of ones */
  private filledLeaf(table: ShadowPage, frame: number): number {
    const { walker } = this;
    const machine = frame < 0 ? this.hole() : this.guest.p2m[frame] << 12;
    if (table.kind === ShadowKind.flatTable)
      return machine | BASE | PTE.user | (this.outOfSync.mayWrite(frame) ? PTE.write : 0);
    // With CR0.WP = 0 the kernel writes to pages that are read-only for its users: theirs is then the next fault.
    if (walker.override) return machine | BASE | PTE.write;
    const rights = table.kind >= ShadowKind.split ? PTE.write | PTE.user | PTE.dirty : walker.pte;
    return machine | BASE | leafRights(table.kind, rights, this.outOfSync.mayWrite(frame));
  }

  private hole(): number {
    return this.holeFrame * 4096;
  }

  /** An entry of the guest's own table. */
  guestEntry(table: number, n: number): number {
    return this.memory.read32(table + n * 4);
  }
}
