// The memory of one host: one buffer, little-endian. Everything that "lies in memory" (page tables, VMCS,
// shared_info, descriptor tables, video memory) lies here and nowhere else. `read*`/`write*` are the memory's cells;
// `busRead*`/`busWrite*` are what a processor's access meets, which may be a device (memory-mapped.ts).
import { MemoryMap } from './memory-mapped.ts';
import { allocate, LINE_SHIFT, MOST_PROCESSORS, RAM_BASE, SHARED_BYTES, type Store } from './store.ts';

/** Page size of IA-32 without PSE, in bytes. */
export const PAGE_SIZE = 4096;
export const PAGE_SHIFT = 12;
const LINES_OF_PAGE = PAGE_SHIFT - LINE_SHIFT;

/** Physical memory of a host. Reads beyond its end give all ones and writes are dropped, as an empty bus does. */
export class PhysicalMemory {
  /** The buffer that all of it lies in. */
  readonly store: Store;
  readonly bytes: Uint8Array;
  /** The same bytes as aligned doublewords. */
  readonly words: Int32Array;
  readonly size: number;
  private readonly view: DataView;
  /** One counter per page, bumped when code was decoded from that page and it was then written; owners of decoded code compare it. */
  readonly codeVersion: Uint32Array;
  /** 1 when decoded code exists for the page: writers must call `touchCode`. */
  readonly hasCode: Uint8Array;
  /** 1 for each line of 32 bytes that instructions were decoded from: compiled code stores beside them, never into them. */
  readonly codeLines: Uint8Array;
  /** Counts how often decoded code has become stale. */
  touched = 0;
  /** By page, the bytes that instructions were decoded from: data beside code may be written without disturbing it. */
  private readonly codeBytes: (Uint8Array | null)[];
  /** Devices at memory addresses, over this memory and beyond its end. */
  readonly map: MemoryMap;

  /** @param size bytes, a multiple of 4096, at most 1 GiB */
  constructor(size: number) {
    if (size <= 0 || size % PAGE_SIZE || size > 2 ** 30)
      throw new RangeError(`memory size ${size} is not a multiple of 4096 up to 1 GiB`);
    this.store = allocate(size);
    const { buffer, linesBase, codePagesBase, mappedBase } = this.store;
    const pages = size >>> PAGE_SHIFT;
    this.bytes = new Uint8Array(buffer, RAM_BASE, size);
    this.words = new Int32Array(buffer, RAM_BASE, size >>> 2);
    this.size = size;
    this.view = new DataView(buffer, RAM_BASE, size);
    this.codeVersion = new Uint32Array(pages);
    this.hasCode = new Uint8Array(buffer, codePagesBase, pages);
    this.codeLines = new Uint8Array(buffer, linesBase, size >>> LINE_SHIFT);
    this.codeBytes = new Array(pages).fill(null);
    this.map = new MemoryMap(size, new Uint8Array(buffer, mappedBase, pages));
  }

  private processors = 0;
  private readonly onCode: (() => void)[] = [];

  /** `listener` is called when code is first decoded from a page: stores there must be seen from now on. */
  onFirstCode(listener: () => void): void {
    this.onCode.push(listener);
  }

  /** Offset in the buffer of a block for one more processor; -1 when there is no more. */
  takeShared(): number {
    return this.processors < MOST_PROCESSORS ? this.processors++ * SHARED_BYTES : -1;
  }

  /** True when a processor's access at this address meets the memory, and no device. */
  isPlain(address: number): boolean {
    return address < this.size && this.map.mapped[address >>> PAGE_SHIFT] === 0;
  }
  // An access on the bus: within one page.
  busRead8(address: number): number {
    return this.isPlain(address) ? this.bytes[address] : this.map.read(address, 1);
  }
  busRead16(address: number): number {
    return this.isPlain(address) ? this.read16(address) : this.map.read(address, 2);
  }
  /** As int32. */
  busRead32(address: number): number {
    return this.isPlain(address) ? this.read32(address) : this.map.read(address, 4) | 0;
  }
  busWrite8(address: number, value: number): void {
    if (this.isPlain(address)) this.write8(address, value);
    else this.map.write(address, value & 0xff, 1);
  }
  busWrite16(address: number, value: number): void {
    if (this.isPlain(address)) this.write16(address, value);
    else this.map.write(address, value & 0xffff, 2);
  }
  busWrite32(address: number, value: number): void {
    if (this.isPlain(address)) this.write32(address, value);
    else this.map.write(address, value >>> 0, 4);
  }

  read8(address: number): number {
    return address < this.size ? this.bytes[address] : 0xff;
  }
  read16(address: number): number {
    return address + 2 <= this.size ? this.view.getUint16(address, true) : 0xffff;
  }
  /** As int32. */
  read32(address: number): number {
    return address + 4 <= this.size ? this.view.getInt32(address, true) : -1;
  }
  write8(address: number, value: number): void {
    if (address >= this.size) return;
    this.bytes[address] = value;
    if (this.hasCode[address >>> PAGE_SHIFT]) this.written(address, 1);
  }
  write16(address: number, value: number): void {
    if (address + 2 > this.size) return;
    this.view.setUint16(address, value, true);
    if (this.hasCode[address >>> PAGE_SHIFT] | this.hasCode[(address + 1) >>> PAGE_SHIFT])
      this.written(address, 2);
  }
  write32(address: number, value: number): void {
    if (address + 4 > this.size) return;
    this.view.setInt32(address, value, true);
    if (this.hasCode[address >>> PAGE_SHIFT] | this.hasCode[(address + 3) >>> PAGE_SHIFT])
      this.written(address, 4);
  }
  /** As `write32`, to a page of memory that is known to hold no code (the TLB has its tag for stores). */
  put32(address: number, value: number): void {
    this.view.setInt32(address, value, true);
  }
  /** Copies bytes in (image loading, hypervisor copies). Throws RangeError when they do not fit. */
  load(address: number, data: Uint8Array): void {
    if (address + data.length > this.size)
      throw new RangeError(`${data.length} bytes at ${address.toString(16)}h do not fit`);
    this.bytes.set(data, address);
    for (let page = address >>> PAGE_SHIFT; page <= (address + data.length - 1) >>> PAGE_SHIFT; page++) {
      if (this.hasCode[page]) this.touchCode(page << PAGE_SHIFT);
    }
  }
  /** Zeroes a range. */
  clear(address: number, length: number): void {
    this.bytes.fill(0, address, address + length);
    for (let page = address >>> PAGE_SHIFT; page <= (address + length - 1) >>> PAGE_SHIFT; page++) {
      if (this.hasCode[page]) this.touchCode(page << PAGE_SHIFT);
    }
  }
  /** Says that the decoded code of this page is stale. */
  touchCode(address: number): void {
    const page = address >>> PAGE_SHIFT;
    this.codeVersion[page]++;
    this.touched++;
    this.hasCode[page] = 0;
    this.codeBytes[page]?.fill(0);
    this.codeLines.fill(0, page << LINES_OF_PAGE, (page + 1) << LINES_OF_PAGE);
  }
  /** Says that an instruction was decoded from these bytes, which lie in one page: from now on a write there is noticed. */
  markCode(address: number, length: number): void {
    const page = address >>> PAGE_SHIFT;
    const at = address & (PAGE_SIZE - 1);
    const marks = (this.codeBytes[page] ??= new Uint8Array(PAGE_SIZE));
    marks.fill(1, at, at + length);
    this.codeLines.fill(1, address >>> LINE_SHIFT, ((address + length - 1) >>> LINE_SHIFT) + 1);
    if (this.hasCode[page]) return;
    this.hasCode[page] = 1;
    for (const listener of this.onCode) listener();
  }
  /** A few bytes were stored in a page with code: stale only when they belonged to an instruction. */
  private written(address: number, size: number): void {
    for (let at = address; at < address + size; at++) {
      const page = at >>> PAGE_SHIFT;
      if (!this.hasCode[page]) continue;
      const marks = this.codeBytes[page];
      if (marks === null || marks[at & (PAGE_SIZE - 1)]) this.touchCode(at);
    }
  }
}
