// Exits by source line, folded for one file as the learner sees it: where to draw, how hot, what to write. Pure.
import type { LineMapping } from './line-diff.ts';

export interface HeatEntry {
  readonly file: string;
  readonly line: number;
  readonly count: number;
}

/** One line of the file that is shown. */
export interface HotLine {
  readonly line: number;
  readonly count: number;
  /** 0…1, on a logarithmic scale: 1 is the hottest line of the whole guest. */
  readonly share: number;
  /** 1…4: the strength of the tint. */
  readonly level: 1 | 2 | 3 | 4;
}

/**
 * The hot lines of one file, in order.
 * @param entries exits since boot by line of the source that was booted
 * @param mapping from the booted text of this file to the shown one
 */
export function foldHeat(entries: readonly HeatEntry[], file: string, mapping: LineMapping): HotLine[] {
  let hottest = 0;
  const counts = new Map<number, number>();
  for (const entry of entries) {
    hottest = Math.max(hottest, entry.count);
    const line = entry.file === file && entry.count > 0 ? mapping.to(entry.line) : null;
    if (line !== null) counts.set(line, (counts.get(line) ?? 0) + entry.count);
  }
  return [...counts].sort((a, b) => a[0] - b[0]).map(([line, count]) => hot(line, count, hottest));
}

/** Hot lines of a listing, in order. @param lineOf line of an address that the listing shows, or null */
export function hotAddresses(
  entries: readonly { address: number; count: number }[],
  lineOf: (address: number) => number | null,
): HotLine[] {
  const hottest = entries.reduce((most, { count }) => Math.max(most, count), 0);
  return entries
    .flatMap(({ address, count }) => {
      const line = count > 0 ? lineOf(address) : null;
      return line === null ? [] : [hot(line, count, hottest)];
    })
    .sort((a, b) => a.line - b.line);
}

function hot(line: number, count: number, hottest: number): HotLine {
  const share = Math.min(1, Math.log1p(count) / Math.log1p(hottest));
  return { line, count, share, level: Math.max(1, Math.ceil(share * 4)) as HotLine['level'] };
}

/** Lines from `first` to `last`, from a list in order. */
export function visibleHeat(lines: readonly HotLine[], first: number, last: number): HotLine[] {
  return lines.filter(({ line }) => line >= first && line <= last);
}

/** A count in at most five characters: 9999, 12.3k, 4.5M. Never rounded up to the next unit. */
export function shortCount(count: number): string {
  if (count < 10_000) return `${count}`;
  const [size, unit] = count < 1e6 ? [1e3, 'k'] : count < 1e9 ? [1e6, 'M'] : [1e9, 'G'];
  const tenths = Math.floor((count / size) * 10) / 10;
  return `${tenths >= 100 ? Math.floor(tenths) : tenths.toFixed(1)}${unit}`;
}
