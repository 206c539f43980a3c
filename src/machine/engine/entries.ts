// Where a region can be entered: functions, places behind what the interpreter does, loops that were found hot.
import type { Block, Region } from './region.ts';
import { reachable } from './structure.ts';

/** As many as a byte of the table can name. */
const MOST_ENTRIES = 200;

/** A way in that leads through fewer instructions than this is not worth the way. */
const WORTH = 4;

/** Behind these it goes on in other regions. */
const TRANSFERS: ReadonlySet<string> = new Set(['interrupt', 'iret']);

/**
 * Whether so many instructions can be run from a block on before the region is left.
 * @param successors without those behind what leaves
 * @param transfers INT and IRET are done in compiled code, and lead to some
 */
export function isWorth(
  blocks: readonly Block[],
  successors: readonly (readonly number[])[],
  n: number,
  transfers: boolean,
): boolean {
  let level = [n];
  // Blocks have at least one instruction, but for those that only join others.
  for (let sum = 0, steps = 0; steps < WORTH; steps++) {
    sum += Math.max(
      ...level.map((m) => blocks[m].count + (transfers && TRANSFERS.has(blocks[m].leaving.kind) ? WORTH : 0)),
    );
    if (sum >= WORTH) return true;
    level = level.flatMap((m) => successors[m]);
    if (level.length === 0) return false;
  }
  return true;
}

const contains = ({ steps, leaving }: Block, at: number): boolean =>
  steps.some((step) => step.at === at) || (leaving.kind !== 'stop' && leaving.step?.at === at);

/**
 * Where the interpreter, and jumps to places known only then, should find a way in: functions, places behind what the
 * interpreter does, and for each start that none of them leads to its loop, or itself.
 * @param nodeAt number of the block at an offset of the page
 * @param returnsInside false when returns find their way through the table
 */
export function entriesOf(
  region: Region,
  blocks: readonly Block[],
  nodeAt: ReadonlyMap<number, number>,
  successors: readonly (readonly number[])[],
  starts: readonly number[],
  targets: Iterable<number>,
  returnsInside: boolean,
): number[] {
  const wanted = new Set<number>();
  const want = (at: number) => {
    const n = nodeAt.get(at);
    if (n !== undefined) wanted.add(n);
  };
  for (const set of [region.called, region.behindStops, targets]) for (const at of set) want(at);
  for (const { leaving } of blocks) {
    if (
      leaving.kind === 'indirect' ||
      leaving.kind === 'interrupt' ||
      (leaving.kind === 'call' && !nodeAt.has(leaving.target))
    )
      want(leaving.back);
  }
  if (!returnsInside) for (const at of region.returnSites) want(at);
  for (const at of starts) {
    const n = nodeAt.get(at) ?? blocks.findIndex((block) => contains(block, at));
    if (n < 0 || reachable(successors, wanted).has(n)) continue;
    const ahead = reachable(successors, successors[n]);
    const loop = ahead.has(n) ? [...ahead].filter((m) => reachable(successors, [m]).has(n)) : [n];
    // The head of a loop is mostly its lowest address.
    wanted.add(loop.reduce((best, m) => (blocks[m].start < blocks[best].start ? m : best), n));
  }
  return [...wanted].slice(0, MOST_ENTRIES);
}
