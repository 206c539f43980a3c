// Lookup arrays for the decoder, built from the table as opcodes are met: map and opcode → slot, ModRM byte → choice,
// (prefix, operand size, address size) → form. Opcode maps: SDM vol. 2 appendix A.
import type { Form, OperandKind } from './form.ts';
import { FORMS } from './table.ts';

/** What to read behind the opcode and ModRM. */
export const IMM_NONE = 0,
  /** One byte, zero-extended. */
  IMM_8 = 1,
  /** One byte, sign-extended (imm8s, rel8). */
  IMM_8S = 2,
  /** Two bytes, zero-extended. */
  IMM_16 = 3,
  /** Two or four bytes by operand size, sign-extended (immv, relv). */
  IMM_V = 4,
  /** Offset by operand size, then selector. */
  IMM_FAR = 5,
  /** ENTER: two bytes, then one. */
  IMM_ENTER = 6,
  /** Offset by address size. */
  IMM_MOFFS = 7;

/** All forms that one (opcode, ModRM) can mean, by `choiceKey`; null is an undefined encoding. */
type Choice = readonly (Form | null)[];

interface Slot {
  readonly modrm: boolean;
  /** ModRM.mod is ignored: rm is always a register (MOV to and from CR and DR). */
  readonly registerOnly: boolean;
  /** One choice, or 256 by ModRM byte. */
  readonly choices: readonly (Choice | null)[];
}

/** Index into a `Choice`. `mandatory`: 0 none, 1 = 66h, 2 = F3, 3 = F2. */
export const choiceKey = (mandatory: number, operandSize: number, addressSize: number): number =>
  (mandatory << 2) | ((operandSize >> 5) << 1) | (addressSize >> 5);

const REGISTER_KINDS: ReadonlySet<OperandKind> = new Set<OperandKind>([
  'rr32',
  'rrv',
  'sti',
  'mmrr',
  'xmmrr',
]);
const MEMORY_KINDS: ReadonlySet<OperandKind> = new Set<OperandKind>([
  'm',
  'm8',
  'm16',
  'm32',
  'm64',
  'm128',
  'm80',
  'menv',
  'msave',
  'm512',
  'mv',
  'mpair',
  'mfar',
  'mdesc',
]);
const OPCODE_KINDS: ReadonlySet<OperandKind> = new Set<OperandKind>(['r8+', 'r16+', 'r32+', 'rv+']);

const usesOpcodeBits = (form: Form) => form.operands.some((kind) => OPCODE_KINDS.has(kind));
const usesControlRegister = (form: Form) => form.operands.includes('cr') || form.operands.includes('dr');
/** D8..DF: a fixed second byte is a ModRM byte there. */
const isX87 = (form: Form) => form.map === 0 && (form.opcode & 0xf8) === 0xd8;
/** Table notation: a fixed second byte behind any other one-byte opcode is an implied immediate, a spelling for assemblers. */
const isSpellingOnly = (form: Form) =>
  form.assemblerOnly || (form.map === 0 && form.modrmByte !== undefined && !isX87(form));
const takesModrm = (form: Form) => form.modrm !== undefined || form.modrmByte !== undefined;

function matchesModrm(form: Form, modrm: number): boolean {
  if (form.modrmByte !== undefined) return form.modrmByte === modrm;
  const reg = (modrm >> 3) & 7;
  const register = modrm >= 0xc0;
  if (typeof form.modrm === 'number' && form.modrm !== reg) return false;
  for (const kind of form.operands) {
    if (MEMORY_KINDS.has(kind) && register) return false;
    if (REGISTER_KINDS.has(kind) && !register && !usesControlRegister(form)) return false;
    // CR1, CR5..CR7, and segment registers 6 and 7 do not exist; CS cannot be loaded by MOV.
    if (kind === 'cr' && reg !== 0 && reg !== 2 && reg !== 3 && reg !== 4) return false;
    if (kind === 'sreg' && (reg > 5 || (form.operation === 'mov-to-sreg' && reg === 1))) return false;
  }
  return true;
}

const PREFIX_OF_KEY = [undefined, 0x66, 0xf3, 0xf2];

/** The more specific encodings first: mandatory prefix, then every bit fixed (nop before xchg eax,eax), then table order. */
function choose(candidates: readonly Form[]): Choice | null {
  if (candidates.length === 0) return null;
  const rank = (form: Form) =>
    form.prefix !== undefined ? 0 : form.modrmByte !== undefined || form.operands.length === 0 ? 1 : 2;
  const ordered = [...candidates].sort((a, b) => rank(a) - rank(b) || a.id - b.id);
  return Array.from({ length: 16 }, (_, key) => {
    const prefix = PREFIX_OF_KEY[key >> 2];
    const operandSize = key & 2 ? 32 : 16;
    const addressSize = key & 1 ? 32 : 16;
    return (
      ordered.find(
        (form) =>
          (form.prefix === undefined ? !(form.noPrefix && prefix !== undefined) : form.prefix === prefix) &&
          (form.size === undefined || form.size === operandSize) &&
          (form.addressSize === undefined || form.addressSize === addressSize),
      ) ?? null
    );
  });
}

const byOpcode: Form[][] = Array.from({ length: 4 * 256 }, () => []);
for (const form of FORMS) {
  if (isSpellingOnly(form)) continue;
  for (let n = 0; n < (usesOpcodeBits(form) ? 8 : 1); n++)
    byOpcode[form.map * 256 + form.opcode + n].push(form);
}

/** Slots made so far, by map × 256 + last opcode byte. Most are never met, and a page that opens has no time for them. */
const made: (Slot | null | undefined)[] = new Array(4 * 256).fill(undefined);

/** What an opcode can mean; null is an undefined one. @param at map × 256 + last opcode byte */
export function slotOf(at: number): Slot | null {
  const slot = made[at];
  return slot === undefined ? (made[at] = makeSlot(byOpcode[at])) : slot;
}

function makeSlot(forms: readonly Form[]): Slot | null {
  if (forms.length === 0) return null;
  const modrm = forms.some(takesModrm);
  const interned = new Map<string, Choice | null>();
  const choiceFor = (candidates: readonly Form[]) => {
    const name = candidates.map((form) => form.id).join();
    if (!interned.has(name)) interned.set(name, choose(candidates));
    return interned.get(name) ?? null;
  };
  const choices = modrm
    ? Array.from({ length: 256 }, (_, byte) => choiceFor(forms.filter((form) => matchesModrm(form, byte))))
    : [choiceFor(forms)];
  return { modrm, registerOnly: forms.some(usesControlRegister), choices };
}

function immediateOf(form: Form): number {
  const kinds = form.operands;
  if (kinds.includes('far')) return IMM_FAR;
  if (kinds.includes('moffs8') || kinds.includes('moffsv')) return IMM_MOFFS;
  if (kinds.includes('imm16')) return kinds.includes('imm8') ? IMM_ENTER : IMM_16;
  if (kinds.includes('imm8')) return IMM_8;
  if (kinds.includes('imm8s') || kinds.includes('rel8')) return IMM_8S;
  if (kinds.includes('immv') || kinds.includes('relv')) return IMM_V;
  return IMM_NONE;
}

/** IMM_* by form id. */
export const IMMEDIATES: Uint8Array = Uint8Array.from(FORMS, immediateOf);
