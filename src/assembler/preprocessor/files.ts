// The files of a program: finding what %include names, and keeping what has been read (NASM manual §4.6).
import type { Diagnostics, Place } from '../diagnostics.ts';
import { Abort, type Limits } from '../limits.ts';
import { type LogicalLine, logicalLines } from '../source.ts';

/** The text of a file, or undefined when there is none of that name. */
export type Resolver = (name: string) => string | undefined;

export interface SourceFile {
  readonly name: string;
  readonly lines: readonly LogicalLine[];
}

export class SourceFiles {
  private readonly read = new Map<string, LogicalLine[]>();

  constructor(
    readonly main: string,
    private readonly resolve: Resolver,
    private readonly includePaths: readonly string[],
    private readonly limits: Limits,
  ) {}

  /**
   * Looks for a file as written, in the include folders, beside the file that asks (`from`), and beside the main file.
   * Reports a source that is too large and aborts. Undefined when there is no such file.
   */
  find(
    wanted: string,
    from: string,
    budget: Budget,
    place: Place,
    diagnostics: Diagnostics,
  ): SourceFile | undefined {
    for (const folder of ['', ...this.includePaths, folderOf(from), folderOf(this.main)]) {
      const name = joined(folder, wanted);
      const text = this.resolve(name);
      if (text !== undefined) return { name, lines: this.lines(name, text, budget, place, diagnostics) };
    }
    return undefined;
  }

  private lines(
    name: string,
    text: string,
    budget: Budget,
    place: Place,
    diagnostics: Diagnostics,
  ): LogicalLine[] {
    const { sourceCharacters, lineCharacters } = this.limits;
    budget.characters += text.length;
    if (budget.characters > sourceCharacters) {
      diagnostics.error(place, `the source is larger than ${Math.round(sourceCharacters / (1 << 20))} MB`);
      throw new Abort();
    }
    let lines = this.read.get(name);
    if (lines) return lines;
    lines = logicalLines(name, text);
    const long = lines.find((line) => line.characters > lineCharacters);
    if (long) {
      diagnostics.error({ line: long.at, start: 0, end: 1 }, 'this line is too long to be a program');
      throw new Abort();
    }
    this.read.set(name, lines);
    return lines;
  }
}

/** What one reading of the source has used up. */
export interface Budget {
  characters: number;
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
