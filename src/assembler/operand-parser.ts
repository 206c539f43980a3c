// Operands: registers, immediates, far pointers, effective addresses and the keywords before them (NASM manual §3.2–3.3).
import type { Cursor } from './cursor.ts';
import { type Diagnostics, nearest, type Place } from './diagnostics.ts';
import type { Expr } from './expression.ts';
import { ExpressionParser, type Names } from './expression-parser.ts';
import type { Operand } from './statement.ts';
import { OPERATOR, type Token, WORD } from './token.ts';
import { REGISTER_NAMES, type Register, wordOf } from './words.ts';

interface Keywords {
  size: number;
  strict: boolean;
  to: boolean;
  distance: '' | 'short' | 'near' | 'far';
}

/** Parses one operand; null after a report. */
export function parseOperand(cursor: Cursor, names: Names, diagnostics: Diagnostics): Operand | null {
  const from = cursor.at;
  const keywords = parseKeywords(cursor);
  if (cursor.sees('[')) return memory(cursor, names, diagnostics, keywords, null, from);

  const token = cursor.token;
  if (!token) {
    diagnostics.error(cursor.place, 'an operand is missing here');
    return null;
  }
  const word = token.kind === WORD ? wordOf(token.text) : undefined;
  if (word?.type === 'register') return register(cursor, names, diagnostics, keywords, word, from);
  if (misspelt(cursor, diagnostics)) return null;

  // `(bx)` is `bx`; what else stands in parentheses is a number.
  const expr = new ExpressionParser(cursor, names, token.is('(')).parse();
  if (!expr) return null;
  if (expr.op === 'register') return plainRegister(cursor, keywords, expr.register!, from, diagnostics);
  if (!cursor.take(':')) return immediate(cursor, keywords, expr, from);
  const inner = parseKeywords(cursor);
  const offset = new ExpressionParser(cursor, names).parse();
  if (!offset) return null;
  return {
    ...immediate(cursor, keywords, offset, from),
    type: 'far',
    size: keywords.size || inner.size,
    selector: expr,
  };
}

function parseKeywords(cursor: Cursor): Keywords {
  const keywords: Keywords = { size: 0, strict: false, to: false, distance: '' };
  for (;;) {
    const text = cursor.word();
    const word = text === '' ? undefined : wordOf(text);
    if (word?.type === 'size') keywords.size = word.bits;
    else if (word?.type !== 'qualifier' || word.name === 'nosplit') return keywords;
    else if (word.name === 'strict') keywords.strict = true;
    else if (word.name === 'to') keywords.to = true;
    else keywords.distance = word.name;
    cursor.at++;
  }
}

function immediate(cursor: Cursor, keywords: Keywords, expr: Expr, from: number): Operand {
  return {
    type: 'immediate',
    place: cursor.since(from),
    ...keywords,
    register: null,
    expr,
    selector: null,
    segment: null,
    displacementSize: 0,
    nosplit: false,
  };
}

function register(
  cursor: Cursor,
  names: Names,
  diagnostics: Diagnostics,
  keywords: Keywords,
  word: Register,
  from: number,
): Operand | null {
  const token = cursor.token!;
  cursor.at++;
  if (word.class === 'segment' && cursor.take(':')) {
    // `es:[bx]` and `es:bx` are other spellings of `[es:bx]`.
    if (cursor.sees('[')) return memory(cursor, names, diagnostics, keywords, word, from);
    const expr = new ExpressionParser(cursor, names, true).parse();
    return expr && address(cursor, keywords, from, expr, word, 0, false);
  }
  const next = cursor.token;
  if (next && !next.is(',')) {
    if (next.is('['))
      diagnostics.error(next, 'an address stands in one pair of brackets', `\`[${token.text}+…]\``);
    else if (next.kind === OPERATOR && '+-*'.includes(next.text))
      diagnostics.error(
        cursor.since(from),
        `the register \`${token.text}\` cannot be computed with outside brackets`,
        `\`[${token.text}${next.text}…]\` for memory, or \`lea\` for the sum itself`,
      );
    else diagnostics.error(next, `expected \`,\` after \`${token.text}\`, found \`${next.text}\``);
    return null;
  }
  return plainRegister(cursor, keywords, word, from, diagnostics);
}

function plainRegister(
  cursor: Cursor,
  keywords: Keywords,
  register: Register,
  from: number,
  diagnostics: Diagnostics,
): Operand {
  const place = cursor.since(from);
  const { size, name } = register;
  if (keywords.size !== 0 && keywords.size !== size)
    diagnostics.warning(place, `\`${name}\` has ${size} bits, whatever stands before it`);
  return {
    type: 'register',
    place,
    ...keywords,
    size,
    register,
    expr: null,
    selector: null,
    segment: null,
    displacementSize: 0,
    nosplit: false,
  };
}

function memory(
  cursor: Cursor,
  names: Names,
  diagnostics: Diagnostics,
  keywords: Keywords,
  override: Register | null,
  from: number,
): Operand | null {
  const open = cursor.token!;
  cursor.at++;
  let displacementSize = 0;
  let nosplit = false;
  let segment = override;
  for (;;) {
    const text = cursor.word();
    const word = text === '' ? undefined : wordOf(text);
    if (word?.type === 'size') displacementSize = word.bits;
    else if (word?.type === 'qualifier' && word.name === 'nosplit') nosplit = true;
    else if (word?.type === 'register' && cursor.tokens[cursor.at + 1]?.is(':')) {
      if (word.class !== 'segment') {
        diagnostics.error(
          cursor.place,
          `\`${word.name}\` is not a segment register`,
          'es, cs, ss, ds, fs or gs',
        );
        return null;
      }
      if (segment) {
        diagnostics.error(cursor.place, 'two segment overrides in one address');
        return null;
      }
      segment = word;
      cursor.at++;
    } else if (text !== 'abs' && text !== 'rel') break;
    cursor.at++;
  }
  const expr = new ExpressionParser(cursor, names, true).parse();
  if (!expr) return null;
  if (!cursor.take(']')) {
    diagnostics.error(cursor.place, 'expected `]`', `this \`[\` at column ${open.start + 1} is still open`);
    return null;
  }
  if (cursor.sees('[')) {
    diagnostics.error(
      cursor.place,
      'an address stands in one pair of brackets',
      'write `[a+b]` for `[a][b]`',
    );
    return null;
  }
  return address(cursor, keywords, from, expr, segment, displacementSize, nosplit);
}

function address(
  cursor: Cursor,
  keywords: Keywords,
  from: number,
  expr: Expr,
  segment: Register | null,
  displacementSize: number,
  nosplit: boolean,
): Operand {
  const place = cursor.since(from);
  return {
    type: 'memory',
    place,
    ...keywords,
    register: null,
    expr,
    selector: null,
    segment,
    displacementSize,
    nosplit,
  };
}

/** Reports spellings that other assemblers use and registers that this processor has not. */
function misspelt(cursor: Cursor, diagnostics: Diagnostics): boolean {
  const token = cursor.token!;
  const next: Token | undefined = cursor.tokens[cursor.at + 1];
  const report = (place: Place, message: string, suggestion?: string): true => {
    diagnostics.error(place, message, suggestion);
    return true;
  };
  if (token.kind !== WORD) return false;
  const text = token.text.toLowerCase();
  if (text === 'ptr') return report(token, 'NASM has no `ptr`', 'leave it out: `dword [x]`');
  if (text === 'offset' && next?.kind === WORD)
    return report(token, 'NASM has no `offset`: a label is its own offset', `write \`${next.text}\` alone`);
  if (/^(r[a-d]x|r[sd]i|r[sb]p|rip|r([89]|1[0-5])[dwb]?)$/.test(text) && !next?.is(':')) {
    const narrow = /^r[a-ds]/.test(text) ? `e${text.slice(1)}` : undefined;
    const advice = narrow && REGISTER_NAMES.includes(narrow) ? `did you mean \`${narrow}\`?` : undefined;
    return report(token, `\`${token.text}\` is a 64-bit register: this processor has 32 bits`, advice);
  }
  return false;
}

/** The register a name was probably meant to be. */
export function nearestRegister(name: string): string | undefined {
  return name.length <= 4 ? nearest(name, REGISTER_NAMES) : undefined;
}
