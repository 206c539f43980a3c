// What one compiled region looks like from inside: its locals, what it assumes of the processor, and its exits.
// The function takes the number of the entry and the cycle budget and gives back the number of the exit.
import type { Instruction } from '../isa/instruction.ts';
import type { Step } from './region.ts';
import { given, State } from './state.ts';
import { SETTLED, Way } from './transfer-words.ts';
import { Op, Writer } from './wasm-writer.ts';

/** Locals. The first two are parameters. */
export const Local = {
  next: 0,
  budget: 1,
  /** EAX..EDI are 2..9. */
  regs: 2,
  /** The lazy flags of flags.ts. */
  flags: 10,
  mask: 11,
  kind: 12,
  a: 13,
  b: 14,
  result: 15,
  /** Instructions run. */
  count: 16,
  exit: 17,
  eip: 18,
  address: 19,
  host: 20,
  slot: 21,
  t0: 22,
  t1: 23,
  wide: 24,
  wide2: 25,
  /** CF is `carryA < carryB`, unsigned, whatever the rest of the flags is. */
  carryA: 26,
  carryB: 27,
  /** Pairs of a page and what to add, for caches of translations. */
  caches: 28,
} as const;
/** Locals in the order of their declaration: i32 after the parameters, i64, i32 again with the caches. */
export const I32_LOCALS = 22;
export const I64_LOCALS = 2;
export const MORE_LOCALS = 2;

/** What every module imports, by index: `onward` (runtime.ts), ports (ports.ts), walks (walk-code.ts), CR3 and INVLPG (translations.ts). */
export const IMPORTS = [
  ['o', 2],
  ['p', 4],
  ['w', 3],
  ['c', 4],
  ['i', 1],
] as const;
export const ONWARD = 0;
export const PORT = 1;
const WALK = 2;
export const LOAD_CR3 = 3;
export const INVALIDATE = 4;
/** Index of the helper that works out all flags but CF, in every module. */
export const WORD_HELPER = IMPORTS.length;

/** Where a cache is empty: a tag that no masked address is equal to. */
export const NO_PAGE = 0x800;

/** Caches of translations in one region. */
const MOST_CACHES = 40;

/** Labels of the writer that are not nodes of the graph. */
export const EXIT_LABEL = 1 << 20;
export const ROOT_LABEL = EXIT_LABEL + 1;
export const ONWARD_LABEL = EXIT_LABEL + 2;

/** What is known of the lazy flags at a point. `dynamic`: only the locals know. */
export type FlagState =
  | 'dynamic'
  /** All in the flags word. */
  | 'word'
  /** ZF SF PF follow from the result, the others are in the word. */
  | 'result'
  | 'add'
  | 'adc'
  | 'sub'
  | 'sbb'
  | 'logic'
  | 'inc'
  | 'dec'
  /** ZF SF PF follow from the result, AF is clear; OF follows from the operand in `a`, which is aligned to bit 31. */
  | 'shl'
  | 'shr'
  | 'sar'
  /** As these, with OF = CF. */
  | 'product';

/** How a region was left. */
export interface Exit {
  /** Offset in the page of the next instruction. */
  readonly at: number;
  /** What was charged at the head of the block and not done. */
  readonly refundCycles: number;
  readonly refundCount: number;
  readonly flags: FlagState;
  /** Of the next instruction, for when it faults: its cost, and the offset behind it; 0 behind a block. */
  readonly cost: number;
  readonly behind: number;
  /** When the TLB had no tag for the operand at the word `address`: bit 0 a store, above its size in bytes less one; else -1. */
  readonly miss: number;
  /** INT or IRET that did not go as remembered, as `Way`; else -1. */
  readonly transfer: number;
}

/** What a region was compiled for. */
export interface Assumptions {
  /** EIP of the first byte of the page. */
  readonly page: number;
  readonly user: boolean;
  readonly codeLimit: number;
  /** Limits and bases by segment number, ES to GS; a limit of -1 = may not be used. */
  readonly limits: readonly number[];
  readonly bases: readonly number[];
  /** Segments that memory operands of the region go through: those must be as they were. Filled while compiling. */
  readonly uses: number[];
  /** Offset of this processor's block in the buffer. */
  readonly shared: number;
  /** Offset of the page's table in the buffer: for each offset the number of its entry plus one. -1 = none. */
  readonly table: number;
  /** Stores look whether they may go beside code: without, all into pages with code leave, and loops are quicker. */
  readonly beside: boolean;
  /** Offset in the buffer of the bytes that say in which lines code lies. */
  readonly lines: number;
  /** Regions follow each other by tail calls. */
  readonly tailCalls: boolean;
  /** Offsets of instructions whose operands miss the TLB so often that the region walks for them itself. */
  readonly walks: ReadonlySet<number>;
}

/** A region's function while it is written. */
export class Frame {
  readonly code = new Writer();
  readonly exits: Exit[] = [];
  flags: FlagState = 'dynamic';
  /** Of the block being written: what was charged, and what has been done when the current instruction begins. */
  blockCost = 0;
  blockCount = 0;
  doneCost = 0;
  doneCount = 0;
  /** Offset and cost of the current instruction, and the offset behind it. */
  at = 0;
  cost = 0;
  private next = 0;
  /** Caches of translations by what they are for (memory-code.ts): numbers from 0. */
  readonly caches = new Map<string, number>();

  /**
   * @param knownCaches how many caches there will be in the end, where something in the region takes translations away
   * @param comfort budget that must be left for a walk in the middle of a block
   */
  constructor(
    readonly assumes: Assumptions,
    private readonly knownCaches: number,
  ) {}
  comfort = 0;

  /** What is written now is this instruction. */
  begin({ at, i }: Step): void {
    this.at = at;
    this.cost = i.cost;
    this.next = at + i.length;
  }

  /** Forgets what is remembered of translations: they may have changed. */
  forgetPages(): void {
    for (let n = 0; n < this.knownCaches; n++) {
      this.code.const(NO_PAGE);
      this.code.set(Local.caches + n * 2);
    }
  }

  /** The cache for places of this name; undefined when there are enough already. */
  cacheOf(name: string): number | undefined {
    const known = this.caches.get(name);
    if (known !== undefined || this.caches.size >= MOST_CACHES) return known;
    this.caches.set(name, this.caches.size);
    return this.caches.size - 1;
  }

  /** Leaves before the current instruction, as if nothing of it had happened. On the stack: nothing. */
  leaveHere(miss = -1): void {
    this.leave(this.exitHere(miss, -1));
  }

  /** Number of the exit before the current instruction. */
  private exitHere(miss: number, transfer: number): number {
    return this.numberOf({
      at: this.at,
      refundCycles: this.blockCost - this.doneCost,
      refundCount: this.blockCount - this.doneCount,
      flags: this.flags,
      cost: this.cost,
      behind: this.next,
      miss,
      transfer,
    });
  }

  /** Goes on at the address in the local `eip`, which is not in this region. Flags must be settled. */
  goOn(): void {
    this.onward(SETTLED, Way.link);
  }

  /** As the current instruction, INT or IRET, says; when that is not as remembered, leaves before it. Flags must be settled. */
  transfer(way: number): void {
    this.onward(this.exitHere(-1, way), way);
  }

  private onward(exit: number, way: number): void {
    const { code } = this;
    code.const(exit);
    code.set(Local.exit);
    code.const(way);
    code.set(Local.t1);
    code.br(ONWARD_LABEL);
  }

  /** `if` the word on the stack is not zero, leaves before the current instruction. */
  leaveHereIf(): void {
    this.code.if();
    this.leaveHere();
    this.code.end();
  }

  /** Cycles of the block that come behind the current instruction. */
  private get behind(): number {
    return this.blockCost - this.doneCost - this.cost;
  }

  /** Pushes the budget that is left behind the current instruction. */
  pushLeft(): void {
    this.code.get(Local.budget);
    if (this.behind === 0) return;
    this.code.const(this.behind);
    this.code.op(Op.i32Add);
  }

  /** Takes from the budget what a call has charged. */
  charge(): void {
    this.code.get(Local.budget);
    given(this, State.charge);
    this.code.op(Op.i32Sub);
    this.code.set(Local.budget);
  }

  /** `if` the word on the stack is not zero: walks for the operand at the local `address`; leaves where that does not help. */
  walkIf(bytes: number, write: boolean): void {
    const { code } = this;
    const what = ((bytes - 1) << 1) | (write ? 1 : 0);
    code.if();
    code.with(Local.budget, Op.i32LeS, this.comfort);
    code.if();
    this.leaveHere(what);
    code.end();
    this.pushLeft();
    code.get(Local.address);
    code.const(what);
    code.call(WALK);
    this.charge();
    code.op(Op.i32Eqz);
    code.if();
    this.leaveHere(what);
    code.end();
    this.forgetPages();
    code.end();
  }

  /** As `leaveHereIf`, because the TLB has no tag for the operand at the local `address`. */
  leaveForMissIf(bytes: number, write: boolean): void {
    this.code.if();
    this.leaveHere(((bytes - 1) << 1) | (write ? 1 : 0));
    this.code.end();
  }

  /** Leaves behind the block. @param at offset of what comes next, in the page */
  leaveTo(at: number): void {
    const { flags } = this;
    this.leave(
      this.numberOf({
        at,
        refundCycles: 0,
        refundCount: 0,
        flags,
        cost: 0,
        behind: 0,
        miss: -1,
        transfer: -1,
      }),
    );
  }

  private leave(exit: number): void {
    this.code.const(exit);
    this.code.set(Local.exit);
    this.code.br(EXIT_LABEL);
  }

  private numberOf(exit: Exit): number {
    const number = this.exits.findIndex(
      (e) =>
        e.at === exit.at &&
        e.flags === exit.flags &&
        e.refundCycles === exit.refundCycles &&
        e.refundCount === exit.refundCount &&
        e.cost === exit.cost &&
        e.miss === exit.miss &&
        e.transfer === exit.transfer,
    );
    return number < 0 ? this.exits.push(exit) - 1 : number;
  }

  reg(register: number): void {
    this.code.get(Local.regs + register);
  }
  setReg(register: number): void {
    this.code.set(Local.regs + register);
  }

  /** The effective address of the memory operand, on the stack. 32-bit addresses only. */
  address(i: Instruction): void {
    const { code } = this;
    let empty = true;
    if (i.base >= 0) {
      this.reg(i.base);
      empty = false;
    }
    if (i.index >= 0) {
      this.reg(i.index);
      if (i.scale > 0) {
        code.const(i.scale);
        code.op(Op.i32Shl);
      }
      if (!empty) code.op(Op.i32Add);
      empty = false;
    }
    if (empty) code.const(i.displacement);
    else if (i.displacement !== 0) {
      code.const(i.displacement);
      code.op(Op.i32Add);
    }
  }
}
