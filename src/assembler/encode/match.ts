// Which encodings accept an instruction's operands as written: the order of the table is the order of preference.
// What depends on values (a byte that sign-extends, a short jump that reaches) is decided later, in every pass.
import type { Form, OperandKind } from '../../machine/isa/form.ts';
import type { Candidate, InstructionBody, Operand } from '../statement.ts';

const BITS16 = 1;
const BITS32 = 2;
const maskOf = (size: number): number => (size === 16 ? BITS16 : size === 32 ? BITS32 : 0);

/** Kinds whose meaning or width follows the operand-size attribute. */
const FOLLOWS_SIZE: ReadonlySet<OperandKind> = new Set<OperandKind>([
  'rv',
  'rv+',
  'rrv',
  'rmv',
  'av',
  'mv',
  'mpair',
  'mfar',
  'mdesc',
  'immv',
  'imm8s',
  'relv',
  'far',
  'moffsv',
]);

/** Operations whose immediates take no size keyword in NASM. */
const BARE_NUMBERS: ReadonlySet<string> = new Set(['shld', 'shrd', 'enter']);

/** What matching and encoding ask of a form again and again. */
export interface FormFacts {
  /** 66h can matter. */
  readonly followsOperandSize: boolean;
  /** The number of the operand whose register goes into the opcode, into ModRM.reg, into ModRM.rm; or -1. */
  readonly inOpcode: number;
  readonly inReg: number;
  readonly inRm: number;
  /** Has a relative branch target. */
  readonly relative: boolean;
  /** A short branch that has a near form beside it. */
  readonly hasNear: boolean;
}

const FACTS = new Map<Form, FormFacts>();
const IN_REG: ReadonlySet<OperandKind> = new Set<OperandKind>([
  'r8',
  'r16',
  'r32',
  'rv',
  'sreg',
  'cr',
  'dr',
  'mm',
  'xmm',
]);
const IN_RM: ReadonlySet<OperandKind> = new Set<OperandKind>([
  'rm8',
  'rm16',
  'rm32',
  'rmv',
  'rr32',
  'rrv',
  'sti',
  'tosti',
  'mmrr',
  'mmrm',
  'xmmrr',
  'xmmrm32',
  'xmmrm64',
  'xmmrm128',
]);

export function factsOf(form: Form): FormFacts {
  let facts = FACTS.get(form);
  if (!facts) {
    const { operands } = form;
    facts = {
      followsOperandSize: form.size !== undefined || operands.some((kind) => FOLLOWS_SIZE.has(kind)),
      inOpcode: operands.findIndex((kind) => kind.endsWith('+')),
      inReg: operands.findIndex((kind) => IN_REG.has(kind)),
      inRm: operands.findIndex((kind) => IN_RM.has(kind)),
      relative: operands.some((kind) => kind === 'rel8' || kind === 'relv'),
      hasNear: form.operation === 'jmp' || form.condition !== undefined,
    };
    FACTS.set(form, facts);
  }
  return facts;
}

/** The forms of a mnemonic by their number of operands. */
interface Plan {
  readonly byCount: readonly (readonly Form[])[];
  /** The mnemonic has full-size immediates, so that the size of an immediate is the size of the operation. */
  readonly wide: boolean;
}
const PLANS = new Map<readonly Form[], Plan>();

function planOf(forms: readonly Form[]): Plan {
  let plan = PLANS.get(forms);
  if (!plan) {
    const byCount = [0, 1, 2, 3, 4].map((count) => forms.filter((form) => form.operands.length === count));
    plan = { byCount, wide: forms.some((form) => form.operands.includes('immv')) };
    PLANS.set(forms, plan);
  }
  return plan;
}

/** Collects what the operands say about size while a form is tried. */
class Trial {
  wide = false;
  sizes = BITS16 | BITS32;
  /** Bits of a memory operand without written size; 0 when there is none; -1 when it follows the operand size. */
  unsized = 0;
  /** What a register or a sized immediate says about memory: 8, 16, 32, or -1 for the operand size. */
  knownSize = 0;

  reset(): void {
    this.sizes = BITS16 | BITS32;
    this.unsized = 0;
    this.knownSize = 0;
  }

  /** Memory of a fixed size, written or not. */
  sized(written: number, bits: number): boolean {
    if (written === 0) this.unsized = bits;
    return written === 0 || written === bits;
  }

  restrict(size: number): boolean {
    this.sizes &= maskOf(size);
    return this.sizes !== 0;
  }
}

/** All usable encodings in order of preference. `bits` is the mode. */
export function candidates(body: InstructionBody, bits: 16 | 32): Candidate[] {
  const found: Candidate[] = [];
  const { operands } = body;
  const plan = planOf(body.forms);
  const trial = TRIAL;
  trial.wide = plan.wide;
  next: for (const form of plan.byCount[operands.length]) {
    trial.reset();
    for (let i = 0; i < operands.length; i++)
      if (!accepts(form.operands[i], operands[i], form, trial)) continue next;
    add(form, trial, bits, found);
  }
  return found;
}

const TRIAL = new Trial();

function add(form: Form, trial: Trial, bits: 16 | 32, found: Candidate[]): void {
  const guessed =
    trial.unsized !== 0 &&
    trial.unsized !== trial.knownSize &&
    !(trial.unsized === -1 && isIndirectBranch(form));
  const push = (operandSize: 16 | 32): void => {
    // Widening 16 bits to 16 bits exists as an encoding, not as an instruction of the language.
    if (operandSize === 16 && form.operands[1] === 'rm16' && /^mov[sz]x$/.test(form.operation)) return;
    const memorySize = trial.unsized === -1 ? operandSize : trial.unsized;
    found.push({ form, operandSize, guessed, memorySize });
  };
  if (form.size !== undefined) push(form.size);
  else if (trial.sizes === BITS16) push(16);
  else if (trial.sizes === BITS32) push(32);
  else if (guessed && trial.unsized === -1) {
    push(16);
    push(32);
  } else push(bits);
}

/** `jmp [x]` and `call [x]` take the mode's size for granted. */
function isIndirectBranch(form: Form): boolean {
  return form.operation === 'jmp' || form.operation === 'call';
}

function accepts(kind: OperandKind, operand: Operand, form: Form, trial: Trial): boolean {
  switch (operand.type) {
    case 'register':
      return acceptsRegister(kind, operand, trial);
    case 'memory':
      return acceptsMemory(kind, operand, form, trial);
    case 'far':
      return (
        kind === 'far' && operand.distance === '' && (operand.size === 0 || trial.restrict(operand.size))
      );
    case 'immediate':
      return acceptsImmediate(kind, operand, form, trial);
  }
}

function acceptsRegister(kind: OperandKind, operand: Operand, trial: Trial): boolean {
  const register = operand.register!;
  const general = register.class === 'general' ? register.size : 0;
  switch (kind) {
    case 'r8':
    case 'r8+':
      trial.knownSize = 8;
      return general === 8;
    case 'r16':
    case 'r16+':
      trial.knownSize = 16;
      return general === 16;
    case 'r32':
    case 'r32+':
      trial.knownSize = 32;
      return general === 32;
    case 'rv':
    case 'rv+':
    case 'rmv':
    case 'rrv':
      if (!trial.restrict(general)) return false;
      trial.knownSize = -1;
      return true;
    case 'av':
      if (register.number !== 0 || !trial.restrict(general)) return false;
      trial.knownSize = -1;
      return true;
    case 'rm8':
      return general === 8;
    case 'rm16':
      return general === 16;
    case 'rm32':
    case 'rr32':
      return general === 32;
    case 'sreg':
      return register.class === 'segment';
    case 'cr':
      return register.class === 'control';
    case 'dr':
      return register.class === 'debug';
    case 'mm':
    case 'mmrr':
    case 'mmrm':
      trial.knownSize = 64;
      return register.class === 'mmx';
    case 'xmm':
    case 'xmmrr':
    case 'xmmrm32':
    case 'xmmrm64':
    case 'xmmrm128':
      return register.class === 'sse';
    case 'sti':
      return register.class === 'x87' && !operand.to;
    case 'tosti':
      return register.class === 'x87' && operand.to;
    case 'al':
      trial.knownSize = 8;
      return register.name === 'al';
    default:
      return kind === register.name;
  }
}

function acceptsMemory(kind: OperandKind, operand: Operand, form: Form, trial: Trial): boolean {
  const far = operand.distance === 'far';
  if (far && kind !== 'mfar') return false;
  switch (kind) {
    case 'rm8':
    case 'm8':
    case 'moffs8':
      return trial.sized(operand.size, 8);
    case 'rm16':
    case 'm16':
      return trial.sized(operand.size, 16);
    case 'rm32':
    case 'm32':
      return trial.sized(operand.size, 32);
    case 'm64':
      // The VMX instructions take an address; only cmpxchg8b takes a size.
      if (form.operation.startsWith('vm') && operand.size !== 0) return false;
      return trial.sized(operand.size, 64);
    case 'm128':
      return trial.sized(operand.size, 128);
    case 'xmmrm32':
      return operand.size === 0 || operand.size === 32;
    case 'mmrm':
    case 'xmmrm64':
      return operand.size === 0 || operand.size === 64;
    case 'xmmrm128':
      return operand.size === 0 || operand.size === 128;
    case 'm80':
      return trial.sized(operand.size, 80);
    case 'rmv':
    case 'mv':
    case 'moffsv':
      if (operand.size === 0) trial.unsized = -1;
      return operand.size === 0 || trial.restrict(operand.size);
    case 'mfar':
      if (!isBranch(form)) return operand.size === 0;
      return far && (operand.size === 0 || trial.restrict(operand.size));
    case 'mpair':
    case 'mdesc':
    case 'menv':
    case 'msave':
    case 'm512':
      return operand.size === 0;
    case 'm':
      // `lea eax,[x]` asks for an address, whatever lies there.
      return operand.size === 0 || form.operation === 'lea';
    default:
      return false;
  }
}

/** MMX and SSE: most of their immediates take no size keyword either; NASM makes three exceptions. */
const isPacked = (form: Form): boolean =>
  form.operands.some((kind) => /^x?mm/.test(kind)) &&
  form.operands[0] !== 'xmmrr' &&
  form.operation !== 'sse-cmp' &&
  form.operation !== 'sse-shuf';

const isBranch = (form: Form): boolean =>
  form.operation.startsWith('jmp') || form.operation.startsWith('call');

function acceptsImmediate(kind: OperandKind, operand: Operand, form: Form, trial: Trial): boolean {
  const { size, distance, strict } = operand;
  switch (kind) {
    case 'rel8':
      // jcxz and loop know no other distance, and take no keyword for the one they have.
      if (!factsOf(form).hasNear) return distance === '' && size === 0;
      if (distance === 'short') return size === 0;
      return distance === '' && !strict && size === 0;
    case 'relv':
      if (distance === 'short' || distance === 'far') return false;
      return size === 0 || (form.condition === undefined && trial.restrict(size));
    case 'one':
      return size === 0;
    case 'imm8':
      if (size !== 0 && (BARE_NUMBERS.has(form.operation) || isPacked(form))) return false;
      if (size === 8 && trial.wide) trial.knownSize = 8;
      return size === 0 || size === 8;
    case 'imm8s':
      if (size === 8) return true;
      if (size === 0) return !strict;
      trial.knownSize = -1;
      return !strict && trial.restrict(size);
    case 'imm16':
      return size === 0 || (size === 16 && !BARE_NUMBERS.has(form.operation));
    case 'imm32':
      return size === 0 || size === 32;
    case 'immv':
      if (size === 0) return true;
      trial.knownSize = -1;
      return trial.restrict(size);
    default:
      return false;
  }
}
