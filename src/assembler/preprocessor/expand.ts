// Expansion of single-line macros in one line, with pasting (NASM manual §4.1, §4.1.5 `%+`).
// The order is NASM's: a line from left to right, the body of a macro from right to left, so that each name in it sees
// what follows already expanded. A macro is not expanded inside itself. Where a body's last name takes its arguments
// from behind the macro, the rest of the line stays as it is.
import type { Diagnostics, Place } from '../diagnostics.ts';
import { lexLine } from '../lexer.ts';
import { quote } from '../literals.ts';
import {
  CONTEXT_LOCAL,
  NUMBER,
  OPERATOR,
  PASTE,
  SELF_NAME,
  STRING,
  spell,
  synthetic,
  Token,
  WORD,
  withSpace,
} from '../token.ts';
import type { SingleMacro, SingleMacros } from './macros.ts';

/** What expansion asks of the preprocessor. */
export interface Surroundings {
  readonly diagnostics: Diagnostics;
  /** Counts work; aborts when there is too much. */
  step(count: number, place: Place): void;
  /** The unique name of `%$name` in the context it belongs to, or null after a report. */
  contextLocal(token: Token): string | null;
  /** The value of an `=` parameter as tokens. */
  evaluated(tokens: readonly Token[], place: Place): Token[];
}

/** A line as a chain, since expansions take from what follows them. */
interface Link {
  readonly token: Token;
  next: Link | null;
}

/** The expansion in front of what it left: `after` is where the line goes on, null when that was taken too. */
interface Expansion {
  readonly head: Link | null;
  readonly after: Link | null;
}

const MOST_ROUNDS = 100;
/** Macros inside macros inside macros; more would overrun the stack. */
const DEEPEST = 1000;

export class Expander {
  private depth = 0;

  constructor(
    private readonly macros: SingleMacros,
    private readonly surroundings: Surroundings,
  ) {}

  /** The line with all its single-line macros expanded and pasted. Returns the same array when nothing applies. */
  expand(tokens: readonly Token[]): readonly Token[] {
    if (!this.concerns(tokens)) return tokens;
    let result = this.run(tokens);
    // A pasted name may name a macro again: `foo %+ 3` → `foo3` → its value.
    for (let round = 0; round < MOST_ROUNDS; round++) {
      const pasted = paste(result, true);
      if (pasted === result) break;
      // Names that double in length at each turn are stopped here.
      for (const token of pasted) this.surroundings.step(token.text.length >> 4, token);
      result = this.run(pasted);
    }
    return result;
  }

  private concerns(tokens: readonly Token[]): boolean {
    for (const { kind, text } of tokens)
      if (kind === WORD ? this.macros.find(text) : kind === CONTEXT_LOCAL || kind === PASTE) return true;
    return false;
  }

  private run(tokens: readonly Token[]): Token[] {
    let link: Link | null = null;
    for (let i = tokens.length - 1; i >= 0; i--) link = { token: tokens[i], next: link };
    const out: Token[] = [];
    while (link) {
      const expansion: Expansion | null = this.invoke(link);
      const end: Link | null = expansion ? expansion.after : link.next;
      for (let at = expansion ? expansion.head : link; at && at !== end; at = at.next) {
        this.surroundings.step(1, at.token);
        if (at.token.kind !== CONTEXT_LOCAL) out.push(at.token);
        else {
          const name = this.surroundings.contextLocal(at.token);
          if (name !== null) out.push(synthetic(WORD, name, at.token));
        }
      }
      link = end;
    }
    return out;
  }

  /** Expands the macro that a link names, arguments taken from the links behind it; null when it names none. */
  private invoke(link: Link): Expansion | null {
    const { token } = link;
    let name = token.text;
    if (token.kind === CONTEXT_LOCAL) {
      const local = this.surroundings.contextLocal(token);
      if (local === null) return { head: link.next, after: link.next };
      name = local;
    } else if (token.kind !== WORD) return null;
    const candidates = this.macros.find(name);
    if (!candidates) return null;
    const [first] = candidates;
    let macro: SingleMacro | undefined = first;
    let args: Token[][] = [];
    let after = link.next;
    if (first.parameters !== null) {
      if (!after?.token.is('(')) return null;
      const split = this.argumentsOf(token, after.next);
      if (!split) return null;
      after = split.after;
      const found = this.matching(token, candidates, split.values, split.commas);
      if (!found) return null;
      ({ macro, args } = found);
    }
    if (macro.busy) return null;
    if (++this.depth > DEEPEST) {
      this.surroundings.diagnostics.error(token, `the macro \`${token.text}\` is nested too deeply`);
      this.depth--;
      return null;
    }
    macro.busy = true;
    const expansion = this.body(macro, args, token, after);
    macro.busy = false;
    this.depth--;
    return expansion;
  }

  /** The body of a macro in front of `after`, from its end to its beginning. */
  private body(macro: SingleMacro, args: readonly Token[][], use: Token, after: Link | null): Expansion {
    const tokens = macro.dynamic ? macro.dynamic(use) : macro.body;
    this.surroundings.step(tokens.length + 1, use);
    let line = after;
    const put = (token: Token): void => {
      const link: Link = { token, next: line };
      const inner = this.invoke(link);
      line = inner ? inner.head : link;
    };
    const values = macro.parameters?.map((parameter, i) => {
      const value = args[i] ?? [];
      if (parameter.quoted) return [synthetic(STRING, quote(spell(value)), use)];
      return parameter.evaluated ? this.surroundings.evaluated(value, use) : value;
    });
    for (let i = tokens.length - 1; i >= 0; i--) {
      const slot = macro.slots ? macro.slots[i] : -1;
      const spaced = i === 0 ? use.spaced : tokens[i].spaced;
      if (slot >= 0) {
        const value = values![slot];
        this.surroundings.step(value.length, use);
        for (let k = value.length - 1; k >= 0; k--) put(k === 0 ? withSpace(value[k], spaced) : value[k]);
      } else if (tokens[i].kind === SELF_NAME)
        put(at(use, WORD, tokens[i].text === '%?' ? use.text : macro.name, spaced));
      else put(at(use, tokens[i].kind, tokens[i].text, spaced));
    }
    // A name in the body may have taken its arguments from behind the macro: then nothing more is expanded.
    let count = 0;
    let link = line;
    while (link && link !== after) {
      link = link.next;
      count++;
    }
    this.surroundings.step(count, use);
    return { head: line, after: link };
  }

  /** The arguments behind an opening parenthesis; null when it is never closed. */
  private argumentsOf(
    use: Token,
    from: Link | null,
  ): { values: Token[][]; commas: Token[]; after: Link | null } | null {
    const values: Token[][] = [[]];
    const commas: Token[] = [];
    let parentheses = 0;
    let braces = 0;
    for (let link = from; link; link = link.next) {
      const { token } = link;
      if (token.kind === OPERATOR) {
        if (braces === 0) {
          if (token.text === '(') parentheses++;
          else if (token.text === ')' && parentheses-- === 0) return { values, commas, after: link.next };
          else if (token.text === ',' && parentheses === 0) {
            values.push([]);
            commas.push(token);
            continue;
          }
        }
        if (token.text === '{' && braces++ === 0) continue;
        if (token.text === '}' && braces > 0 && --braces === 0) continue;
      }
      values[values.length - 1].push(token);
      this.surroundings.step(1, use);
    }
    this.surroundings.diagnostics.error(use, `the arguments of \`${use.text}\` have no closing \`)\``);
    return null;
  }

  /** The macro that takes so many arguments; null after a warning, for the word may still be a label. */
  private matching(
    use: Token,
    candidates: readonly SingleMacro[],
    values: Token[][],
    commas: readonly Token[],
  ): { macro: SingleMacro; args: Token[][] } | null {
    const none = values.length === 1 && values[0].length === 0;
    const exact =
      candidates.find((macro) => macro.accepts(values.length)) ??
      (none ? candidates.find((macro) => macro.accepts(0)) : undefined);
    if (exact) return { macro: exact, args: values };
    const greedy = candidates.find((macro) => macro.greedy && macro.parameters!.length < values.length);
    if (greedy) {
      const last = greedy.parameters!.length - 1;
      for (let i = last + 1; i < values.length; i++) values[last].push(commas[i - 1], ...values[i]);
      return { macro: greedy, args: values.slice(0, last + 1) };
    }
    const wanted = candidates.map((macro) => macro.parameters!.length).join(' or ');
    const many = `argument${wanted === '1' ? '' : 's'}`;
    const message = `the macro \`${use.text}\` takes ${wanted} ${many}, not ${none ? 0 : values.length}`;
    this.surroundings.diagnostics.warning(use, message);
    return null;
  }
}

/** A token of a body, standing where the macro is used: what is wrong with it is shown there. */
function at(use: Token, kind: number, text: string, spaced: boolean): Token {
  return new Token(kind, text, spaced, use.line, use.start, use.end);
}

/** The tokens of an expansion, standing where the macro is used: what is wrong with them is shown there. */
export function atUse(tokens: readonly Token[], use: Token): Token[] {
  return tokens.map(
    (t, i) => new Token(t.kind, t.text, i === 0 ? use.spaced : t.spaced, use.line, use.start, use.end),
  );
}

/**
 * Joins neighbours that no white space separates (a word or number after another), and with `operators` whatever
 * `%+` stands between. Returns the same array when there is nothing to join.
 */
export function paste(tokens: readonly Token[], operators: boolean): Token[] {
  let out: Token[] | null = null;
  for (let i = 0; i < tokens.length; i++) {
    const token = tokens[i];
    const left = out ? out[out.length - 1] : tokens[i - 1];
    if (operators && token.kind === PASTE) {
      out ??= tokens.slice(0, i);
      const right = tokens[i + 1];
      i++;
      if (!left) {
        if (right) out.push(right);
        continue;
      }
      out.pop();
      const text = spell([left]) + (right ? spell([right]) : '');
      out.push(...atUse(lexLine(text, left.line), left));
    } else if (left && !token.spaced && joins(left, token)) {
      out ??= tokens.slice(0, i);
      out.pop();
      const end = left.line === token.line && token.end > left.start ? token.end : left.end;
      out.push(new Token(left.kind, left.text + token.text, left.spaced, left.line, left.start, end));
    } else {
      out?.push(token);
    }
  }
  return out ?? (tokens as Token[]);
}

function joins(left: Token, right: Token): boolean {
  return (left.kind === WORD || left.kind === NUMBER) && (right.kind === WORD || right.kind === NUMBER);
}
