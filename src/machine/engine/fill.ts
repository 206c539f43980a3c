// What compiled code asks when the TLB has no tag for an operand: the page walk of the interpreter, without leaving the
// region. It does only what takes no translation away and cannot end the run; a page fault is noted, and delivered when
// the region has been left before its instruction. Everything else is for the interpreter, which then finds the same.
import type { Cpu } from '../cpu/cpu.ts';
import { type Fault, PageFault, pageFaultOf } from '../cpu/fault.ts';
import { allowed, tryWalk, walked } from '../cpu/page-walk.ts';
import { checksAlignment } from '../cpu/paging.ts';
import { Right, TLB_SIZE, tlbSlot } from '../cpu/tlb.ts';

const LEAVE = -1;
/** L0..G3 of DR7: operands may be watched. */
const DR7_ENABLES = 0xff;
/** Entries that one walk reads at most. */
const MOST_REFERENCES = 3;

/** The misses of one processor's compiled code. */
export class Filler {
  /** Cycles that walks have cost since the region was entered: they are charged already. */
  charged = 0;
  /** The page fault that the region was left for. */
  fault: Fault | null = null;

  constructor(private readonly cpu: Cpu) {}

  /**
   * @param linear address of the operand
   * @param kind bit 0: a store; above: its size in bytes less one
   * @param headroom cycles that may be spent before the budget would have to be looked at
   * @returns cycles spent, when the operand may now be accessed through the TLB's entry; -1 to leave
   */
  fill(linear: number, kind: number, headroom: number): number {
    const { cpu } = this;
    const { tlb, memory } = cpu;
    const write = (kind & 1) !== 0;
    const size = (kind >> 1) + 1;
    if ((linear & 0xfff) + size > 0x1000 || cpu.dr[7] & DR7_ENABLES || cpu.nested !== null) return LEAVE;
    const user = cpu.cpl === 3;
    const page = linear >>> 12;
    const slot = tlbSlot(page);
    let spent = 0;
    if (user && checksAlignment(cpu)) return LEAVE;
    if (tlb.page[slot] === page && !allowed(cpu, tlb.rights[slot], write, user))
      return this.raise(
        linear,
        PageFault.present | (write ? PageFault.write : 0) | (user ? PageFault.user : 0),
      );
    if (tlb.page[slot] !== page || (write && !(tlb.rights[slot] & Right.dirty))) {
      // What is in the slot now may be remembered in the region.
      if (tlb.page[slot] !== -1 && tlb.page[slot] !== page) return LEAVE;
      if (headroom <= MOST_REFERENCES * cpu.cost.charges.pageWalkReference.cycles) return LEAVE;
      const before = cpu.cycles;
      const changes = memory.codeChanges;
      const error = tryWalk(cpu, linear, write, user);
      if (error >= 0) return this.raise(linear, error);
      spent = cpu.cycles - before;
      tlb.insert(page, walked.frame, walked.rights);
      // The accessed bit fell into code, perhaps into this.
      if (memory.codeChanges !== changes) return LEAVE;
    }
    const frame = tlb.frame[slot] >>> 0;
    if (!memory.isPlain(frame)) return LEAVE;
    if (!write) tlb.read[user ? slot + TLB_SIZE : slot] = page;
    else if (!memory.hasCode[frame >>> 12]) tlb.write[user ? slot + TLB_SIZE : slot] = page;
    else if (memory.holdsCode(frame | (linear & 0xfff), size)) return LEAVE;
    this.charged += spent;
    return spent;
  }

  private raise(linear: number, errorCode: number): number {
    this.cpu.tlb.invalidate(linear);
    this.fault = pageFaultOf(linear, errorCode);
    return LEAVE;
  }
}
