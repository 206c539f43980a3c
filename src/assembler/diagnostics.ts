// What went wrong, where, and what to write instead. Columns are 1-based and count UTF-16 units, as editors do.
// Nothing here throws; the number of reports is bounded.
import { PRELUDE_NAME } from './preprocessor/prelude.ts';
import type { SourceLine } from './source.ts';

/** One message about the source. Equal in shape to the worker protocol's type. */
export interface Diagnostic {
  file: string;
  line: number;
  column: number;
  endColumn: number;
  severity: 'error' | 'warning';
  message: string;
  suggestion?: string;
}

/** A stretch of one source line; offsets are 0-based, `end` exclusive. Tokens are places. */
export interface Place {
  readonly line: SourceLine;
  readonly start: number;
  readonly end: number;
}

/** What to write instead; a function is asked only when the message will be shown. */
export type Suggestion = string | undefined | (() => string | undefined);

/** Where expanded text came from: the outermost macro invocation. */
export interface Site {
  /** The name of the macro as it stands in the source. */
  readonly place: Place;
  readonly macro: string;
}

/** The stretch from one place to a later one; when they lie on different lines, the first alone. */
export function spanning(first: Place, last: Place): Place {
  return first.line === last.line ? { line: first.line, start: first.start, end: last.end } : first;
}

/** Collects reports. Set `site` while working on text that a macro produced: reports then point at the invocation. */
export class Diagnostics {
  readonly list: Diagnostic[] = [];
  /** Of all errors, shown or not. */
  errors = 0;
  site: Site | null = null;
  /** Errors count as warnings: NASM takes the question of a bad `%elif` for answered with no. */
  lenient = false;
  private warnings = 0;
  private readonly seen = new Set<string>();

  /** At most `limit` errors are kept, and as many warnings. */
  constructor(private readonly limit: number) {}

  /** No further error will be shown. */
  get full(): boolean {
    return this.errors > this.limit;
  }

  error(place: Place, message: string, suggestion?: Suggestion): void {
    if (this.lenient) this.warning(place, message, suggestion);
    if (this.lenient || this.full) return;
    if (this.report('error', place, message, suggestion, this.errors)) this.errors++;
  }

  warning(place: Place, message: string, suggestion?: Suggestion): void {
    if (this.warnings > this.limit) return;
    if (this.report('warning', place, message, suggestion, this.warnings)) this.warnings++;
  }

  /** Forgets everything: the source is about to be read again. */
  clear(): void {
    this.list.length = 0;
    this.errors = this.warnings = 0;
    this.seen.clear();
  }

  /** False when the same was said before. */
  private report(
    severity: 'error' | 'warning',
    place: Place,
    message: string,
    suggestion: Suggestion,
    before: number,
  ): boolean {
    let { line, start, end } = place;
    let text = message;
    if (this.site && !sameLine(place, this.site.place)) {
      if (line.file !== PRELUDE_NAME)
        text += ` (in macro \`${this.site.macro}\`, ${line.file} line ${line.number})`;
      ({ line, start, end } = this.site.place);
    }
    const key = `${severity}\0${line.file}\0${line.number}\0${start}\0${text}`;
    if (this.seen.has(key)) return false;
    this.seen.add(key);
    const last = before === this.limit;
    const diagnostic: Diagnostic = {
      file: line.file,
      line: line.number,
      column: start + 1,
      endColumn: Math.max(end, start + 1) + 1,
      severity,
      message: last ? `more than ${this.limit} ${severity}s: the rest is not shown` : text,
    };
    const advice = last ? undefined : typeof suggestion === 'function' ? suggestion() : suggestion;
    if (advice !== undefined) diagnostic.suggestion = advice;
    this.list.push(diagnostic);
    return true;
  }
}

function sameLine(a: Place, b: Place): boolean {
  return a.line === b.line || (a.line.file === b.line.file && a.line.number === b.line.number);
}

/** The candidate nearest to a misspelt word by edit distance, or undefined when none is near. Ties: the first. */
export function nearest(word: string, candidates: Iterable<string>): string | undefined {
  const wanted = word.toLowerCase();
  const allowed = wanted.length <= 3 ? 1 : wanted.length <= 6 ? 2 : 3;
  let best: string | undefined;
  let bestDistance = allowed + 1;
  for (const candidate of candidates) {
    if (Math.abs(candidate.length - wanted.length) >= bestDistance) continue;
    const distance = editDistance(wanted, candidate.toLowerCase(), bestDistance);
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

/** Damerau–Levenshtein (optimal string alignment); gives up with `bound` once it cannot be smaller. */
function editDistance(a: string, b: string, bound: number): number {
  let before: number[] = [];
  let previous = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    let smallest = i;
    for (let j = 1; j <= b.length; j++) {
      const change = a[i - 1] === b[j - 1] ? 0 : 1;
      let cost = Math.min(previous[j] + 1, row[j - 1] + 1, previous[j - 1] + change);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        cost = Math.min(cost, before[j - 2] + 1);
      row.push(cost);
      if (cost < smallest) smallest = cost;
    }
    if (smallest >= bound) return bound;
    before = previous;
    previous = row;
  }
  return previous[b.length];
}
