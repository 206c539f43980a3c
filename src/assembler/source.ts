// Source text as lines: physical lines for places, logical lines (joined by a trailing backslash) for reading.
// NASM manual §3.1: a backslash as the last character joins the next line, even inside a comment.
import { lexLine } from './lexer.ts';
import { Token } from './token.ts';

/** One physical line: what a diagnostic and the line map point at. */
export class SourceLine {
  constructor(
    readonly file: string,
    /** 1-based. */
    readonly number: number,
    readonly text: string,
  ) {}
}

/** One line as the assembler reads it: one physical line, or several joined by backslashes. */
export class LogicalLine {
  private lexed: readonly Token[] | null = null;
  constructor(
    /** The first physical line. */
    readonly at: SourceLine,
    private readonly more: readonly SourceLine[] | null,
  ) {}

  /** The tokens, lexed on first use: skipped conditional blocks are never lexed. */
  get tokens(): readonly Token[] {
    return (this.lexed ??= this.more ? lexJoined(this.at, this.more) : lexLine(this.at.text, this.at));
  }

  get place(): { line: SourceLine; start: number; end: number } {
    return { line: this.at, start: 0, end: 1 };
  }

  /** Of all physical lines together. */
  get characters(): number {
    return (this.more ?? []).reduce((sum, line) => sum + line.text.length, this.at.text.length);
  }

  /** False when the line cannot be a preprocessor directive: lets a skipped block pass quickly. */
  get mayBeDirective(): boolean {
    const text = this.at.text;
    let i = 0;
    while (i < text.length && text.charCodeAt(i) <= 32) i++;
    return text.charCodeAt(i) === 0x25;
  }
}

/** Splits a file into logical lines. */
export function logicalLines(file: string, text: string): LogicalLine[] {
  const physical = text.split('\n');
  if (physical[physical.length - 1] === '') physical.pop();
  const result: LogicalLine[] = [];
  for (let i = 0; i < physical.length; i++) {
    const first = sourceLine(file, i, physical[i]);
    if (!first.text.endsWith('\\')) {
      result.push(new LogicalLine(first, null));
      continue;
    }
    const more: SourceLine[] = [];
    let last = first;
    while (last.text.endsWith('\\') && i + 1 < physical.length) {
      last = sourceLine(file, ++i, physical[i]);
      more.push(last);
    }
    result.push(new LogicalLine(first, more));
  }
  return result;
}

function sourceLine(file: string, index: number, text: string): SourceLine {
  return new SourceLine(file, index + 1, text.endsWith('\r') ? text.slice(0, -1) : text);
}

/** Lexes the joined text, then moves each token back to the physical line on which it starts. */
function lexJoined(first: SourceLine, more: readonly SourceLine[]): Token[] {
  const lines = [first, ...more];
  let joined = '';
  const starts: number[] = [];
  for (const line of lines) {
    starts.push(joined.length);
    joined += line.text.endsWith('\\') ? line.text.slice(0, -1) : line.text;
  }
  return lexLine(joined, first).map((token) => {
    let k = starts.length - 1;
    while (starts[k] > token.start) k--;
    const line = lines[k];
    const end = Math.min(token.end - starts[k], line.text.length);
    return new Token(token.kind, token.text, token.spaced, line, token.start - starts[k], end);
  });
}
