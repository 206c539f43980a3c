// The preprocessor: lines of the source → lines without macros, one at a time, on demand (NASM manual §4).
// The assembler pulls lines as it goes, because `%if` may ask where the assembly has got to (`$-$$`).
import { type Diagnostics, nearest, type Site } from '../diagnostics.ts';
import { Abort, type Limits } from '../limits.ts';
import { stringBytes } from '../literals.ts';
import { type LogicalLine, logicalLines, SourceLine } from '../source.ts';
import { DIRECTIVE, STRING, type Token } from '../token.ts';
import { type Conditional, conditional, holds } from './conditions.ts';
import { HANDLERS } from './definitions.ts';
import { type AssemblyState, Environment } from './environment.ts';
import type { Budget, SourceFiles } from './files.ts';
import { type Condition, type Frame, FrameStack } from './frames.ts';
import { callMacro, MULTI_LINE } from './multi-line.ts';
import { PRELUDE, PRELUDE_NAME } from './prelude.ts';
import { substitute } from './substitute.ts';

/** One line for the assembler. */
export interface OutputLine {
  readonly tokens: readonly Token[];
  /** The line of the program it belongs to: for a macro, the line of the outermost call. */
  readonly at: SourceLine;
  readonly site: Site | null;
}

const CONDITIONALS = ['%if', '%ifdef', '%ifndef', '%ifidn', '%ifmacro', '%elif', '%else', '%endif'];

/** What reading or emitting a line costs beside its tokens. */
const LINE_STEPS = 6;

let prelude: LogicalLine[] | null = null;

export class Preprocessor extends Environment {
  readonly stack = new FrameStack();
  /** Lines of files in the order they were read, for the listing. */
  readonly visited: SourceLine[] = [];
  private readonly pending: OutputLine[] = [];
  private readonly budget: Budget = { characters: 0 };

  constructor(
    private readonly files: SourceFiles,
    defines: Readonly<Record<string, string>>,
    diagnostics: Diagnostics,
    assembly: AssemblyState,
    limits: Limits,
  ) {
    const first = new SourceLine(files.main, 1, '');
    super(first, diagnostics, assembly, limits);
    const place = { line: first, start: 0, end: 1 };
    const main = files.find(files.main, files.main, this.budget, place, diagnostics);
    if (main) this.stack.push('file', main.name, main.lines);
    else diagnostics.error(place, `there is no file \`${files.main}\``);
    const given = Object.entries(defines).map(([name, value]) => `%define ${name} ${value}`);
    this.stack.push('file', '<command line>', logicalLines('<command line>', given.join('\n')));
    prelude ??= logicalLines(PRELUDE_NAME, PRELUDE);
    this.stack.push('file', PRELUDE_NAME, prelude);
  }

  /** The next line for the assembler, or null at the end. */
  next(): OutputLine | null {
    for (;;) {
      const ready = this.pending.shift();
      if (ready) return ready;
      const frame = this.stack.top;
      if (!frame) return null;
      if (frame.next >= frame.lines.length) {
        this.stack.finish(this.diagnostics);
        continue;
      }
      const line = frame.lines[frame.next++];
      this.diagnostics.site = frame.site;
      this.line = line.at;
      this.visit(line, frame);
      this.step(LINE_STEPS, line.place);
      this.read(line, frame);
    }
  }

  /** Hands a line to the assembler. */
  emit(tokens: readonly Token[], frame: Frame): void {
    const { site } = frame;
    this.step(LINE_STEPS + tokens.length, tokens[0]);
    this.pending.push({ tokens, at: site ? site.place.line : tokens[0].line, site });
  }

  /** Remembers that a line of a file was read. */
  visit(line: LogicalLine, frame: Frame): void {
    if (frame.kind === 'file' && frame.lines !== prelude) this.visited.push(line.at);
  }

  private read(line: LogicalLine, frame: Frame): void {
    const { condition } = this.stack;
    if (condition && condition.state !== 'emit') {
      if (line.mayBeDirective) this.skipped(line.tokens, frame);
      return;
    }
    let { tokens } = line;
    if (frame.call) tokens = substitute(tokens, frame.call, this.diagnostics);
    tokens = this.indirected(tokens);
    if (tokens.length === 0) return;
    const [first] = tokens;
    if (first.kind === DIRECTIVE) {
      this.directive(first, tokens.slice(1), frame);
      return;
    }
    const expanded = this.expander.expand(tokens);
    if (expanded.length > 0 && !callMacro(this, expanded, frame)) this.emit(expanded, frame);
  }

  private directive(token: Token, tokens: readonly Token[], frame: Frame): void {
    const question = conditional(token.text);
    if (question) {
      this.branch(question.part, token, () =>
        answer(holds(this, token, question.kind, tokens), question.negated),
      );
      return;
    }
    const name = token.text.toLowerCase();
    const handler = HANDLERS.get(name);
    const multi = MULTI_LINE.get(name);
    if (handler) handler(this, token, tokens);
    else if (multi) multi(this, token, tokens, frame);
    else if (name === '%include') this.include(token, tokens);
    else
      this.diagnostics.error(token, `unknown preprocessor directive \`${token.text}\``, () => {
        const near = nearest(name, [...HANDLERS.keys(), ...MULTI_LINE.keys(), ...CONDITIONALS, '%include']);
        return near && `did you mean \`${near}\`?`;
      });
  }

  /** True when a name, with its `%`, is a directive of the preprocessor. */
  isDirective(name: string): boolean {
    const lower = name.toLowerCase();
    return (
      HANDLERS.has(lower) || MULTI_LINE.has(lower) || lower === '%include' || conditional(lower) !== null
    );
  }

  private branch(part: Conditional, token: Token, question: () => Condition['state']): void {
    const { stack } = this;
    if (part === 'if') {
      stack.conditions.push({ state: question(), seenElse: false, opened: token });
      return;
    }
    const { condition } = stack;
    if (!condition || stack.conditions.length <= stack.top!.conditions) {
      this.diagnostics.error(token, `\`${token.text}\` without \`%if\``);
    } else if (part === 'endif') {
      stack.conditions.pop();
    } else if (condition.seenElse) {
      this.diagnostics.warning(token, `\`${token.text}\` after \`%else\`: this part is ignored`);
      condition.state = 'done';
    } else {
      condition.seenElse = part === 'else';
      if (condition.state === 'emit') condition.state = 'done';
      else if (condition.state === 'wait') {
        this.diagnostics.lenient = true;
        condition.state = part === 'else' ? 'emit' : question();
        this.diagnostics.lenient = false;
      }
    }
  }

  /** A line in a block that is not assembled: only the nesting of conditions matters. */
  private skipped(tokens: readonly Token[], frame: Frame): void {
    const [token] = tokens;
    const question = token?.kind === DIRECTIVE ? conditional(token.text) : null;
    if (!question) return;
    if (question.part === 'if') {
      this.stack.conditions.push({ state: 'done', seenElse: false, opened: token });
      return;
    }
    this.branch(question.part, token, () => {
      const seen = frame.call ? substitute(tokens, frame.call, this.diagnostics) : tokens;
      const asked = this.indirected(seen.slice(1));
      return answer(holds(this, token, question.kind, asked), question.negated);
    });
  }

  private include(directive: Token, tokens: readonly Token[]): void {
    const [name] = this.expander.expand(tokens);
    if (!name || name.kind !== STRING) {
      const advice = '`%include "name.inc"`';
      this.diagnostics.error(name ?? directive, '`%include` needs a file name in quotes', advice);
      return;
    }
    if (this.stack.includeDepth > this.limits.includeDepth) {
      const message = `files include each other more than ${this.limits.includeDepth} deep`;
      this.diagnostics.error(directive, message);
      throw new Abort();
    }
    const wanted = String.fromCharCode(...stringBytes(name.text).slice(0, 4096));
    const found = this.files.find(wanted, this.stack.file, this.budget, name, this.diagnostics);
    if (found) this.stack.push('file', found.name, found.lines);
    else this.diagnostics.error(name, `there is no file \`${wanted}\` to include`);
  }
}

/** What an answer makes of a condition; without an answer no branch is taken, `%else` included. */
function answer(holds: boolean | null, negated: boolean): Condition['state'] {
  if (holds === null) return 'done';
  return holds !== negated ? 'emit' : 'wait';
}
