// QEMU's pc-testdev, which the unit tests of hypervisor projects talk to: four ports that remember (E0h), one that asks for a
// page to be taken from the guest for a moment (E4h, nothing to do here), ports that are wires to the interrupt controllers
// (2000h and up), and 64 KiB that answer like a device. No machine has it unless a program provides it.
import type { MemoryMap, MemoryMapped } from '../memory/memory-mapped.ts';
import type { Device } from './device.ts';

const LATCH = 0xe0;
const FLUSH = 0xe4;
const BYTES = 0xe8;
const WIRES = 0x2000;
const INPUTS = 24;
const MEMORY = 0xff000000;
const MEMORY_SIZE = 0x10000;

export class TestDevice implements Device, MemoryMapped {
  readonly name = 'test';
  readonly ports = [
    [LATCH, BYTES + 3],
    [WIRES, WIRES + INPUTS - 1],
  ] as const;
  readonly wide = true;
  private latch = 0;
  private readonly bytes = new Uint8Array(4);
  private readonly memory = new DataView(new ArrayBuffer(MEMORY_SIZE));

  /** @param setLine moves an input of the interrupt controllers, 0 to 23 */
  constructor(
    private readonly setLine: (input: number, level: boolean) => void,
    map?: MemoryMap,
  ) {
    map?.add(MEMORY, MEMORY_SIZE, this);
  }

  readPort(port: number, size: 1 | 2 | 4): number {
    if (port >= WIRES) return 0;
    if (port >= BYTES) return this.bytes[port - BYTES];
    return port >= FLUSH ? 0 : (this.latch & widthMask(size)) >>> 0;
  }

  writePort(port: number, value: number, size: 1 | 2 | 4): void {
    if (port >= WIRES) this.setLine(port - WIRES, value !== 0);
    else if (port >= BYTES) this.bytes[port - BYTES] = value;
    else if (port < FLUSH) this.latch = (this.latch & ~widthMask(size)) | (value & widthMask(size));
  }

  readMemory(address: number, size: 1 | 2 | 4): number {
    const at = address - MEMORY;
    if (size === 1) return this.memory.getUint8(at);
    return size === 2 ? this.memory.getUint16(at, true) : this.memory.getInt32(at, true);
  }
  writeMemory(address: number, value: number, size: 1 | 2 | 4): void {
    const at = address - MEMORY;
    if (size === 1) this.memory.setUint8(at, value);
    else if (size === 2) this.memory.setUint16(at, value, true);
    else this.memory.setInt32(at, value, true);
  }

  nextDeadline(): number {
    return Infinity;
  }
  advance(): void {}
  reset(): void {
    this.latch = 0;
    this.bytes.fill(0);
  }
}

const widthMask = (size: 1 | 2 | 4): number => (size === 4 ? -1 : size === 2 ? 0xffff : 0xff);
