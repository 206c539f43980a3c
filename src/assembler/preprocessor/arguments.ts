// The arguments of a multi-line macro call: split at commas, braces keep commas in (NASM manual §4.3).
import { OPERATOR, type Token } from '../token.ts';
import type { MultiMacro } from './macros.ts';

/** The text after a macro's name, split at commas. */
export interface Split {
  readonly tokens: readonly Token[];
  readonly values: Token[][];
  /** For each value, the index of its first token, and whether it stood in braces. */
  readonly starts: readonly number[];
  readonly braced: readonly boolean[];
}

/** Splits what follows the macro's name. No tokens: no arguments. */
export function splitArguments(tokens: readonly Token[]): Split {
  const values: Token[][] = [];
  const starts: number[] = [];
  const braced: boolean[] = [];
  for (let at = 0; at <= tokens.length && tokens.length > 0; at++) {
    const inBraces = at < tokens.length && isBrace(tokens[at], '{');
    const value: Token[] = [];
    starts.push(at);
    braced.push(inBraces);
    values.push(value);
    if (inBraces) {
      let depth = 1;
      for (at++; at < tokens.length; at++) {
        if (isBrace(tokens[at], '{')) depth++;
        else if (isBrace(tokens[at], '}') && --depth === 0) break;
        value.push(tokens[at]);
      }
      // What stands between the closing brace and the comma is not part of the argument.
      while (at < tokens.length && !tokens[at].is(',')) at++;
    } else {
      for (; at < tokens.length && !tokens[at].is(','); at++) value.push(tokens[at]);
    }
  }
  return { tokens, values, starts, braced };
}

function isBrace(token: Token, brace: string): boolean {
  return token.kind === OPERATOR && token.text === brace;
}

/** True when the macro can be called with that many arguments. */
export function takes(macro: MultiMacro, count: number): boolean {
  return count >= macro.minimum && (count <= macro.maximum || macro.greedy);
}

/** The arguments as the body sees them: defaults filled in, the greedy last one reaching to the end of the line. */
export function fitted(macro: MultiMacro, split: Split): readonly (readonly Token[])[] {
  const values: (readonly Token[])[] = split.values.slice();
  if (macro.greedy && values.length > macro.maximum) {
    values.length = macro.maximum;
    const last = macro.maximum - 1;
    // Braces end even a greedy argument.
    if (last >= 0 && !split.braced[last]) values[last] = split.tokens.slice(split.starts[last]);
  }
  const filled = Math.min(macro.maximum, macro.minimum + macro.defaults.length);
  while (values.length >= macro.minimum && values.length < filled)
    values.push(macro.defaults[values.length - macro.minimum]);
  return values;
}
