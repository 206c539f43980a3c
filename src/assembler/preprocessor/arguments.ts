// The arguments of a multi-line macro call: split at commas, braces keep commas in (NASM manual §4.3).
import { OPERATOR, type Token } from '../token.ts';
import type { MultiMacro } from './macros.ts';

export interface Split {
  readonly values: Token[][];
  /** `commas[i]` stands before `values[i + 1]`. */
  readonly commas: Token[];
  /** The last value stood in braces. */
  braced: boolean;
}

/** Splits what follows the macro's name. No tokens: no arguments. */
export function splitArguments(tokens: readonly Token[]): Split {
  const values: Token[][] = [];
  const commas: Token[] = [];
  let braced = false;
  if (tokens.length === 0) return { values, commas, braced };
  let current: Token[] = [];
  let depth = 0;
  for (const token of tokens) {
    if (token.kind === OPERATOR) {
      if (token.text === '{' && (depth > 0 || current.length === 0)) {
        if (depth++ === 0) {
          braced = true;
          continue;
        }
      } else if (token.text === '}' && depth > 0) {
        if (--depth === 0) continue;
      } else if (token.text === ',' && depth === 0) {
        values.push(current);
        commas.push(token);
        current = [];
        braced = false;
        continue;
      }
    }
    current.push(token);
  }
  values.push(current);
  return { values, commas, braced };
}

/** True when the macro can be called with that many arguments. */
export function takes(macro: MultiMacro, count: number): boolean {
  return count >= macro.minimum && (count <= macro.maximum || macro.greedy);
}

/** The arguments as the body sees them: defaults filled in, the greedy last one joined again. */
export function fitted(macro: MultiMacro, split: Split): readonly (readonly Token[])[] {
  const values: (readonly Token[])[] = split.values.slice();
  if (macro.greedy && values.length > macro.maximum) {
    const last = Math.max(0, macro.maximum - 1);
    const rest: Token[] = [...values[last]];
    for (let i = last + 1; i < values.length; i++) rest.push(split.commas[i - 1], ...values[i]);
    values.length = last;
    if (macro.maximum > 0) values.push(rest);
  }
  const filled = Math.min(macro.maximum, macro.minimum + macro.defaults.length);
  while (values.length >= macro.minimum && values.length < filled)
    values.push(macro.defaults[values.length - macro.minimum]);
  return values;
}
