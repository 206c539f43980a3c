// Directives that define things or say something: %define … %substr, %push, %error (NASM manual §4.1, §4.2, §4.8, §4.9).
import { Cursor } from '../cursor.ts';
import type { Int } from '../int64.ts';
import { isName, lexLine } from '../lexer.ts';
import { Abort } from '../limits.ts';
import { quote, stringBytes } from '../literals.ts';
import { NUMBER, OPERATOR, STRING, spell, synthetic, type Token, WORD, withSpace } from '../token.ts';
import type { Environment } from './environment.ts';
import { type Parameter, SingleMacro } from './macros.ts';

export type Handler = (pp: Environment, directive: Token, tokens: readonly Token[]) => void;

export const HANDLERS = new Map<string, Handler>();

const both = (name: string, handler: (ignoreCase: boolean) => Handler): void => {
  HANDLERS.set(`%${name}`, handler(false));
  HANDLERS.set(`%i${name}`, handler(true));
};

both('define', (ignoreCase) => (pp, directive, tokens) => define(pp, directive, tokens, ignoreCase, false));
both('assign', (ignoreCase) => (pp, directive, tokens) => {
  const name = nameOf(pp, directive, tokens);
  if (!name) return;
  const value = pp.evaluate(name.rest, directive, `\`${directive.text}\``);
  if (value) store(pp, name.token, numberTokens(value.n, name.token), ignoreCase);
});
both('defstr', (ignoreCase) => (pp, directive, tokens) => {
  const name = nameOf(pp, directive, tokens);
  if (!name) return;
  const text = quote(spell(pp.expander.expand(name.rest)));
  pp.step(text.length, name.token);
  store(pp, name.token, [synthetic(STRING, text, name.token)], ignoreCase);
});
both('deftok', (ignoreCase) => (pp, directive, tokens) => {
  const name = nameOf(pp, directive, tokens);
  const [text] = name ? stringsOf(pp, directive, name.rest, 1, 1) : [];
  if (name && text) store(pp, name.token, lexLine(text.text.slice(1, -1), name.token.line), ignoreCase);
});
HANDLERS.set('%xdefine', (pp, directive, tokens) => define(pp, directive, tokens, false, true));
HANDLERS.set('%ixdefine', (pp, directive, tokens) => define(pp, directive, tokens, true, true));

HANDLERS.set('%undef', (pp, directive, tokens) => {
  const name = nameOf(pp, directive, tokens);
  if (name) pp.singleMacros.undefine(name.token.text);
});
HANDLERS.set('%clear', (pp) => pp.singleMacros.clear());

HANDLERS.set('%strlen', (pp, directive, tokens) => {
  const name = nameOf(pp, directive, tokens);
  const [text] = name ? stringsOf(pp, directive, name.rest, 1, 1) : [];
  if (name && text) store(pp, name.token, numberTokens(stringBytes(text.text).length, name.token), false);
});
HANDLERS.set('%strcat', (pp, directive, tokens) => {
  const name = nameOf(pp, directive, tokens);
  if (!name) return;
  const parts = stringsOf(pp, directive, name.rest, 1, Number.POSITIVE_INFINITY);
  const bytes = parts.flatMap((part) => stringBytes(part.text));
  pp.step(bytes.length, name.token);
  store(pp, name.token, [synthetic(STRING, quoteBytes(bytes), name.token)], false);
});
HANDLERS.set('%substr', substr);

HANDLERS.set('%push', (pp, _directive, tokens) => pp.pushContext(tokens[0]?.text ?? ''));
HANDLERS.set('%repl', (pp, directive, tokens) => {
  // The context keeps its labels and macros under another name.
  if (pp.context) pp.context.name = tokens[0]?.text ?? '';
  else pp.diagnostics.error(directive, 'no context is open here');
});
HANDLERS.set('%pop', (pp, directive, tokens) => pp.popContext(directive, tokens[0]?.text ?? ''));

HANDLERS.set('%error', (pp, directive, tokens) => pp.diagnostics.error(directive, messageOf(pp, tokens)));
HANDLERS.set('%warning', (pp, directive, tokens) => pp.diagnostics.warning(directive, messageOf(pp, tokens)));
HANDLERS.set('%fatal', (pp, directive, tokens) => {
  pp.diagnostics.error(directive, messageOf(pp, tokens));
  throw new Abort();
});
for (const name of ['%note', '%pragma', '%line', '%depend']) HANDLERS.set(name, () => {});
for (const name of ['%use', '%arg', '%local', '%stacksize', '%pathsearch', '%defalias'])
  HANDLERS.set(name, (pp, directive) => pp.diagnostics.error(directive, `\`${name}\` is not supported here`));

function messageOf(pp: Environment, tokens: readonly Token[]): string {
  const expanded = pp.expander.expand(tokens);
  const [only] = expanded;
  return expanded.length === 1 && only.kind === STRING ? only.text.slice(1, -1) : spell(expanded);
}

/** The name that a directive defines, and what follows it. */
function nameOf(
  pp: Environment,
  directive: Token,
  tokens: readonly Token[],
): { token: Token; rest: readonly Token[] } | null {
  const [name, ...rest] = pp.named(tokens);
  if (name && name.kind === WORD && isName(name.text)) return { token: name, rest };
  pp.diagnostics.error(name ?? directive, `\`${directive.text}\` needs a name to define`);
  return null;
}

function store(pp: Environment, name: Token, body: readonly Token[], ignoreCase: boolean): void {
  pp.singleMacros.define(new SingleMacro(name.text, null, false, body), ignoreCase);
}

/** A number as tokens: a negative one is a minus and a number, as if it had been typed. */
export function numberTokens(n: Int, at: Token): Token[] {
  const digits = synthetic(NUMBER, String(n < 0 ? -n : n), at);
  return n < 0 ? [synthetic(OPERATOR, '-', at), withSpace(digits, false)] : [digits];
}

function define(
  pp: Environment,
  directive: Token,
  tokens: readonly Token[],
  ignoreCase: boolean,
  now: boolean,
): void {
  const name = nameOf(pp, directive, tokens);
  if (!name) return;
  let { rest } = name;
  let parameters: Parameter[] | null = null;
  let greedy = false;
  // A parameter list touches the name; otherwise the parenthesis is part of the body.
  if (rest[0]?.is('(') && !rest[0].spaced) {
    const cursor = new Cursor(rest, directive);
    const list = parameterList(pp, cursor);
    if (!list) return;
    parameters = list.parameters;
    greedy = list.greedy;
    rest = rest.slice(cursor.at);
  }
  const body = now ? pp.expander.expand(rest) : rest;
  const macro = new SingleMacro(name.token.text, parameters, greedy, body);
  pp.singleMacros.define(macro, ignoreCase);
}

function parameterList(pp: Environment, cursor: Cursor): { parameters: Parameter[]; greedy: boolean } | null {
  const parameters: Parameter[] = [];
  let greedy = false;
  cursor.take('(');
  if (cursor.take(')')) return { parameters, greedy };
  for (;;) {
    const evaluated = cursor.take('=');
    const quoted = !evaluated && (cursor.take('&&') || cursor.take('&'));
    const token = cursor.token;
    if (!token || token.kind !== WORD) {
      pp.diagnostics.error(cursor.place, 'expected the name of a macro parameter');
      return null;
    }
    cursor.at++;
    greedy = cursor.take('+');
    parameters.push({ name: token.text, evaluated, quoted });
    if (cursor.take(')')) return { parameters, greedy };
    if (!cursor.take(',')) {
      pp.diagnostics.error(cursor.place, 'expected `,` or `)` in the list of macro parameters');
      return null;
    }
  }
}

/** The string tokens of a directive after expansion; commas between them are optional. */
function stringsOf(
  pp: Environment,
  directive: Token,
  tokens: readonly Token[],
  least: number,
  most: number,
): Token[] {
  const strings: Token[] = [];
  for (const token of pp.expander.expand(tokens)) {
    if (token.is(',')) continue;
    if (token.kind !== STRING || strings.length >= most) {
      pp.diagnostics.error(token, `\`${directive.text}\` works on quoted strings`);
      return [];
    }
    strings.push(token);
  }
  if (strings.length < least) pp.diagnostics.error(directive, `\`${directive.text}\` needs a quoted string`);
  return strings;
}

/** `%substr name 'text' start[,count]`: from 1; count 1 unless given, negative counts from the end. */
function substr(pp: Environment, directive: Token, tokens: readonly Token[]): void {
  const name = nameOf(pp, directive, tokens);
  if (!name) return;
  const [text, ...rest] = pp.expander.expand(name.rest);
  if (!text || text.kind !== STRING) {
    pp.diagnostics.error(text ?? directive, '`%substr` needs a quoted string and a position');
    return;
  }
  const numbers = rest[0]?.is(',') ? rest.slice(1) : rest;
  const comma = numbers.findIndex((token) => token.is(','));
  const start = pp.evaluate(comma < 0 ? numbers : numbers.slice(0, comma), directive, '`%substr`');
  const length = comma < 0 ? null : pp.evaluate(numbers.slice(comma + 1), directive, '`%substr`');
  if (!start) return;
  const bytes = stringBytes(text.text);
  const from = Math.max(0, Number(start.n) - 1);
  let count = length ? Number(length.n) : 1;
  if (count < 0) count = count + bytes.length + 1 - from;
  const piece = bytes.slice(from, from + Math.max(0, count));
  store(pp, name.token, [synthetic(STRING, quoteBytes(piece), name.token)], false);
}

/** Bytes as a quoted string; what is not plain ASCII is escaped. */
function quoteBytes(bytes: readonly number[]): string {
  if (bytes.every((byte) => byte >= 32 && byte < 127 && byte !== 0x27))
    return `'${bytes.map((byte) => String.fromCharCode(byte)).join('')}'`;
  const escaped = bytes.map((byte) =>
    byte >= 32 && byte < 127 && byte !== 0x60 && byte !== 0x5c
      ? String.fromCharCode(byte)
      : `\\x${byte.toString(16).padStart(2, '0')}`,
  );
  return `\`${escaped.join('')}\``;
}
