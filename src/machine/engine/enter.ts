// The way between the interpreter and compiled code: the executor that hangs at an instruction where a region can be
// entered, and how the region's state comes back at an exit.

import { PLAIN_WRITE, PLAIN_WRITE_MASK } from '../cpu/access.ts';
import type { Cpu } from '../cpu/cpu.ts';
import { DR7_ENABLES } from '../cpu/debug.ts';
import { pageFaultOf } from '../cpu/fault.ts';
import { AF, CF, getFlags, OF } from '../cpu/flags.ts';
import { deliverFault } from '../cpu/interrupts.ts';
import { isDenied } from '../cpu/page-walk.ts';
import { tryTranslate } from '../cpu/paging.ts';
import { Access } from '../cpu/segmentation.ts';
import { Word } from '../cpu/tlb.ts';
import { CS, type Instruction, SS } from '../isa/instruction.ts';
import { maskAndKind } from './flags-code.ts';
import type { Assumptions, Exit, FlagState } from './frame.ts';
import type { Links } from './links.ts';
import type { RegionFunction } from './module-cache.ts';
import { State } from './state.ts';
import { SETTLED } from './transfer-words.ts';

/** Largest budget of one call, in cycles. */
const LONGEST = 0x3fffffff;
const PAGE = 4096;
/** Places known as targets of jumps in one page. */
export const MOST_TARGETS = 64;
/** Entries that found other segments or another page than they assume, before the page is compiled again. */
const MOST_STRANGE = 100;

/** Page faults of one instruction after which it counts as one that faults again and again. */
const MANY_FAULTS = 1000;
/** How often it is borne that a place misses what was thrown out of the TLB meanwhile. */
const OFTEN = 200;

/** Words of an exit. */
const EXIT_WORDS = 10;
const Packed = {
  at: 0,
  refundCycles: 1,
  refundCount: 2,
  mask: 3,
  kind: 4,
  overflow: 5,
  cost: 6,
  miss: 7,
  transfer: 8,
  behind: 9,
} as const;
/** Stands for the exit `SETTLED`, whose next instruction is in the word `eip`. */
const ELSEWHERE = -0x80000000;
/** Flag states whose operands, or whose OF, the processor's lazy flags want in another form: numbers from 1. */
const OVERFLOWS: readonly FlagState[] = ['logic', 'inc', 'dec', 'shl', 'shr', 'sar', 'product'];

export type Execute = NonNullable<Instruction['execute']>;

/** A compiled region. */
export interface Runnable {
  readonly run: RegionFunction;
  /** Its number among the processor's. */
  readonly number: number;
  readonly links: Links;
  /** Its exits, packed: `Packed`; before the first one, `SETTLED`. */
  readonly exits: Int32Array;
  readonly assumes: Assumptions;
  /** Where the code behind is looked after. */
  readonly owner: Owner;
}

/** In how many epochs of the TLB an instruction has had to do without a tag, and in which one last. */
interface Misses {
  count: number;
  epoch: number;
}

/** What the run of a region tells the engine about the page. */
export interface Owner {
  readonly targets: Set<number>;
  readonly misses: Map<number, Misses>;
  /** Page faults by offset of the instruction. */
  readonly faults: Map<number, number>;
  readonly walks: Set<number>;
  newTargets: boolean;
  strange: number;
  stale: boolean;
  /** Its stores look whether they may go beside code; how many wanted to, before. */
  beside: boolean;
  storesBeside: number;
  /** Control has left for another page, where `cpu.eip` says. */
  leave(): void;
}

/** One way into compiled code. */
export class Entry {
  constructor(
    readonly region: Runnable,
    readonly index: number,
    /** Offset of the instruction in its page. */
    readonly at: number,
    readonly hook: Hook,
  ) {}
}

/** What hangs at an instruction: entries for the supervisor and for the user, and what the interpreter does there. */
export class Hook {
  supervisor: Entry | null = null;
  user: Entry | null = null;

  constructor(
    readonly instruction: Instruction,
    readonly interpret: Execute,
    /** Its `Instruction.fast`. */
    readonly fast: number,
  ) {}
}

/** The hook at an instruction, hung there when there is none. */
export function hookAt(i: Instruction): Hook {
  if (i.compiled) return i.compiled as Hook;
  const hook = new Hook(i, i.execute!, i.fast);
  i.compiled = hook;
  i.execute = enter as Execute;
  i.fast = 0;
  return hook;
}

/** Takes an entry away; the instruction is itself again when there is none left. */
export function unhook({ hook }: Entry, user: boolean): void {
  if (user) hook.user = null;
  else hook.supervisor = null;
  if (hook.user !== null || hook.supervisor !== null) return;
  hook.instruction.execute = hook.interpret;
  hook.instruction.fast = hook.fast;
  hook.instruction.compiled = null;
}

/** Whether what was assumed when a region was compiled holds. */
function holds(cpu: Cpu, assumes: Assumptions): boolean {
  const { segments } = cpu;
  if (segments[CS].limit !== assumes.codeLimit) return false;
  const { limits, bases, uses } = assumes;
  for (let n = 0; n < uses.length; n++) {
    const segment = uses[n];
    const s = segments[segment];
    if (
      s.base !== bases[segment] ||
      s.limit !== limits[segment] ||
      (s.access & PLAIN_WRITE_MASK) !== PLAIN_WRITE
    )
      return false;
  }
  return (segments[SS].access & Access.big) !== 0;
}

/** The executor at an entry. `execute.ts` has charged the instruction already. */
function enter(cpu: Cpu, i: Instruction): void {
  const hook = i.compiled as Hook;
  const entry = cpu.cpl === 3 ? hook.user : hook.supervisor;
  const left = cpu.compiledUntil - cpu.cycles + i.cost;
  if (entry === null || left < 1) {
    hook.interpret(cpu as never, i);
    return;
  }
  const first = entry.region;
  const { assumes, links } = first;
  if ((cpu.instructionStart - entry.at) >>> 0 !== assumes.page || !holds(cpu, assumes)) {
    if (++first.owner.strange > MOST_STRANGE) first.owner.stale = true;
    hook.interpret(cpu as never, i);
    return;
  }
  const budget = left > LONGEST ? LONGEST : left | 0;
  const words = cpu.compiledState;
  links.start = cpu.cycles - i.cost;
  links.budget = budget;
  links.prepare(first, entry.index, cpu.instructionStart);
  const flags = getFlags(cpu);
  words[State.flags] = flags;
  words[State.mask] = words[State.carryA] = words[State.count] = 0;
  words[State.carryB] = flags & CF;
  words[State.space] = cpu.tlb.space;
  const exit = (first.run(entry.index, budget) - SETTLED) * EXIT_WORDS;
  if (words[State.walked] !== 0) {
    words[State.walked] = 0;
    cpu.tlb.stamp++;
  }
  // Others may have been run behind it.
  const region = words[State.region] === first.number ? first : links.regions[words[State.region]]!;
  const { exits } = region;
  const cycles = budget - words[State.budget] - exits[exit + Packed.refundCycles];
  const count = words[State.count] - exits[exit + Packed.refundCount];
  const miss = exits[exit + Packed.miss];
  const transfer = exits[exit + Packed.transfer];
  if (miss >= 0) noteMiss(cpu, region.owner, exits[exit + Packed.at]);
  if (miss >= 0 && miss & 1) noteStore(cpu, region.owner, words[State.address]);
  if (count <= 0) {
    // Nothing has happened: the state is what it was. Only a page walk may have been done already.
    cpu.cycles += cycles;
    if (miss >= 0 && wouldFault(cpu, miss, words[State.address])) {
      deliver(cpu, region, words[State.address], cpu.instructionStart, exits[exit + Packed.behind]);
      cpu.instructions--;
      return;
    }
    if (transfer >= 0) links.learn(transfer);
    hook.interpret(cpu as never, i);
    return;
  }
  cpu.cycles = links.start + cycles;
  // The loop counts one itself.
  cpu.instructions += count - 1;
  links.settle();
  const at = exits[exit + Packed.at];
  if (at === ELSEWHERE) jumpedTo(cpu, region, words[State.eip] >>> 0);
  else cpu.eip = (region.assumes.page + at) >>> 0;
  restoreFlags(
    cpu,
    words,
    exits[exit + Packed.mask],
    exits[exit + Packed.kind],
    exits[exit + Packed.overflow],
  );
  if (transfer >= 0) links.learn(transfer);
  else if (miss >= 0 && cpu.cycles < cpu.compiledUntil && wouldFault(cpu, miss, words[State.address])) {
    cpu.cycles += exits[exit + Packed.cost];
    // Who hears of it sees the true count.
    cpu.instructions++;
    deliver(cpu, region, words[State.address], cpu.eip, exits[exit + Packed.behind]);
    cpu.instructions--;
  }
}

/**
 * An operand had no tag. Where it is one address space after the other that has none, the region is to walk for it itself;
 * where it is one page after the other, it is not: such calls cost the loops around more than the way here.
 */
function noteMiss(cpu: Cpu, owner: Owner, at: number): void {
  const { epoch } = cpu.tlb.current;
  const known = owner.misses.get(at);
  if (known === undefined) owner.misses.set(at, { count: 0, epoch });
  else if (known.epoch !== epoch) {
    known.epoch = epoch;
    if (++known.count < OFTEN || owner.walks.has(at)) return;
    for (const [place, { count }] of owner.misses) if (count >= OFTEN / 2) owner.walks.add(place);
    owner.misses.clear();
    owner.stale = true;
  }
}

/** A store had no tag. Where many go beside code, the page is compiled again so that they can. */
function noteStore(cpu: Cpu, owner: Owner, linear: number): void {
  if (owner.beside || !cpu.tlb.has(linear, Word.beside, cpu.cpl === 3)) return;
  if (++owner.storesBeside > MOST_STRANGE) owner.beside = owner.stale = true;
}

/** What `wouldFault` has found. */
let errorCode = 0;

/**
 * The TLB had no tag for an operand: is that a page fault? Then it has been walked for and charged, without throwing. If not,
 * nothing has happened: the interpreter does the instruction, with all its operands in their order.
 */
function wouldFault(cpu: Cpu, miss: number, linear: number): boolean {
  const lastByte = miss >> 1;
  const write = (miss & 1) !== 0;
  if ((linear & (PAGE - 1)) + lastByte >= PAGE || cpu.dr[7] & DR7_ENABLES) return false;
  if (!isDenied(cpu, linear >>> 0, write, cpu.cpl === 3)) return false;
  errorCode = tryTranslate(cpu, linear >>> 0, write, cpu.cpl === 3);
  return errorCode >= 0;
}

/**
 * A page fault of the instruction at an offset. The handler will come back there; and with RF set the interpreter does this
 * one, and it goes on behind. But a loop that meets each of its pages for the first time is better left whole.
 */
function noteFault(owner: Owner, at: number, behind: number): void {
  const count = (owner.faults.get(at) ?? 0) + 1;
  owner.faults.set(at, count);
  if (count !== MANY_FAULTS) return;
  noteTarget(owner, at);
  noteTarget(owner, behind);
}

/** The page fault of the instruction at `eip`, which is charged and has not happened. @param behind offset of what follows it */
function deliver(cpu: Cpu, { owner, assumes }: Runnable, linear: number, eip: number, behind: number): void {
  noteFault(owner, (eip - assumes.page) >>> 0, behind);
  cpu.tlb.invalidate(linear);
  cpu.eip = cpu.instructionStart = eip;
  deliverFault(cpu, pageFaultOf(linear, errorCode));
}

/** Left through a register or memory. */
function jumpedTo(cpu: Cpu, region: Runnable, eip: number): void {
  cpu.eip = eip;
  if ((eip - region.assumes.page) >>> 0 >= PAGE) region.owner.leave();
  else noteTarget(region.owner, eip - region.assumes.page);
}

/** Control comes to an offset of the page: next time it may be an entry. */
export function noteTarget(owner: Owner, at: number): void {
  if (owner.targets.has(at) || owner.targets.size >= MOST_TARGETS) return;
  owner.targets.add(at);
  owner.newTargets = true;
}

/** Exits as `enter` reads them. */
export function packExits(exits: readonly Exit[]): Int32Array {
  const packed = new Int32Array((exits.length + 1) * EXIT_WORDS);
  packed.set([ELSEWHERE, 0, 0, -1, 0, 0, 0, -1, -1, 0]);
  exits.forEach(({ at, refundCycles, refundCount, flags, cost, behind, miss, transfer }, n) => {
    const [mask, kind] = flags === 'dynamic' ? ([-1, 0] as const) : maskAndKind(flags);
    const overflow = OVERFLOWS.indexOf(flags) + 1;
    packed.set(
      [at, refundCycles, refundCount, mask, kind, overflow, cost, miss, transfer, behind],
      (n - SETTLED) * EXIT_WORDS,
    );
  });
  return packed;
}

function restoreFlags(cpu: Cpu, words: Int32Array, mask: number, kind: number, overflow: number): void {
  const carry = words[State.carryA] >>> 0 < words[State.carryB] >>> 0 ? CF : 0;
  cpu.flags = (words[State.flags] & ~CF) | carry;
  cpu.lazyA = words[State.a];
  cpu.lazyB = words[State.b];
  cpu.lazyResult = words[State.result];
  if (mask < 0) {
    cpu.lazyMask = words[State.mask];
    cpu.lazyKind = words[State.kind];
    return;
  }
  cpu.lazyMask = mask;
  cpu.lazyKind = kind;
  switch (overflow) {
    case 1:
      cpu.lazyA = cpu.lazyResult;
      cpu.lazyB = 0;
      break;
    case 2:
    case 3:
      cpu.lazyB = 1;
      break;
    case 4:
      setOverflow(cpu, (words[State.a] ^ (words[State.a] << 1)) < 0);
      break;
    case 5:
      setOverflow(cpu, words[State.a] < 0);
      break;
    case 6:
      setOverflow(cpu, false);
      break;
    case 7:
      setOverflow(cpu, carry !== 0);
      break;
  }
}

/** OF as said, and AF clear. */
function setOverflow(cpu: Cpu, set: boolean): void {
  cpu.flags = (cpu.flags & ~(OF | AF)) | (set ? OF : 0);
}
