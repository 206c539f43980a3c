// Bytes for a form of the instruction table with given operands, from the row alone: every row can be tried, also those that
// an assembler would never choose. Operands: memory at a fixed place, ECX, a selector where one is asked for.
import type { Form, OperandKind } from '../../machine/isa/form.ts';

/** Register in ModRM.rm and in the opcode's low bits; register in ModRM.reg. */
const RM_REGISTER = 1;
const REG_REGISTER = 2;
/** Value of immediate operands: no vector that a gate is for. */
export const IMMEDIATE = 0x33;

export interface Operands {
  /** Offset of the memory operand, and the address for far pointers. */
  address: number;
  landing: number;
  selector: number;
  immediate: number;
  /** ModRM.reg when it is not an opcode extension. */
  register: number;
}

/** How the r/m operand is given. */
export type Place = 'memory' | 'register' | 'none';

/** How the r/m operand can be given: in memory, in a register, or there is none. */
export function places(form: Form): Place[] {
  if (form.modrm === undefined) return ['none'];
  const kinds = form.operands;
  const either = kinds.some((kind) => /^(rm(8|16|32|v|64)|xm|mmm)/.test(kind));
  const memory = kinds.some((kind) => /^m/.test(kind) && !/^moffs/.test(kind));
  if (either) return ['memory', 'register'];
  return memory ? ['memory'] : ['register'];
}

/** Values of ModRM.reg worth trying: each is an instruction of its own for segment, control and debug registers. */
export function registers(form: Form): readonly number[] {
  if (form.operands.includes('sreg')) return [0, 1, 2, 3, 4, 5];
  if (form.operands.includes('cr')) return [0, 2, 3, 4];
  if (form.operands.includes('dr')) return [0, 6, 7];
  return [REG_REGISTER];
}

function immediate(
  kind: OperandKind,
  wide: boolean,
  { immediate, landing, selector, address }: Operands,
): number[] {
  const word = (value: number): number[] => [value & 0xff, (value >>> 8) & 0xff];
  const long = (value: number): number[] => [...word(value), ...word(value >>> 16)];
  switch (kind) {
    case 'imm8':
    case 'imm8s':
      return [immediate & 0xff];
    case 'imm16':
      return word(0);
    case 'imm32':
      return long(immediate);
    case 'immv':
      return wide ? long(immediate) : word(immediate);
    case 'rel8':
      return [0];
    case 'relv':
      return wide ? long(0) : word(0);
    case 'far':
      return [...(wide ? long(landing) : word(landing)), ...word(selector)];
    case 'moffs8':
    case 'moffsv':
      return long(address);
    default:
      return [];
  }
}

/** The instruction in 32-bit code. */
export function encode(form: Form, place: Place, operands: Operands): Uint8Array {
  const bytes: number[] = [];
  const wide = form.size !== 16;
  if (!wide) bytes.push(0x66);
  if (form.prefix) bytes.push(form.prefix);
  if (form.map > 0) bytes.push(0x0f);
  if (form.map === 2) bytes.push(0x38);
  if (form.map === 3) bytes.push(0x3a);
  const inOpcode = form.operands.some((kind) => kind.endsWith('+'));
  bytes.push(form.opcode | (inOpcode ? RM_REGISTER : 0));
  if (form.modrmByte !== undefined) bytes.push(form.modrmByte);
  else if (form.modrm !== undefined) {
    const reg = (form.modrm === 'r' ? operands.register : form.modrm) << 3;
    if (place === 'memory') {
      bytes.push(0x05 | reg);
      for (let n = 0; n < 4; n++) bytes.push((operands.address >>> (8 * n)) & 0xff);
    } else bytes.push(0xc0 | reg | RM_REGISTER);
  }
  for (const kind of form.operands) bytes.push(...immediate(kind, wide, operands));
  return Uint8Array.from(bytes);
}
