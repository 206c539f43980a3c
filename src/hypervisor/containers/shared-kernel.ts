// What can be read of a kernel with containers from outside: it says by a signature in its memory where it keeps the number
// of the container that has the processor, and its table (guests/penguin/containers/containers.asm). Looking changes nothing.
import type { PhysicalMemory } from '../../machine/memory/physical-memory.ts';

const SIGNATURE = 'Penguin VE table';
/** The image is looked through from 1 MiB, this far. */
const FROM = 0x100000;
const LOOK_THROUGH = 0x100000;

/** States of a container in its record. */
export const CONTAINER_FREE = 0;

export class SharedKernel {
  private constructor(
    private readonly memory: PhysicalMemory,
    private readonly currentAt: number,
    private readonly preemptedAt: number,
    private readonly table: number,
    /** How many containers there can be, the machine's own (number 0) included. */
    readonly count: number,
    private readonly recordSize: number,
  ) {}

  /** Finds the signature in a machine's memory; null when the kernel that lies there has no containers. */
  static find(memory: PhysicalMemory): SharedKernel | null {
    const { bytes } = memory;
    const wanted = [...SIGNATURE].map((c) => c.charCodeAt(0));
    const end = Math.min(FROM + LOOK_THROUGH, memory.size - 64);
    for (let at = FROM; at < end; at += 16) {
      if (!wanted.every((byte, n) => bytes[at + n] === byte)) continue;
      const [current, preempted, table, count, size] = [16, 20, 24, 28, 32].map(
        (offset) => memory.read32(at + offset) >>> 0,
      );
      const fits = [current, preempted].every((word) => word <= memory.size - 4);
      if (!fits || count < 2 || count > 8 || size > 4096 || table > memory.size - count * size) return null;
      return new SharedKernel(memory, current, preempted, table, count, size);
    }
    return null;
  }

  /** Number of the container that has the processor; 0 is the machine's own, and the idle task's. */
  get current(): number {
    return this.memory.read32(this.currentAt);
  }
  /** Whoever had the processor before wanted to go on. */
  get preempted(): boolean {
    return this.memory.read32(this.preemptedAt) !== 0;
  }
  /** State in a container's record. */
  stateOf(number: number): number {
    return this.memory.read32(this.table + number * this.recordSize);
  }
}
