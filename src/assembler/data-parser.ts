// The items of db dw dd dq: strings, numbers, floating point, `?`, and `count dup (…)` (NASM manual §3.2.1).
import type { Cursor } from './cursor.ts';
import type { Diagnostics } from './diagnostics.ts';
import { ExpressionParser, type Names } from './expression-parser.ts';
import { floatBytes, isFloat, stringBytes } from './literals.ts';
import type { DataItem } from './statement.ts';
import { NUMBER, STRING } from './token.ts';
import { wordOf } from './words.ts';

const DEEPEST = 50;

/** Parses items up to the end of the line or a `)` that they did not open; null after a report. */
export function parseItems(
  cursor: Cursor,
  unit: number,
  names: Names,
  diagnostics: Diagnostics,
  depth = 0,
): DataItem[] | null {
  const items: DataItem[] = [];
  if (depth > DEEPEST) {
    diagnostics.error(cursor.place, '`dup` is nested too deeply');
    return null;
  }
  while (!cursor.done && !cursor.sees(')')) {
    if (items.length > 0 && cursor.token?.kind === STRING) {
      diagnostics.warning(cursor.place, 'a comma is missing here: nasm ignores the rest of the line');
      cursor.at = cursor.tokens.length;
      break;
    }
    if (items.length > 0 && !cursor.take(',')) {
      diagnostics.error(cursor.place, 'expected `,` between items');
      return null;
    }
    if (items.length > 0 && cursor.done) break;
    const item = parseItem(cursor, unit, names, diagnostics, depth);
    if (!item) return null;
    items.push(item);
  }
  return items;
}

function parseItem(
  cursor: Cursor,
  unit: number,
  names: Names,
  diagnostics: Diagnostics,
  depth: number,
): DataItem | null {
  let size = unit;
  for (let word = wordOf(cursor.word()); word?.type === 'size'; word = wordOf(cursor.word())) {
    size = word.bits / 8;
    cursor.at++;
  }
  const token = cursor.token;
  const next = cursor.tokens[cursor.at + 1];
  const last = !next || next.is(',') || next.is(')');
  if (token?.kind === STRING && last) {
    cursor.at++;
    const bytes = stringBytes(token.text);
    while (bytes.length % size !== 0) bytes.push(0);
    return { type: 'bytes', bytes };
  }
  if (token?.is('?') && last) {
    cursor.at++;
    return { type: 'bytes', bytes: new Array<number>(size).fill(0) };
  }
  const sign = token?.is('-') || token?.is('+') ? 1 : 0;
  const number = cursor.tokens[cursor.at + sign];
  if (number?.kind === NUMBER && isFloat(number.text)) {
    cursor.at += sign + 1;
    if (size <= 8) return { type: 'bytes', bytes: floatBytes(number.text, token!.is('-'), size) };
    diagnostics.error(number, 'a floating-point constant needs `dd` or `dq`');
    return null;
  }
  if (sign && token && number?.kind === STRING) {
    const advice = `\`0${token.text}${number.text}\``;
    diagnostics.error(token, `NASM does not take \`${token.text}\` right before a string in data`, advice);
    return null;
  }
  const expr = new ExpressionParser(cursor, names).parse();
  if (!expr) return null;
  if (cursor.word() !== 'dup') return { type: 'value', expr, size };
  cursor.at++;
  if (!cursor.take('(')) {
    if (cursor.done) return { type: 'bytes', bytes: [] };
    const item = parseItem(cursor, size, names, diagnostics, depth + 1);
    return item && { type: 'dup', count: expr, items: [item] };
  }
  const items = parseItems(cursor, size, names, diagnostics, depth + 1);
  if (!items) return null;
  if (cursor.take(')')) return { type: 'dup', count: expr, items };
  diagnostics.error(cursor.place, 'expected `)` after the items of `dup`');
  return null;
}
