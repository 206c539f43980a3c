// One instruction → bytes, in one pass: picks the first encoding that the values allow, and writes it out.
// Order of the parts: Intel SDM vol. 2 §2.1. Order of the prefixes: rep, lock, segment, 66h, 67h, as NASM emits them.
import type { Form, OperandKind } from '../../machine/isa/form.ts';
import type { Place, Suggestion } from '../diagnostics.ts';
import { evaluate, type Hint, type Scope } from '../expression.ts';
import { add, low32, overflows } from '../int64.ts';
import type { Candidate, InstructionBody, Operand } from '../statement.ts';
import { type Base, UNKNOWN, type Value } from '../value.ts';
import { SEGMENT_PREFIX } from '../words.ts';
import { type Address, effectiveAddress, isFault } from './address.ts';
import type { Code } from './code.ts';
import { type FormFacts, factsOf } from './match.ts';

/** Where and how an instruction is being assembled. */
export interface Position extends Scope {
  readonly bits: 16 | 32;
  /** The section, or null in absolute space. */
  readonly section: Base | null;
  readonly offset: number;
  warn(place: Place, message: string, suggestion?: Suggestion): void;
}

/** The operands' values in this pass. */
export interface Operands {
  readonly values: readonly Value[];
  readonly selector: Value;
  /** Of the memory operand. */
  readonly address: Address | null;
}

/** Evaluates the operands; null after a report. */
export function evaluateOperands(body: InstructionBody, at: Position): Operands | null {
  const values: Value[] = [];
  let address: Address | null = null;
  let selector = UNKNOWN;
  for (const operand of body.operands) {
    if (operand.type !== 'memory') {
      values.push(operand.expr ? evaluate(operand.expr, at) : UNKNOWN);
      if (operand.type === 'far') selector = evaluate(operand.selector!, at);
      continue;
    }
    const hint: Hint = { kind: 'open', register: null };
    const value = evaluate(operand.expr!, at, hint);
    const found = effectiveAddress(operand, value, hint, at.bits, asked(body, 'address'));
    if (isFault(found)) {
      at.report(operand.place, found.message, found.suggestion);
      return null;
    }
    address = found;
    values.push(value);
  }
  return { values, selector, address };
}

/** The first candidate that the values allow; sizes guessed from the table only when nothing else fits. */
export function choose(
  list: readonly Candidate[],
  body: InstructionBody,
  o: Operands,
  at: Position,
): Candidate | null {
  for (const candidate of list) if (!candidate.guessed && allowed(candidate, body, o, at)) return candidate;
  let guess: Candidate | null = null;
  for (const candidate of list) {
    if (!candidate.guessed) continue;
    if (guess && guess.memorySize !== candidate.memorySize) return null;
    if (!guess && allowed(candidate, body, o, at)) guess = candidate;
  }
  return guess;
}

function allowed(candidate: Candidate, body: InstructionBody, o: Operands, at: Position): boolean {
  const { form, operandSize } = candidate;
  for (let i = 0; i < form.operands.length; i++) {
    const value = o.values[i];
    const operand = body.operands[i];
    switch (form.operands[i]) {
      case 'one':
        if (!value.unknown && !(value.isScalar && value.n === 1)) return false;
        break;
      case 'imm8s':
        if (operand.size !== 8 && !value.unknown && !(value.isScalar && signExtends(value, operandSize)))
          return false;
        break;
      case 'moffs8':
      case 'moffsv':
        // `[byte 5]` asks for a ModRM displacement, which moffs has not.
        if (!o.address!.absolute || operand.displacementSize === 8) return false;
        break;
      case 'rel8':
        if (operand.distance === '' && factsOf(form).hasNear)
          if (!reaches(candidate, body, value, at)) return false;
        break;
    }
  }
  return true;
}

/** True when the low byte, sign-extended, gives the value at this operand size. */
function signExtends(value: Value, operandSize: 16 | 32): boolean {
  const raw = low32(value.n);
  const signed = operandSize === 16 ? (raw << 16) >> 16 : raw | 0;
  return signed >= -128 && signed <= 127;
}

/** True when a short jump gets there. Unknown targets are hoped to be near; a later pass corrects it. */
function reaches(candidate: Candidate, body: InstructionBody, target: Value, at: Position): boolean {
  if (target.unknown) return true;
  if (target.base !== at.section || (target.base === null && !target.isScalar)) return false;
  if (target.base === null && at.section !== null) return false;
  const length = prefixLength(candidate, body, at.bits) + 2;
  const to = Number(target.n);
  const distance = to - (at.offset + length);
  if (distance >= -128 && distance <= 127) return true;
  // A forward target lies behind the bytes that this very branch had as a long one: without them it may be in reach.
  const { long } = body;
  const saved = (body.name === 'jmp' ? 1 : 2) + (at.bits === 32 ? 2 : 0);
  const stands = long?.from === at.offset && long.to === to && !long.tried;
  body.long = { from: at.offset, to, tried: long?.tried || stands };
  return stands && distance > 0 && distance - saved <= 127;
}

function prefixLength(candidate: Candidate, body: InstructionBody, bits: 16 | 32): number {
  let other = 0;
  for (const { prefix } of body.prefixes) if (prefix.slot !== 'operand' && prefix.slot !== 'address') other++;
  const needs67 = addressPrefix(candidate.form, body, null, bits);
  return other + (operandPrefix(candidate, body, bits) ? 1 : 0) + (needs67 ? 1 : 0);
}

function asked(body: InstructionBody, slot: 'operand' | 'address'): number {
  for (const { prefix } of body.prefixes) if (prefix.slot === slot) return prefix.value;
  return 0;
}

function operandPrefix(candidate: Candidate, body: InstructionBody, bits: 16 | 32): boolean {
  const prefix = asked(body, 'operand');
  if (prefix !== 0) return prefix !== bits;
  if (isShortOfPrefix(body, candidate.form)) return false;
  return factsOf(candidate.form).followsOperandSize && candidate.operandSize !== bits;
}

/** NASM 2.16 leaves 66h out of `retw n` in 32-bit code. A program that means it writes `o16 ret n`. */
function isShortOfPrefix(body: InstructionBody, form: Form): boolean {
  return body.name === 'retw' && form.size === 16 && form.operands.length === 1;
}

function addressPrefix(form: Form, body: InstructionBody, address: Address | null, bits: 16 | 32): boolean {
  if (address) return address.size !== bits;
  const prefix = asked(body, 'address');
  return (prefix !== 0 && prefix !== bits) || (form.addressSize !== undefined && form.addressSize !== bits);
}

/** Writes the instruction into `code`. Reports what does not fit. */
export function encode(
  candidate: Candidate,
  body: InstructionBody,
  o: Operands,
  at: Position,
  code: Code,
): void {
  const { form, operandSize } = candidate;
  const { bits } = at;
  const { address } = o;
  const memory = address ? body.operands.find((operand) => operand.type === 'memory')! : null;
  if (form.wait && !body.prefixes.some((p) => p.prefix.slot === 'wait')) code.byte(WAIT);
  writePrefixes(body, memory, at, code);
  if (operandPrefix(candidate, body, bits)) code.byte(0x66);
  if (addressPrefix(form, body, address, bits)) code.byte(0x67);
  if (form.prefix !== undefined) code.byte(form.prefix);
  if (form.map > 0) code.byte(0x0f);
  if (form.map > 1) code.byte(form.map === 2 ? 0x38 : 0x3a);
  const facts = factsOf(form);
  code.byte(facts.inOpcode < 0 ? form.opcode : form.opcode + body.operands[facts.inOpcode].register!.number);
  if (form.modrmByte !== undefined) code.byte(form.modrmByte);
  else if (form.modrm !== undefined) writeModrm(form, facts, body, address, code);
  for (let i = 0; i < form.operands.length; i++)
    writeImmediate(form.operands[i], operandSize, body.operands[i], o, i, at, code);
}

/** FWAIT. */
const WAIT = 0x9b;
const SLOTS = ['wait', 'rep', 'lock', 'segment'] as const;

/** Prefixes written by the programmer, and the segment override of the memory operand, in NASM's order. */
export function writePrefixes(body: InstructionBody, memory: Operand | null, at: Position, code: Code): void {
  if (body.prefixes.length === 0 && !memory?.segment) return;
  for (const slot of SLOTS) {
    for (const { prefix } of body.prefixes) if (prefix.slot === slot) code.byte(prefix.value);
    if (slot !== 'segment' || !memory?.segment) continue;
    const override = SEGMENT_PREFIX[memory.segment.number];
    const written = body.prefixes.find((p) => p.prefix.slot === 'segment');
    if (!written) code.byte(override);
    else at.report(memory.place, 'two segment overrides in one instruction');
  }
}

function writeModrm(
  form: Form,
  facts: FormFacts,
  body: InstructionBody,
  address: Address | null,
  code: Code,
): void {
  const reg = form.modrm === 'r' ? body.operands[facts.inReg].register!.number : form.modrm!;
  if (address) {
    code.byte((address.mod << 6) | (reg << 3) | address.rm);
    if (address.sib >= 0) code.byte(address.sib);
    writeDisplacement(address, address.width, code);
  } else {
    // `imul eax,5` names its register once and uses it twice.
    const rm = facts.inRm < 0 ? reg : body.operands[facts.inRm].register!.number;
    code.byte(0xc0 | (reg << 3) | rm);
  }
}

function writeDisplacement(address: Address, width: number, code: Code): void {
  if (address.base) code.fixup(address.displacement, width, address.base, false);
  else code.field(address.displacement, width);
}

function writeImmediate(
  kind: OperandKind,
  operandSize: 16 | 32,
  operand: Operand,
  o: Operands,
  i: number,
  at: Position,
  code: Code,
): void {
  const value = o.values[i];
  const wide = operandSize / 8;
  switch (kind) {
    case 'imm8':
      return writeValue(value, 1, operand.place, at, code);
    case 'imm8s':
      if (operand.size === 8) return writeValue(value, 1, operand.place, at, code);
      return code.field(value.n, 1);
    case 'imm16':
      return writeValue(value, 2, operand.place, at, code);
    case 'imm32':
      return writeValue(value, 4, operand.place, at, code);
    case 'immv':
      return writeValue(value, wide, operand.place, at, code);
    case 'far':
      writeValue(value, wide, operand.place, at, code);
      return writeValue(o.selector, 2, operand.place, at, code);
    case 'rel8':
      return writeRelative(value, 1, operand.place, at, code);
    case 'relv':
      return writeRelative(value, wide, operand.place, at, code);
    case 'moffs8':
    case 'moffsv': {
      const address = o.address!;
      return writeDisplacement(address, address.size / 8, code);
    }
  }
}

/** A value of `size` bytes; addresses are settled after layout. */
export function writeValue(value: Value, size: number, place: Place, at: Position, code: Code): void {
  if (value.isScalar && overflows(value.n, size))
    at.warn(
      place,
      `${value.n} does not fit in ${size === 1 ? 'a byte' : `${size} bytes`}: the upper bits are lost`,
    );
  if (value.terms.length === 0) code.field(value.n, size);
  else if (value.base) code.fixup(value.n, size, value.base, false);
  else {
    const message = value.hasRegisters
      ? 'a register cannot take part in a number'
      : 'this value combines addresses in a way that the image cannot express';
    at.report(place, message);
    code.field(0, size);
  }
}

function writeRelative(target: Value, size: number, place: Place, at: Position, code: Code): void {
  const end = at.offset + code.length + size;
  if (target.unknown) return code.field(0, size);
  if (target.base === null && !target.isScalar) {
    at.report(place, 'a jump needs one address as its target');
    return code.field(0, size);
  }
  const distance = add(target.n, -end);
  const same = target.base === at.section;
  if (size === 1 && same && (distance < -128 || distance > 127)) {
    const off =
      distance < 0
        ? `${-128n - BigInt(distance)} bytes too far back`
        : `${BigInt(distance) - 127n} bytes too far`;
    at.report(
      place,
      `a short jump does not reach: the target is ${off}`,
      'jump near, or move the target closer',
    );
  }
  if (same) code.field(distance, size);
  else code.fixup(distance, size, target.base, true);
}
