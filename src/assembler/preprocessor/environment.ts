// What all parts of the preprocessor share: the macros, the contexts, evaluation, and the budget of work.
import { Cursor } from '../cursor.ts';
import type { Diagnostics, Place } from '../diagnostics.ts';
import type { Expr } from '../expression.ts';
import { ExpressionParser, type Names } from '../expression-parser.ts';
import { lexLine } from '../lexer.ts';
import { Abort, type Limits } from '../limits.ts';
import type { SourceLine } from '../source.ts';
import { CONTEXT_LOCAL, INDIRECT, NUMBER, STRING, synthetic, type Token, WORD } from '../token.ts';
import { type Value, ZERO } from '../value.ts';
import { numberTokens } from './definitions.ts';
import { atUse, Expander, paste, type Surroundings } from './expand.ts';
import { type Context, MultiMacros, SingleMacro, SingleMacros } from './macros.ts';

/** What the preprocessor asks of the assembler. */
export interface AssemblyState extends Names {
  readonly bits: number;
  /** A value that must be known now; UNKNOWN after a report. */
  known(tree: Expr): Value;
  /** An expression depended on symbols or on the place: later passes must find the same value, or read again. */
  asked(tree: Expr, value: Value): void;
}

export class Environment implements Surroundings {
  readonly singleMacros = new SingleMacros();
  readonly multiMacros = new MultiMacros();
  readonly expander = new Expander(this.singleMacros, this);
  private readonly contexts: Context[] = [];
  private nesting = 0;
  private unique = 0;
  private steps = 0;
  /** The line being read. */
  protected line: SourceLine;

  constructor(
    first: SourceLine,
    readonly diagnostics: Diagnostics,
    protected readonly assembly: AssemblyState,
    readonly limits: Limits,
  ) {
    this.line = first;
    this.defineStandard();
  }

  /** A number that no other macro call or context has. */
  freshId(): number {
    return ++this.unique;
  }

  get context(): Context | undefined {
    return this.contexts[this.contexts.length - 1];
  }

  pushContext(name: string): void {
    this.contexts.push({ name, id: this.freshId() });
  }

  popContext(directive: Token, name: string): void {
    const top = this.contexts.pop();
    if (!top) this.diagnostics.error(directive, 'no context is open here');
    else if (name !== '' && name !== top.name)
      this.diagnostics.error(directive, `the innermost context is \`${top.name}\`, not \`${name}\``);
  }

  contextLocal(token: Token): string | null {
    const dollars = /^\$*/.exec(token.text)![0].length;
    const context = this.contexts[this.contexts.length - dollars];
    if (context) return `..@${context.id}.${token.text.slice(dollars)}`;
    this.diagnostics.error(token, `\`%${token.text}\` belongs to a context, and none is open (see %push)`);
    return null;
  }

  /** The name at the start of a directive's operands: `%$x` and `%[…]` resolved, macros not expanded. */
  named(tokens: readonly Token[]): readonly Token[] {
    let end = 1;
    while (end < tokens.length && !tokens[end].spaced && NAME_PARTS.has(tokens[end].kind)) end++;
    const head = tokens.slice(0, end).map((token) => {
      const name = token.kind === CONTEXT_LOCAL ? this.contextLocal(token) : null;
      return name === null ? token : synthetic(WORD, name, token);
    });
    return [...paste(head, false), ...tokens.slice(end)];
  }

  /** `%[…]` expanded, and nothing else: it does not wait, not even in the body of a `%define` (NASM manual §4.1.4). */
  indirected(tokens: readonly Token[]): readonly Token[] {
    if (!tokens.some((token) => token.kind === INDIRECT)) return tokens;
    if (++this.nesting > DEEPEST) {
      this.diagnostics.error(tokens[0], '`%[…]` is nested too deeply');
      this.nesting--;
      return [];
    }
    const inner = tokens.flatMap((token) => {
      if (token.kind !== INDIRECT) return [token];
      const text = this.indirected(lexLine(token.text, token.line));
      return atUse(this.expander.expand(atUse(text, token)), token);
    });
    this.nesting--;
    return paste(inner, false);
  }

  /** A plain number that must be known now; null after a report. */
  evaluate(tokens: readonly Token[], origin: Token, what: string): Value | null {
    const expanded = this.expander.expand(tokens);
    if (expanded.length === 0) {
      this.diagnostics.error(origin, `${what} needs an expression`);
      return null;
    }
    const cursor = new Cursor(expanded, origin);
    const tree = new ExpressionParser(cursor, this.assembly).parse();
    if (!tree) return null;
    if (!cursor.done) this.diagnostics.warning(cursor.place, 'the text after the expression is ignored');
    const value = this.assembly.known(tree);
    if (!tree.fixed) this.assembly.asked(tree, value);
    if (value.unknown) return null;
    if (value.isScalar) return value;
    this.diagnostics.error(tree.place, `${what} needs a plain number, not an address`);
    return null;
  }

  evaluated(tokens: readonly Token[], place: Token): Token[] {
    return numberTokens((this.evaluate(tokens, place, 'this parameter') ?? ZERO).n, place);
  }

  step(count: number, place: Place): void {
    this.steps += count;
    if (this.steps <= this.limits.expansionSteps) return;
    const message =
      'this program does not end, or is far too large once its macros are expanded: stopped here';
    this.diagnostics.error(place, message);
    throw new Abort();
  }

  private defineStandard(): void {
    const define = (name: string, make: (use: Token) => Token[]): void => {
      for (const spelling of [`__${name}__`, `__?${name}?__`])
        this.singleMacros.define(new SingleMacro(spelling, null, false, [], make), false);
    };
    define('LINE', (use) => numberTokens(this.line.number, use));
    define('FILE', (use) => [synthetic(STRING, `"${this.line.file}"`, use)]);
    define('BITS', (use) => numberTokens(this.assembly.bits, use));
    define('PASS', (use) => numberTokens(1, use));
    define('NASM_MAJOR', (use) => numberTokens(2, use));
    define('NASM_MINOR', (use) => numberTokens(16, use));
    define('NASM_SUBMINOR', (use) => numberTokens(1, use));
    define('NASM_PATCHLEVEL', (use) => numberTokens(0, use));
    define('NASM_VERSION_ID', (use) => numberTokens(0x02100100, use));
    define('NASM_VER', (use) => [synthetic(STRING, '"2.16.01"', use)]);
    define('OUTPUT_FORMAT', (use) => [synthetic(WORD, 'bin', use)]);
  }
}

const NAME_PARTS: ReadonlySet<number> = new Set([WORD, NUMBER, CONTEXT_LOCAL]);
/** `%[%[%[…]]]`. */
const DEEPEST = 100;
