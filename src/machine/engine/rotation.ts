// Loops turned so that they begin behind an instruction that sets all flags. What is between the head and there, with that
// instruction, stands twice: before the loop, and at its end. So flags need not be carried round: where a round may be left
// before they are set anew, they are those of an instruction of the same round, and that is known while compiling.
import type { Block, Step } from './region.ts';
import type { Structure } from './structure.ts';

/** Of so many instructions at the head of a loop one must set the flags. */
const NEAR = 8;
/** All of OF SF ZF AF PF CF, whatever the operands. */
const SETS_ALL: ReadonlySet<string> = new Set([
  'add',
  'adc',
  'sub',
  'sbb',
  'cmp',
  'and',
  'or',
  'xor',
  'test',
  'neg',
]);
/** All but CF. */
const SETS_MOST: ReadonlySet<string> = new Set(['inc', 'dec']);

export interface Rotation {
  /** The blocks that there were, some of them cut short, and behind them new ones. */
  readonly blocks: readonly Block[];
  /** By what ends with the instruction that sets the flags: the rest of that block, which the loop begins with. */
  readonly rest: ReadonlyMap<number, number>;
  /** Of each rest: cycles and instructions of what came before, which are charged together with it. */
  readonly before: ReadonlyMap<number, { readonly cost: number; readonly count: number }>;
  /** The part before it at the end of the loop. */
  readonly copies: ReadonlySet<number>;
  /** Where an edge leads: back edges of such a loop to the copy. */
  target(from: number, to: number): number;
}

/**
 * How many steps of a block lead up to and over the flags; 0 when none do. Best over some that are soon set again: then nothing
 * of them is carried round either.
 */
function stepsOverFlags({ steps }: Block): number {
  const sets = (names: ReadonlySet<string>) => (step: Step) => names.has(step.i.form.operation);
  const near = steps.slice(0, NEAR);
  const all = near.findIndex(sets(SETS_ALL));
  const most = near.findIndex(sets(SETS_MOST));
  const last = steps.findLastIndex(sets(SETS_ALL));
  if (most >= 0 && most < last && (all < 0 || most < all)) return most + 1;
  return (all >= 0 ? all : most) + 1;
}

/** @param successors by block @param structure of them */
export function rotate(
  blocks: readonly Block[],
  successors: readonly (readonly number[])[],
  structure: Structure,
): Rotation {
  const all = [...blocks];
  const rest = new Map<number, number>();
  const before = new Map<number, { cost: number; count: number }>();
  const copyOf = new Map<number, number>();
  for (const head of structure.order) {
    const count = structure.loop[head] ? stepsOverFlags(blocks[head]) : 0;
    if (count === 0) continue;
    const block = blocks[head];
    const steps = block.steps.slice(0, count);
    const last = steps[count - 1];
    const second =
      all.push({ ...block, start: last.at + last.i.length, steps: block.steps.slice(count) }) - 1;
    const leaving = { kind: 'jump', target: all[second].start, step: null } as const;
    all[head] = { ...block, steps, leaving };
    const copy = all.push({ ...block, steps, leaving }) - 1;
    rest.set(head, second).set(copy, second);
    before.set(second, { cost: steps.reduce((sum, { i }) => sum + i.cost, 0), count });
    copyOf.set(head, copy);
  }
  // The edges of a block that was cut are now those of its rest.
  const back = new Set<string>();
  for (const from of structure.order)
    for (const to of successors[from])
      if (copyOf.has(to) && structure.place[to] <= structure.place[from] && !structure.throughRoot(from, to))
        back.add(`${rest.get(from) ?? from} ${to}`);
  return {
    blocks: all,
    rest,
    before,
    copies: new Set(copyOf.values()),
    target: (from, to) => (back.has(`${from} ${to}`) ? copyOf.get(to)! : to),
  };
}
