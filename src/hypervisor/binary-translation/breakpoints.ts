// Breakpoints of the guest's own that its kernel's translations would run past, for they lie elsewhere: where an instruction
// has one (DR7 R/W = 0), nothing is translated, and it is interpreted whenever it is due; where a port may have one (R/W = 2), the
// monitor makes the access (SDM vol. 3 §17.2.4).
import type { TranslationCache } from './cache.ts';
import { isLatch } from './in-cache.ts';

const ON_EXECUTION = 0;
const ON_IO = 2;

const conditionOf = (dr7: number, n: number): number =>
  (dr7 >>> (n * 2)) & 3 ? (dr7 >>> (16 + n * 4)) & 3 : -1;

export class Breakpoints {
  /** Linear addresses of instructions. */
  private instructions: readonly number[] = [];
  /** Some port is watched, or would be if CR4.DE were set. */
  ports = false;

  constructor(private readonly cache: TranslationCache) {}

  /** Whether the guest has a breakpoint on the instruction at this linear address. */
  at(linear: number): boolean {
    return this.instructions.length > 0 && this.instructions.includes(linear >>> 0);
  }

  /** The guest's debug registers are these now: translations that would run past a breakpoint are forgotten, and those made for one that is gone. */
  follow(debug: Int32Array): void {
    const dr7 = debug[7];
    if ((dr7 & 0xff) === 0 && this.instructions.length === 0 && !this.ports) return;
    const before = this.instructions;
    const numbers = [0, 1, 2, 3];
    const now = numbers.filter((n) => conditionOf(dr7, n) === ON_EXECUTION).map((n) => debug[n] >>> 0);
    const ports = numbers.some((n) => conditionOf(dr7, n) === ON_IO);
    const changed = [...now.filter((a) => !before.includes(a)), ...before.filter((a) => !now.includes(a))];
    const portsChanged = ports !== this.ports;
    this.instructions = now;
    this.ports = ports;
    if (changed.length === 0 && !portsChanged) return;
    for (const block of this.cache.blocks) {
      if (!block.live) continue;
      const inside = changed.some((address) => (address - block.linear) >>> 0 <= block.length);
      const latch =
        portsChanged && block.parts.some(({ instruction }) => instruction !== null && isLatch(instruction));
      if (inside || latch) this.cache.drop(block);
    }
  }
}
