// Memory as a bus master sees it: a controller that fetches and stores by itself (bus-master IDE, 8237). Addresses are what
// the machine's software calls physical: under a hypervisor the domain's, which ends where the domain's memory ends.
import { PAGE_SIZE, type PhysicalMemory } from '../memory/physical-memory.ts';

export interface BusMemory {
  /** Copies memory from `address` into bytes [from, to); all ones where nobody is. False when some of it was not memory. */
  fetch(address: number, into: Uint8Array, from: number, to: number): boolean;
  /** Copies bytes [from, to) to memory at `address`; what falls beside memory is lost. False when some did. */
  store(address: number, data: Uint8Array, from: number, to: number): boolean;
}

/** A bus without memory: a board that nobody has put into a machine. */
export const NO_MEMORY: BusMemory = {
  fetch(_address, into, from, to) {
    into.fill(0xff, from, to);
    return false;
  },
  store: () => false,
};

/** The memory of a host, and the devices over it; who decoded code from it is told. */
export class HostBus implements BusMemory {
  constructor(private readonly memory: PhysicalMemory) {}

  fetch(address: number, into: Uint8Array, from: number, to: number): boolean {
    const { memory } = this;
    let complete = true;
    for (let at = from; at < to; ) {
      const length = Math.min(to - at, PAGE_SIZE - (address % PAGE_SIZE));
      if (memory.isPlain(address)) into.set(memory.bytes.subarray(address, address + length), at);
      else {
        for (let n = 0; n < length; n++) into[at + n] = memory.busRead8(address + n);
        complete &&= address < memory.size;
      }
      at += length;
      address = (address + length) % 2 ** 32;
    }
    return complete;
  }

  store(address: number, data: Uint8Array, from: number, to: number): boolean {
    const { memory } = this;
    let complete = true;
    for (let at = from; at < to; ) {
      const length = Math.min(to - at, PAGE_SIZE - (address % PAGE_SIZE));
      if (memory.isPlain(address)) memory.load(address, data.subarray(at, at + length));
      else {
        for (let n = 0; n < length; n++) memory.busWrite8(address + n, data[at + n]);
        complete &&= address < memory.size;
      }
      at += length;
      address = (address + length) % 2 ** 32;
    }
    return complete;
  }
}
