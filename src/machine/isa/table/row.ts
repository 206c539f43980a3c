// The notation of the instruction table: one text line per encoding, read once into forms.
// Encoding columns follow Intel SDM vol. 2 §3.1.1; `Form` in ../form.ts says what each field means.
//
//   # operation [class] | manual | summary          heads the rows below it
//   mnemonic[/alias…]  operands|-  encoding  [attributes]
//
// Encoding: an optional mandatory prefix (66 F2 F3, before 0F or before 90), 0F / 0F 38 / 0F 3A for the map, the
// opcode byte, then /r, /0../7, or one more byte when the whole second byte is fixed. Immediates are not written:
// the operand kinds imply them, in operand order. Attributes: lock rep repcc o16 o32 a16 a32 np decode-only
// asm-only wait cc=N.
import type { Form, OperandKind, PrivilegeClass } from '../form.ts';

export type Row = Omit<Form, 'id'>;

const CLASSES: readonly string[] = ['innocuous', 'privileged', 'io', 'sensitive'];

interface Heading {
  readonly operation: string;
  readonly privilege: PrivilegeClass;
  readonly manual: string;
  readonly summary: string;
}

/** Reads the notation above. Throws `Error` naming the line when a row is malformed. */
export function rows(text: string): Row[] {
  const result: Row[] = [];
  let heading: Heading | undefined;
  for (const raw of text.split('\n')) {
    const line = raw.trim();
    if (line === '') continue;
    if (line.startsWith('#')) heading = parseHeading(line);
    else if (heading) result.push(parseRow(line, heading));
    else throw new Error(`instruction table: row without a heading: ${line}`);
  }
  return result;
}

function parseHeading(line: string): Heading {
  const [left, manual, summary] = line.slice(1).split('|', 3);
  const [operation, privilege = 'innocuous'] = left.trim().split(/\s+/);
  if (!manual || !summary || !CLASSES.includes(privilege))
    throw new Error(`instruction table: bad heading: ${line}`);
  return {
    operation,
    privilege: privilege as PrivilegeClass,
    manual: manual.trim(),
    summary: summary.trim(),
  };
}

function parseRow(line: string, heading: Heading): Row {
  const [names, operandText, ...tokens] = line.split(/\s+/);
  const [mnemonic, ...aliases] = names.split('/');
  const operands = operandText === '-' ? [] : (operandText.split(',') as OperandKind[]);
  const bytes: number[] = [];
  while (tokens.length > 0 && /^[0-9A-F]{2}$/.test(tokens[0]))
    bytes.push(Number.parseInt(tokens.shift()!, 16));

  let prefix: Row['prefix'];
  if (bytes.length > 1 && (bytes[0] === 0x66 || bytes[0] === 0xf2 || bytes[0] === 0xf3)) {
    prefix = bytes.shift() as Row['prefix'];
  }
  let map: Row['map'] = 0;
  if (bytes[0] === 0x0f && bytes.length > 1) {
    map = bytes.length > 2 && bytes[1] === 0x38 ? 2 : bytes.length > 2 && bytes[1] === 0x3a ? 3 : 1;
    bytes.splice(0, map === 1 ? 1 : 2);
  }
  const [opcode, modrmByte] = bytes;
  let modrm: Row['modrm'];
  if (tokens[0]?.startsWith('/')) {
    const digit = tokens.shift()!.slice(1);
    modrm = digit === 'r' ? 'r' : (Number(digit) as Row['modrm']);
  }
  const has = (attribute: string) => tokens.includes(attribute);
  const condition = tokens.find((t) => t.startsWith('cc='))?.slice(3);
  if (opcode === undefined || bytes.length > 2) throw new Error(`instruction table: bad encoding: ${line}`);
  // Every field is always present, so that all forms share one hidden class.
  return {
    mnemonic,
    aliases,
    operation: heading.operation,
    operands,
    map,
    opcode,
    modrm,
    modrmByte,
    prefix,
    size: has('o16') ? 16 : has('o32') ? 32 : undefined,
    addressSize: has('a16') ? 16 : has('a32') ? 32 : undefined,
    noPrefix: has('np'),
    decodeOnly: has('decode-only'),
    wait: has('wait'),
    assemblerOnly: has('asm-only') || has('wait'),
    condition: condition === undefined ? undefined : Number(condition),
    lock: has('lock'),
    rep: has('rep') ? 'rep' : has('repcc') ? 'repcc' : undefined,
    privilege: heading.privilege,
    summary: heading.summary,
    manual: heading.manual,
  };
}

/** Hex of one byte as the notation writes it. */
export const hex = (byte: number): string => byte.toString(16).toUpperCase().padStart(2, '0');

/** NASM's name for each condition 0..15 followed by its other names (SDM vol. 1 appendix B). */
const CONDITIONS: readonly (readonly string[])[] = [
  ['o'],
  ['no'],
  ['c', 'b', 'nae'],
  ['nc', 'nb', 'ae'],
  ['z', 'e'],
  ['nz', 'ne'],
  ['na', 'be'],
  ['a', 'nbe'],
  ['s'],
  ['ns'],
  ['pe', 'p'],
  ['po', 'np'],
  ['l', 'nge'],
  ['nl', 'ge'],
  ['ng', 'le'],
  ['g', 'nle'],
];

/** `jz/je` for condition 4 and prefix `j`. */
export const conditional = (stem: string, condition: number): string =>
  CONDITIONS[condition].map((suffix) => stem + suffix).join('/');
