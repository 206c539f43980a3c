// What the editor needs to know of the table: help for one mnemonic, and word lists for highlighting.
import type { Form, OperandKind, PrivilegeClass } from './form.ts';
import {
  CONTROL_REGISTERS,
  DEBUG_REGISTERS,
  MMX_REGISTERS,
  REGISTERS_8,
  REGISTERS_16,
  REGISTERS_32,
  SEGMENT_REGISTERS,
  X87_REGISTERS,
  XMM_REGISTERS,
} from './registers.ts';
import { formsByMnemonic } from './table.ts';

export interface MnemonicDescription {
  readonly summary: string;
  /** The strictest class among its forms: `mov` is privileged because of `mov cr0,eax`. */
  readonly privilege: PrivilegeClass;
  readonly manual: string;
  /** One line a form: what to write and its bytes, `add rm32/16, imm8 · 83 /0 ib`. */
  readonly forms: readonly string[];
  /** One entry for each thing the mnemonic can do, in table order; most have one, `mov` has seven. */
  readonly meanings: readonly MnemonicMeaning[];
}

interface MnemonicMeaning {
  readonly operation: string;
  readonly summary: string;
  readonly privilege: PrivilegeClass;
  readonly manual: string;
}

const STRICTNESS: readonly PrivilegeClass[] = ['innocuous', 'io', 'sensitive', 'privileged'];

/** Help for a mnemonic or alias in any case; undefined when the table does not know it. */
export function describeMnemonic(mnemonic: string): MnemonicDescription | undefined {
  const forms = formsByMnemonic.get(mnemonic.toLowerCase());
  if (!forms) return undefined;
  const meanings = [...new Map(forms.map((form) => [form.operation, meaningOf(form)])).values()];
  const strictest = Math.max(...meanings.map((meaning) => STRICTNESS.indexOf(meaning.privilege)));
  const { summary, manual } = meanings[0];
  return {
    summary,
    privilege: STRICTNESS[strictest],
    manual,
    forms: forms.map((form) =>
      `${mnemonic.toLowerCase()} ${operandsText(form)} · ${encodingText(form)}`.replace('  ', ' '),
    ),
    meanings,
  };
}

const meaningOf = ({ operation, summary, privilege, manual }: Form): MnemonicMeaning => ({
  operation,
  summary,
  privilege,
  manual,
});

const OPERAND_NAMES: Partial<Record<OperandKind, string>> = {
  rv: 'r16/32',
  rmv: 'r/m16/32',
  rm8: 'r/m8',
  rm16: 'r/m16',
  rm32: 'r/m32',
  rr32: 'r32',
  rrv: 'r16/32',
  'r8+': 'r8',
  'r16+': 'r16',
  'r32+': 'r32',
  'rv+': 'r16/32',
  av: 'ax/eax',
  one: '1',
  three: '3',
  imm8s: 'imm8',
  immv: 'imm16/32',
  relv: 'rel16/32',
  far: 'ptr16:16/32',
  mv: 'm16/32',
  mpair: 'm16&16/32&32',
  mfar: 'm16:16/32',
  mdesc: 'm16&32',
  mmrr: 'mm',
  mmrm: 'mm/m64',
  xmmrr: 'xmm',
  xmmrm32: 'xmm/m32',
  xmmrm64: 'xmm/m64',
  xmmrm128: 'xmm/m128',
  sti: 'st(i)',
  tosti: 'to st(i)',
  st0: 'st0',
  menv: 'm14/28byte',
  msave: 'm94/108byte',
  m512: 'm512byte',
  moffsv: 'moffs16/32',
};

const operandsText = (form: Form) => form.operands.map((kind) => OPERAND_NAMES[kind] ?? kind).join(', ');

const IMMEDIATE_CODES: Partial<Record<OperandKind, string>> = {
  imm8: 'ib',
  imm8s: 'ib',
  imm16: 'iw',
  imm32: 'id',
  immv: 'iv',
  rel8: 'cb',
  relv: 'cv',
  far: 'ap',
  moffs8: 'o',
  moffsv: 'o',
};

/** The opcode column as the manuals print it: `0F BA /4 ib`. */
function encodingText(form: Form): string {
  const hex = (byte: number) => byte.toString(16).toUpperCase().padStart(2, '0');
  const parts: string[] = [];
  if (form.wait) parts.push('9B');
  if (form.prefix !== undefined) parts.push(hex(form.prefix));
  if (form.map > 0) parts.push('0F');
  if (form.map > 1) parts.push(form.map === 2 ? '38' : '3A');
  parts.push(hex(form.opcode) + (form.operands.some((kind) => kind.endsWith('+')) ? '+r' : ''));
  if (form.modrmByte !== undefined) parts.push(hex(form.modrmByte));
  if (form.modrm !== undefined) parts.push(`/${form.modrm}`);
  for (const kind of form.operands) {
    const code = IMMEDIATE_CODES[kind];
    if (code) parts.push(code);
  }
  return parts.join(' ');
}

/** Every mnemonic and alias, sorted; the 63 numbered hint_nops are left out. */
export const MNEMONICS: readonly string[] = [...formsByMnemonic.keys()]
  .filter((name) => !name.startsWith('hint_nop'))
  .sort();

/** Every register name that an operand can be. */
export const REGISTERS: readonly string[] = [
  ...REGISTERS_8,
  ...REGISTERS_16,
  ...REGISTERS_32,
  ...SEGMENT_REGISTERS,
  ...X87_REGISTERS,
  ...MMX_REGISTERS,
  ...XMM_REGISTERS,
  ...[0, 2, 3, 4].map((n) => CONTROL_REGISTERS[n]),
  ...DEBUG_REGISTERS,
];

/** Words that may stand before a mnemonic. Segment registers may, too. */
export const PREFIXES: readonly string[] = [
  ...['lock', 'rep', 'repe', 'repz', 'repne', 'repnz'],
  ...['a16', 'a32', 'o16', 'o32'],
];
