// The value of an expression: an integer plus multiples of things known only later or not at all: section bases,
// registers (in effective addresses), and "unknown" for what an early pass has not seen yet. NASM manual §3.5, §3.8.
import { add, type Int, multiply } from './int64.ts';
import type { Register } from './words.ts';

/** Something whose address is settled after the last pass: a section, or a symbol such as `section..text.start`. */
export interface Base {
  readonly type: 'base';
  /** Creation order: terms are kept sorted by it. */
  readonly rank: number;
  /** The address; only after layout. */
  address(): number;
}
export interface Term {
  readonly of: Base | Register;
  readonly times: Int;
}

const NO_TERMS: readonly Term[] = [];

export class Value {
  constructor(
    readonly n: Int,
    readonly terms: readonly Term[] = NO_TERMS,
    /** Multiple of "a symbol that this pass does not know"; one unknown minus another is taken for nothing, as in NASM. */
    readonly unknowns = 0,
    /** A plain number takes part, if only a zero: NASM's choice of base register depends on it. */
    readonly plain = true,
  ) {}

  /** Depends on a symbol that this pass does not know. */
  get unknown(): boolean {
    return this.unknowns !== 0;
  }

  get isScalar(): boolean {
    return this.terms.length === 0 && this.unknowns === 0;
  }

  /** The base of a value of the form `base + n`, else null. */
  get base(): Base | null {
    const [term] = this.terms;
    return this.terms.length === 1 && term.times === 1 && term.of.type === 'base' ? term.of : null;
  }

  get hasRegisters(): boolean {
    return this.terms.some((term) => term.of.type === 'register');
  }
}

export const ZERO = new Value(0);
export const UNKNOWN = new Value(0, NO_TERMS, 1, false);

const SMALL = Array.from({ length: 257 }, (_, n) => new Value(n));

export function scalar(n: Int): Value {
  return typeof n === 'number' && n >= 0 && n <= 256 ? SMALL[n] : new Value(n);
}

/** Sum; equal bases and registers add up, and cancel at zero. */
export function sum(a: Value, b: Value): Value {
  const unknowns = a.unknowns + b.unknowns;
  const n = add(a.n, b.n);
  const plain = a.plain && b.plain ? n !== 0 : a.plain || b.plain;
  const terms = joined(a.terms, b.terms);
  if (terms.length === 0 && unknowns === 0 && (plain || n !== 0)) return scalar(n);
  return new Value(n, terms, unknowns, plain);
}

function joined(a: readonly Term[], b: readonly Term[]): readonly Term[] {
  if (b.length === 0) return a;
  if (a.length === 0) return b;
  if (a.length === 1 && b.length === 1 && a[0].of === b[0].of) {
    const times = add(a[0].times, b[0].times);
    return times === 0 ? NO_TERMS : [{ of: a[0].of, times }];
  }
  const terms: Term[] = [...a];
  for (const term of b) {
    const at = terms.findIndex((other) => other.of === term.of);
    if (at < 0) {
      terms.push(term);
      continue;
    }
    const times = add(terms[at].times, term.times);
    if (times === 0) terms.splice(at, 1);
    else terms[at] = { of: term.of, times };
  }
  return terms.sort(inOrder);
}

/** True when an addition joins something of both sides into one term that stays: two numbers, or one register twice. */
export function merges(a: Value, b: Value): boolean {
  if (a.plain && b.plain && add(a.n, b.n) !== 0) return true;
  if (a.unknown && b.unknown && a.unknowns + b.unknowns !== 0) return true;
  return a.terms.some((term) =>
    b.terms.some((other) => other.of === term.of && add(other.times, term.times) !== 0),
  );
}

/** Registers first, in NASM's order, then bases in theirs. */
function inOrder(a: Term, b: Term): number {
  if (a.of.type !== b.of.type) return a.of.type === 'register' ? -1 : 1;
  return a.of.rank - b.of.rank;
}

export function scaled(a: Value, factor: Int): Value {
  if (factor === 1) return a;
  const n = multiply(a.n, factor);
  if (a.unknown) return new Value(n, a.terms, factor === -1 ? -a.unknowns : a.unknowns, a.plain);
  if (a.terms.length === 0 || factor === 0) return scalar(n);
  const terms = a.terms.map((term) => ({ of: term.of, times: multiply(term.times, factor) }));
  return new Value(n, terms, 0, a.plain);
}

export function equal(a: Value, b: Value): boolean {
  if (a === b) return true;
  if (a.n !== b.n || a.unknowns !== b.unknowns || a.terms.length !== b.terms.length) return false;
  return a.terms.every((term, i) => term.of === b.terms[i].of && term.times === b.terms[i].times);
}
