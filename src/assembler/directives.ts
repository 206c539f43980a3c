// The primitive directives, `[bits 32]` and the like (NASM manual §7): what they are called and what they do.
// `section`, `absolute`, `struc`, `align` without brackets are macros over these; see preprocessor/prelude.ts.
import type { Assembler } from './assembler.ts';
import { Cursor } from './cursor.ts';
import { nearest } from './diagnostics.ts';
import { ExpressionParser } from './expression-parser.ts';
import type { Section } from './sections.ts';
import type { DirectiveBody } from './statement.ts';
import { spell, type Token, WORD } from './token.ts';
import { scalar } from './value.ts';

type Directive = (assembler: Assembler, body: DirectiveBody) => void;

const ignored: Directive = () => {};

const TABLE = new Map<string, Directive>([
  ['bits', (assembler, body) => setBits(assembler, body)],
  [
    'use16',
    (assembler) => {
      assembler.bits = 16;
    },
  ],
  [
    'use32',
    (assembler) => {
      assembler.bits = 32;
    },
  ],
  ['org', setOrigin],
  ['section', section],
  ['segment', section],
  ['absolute', absolute],
  ['sectalign', sectionAlign],
  ['extern', external],
  ['required', external],
  ['common', external],
  ['import', external],
]);
for (const name of [
  'global',
  'static',
  'export',
  'cpu',
  'default',
  'list',
  'warning',
  'debug',
  'map',
  'float',
  'osabi',
])
  TABLE.set(name, ignored);

/** Names of directives, in lower case. */
export const DIRECTIVES: ReadonlySet<string> = new Set(TABLE.keys());

export function takesExpression(name: string): boolean {
  return name === 'bits' || name === 'org' || name === 'absolute';
}

export function runDirective(assembler: Assembler, body: DirectiveBody): void {
  TABLE.get(body.name)!(assembler, body);
}

/** A plain number, known now; null after a report. */
function number(assembler: Assembler, body: DirectiveBody): number | null {
  const value = assembler.known(body.expr!);
  if (value.unknown) return null;
  if (value.isScalar) return Number(value.n);
  assembler.diagnostics.error(body.expr!.place, `\`${body.name}\` needs a plain number, not an address`);
  return null;
}

function setBits(assembler: Assembler, body: DirectiveBody): void {
  const bits = number(assembler, body);
  if (bits === 16 || bits === 32) assembler.bits = bits;
  else if (bits !== null) {
    const message = bits === 64 ? 'this processor has no 64-bit mode' : `there is no ${bits}-bit mode`;
    assembler.diagnostics.error(body.expr!.place, message, '`bits 16` or `bits 32`');
  }
}

function setOrigin(assembler: Assembler, body: DirectiveBody): void {
  const origin = number(assembler, body);
  if (origin === null) return;
  if (!assembler.setOrigin(origin))
    assembler.diagnostics.error(body.token, 'the origin is set a second time');
}

function absolute(assembler: Assembler, body: DirectiveBody): void {
  const value = assembler.known(body.expr!);
  if (!value.unknown) assembler.output.enterAbsolute(value);
}

function external(assembler: Assembler, body: DirectiveBody): void {
  assembler.diagnostics.error(
    body.token,
    `\`${body.token.text}\`: a flat image is not linked with anything, so nothing can come from outside`,
    'bring the other source in with %include',
  );
}

function sectionAlign(assembler: Assembler, body: DirectiveBody): void {
  const [first] = body.operands;
  if (!first || /^(on|off)$/i.test(first.text)) return;
  const expr = new ExpressionParser(new Cursor(body.operands, body.token), assembler).parse();
  const value = expr && assembler.known(expr);
  if (!value || value.unknown || !value.isScalar) return;
  const align = Number(value.n);
  if (align <= 0 || !Number.isInteger(Math.log2(align))) {
    assembler.diagnostics.error(expr.place, `${align} is not a power of two`);
    return;
  }
  const current = assembler.section;
  if (current && align > current.align && align > 1) current.align = Math.max(current.align, align);
}

/** `section NAME [progbits|nobits] [align=n] [start=n] [vstart=n] [follows=NAME] …` */
function section(assembler: Assembler, body: DirectiveBody): void {
  const tokens = body.operands;
  let at = 1;
  while (at < tokens.length && !tokens[at].spaced) at++;
  const name = spell(tokens.slice(0, at));
  if (name === '') {
    assembler.diagnostics.error(body.token, 'a section needs a name', '`section .data`');
    return;
  }
  const target = assembler.output.enterSection(name, tokens[0]);
  while (at < tokens.length) at = attribute(assembler, target, tokens, at);
}

const FLAGS = [
  'progbits',
  'nobits',
  'exec',
  'noexec',
  'write',
  'nowrite',
  'data',
  'text',
  'code',
  'bss',
  'stdio',
];
const VALUES = ['align', 'valign', 'start', 'vstart', 'follows', 'vfollows', 'class'];

/** Reads one attribute; returns the index after it. */
function attribute(assembler: Assembler, target: Section, tokens: readonly Token[], at: number): number {
  const token = tokens[at];
  const name = token.text.toLowerCase();
  if (FLAGS.includes(name)) {
    if (name === 'progbits') target.nobits = false;
    else if (name === 'nobits' || name === 'bss') target.nobits = true;
    return at + 1;
  }
  if (!VALUES.includes(name) || !tokens[at + 1]?.is('=')) {
    assembler.diagnostics.warning(
      token,
      `\`${token.text}\` is not an attribute of a section: ignored`,
      () => {
        const near = token.kind === WORD ? nearest(name, [...FLAGS, ...VALUES]) : undefined;
        return near && `did you mean \`${near}\`?`;
      },
    );
    let end = at + 1;
    while (end < tokens.length && !tokens[end].spaced) end++;
    return end;
  }
  if (name === 'follows' || name === 'vfollows') {
    let end = at + 3;
    while (end < tokens.length && !tokens[end].spaced) end++;
    const followed = spell(tokens.slice(at + 2, end));
    if (name === 'follows') target.follows = followed;
    else target.virtualFollows = followed;
    return end;
  }
  const cursor = new Cursor(tokens, token);
  cursor.at = at + 2;
  const expr = new ExpressionParser(cursor, assembler).parse();
  const value = expr ? assembler.known(expr) : scalar(0);
  if (!expr || value.unknown || !value.isScalar) return tokens.length;
  assign(assembler, target, name, Number(value.n), token);
  return cursor.at;
}

function assign(assembler: Assembler, target: Section, name: string, value: number, token: Token): void {
  if ((name === 'align' || name === 'valign') && (value <= 0 || !Number.isInteger(Math.log2(value)))) {
    assembler.diagnostics.error(token, `${value} is not a power of two`);
    return;
  }
  if (name === 'align') target.align = value;
  else if (name === 'valign') target.virtualAlign = value;
  else if (name === 'start') target.start = value;
  else if (name === 'vstart') target.virtualStart = value;
}
