// One line of text → tokens. NASM manual §3.1 (source lines), §3.4 (constants), §4 (preprocessor marks).
// Never fails: what is not a token becomes a BAD token that the parser reports when, and if, it gets that far.
import type { SourceLine } from './source.ts';
import {
  BAD,
  CONTEXT_LOCAL,
  DIRECTIVE,
  INDIRECT,
  MACRO_LOCAL,
  NUMBER,
  OPERATOR,
  PARAMETER,
  PASTE,
  SELF_NAME,
  STRING,
  Token,
  WORD,
} from './token.ts';

const START = 1; // may begin a word
const INSIDE = 2; // may continue a word
const DIGIT = 4;
const SPACE = 8;

const CLASS = new Uint8Array(128);
for (let c = 0; c <= 32; c++) CLASS[c] = SPACE;
for (let c = 48; c <= 57; c++) CLASS[c] = INSIDE | DIGIT;
for (let c = 65; c <= 90; c++) CLASS[c] = CLASS[c + 32] = START | INSIDE;
for (const c of '_.?@') CLASS[c.charCodeAt(0)] = START | INSIDE;
for (const c of '$#~') CLASS[c.charCodeAt(0)] = INSIDE;

const classOf = (code: number): number =>
  code < 128 ? CLASS[code] : code === 0xa0 ? SPACE : code > 128 ? START | INSIDE : 0;
const startsWord = (code: number): boolean => (classOf(code) & START) !== 0;
const isDigit = (code: number): boolean => code >= 48 && code <= 57;

/** Operators of two and three characters; everything else is one character. */
const LONG_OPERATORS = [
  '<<<',
  '>>>',
  '<=>',
  '<<',
  '>>',
  '<=',
  '>=',
  '<>',
  '==',
  '!=',
  '&&',
  '||',
  '^^',
  '//',
];
const PUNCTUATION = "+-*/&|^~!=<>()[]{},:?'$%\\#@";

/** True when the text can stand alone as a name (label, macro, section symbol). */
export function isName(text: string): boolean {
  const escaped = text[0] === '$' ? 1 : 0;
  if (!startsWord(text.charCodeAt(escaped)) || text === '?') return false;
  for (let i = escaped + 1; i < text.length; i++) if (!(classOf(text.charCodeAt(i)) & INSIDE)) return false;
  return true;
}

/** Splits a line into tokens; comment and white space disappear. */
export function lexLine(text: string, line: SourceLine): Token[] {
  const tokens: Token[] = [];
  const length = text.length;
  let i = 0;
  let spaced = true;
  while (i < length) {
    const code = text.charCodeAt(i);
    const kind = classOf(code);
    if (kind & SPACE) {
      i++;
      spaced = true;
      continue;
    }
    if (code === 0x3b) break;
    const start = i;
    if (kind & START) {
      i = wordEnd(text, i + 1);
      const word = text.slice(start, i);
      tokens.push(new Token(word === '?' ? OPERATOR : WORD, word, spaced, line, start, i));
    } else if (kind & DIGIT) {
      i = numberEnd(text, i + 1, i);
      tokens.push(new Token(NUMBER, text.slice(start, i), spaced, line, start, i));
    } else if (code === 0x27 || code === 0x22 || code === 0x60) {
      i = stringEnd(text, i, code);
      tokens.push(
        i > 0
          ? new Token(STRING, text.slice(start, i), spaced, line, start, i)
          : new Token(BAD, 'this string has no closing quote', spaced, line, start, (i = length)),
      );
    } else if (code === 0x24) {
      i = lexDollar(text, i, spaced, line, tokens);
    } else if (code === 0x25) {
      i = lexPercent(text, i, spaced, line, tokens);
    } else {
      i += operatorLength(text, i);
      const operator = text.slice(start, i);
      const bad = !PUNCTUATION.includes(operator[0]);
      const shown = bad ? `the character \`${operator}\` means nothing here` : operator;
      tokens.push(new Token(bad ? BAD : OPERATOR, shown, spaced, line, start, i));
    }
    spaced = false;
  }
  return tokens;
}

function operatorLength(text: string, at: number): number {
  for (const operator of LONG_OPERATORS) if (text.startsWith(operator, at)) return operator.length;
  return 1;
}

function wordEnd(text: string, i: number): number {
  while (i < text.length && classOf(text.charCodeAt(i)) & INSIDE) i++;
  return i;
}

/** A number runs over letters, digits, `_` and `.`, and over the sign of a decimal exponent (`1.5e+3`). */
function numberEnd(text: string, i: number, start: number): number {
  const hex = /^0[xh]/i.test(text.slice(start, start + 2)) || text[start] === '$';
  for (; i < text.length; i++) {
    const code = text.charCodeAt(i);
    const c = classOf(code);
    if (code < 128 && (c & DIGIT || code === 0x5f || code === 0x2e || (code | 32) >= 0x61) && c & INSIDE)
      continue;
    const sign = code === 0x2b || code === 0x2d;
    const float = !hex && /^[\d_]+(\.[\d_]*)?e$/i.test(text.slice(start, i));
    if (sign && float && isDigit(text.charCodeAt(i + 1))) continue;
    break;
  }
  return i;
}

/** The index after the closing quote, or 0. Only backquoted strings know escapes (NASM manual §3.4.2). */
function stringEnd(text: string, i: number, quote: number): number {
  for (i++; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === quote) return i + 1;
    if (code === 0x5c && quote === 0x60) i++;
  }
  return 0;
}

/** `$`, `$$`, `$0ff` and `$name` (a name that would otherwise be a reserved word). */
function lexDollar(text: string, i: number, spaced: boolean, line: SourceLine, tokens: Token[]): number {
  const next = text.charCodeAt(i + 1);
  if (isDigit(next)) {
    const end = numberEnd(text, i + 2, i);
    tokens.push(new Token(NUMBER, text.slice(i, end), spaced, line, i, end));
    return end;
  }
  if (startsWord(next)) {
    const end = wordEnd(text, i + 2);
    tokens.push(new Token(WORD, text.slice(i, end), spaced, line, i, end));
    return end;
  }
  const end = next === 0x24 ? i + 2 : i + 1;
  tokens.push(new Token(OPERATOR, text.slice(i, end), spaced, line, i, end));
  return end;
}

/** Everything that begins with `%`: directive, parameter, local, or the modulo operator. */
function lexPercent(text: string, i: number, spaced: boolean, line: SourceLine, tokens: Token[]): number {
  const push = (kind: number, content: string, end: number): number => {
    tokens.push(new Token(kind, content, spaced, line, i, end));
    return end;
  };
  const next = text[i + 1] ?? '';
  const code = text.charCodeAt(i + 1);
  const after = text.charCodeAt(i + 2);
  if (isDigit(code) || ((next === '+' || next === '-') && isDigit(after))) {
    let end = i + 2;
    while (isDigit(text.charCodeAt(end))) end++;
    return push(PARAMETER, text.slice(i + 1, end), end);
  }
  if (next === '%')
    return startsWord(after)
      ? push(MACRO_LOCAL, text.slice(i + 2, wordEnd(text, i + 2)), wordEnd(text, i + 2))
      : push(OPERATOR, '%%', i + 2);
  if (next === '$') {
    let name = i + 1;
    while (text[name] === '$') name++;
    if (classOf(text.charCodeAt(name)) & INSIDE) {
      const end = wordEnd(text, name);
      return push(CONTEXT_LOCAL, text.slice(i + 1, end), end);
    }
  }
  if (next === '+') return push(PASTE, '%+', i + 2);
  if (next === '?') {
    const end = text[i + 2] === '?' ? i + 3 : i + 2;
    return push(SELF_NAME, text.slice(i, end), end);
  }
  if (next === '[') {
    const end = closing(text, i + 1, '[', ']');
    if (end === 0) return push(BAD, '`%[` has no closing `]`', text.length);
    return push(INDIRECT, text.slice(i + 2, end - 1), end);
  }
  if (next === '{') {
    const end = closing(text, i + 1, '{', '}');
    if (end === 0) return push(BAD, '`%{` has no closing `}`', text.length);
    const inner = text.slice(i + 2, end - 1).trim();
    if (/^([+-]?\d+|-?\d+:-?\d+)$/.test(inner)) return push(PARAMETER, inner, end);
    if (/^%/.test(inner)) return push(MACRO_LOCAL, inner.slice(1), end);
    if (/^\$/.test(inner)) return push(CONTEXT_LOCAL, inner, end);
    if (/^\?\??$/.test(inner)) return push(SELF_NAME, `%${inner}`, end);
    return push(BAD, `\`%{${inner}}\` is neither a macro parameter nor a local name`, end);
  }
  if (next === '!') return push(BAD, 'environment variables (`%!`) do not exist here', text.length);
  // A directive stands first on its line; later on, `%x` is a remainder.
  if (tokens.length === 0 && startsWord(code) && next !== '.') {
    const end = wordEnd(text, i + 2);
    return push(DIRECTIVE, text.slice(i, end), end);
  }
  return push(OPERATOR, '%', i + 1);
}

/** The index after the bracket that closes the one at `open`, or 0. */
function closing(text: string, open: number, left: string, right: string): number {
  let depth = 0;
  for (let i = open; i < text.length; i++) {
    if (text[i] === left) depth++;
    else if (text[i] === right && --depth === 0) return i + 1;
  }
  return 0;
}
