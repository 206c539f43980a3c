// What a processor remembers of gates and returns: the words that it read, and what they meant (known-transfers.ts).

import type { Cpu, SegmentRegister } from './cpu.ts';
import { loads } from './segment-loads.ts';
import type { Descriptor } from './segmentation.ts';
import { Word } from './tlb.ts';

const PAGE = 0x1000;
/** D/B of access rights. */
const BIG = 1 << 14;
/** Returns that are remembered, by selector: a power of two. */
export const RETURNS = 8;

/** Eight bytes of a table as they were read. */
class KnownWords {
  address = 0;
  low = 0;
  high = 0;
  /** Where they lie in memory, in words; good while the TLB has lost nothing since. */
  private at = 0;
  private stamp = -1;

  protected note({ address, low, high }: Descriptor): void {
    this.address = address;
    this.low = low;
    this.high = high;
    this.stamp = -1;
  }

  /** Whether they still stand there, and the TLB has their page for a supervisor. */
  stand({ tlb, memory }: Cpu): boolean {
    if (this.stamp !== tlb.stamp) {
      if (!tlb.has(this.address, Word.read, false) || (this.address & 0xfff) > PAGE - 8) return false;
      const physical = tlb.physical(this.address);
      if (physical & 3)
        return memory.read32(physical) === this.low && memory.read32(physical + 4) === this.high;
      this.at = physical >>> 2;
      this.stamp = tlb.stamp;
    }
    return memory.words[this.at] === this.low && memory.words[this.at + 1] === this.high;
  }
}

/** A code or stack segment as its descriptor gave it. */
export class KnownSegment extends KnownWords {
  selector = -1;
  base = 0;
  limit = 0;
  access = 0;

  learn(selector: number, d: Descriptor): void {
    this.note(d);
    this.selector = selector;
    this.base = d.base;
    this.limit = d.limit;
    this.access = d.access;
  }

  /** @param assumed access rights that compiled code may have gone by, and that may be others now */
  load(s: SegmentRegister, rpl: number, assumed = BIG): void {
    loads.quiet++;
    s.selector = (this.selector & 0xfffc) | rpl;
    if (s.base !== this.base || s.limit !== this.limit || (s.access ^ this.access) & assumed) loads.count++;
    s.base = this.base;
    s.limit = this.limit;
    s.access = this.access;
  }
}

export class KnownGate extends KnownWords {
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
  readonly code = new KnownSegment();
  readonly stack = new KnownSegment();

  learn(gate: Descriptor): void {
    this.note(gate);
    this.dpl = gate.dpl;
    this.trap = (gate.systemType & 1) !== 0;
    this.eip = gate.gateOffset;
  }
}

export class KnownReturn {
  cpl = -1;
  outward = false;
  gdtBase = 0;
  gdtLimit = 0;
  readonly code = new KnownSegment();
  readonly stack = new KnownSegment();
}

/** A segment of the GDT that a data segment register was loaded with at a privilege. */
export class KnownData {
  private cpl = -1;
  private gdtBase = 0;
  private gdtLimit = 0;
  private readonly segment = new KnownSegment();

  learn(cpu: Cpu, selector: number, d: Descriptor): void {
    this.cpl = cpu.cpl;
    this.gdtBase = cpu.gdtr.base;
    this.gdtLimit = cpu.gdtr.limit;
    this.segment.learn(selector, d);
  }

  /** Loads it again when all is as it was. @returns false when it is not, and then nothing has happened */
  load(cpu: Cpu, s: SegmentRegister, selector: number): boolean {
    const { segment } = this;
    if (segment.selector !== selector || this.cpl !== cpu.cpl) return false;
    if (cpu.gdtr.base !== this.gdtBase || cpu.gdtr.limit !== this.gdtLimit || !segment.stand(cpu))
      return false;
    segment.load(s, selector & 3, -1);
    return true;
  }
}

/** Data segments that are remembered, by selector: a power of two. */
export const DATA_SEGMENTS = 16;

/** What one processor remembers. */
export class KnownTransfers {
  readonly data: (KnownData | null)[] = new Array(DATA_SEGMENTS).fill(null);
  readonly gates: (KnownGate | null)[] = new Array(256).fill(null);
  readonly returns: (KnownReturn | null)[] = new Array(RETURNS).fill(null);
}
