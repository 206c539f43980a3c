// Bus-master IDE of the 82371AB/SB (PIIX): per channel a command, a status and a table of memory regions. Intel 82371AB data
// sheet (290562) §5.2.3 and "Programming Interface for Bus Master IDE Controller" rev. 1.0.
import type { BusMemory } from '../bus-memory.ts';
import type { Device } from '../device.ts';
import type { PciFunction } from '../pci/function.ts';
import type { AtaChannel } from './ata-channel.ts';
import type { DmaPort } from './ata-drive.ts';

const START = 0x01;
const TO_MEMORY = 0x08;
const ACTIVE = 0x01;
const ERROR = 0x02;
const INTERRUPT = 0x04;
const CAPABLE = 0x60;
/** Behind the last region of a table. */
const END_OF_TABLE = 0x80;

/** One channel's half of the registers, eight ports. */
class Engine implements DmaPort {
  private command = 0;
  private status = 0;
  private table = 0;
  /** Next entry of the table; the region under way; whether it is the last. */
  private entry = 0;
  private address = 0;
  private left = 0;
  private last = false;
  private readonly descriptor = new Uint8Array(8);

  constructor(
    private readonly channel: AtaChannel,
    private readonly memory: BusMemory,
    private readonly pci: PciFunction,
  ) {
    channel.dma = this;
    // Bit 2 follows the rising edge, of PIO too (§2.1 of the programming interface).
    channel.onInterrupt = (level) => {
      if (level) this.status |= INTERRUPT;
    };
  }

  toMemory(data: Uint8Array, from: number, to: number): number {
    return this.move(true, data, from, to);
  }
  fromMemory(data: Uint8Array, from: number, to: number): number {
    return this.move(false, data, from, to);
  }

  /** Bytes moved. Each region of the table is at least two bytes long, so this comes to an end. */
  private move(toMemory: boolean, data: Uint8Array, from: number, to: number): number {
    if (!this.pci.busMaster || ((this.command & TO_MEMORY) !== 0) !== toMemory) return 0;
    let at = from;
    while (at < to && this.status & ACTIVE) {
      if (this.left === 0 && !this.nextRegion()) break;
      const length = Math.min(to - at, this.left);
      const good = toMemory
        ? this.memory.store(this.address, data, at, at + length)
        : this.memory.fetch(this.address, data, at, at + length);
      at += length;
      this.address = (this.address + length) % 2 ** 32;
      this.left -= length;
      if (!good) this.status = (this.status & ~ACTIVE) | ERROR;
      else if (this.left === 0 && this.last) this.status &= ~ACTIVE;
    }
    return at - from;
  }

  /** Reads the next physical region descriptor: address, byte count (0 = 64 KiB), end of table. */
  private nextRegion(): boolean {
    const { descriptor: d } = this;
    if (!this.memory.fetch(this.entry, d, 0, 8)) {
      this.status = (this.status & ~ACTIVE) | ERROR;
      return false;
    }
    this.entry = (this.entry + 8) % 2 ** 32;
    this.address = ((d[0] & ~1) | (d[1] << 8) | (d[2] << 16) | (d[3] << 24)) >>> 0;
    this.left = (d[4] & ~1) | (d[5] << 8) || 0x10000;
    this.last = (d[7] & END_OF_TABLE) !== 0;
    return true;
  }

  read(register: number): number {
    switch (register) {
      case 0:
        return this.command;
      case 2:
        return this.status;
      case 4:
      case 5:
      case 6:
      case 7:
        return (this.table >>> (8 * (register - 4))) & 0xff;
      default:
        return 0;
    }
  }

  write(register: number, value: number): void {
    if (register === 0) this.writeCommand(value & (START | TO_MEMORY));
    else if (register === 2) {
      // Error and interrupt are cleared by writing ones; what the drives can do is remembered; active belongs to the engine.
      const cleared = this.status & ~(value & (ERROR | INTERRUPT));
      this.status = (cleared & ~CAPABLE) | (value & CAPABLE);
    } else if (register >= 4 && register <= 7) {
      const shift = 8 * (register - 4);
      this.table = ((this.table & ~(0xff << shift)) | (value << shift)) & ~3;
    }
  }

  private writeCommand(value: number): void {
    const before = this.command;
    this.command = value;
    if (!(value & START)) this.status &= ~ACTIVE;
    else if (!(before & START)) {
      this.status |= ACTIVE;
      this.entry = this.table >>> 0;
      this.left = 0;
      this.last = false;
      this.channel.dmaStarted();
    }
  }

  reset(): void {
    this.command = this.status = this.table = this.entry = this.address = this.left = 0;
    this.last = false;
  }
}

/** Both channels' registers, at the ports that BAR4 says. */
export class BusMaster implements Device {
  readonly name = 'bus-master-ide';
  readonly ports = [] as const;
  readonly wide = true;
  private readonly engines: readonly [Engine, Engine];

  /** @param pci the function whose BAR4 this is */
  constructor(
    primary: AtaChannel,
    secondary: AtaChannel,
    memory: BusMemory,
    private readonly pci: PciFunction,
  ) {
    this.engines = [new Engine(primary, memory, pci), new Engine(secondary, memory, pci)];
  }

  readPort(port: number, size: 1 | 2 | 4): number {
    let value = 0;
    for (let n = 0; n < size; n++) {
      const register = port - this.pci.address(4) + n;
      value |= (register < 16 ? this.engines[register >> 3].read(register & 7) : 0xff) << (8 * n);
    }
    return value >>> 0;
  }

  writePort(port: number, value: number, size: 1 | 2 | 4): void {
    for (let n = 0; n < size; n++) {
      const register = port - this.pci.address(4) + n;
      if (register < 16) this.engines[register >> 3].write(register & 7, (value >>> (8 * n)) & 0xff);
    }
  }

  nextDeadline(): number {
    return Infinity;
  }
  advance(): void {}
  reset(): void {
    for (const engine of this.engines) engine.reset();
  }
}
