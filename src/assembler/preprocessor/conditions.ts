// The questions of %if and its relatives (NASM manual §4.4): `%ifdef %ifmacro %ifidn %ifid %ifnum %ifstr …`.
import { Cursor } from '../cursor.ts';
import { isName } from '../lexer.ts';
import { NUMBER, STRING, type Token, WORD } from '../token.ts';
import { takes } from './arguments.ts';
import type { Preprocessor } from './preprocessor.ts';

export type Conditional = 'if' | 'elif' | 'else' | 'endif';

const KINDS = [
  'def',
  'macro',
  'ctx',
  'idn',
  'idni',
  'id',
  'num',
  'str',
  'token',
  'empty',
  'env',
  'usable',
  'using',
  'directive',
] as const;
type Kind = (typeof KINDS)[number] | '';

/** Takes a directive's name apart; null when it is not a conditional. `%ifndef` → if, def, negated. */
export function conditional(directive: string): { part: Conditional; kind: Kind; negated: boolean } | null {
  const name = directive.slice(1).toLowerCase();
  if (name === 'else' || name === 'endif') return { part: name, kind: '', negated: false };
  const part = name.startsWith('elif') ? 'elif' : name.startsWith('if') ? 'if' : null;
  if (!part) return null;
  const rest = name.slice(part.length);
  if (rest === '' || (KINDS as readonly string[]).includes(rest))
    return { part, kind: rest as Kind, negated: false };
  const positive = rest.slice(1);
  if (rest[0] === 'n' && (positive === '' || (KINDS as readonly string[]).includes(positive)))
    return { part, kind: positive as Kind, negated: true };
  return null;
}

/** Answers the question; `tokens` follow the directive. null, after a report, when it has no answer. */
export function holds(
  pp: Preprocessor,
  directive: Token,
  kind: Kind,
  tokens: readonly Token[],
): boolean | null {
  switch (kind) {
    case '': {
      const value = pp.evaluate(tokens, directive, `\`${directive.text}\``);
      return value && value.n !== 0;
    }
    case 'def':
      if (tokens.length === 0)
        pp.diagnostics.error(directive, `\`${directive.text}\` needs the name of a macro`);
      return pp.named(tokens).some((token) => pp.singleMacros.find(token.text) !== undefined);
    case 'macro':
      return macroExists(pp, directive, pp.named(tokens));
    case 'ctx':
      return tokens.some((token) => pp.context?.name.toLowerCase() === token.text.toLowerCase());
    case 'idn':
    case 'idni':
      return identical(pp, directive, pp.expander.expand(tokens), kind === 'idni');
    case 'empty':
      return pp.expander.expand(tokens).length === 0;
    case 'env':
    case 'using':
    case 'usable':
      return false;
    case 'directive':
      return tokens.length === 1 && pp.isDirective(tokens[0].text);
  }
  const expanded = pp.expander.expand(tokens);
  const [first] = expanded;
  if (!first) return false;
  switch (kind) {
    case 'id':
      return first.kind === WORD && isName(first.text);
    case 'num':
      return first.kind === NUMBER || (expanded[1]?.kind === NUMBER && (first.is('-') || first.is('+')));
    case 'str':
      return first.kind === STRING;
    case 'token':
      return expanded.length === 1;
  }
}

/** `%ifidn a,b`: the same tokens on both sides of the first comma, white space between them aside. */
function identical(
  pp: Preprocessor,
  directive: Token,
  tokens: readonly Token[],
  ignoreCase: boolean,
): boolean {
  const comma = tokens.findIndex((token) => token.is(','));
  if (comma < 0) {
    pp.diagnostics.error(directive, `\`${directive.text}\` compares two texts with a comma between`);
    return false;
  }
  // NASM counts white space before the comma as part of the first text: nothing equals it.
  if (comma === 0 || tokens[comma].spaced) return false;
  const left = tokens.slice(0, comma);
  const right = tokens.slice(comma + 1);
  if (left.length !== right.length) return false;
  return left.every((token, i) => {
    const other = right[i];
    if (token.kind !== other.kind) return false;
    if (token.kind === STRING) return fold(token.text.slice(1, -1)) === fold(other.text.slice(1, -1));
    return fold(token.text) === fold(other.text);
  });
  function fold(text: string): string {
    return ignoreCase ? text.toLowerCase() : text;
  }
}

/** `%ifmacro name [min[-max|-*|+]]`. */
function macroExists(pp: Preprocessor, directive: Token, tokens: readonly Token[]): boolean {
  const [name, ...rest] = tokens;
  if (!name || name.kind !== WORD) {
    pp.diagnostics.error(directive, `\`${directive.text}\` needs the name of a macro`);
    return false;
  }
  const found = pp.multiMacros.find(name.text);
  if (!found) return false;
  if (rest.length === 0) return true;
  const range = parameterRange(new Cursor(rest, directive));
  if (!range) return false;
  return found.some(
    (macro) =>
      takes(macro, range.minimum) ||
      (macro.minimum <= range.maximum && (macro.greedy || macro.maximum >= range.minimum)),
  );
}

/** Reads `2`, `1-3`, `1-*`, `1-2+`; null when it is none of them. */
export function parameterRange(cursor: Cursor): { minimum: number; maximum: number; greedy: boolean } | null {
  const first = cursor.token;
  if (!first || first.kind !== NUMBER || !/^\d{1,5}$/.test(first.text)) return null;
  cursor.at++;
  const minimum = Number(first.text);
  let maximum = minimum;
  if (cursor.take('-')) {
    const last = cursor.token;
    if (cursor.take('*')) maximum = Number.POSITIVE_INFINITY;
    else if (last?.kind === NUMBER && /^\d{1,5}$/.test(last.text)) {
      cursor.at++;
      maximum = Number(last.text);
    } else return null;
  }
  return { minimum, maximum, greedy: cursor.take('+') };
}
