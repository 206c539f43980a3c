// Multi-line macros and repetition: %macro, calls, %rep, %rotate, %exitrep (NASM manual §4.3, §4.5).
import { Cursor } from '../cursor.ts';
import { Abort } from '../limits.ts';
import type { LogicalLine } from '../source.ts';
import { DIRECTIVE, OPERATOR, Token, WORD } from '../token.ts';
import { wordOf } from '../words.ts';
import { fitted, splitArguments, takes } from './arguments.ts';
import { parameterRange } from './conditions.ts';
import type { Frame } from './frames.ts';
import type { MultiMacro } from './macros.ts';
import type { Preprocessor } from './preprocessor.ts';

type Handler = (pp: Preprocessor, directive: Token, tokens: readonly Token[], frame: Frame) => void;

export const MULTI_LINE = new Map<string, Handler>([
  ['%rep', repeat],
  ['%rotate', rotate],
  ['%unmacro', unmacro],
  ['%unimacro', unmacro],
  ['%exitrep', (pp, directive) => exit(pp, directive, 'rep')],
  ['%exitmacro', (pp, directive) => exit(pp, directive, 'macro')],
]);
for (const name of ['%macro', '%imacro', '%rmacro', '%irmacro']) MULTI_LINE.set(name, define);
for (const name of ['%endm', '%endmacro', '%endrep'])
  MULTI_LINE.set(name, (pp, directive) =>
    pp.diagnostics.error(directive, `\`${directive.text}\` closes nothing`),
  );

/** The lines up to the directive that closes this one, nested ones kept. */
function collect(
  pp: Preprocessor,
  directive: Token,
  frame: Frame,
  opens: RegExp,
  closes: readonly string[],
): LogicalLine[] {
  const start = frame.next;
  let depth = 1;
  while (frame.next < frame.lines.length) {
    const line = frame.lines[frame.next++];
    pp.visit(line, frame);
    if (!line.mayBeDirective) continue;
    const [token] = line.tokens;
    if (token?.kind !== DIRECTIVE) continue;
    if (opens.test(token.text)) depth++;
    else if (closes.includes(token.text.toLowerCase()) && --depth === 0)
      return frame.lines.slice(start, frame.next - 1);
  }
  pp.diagnostics.error(directive, `\`${directive.text}\` is never closed by \`${closes[0]}\``);
  return frame.lines.slice(start);
}

function define(pp: Preprocessor, directive: Token, tokens: readonly Token[], frame: Frame): void {
  const [name, ...rest] = pp.named(tokens);
  const after = name && { line: name.line, start: name.end, end: name.end + 1 };
  const cursor = new Cursor(pp.expander.expand(rest), after ?? directive);
  const body = collect(pp, directive, frame, /^%i?r?macro$/i, ['%endmacro', '%endm']);
  if (!name || name.kind !== WORD) {
    pp.diagnostics.error(name ?? directive, `\`${directive.text}\` needs a name`);
    return;
  }
  const range = cursor.done ? null : parameterRange(cursor);
  if (!range || range.maximum < range.minimum) {
    const advice = cursor.done ? `\`${directive.text} ${name.text} 0\`` : undefined;
    pp.diagnostics.error(cursor.place, 'a macro says how many parameters it takes', advice);
    return;
  }
  if (cursor.word() === '.nolist') cursor.at++;
  const kind = directive.text.toLowerCase();
  pp.step(pp.multiMacros.find(name.text)?.length ?? 0, name);
  pp.multiMacros.define({
    name: name.text,
    ignoreCase: kind === '%imacro' || kind === '%irmacro',
    recursive: kind === '%rmacro' || kind === '%irmacro',
    ...range,
    defaults: cursor.done ? [] : splitArguments(cursor.tokens.slice(cursor.at)).values,
    body,
    usesLabel: body.some((line) => line.at.text.includes('%00')),
    at: directive.line,
    depth: 0,
  });
}

function unmacro(pp: Preprocessor, directive: Token, tokens: readonly Token[]): void {
  const [name, ...rest] = pp.named(tokens);
  const range = name ? parameterRange(new Cursor(pp.expander.expand(rest), directive)) : null;
  if (name && range) pp.multiMacros.undefine(name.text, range.minimum, range.maximum);
  else pp.diagnostics.error(directive, `\`${directive.text}\` needs a name and a number of parameters`);
}

function repeat(pp: Preprocessor, directive: Token, tokens: readonly Token[], frame: Frame): void {
  const counted = tokens[tokens.length - 1]?.text === '.nolist' ? tokens.slice(0, -1) : tokens;
  const value = pp.evaluate(counted, directive, '`%rep`');
  const lines = collect(pp, directive, frame, /^%rep$/i, ['%endrep']);
  if (!value || lines.length === 0 || value.n <= 0) return;
  if (value.n > pp.limits.repeatCount) {
    pp.diagnostics.error(directive, `\`%rep\` repeats at most ${pp.limits.repeatCount} times`);
    return;
  }
  pp.stack.push('rep', frame.file, lines, frame.call, frame.site, Number(value.n));
}

function exit(pp: Preprocessor, directive: Token, kind: 'rep' | 'macro'): void {
  if (!pp.stack.exit(kind))
    pp.diagnostics.error(directive, `\`${directive.text}\` outside a ${kind === 'rep' ? '`%rep`' : 'macro'}`);
}

function rotate(pp: Preprocessor, directive: Token, tokens: readonly Token[], frame: Frame): void {
  const value = pp.evaluate(tokens, directive, '`%rotate`');
  const { call } = frame;
  if (!call) pp.diagnostics.error(directive, '`%rotate` outside a macro');
  else if (call.arguments.length === 0) pp.diagnostics.error(directive, '`%rotate` has no arguments to move');
  else if (value) {
    const count = call.arguments.length;
    call.rotation = (((call.rotation + Number(value.n)) % count) + count) % count;
  }
}

/** Begins the expansion of a macro when the line calls one; a label in front is passed on. True: the line is used. */
export function callMacro(pp: Preprocessor, tokens: readonly Token[], frame: Frame): boolean {
  let at = 0;
  let candidates = find(pp, tokens[0]);
  if (!candidates && tokens[0].kind === WORD) {
    at = tokens[1]?.is(':') ? 2 : 1;
    candidates = tokens[at] && find(pp, tokens[at]);
  }
  if (!candidates) return false;
  const name = tokens[at];
  const split = splitArguments(tokens.slice(at + 1));
  const count = split.values.length;
  const macro = candidates.find((m) => takes(m, count) && (m.depth === 0 || m.recursive));
  if (!macro) return refuse(pp, name, candidates, count);
  if (count > 1 && split.values[count - 1].length === 0 && !split.braced[count - 1]) {
    pp.diagnostics.warning(name, `the last argument of \`${name.text}\` is empty: it does not count`);
    split.values.pop();
  }
  if (macro.depth >= pp.limits.macroDepth || pp.stack.frames.length > 4 * pp.limits.macroDepth) {
    pp.diagnostics.error(name, `the macro \`${name.text}\` calls itself without end`);
    throw new Abort();
  }
  const label = tokens.slice(0, at);
  if (at > 0 && !macro.usesLabel) {
    const colon = new Token(OPERATOR, ':', false, name.line, name.start, name.end);
    pp.emit(at === 2 ? label : [...label, colon], frame);
  }
  macro.depth++;
  const site = frame.site ?? { place: name, macro: name.text };
  const call = {
    macro,
    name,
    arguments: fitted(macro, split),
    rotation: 0,
    id: pp.freshId(),
    label: label.slice(0, 1),
  };
  pp.stack.push('macro', macro.at.file, macro.body, call, site);
  return true;
}

function find(pp: Preprocessor, token: Token): readonly MultiMacro[] | undefined {
  return token.kind === WORD ? pp.multiMacros.find(token.text) : undefined;
}

/** A macro of that name exists, but not for these arguments. True: the line was dealt with. */
function refuse(pp: Preprocessor, name: Token, candidates: readonly MultiMacro[], count: number): boolean {
  // The name may be an instruction too: `%macro push 2` leaves `push ax` alone.
  if (wordOf(name.text)) return false;
  if (candidates.some((macro) => takes(macro, count))) {
    const advice = 'define it with `%rmacro` if it is meant to';
    pp.diagnostics.error(name, `the macro \`${name.text}\` calls itself`, advice);
    return true;
  }
  const message = `the macro \`${name.text}\` takes ${candidates.map(wanted).join(' or ')}, not ${count}`;
  // Without arguments NASM takes the word for a label.
  if (count === 0) pp.diagnostics.warning(name, message);
  else pp.diagnostics.error(name, message);
  return count > 0;
}

function wanted(macro: MultiMacro): string {
  const least = macro.minimum;
  if (macro.greedy || macro.maximum === Number.POSITIVE_INFINITY)
    return `at least ${least} argument${least === 1 ? '' : 's'}`;
  if (macro.maximum !== least) return `${least} to ${macro.maximum} arguments`;
  return `${least} argument${least === 1 ? '' : 's'}`;
}
