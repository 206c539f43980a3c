// One function of a PCI device: its 256 bytes of configuration space. PCI Local Bus Specification 2.1 §6.1 header, §6.2.1
// identification, §6.2.2 command, §6.2.5 base addresses (whose size software learns by writing ones).

/** A base address register: how much it decodes. Sizes are powers of two: at least 4 ports, or 16 bytes of memory. */
export interface BaseAddress {
  readonly kind: 'ports' | 'memory' | 'prefetchable';
  readonly size: number;
  /** Where firmware puts it at power-on. */
  readonly address: number;
}

export interface FunctionDescription {
  readonly vendor: number;
  readonly device: number;
  /** Class, subclass, programming interface: 24 bits. */
  readonly classCode: number;
  readonly revision?: number;
  /** One of several functions of a device: bit 7 of the header type of function 0. */
  readonly multifunction?: boolean;
  /** Command register as firmware leaves it. */
  readonly command?: number;
  /** INTA…INTD as 1…4; 0 = uses no interrupt pin. */
  readonly interruptPin?: number;
  /** By number 0–5; holes are registers that are not there. */
  readonly bars?: readonly (BaseAddress | null)[];
  /** Further bytes that can be written, with their value at power-on: offset, value, mask of writable bits. */
  readonly registers?: readonly (readonly [offset: number, value: number, writable: number])[];
}

const COMMAND = { ports: 1, memory: 2, busMaster: 4 } as const;
const BAR0 = 0x10;
const UNMAPPED = -1;

export class PciFunction {
  /** Called when a base address begins to decode at an address, or stops (-1): by its own register or by the command register. */
  onBar: ((bar: number, address: number) => void) | null = null;
  /** Called after a write to a byte of device-specific space (40h–FFh). */
  onRegister: ((offset: number, value: number) => void) | null = null;
  private readonly config = new Uint8Array(256);
  private readonly writable = new Uint8Array(256);
  /** Where each base address decodes now. */
  private readonly decoded = [UNMAPPED, UNMAPPED, UNMAPPED, UNMAPPED, UNMAPPED, UNMAPPED];

  constructor(private readonly description: FunctionDescription) {
    this.setUp();
  }

  private setUp(): void {
    const { config, writable, description: d } = this;
    config.fill(0);
    writable.fill(0);
    const word = (at: number, value: number) => {
      config[at] = value;
      config[at + 1] = value >>> 8;
    };
    word(0x00, d.vendor);
    word(0x02, d.device);
    word(0x04, d.command ?? 0);
    word(0x06, 0x0200); // DEVSEL# medium
    config[0x08] = d.revision ?? 0;
    config[0x09] = d.classCode;
    word(0x0a, d.classCode >>> 8);
    config[0x0e] = d.multifunction ? 0x80 : 0;
    config[0x3d] = d.interruptPin ?? 0;
    const has = (kind: (b: BaseAddress) => boolean) => d.bars?.some((b) => b && kind(b)) ?? false;
    writable[0x04] =
      COMMAND.busMaster |
      (has((b) => b.kind === 'ports') ? COMMAND.ports : 0) |
      (has((b) => b.kind !== 'ports') ? COMMAND.memory : 0);
    writable[0x0c] = writable[0x0d] = 0xff; // cache line size, latency timer
    if (d.interruptPin) writable[0x3c] = 0xff;
    d.bars?.forEach((bar, n) => {
      if (!bar) return;
      this.put32(BAR0 + 4 * n, bar.address | flagsOf(bar));
      const mask = bar.kind === 'ports' ? (-bar.size & 0xffff) | 0xffff0000 : -bar.size;
      for (let k = 0; k < 4; k++) writable[BAR0 + 4 * n + k] = (mask >>> (8 * k)) & 0xff;
      writable[BAR0 + 4 * n] &= bar.kind === 'ports' ? 0xfc : 0xf0;
    });
    for (const [offset, value, mask] of d.registers ?? []) {
      config[offset] = value;
      writable[offset] = mask;
    }
  }

  private put32(at: number, value: number): void {
    for (let k = 0; k < 4; k++) this.config[at + k] = value >>> (8 * k);
  }

  /** One byte of configuration space. */
  read(offset: number): number {
    return this.config[offset];
  }

  /** Unsigned 32-bit register. */
  read32(offset: number): number {
    const { config: c } = this;
    return (c[offset] | (c[offset + 1] << 8) | (c[offset + 2] << 16) | (c[offset + 3] << 24)) >>> 0;
  }

  /** Writes a byte as software does. Whoever writes several calls `update` after the last. */
  write(offset: number, value: number): void {
    const mask = this.writable[offset];
    if (!mask) return;
    this.config[offset] = (this.config[offset] & ~mask) | (value & mask);
    if (offset >= 0x40) this.onRegister?.(offset, this.config[offset]);
  }

  /** True while the function may read and write memory by itself. */
  get busMaster(): boolean {
    return (this.config[4] & COMMAND.busMaster) !== 0;
  }

  /** Where a base address decodes now, -1 = nowhere. */
  address(bar: number): number {
    return this.decoded[bar];
  }

  /** Tells which base addresses decode elsewhere than before. */
  update(): void {
    this.description.bars?.forEach((bar, n) => {
      if (!bar) return;
      const enabled = this.config[4] & (bar.kind === 'ports' ? COMMAND.ports : COMMAND.memory);
      const base = this.read32(BAR0 + 4 * n);
      const address = (bar.kind === 'ports' ? base & 0xfffc : base & ~15) >>> 0;
      // An address of zero, and one that is all ones while software asks for the size, is no place to be.
      const nowhere =
        address === 0 || address === (bar.kind === 'ports' ? -bar.size & 0xfffc : -bar.size >>> 0);
      const now = enabled && !nowhere ? address : UNMAPPED;
      if (now === this.decoded[n]) return;
      this.decoded[n] = now;
      this.onBar?.(n, now);
    });
  }

  /** Power-on, with addresses as firmware leaves them. */
  reset(): void {
    this.setUp();
    for (const [offset] of this.description.registers ?? []) this.onRegister?.(offset, this.config[offset]);
    this.update();
  }
}

const flagsOf = (bar: BaseAddress): number => (bar.kind === 'ports' ? 1 : bar.kind === 'memory' ? 0 : 8);
