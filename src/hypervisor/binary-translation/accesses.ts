// Memory accesses that the monitor makes itself, because at their place they trap too often, or because a truncated segment does
// not reach where they go: the moves, the arithmetic and the string instructions that kernels use there (SDM vol. 2).
import { VECTOR } from '../../machine/cpu/fault.ts';
import { DF } from '../../machine/cpu/flags.ts';
import { EAX, ECX, EDI, ES, ESI, type Instruction, REP_NONE, SS } from '../../machine/isa/instruction.ts';
import { skip } from '../deprivileged/emulator.ts';
import { guestFault } from '../deprivileged/linear.ts';
import { loaded, offsetOf } from '../deprivileged/operands.ts';
import { HYPERVISOR_START } from '../monitor.ts';
import type { Resume } from '../technique.ts';
import { type Bits, combine, type Flagged, unary } from './arithmetic.ts';
import type { TranslatedGuest } from './guest.ts';

/** Elements of a string moved at once; the rest follows at the next call-out, so that interrupts get their turn. */
const BATCH = 256;

/** Bits of the operands. */
function sizeOf(i: Instruction): Bits {
  const narrow = i.form.operands.some((kind) => ['rm8', 'r8', 'moffs8'].includes(kind));
  if (STRINGS.has(i.form.operation)) return (i.form.opcode & 1) === 0 ? 8 : i.operandSize;
  return narrow ? 8 : i.operandSize;
}

const STRINGS: ReadonlySet<string> = new Set(['stos', 'movs', 'lods']);
const COMBINED: ReadonlySet<string> = new Set([
  'add',
  'or',
  'adc',
  'sbb',
  'and',
  'sub',
  'xor',
  'cmp',
  'test',
]);
const UNARY: ReadonlySet<string> = new Set(['inc', 'dec', 'not', 'neg']);

/** Whether the monitor can make this instruction's accesses. */
export function canMake(i: Instruction): boolean {
  const { operation } = i.form;
  if (STRINGS.has(operation)) return true;
  if (!i.memory) return false;
  return (
    COMBINED.has(operation) || UNARY.has(operation) || ['mov', 'movzx', 'movsx', 'xchg'].includes(operation)
  );
}

/** A general register of 8, 16 or 32 bits, zero-extended. */
function register(guest: TranslatedGuest, n: number, size: Bits): number {
  const { regs } = guest.vcpu;
  if (size === 32) return regs[n];
  if (size === 16) return regs[n] & 0xffff;
  return n < 4 ? regs[n] & 0xff : (regs[n - 4] >>> 8) & 0xff;
}

function setRegister(guest: TranslatedGuest, n: number, size: Bits, value: number): void {
  const { regs } = guest.vcpu;
  if (size === 32) regs[n] = value;
  else if (size === 16) regs[n] = (regs[n] & ~0xffff) | (value & 0xffff);
  else if (n < 4) regs[n] = (regs[n] & ~0xff) | (value & 0xff);
  else regs[n - 4] = (regs[n - 4] & ~0xff00) | ((value & 0xff) << 8);
}

/** Linear address of an offset, checked against the limit of the guest's own descriptor where ours was cut off. Raises #GP, #SS. */
function linearFor(guest: TranslatedGuest, segment: number, offset: number, bytes: number): number {
  const d = loaded(guest, segment);
  const vector = segment === SS ? VECTOR.SS : VECTOR.GP;
  if (!d.isSegment || !d.present) guestFault(vector, 0);
  const { base } = d;
  const last = offset + bytes - 1;
  const expandsDown = (d.high & 0x1c00) === 0x1400;
  const inside = expandsDown ? offset > d.limit : last <= d.limit;
  if (!inside && !(isCut(guest, segment) && last <= 0xffffffff)) guestFault(vector, 0);
  return (base + offset) >>> 0;
}

/** Whether a segment ends where the monitor begins only because it was cut off there. */
export function isCut(guest: TranslatedGuest, segment: number): boolean {
  const { base, limit } = loaded(guest, segment);
  return base + limit === HYPERVISOR_START - 1;
}

/** Whether an instruction that the processor refused goes where a segment was cut off. */
export function reachesBeyond(guest: TranslatedGuest, i: Instruction): boolean {
  const { operation } = i.form;
  if (STRINGS.has(operation)) {
    const { regs } = guest.vcpu;
    const source = operation !== 'stos' && isCut(guest, i.segment) && beyond(guest, i.segment, regs[ESI]);
    return source || (operation !== 'lods' && isCut(guest, ES) && beyond(guest, ES, regs[EDI]));
  }
  return i.memory && isCut(guest, i.segment) && beyond(guest, i.segment, offsetOf(guest, i));
}

const beyond = (guest: TranslatedGuest, segment: number, offset: number): boolean =>
  (loaded(guest, segment).base + (offset >>> 0)) >>> 0 >= HYPERVISOR_START - 3;

function read(guest: TranslatedGuest, linear: number, size: Bits): number {
  const { linear: memory } = guest;
  return size === 8 ? memory.read8(linear) : size === 16 ? memory.read16(linear) : memory.read32(linear);
}

/** Does the instruction at which the guest's kernel stands. Raises what its accesses meet; then nothing has changed. */
export function makeAccess(guest: TranslatedGuest, i: Instruction): Resume {
  const { operation } = i.form;
  if (STRINGS.has(operation)) return string(guest, i);
  const size = operation.startsWith('movz') || operation.startsWith('movs') ? sourceSize(i) : sizeOf(i);
  const linear = linearFor(guest, i.segment, offsetOf(guest, i), size >> 3);
  const write = (value: number): void => guest.linear.write(linear, value, size >> 3);
  if (operation === 'mov') move(guest, i, linear, size);
  else if (operation === 'movzx' || operation === 'movsx') {
    const value = read(guest, linear, size);
    const shift = 32 - size;
    setRegister(guest, i.reg, i.operandSize, operation === 'movzx' ? value : (value << shift) >> shift);
  } else if (operation === 'xchg') {
    const value = read(guest, linear, size);
    write(register(guest, i.reg, size));
    setRegister(guest, i.reg, size, value);
  } else if (UNARY.has(operation)) {
    const done = unary(operation, read(guest, linear, size), size, guest.frame.eflags);
    write(done.value);
    guest.frame.eflags = done.flags;
  } else arithmetic(guest, i, linear, size);
  return skip(guest, i);
}

const sourceSize = (i: Instruction): Bits => (i.form.operands[1] === 'rm8' ? 8 : 16);

/** Whether memory is the first operand. */
const toMemory = (i: Instruction): boolean => /^(rm|moffs)/.test(i.form.operands[0]);

const immediateOf = (i: Instruction): boolean => (i.form.operands[1] ?? '').startsWith('imm');

function move(guest: TranslatedGuest, i: Instruction, linear: number, size: Bits): void {
  const accumulator = i.form.operands.some((kind) => kind.startsWith('moffs'));
  const n = accumulator ? EAX : i.reg;
  if (!toMemory(i)) setRegister(guest, n, size, read(guest, linear, size));
  else guest.linear.write(linear, immediateOf(i) ? i.immediate : register(guest, n, size), size >> 3);
}

function arithmetic(guest: TranslatedGuest, i: Instruction, linear: number, size: Bits): void {
  const { operation } = i.form;
  const memory = read(guest, linear, size);
  const other = immediateOf(i) ? i.immediate : register(guest, i.reg, size);
  const first = toMemory(i);
  const done: Flagged = first
    ? combine(operation, memory, other, size, guest.frame.eflags)
    : combine(operation, other, memory, size, guest.frame.eflags);
  if (operation !== 'cmp' && operation !== 'test') {
    if (first) guest.linear.write(linear, done.value, size >> 3);
    else setRegister(guest, i.reg, size, done.value);
  }
  guest.frame.eflags = done.flags;
}

function string(guest: TranslatedGuest, i: Instruction): Resume {
  const { operation } = i.form;
  const { regs } = guest.vcpu;
  const size = sizeOf(i);
  const mask = i.addressSize === 32 ? -1 : 0xffff;
  const step = guest.frame.eflags & DF ? -(size >> 3) : size >> 3;
  const advance = (n: number, by: number): void => {
    regs[n] = (regs[n] & ~mask) | ((regs[n] + by) & mask);
  };
  const repeated = i.rep !== REP_NONE;
  for (let done = 0; !repeated || (regs[ECX] & mask) !== 0; done++) {
    if (done === BATCH) return 'enter';
    const value =
      operation === 'stos'
        ? register(guest, EAX, size)
        : read(guest, linearFor(guest, i.segment, (regs[ESI] & mask) >>> 0, size >> 3), size);
    if (operation === 'lods') setRegister(guest, EAX, size, value);
    else guest.linear.write(linearFor(guest, ES, (regs[EDI] & mask) >>> 0, size >> 3), value, size >> 3);
    if (operation !== 'stos') advance(ESI, step);
    if (operation !== 'lods') advance(EDI, step);
    guest.hypervisor.charge.guestWalkReference();
    if (!repeated) break;
    advance(ECX, -1);
  }
  return skip(guest, i);
}
