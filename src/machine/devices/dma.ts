// The PC/AT's two 8237A DMA controllers and their page registers: Intel 8237A data sheet (231466), "Register description";
// page registers as in the IBM PC/AT Technical Reference. Channels 0–3 move bytes within 64 KiB, 5–7 words within 128 KiB.
import type { BusMemory } from './bus-memory.ts';
import type { Device } from './device.ts';

/** Mode register. */
const AUTO_INITIALIZE = 0x10;
const DECREMENT = 0x20;
/** What the channel does to memory: bits 3–2. */
const VERIFY = 0;
const WRITE = 4;
const READ = 8;

class Channel {
  baseAddress = 0;
  baseCount = 0;
  address = 0;
  count = 0;
  mode = 0;
  page = 0;
  masked = true;
  /** Terminal count was reached since the status register was read last. */
  reached = false;

  clear(): void {
    this.baseAddress = this.baseCount = this.address = this.count = this.mode = 0;
    this.masked = true;
    this.reached = false;
  }
}

/** A device's end of a channel: its DREQ, DACK and TC. */
export interface DmaLine {
  /** Bytes [from, to) to memory. Bytes moved: fewer when the channel is masked, set up for the other direction, or at its end. */
  toMemory(data: Uint8Array, from: number, to: number): number;
  fromMemory(data: Uint8Array, from: number, to: number): number;
  /** TC was given with the last byte moved. */
  readonly ended: boolean;
}

/** Channel of each page register 80h–8Fh; −1 = only storage. */
const PAGE_CHANNEL = [-1, 2, 3, 1, -1, -1, -1, 0, -1, 6, 7, 5, -1, -1, -1, 4];

export class Dma implements Device {
  readonly name = 'dma';
  /** Port 80h is the debug port's. */
  readonly ports = [
    [0x00, 0x0f],
    [0x81, 0x8f],
    [0xc0, 0xdf],
  ] as const;
  private readonly channels = Array.from({ length: 8 }, () => new Channel());
  private readonly spare = new Uint8Array(16);
  /** Per controller: which byte of a 16-bit register comes next, the command register, software requests. */
  private readonly high = [false, false];
  private readonly command = [0, 0];
  private readonly request = [0, 0];

  constructor(private readonly memory: BusMemory) {}

  /** The line of the device on a byte channel (0–3). */
  line(number: number): DmaLine {
    const channel = this.channels[number];
    let ended = false;
    const move = (kind: number, data: Uint8Array, from: number, to: number): number => {
      ended = false;
      let at = from;
      while (at < to && !ended && this.ready(number)) {
        const direction = channel.mode & 12;
        if (direction !== kind && direction !== VERIFY) break;
        // As far as the count, the request and the 64 KiB page go; downwards byte by byte.
        const most = channel.mode & DECREMENT ? 1 : 0x10000 - channel.address;
        const length = Math.min(to - at, channel.count + 1, most);
        const address = (channel.page << 16) | channel.address;
        if (direction === WRITE) this.memory.store(address, data, at, at + length);
        else if (direction === READ) this.memory.fetch(address, data, at, at + length);
        at += length;
        ended = this.advanceChannel(channel, length);
      }
      return at - from;
    };
    return {
      toMemory: (data, from, to) => move(WRITE, data, from, to),
      fromMemory: (data, from, to) => move(READ, data, from, to),
      get ended() {
        return ended;
      },
    };
  }

  private ready(number: number): boolean {
    return !this.channels[number].masked && !(this.command[number >> 2] & 0x04);
  }

  /** Counts `length` bytes. True at terminal count, where the channel starts anew or masks itself. */
  private advanceChannel(channel: Channel, length: number): boolean {
    const step = channel.mode & DECREMENT ? -length : length;
    channel.address = (channel.address + step) & 0xffff;
    channel.count -= length;
    if (channel.count >= 0) return false;
    channel.count = 0xffff;
    channel.reached = true;
    if (channel.mode & AUTO_INITIALIZE) {
      channel.address = channel.baseAddress;
      channel.count = channel.baseCount;
    } else channel.masked = true;
    return true;
  }

  readPort(port: number): number {
    if (port >= 0x80 && port < 0x90) {
      const number = PAGE_CHANNEL[port & 15];
      return number < 0 ? this.spare[port & 15] : this.channels[number].page;
    }
    const controller = port >= 0xc0 ? 1 : 0;
    const register = controller ? (port - 0xc0) >> 1 : port;
    const channels = this.channels.slice(controller * 4, controller * 4 + 4);
    if (register < 8) {
      const channel = channels[register >> 1];
      const value = register & 1 ? channel.count : channel.address;
      this.high[controller] = !this.high[controller];
      return this.high[controller] ? value & 0xff : (value >> 8) & 0xff;
    }
    if (register === 8) {
      let status = this.request[controller] << 4;
      channels.forEach((channel, n) => {
        if (channel.reached) status |= 1 << n;
        channel.reached = false;
      });
      return status;
    }
    if (register === 15) return 0xf0 | channels.reduce((mask, c, n) => mask | (c.masked ? 1 << n : 0), 0);
    return 0; // temporary register: there are no memory-to-memory transfers on a PC
  }

  writePort(port: number, value: number): void {
    if (port >= 0x80 && port < 0x90) {
      const number = PAGE_CHANNEL[port & 15];
      if (number < 0) this.spare[port & 15] = value;
      else this.channels[number].page = value;
      return;
    }
    const controller = port >= 0xc0 ? 1 : 0;
    this.writeRegister(controller, controller ? (port - 0xc0) >> 1 : port, value);
  }

  private writeRegister(controller: number, register: number, value: number): void {
    const channel = this.channels[controller * 4 + (register < 8 ? register >> 1 : value & 3)];
    switch (register) {
      case 8:
        this.command[controller] = value;
        break;
      case 9:
        this.setRequest(controller, value);
        break;
      case 10:
        channel.masked = (value & 4) !== 0;
        break;
      case 11:
        channel.mode = value & 0xfc;
        break;
      case 12:
        this.high[controller] = false;
        break;
      case 13:
        this.masterClear(controller);
        break;
      case 14:
      case 15:
        for (let n = 0; n < 4; n++)
          this.channels[controller * 4 + n].masked = register === 15 && (value & (1 << n)) !== 0;
        break;
      default:
        this.writeWord(controller, channel, (register & 1) !== 0, value);
    }
  }

  /** Address or count, low byte first; both the base and the current register take it. */
  private writeWord(controller: number, channel: Channel, count: boolean, value: number): void {
    const high = this.high[controller];
    this.high[controller] = !high;
    const before = count ? channel.baseCount : channel.baseAddress;
    const word = high ? (before & 0x00ff) | (value << 8) : (before & 0xff00) | value;
    if (count) channel.baseCount = channel.count = word;
    else channel.baseAddress = channel.address = word;
  }

  /** A request by software shows in the status register; nobody on the PC moves data by it. */
  private setRequest(controller: number, value: number): void {
    const bit = 1 << (value & 3);
    this.request[controller] = value & 4 ? this.request[controller] | bit : this.request[controller] & ~bit;
  }

  /** As a hardware reset: everything masked, command, status and request cleared; addresses, counts and modes stay. */
  private masterClear(controller: number): void {
    this.command[controller] = this.request[controller] = 0;
    this.high[controller] = false;
    for (let n = 0; n < 4; n++) {
      this.channels[controller * 4 + n].masked = true;
      this.channels[controller * 4 + n].reached = false;
    }
  }

  nextDeadline(): number {
    return Infinity;
  }
  advance(): void {}

  /** Power-on, with the cascade (channel 4) open as firmware leaves it. */
  reset(): void {
    for (const channel of this.channels) {
      channel.clear();
      channel.page = 0;
    }
    this.spare.fill(0);
    this.masterClear(0);
    this.masterClear(1);
    this.channels[4].mode = 0xc0;
    this.channels[4].masked = false;
  }
}
