// The preprocessor: lines of the source → lines without macros, one at a time, on demand (NASM manual §4).
// The assembler pulls lines as it goes, because `%if` may ask where the assembly has got to (`$-$$`).
import { Cursor } from '../cursor.ts';
import type { Diagnostics, Place, Site } from '../diagnostics.ts';
import { nearest } from '../diagnostics.ts';
import { evaluate } from '../expression.ts';
import { ExpressionParser, type Names } from '../expression-parser.ts';
import { Abort, type Limits } from '../limits.ts';
import { stringBytes } from '../literals.ts';
import { type LogicalLine, logicalLines, SourceLine } from '../source.ts';
import { CONTEXT_LOCAL, DIRECTIVE, INDIRECT, NUMBER, STRING, synthetic, Token, WORD } from '../token.ts';
import { type Value, ZERO } from '../value.ts';
import { wordOf } from '../words.ts';
import { fitted, splitArguments, takes } from './arguments.ts';
import { type Conditional, conditional, holds, parameterRange } from './conditions.ts';
import { HANDLERS, numberTokens } from './definitions.ts';
import { Expander, paste, type Surroundings } from './expand.ts';
import { type Context, type MultiMacro, MultiMacros, SingleMacro, SingleMacros } from './macros.ts';
import { PRELUDE, PRELUDE_NAME } from './prelude.ts';
import { type Call, substitute } from './substitute.ts';

/** The text of a file, or undefined when there is none of that name. */
export type Resolver = (name: string) => string | undefined;

/** One line for the assembler. */
export interface OutputLine {
  readonly tokens: readonly Token[];
  /** The line of the program it belongs to: for a macro, the line of the outermost call. */
  readonly at: SourceLine;
  readonly site: Site | null;
}

/** What is being read: a file, one expansion of a macro, or a `%rep` body. */
interface Frame {
  readonly kind: 'file' | 'macro' | 'rep';
  readonly file: string;
  readonly lines: readonly LogicalLine[];
  next: number;
  /** Conditions open when it began. */
  readonly conditions: number;
  /** The call whose parameters apply. */
  readonly call: Call | null;
  /** The outermost macro call. */
  readonly site: Site | null;
  /** `%rep`: times left, this one included. */
  remaining: number;
}

/** `%if` … `%endif`: emitting; waiting for a branch that holds; or done (and, when `dead`, never to begin). */
interface Condition {
  state: 'emit' | 'wait' | 'done';
  seenElse: boolean;
  readonly opened: Token;
}

const OTHER_DIRECTIVES = [
  '%macro',
  '%imacro',
  '%rmacro',
  '%irmacro',
  '%endmacro',
  '%endm',
  '%exitmacro',
  '%unmacro',
  '%unimacro',
  '%rotate',
  '%rep',
  '%endrep',
  '%exitrep',
  '%include',
  '%if',
  '%ifdef',
  '%ifndef',
  '%elif',
  '%else',
  '%endif',
];
const MACRO_STARTS = /^%i?r?macro$/i;

let prelude: LogicalLine[] | null = null;

export class Preprocessor implements Surroundings {
  readonly singleMacros = new SingleMacros();
  readonly multiMacros = new MultiMacros();
  readonly expander = new Expander(this.singleMacros, this);
  /** An answer depended on where the assembly had got to: later passes must read the source again. */
  dependsOnLocation = false;
  /** Lines of files in the order they were read, for the listing. */
  readonly visited: SourceLine[] = [];

  private readonly frames: Frame[] = [];
  private readonly conditions: Condition[] = [];
  private readonly contexts: Context[] = [];
  private readonly pending: OutputLine[] = [];
  private unique = 0;
  private steps = 0;
  private characters = 0;
  private line: SourceLine;

  constructor(
    private readonly main: string,
    private readonly resolve: Resolver,
    readonly diagnostics: Diagnostics,
    private readonly names: Names,
    private readonly limits: Limits,
    private readonly cache: Map<string, LogicalLine[]>,
    private readonly includePaths: readonly string[],
    defines: Readonly<Record<string, string>>,
    bits: () => number,
    pass: number,
  ) {
    this.line = new SourceLine(main, 1, '');
    this.defineStandard(bits, pass);
    prelude ??= logicalLines(PRELUDE_NAME, PRELUDE);
    const text = resolve(main);
    const origin = { line: this.line, start: 0, end: 1 };
    if (text === undefined) diagnostics.error(origin, `there is no file \`${main}\``);
    else this.pushFile(main, this.load(main, text, origin));
    const given = Object.entries(defines).map(([name, value]) => `%define ${name} ${value}`);
    this.pushFile('<command line>', logicalLines('<command line>', given.join('\n')));
    this.pushFile(PRELUDE_NAME, prelude);
  }

  // --- Services for the other parts of the preprocessor -------------------------------------------------------

  get context(): Context | undefined {
    return this.contexts[this.contexts.length - 1];
  }

  pushContext(name: string): void {
    this.contexts.push({ name, id: ++this.unique });
  }

  popContext(directive: Token, name: string): void {
    const top = this.contexts.pop();
    if (!top) this.diagnostics.error(directive, 'no context is open here');
    else if (name !== '' && name !== top.name)
      this.diagnostics.error(directive, `the innermost context is \`${top.name}\`, not \`${name}\``);
  }

  contextLocal(token: Token): string | null {
    const dollars = /^\$*/.exec(token.text)![0].length;
    const context = this.contexts[this.contexts.length - dollars];
    if (context) return `..@${context.id}.${token.text.slice(dollars)}`;
    this.diagnostics.error(token, `\`%${token.text}\` belongs to a context, and none is open (see %push)`);
    return null;
  }

  /** Names at the start of a directive's operands: `%$x` and `%[…]` resolved, macros not expanded. */
  named(tokens: readonly Token[]): readonly Token[] {
    let end = 1;
    while (end < tokens.length && !tokens[end].spaced && isNamePart(tokens[end])) end++;
    const head = tokens.slice(0, end).flatMap((token): readonly Token[] => {
      if (token.kind === INDIRECT) return this.expander.expand([token]);
      if (token.kind !== CONTEXT_LOCAL) return [token];
      const name = this.contextLocal(token);
      return name === null ? [] : [synthetic(WORD, name, token)];
    });
    return [...paste(head, false), ...tokens.slice(end)];
  }

  /** A plain number that must be known now; null after a report. */
  evaluate(tokens: readonly Token[], origin: Token, what: string): Value | null {
    const expanded = this.expander.expand(tokens);
    if (expanded.length === 0) {
      this.diagnostics.error(origin, `${what} needs an expression`);
      return null;
    }
    const cursor = new Cursor(expanded, origin);
    const parser = new ExpressionParser(cursor, this.names);
    const tree = parser.parse();
    if (parser.usedLocation) this.dependsOnLocation = true;
    if (!tree) return null;
    if (!cursor.done) this.diagnostics.error(cursor.place, 'unexpected text after the expression');
    const value = evaluate(tree, this.names.scope);
    if (value.unknown) return null;
    if (value.isScalar) return value;
    this.diagnostics.error(tree.place, `${what} needs a plain number, not an address`);
    return null;
  }

  evaluated(tokens: readonly Token[], place: Token): Token[] {
    return numberTokens((this.evaluate(tokens, place, 'this parameter') ?? ZERO).n, place);
  }

  step(count: number, place: Place): void {
    this.steps += count;
    if (this.steps <= this.limits.expansionSteps) return;
    this.diagnostics.error(
      place,
      'the macros of this program expand without end, or almost: expansion stopped',
    );
    throw new Abort();
  }

  isDirective(name: string): boolean {
    return HANDLERS.has(name.toLowerCase()) || OTHER_DIRECTIVES.includes(name.toLowerCase());
  }

  // --- Reading ------------------------------------------------------------------------------------------------

  /** The next line for the assembler, or null at the end. */
  next(): OutputLine | null {
    for (;;) {
      const ready = this.pending.shift();
      if (ready) return ready;
      const frame = this.frames[this.frames.length - 1];
      if (!frame) return null;
      if (frame.next >= frame.lines.length) {
        this.leave(frame);
        continue;
      }
      const line = frame.lines[frame.next++];
      this.diagnostics.site = frame.site;
      this.line = line.at;
      if (frame.kind === 'file' && frame.lines !== prelude) this.visited.push(line.at);
      this.step(1, { line: line.at, start: 0, end: 1 });
      const output = this.read(line, frame);
      if (output && output.length > 0)
        return { tokens: output, at: this.owner(output, frame), site: frame.site };
    }
  }

  private owner(tokens: readonly Token[], frame: Frame): SourceLine {
    return frame.site ? frame.site.place.line : tokens[0].line;
  }

  private read(line: LogicalLine, frame: Frame): readonly Token[] | null {
    const condition = this.conditions[this.conditions.length - 1];
    if (condition && condition.state !== 'emit') {
      if (line.mayBeDirective) this.skipped(line.tokens, frame);
      return null;
    }
    let tokens = line.tokens;
    if (tokens.length === 0) return null;
    if (frame.call) tokens = substitute(tokens, frame.call, this.diagnostics);
    const [first] = tokens;
    if (!first) return null;
    if (first.kind === DIRECTIVE) {
      this.directive(first, tokens.slice(1), frame);
      return null;
    }
    const expanded = this.expander.expand(tokens);
    if (expanded.length === 0) return null;
    return this.call(expanded, frame) ? null : expanded;
  }

  private leave(frame: Frame): void {
    const open = this.conditions[this.conditions.length - 1];
    if (this.conditions.length > frame.conditions) {
      this.diagnostics.error(open.opened, `\`${open.opened.text}\` has no \`%endif\``);
      this.conditions.length = frame.conditions;
    }
    if (frame.kind === 'rep' && --frame.remaining > 0) {
      frame.next = 0;
      return;
    }
    this.frames.pop();
    if (frame.kind === 'macro') frame.call!.macro.depth--;
  }

  private pushFile(file: string, lines: readonly LogicalLine[]): void {
    this.frames.push({
      kind: 'file',
      file,
      lines,
      next: 0,
      conditions: this.conditions.length,
      call: null,
      site: null,
      remaining: 1,
    });
  }

  // --- Directives ---------------------------------------------------------------------------------------------

  private directive(token: Token, tokens: readonly Token[], frame: Frame): void {
    const condition = conditional(token.text);
    if (condition) {
      this.condition(
        condition.part,
        token,
        () => holds(this, token, condition.kind, tokens) !== condition.negated,
      );
      return;
    }
    const name = token.text.toLowerCase();
    const handler = HANDLERS.get(name);
    if (handler) handler(this, token, tokens);
    else if (MACRO_STARTS.test(name)) this.macro(token, tokens, frame);
    else if (name === '%rep') this.rep(token, tokens, frame);
    else if (name === '%include') this.include(token, tokens);
    else if (name === '%exitrep' || name === '%exitmacro')
      this.exit(token, name === '%exitrep' ? 'rep' : 'macro');
    else if (name === '%rotate') this.rotate(token, tokens, frame);
    else if (name === '%unmacro' || name === '%unimacro') this.unmacro(token, tokens);
    else if (/^%(endm|endmacro|endrep)$/.test(name))
      this.diagnostics.error(token, `\`${token.text}\` closes nothing`);
    else {
      const near = nearest(name, [...HANDLERS.keys(), ...OTHER_DIRECTIVES]);
      const advice = near ? `did you mean \`${near}\`?` : undefined;
      this.diagnostics.error(token, `unknown preprocessor directive \`${token.text}\``, advice);
    }
  }

  private condition(part: Conditional, token: Token, question: () => boolean): void {
    const top = this.conditions[this.conditions.length - 1];
    if (part === 'if') {
      const opened: Condition = { state: 'wait', seenElse: false, opened: token };
      opened.state = question() ? 'emit' : 'wait';
      this.conditions.push(opened);
      return;
    }
    if (!top || this.conditions.length <= this.frames[this.frames.length - 1].conditions) {
      this.diagnostics.error(token, `\`${token.text}\` without \`%if\``);
      return;
    }
    if (part === 'endif') {
      this.conditions.pop();
      return;
    }
    if (top.seenElse) {
      this.diagnostics.warning(token, `\`${token.text}\` after \`%else\`: this part is ignored`);
      top.state = 'done';
      return;
    }
    if (part === 'else') top.seenElse = true;
    if (top.state === 'emit') top.state = 'done';
    else if (top.state === 'wait' && (part === 'else' || question())) top.state = 'emit';
  }

  /** A line in a block that is not assembled: only the nesting of conditions matters. */
  private skipped(raw: readonly Token[], frame: Frame): void {
    const [token] = raw;
    if (token?.kind !== DIRECTIVE) return;
    const found = conditional(token.text);
    if (!found) return;
    const top = this.conditions[this.conditions.length - 1];
    if (found.part === 'if') {
      this.conditions.push({ state: 'done', seenElse: false, opened: token });
      return;
    }
    const rest = frame.call && top.state === 'wait' ? substitute(raw, frame.call, this.diagnostics) : raw;
    this.condition(found.part, token, () => holds(this, token, found.kind, rest.slice(1)) !== found.negated);
  }

  private include(directive: Token, tokens: readonly Token[]): void {
    const [name] = this.expander.expand(tokens);
    if (!name || name.kind !== STRING) {
      this.diagnostics.error(
        name ?? directive,
        '`%include` needs a file name in quotes',
        '%include "name.inc"',
      );
      return;
    }
    if (this.frames.filter((frame) => frame.kind === 'file').length > this.limits.includeDepth) {
      this.diagnostics.error(
        directive,
        `files include each other more than ${this.limits.includeDepth} deep`,
      );
      throw new Abort();
    }
    const wanted = String.fromCharCode(...stringBytes(name.text));
    const here = this.frames.findLast((frame) => frame.kind === 'file')?.file ?? '';
    for (const folder of ['', ...this.includePaths, folderOf(here), folderOf(this.main)]) {
      const full = joined(folder, wanted);
      const text = this.resolve(full);
      if (text === undefined) continue;
      this.pushFile(full, this.load(full, text, name));
      return;
    }
    this.diagnostics.error(name, `there is no file \`${wanted}\` to include`);
  }

  private load(file: string, text: string, place: Place): LogicalLine[] {
    this.characters += text.length;
    if (this.characters > this.limits.sourceCharacters) {
      const megabytes = Math.round(this.limits.sourceCharacters / (1 << 20));
      this.diagnostics.error(place, `the source is larger than ${megabytes} MB`);
      throw new Abort();
    }
    let lines = this.cache.get(file);
    if (!lines) this.cache.set(file, (lines = logicalLines(file, text)));
    const long = lines.find((line) => line.at.text.length > this.limits.lineCharacters);
    if (long) {
      this.diagnostics.error({ line: long.at, start: 0, end: 1 }, 'this line is too long to be a program');
      throw new Abort();
    }
    return lines;
  }

  // --- Multi-line macros and repetition -----------------------------------------------------------------------

  /** The lines up to the directive that closes this one, nested ones kept. */
  private collect(directive: Token, frame: Frame, opens: RegExp, closes: RegExp): LogicalLine[] {
    const start = frame.next;
    let depth = 1;
    while (frame.next < frame.lines.length) {
      const line = frame.lines[frame.next++];
      if (frame.kind === 'file' && frame.lines !== prelude) this.visited.push(line.at);
      if (!line.mayBeDirective) continue;
      const [token] = line.tokens;
      if (token?.kind !== DIRECTIVE) continue;
      if (opens.test(token.text)) depth++;
      else if (closes.test(token.text) && --depth === 0) return frame.lines.slice(start, frame.next - 1);
    }
    const closing = closes.source.replace(/[\^$]|\(.*\|/g, '').replace(')', '');
    this.diagnostics.error(directive, `\`${directive.text}\` is never closed by \`${closing}\``);
    return frame.lines.slice(start);
  }

  private macro(directive: Token, tokens: readonly Token[], frame: Frame): void {
    const cursor = new Cursor(this.expander.expand(this.named(tokens).slice(1)), directive);
    const [name] = this.named(tokens);
    const body = this.collect(directive, frame, MACRO_STARTS, /^%(endm|endmacro)$/i);
    if (!name || name.kind !== WORD) {
      this.diagnostics.error(name ?? directive, `\`${directive.text}\` needs a name`);
      return;
    }
    const range = cursor.done ? null : parameterRange(cursor);
    if (!range || range.maximum < range.minimum) {
      const advice = cursor.done ? `\`${directive.text} ${name.text} 0\`` : undefined;
      this.diagnostics.error(cursor.place, 'a macro says how many parameters it takes', advice);
      return;
    }
    if (cursor.word() === '.nolist') cursor.at++;
    const kind = directive.text.toLowerCase();
    this.multiMacros.define({
      name: name.text,
      ignoreCase: kind.includes('i'),
      recursive: kind.includes('r', 1) && kind !== '%macro' && kind !== '%imacro',
      ...range,
      defaults: cursor.done ? [] : splitArguments(cursor.tokens.slice(cursor.at)).values,
      body,
      usesLabel: body.some((line) => line.at.text.includes('%00')),
      at: directive.line,
      depth: 0,
    });
  }

  private unmacro(directive: Token, tokens: readonly Token[]): void {
    const [name, ...rest] = this.named(tokens);
    const range = name ? parameterRange(new Cursor(this.expander.expand(rest), directive)) : null;
    if (name && range) this.multiMacros.undefine(name.text, range.minimum, range.maximum);
    else this.diagnostics.error(directive, `\`${directive.text}\` needs a name and a number of parameters`);
  }

  private rep(directive: Token, tokens: readonly Token[], frame: Frame): void {
    const [last] = tokens.slice(-1);
    const counted = last?.text === '.nolist' ? tokens.slice(0, -1) : tokens;
    const value = this.evaluate(counted, directive, '`%rep`');
    const lines = this.collect(directive, frame, /^%rep$/i, /^%endrep$/i);
    if (!value || lines.length === 0) return;
    if (value.n > this.limits.repeatCount) {
      this.diagnostics.error(directive, `\`%rep\` repeats at most ${this.limits.repeatCount} times`);
      return;
    }
    const remaining = Number(value.n);
    if (remaining <= 0) return;
    this.frames.push({
      ...frame,
      kind: 'rep',
      lines,
      next: 0,
      conditions: this.conditions.length,
      remaining,
    });
  }

  private exit(directive: Token, kind: 'rep' | 'macro'): void {
    const at = this.frames.findLastIndex((frame) => frame.kind === kind);
    if (at < 0 || this.frames.slice(at).some((frame) => frame.kind === 'file')) {
      this.diagnostics.error(
        directive,
        `\`${directive.text}\` outside a ${kind === 'rep' ? '%rep' : '%macro'}`,
      );
      return;
    }
    this.conditions.length = this.frames[at].conditions;
    while (this.frames.length > at) {
      const frame = this.frames.pop()!;
      if (frame.kind === 'macro') frame.call!.macro.depth--;
    }
  }

  private rotate(directive: Token, tokens: readonly Token[], frame: Frame): void {
    const value = this.evaluate(tokens, directive, '`%rotate`');
    const call = frame.call;
    if (!call) this.diagnostics.error(directive, '`%rotate` outside a macro');
    else if (value && call.arguments.length > 0) {
      const count = call.arguments.length;
      call.rotation = (((call.rotation + Number(value.n)) % count) + count) % count;
    }
  }

  /** Begins the expansion of a multi-line macro, when the line calls one; a label in front is passed on. */
  private call(tokens: readonly Token[], frame: Frame): boolean {
    let at = 0;
    let candidates = this.candidates(tokens[0]);
    if (!candidates && tokens[0].kind === WORD) {
      at = tokens[1]?.is(':') ? 2 : 1;
      candidates = tokens[at] ? this.candidates(tokens[at]) : undefined;
    }
    if (!candidates) return false;
    const name = tokens[at];
    const split = splitArguments(tokens.slice(at + 1));
    const count = split.values.length;
    const fitting = candidates.find((macro) => takes(macro, count) && (macro.depth === 0 || macro.recursive));
    if (!fitting) return this.refuse(name, candidates, count);
    if (count > 1 && split.values[count - 1].length === 0 && !split.braced) {
      this.diagnostics.warning(name, `the last argument of \`${name.text}\` is empty: it does not count`);
      split.values.pop();
    }
    if (fitting.depth >= this.limits.macroDepth || this.frames.length > this.limits.macroDepth * 4) {
      this.diagnostics.error(name, `the macro \`${name.text}\` calls itself without end`);
      throw new Abort();
    }
    const label = tokens.slice(0, at);
    if (at > 0 && !fitting.usesLabel) {
      const text = tokens[1].is(':')
        ? label
        : [...label, new Token(3, ':', false, name.line, name.start, name.end)];
      this.pending.push({ tokens: text, at: this.owner(label, frame), site: frame.site });
    }
    fitting.depth++;
    const site = frame.site ?? { place: name, macro: name.text };
    this.frames.push({
      kind: 'macro',
      file: fitting.at.file,
      lines: fitting.body,
      next: 0,
      conditions: this.conditions.length,
      call: {
        macro: fitting,
        name,
        arguments: fitted(fitting, split),
        rotation: 0,
        id: ++this.unique,
        label: label.slice(0, 1),
      },
      site,
      remaining: 1,
    });
    return true;
  }

  private candidates(token: Token): readonly MultiMacro[] | undefined {
    return token.kind === WORD ? this.multiMacros.find(token.text) : undefined;
  }

  /** A macro of that name exists, but not for these arguments. True when the line was dealt with. */
  private refuse(name: Token, candidates: readonly MultiMacro[], count: number): boolean {
    // The name may be an instruction too: `%macro push 2` leaves `push ax` alone.
    if (wordOf(name.text)) return false;
    if (candidates.some((macro) => takes(macro, count))) {
      this.diagnostics.error(
        name,
        `the macro \`${name.text}\` calls itself`,
        'define it with `%rmacro` if it is meant to',
      );
      return true;
    }
    const wanted = candidates.map(takesText).join(' or ');
    const message = `the macro \`${name.text}\` takes ${wanted}, not ${count}`;
    // Without arguments NASM takes the word for a label.
    if (count === 0) this.diagnostics.warning(name, message);
    else this.diagnostics.error(name, message);
    return count > 0;
  }

  // --- Standard single-line macros ----------------------------------------------------------------------------

  private defineStandard(bits: () => number, pass: number): void {
    const dynamic = (name: string, make: (use: Token) => Token[]): void => {
      for (const spelling of [`__${name}__`, `__?${name}?__`])
        this.singleMacros.define(new SingleMacro(spelling, null, false, [], make), false);
    };
    dynamic('LINE', (use) => numberTokens(this.line.number, use));
    dynamic('FILE', (use) => [synthetic(STRING, `"${this.line.file}"`, use)]);
    dynamic('BITS', (use) => numberTokens(bits(), use));
    dynamic('PASS', (use) => numberTokens(pass, use));
    dynamic('NASM_MAJOR', (use) => numberTokens(2, use));
    dynamic('NASM_MINOR', (use) => numberTokens(16, use));
    dynamic('NASM_VERSION_ID', (use) => numberTokens(0x02100100, use));
    dynamic('NASM_VER', (use) => [synthetic(STRING, '"2.16.01"', use)]);
    dynamic('OUTPUT_FORMAT', (use) => [synthetic(WORD, 'bin', use)]);
    dynamic('SECT', (use) => [synthetic(WORD, '__SECT__', use)]);
    this.singleMacros.undefine('__SECT__');
  }
}

const folderOf = (file: string): string => file.slice(0, file.lastIndexOf('/') + 1);

/** `folder/name` without `.` and `..`. */
function joined(folder: string, name: string): string {
  const path = name.startsWith('/') || folder === '' ? name : `${folder}/${name}`;
  const parts: string[] = [];
  for (const [i, part] of path.split('/').entries()) {
    if (part === '' && i > 0) continue;
    if (part === '..' && parts.length > 0 && parts[parts.length - 1] !== '..') parts.pop();
    else if (part !== '.') parts.push(part);
  }
  return parts.join('/');
}

function isNamePart(token: Token): boolean {
  return [WORD, NUMBER, INDIRECT, CONTEXT_LOCAL].includes(token.kind);
}

function takesText(macro: MultiMacro): string {
  const least = macro.minimum;
  if (macro.greedy || macro.maximum === Number.POSITIVE_INFINITY) return `at least ${least} arguments`;
  if (macro.maximum !== least) return `${least} to ${macro.maximum} arguments`;
  return `${least} argument${least === 1 ? '' : 's'}`;
}
