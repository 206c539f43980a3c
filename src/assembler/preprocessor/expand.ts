// Expansion of single-line macros in one line, with pasting (NASM manual §4.1, §4.1.4 `%[…]`, §4.1.5 `%+`).
// An explicit stack of token lists takes the place of recursion; a macro is not expanded inside itself.
import type { Diagnostics, Place } from '../diagnostics.ts';
import { lexLine } from '../lexer.ts';
import { quote } from '../literals.ts';
import {
  CONTEXT_LOCAL,
  INDIRECT,
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

interface Frame {
  readonly tokens: readonly Token[];
  at: number;
  readonly macro: SingleMacro | null;
}

const DEEPEST = 100;

export class Expander {
  private frames: Frame[] = [];
  private depth = 0;

  constructor(
    private readonly macros: SingleMacros,
    private readonly surroundings: Surroundings,
  ) {}

  /** The line with all its single-line macros expanded and pasted. Returns the same array when nothing applies. */
  expand(tokens: readonly Token[]): readonly Token[] {
    if (!this.concerns(tokens)) return tokens;
    if (++this.depth > DEEPEST) {
      this.surroundings.diagnostics.error(tokens[0], '`%[…]` is nested too deeply');
      this.depth--;
      return [];
    }
    let result = this.run(tokens);
    // A pasted name may name a macro again: `foo %+ 3` → `foo3` → its value.
    for (let round = 0; round < DEEPEST; round++) {
      const pasted = paste(result, true);
      if (pasted === result) break;
      // Names that double in length at each turn are stopped here.
      for (const token of pasted) this.surroundings.step(token.text.length >> 4, token);
      result = this.run(pasted);
    }
    this.depth--;
    return result;
  }

  private concerns(tokens: readonly Token[]): boolean {
    for (const token of tokens) {
      switch (token.kind) {
        case WORD:
          if (this.macros.find(token.text)) return true;
          break;
        case CONTEXT_LOCAL:
        case INDIRECT:
        case PASTE:
        case SELF_NAME:
          return true;
      }
    }
    return false;
  }

  private run(tokens: readonly Token[]): Token[] {
    const outer = this.frames;
    this.frames = [{ tokens, at: 0, macro: null }];
    const out: Token[] = [];
    for (let token = this.next(); token; token = this.next()) this.one(token, out);
    this.frames = outer;
    return out;
  }

  private one(token: Token, out: Token[]): void {
    const { surroundings } = this;
    switch (token.kind) {
      case CONTEXT_LOCAL: {
        const name = surroundings.contextLocal(token);
        if (name !== null) this.one(synthetic(WORD, name, token), out);
        return;
      }
      case INDIRECT: {
        const inner = lexLine(token.text, token.line);
        this.push(atUse(this.expand(atUse(inner, token)), token), token, null);
        return;
      }
      case SELF_NAME: {
        const macro = this.frames.findLast((frame) => frame.macro)?.macro;
        out.push(macro ? synthetic(WORD, macro.name, token) : token);
        return;
      }
      case WORD: {
        const candidates = this.macros.find(token.text);
        if (candidates && this.invoke(token, candidates)) return;
      }
    }
    surroundings.step(1, token);
    out.push(token);
  }

  /** Puts the expansion of a macro in front of what follows; false when the word is not an invocation. */
  private invoke(token: Token, candidates: readonly SingleMacro[]): boolean {
    const first = candidates[0];
    if (first.parameters === null) {
      if (first.busy) return false;
      this.push(atUse(first.dynamic ? first.dynamic(token) : first.body, token), token, first);
      return true;
    }
    if (!this.peek()?.is('(') || candidates.every((macro) => macro.busy)) return false;
    this.next();
    const found = this.argumentsOf(token, candidates);
    if (found) this.push(this.substituted(found.macro, found.arguments, token), token, found.macro);
    return true;
  }

  private push(tokens: readonly Token[], use: Token, macro: SingleMacro | null): void {
    this.surroundings.step(tokens.length + 1, use);
    if (macro) macro.busy = true;
    this.frames.push({ tokens, at: 0, macro });
  }

  private next(): Token | undefined {
    const token = this.peek();
    if (token) this.frames[this.frames.length - 1].at++;
    return token;
  }

  private peek(): Token | undefined {
    for (;;) {
      const frame = this.frames[this.frames.length - 1];
      if (!frame) return undefined;
      if (frame.at < frame.tokens.length) return frame.tokens[frame.at];
      if (frame.macro) frame.macro.busy = false;
      if (this.frames.length === 1) return undefined;
      this.frames.pop();
    }
  }

  private argumentsOf(
    use: Token,
    candidates: readonly SingleMacro[],
  ): { macro: SingleMacro; arguments: Token[][] } | null {
    const args: Token[][] = [[]];
    const commas: Token[] = [];
    let parentheses = 0;
    let braces = 0;
    for (;;) {
      const token = this.next();
      if (!token) {
        this.surroundings.diagnostics.error(use, `the arguments of \`${use.text}\` have no closing \`)\``);
        return null;
      }
      if (token.kind === OPERATOR) {
        if (braces === 0) {
          if (token.text === '(') parentheses++;
          else if (token.text === ')' && parentheses-- === 0) break;
          else if (token.text === ',' && parentheses === 0) {
            args.push([]);
            commas.push(token);
            continue;
          }
        }
        if (token.text === '{' && braces++ === 0) continue;
        if (token.text === '}' && braces > 0 && --braces === 0) continue;
      }
      args[args.length - 1].push(token);
    }
    const count = args.length === 1 && args[0].length === 0 ? 0 : args.length;
    const free = candidates.filter((macro) => !macro.busy);
    const exact =
      free.find((macro) => macro.accepts(args.length)) ??
      (count === 0 ? free.find((m) => m.accepts(0)) : undefined);
    if (exact) return { macro: exact, arguments: args };
    const greedy = free.find((macro) => macro.greedy && macro.parameters!.length < args.length);
    if (greedy) {
      const last = greedy.parameters!.length - 1;
      for (let i = last + 1; i < args.length; i++) args[last].push(commas[i - 1], ...args[i]);
      return { macro: greedy, arguments: args.slice(0, last + 1) };
    }
    const wanted = candidates.map((macro) => macro.parameters!.length).join(' or ');
    this.surroundings.diagnostics.error(
      use,
      `the macro \`${use.text}\` takes ${wanted} argument${wanted === '1' ? '' : 's'}, not ${count}`,
    );
    return null;
  }

  private substituted(macro: SingleMacro, args: readonly Token[][], use: Token): Token[] {
    const values = macro.parameters!.map((parameter, i) => {
      const arg = args[i] ?? [];
      if (parameter.quoted) return [synthetic(STRING, quote(spell(arg)), use)];
      return parameter.evaluated ? this.surroundings.evaluated(arg, use) : arg;
    });
    const out: Token[] = [];
    atUse(macro.body, use).forEach((token, i) => {
      const slot = macro.slots![i];
      if (slot < 0) out.push(token);
      else
        values[slot].forEach((t, k) => {
          out.push(k === 0 ? withSpace(t, token.spaced) : t);
        });
    });
    return out;
  }
}

/** The tokens of an expansion, standing where the macro is used: what is wrong with them is shown there. */
function atUse(tokens: readonly Token[], use: Token): Token[] {
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
