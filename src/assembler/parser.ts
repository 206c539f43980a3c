// Lines → statements: `[label:] [times n] [prefixes] instruction operands` (NASM manual §3.1–3.2, §7).
import { Cursor } from './cursor.ts';
import { parseItems } from './data-parser.ts';
import { type Diagnostics, nearest } from './diagnostics.ts';
import { DIRECTIVES, takesExpression } from './directives.ts';
import type { Expr } from './expression.ts';
import { ExpressionParser, type Names } from './expression-parser.ts';
import { parseOperand } from './operand-parser.ts';
import type { OutputLine } from './preprocessor/preprocessor.ts';
import type { Body, Operand, PlacedPrefix, Statement } from './statement.ts';
import { BAD, type Token, WORD } from './token.ts';
import { type Mnemonic, type Pseudo, SEGMENT_PREFIX, STATEMENT_NAMES, wordOf } from './words.ts';

const MAX_OPERANDS = 4;

/** Where the parser puts labels. */
export interface Labels extends Names {
  /** A label is being defined. `remember`: later local labels belong to it. */
  defining(name: string, remember: boolean): void;
}

/** Parses one line. What is wrong with it is reported; a label in front of the trouble is still defined. */
export function parseStatement(line: OutputLine, labels: Labels, diagnostics: Diagnostics): Statement {
  const [first] = line.tokens;
  const cursor = new Cursor(line.tokens, first);
  const label = parseLabel(cursor, diagnostics);
  // The label comes first, since local names in the operands may belong to it; `equ` begins no new family.
  if (label) labels.defining(label.name, cursor.word() !== 'equ');
  const symbol = label && labels.symbol(label.name);
  const parser = new StatementParser(cursor, labels, diagnostics);
  const body = parser.parse(label !== null);
  return {
    at: line.at,
    site: line.site,
    place: cursor.since(0),
    label: label && symbol ? { symbol, place: label.token } : null,
    times: parser.times,
    body,
  };
}

function parseLabel(cursor: Cursor, diagnostics: Diagnostics): { name: string; token: Token } | null {
  const token = cursor.token;
  if (!token || token.kind !== WORD) return null;
  const escaped = token.text[0] === '$';
  const colon = cursor.tokens[cursor.at + 1]?.is(':') ?? false;
  if (!escaped && !colon && (wordOf(token.text) || DIRECTIVES.has(token.text.toLowerCase()))) return null;
  cursor.at++;
  if (colon) cursor.at++;
  else if (cursor.done) {
    const message = `\`${token.text}\` stands alone: it is taken as a label without its colon`;
    diagnostics.warning(token, message, () => meant(token.text) ?? `write \`${token.text}:\``);
  } else if (misspeltInstruction(cursor)) {
    // `moov eax, 1`: a label is possible only when an instruction follows.
    diagnostics.error(token, `unknown instruction \`${token.text}\``, () => meant(token.text));
    cursor.at = cursor.tokens.length;
    return null;
  }
  return { name: escaped ? token.text.slice(1) : token.text, token };
}

/** The instruction that a misspelt word was probably meant to be. */
function meant(word: string): string | undefined {
  const near = nearest(word, STATEMENT_NAMES);
  return near && `did you mean \`${near}\`?`;
}

/** True when what follows a word cannot be an instruction, so that the word itself was meant to be one. */
function misspeltInstruction(cursor: Cursor): boolean {
  const token = cursor.token!;
  if (token.kind !== WORD) return true;
  const word = wordOf(token.text);
  if (!word) return !DIRECTIVES.has(token.text.toLowerCase());
  if (word.type === 'register')
    return (
      word.class !== 'segment' ||
      cursor.tokens.length === cursor.at + 1 ||
      !!cursor.tokens[cursor.at + 1].is(',')
    );
  return word.type === 'size' || word.type === 'qualifier';
}

class StatementParser {
  times: Expr | null = null;

  constructor(
    private readonly cursor: Cursor,
    private readonly names: Names,
    private readonly diagnostics: Diagnostics,
  ) {}

  parse(labelled: boolean): Body | null {
    const { cursor } = this;
    if (cursor.done) return null;
    if (cursor.sees('[') && !labelled) return this.bracketed();
    const prefixes = this.prefixes();
    if (!prefixes) return null;
    const token = cursor.token;
    if (!token) {
      if (this.times && prefixes.length === 0)
        this.diagnostics.error(cursor.place, '`times` repeats an instruction or data, and there is none');
      if (prefixes.length === 0) return null;
      const { place } = prefixes[0];
      return {
        type: 'instruction',
        name: '',
        place,
        forms: [],
        prefixes,
        operands: [],
        candidates: null,
        relative: false,
        settled: null,
      };
    }
    const word = token.kind === WORD ? wordOf(token.text) : undefined;
    if (!word) return this.unknown(token);
    cursor.at++;
    switch (word.type) {
      case 'mnemonic':
        return this.instruction(word, token, prefixes);
      case 'data':
      case 'reserve':
      case 'equ':
      case 'incbin':
        return this.pseudo(word as Pseudo, token, labelled);
    }
    this.diagnostics.error(token, `expected an instruction, found \`${token.text}\``);
    return null;
  }

  private prefixes(): PlacedPrefix[] | null {
    const { cursor } = this;
    const prefixes: PlacedPrefix[] = [];
    for (;;) {
      const token = cursor.token;
      const word = token?.kind === WORD ? wordOf(token.text) : undefined;
      if (!token || !word) return prefixes;
      if (word.type === 'times') {
        cursor.at++;
        this.times = this.expression();
        if (!this.times) return null;
      } else if (word.type === 'prefix') {
        cursor.at++;
        this.add(prefixes, { prefix: word, place: token });
      } else if (word.type === 'register' && word.class === 'segment') {
        cursor.at++;
        const value = SEGMENT_PREFIX[word.number];
        this.add(prefixes, {
          prefix: { type: 'prefix', name: word.name, slot: 'segment', value },
          place: token,
        });
      } else return prefixes;
    }
  }

  private add(prefixes: PlacedPrefix[], added: PlacedPrefix): void {
    const other = prefixes.find((p) => p.prefix.slot === added.prefix.slot);
    if (!other) prefixes.push(added);
    else if (other.prefix.value !== added.prefix.value)
      this.diagnostics.error(added.place, `\`${added.prefix.name}\` contradicts \`${other.prefix.name}\``);
  }

  private unknown(token: Token): Body | null {
    const text = token.text.toLowerCase();
    if (token.kind === WORD && DIRECTIVES.has(text)) {
      this.cursor.at++;
      return this.directive(token, text, this.cursor.tokens.slice(this.cursor.at));
    }
    if (token.kind === BAD) this.diagnostics.error(token, token.text);
    else if (token.kind === WORD)
      this.diagnostics.error(token, `unknown instruction \`${token.text}\``, () => meant(text));
    else this.diagnostics.error(token, `expected an instruction, found \`${token.text}\``);
    return null;
  }

  private expression(): Expr | null {
    return new ExpressionParser(this.cursor, this.names).parse();
  }

  /** Reports what is left of the line. */
  private end(): void {
    const { token } = this.cursor;
    if (!token) return;
    const advice =
      token.kind === WORD && wordOf(token.text)?.type === 'mnemonic' ? 'one instruction per line' : undefined;
    this.diagnostics.error(token, `unexpected \`${token.text}\` at the end of the line`, advice);
  }

  private instruction(word: Mnemonic, token: Token, prefixes: PlacedPrefix[]): Body | null {
    const { cursor } = this;
    const operands: Operand[] = [];
    while (!cursor.done) {
      if (operands.length > 0 && !cursor.take(',')) {
        this.diagnostics.error(cursor.place, 'expected `,` between operands');
        return null;
      }
      if (operands.length === MAX_OPERANDS) {
        this.diagnostics.error(cursor.place, 'too many operands');
        return null;
      }
      if (operands.length > 0 && cursor.done) {
        this.diagnostics.warning(cursor.tokens[cursor.at - 1], 'nothing follows this comma');
        break;
      }
      const operand = parseOperand(cursor, this.names, this.diagnostics);
      if (!operand) return null;
      // `lea si, text` is another spelling of `lea si, [text]`.
      const bare = word.name === 'lea' && operand.type === 'immediate';
      operands.push(bare ? { ...operand, type: 'memory' } : operand);
    }
    return {
      type: 'instruction',
      name: word.name,
      place: token,
      forms: word.forms,
      prefixes,
      operands,
      candidates: null,
      relative: false,
      settled: null,
    };
  }

  private pseudo(word: Pseudo, token: Token, labelled: boolean): Body | null {
    if (word.type === 'data') return this.data(word, token);
    if (word.type === 'incbin') {
      this.diagnostics.error(
        token,
        '`incbin` needs files, and this assembler has none but the sources',
        'use `db`',
      );
      return null;
    }
    const expr = this.expression();
    if (!expr) return null;
    this.end();
    if (word.type === 'reserve')
      return { type: 'reserve', unit: word.unit, count: expr, place: this.cursor.since(0) };
    if (!labelled) {
      this.diagnostics.error(token, '`equ` gives a value to the label in front of it, and there is none');
      return null;
    }
    return { type: 'equ', value: expr };
  }

  private data(word: Pseudo, token: Token): Body | null {
    const { cursor } = this;
    if (cursor.done) this.diagnostics.warning(token, `\`${token.text}\` without data emits nothing`);
    const items = parseItems(cursor, word.unit, this.names, this.diagnostics);
    if (!items) return null;
    if (!cursor.done) this.diagnostics.warning(cursor.place, 'this `)` closes nothing: the line ends here');
    return { type: 'data', items };
  }

  private bracketed(): Body | null {
    const { cursor } = this;
    cursor.at++;
    const token = cursor.token;
    const last = cursor.tokens[cursor.tokens.length - 1];
    if (token?.kind !== WORD) {
      this.diagnostics.error(cursor.place, 'expected a directive after `[`', '`[bits 32]`');
      return null;
    }
    if (!last.is(']')) {
      this.diagnostics.error(last, 'this directive has no closing `]`');
      return null;
    }
    cursor.at++;
    return this.directive(token, token.text.toLowerCase(), cursor.tokens.slice(cursor.at, -1));
  }

  private directive(token: Token, name: string, operands: readonly Token[]): Body | null {
    this.cursor.at = this.cursor.tokens.length;
    if (!DIRECTIVES.has(name)) {
      const near = nearest(name, DIRECTIVES);
      this.diagnostics.error(
        token,
        `unknown directive \`${token.text}\``,
        near && `did you mean \`${near}\`?`,
      );
      return null;
    }
    let expr: Expr | null = null;
    if (takesExpression(name)) {
      const cursor = new Cursor(operands, token);
      expr = new ExpressionParser(cursor, this.names).parse();
      if (!expr) return null;
      if (!cursor.done && !(name === 'absolute'))
        this.diagnostics.warning(cursor.place, 'the text after the expression is ignored');
    }
    return { type: 'directive', name, token, operands, expr };
  }
}
