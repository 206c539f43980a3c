// The APICs of a board: one local APIC a processor, the I/O APIC, and the interrupt mode configuration register of ports
// 22h and 23h (MultiProcessor Specification 1.4 §3.6.2.1), which can hold the PIC past all of them.
import type { MemoryMap, MemoryMapped } from '../../memory/memory-mapped.ts';
import type { Clock, Device, InterruptController } from '../device.ts';
import { ApicBus } from './apic-bus.ts';
import { IO_APIC_BASE, IoApic } from './io-apic.ts';
import { LOCAL_APIC_BASE, LocalApic, type ProcessorPins } from './local-apic.ts';

export interface ApicOptions {
  /** 1 to 4. */
  processors: number;
  /** The processor whose access is being made. */
  current(): number;
  pins(processor: number): ProcessorPins;
}

const PAGE = 0x1000;
const MODE_REGISTER = 0x70;

export class ApicSystem implements Device, MemoryMapped {
  readonly name = 'apic';
  readonly ports = [[0x22, 0x23]] as const;
  readonly locals: readonly LocalApic[];
  readonly ioApic: IoApic;
  private readonly bus = new ApicBus();
  private portIndex = 0;

  /** @param changed called when something may have become due */
  constructor(
    clock: Clock,
    legacy: InterruptController,
    map: MemoryMap,
    private readonly options: ApicOptions,
    changed: () => void,
  ) {
    this.locals = Array.from(
      { length: options.processors },
      (_, n) => new LocalApic(n, clock, this.bus, n === 0 ? legacy : null, options.pins(n), changed),
    );
    this.ioApic = new IoApic(this.bus, options.processors, changed);
    map.add(LOCAL_APIC_BASE, PAGE, this);
    map.add(IO_APIC_BASE, PAGE, this.ioApic);
  }

  // Each processor finds its own local APIC at the same address. Registers are accessed as doublewords; a narrower read gets
  // its part, a narrower write is not defined and changes nothing.

  readMemory(address: number, size: 1 | 2 | 4): number {
    const local = this.locals[this.options.current()];
    const empty = size === 4 ? -1 : size === 2 ? 0xffff : 0xff;
    if (!local.enabled) return empty;
    const value = local.read(address & 0xfff) >>> (8 * (address & 3));
    return size === 4 ? value | 0 : value & empty;
  }

  writeMemory(address: number, value: number, size: 1 | 2 | 4): void {
    const local = this.locals[this.options.current()];
    if (size === 4 && local.enabled) local.write(address & 0xfff, value);
  }

  readPort(port: number): number {
    return port === 0x23 && this.portIndex === MODE_REGISTER ? (this.bus.bypassed ? 0 : 1) : 0xff;
  }
  writePort(port: number, value: number): void {
    if (port === 0x22) this.portIndex = value;
    else if (this.portIndex === MODE_REGISTER) this.bus.bypassed = !(value & 1);
  }

  nextDeadline(): number {
    let next = Infinity;
    for (let i = 0; i < this.locals.length; i++) {
      const deadline = this.locals[i].nextDeadline();
      if (deadline < next) next = deadline;
    }
    return next;
  }
  advance(now: number): void {
    for (const local of this.locals) local.advance(now);
  }

  reset(): void {
    for (const local of this.locals) local.reset();
    this.ioApic.reset();
    this.bus.bypassed = false;
    this.portIndex = 0;
  }
}
