// Instruction → text in NASM's syntax, such that NASM (and our assembler) give back an equivalent instruction.
// What cannot be seen in the operands is written as a prefix: o16 leave, a16 rep movsb, es xlatb.
import { decode } from './decode.ts';
import type { OperandKind } from './form.ts';
import { DS, type Instruction, REP_E, REP_NONE, SS } from './instruction.ts';
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

export interface DisassembleOptions {
  /** Name of a code or data offset; undefined when it has none. */
  readonly symbols?: (address: number) => string | undefined;
}

export interface DisassembledLine {
  readonly address: number;
  readonly bytes: Uint8Array;
  readonly text: string;
}

/** Operations whose operand size is neither in a register name nor in the mnemonic. */
const SIZE_UNSEEN: ReadonlySet<string> = new Set([
  ...['push-sreg', 'pop-sreg', 'enter', 'leave', 'ret', 'ret-far', 'sgdt', 'sidt', 'lgdt', 'lidt'],
  ...['fnstenv', 'fldenv', 'fnsave', 'frstor'],
]);
/** Operations with an implied memory or count register, which the address size chooses. */
const ADDRESS_UNSEEN: ReadonlySet<string> = new Set([
  ...['movs', 'cmps', 'stos', 'lods', 'scas', 'ins', 'outs', 'xlat', 'loop', 'loope', 'loopne'],
  ...['monitor', 'vmrun', 'vmload', 'vmsave', 'invlpga', 'maskmov'],
]);
/** Operations that address DS:(E)SI, DS:(E)BX or DS:(E)AX unless a segment is written. */
const SEGMENT_UNSEEN: ReadonlySet<string> = new Set([
  'movs',
  'cmps',
  'lods',
  'outs',
  'xlat',
  'monitor',
  'maskmov',
]);
/** Where a small negative immediate is a number; elsewhere it is a bit pattern. */
const SIGNED: ReadonlySet<string> = new Set(['add', 'adc', 'sub', 'sbb', 'cmp', 'imul', 'push']);

/**
 * One instruction as NASM source.
 * @param address offset of the instruction in its code segment; branch targets are shown absolute
 */
export function disassemble(i: Instruction, address: number, options: DisassembleOptions = {}): string {
  const operands = operandTexts(i, address, options);
  const name = prefixText(i) + i.form.mnemonic;
  return operands.length === 0 ? name : `${name} ${operands.join(', ')}`;
}

/** The operands alone, in the order of the form. */
export function operandTexts(i: Instruction, address: number, options: DisassembleOptions = {}): string[] {
  return i.form.operands.map((kind, n) => operandText(i, kind, n, address, options));
}

/**
 * Disassembles `count` instructions from `bytes[at]`, whose offset in the code segment is `origin`.
 * A byte that starts no instruction becomes a `db` line of its own. Stops early at the end of the bytes.
 */
export function disassembleRange(
  bytes: Uint8Array,
  at: number,
  mode: 16 | 32,
  origin: number,
  count: number,
  options: DisassembleOptions = {},
): DisassembledLine[] {
  const lines: DisassembledLine[] = [];
  for (let p = at; lines.length < count && p < bytes.length; ) {
    const address = (origin + (p - at)) >>> 0;
    const i = decode(bytes, p, mode);
    const length = typeof i === 'string' ? 1 : i.length;
    const text = typeof i === 'string' ? `db ${number(bytes[p])}` : disassemble(i, address, options);
    lines.push({ address, bytes: bytes.slice(p, p + length), text });
    p += length;
  }
  return lines;
}

function prefixText(i: Instruction): string {
  const { form } = i;
  let text = i.lock ? 'lock ' : '';
  if (i.rep !== REP_NONE) text += i.rep === REP_E ? (form.rep === 'rep' ? 'rep ' : 'repe ') : 'repne ';
  const sizeUnseen = SIZE_UNSEEN.has(form.operation) || form.operands[0] === 'rel8';
  if (sizeUnseen && form.size === undefined && i.operandSize !== i.mode) text += `o${i.operandSize} `;
  if (ADDRESS_UNSEEN.has(form.operation) && i.addressSize !== i.mode) text += `a${i.addressSize} `;
  if (SEGMENT_UNSEEN.has(form.operation) && i.segment !== DS) text += `${SEGMENT_REGISTERS[i.segment]} `;
  return text;
}

const registersOf = (size: number) => (size === 16 ? REGISTERS_16 : REGISTERS_32);
const sizeWord = (size: number) => (size === 8 ? 'byte' : size === 16 ? 'word' : 'dword');

function operandText(
  i: Instruction,
  kind: OperandKind,
  position: number,
  address: number,
  options: DisassembleOptions,
): string {
  const size = i.operandSize;
  switch (kind) {
    case 'r8':
    case 'r8+':
      return REGISTERS_8[i.reg];
    case 'r16':
    case 'r16+':
      return REGISTERS_16[i.reg];
    case 'r32':
    case 'r32+':
      return REGISTERS_32[i.reg];
    case 'rv':
    case 'rv+':
      return registersOf(size)[i.reg];
    case 'sreg':
      return SEGMENT_REGISTERS[i.reg];
    case 'cr':
      return CONTROL_REGISTERS[i.reg];
    case 'dr':
      return DEBUG_REGISTERS[i.reg];
    case 'rm8':
      return i.memory ? sized(i, 8, options) : REGISTERS_8[i.rm];
    case 'rm16':
      return i.memory ? sized(i, 16, options) : REGISTERS_16[i.rm];
    case 'rm32':
      return i.memory ? sized(i, 32, options) : REGISTERS_32[i.rm];
    case 'rmv':
      return i.memory ? sized(i, size, options) : registersOf(size)[i.rm];
    case 'rr32':
      return REGISTERS_32[i.rm];
    case 'rrv':
      return registersOf(size)[i.rm];
    case 'm8':
      return sized(i, 8, options);
    case 'm16':
      return sized(i, 16, options);
    case 'm32':
      return sized(i, 32, options);
    case 'mv':
      return sized(i, size, options);
    case 'm80':
      return `tword ${memoryText(i, options)}`;
    case 'mm':
      return MMX_REGISTERS[i.reg];
    case 'xmm':
      return XMM_REGISTERS[i.reg];
    case 'mmrr':
    case 'mmrm':
      return i.memory ? memoryText(i, options) : MMX_REGISTERS[i.rm];
    case 'xmmrr':
    case 'xmmrm32':
    case 'xmmrm64':
    case 'xmmrm128':
      return i.memory ? memoryText(i, options) : XMM_REGISTERS[i.rm];
    case 'sti':
    case 'tosti':
      return X87_REGISTERS[i.rm];
    case 'm64':
      // The floating-point unit has memory operands of several sizes; the others of 64 bits have one.
      return i.form.opcode >= 0xd8 && i.form.map === 0
        ? `qword ${memoryText(i, options)}`
        : memoryText(i, options);
    case 'm':
    case 'm128':
    case 'mpair':
    case 'mdesc':
    case 'menv':
    case 'msave':
    case 'm512':
    case 'moffs8':
    case 'moffsv':
      return memoryText(i, options);
    case 'mfar': {
      if (i.form.operation === 'load-far-pointer') return memoryText(i, options);
      return `far ${size === i.mode ? '' : `${sizeWord(size)} `}${memoryText(i, options)}`;
    }
    case 'av':
      return registersOf(size)[0];
    case 'one':
      return '1';
    case 'three':
      return '3';
    case 'imm8':
      // ENTER's second operand travels in immediate2.
      return number(position === 1 && i.form.operation === 'enter' ? i.immediate2 : i.immediate);
    case 'imm16':
    case 'imm32':
      return number(i.immediate >>> 0);
    case 'imm8s':
    case 'immv':
      return immediateText(i);
    case 'rel8':
    case 'relv':
      return targetText(i, kind, address, options);
    case 'far': {
      const prefix = size === i.mode ? '' : `${sizeWord(size)} `;
      return `${prefix}${number(i.immediate2)}:${number(i.immediate >>> 0)}`;
    }
    default:
      return kind;
  }
}

function immediateText(i: Instruction): string {
  const value = i.immediate;
  const { operation, operands } = i.form;
  const prefix = operation === 'push' && i.operandSize !== i.mode ? `${sizeWord(i.operandSize)} ` : '';
  if (value < 0 && value >= -0x80 && SIGNED.has(operation)) return `${prefix}-${number(-value)}`;
  const pattern = i.operandSize === 16 && operands.length > 0 ? value & 0xffff : value >>> 0;
  return prefix + number(pattern);
}

function targetText(i: Instruction, kind: OperandKind, address: number, options: DisassembleOptions): string {
  const next = address + i.length + i.immediate;
  const target = i.operandSize === 16 ? next & 0xffff : next >>> 0;
  const { operation } = i.form;
  // Written out, since an assembler would take the shorter form where it can.
  let prefix = '';
  if (operation === 'jmp' || operation === 'jcc') prefix = kind === 'rel8' ? 'short ' : 'near ';
  if (kind === 'relv' && i.operandSize !== i.mode) prefix += `${sizeWord(i.operandSize)} `;
  return prefix + (options.symbols?.(target) ?? number(target));
}

/** The memory operand, with its size when no register beside it tells. */
function sized(i: Instruction, size: number, options: DisassembleOptions): string {
  const widens = i.form.operation === 'movzx' || i.form.operation === 'movsx';
  const implied = !widens && i.form.operands.some((kind) => impliedSize(i, kind) === size);
  return implied ? memoryText(i, options) : `${sizeWord(size)} ${memoryText(i, options)}`;
}

function impliedSize(i: Instruction, kind: OperandKind): number {
  if (kind === 'r8' || kind === 'al') return 8;
  if (kind === 'r16') return 16;
  if (kind === 'r32') return 32;
  return kind === 'rv' || kind === 'av' ? i.operandSize : 0;
}

function memoryText(i: Instruction, options: DisassembleOptions): string {
  const registers = registersOf(i.addressSize);
  const usual = i.base === 4 || i.base === 5 ? SS : DS;
  let text = i.segment === usual ? '' : `${SEGMENT_REGISTERS[i.segment]}:`;
  if (i.base < 0 && i.index < 0) {
    const offset = i.addressSize === 16 ? i.displacement & 0xffff : i.displacement >>> 0;
    if (i.addressSize !== i.mode) text = `${sizeWord(i.addressSize)} ${text}`;
    return `[${text}${options.symbols?.(offset) ?? number(offset)}]`;
  }
  if (i.base >= 0) text += registers[i.base];
  if (i.index >= 0) {
    // Without a base NASM would turn ebp*1 and ebp*2 into a base register, and the segment into SS.
    if (i.base < 0 && i.index === 5) text = `nosplit ${text}`;
    if (i.base >= 0) text += '+';
    text += registers[i.index];
    if (i.scale > 0 || i.base < 0) text += `*${1 << i.scale}`;
  }
  if (i.displacement !== 0) text += (i.displacement < 0 ? '-' : '+') + number(Math.abs(i.displacement));
  return `[${text}]`;
}

/** One digit as it is, more in hexadecimal. `value` is not negative. */
function number(value: number): string {
  return value < 10 ? String(value) : `0x${value.toString(16)}`;
}
