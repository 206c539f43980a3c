// Expressions as trees, and what they are worth in a given pass (NASM manual §3.5, §3.6, §3.8).
// A tree is parsed once and evaluated in every pass; parts without symbols are folded when parsed.
import type { Place, Suggestion } from './diagnostics.ts';
import * as int from './int64.ts';
import type { NamedValue } from './symbols.ts';
import { merges, scalar, scaled, sum, UNKNOWN, type Value, ZERO } from './value.ts';
import type { Register } from './words.ts';

export type Operator =
  | 'constant'
  | 'symbol'
  | 'here'
  | 'base'
  | 'register'
  | 'negate'
  | '~'
  | '!'
  | '?'
  | BinaryOperator;
export type BinaryOperator =
  | '+'
  | '-'
  | '*'
  | '/'
  | '//'
  | '%'
  | '%%'
  | '<<'
  | '>>'
  | '>>>'
  | '&'
  | '^'
  | '|'
  | '='
  | '!='
  | '<'
  | '>'
  | '<='
  | '>='
  | '<=>'
  | '&&'
  | '||'
  | '^^';

/**
 * What NASM remembers of an address while it adds up: the first register named should be the `base`, unless it is
 * multiplied (`index`: it should not); once two terms have merged into one, there is no wish (`none`).
 */
export interface Hint {
  kind: 'open' | 'base' | 'index' | 'none';
  register: Register | null;
}

/** Everything an expression can ask of the pass that evaluates it. */
export interface Scope {
  /** The value of a symbol; UNKNOWN, after a report where that is an error, when it has none yet. */
  lookup(symbol: NamedValue, place: Place): Value;
  /** `$`. */
  here(): Value;
  /** `$$`. */
  sectionStart(): Value;
  report(place: Place, message: string, suggestion?: Suggestion): void;
}

export class Expr {
  constructor(
    readonly op: Operator,
    readonly place: Place,
    readonly a: Expr | null,
    readonly b: Expr | null,
    readonly c: Expr | null,
    /** For `constant`. */
    readonly constant: Value,
    /** For `symbol`. */
    readonly symbol: NamedValue | null,
    /** For `register`. */
    readonly register: Register | null,
    /** No symbol, `$` or `$$` in it: worth the same in every pass. */
    readonly fixed: boolean,
  ) {}
}

export const constant = (place: Place, value: Value): Expr =>
  new Expr('constant', place, null, null, null, value, null, null, true);
export const symbolRef = (place: Place, symbol: NamedValue): Expr =>
  new Expr('symbol', place, null, null, null, ZERO, symbol, null, false);
export const position = (place: Place, op: 'here' | 'base'): Expr =>
  new Expr(op, place, null, null, null, ZERO, null, null, false);
export const registerRef = (place: Place, register: Register, value: Value): Expr =>
  new Expr('register', place, null, null, null, value, null, register, true);

/** A node over one, two or three others; folded when `fold` is given and the operands are constants. */
export function node(
  op: Operator,
  place: Place,
  a: Expr,
  b: Expr | null,
  c: Expr | null,
  fold: Scope | null,
): Expr {
  const fixed = a.fixed && (!b || b.fixed) && (!c || c.fixed);
  const tree = new Expr(op, place, a, b, c, ZERO, null, null, fixed);
  return fixed && fold ? constant(place, evaluate(tree, fold)) : tree;
}

/** What the expression is worth now. Problems are reported to the scope and give UNKNOWN. `hint`: for addresses. */
export function evaluate(e: Expr, scope: Scope, hint: Hint | null = null): Value {
  switch (e.op) {
    case 'constant':
      return e.constant;
    case 'register':
      if (hint?.kind === 'open') {
        hint.kind = 'base';
        hint.register = e.register;
      }
      return e.constant;
    case 'symbol':
      return scope.lookup(e.symbol!, e.place);
    case 'here':
      return scope.here();
    case 'base':
      return scope.sectionStart();
    case '?': {
      const condition = evaluate(e.a!, scope, hint);
      // Both are evaluated: what is wrong in the other one is wrong all the same.
      const yes = evaluate(e.b!, scope, hint);
      const no = evaluate(e.c!, scope, hint);
      if (condition.unknown) return UNKNOWN;
      if (!condition.isScalar) return notScalar(e, '?:', scope);
      return condition.n !== 0 ? yes : no;
    }
  }
  const a = evaluate(e.a!, scope, hint);
  if (!e.b) return unary(e, a, scope);
  return binary(e, a, evaluate(e.b, scope, hint), scope, hint);
}

function unary(e: Expr, a: Value, scope: Scope): Value {
  if (e.op === 'negate') return scaled(a, -1);
  if (a.unknown) return UNKNOWN;
  if (!a.isScalar) return notScalar(e, e.op, scope);
  return scalar(e.op === '~' ? int.complement(a.n) : a.n === 0 ? 1 : 0);
}

function binary(e: Expr, a: Value, b: Value, scope: Scope, hint: Hint | null): Value {
  switch (e.op) {
    case '+':
      if (hint && merges(a, b)) hint.kind = 'none';
      return sum(a, b);
    case '-': {
      const negative = scaled(b, -1);
      if (hint && merges(a, negative)) hint.kind = 'none';
      return sum(a, negative);
    }
    case '*':
      return product(e, a, b, scope, hint);
    case '=':
    case '!=':
    case '<':
    case '>':
    case '<=':
    case '>=':
    case '<=>':
      if (hint && merges(a, scaled(b, -1))) hint.kind = 'none';
      return comparison(e, a, b, scope);
  }
  if (a.unknown || b.unknown) return UNKNOWN;
  if (!a.isScalar || !b.isScalar) return notScalar(e, e.op, scope);
  return arithmetic(e, a.n, b.n, scope);
}

function product(e: Expr, a: Value, b: Value, scope: Scope, hint: Hint | null): Value {
  if (a.unknown || b.unknown) return UNKNOWN;
  const [vector, factor] = a.isScalar ? [b, a] : [a, b];
  if (!factor.isScalar) {
    scope.report(e.place, 'one side of `*` must be a plain number');
    return UNKNOWN;
  }
  if (hint?.kind === 'base' && vector.terms.some((term) => term.of === hint.register)) hint.kind = 'index';
  return scaled(vector, factor.n);
}

function comparison(e: Expr, a: Value, b: Value, scope: Scope): Value {
  const difference = sum(a, scaled(b, -1));
  if (difference.unknown) return UNKNOWN;
  if (!difference.isScalar) {
    if (e.op === '=') return scalar(0);
    if (e.op === '!=') return scalar(1);
    scope.report(e.place, `the two sides of \`${e.op}\` are not in the same section`);
    return UNKNOWN;
  }
  const order = int.compare(difference.n, 0);
  switch (e.op) {
    case '=':
      return scalar(order === 0 ? 1 : 0);
    case '!=':
      return scalar(order === 0 ? 0 : 1);
    case '<':
      return scalar(order < 0 ? 1 : 0);
    case '<=':
      return scalar(order <= 0 ? 1 : 0);
    case '>=':
      return scalar(order >= 0 ? 1 : 0);
    default:
      // NASM 2.16 answers `<=>` as it answers `>`.
      return scalar(order > 0 ? 1 : 0);
  }
}

function arithmetic(e: Expr, a: int.Int, b: int.Int, scope: Scope): Value {
  switch (e.op) {
    case '/':
    case '//':
    case '%':
    case '%%':
      if (b === 0) {
        scope.report(e.place, 'division by zero');
        return UNKNOWN;
      }
      return scalar(int.divide(a, b, e.op.length === 1, e.op[0] === '%'));
    case '<<':
      return scalar(int.shiftLeft(a, b));
    case '>>':
      return scalar(int.shiftRight(a, b, false));
    case '>>>':
      return scalar(int.shiftRight(a, b, true));
    case '&':
      return scalar(int.and(a, b));
    case '|':
      return scalar(int.or(a, b));
    case '^':
      return scalar(int.xor(a, b));
    case '&&':
      return scalar(a !== 0 && b !== 0 ? 1 : 0);
    case '||':
      return scalar(a !== 0 || b !== 0 ? 1 : 0);
    default:
      return scalar((a !== 0) !== (b !== 0) ? 1 : 0);
  }
}

function notScalar(e: Expr, op: string, scope: Scope): Value {
  scope.report(
    e.place,
    `\`${op}\` works on plain numbers only: the address of a label is known only after layout`,
    'take the difference of two labels, such as `(label - $$)`',
  );
  return UNKNOWN;
}
