// What a source file defines, found line by line without assembling: labels, constants, macros, structures, each with the
// comment that belongs to it. For the outline, hover help, completion and "go to definition". Pure.

export type DefinitionKind = 'label' | 'local' | 'constant' | 'macro' | 'define' | 'structure';

export interface Definition {
  readonly kind: DefinitionKind;
  /** As it is used: a local label with its dot. */
  readonly name: string;
  /** A local label's global one; empty for others. */
  readonly parent: string;
  readonly file: string;
  /** 1-based; column of the name. */
  readonly line: number;
  readonly column: number;
  /** The comment above it, or behind it. */
  readonly comment: string;
  /** What follows the name: parameters, or the value. */
  readonly detail: string;
}

const NAME = '[A-Za-z_.?@\\u0080-\\uffff][\\w$#~.?@\\u0080-\\uffff]*';
const LABEL = new RegExp(`^[ \\t]*(\\$?${NAME})[ \\t]*:`);
const CONSTANT = new RegExp(`^[ \\t]*(${NAME})[ \\t]*:?[ \\t]+equ[ \\t]+(.*)$`, 'i');
const DATA = new RegExp(`^(${NAME})[ \\t]+(?:times|d[bwdq]|res[bwdq]|istruc)\\b`, 'i');
const MACRO = new RegExp(`^[ \\t]*%i?r?macro[ \\t]+(${NAME})[ \\t]*(.*)$`, 'i');
const DEFINE = new RegExp(`^[ \\t]*%(?:i?x?define|i?assign)[ \\t]+(${NAME})(.*)$`, 'i');
const STRUCTURE = new RegExp(`^[ \\t]*struc[ \\t]+(${NAME})(.*)$`, 'i');
const RULER = /[-=*#_]{3,}/g;
const MAX_COMMENT_LINES = 12;

/** Everything a file defines, in order. */
export function definitionsIn(file: string, text: string): Definition[] {
  const lines = text.split(/\r?\n/);
  const found: Definition[] = [];
  let parent = '';
  lines.forEach((raw, index) => {
    const { code, comment: behind } = splitComment(raw);
    const match = matchLine(code);
    if (!match) return;
    const { kind, name, detail } = match;
    const local = kind === 'label' && name.startsWith('.') && !name.startsWith('..');
    if (kind === 'label' && !local) parent = name;
    found.push({
      kind: local ? 'local' : kind,
      name,
      parent: local ? parent : '',
      file,
      line: index + 1,
      column: raw.indexOf(name) + 1,
      comment:
        kind === 'constant' || kind === 'define'
          ? behind || above(lines, index)
          : above(lines, index) || behind,
      detail: detail.trim(),
    });
  });
  return found;
}

function matchLine(code: string): { kind: DefinitionKind; name: string; detail: string } | null {
  if (code.trim() === '') return null;
  const attempts: [DefinitionKind, RegExp][] = [
    ['macro', MACRO],
    ['define', DEFINE],
    ['structure', STRUCTURE],
    ['constant', CONSTANT],
    ['label', LABEL],
    ['label', DATA],
  ];
  for (const [kind, pattern] of attempts) {
    const match = pattern.exec(code);
    if (match) return { kind, name: match[1].replace(/^\$/, ''), detail: match[2] ?? '' };
  }
  return null;
}

/** Splits a line at its comment, unless the semicolon stands in quotes. */
export function splitComment(line: string): { code: string; comment: string } {
  let quote = '';
  for (let i = 0; i < line.length; i++) {
    const c = line[i];
    if (quote !== '') {
      if (c === '\\' && quote === '`') i++;
      else if (c === quote) quote = '';
    } else if (c === "'" || c === '"' || c === '`') quote = c;
    else if (c === ';') return { code: line.slice(0, i), comment: words(line.slice(i)) };
  }
  return { code: line, comment: '' };
}

/** The comment lines right above a line, joined. */
function above(lines: readonly string[], index: number): string {
  const parts: string[] = [];
  for (let i = index - 1; i >= 0 && parts.length < MAX_COMMENT_LINES && /^\s*;/.test(lines[i]); i--)
    parts.unshift(words(lines[i]));
  return parts.filter((part) => part !== '').join(' ');
}

const words = (comment: string) =>
  comment
    .replace(/^\s*;+/, '')
    .replace(RULER, ' ')
    .replace(/\s+/g, ' ')
    .trim();

/** The definitions of a whole program, by name; local labels under `parent.local`. Keeps what it read of unchanged files. */
export class ProgramOutline {
  private readonly files = new Map<string, { text: string; definitions: Definition[] }>();

  /** Definitions of one file of the program. */
  of(file: string, text: string): readonly Definition[] {
    const kept = this.files.get(file);
    if (kept?.text === text) return kept.definitions;
    const definitions = definitionsIn(file, text);
    this.files.set(file, { text, definitions });
    return definitions;
  }

  /** Every definition of the files, in their order. */
  all(files: Iterable<readonly [string, string]>): Definition[] {
    return [...files].flatMap(([file, text]) => this.of(file, text));
  }

  /**
   * Where a name is defined. A local label is looked for below the global label that stands above `line` of `file`.
   * @param files the program, `file` among them
   */
  find(
    name: string,
    file: string,
    line: number,
    files: Iterable<readonly [string, string]>,
  ): Definition | undefined {
    const all = this.all(files);
    const wanted = name.toLowerCase();
    if (name.startsWith('.')) {
      const parent = this.parentAt(all, file, line);
      return all.find((d) => d.kind === 'local' && d.name === name && d.parent === parent && d.file === file);
    }
    const qualified = /^([^.]+)(\..+)$/.exec(name);
    return (
      all.find((d) => d.name === name && d.kind !== 'local') ??
      (qualified
        ? all.find((d) => d.kind === 'local' && d.parent === qualified[1] && d.name === qualified[2])
        : undefined) ??
      all.find((d) => d.name.toLowerCase() === wanted && (d.kind === 'macro' || d.kind === 'define'))
    );
  }

  /** The global label that a line belongs to. */
  parentAt(all: readonly Definition[], file: string, line: number): string {
    return all.findLast((d) => d.kind === 'label' && d.file === file && d.line <= line)?.name ?? '';
  }
}
