// Which line of one text is which line of another: unchanged lines in order, by lines that occur once (patience diff).
// The machine speaks of the source that was booted; the learner looks at the one that is being typed.

/** A line that has no counterpart. */
export const GONE = -1;

/**
 * For each line of `from` (0-based) the line of `to` that it has become, or GONE. Counterparts keep their order.
 * Time grows as n log n, whatever the texts are.
 */
export function mapLines(from: readonly string[], to: readonly string[]): Int32Array {
  const map = new Int32Array(from.length).fill(GONE);
  let start = 0;
  let fromEnd = from.length;
  let toEnd = to.length;
  while (start < fromEnd && start < toEnd && from[start] === to[start]) {
    map[start] = start;
    start++;
  }
  while (fromEnd > start && toEnd > start && from[fromEnd - 1] === to[toEnd - 1]) map[--fromEnd] = --toEnd;
  let toStart = start;
  for (const [a, b] of [...anchors(from, to, start, fromEnd, toEnd), [fromEnd, toEnd]]) {
    // Equal lines right after the last anchor, and right before this one.
    while (start < a && toStart < b && from[start] === to[toStart]) map[start++] = toStart++;
    let [x, y] = [a, b];
    while (x > start && y > toStart && from[x - 1] === to[y - 1]) map[--x] = --y;
    if (a < fromEnd) map[a] = b;
    start = a + 1;
    toStart = b + 1;
  }
  return map;
}

/** Lines that occur once in each part, in an order that is the same in both: the longest such chain. */
function anchors(
  from: readonly string[],
  to: readonly string[],
  start: number,
  fromEnd: number,
  toEnd: number,
): [number, number][] {
  const once = onlyOnce(to, start, toEnd);
  const pairs: [number, number][] = [];
  for (const [line, a] of onlyOnce(from, start, fromEnd)) {
    const b = a >= 0 ? once.get(line) : undefined;
    if (b !== undefined && b >= 0) pairs.push([a, b]);
  }
  return longestIncreasing(pairs);
}

/** Index of each line that occurs once; GONE for those that occur more often. */
function onlyOnce(lines: readonly string[], start: number, end: number): Map<string, number> {
  const at = new Map<string, number>();
  for (let i = start; i < end; i++) at.set(lines[i], at.has(lines[i]) ? GONE : i);
  return at;
}

/** The longest chain of pairs, sorted by their first numbers, whose second numbers increase. */
function longestIncreasing(pairs: readonly [number, number][]): [number, number][] {
  const tails: number[] = [];
  const before = new Int32Array(pairs.length).fill(GONE);
  pairs.forEach(([, b], i) => {
    let low = 0;
    let high = tails.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (pairs[tails[middle]][1] < b) low = middle + 1;
      else high = middle;
    }
    if (low > 0) before[i] = tails[low - 1];
    tails[low] = i;
  });
  const chain: [number, number][] = [];
  for (let i = tails.at(-1) ?? GONE; i !== GONE; i = before[i]) chain.push(pairs[i]);
  return chain.reverse();
}

/** Lines of text, without their ends. */
export function linesOf(text: string): string[] {
  return text.split(/\r?\n/);
}

/** Maps line numbers (1-based) between two texts. */
export class LineMapping {
  private readonly forward: Int32Array | null;
  private backward: Map<number, number> | null = null;

  constructor(from: string, to: string) {
    this.forward = from === to ? null : mapLines(linesOf(from), linesOf(to));
  }

  get same(): boolean {
    return this.forward === null;
  }

  /** The line of `to` that this line of `from` has become; null when it is gone. */
  to(line: number): number | null {
    if (!this.forward) return line;
    const found = this.forward[line - 1] ?? GONE;
    return found === GONE ? null : found + 1;
  }

  /** The line of `from` that this line of `to` was; null when it is new. */
  from(line: number): number | null {
    if (!this.forward) return line;
    if (!this.backward) {
      this.backward = new Map();
      for (let i = 0; i < this.forward.length; i++)
        if (this.forward[i] !== GONE) this.backward.set(this.forward[i] + 1, i + 1);
    }
    return this.backward.get(line) ?? null;
  }
}
