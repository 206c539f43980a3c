// The memory of one host: one buffer, little-endian. Everything that "lies in memory" (page tables, VMCS,
// shared_info, descriptor tables, video memory) lies here and nowhere else.

/** Page size of IA-32 without PSE, in bytes. */
export const PAGE_SIZE = 4096;
export const PAGE_SHIFT = 12;

/** Physical memory of a host. Reads beyond its end give all ones and writes are dropped, as an empty bus does. */
export class PhysicalMemory {
  readonly bytes: Uint8Array;
  readonly size: number;
  private readonly view: DataView;
  /** One counter per page, bumped when code was decoded from that page and it was then written; owners of decoded code compare it. */
  readonly codeVersion: Uint32Array;
  /** 1 when decoded code exists for the page: writers must call `touchCode`. */
  readonly hasCode: Uint8Array;
  /** By page, the bytes that instructions were decoded from: data beside code may be written without disturbing it. */
  private readonly codeBytes: (Uint8Array | null)[];

  /** @param size bytes, a multiple of 4096, at most 1 GiB */
  constructor(size: number) {
    if (size <= 0 || size % PAGE_SIZE || size > 2 ** 30)
      throw new RangeError(`memory size ${size} is not a multiple of 4096 up to 1 GiB`);
    this.bytes = new Uint8Array(size);
    this.size = size;
    this.view = new DataView(this.bytes.buffer);
    this.codeVersion = new Uint32Array(size >>> PAGE_SHIFT);
    this.hasCode = new Uint8Array(size >>> PAGE_SHIFT);
    this.codeBytes = new Array(size >>> PAGE_SHIFT).fill(null);
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
    this.hasCode[page] = 0;
    this.codeBytes[page]?.fill(0);
  }
  /** Says that an instruction was decoded from these bytes, which lie in one page: from now on a write there is noticed. */
  markCode(address: number, length: number): void {
    const page = address >>> PAGE_SHIFT;
    const at = address & (PAGE_SIZE - 1);
    const marks = (this.codeBytes[page] ??= new Uint8Array(PAGE_SIZE));
    marks.fill(1, at, at + length);
    this.hasCode[page] = 1;
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
