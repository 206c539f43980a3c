// The token: one word, number, string, operator or preprocessor mark, with the place where it was written.
// Words and numbers keep their spelling; what they mean is decided where they are used.
import type { SourceLine } from './source.ts';

/** Identifier-like: label, mnemonic, register, macro name. */
export const WORD = 0;
/** Begins with a digit, or `$` and a digit. */
export const NUMBER = 1;
/** Quoted, quotes included in the text. */
export const STRING = 2;
/** Operator or punctuation, `$` and `$$` included. */
export const OPERATOR = 3;
/** `%define`, `%if`, … */
export const DIRECTIVE = 4;
/** `%1 %0 %00 %+1 %-1 %{2:4}`; the text is without the `%`. */
export const PARAMETER = 5;
/** `%%name`; the text is the name. */
export const MACRO_LOCAL = 6;
/** `%$name`, `%$$name`; the text keeps its dollars. */
export const CONTEXT_LOCAL = 7;
/** `%[…]`; the text is what stands inside. */
export const INDIRECT = 8;
/** `%+`. */
export const PASTE = 9;
/** `%?` and `%??`: the name of the macro being expanded. */
export const SELF_NAME = 10;
/** Not a token of the language; the text is the complaint. */
export const BAD = 11;

export class Token {
  constructor(
    readonly kind: number,
    readonly text: string,
    /** White space (or the start of the line) stands before it. */
    readonly spaced: boolean,
    readonly line: SourceLine,
    /** 0-based column of the first character. */
    readonly start: number,
    /** 0-based column after the last character. */
    readonly end: number,
  ) {}

  is(operator: string): boolean {
    return this.kind === OPERATOR && this.text === operator;
  }
}

/** The same token standing elsewhere in a line: only the space before it changes. */
export function withSpace(token: Token, spaced: boolean): Token {
  return token.spaced === spaced
    ? token
    : new Token(token.kind, token.text, spaced, token.line, token.start, token.end);
}

/** A token that was never written: `origin` lends its place. */
export function synthetic(kind: number, text: string, origin: Token): Token {
  return new Token(kind, text, origin.spaced, origin.line, origin.start, origin.end);
}

/** The tokens as text, as a person would write them. */
export function spell(tokens: readonly Token[]): string {
  let text = '';
  for (const token of tokens) {
    if (token.spaced && text !== '') text += ' ';
    text += spellOne(token);
  }
  return text;
}

function spellOne(token: Token): string {
  switch (token.kind) {
    case PARAMETER:
    case CONTEXT_LOCAL:
      return `%${token.text}`;
    case MACRO_LOCAL:
      return `%%${token.text}`;
    case INDIRECT:
      return `%[${token.text}]`;
    default:
      return token.text;
  }
}
