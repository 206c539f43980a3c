// Parameters of multi-line macros: `%1 %0 %00 %+1 %-1 %{2:4} %%local` in one body line (NASM manual §4.3).
import type { Diagnostics } from '../diagnostics.ts';
import { lexLine } from '../lexer.ts';
import {
  INDIRECT,
  MACRO_LOCAL,
  NUMBER,
  OPERATOR,
  PARAMETER,
  SELF_NAME,
  spell,
  synthetic,
  Token,
  WORD,
  withSpace,
} from '../token.ts';
import { paste } from './expand.ts';
import type { MultiMacro } from './macros.ts';

/** One call of a multi-line macro. */
export interface Call {
  readonly macro: MultiMacro;
  /** Name as written. */
  readonly name: Token;
  readonly arguments: readonly (readonly Token[])[];
  /** `%rotate` moves it. */
  rotation: number;
  /** Makes `%%` names unique. */
  readonly id: number;
  /** For `%00`. */
  readonly label: readonly Token[];
}

/** Condition codes and their inverses, for `%-1`. */
const CONDITIONS = new Map<string, string>();
for (const [a, b] of [
  ['a', 'na'],
  ['ae', 'nae'],
  ['b', 'nb'],
  ['be', 'nbe'],
  ['c', 'nc'],
  ['e', 'ne'],
  ['g', 'ng'],
  ['ge', 'nge'],
  ['l', 'nl'],
  ['le', 'nle'],
  ['o', 'no'],
  ['p', 'np'],
  ['s', 'ns'],
  ['z', 'nz'],
  ['pe', 'po'],
]) {
  CONDITIONS.set(a, b);
  CONDITIONS.set(b, a);
}
CONDITIONS.set('cxz', '').set('ecxz', '');

/** The line with parameters and local names in place. Returns the same array when it has none. */
export function substitute(tokens: readonly Token[], call: Call, diagnostics: Diagnostics): readonly Token[] {
  if (!tokens.some(concerned)) return tokens;
  const out: Token[] = [];
  for (const token of tokens) {
    switch (token.kind) {
      case PARAMETER:
        parameter(token, call, diagnostics).forEach((t, i) => {
          out.push(i === 0 ? withSpace(t, token.spaced) : t);
        });
        break;
      case MACRO_LOCAL:
        out.push(synthetic(WORD, `..@${call.id}.${token.text}`, token));
        break;
      case SELF_NAME:
        out.push(synthetic(WORD, token.text === '%?' ? call.name.text : call.macro.name, token));
        break;
      case INDIRECT: {
        const inner = substitute(lexLine(token.text, token.line), call, diagnostics);
        out.push(synthetic(INDIRECT, spell(inner), token));
        break;
      }
      default:
        out.push(token);
    }
  }
  return paste(out, false);
}

function concerned(token: Token): boolean {
  const kind = token.kind;
  return kind === PARAMETER || kind === MACRO_LOCAL || kind === INDIRECT || kind === SELF_NAME;
}

/** Argument `n`, from 1, after rotation. */
function argument(call: Call, n: number): readonly Token[] {
  const count = call.arguments.length;
  if (n < 1 || n > count) return [];
  return call.arguments[(n - 1 + call.rotation) % count];
}

function parameter(token: Token, call: Call, diagnostics: Diagnostics): readonly Token[] {
  const { text } = token;
  if (text === '0') return [synthetic(NUMBER, String(call.arguments.length), token)];
  if (text === '00') return call.label;
  if (text.includes(':')) return range(token, call, diagnostics);
  if (text[0] !== '+' && text[0] !== '-') return argument(call, Number(text));
  const [condition] = argument(call, Number(text.slice(1)));
  const inverse = condition ? CONDITIONS.get(condition.text.toLowerCase()) : undefined;
  if (!condition || inverse === undefined || (text[0] === '-' && inverse === '')) {
    const found = condition ? `\`${condition.text}\`` : 'nothing';
    diagnostics.error(token, `\`%${text}\` needs a condition code such as \`z\` or \`nc\`, and got ${found}`);
    return [];
  }
  return [text[0] === '+' ? condition : synthetic(WORD, inverse, condition)];
}

/** `%{2:4}`: several arguments with commas between; negative numbers count from the last. */
function range(token: Token, call: Call, diagnostics: Diagnostics): Token[] {
  const count = call.arguments.length;
  const ends = token.text.split(':').map((end) => (Number(end) < 0 ? Number(end) + count + 1 : Number(end)));
  const [from, to] = ends;
  if (from < 1 || to < 1 || from > count || to > count) {
    diagnostics.error(token, `\`%{${token.text}}\` reaches outside the ${count} arguments`);
    return [];
  }
  const out: Token[] = [];
  const step = from <= to ? 1 : -1;
  for (let n = from; ; n += step) {
    argument(call, n).forEach((t, i) => {
      out.push(i === 0 && n !== from ? withSpace(t, true) : t);
    });
    if (n === to) return out;
    out.push(new Token(OPERATOR, ',', false, token.line, token.start, token.end));
  }
}
