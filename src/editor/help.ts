// Hover help as Markdown: instructions with their privilege class and manual section, registers, numbers, labels, macros,
// directives. Built from the instruction table and from what the program itself says; pure.
import { parseNumber } from '../assembler/literals.ts';
import { describeMnemonic } from '../machine/isa/describe.ts';
import { meaningOf, PRIVILEGE_WORDS } from './classify.ts';
import { type Definition, splitComment } from './outline.ts';
import { describeRegister } from './register-help.ts';
import { VOCABULARY } from './vocabulary.ts';

/** A word of a line and what is known about the program around it. */
export interface HoverQuestion {
  readonly line: string;
  /** 0-based place of the word in the line. */
  readonly start: number;
  readonly end: number;
  /** Where a name is defined, if it is. */
  readonly definition: (name: string) => Definition | undefined;
  /** Value of a name in the last assembly that had no errors. */
  readonly value: (name: string) => number | undefined;
}

const MAX_FORMS = 10;

/** Help for a word, as paragraphs of Markdown; null when there is nothing to say. */
export function hoverHelp(question: HoverQuestion): string[] | null {
  const word = question.line.slice(question.start, question.end);
  if (question.start >= splitComment(question.line).code.length) return null;
  const lower = word.toLowerCase();
  const known = VOCABULARY.get(lower);
  const prefix = known?.kind === 'prefix' ? [`**${lower}**`, known.help] : null;
  return (
    prefix ??
    mnemonicHelp(lower, splitComment(question.line.slice(question.end)).code) ??
    registerHelp(lower) ??
    (known ? [`**${lower}**`, known.help] : null) ??
    numberHelp(word) ??
    nameHelp(word, question)
  );
}

/** Help for an instruction as it is written. @param operands the code behind the mnemonic */
export function mnemonicHelp(mnemonic: string, operands: string): string[] | null {
  const description = describeMnemonic(mnemonic);
  const meaning = meaningOf(mnemonic, operands);
  if (!description || !meaning) return null;
  const others = description.meanings.filter((m) => m.privilege !== meaning.privilege);
  const stricter = [...new Map(others.map((m) => [m.summary, m])).values()];
  const forms = description.forms.slice(0, MAX_FORMS);
  const rest = description.forms.length - forms.length;
  const bitmap =
    meaning.privilege === 'io' && /^(in|out)/.test(meaning.operation)
      ? ' The I/O bitmap of the TSS can allow single ports.'
      : '';
  return [
    `**${mnemonic}** · ${escapeText(meaning.summary)}`,
    `**${PRIVILEGE_WORDS[meaning.privilege].long.replace(':', ':**')}${bitmap}`,
    `Manual: ${escapeText(meaning.manual)}`,
    ...(others.length > 0
      ? [
          `With other operands:\n\n${stricter.map((m) => `- ${escapeText(m.summary)} *${PRIVILEGE_WORDS[m.privilege].short}*`).join('\n')}`,
        ]
      : []),
    `\`\`\`text\n${forms.join('\n')}${rest > 0 ? `\n… and ${rest} more forms` : ''}\n\`\`\``,
  ];
}

function registerHelp(name: string): string[] | null {
  const register = describeRegister(name);
  return register ? [`**${register.title}**`, register.help, `Manual: ${escapeText(register.manual)}`] : null;
}

/** A number in the other notations. */
export function numberHelp(text: string): string[] | null {
  if (!/^\$?\d/.test(text)) return null;
  const value = parseNumber(text);
  return value === null || typeof value === 'bigint' ? null : valueLines(value);
}

/** `4096`, hexadecimal, decimal, signed where it differs, binary in groups of four, and as characters where it has some. */
export function valueLines(value: number): string[] {
  const pattern = BigInt.asUintN(32, BigInt(Math.trunc(value)));
  const bits = pattern.toString(2);
  const grouped = bits.padStart(Math.ceil(bits.length / 4) * 4, '0').replace(/\B(?=(\d{4})+$)/g, '_');
  const rows = [`hex  0x${pattern.toString(16).toUpperCase()}`, `dec  ${value}`];
  if (pattern >= 0x8000_0000n)
    rows.push(
      `     ${value < 0 ? pattern : BigInt.asIntN(32, pattern)} (${value < 0 ? 'unsigned' : 'signed'}, 32 bits)`,
    );
  rows.push(`bin  ${grouped}`);
  const characters = charactersOf(pattern);
  if (characters) rows.push(`text '${characters}'`);
  return [`\`\`\`text\n${rows.join('\n')}\n\`\`\``];
}

/** The bytes of a number as text, lowest first, when all of them are printable. */
function charactersOf(pattern: bigint): string | null {
  let text = '';
  for (let rest = pattern; rest > 0n; rest >>= 8n) {
    const byte = Number(rest & 255n);
    if (byte < 0x20 || byte > 0x7e) return null;
    text += String.fromCharCode(byte);
  }
  return text || null;
}

const KIND_WORDS: Record<Definition['kind'], string> = {
  label: 'label',
  local: 'local label',
  constant: 'constant',
  macro: 'macro',
  define: 'macro of one line',
  structure: 'structure',
};

function nameHelp(word: string, { definition, value }: HoverQuestion): string[] | null {
  const found = definition(word.replace(/^\$/, ''));
  if (!found) return null;
  const address = value(found.kind === 'local' ? found.parent + found.name : found.name);
  const title = `**${escapeText(found.name)}** · ${KIND_WORDS[found.kind]}${found.parent ? ` of ${escapeText(found.parent)}` : ''}`;
  const lines = [title];
  if (found.kind === 'macro') lines.push(`Parameters: ${escapeText(found.detail || '0')}`);
  else if (found.kind === 'define') lines.push(`\`\`\`text\n${found.detail}\n\`\`\``);
  else if (found.kind === 'constant' && address !== undefined) lines.push(...valueLines(address));
  else if (address !== undefined) lines.push(`Address \`${hex(address)}\` in the last good assembly`);
  else if (found.kind !== 'structure')
    lines.push('*No address: the program has not been assembled without errors yet.*');
  if (found.comment) lines.push(escapeText(found.comment));
  lines.push(`${escapeText(found.file)}, line ${found.line}`);
  return lines;
}

const hex = (value: number) => `0x${(value >>> 0).toString(16).toUpperCase().padStart(8, '0')}`;

/** Text that is to stand in Markdown as it is. */
export function escapeText(text: string): string {
  return text.replace(/[\\`*_{}[\]()#+\-.!<>|~&]/g, '\\$&');
}
