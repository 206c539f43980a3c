// What a processor remembers of gates and returns: the words that it read, and what they meant (known-transfers.ts).
import type { Cpu, SegmentRegister } from './cpu.ts';
import type { Descriptor } from './segmentation.ts';
import { Word } from './tlb.ts';

const PAGE = 0x1000;
/** Returns that are remembered, by selector: a power of two. */
export const RETURNS = 8;

/** A code or stack segment as its descriptor gave it. */
class KnownSegment {
  selector = -1;
  address = 0;
  low = 0;
  high = 0;
  base = 0;
  limit = 0;
  access = 0;

  learn(selector: number, d: Descriptor): void {
    this.selector = selector;
    this.address = d.address;
    this.low = d.low;
    this.high = d.high;
    this.base = d.base;
    this.limit = d.limit;
    this.access = d.access;
  }

  /** Whether the descriptor stands where it stood, by a hit of the TLB. */
  stands(cpu: Cpu): boolean {
    return stands(cpu, this.address, this.low, this.high);
  }

  load(s: SegmentRegister, cpl: number): void {
    s.selector = (this.selector & 0xfffc) | cpl;
    s.base = this.base;
    s.limit = this.limit;
    s.access = this.access;
  }
}

export class KnownGate {
  cpl = -1;
  /** Privilege that it leads to. */
  level = 0;
  dpl = 0;
  trap = false;
  eip = 0;
  idtBase = 0;
  idtLimit = 0;
  gdtBase = 0;
  gdtLimit = 0;
  address = 0;
  low = 0;
  high = 0;
  readonly code = new KnownSegment();
  readonly stack = new KnownSegment();
}

export class KnownReturn {
  cpl = -1;
  outward = false;
  gdtBase = 0;
  gdtLimit = 0;
  readonly code = new KnownSegment();
  readonly stack = new KnownSegment();
}

/** What one processor remembers. */
export class KnownTransfers {
  readonly gates: (KnownGate | null)[] = new Array(256).fill(null);
  readonly returns: (KnownReturn | null)[] = new Array(RETURNS).fill(null);
}

/** Whether eight bytes at a linear address are those, and the TLB has their page for a supervisor. */
export function stands(cpu: Cpu, linear: number, low: number, high: number): boolean {
  const { tlb, memory } = cpu;
  if (!tlb.has(linear, Word.read, false) || (linear & 0xfff) > PAGE - 8) return false;
  const physical = tlb.physical(linear);
  return memory.read32(physical) === low && memory.read32(physical + 4) === high;
}
