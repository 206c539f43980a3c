// A position in the tokens of one line.
import { type Place, spanning } from './diagnostics.ts';
import { OPERATOR, type Token, WORD } from './token.ts';

export class Cursor {
  at = 0;
  constructor(
    readonly tokens: readonly Token[],
    /** Stands for the end when the line is empty. */
    readonly origin: Place,
  ) {}

  get token(): Token | undefined {
    return this.tokens[this.at];
  }

  get done(): boolean {
    return this.at >= this.tokens.length;
  }

  /** True when the next token is this operator. */
  sees(operator: string): boolean {
    const token = this.tokens[this.at];
    return token !== undefined && token.kind === OPERATOR && token.text === operator;
  }

  /** Takes the operator when it is next. */
  take(operator: string): boolean {
    if (!this.sees(operator)) return false;
    this.at++;
    return true;
  }

  /** The next token when it is a word, in lower case; else ''. */
  word(ahead = 0): string {
    const token = this.tokens[this.at + ahead];
    return token !== undefined && token.kind === WORD ? token.text.toLowerCase() : '';
  }

  /** The next token's place; at the end of the line, the place just after the last token. */
  get place(): Place {
    const token = this.tokens[this.at];
    if (token) return token;
    const last = this.tokens[this.tokens.length - 1];
    if (!last) return this.origin;
    return { line: last.line, start: last.end, end: last.end + 1 };
  }

  /** From the token at `from` to the one before the cursor. */
  since(from: number): Place {
    const first = this.tokens[from];
    const last = this.tokens[Math.max(from, this.at - 1)];
    return first && last ? spanning(first, last) : this.place;
  }
}
