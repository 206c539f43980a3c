// Devices that answer at memory addresses: which pages are theirs, and the way there. Ordinary memory never asks: a page of
// a device gets no fast TLB tag (cpu/paging.ts), so only accesses that went the long way come to `MemoryMap`.

/** A device at memory addresses. */
export interface MemoryMapped {
  /** @param address physical, uint32; the access does not cross a page. Result unsigned, or int32 for four bytes */
  readMemory(address: number, size: 1 | 2 | 4): number;
  writeMemory(address: number, value: number, size: 1 | 2 | 4): void;
}

const PAGE_SHIFT = 12;

interface Range {
  first: number;
  length: number;
  device: MemoryMapped;
}

/** The ranges of one host, some of them over its memory. */
export class MemoryMap {
  private readonly ranges: Range[] = [];
  private readonly listeners: (() => void)[] = [];
  /** The range that answered last: who draws, draws on. */
  private latest: Range | null = null;
  /** Some range hides another (software can place PCI's where it likes). */
  private overlapping = false;

  /**
   * @param size bytes of memory
   * @param mapped by page of memory: 1 where a device answers instead of the memory
   */
  constructor(
    private readonly size: number,
    readonly mapped = new Uint8Array(size >>> PAGE_SHIFT),
  ) {}

  /** `listener` is called when pages change between memory and device: who remembered which it was forgets now. */
  onChange(listener: () => void): void {
    this.listeners.push(listener);
  }

  /** Gives [first, first + length) to a device; whole pages. What was mapped earlier answers first where ranges overlap. */
  add(first: number, length: number, device: MemoryMapped): void {
    this.ranges.push({ first, length, device });
    this.rangesChanged();
    this.setMapped(first, length, true);
  }

  /** Takes the range of a device that begins at `first` away; memory below it shows again. */
  remove(first: number, device: MemoryMapped): void {
    const i = this.ranges.findIndex((range) => range.first === first && range.device === device);
    if (i < 0) return;
    const [{ length }] = this.ranges.splice(i, 1);
    this.rangesChanged();
    this.setMapped(first, length, false);
  }

  private rangesChanged(): void {
    this.latest = null;
    const sorted = [...this.ranges].sort((a, b) => a.first - b.first);
    this.overlapping = sorted.some(
      (range, i) => i > 0 && sorted[i - 1].first + sorted[i - 1].length > range.first,
    );
  }

  /** For a device over memory: whether it wants the accesses to these pages, or lets the memory have them. */
  setMapped(first: number, length: number, mapped: boolean): void {
    const from = first >>> PAGE_SHIFT;
    if (first < this.size) {
      const to = Math.min(this.mapped.length, (first + length + 0xfff) / 0x1000);
      this.mapped.fill(mapped ? 1 : 0, from, to);
    }
    for (const listener of this.listeners) listener();
  }

  /** All ones where nobody is. */
  read(address: number, size: 1 | 2 | 4): number {
    const range = this.at(address);
    if (range !== null) return range.device.readMemory(address, size);
    return size === 4 ? -1 : size === 2 ? 0xffff : 0xff;
  }

  write(address: number, value: number, size: 1 | 2 | 4): void {
    this.at(address)?.device.writeMemory(address, value, size);
  }

  /** Whether a device has this address and wants its accesses. */
  answers(address: number): boolean {
    return address < this.size ? this.mapped[address >>> PAGE_SHIFT] === 1 : this.at(address) !== null;
  }

  private at(address: number): Range | null {
    const { latest } = this;
    if (latest !== null && !this.overlapping && (address - latest.first) >>> 0 < latest.length) return latest;
    for (let i = 0; i < this.ranges.length; i++) {
      const range = this.ranges[i];
      if ((address - range.first) >>> 0 < range.length) {
        this.latest = range;
        return range;
      }
    }
    return null;
  }
}
