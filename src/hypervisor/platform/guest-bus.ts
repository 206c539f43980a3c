// What DMA of a virtual board reaches: the domain's own memory, frame by frame through its p2m, and nothing else. A device's
// write goes past the protection of shadowed tables, so the shadow is told (Xen marks such pages dirty in the same way).
import type { BusMemory } from '../../machine/devices/bus-memory.ts';
import { PAGE_SIZE } from '../../machine/memory/physical-memory.ts';
import type { GuestMemory } from '../frames.ts';

export class GuestBus implements BusMemory {
  constructor(private readonly memory: GuestMemory) {}

  fetch(address: number, into: Uint8Array, from: number, to: number): boolean {
    return this.pieces(address, from, to, (machine, at, end) => {
      if (machine < 0) into.fill(0xff, at, end);
      else into.set(this.memory.frames.memory.bytes.subarray(machine, machine + end - at), at);
    });
  }

  store(address: number, data: Uint8Array, from: number, to: number): boolean {
    return this.pieces(address, from, to, (machine, at, end, physical) => {
      if (machine < 0) return;
      this.memory.frames.memory.load(machine, data.subarray(at, end));
      this.memory.onDeviceWrite?.(Math.floor(physical / PAGE_SIZE));
    });
  }

  /** Page by page; machine address −1 where the domain has no memory. False when there was such a page. */
  private pieces(
    address: number,
    from: number,
    to: number,
    move: (machine: number, at: number, end: number, physical: number) => void,
  ): boolean {
    let complete = true;
    for (let at = from; at < to; ) {
      const end = Math.min(to, at + PAGE_SIZE - (address % PAGE_SIZE));
      const machine = this.memory.toMachine(address);
      complete &&= machine >= 0;
      move(machine, at, end, address);
      address = (address + end - at) % 2 ** 32;
      at = end;
    }
    return complete;
  }
}
