// The interrupt controller of the board's lines in a multiprocessor PC: Intel 82093AA data sheet (order 290566). 24 inputs,
// each with a vector, a destination and a trigger mode. Input 0 is the PIC pair, input 2 the timer, 16 to 23 are for PCI.
import type { MemoryMapped } from '../../memory/memory-mapped.ts';
import type { InterruptLine } from '../device.ts';
import { type ApicBus, DeliveryMode } from './apic-bus.ts';
import type { LocalApic } from './local-apic.ts';

export const IO_APIC_BASE = 0xfec00000;
export const IO_APIC_INPUTS = 24;
/** 24 entries, version 11h. */
const VERSION = 0x00170011;
const Entry = { status: 0x1000, remoteIrr: 0x4000, level: 0x8000, masked: 0x10000 } as const;
const WRITABLE = 0x1afff;

export class IoApic implements MemoryMapped {
  private select = 0;
  private readonly low = new Int32Array(IO_APIC_INPUTS);
  private readonly high = new Int32Array(IO_APIC_INPUTS);
  private readonly lines = new Uint8Array(IO_APIC_INPUTS);
  private id: number;

  /** @param number its APIC identifier after power-on: the one behind the last processor */
  constructor(
    private readonly bus: ApicBus,
    private readonly number: number,
    private readonly changed: () => void,
  ) {
    this.id = number;
    bus.ioApic = this;
    this.reset();
  }

  reset(): void {
    this.select = 0;
    this.id = this.number;
    this.low.fill(Entry.masked);
    this.high.fill(0);
  }

  /** The wire of an input. Level is logical: what asserted means electrically is the polarity bit's business, and looked after. */
  line(input: number): InterruptLine {
    return (level) => this.setLine(input, level);
  }

  setLine(input: number, level: boolean): void {
    const before = this.lines[input];
    this.lines[input] = level ? 1 : 0;
    if (!level || before === 1) return;
    const entry = this.low[input];
    // An edge at a masked input is lost; a level waits.
    if (entry & Entry.masked) return;
    if (entry & Entry.level) this.service(input);
    else this.send(input);
  }

  /** Sends a level-triggered input that is asserted and not yet on its way. */
  private service(input: number): void {
    const entry = this.low[input];
    if ((entry & (Entry.masked | Entry.level | Entry.remoteIrr)) !== Entry.level || !this.lines[input])
      return;
    this.low[input] |= Entry.remoteIrr;
    this.send(input);
  }

  private send(input: number): void {
    const entry = this.low[input];
    const mode = (entry >> 8) & 7;
    // The PIC's interrupts are fetched by the processor from the PIC itself.
    if (mode === DeliveryMode.external) return;
    this.bus.deliver(
      mode,
      entry & 0xff,
      (entry & Entry.level) !== 0,
      this.high[input] >>> 24,
      (entry & 0x800) !== 0,
    );
  }

  /** True when input 0 is programmed to pass the PIC's interrupts to this processor. */
  externalTo(local: LocalApic): boolean {
    const entry = this.low[0];
    if (entry & Entry.masked || ((entry >> 8) & 7) !== DeliveryMode.external) return false;
    return local.matches(this.high[0] >>> 24, (entry & 0x800) !== 0);
  }

  endOfInterrupt(vector: number): void {
    for (let input = 0; input < IO_APIC_INPUTS; input++) {
      if ((this.low[input] & 0xff) !== vector || !(this.low[input] & Entry.remoteIrr)) continue;
      this.low[input] &= ~Entry.remoteIrr;
      this.service(input);
    }
  }

  readMemory(address: number): number {
    const offset = address & 0xff;
    if (offset === 0) return this.select;
    return offset === 0x10 ? this.readRegister() : 0;
  }

  private readRegister(): number {
    const { select } = this;
    if (select === 0 || select === 2) return this.id << 24;
    if (select === 1) return VERSION;
    const input = (select - 0x10) >> 1;
    if (select < 0x10 || input >= IO_APIC_INPUTS) return 0;
    return select & 1 ? this.high[input] : this.low[input];
  }

  writeMemory(address: number, value: number): void {
    const offset = address & 0xff;
    if (offset === 0) this.select = value & 0xff;
    else if (offset === 0x10) this.writeRegister(value);
    this.changed();
  }

  private writeRegister(value: number): void {
    const { select } = this;
    if (select === 0) this.id = (value >>> 24) & 15;
    const input = (select - 0x10) >> 1;
    if (select < 0x10 || input >= IO_APIC_INPUTS) return;
    if (select & 1) {
      this.high[input] = value & 0xff000000;
      return;
    }
    this.low[input] = (value & WRITABLE) | (this.low[input] & Entry.remoteIrr);
    // Changing to edges forgets what was on its way.
    if (!(value & Entry.level)) this.low[input] &= ~Entry.remoteIrr;
    this.service(input);
  }
}
