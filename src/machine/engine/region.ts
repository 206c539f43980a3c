// Which code is compiled together: the basic blocks that direct jumps, calls and fall-through reach from a hot
// instruction, all within one page, so that one check at the entry vouches for all of it. Blocks end at branches, before
// instructions that only the interpreter knows, and where the page ends.
import type { Instruction } from '../isa/instruction.ts';

export interface Step {
  /** Offset of EIP, relative to the first byte of the page. */
  readonly at: number;
  readonly i: Instruction;
}

/** How control leaves a block. Numbers are offsets in the page; outside the page they are negative or 4096 and more. */
export type Leaving =
  /** To one place; `step` is the jump, and null when the block just ends here. */
  | { kind: 'jump'; target: number; step: Step | null }
  | { kind: 'branch'; taken: number; other: number; step: Step }
  /** Pushes where to return to. */
  | { kind: 'call'; target: number; back: number; step: Step }
  /** JMP and CALL through a register or memory: to a place known only then. */
  | { kind: 'indirect'; step: Step; back: number }
  | { kind: 'return'; step: Step }
  /** INT n. */
  | { kind: 'interrupt'; step: Step; back: number }
  | { kind: 'iret'; step: Step }
  /** IN, OUT, MOV CR3, INVLPG: afterwards much may be different. */
  | { kind: 'beyond'; step: Step; next: number }
  /** The next instruction is for the interpreter. */
  | { kind: 'stop'; at: number };

export interface Block {
  readonly start: number;
  /** Without the branch at its end. */
  readonly steps: Step[];
  leaving: Leaving;
  /** Cycles and instructions of the whole block, the branch included. */
  cost: number;
  count: number;
}

export interface Region {
  readonly blocks: Map<number, Block>;
  /** Offsets at which returns of calls within the region may land. */
  readonly returnSites: readonly number[];
  /** Offsets of called functions. */
  readonly called: ReadonlySet<number>;
  /** Offsets at which the interpreter stopped compiling and continues behind. */
  readonly behindStops: ReadonlySet<number>;
}

const PAGE = 4096;
/** Instructions in one region at most. */
const MOST = 1200;

/** What reaches beyond the region and comes back. */
export const BEYOND: ReadonlySet<string> = new Set(['in', 'out', 'mov-to-cr', 'invlpg']);
/** What blocks end with; it is written by the compiler itself. */
export const BRANCHES: ReadonlySet<string> = new Set([
  ...['jcc', 'jmp', 'call', 'ret', 'jcxz', 'loop', 'loope', 'loopne', 'int', 'iret'],
  ...BEYOND,
]);
/** Branches that nothing follows. */
const FINAL: ReadonlySet<string> = new Set(['jmp', 'ret', 'iret']);

/**
 * Finds the region around some instructions, those first in the list above all.
 * @param starts found by sampling: anywhere in their blocks, so that the same code gives the same region
 * @param targets where blocks must begin
 * @param decode the instruction at an offset of the page, null when there is none that lies wholly in the page
 * @param compilable whether the compiler knows an instruction (branches included)
 */
export function findRegion(
  starts: readonly number[],
  targets: ReadonlySet<number>,
  decode: (at: number) => Instruction | null,
  compilable: (i: Instruction) => boolean,
): Region | null {
  const leaders = new Set<number>(targets);
  /** Behind instructions that go on there. */
  const fallenInto = new Set<number>();
  const seen = new Map<number, Instruction>();
  const stops = new Set<number>();
  const called = new Set<number>();
  const returnSites = new Set<number>();
  const behindStops = new Set<number>();
  const work = [...starts.slice(0, 1), ...targets, ...starts.slice(1)].reverse();
  const follow = (at: number, last = false) => {
    leaders.add(at);
    if (at < 0 || at >= PAGE || seen.has(at) || stops.has(at)) return;
    if (last) work.unshift(at);
    else work.push(at);
  };
  while (work.length > 0 && seen.size < MOST) {
    let at = work.pop()!;
    while (at < PAGE && !seen.has(at) && !stops.has(at) && seen.size < MOST) {
      const i = decode(at);
      if (i === null) {
        stops.add(at);
        break;
      }
      const next = at + i.length;
      if (!compilable(i)) {
        stops.add(at);
        // What comes behind is as hot as this; the interpreter comes back there.
        if (!ENDS.has(i.form.operation) && next < PAGE) {
          behindStops.add(next);
          follow(next);
        }
        break;
      }
      seen.set(at, i);
      const name = i.form.operation;
      if (BRANCHES.has(name)) {
        const direct = i.form.operands[0]?.startsWith('rel');
        if (direct) follow(next + i.immediate);
        if (name === 'call') {
          if (direct) called.add(next + i.immediate);
          returnSites.add(next);
          follow(next);
          // An INT may never come back, and then anything may lie behind it.
        } else if (!FINAL.has(name)) follow(next, name === 'int');
        break;
      }
      fallenInto.add(next);
      at = next;
    }
  }
  if (seen.size === 0) return null;
  for (const at of starts) if (!fallenInto.has(at)) leaders.add(at);
  const blocks = new Map<number, Block>();
  for (const leader of leaders) if (seen.has(leader)) blocks.set(leader, blockAt(leader, seen, leaders));
  const inside = (set: Set<number>) => new Set([...set].filter((at) => blocks.has(at)));
  return {
    blocks,
    returnSites: [...inside(returnSites)],
    called: inside(called),
    behindStops: inside(behindStops),
  };
}

/** Operations behind which nothing of this function follows. */
const ENDS: ReadonlySet<string> = new Set(['iret', 'ret-far', 'jmp-far', 'ret', 'jmp', 'ud2', 'ud0', 'ud1']);

function blockAt(start: number, seen: ReadonlyMap<number, Instruction>, leaders: ReadonlySet<number>): Block {
  const steps: Step[] = [];
  let cost = 0;
  let at = start;
  for (;;) {
    const i = seen.get(at);
    if (i === undefined || (at !== start && leaders.has(at))) {
      const leaving: Leaving =
        i === undefined ? { kind: 'stop', at } : { kind: 'jump', target: at, step: null };
      return { start, steps, leaving, cost, count: steps.length };
    }
    cost += i.cost;
    const step = { at, i };
    const next = at + i.length;
    if (BRANCHES.has(i.form.operation))
      return { start, steps, leaving: leavingOf(step, next), cost, count: steps.length + 1 };
    steps.push(step);
    at = next;
  }
}

function leavingOf(step: Step, next: number): Leaving {
  const { i } = step;
  const name = i.form.operation;
  if (name === 'ret') return { kind: 'return', step };
  if (name === 'iret') return { kind: 'iret', step };
  if (BEYOND.has(name)) return { kind: 'beyond', step, next };
  if (name === 'int') return { kind: 'interrupt', step, back: next };
  if (!i.form.operands[0]?.startsWith('rel')) return { kind: 'indirect', step, back: next };
  const target = next + i.immediate;
  if (name === 'jmp') return { kind: 'jump', target, step };
  if (name === 'call') return { kind: 'call', target, back: next, step };
  return { kind: 'branch', taken: target, other: next, step };
}

/** All instructions of a region, the branches at the ends of its blocks included. */
export function stepsOf({ blocks }: Region): Step[] {
  return [...blocks.values()].flatMap(({ steps, leaving }) =>
    leaving.kind !== 'stop' && leaving.step ? [...steps, leaving.step] : steps,
  );
}

/** Whether cycles count a block's instructions, too. */
export function costsOneEach({ steps, leaving }: Block): boolean {
  const last = leaving.kind === 'stop' ? null : leaving.step;
  if (leaving.kind === 'beyond') return false;
  return steps.every((step) => step.i.cost === 1) && (last === null || last.i.cost === 1);
}
