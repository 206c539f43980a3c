// EFLAGS, computed late (SDM vol. 1 §3.4.3, app. A). An ALU operation only notes what it did; a flag is worked out when
// somebody asks. Promise: `getFlags` is at any moment the word that the processor would push.
//
// Operands and result are noted *sign-extended to 32 bits*, whatever the size of the operation. That makes every formula
// independent of the size: zero is zero, the sign is bit 31, and order (signed and unsigned) survives sign extension.
import type { Cpu } from './cpu.ts';

export const CF = 1 << 0;
export const PF = 1 << 2;
export const AF = 1 << 4;
export const ZF = 1 << 6;
export const SF = 1 << 7;
export const TF = 1 << 8;
export const IF = 1 << 9;
export const DF = 1 << 10;
export const OF = 1 << 11;
/** I/O privilege level, two bits. */
export const IOPL = 3 << 12;
export const NT = 1 << 14;
export const RF = 1 << 16;
export const VM = 1 << 17;
export const AC = 1 << 18;
export const VIF = 1 << 19;
export const VIP = 1 << 20;
export const ID = 1 << 21;

/** The six status flags: what arithmetic changes. */
export const STATUS_FLAGS = CF | PF | AF | ZF | SF | OF;
/** What INC and DEC change. */
const STATUS_BUT_CARRY = STATUS_FLAGS & ~CF;
/** Flags that follow from a result alone. */
const RESULT_FLAGS = ZF | SF | PF;
/** Bits of EFLAGS that exist and a program can set; bit 1 is always one. */
export const WRITABLE = STATUS_FLAGS | TF | IF | DF | IOPL | NT | RF | VM | AC | VIF | VIP | ID;

/** `lazyKind`: result = A - B (- borrow). Logic is noted as `result - 0`, which gives CF = OF = AF = 0. */
const SUBTRACTION = 0;
/** `lazyKind`: result = A + B (+ carry). */
const ADDITION = 1;

// `lazyMask` is one of: 0, RESULT_FLAGS, STATUS_BUT_CARRY, STATUS_FLAGS. So whenever OF is lazy, ZF SF PF AF are too.

/** Notes result = a + b (+ carry); all three sign-extended to int32. */
export function noteAddition(cpu: Cpu, a: number, b: number, result: number): void {
  cpu.lazyMask = STATUS_FLAGS;
  cpu.lazyKind = ADDITION;
  cpu.lazyA = a;
  cpu.lazyB = b;
  cpu.lazyResult = result;
}

/** Notes result = a - b (- borrow); all three sign-extended to int32. */
export function noteSubtraction(cpu: Cpu, a: number, b: number, result: number): void {
  cpu.lazyMask = STATUS_FLAGS;
  cpu.lazyKind = SUBTRACTION;
  cpu.lazyA = a;
  cpu.lazyB = b;
  cpu.lazyResult = result;
}

/** Notes the sign-extended result of AND, OR, XOR, TEST: CF = OF = 0 (and AF = 0, which the manual leaves open). */
export function noteLogic(cpu: Cpu, result: number): void {
  cpu.lazyMask = STATUS_FLAGS;
  cpu.lazyKind = SUBTRACTION;
  cpu.lazyA = result;
  cpu.lazyB = 0;
  cpu.lazyResult = result;
}

/** Notes result = a + 1, keeping CF. */
export function noteIncrement(cpu: Cpu, a: number, result: number): void {
  if (cpu.lazyMask & CF) cpu.flags = (cpu.flags & ~CF) | lazyCarry(cpu);
  cpu.lazyMask = STATUS_BUT_CARRY;
  cpu.lazyKind = ADDITION;
  cpu.lazyA = a;
  cpu.lazyB = 1;
  cpu.lazyResult = result;
}

/** Notes result = a - 1, keeping CF. */
export function noteDecrement(cpu: Cpu, a: number, result: number): void {
  if (cpu.lazyMask & CF) cpu.flags = (cpu.flags & ~CF) | lazyCarry(cpu);
  cpu.lazyMask = STATUS_BUT_CARRY;
  cpu.lazyKind = SUBTRACTION;
  cpu.lazyA = a;
  cpu.lazyB = 1;
  cpu.lazyResult = result;
}

/**
 * Notes a result whose CF, OF and AF the caller knows (shifts, multiplication, decimal adjustment).
 * @param explicit CF, OF and AF as bits of EFLAGS
 */
export function noteResult(cpu: Cpu, result: number, explicit: number): void {
  cpu.flags = (cpu.flags & ~(CF | OF | AF)) | explicit;
  cpu.lazyMask = RESULT_FLAGS;
  cpu.lazyResult = result;
}

/** Sets the named flags and leaves all others. `bits` must lie within `mask`. */
export function replaceFlags(cpu: Cpu, mask: number, bits: number): void {
  cpu.flags = (getFlags(cpu) & ~mask) | bits;
}

/** Sets CF alone, without working the others out. @param carry 0 or 1 */
export function setCarry(cpu: Cpu, carry: number): void {
  cpu.flags = (cpu.flags & ~CF) | carry;
  cpu.lazyMask &= ~CF;
}

/** EFLAGS, all bits. Also settles what was lazy. */
export function getFlags(cpu: Cpu): number {
  const mask = cpu.lazyMask;
  if (mask === 0) return cpu.flags;
  let word = zeroSignParity(cpu.lazyResult);
  if (mask & OF) word |= lazyOverflow(cpu) | lazyAuxiliary(cpu) | lazyCarry(cpu);
  cpu.lazyMask = 0;
  return (cpu.flags = (cpu.flags & ~mask) | (word & mask));
}

/** Replaces EFLAGS. Bits that do not exist are dropped, bit 1 stays one; who may change which bit is the caller's affair. */
export function setFlags(cpu: Cpu, value: number): void {
  cpu.flags = (value & WRITABLE) | 2;
  cpu.lazyMask = 0;
}

/** ZF, SF and PF of a sign-extended result, as bits of EFLAGS. */
export function zeroSignParity(result: number): number {
  return (result === 0 ? ZF : 0) | ((result >>> 24) & SF) | parityOf(result);
}

/** PF of the low byte: set when it has an even number of ones. */
function parityOf(result: number): number {
  return ((0x9669 >> ((result ^ (result >> 4)) & 15)) & 1) << 2;
}

function lazyCarry(cpu: Cpu): number {
  return carryFrom(cpu.lazyKind, cpu.lazyA, cpu.lazyB, cpu.lazyResult);
}

/** CF, 0 or 1, of what was noted: kind, operands and result. */
export function carryFrom(kind: number, a: number, b: number, r: number): number {
  // Carry (or borrow) out of the top bit, from operands and result: also right when a carry came in.
  return kind === SUBTRACTION ? ((~a & b) | (~(a ^ b) & r)) >>> 31 : ((a & b) | ((a | b) & ~r)) >>> 31;
}

function lazyOverflow(cpu: Cpu): number {
  return (overflowFrom(cpu.lazyKind, cpu.lazyA, cpu.lazyB, cpu.lazyResult) >>> 20) & OF;
}

/** OF of what was noted, as the sign of a word. */
export function overflowFrom(kind: number, a: number, b: number, r: number): number {
  return (kind === SUBTRACTION ? a ^ b : b ^ r) & (a ^ r);
}

function lazyAuxiliary(cpu: Cpu): number {
  return (cpu.lazyA ^ cpu.lazyB ^ cpu.lazyResult) & AF;
}

/** CF as 0 or 1. */
export function carry(cpu: Cpu): number {
  return cpu.lazyMask & CF ? lazyCarry(cpu) : cpu.flags & CF;
}

/** ZF. */
export function isZero(cpu: Cpu): boolean {
  return cpu.lazyMask & ZF ? cpu.lazyResult === 0 : (cpu.flags & ZF) !== 0;
}

/** SF. */
export function isSign(cpu: Cpu): boolean {
  return cpu.lazyMask & SF ? cpu.lazyResult < 0 : (cpu.flags & SF) !== 0;
}

/** PF. */
export function isParity(cpu: Cpu): boolean {
  return (cpu.lazyMask & PF ? parityOf(cpu.lazyResult) : cpu.flags & PF) !== 0;
}

/** OF. */
export function isOverflow(cpu: Cpu): boolean {
  return (cpu.lazyMask & OF ? lazyOverflow(cpu) : cpu.flags & OF) !== 0;
}

/** CF = 1: unsigned below. */
export function isBelow(cpu: Cpu): boolean {
  return carry(cpu) !== 0;
}

/** CF = 1 or ZF = 1: unsigned below or equal. */
export function isBelowOrEqual(cpu: Cpu): boolean {
  return carry(cpu) !== 0 || isZero(cpu);
}

/** SF ≠ OF: signed less. */
export function isLess(cpu: Cpu): boolean {
  if (cpu.lazyMask & OF && cpu.lazyKind === SUBTRACTION) {
    const a = cpu.lazyA;
    const r = cpu.lazyResult;
    return (r ^ ((a ^ cpu.lazyB) & (a ^ r))) < 0;
  }
  return isSign(cpu) !== isOverflow(cpu);
}

/** ZF = 1 or SF ≠ OF: signed less or equal. */
export function isLessOrEqual(cpu: Cpu): boolean {
  return isZero(cpu) || isLess(cpu);
}

/** Whether condition `cc` (0..15 as encoded, SDM vol. 1 app. B) holds. */
export function condition(cpu: Cpu, cc: number): boolean {
  switch (cc) {
    case 0:
      return isOverflow(cpu);
    case 1:
      return !isOverflow(cpu);
    case 2:
      return isBelow(cpu);
    case 3:
      return !isBelow(cpu);
    case 4:
      return isZero(cpu);
    case 5:
      return !isZero(cpu);
    case 6:
      return isBelowOrEqual(cpu);
    case 7:
      return !isBelowOrEqual(cpu);
    case 8:
      return isSign(cpu);
    case 9:
      return !isSign(cpu);
    case 10:
      return isParity(cpu);
    case 11:
      return !isParity(cpu);
    case 12:
      return isLess(cpu);
    case 13:
      return !isLess(cpu);
    case 14:
      return isLessOrEqual(cpu);
    default:
      return !isLessOrEqual(cpu);
  }
}
