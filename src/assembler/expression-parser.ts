// Tokens → expression trees, by precedence (NASM manual §3.5).
// Bounded in depth and size; a failed expression makes one report.
import type { Cursor } from './cursor.ts';
import { type Place, spanning } from './diagnostics.ts';
import {
  constant,
  Expr,
  node,
  type Operator,
  position,
  registerRef,
  type Scope,
  symbolRef,
} from './expression.ts';
import { parseNumber, stringBytes, stringValue } from './literals.ts';
import type { NamedValue } from './symbols.ts';
import { BAD, NUMBER, OPERATOR, PARAMETER, STRING, type Token, WORD } from './token.ts';
import { scalar, Value } from './value.ts';
import { wordOf } from './words.ts';

/** What a parser needs to know from its surroundings. */
export interface Names {
  symbol(name: string): NamedValue;
  scope: Scope;
}

const BINARY: readonly (readonly string[])[] = [
  ['||'],
  ['^^'],
  ['&&'],
  ['=', '==', '!=', '<>', '<', '<=', '>', '>=', '<=>'],
  ['|'],
  ['^'],
  ['&'],
  ['<<', '>>', '<<<', '>>>'],
  ['+', '-'],
  ['*', '/', '//', '%', '%%'],
];
const PRECEDENCE = new Map(BINARY.flatMap((row, level) => row.map((op) => [op, level] as const)));
const CANONICAL: Record<string, Operator> = { '==': '=', '<>': '!=', '<<<': '<<' };
const DEEPEST = 200;
/** Operations in one expression that depends on labels: a tree that deep can still be evaluated. */
const MOST_TERMS = 1000;

export class ExpressionParser {
  private depth = 0;
  private terms = 0;
  private failed = false;

  constructor(
    private readonly cursor: Cursor,
    private readonly names: Names,
    /** An effective address: registers are allowed, and nothing is folded, since the order of terms has a meaning. */
    private readonly address = false,
  ) {}

  /** Parses one expression; null after a report when there is none. */
  parse(): Expr | null {
    const tree = this.ternary();
    return this.failed ? null : tree;
  }

  private fail(place: Place, message: string, suggestion?: string): null {
    if (!this.failed) this.names.scope.report(place, message, suggestion);
    this.failed = true;
    return null;
  }

  private ternary(): Expr | null {
    if (++this.depth > DEEPEST) return this.fail(this.cursor.place, 'this expression is nested too deeply');
    const first = this.binary(0);
    let result = first;
    if (first && this.cursor.take('?')) {
      const yes = this.ternary();
      if (yes && !this.cursor.take(':'))
        this.fail(this.cursor.place, 'expected `:` and the other value of `? :`');
      const no = this.failed ? null : this.ternary();
      result = yes && no ? this.make('?', first, yes, no) : null;
    }
    this.depth--;
    return result;
  }

  private binary(level: number): Expr | null {
    let left = this.unary();
    // Precedence climbing: one loop instead of a call per level.
    while (left && !this.failed) {
      const token = this.cursor.token;
      if (!token || token.kind !== OPERATOR) break;
      const found = PRECEDENCE.get(token.text);
      if (found === undefined || found < level) break;
      this.cursor.at++;
      const right = this.binary(found + 1);
      if (!right) return null;
      left = this.make(CANONICAL[token.text] ?? (token.text as Operator), left, right, null);
    }
    return left;
  }

  private unary(): Expr | null {
    const { cursor } = this;
    const token = cursor.token;
    if (!token) return this.fail(cursor.place, 'an expression is missing here');
    if (token.kind === OPERATOR) {
      switch (token.text) {
        case '-':
        case '+':
        case '~':
        case '!': {
          if (++this.depth > DEEPEST) return this.fail(token, 'this expression is nested too deeply');
          cursor.at++;
          const inner = this.unary();
          this.depth--;
          if (!inner || token.text === '+') return inner;
          const op = token.text === '-' ? 'negate' : (token.text as Operator);
          return this.make(op, inner, null, null, token);
        }
        case '(': {
          const from = cursor.at;
          cursor.at++;
          const inner = this.ternary();
          if (!inner) return null;
          if (!cursor.take(')')) return this.fail(cursor.place, 'expected `)`', closer(token));
          return within(inner, cursor.since(from));
        }
        case '$':
        case '$$':
          cursor.at++;
          return position(token, token.text === '$' ? 'here' : 'base');
      }
      return this.fail(
        token,
        `expected an expression, found \`${token.text}\``,
        operatorAdvice(token, cursor),
      );
    }
    cursor.at++;
    return this.primary(token);
  }

  private primary(token: Token): Expr | null {
    switch (token.kind) {
      case NUMBER: {
        const value = parseNumber(token.text);
        if (value === null)
          return this.fail(token, `\`${token.text}\` is not a number`, numberAdvice(token.text));
        return constant(token, scalar(value));
      }
      case STRING:
        return constant(token, scalar(stringValue(stringBytes(token.text))));
      case WORD:
        return this.word(token);
      case PARAMETER:
        return this.fail(
          token,
          `\`%${token.text}\` is a macro parameter, and this is not in a macro`,
          `for a remainder put a space after \`%\``,
        );
      case BAD:
        return this.fail(token, token.text);
    }
    return this.fail(token, `\`${token.text}\` is not understood here`);
  }

  private word(token: Token): Expr | null {
    const escaped = token.text[0] === '$';
    const word = escaped ? undefined : wordOf(token.text);
    if (word) {
      if (word.type !== 'register')
        return this.fail(
          token,
          `expected a value, found the reserved word \`${token.text}\``,
          wordAdvice(token, this.cursor),
        );
      if (!this.address)
        return this.fail(token, `the register \`${token.text}\` cannot take part in this expression`);
      return registerRef(token, word, new Value(0, [{ of: word, times: 1 }], 0, false));
    }
    return symbolRef(token, this.names.symbol(escaped ? token.text.slice(1) : token.text));
  }

  private make(op: Operator, a: Expr, b: Expr | null, c: Expr | null, from: Place = a.place): Expr {
    const place = spanning(from, (c ?? b ?? a).place);
    const tree = node(op, place, a, b, c, this.address ? null : this.names.scope);
    if (tree.op !== 'constant' && ++this.terms > MOST_TERMS) this.fail(place, 'this expression is too long');
    return tree;
  }
}

/** The same tree, with its parentheses as its place. */
function within(e: Expr, place: Place): Expr {
  return new Expr(e.op, place, e.a, e.b, e.c, e.constant, e.symbol, e.register, e.fixed);
}

const closer = (open: Token): string => `this \`(\` at column ${open.start + 1} is still open`;

function numberAdvice(text: string): string | undefined {
  if (/^[\da-f_]+$/i.test(text)) return `write hexadecimal as \`0x${text}\` or \`0${text}h\``;
  return undefined;
}

/** Spellings of other assemblers. */
function operatorAdvice(token: Token, cursor: Cursor): string | undefined {
  const next = cursor.tokens[cursor.at + 1];
  if (token.text === '%' && next && wordOf(next.text)?.type === 'register')
    return `NASM writes registers without \`%\`: \`${next.text}\``;
  if (token.text === '@') return 'NASM has no `@data`: a label is its own offset';
  return undefined;
}

function wordAdvice(token: Token, cursor: Cursor): string | undefined {
  return cursor.sees('[') ? `write the size first: \`${token.text} [\`` : undefined;
}
