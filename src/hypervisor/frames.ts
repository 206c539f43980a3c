// Machine memory, frame by frame: who owns what, and each domain's pseudo-physical map (p2m).
// "Guest-physical" is what a domain believes; "machine" is what the memory bus sees (Barham et al. 2003, §3.3.4).
import { PAGE_SHIFT, PAGE_SIZE, type PhysicalMemory } from '../machine/memory/physical-memory.ts';

/** Owners that are not domains. */
export const OWNER_FREE = -1;
export const OWNER_HYPERVISOR = -2;
export const OWNER_BOARD = -3;

export class OutOfMemory extends Error {}

/** All page frames of a host. Allocation is deterministic: lowest free frame first. */
export class FrameTable {
  /** Owner of each frame: a domain's id, or OWNER_*. */
  readonly owner: Int16Array;
  readonly count: number;
  private cursor = 0;
  /** Frames that somebody has had since power-on: the others are zero as memory comes, and need not be touched to be so. */
  private readonly used: Uint8Array;

  constructor(readonly memory: PhysicalMemory) {
    this.count = memory.size >>> PAGE_SHIFT;
    this.owner = new Int16Array(this.count).fill(OWNER_FREE);
    this.used = new Uint8Array(this.count);
    // The first MiB belongs to the board: real-mode vectors, video memory, firmware.
    this.owner.fill(OWNER_BOARD, 0, Math.min(this.count, 0x100));
    this.cursor = 0x100;
  }

  get free(): number {
    return this.owner.reduce((sum, owner) => sum + (owner === OWNER_FREE ? 1 : 0), 0);
  }

  /** One zeroed frame; its machine frame number. Throws OutOfMemory. */
  allocate(owner: number): number {
    for (let tried = 0; tried < this.count; tried++) {
      const frame = this.cursor;
      this.cursor = this.cursor + 1 >= this.count ? 0x100 : this.cursor + 1;
      if (this.owner[frame] === OWNER_FREE) {
        this.owner[frame] = owner;
        this.clean(frame);
        return frame;
      }
    }
    throw new OutOfMemory('no free page frame on this host');
  }

  /** `count` zeroed frames in a row, the first one aligned to `align` frames; the first machine frame number. */
  allocateContiguous(owner: number, count: number, align = 1): number {
    for (let first = 0x100; first + count <= this.count; first++) {
      if (first % align) continue;
      let length = 0;
      while (length < count && this.owner[first + length] === OWNER_FREE) length++;
      if (length === count) {
        this.owner.fill(owner, first, first + count);
        for (let frame = first; frame < first + count; frame++) this.clean(frame);
        return first;
      }
      first += length;
    }
    throw new OutOfMemory(`no ${count} free page frames in a row on this host`);
  }

  /** Zero, whatever happened to a frame that nobody owned. */
  private clean(frame: number): void {
    if (this.used[frame]) this.memory.clear(frame << PAGE_SHIFT, PAGE_SIZE);
    this.used[frame] = 1;
  }

  release(frame: number): void {
    this.owner[frame] = OWNER_FREE;
    this.memory.clear(frame << PAGE_SHIFT, PAGE_SIZE);
  }

  /** Gives back every frame of an owner, zeroed: the next owner must not read the last one's data. */
  releaseAll(owner: number): void {
    for (let frame = 0; frame < this.count; frame++) if (this.owner[frame] === owner) this.release(frame);
    this.cursor = 0x100;
  }
}

/** A domain's guest-physical memory: a map to machine frames that are its own. */
export class GuestMemory {
  /** Machine frame of each guest frame, or -1. */
  readonly p2m: Int32Array;
  /** Called when a device of the domain has written to one of its frames; whoever shadows that frame wants to know. */
  onDeviceWrite: ((frame: number) => void) | null = null;

  /** @param size bytes of guest-physical memory, a multiple of 4096 */
  constructor(
    readonly frames: FrameTable,
    readonly owner: number,
    readonly size: number,
  ) {
    this.p2m = new Int32Array(size >>> PAGE_SHIFT).fill(-1);
  }

  get pages(): number {
    return this.p2m.length;
  }

  /** How many of them have memory now: a balloon driver gives some back. */
  get backed(): number {
    let count = 0;
    for (let frame = 0; frame < this.p2m.length; frame++) if (this.p2m[frame] >= 0) count++;
    return count;
  }

  /** Backs [firstFrame, firstFrame + count) with frames of its own; with `contiguous`, in one row. */
  populate(firstFrame: number, count: number, contiguous = false): void {
    if (contiguous) {
      const machine = this.frames.allocateContiguous(this.owner, count);
      for (let n = 0; n < count; n++) this.p2m[firstFrame + n] = machine + n;
    } else {
      for (let n = 0; n < count; n++) this.p2m[firstFrame + n] = this.frames.allocate(this.owner);
    }
  }

  /** Machine address of a guest-physical one, or -1 when nothing is there. */
  toMachine(address: number): number {
    const frame = address >>> PAGE_SHIFT;
    const machine = frame < this.p2m.length ? this.p2m[frame] : -1;
    return machine < 0 ? -1 : machine * PAGE_SIZE + (address & (PAGE_SIZE - 1));
  }

  read32(address: number): number {
    const machine = this.toMachine(address);
    return machine < 0 ? -1 : this.frames.memory.read32(machine);
  }

  write32(address: number, value: number): void {
    const machine = this.toMachine(address);
    if (machine >= 0) this.frames.memory.write32(machine, value);
  }

  /** Copies into guest-physical memory; throws RangeError when a page is missing. */
  load(address: number, data: Uint8Array): void {
    for (let at = 0; at < data.length; ) {
      const machine = this.toMachine(address + at);
      if (machine < 0)
        throw new RangeError(`guest-physical ${(address + at).toString(16)}h is not backed by memory`);
      const length = Math.min(data.length - at, PAGE_SIZE - (machine & (PAGE_SIZE - 1)));
      this.frames.memory.load(machine, data.subarray(at, at + length));
      at += length;
    }
  }
}
