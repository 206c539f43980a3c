// EFLAGS in compiled code. The same lazy scheme as cpu/flags.ts, but what the last operation was is mostly known while
// compiling, and then a condition is one comparison.

import { AF, CF, OF, PF, SF, STATUS_FLAGS, ZF } from '../cpu/flags.ts';
import { type FlagState, type Frame, Local, WORD_HELPER } from './frame.ts';
import { Op, type WasmFunction, Writer } from './wasm-writer.ts';

const RESULT = ZF | SF | PF;
const BUT_CARRY = STATUS_FLAGS & ~CF;
const SUBTRACTION = 0;
const ADDITION = 1;
/** With this as `carryA`, CF is bit 31 of `carryB`. */
const BELOW_TOP = 0x7fffffff;
const OF_SHIFT = 11;

/** `lazyMask` and `lazyKind` of a state that is known. CF is never lazy: it has locals of its own. */
export function maskAndKind(state: Exclude<FlagState, 'dynamic'>): readonly [mask: number, kind: number] {
  switch (state) {
    case 'word':
      return [0, SUBTRACTION];
    case 'result':
    case 'shl':
    case 'shr':
    case 'sar':
    case 'product':
      return [RESULT, SUBTRACTION];
    case 'add':
    case 'adc':
    case 'inc':
      return [BUT_CARRY, ADDITION];
    default:
      return [BUT_CARRY, SUBTRACTION];
  }
}

/** Whether OF is known from the operand alone, and AF is clear. */
const isShift = (state: FlagState) =>
  state === 'shl' || state === 'shr' || state === 'sar' || state === 'product';

/** Before control joins code that knows nothing: everything into the locals. */
export function settle(f: Frame): void {
  const { code } = f;
  if (f.flags === 'dynamic') return;
  if (isShift(f.flags)) {
    code.with(Local.flags, Op.i32And, ~(OF | AF));
    pushShiftOverflow(code, f.flags);
    code.const(OF_SHIFT);
    code.op(Op.i32Shl, Op.i32Or);
    code.set(Local.flags);
  }
  const [mask, kind] = maskAndKind(f.flags);
  code.const(mask);
  code.set(Local.mask);
  code.const(kind);
  code.set(Local.kind);
  if (f.flags === 'logic') {
    code.get(Local.result);
    code.set(Local.a);
    code.const(0);
    code.set(Local.b);
  } else if (f.flags === 'inc' || f.flags === 'dec') {
    code.const(1);
    code.set(Local.b);
  }
  f.flags = 'dynamic';
}

/** Works all flags but CF out into the word. */
export function toWord(f: Frame): void {
  if (f.flags === 'word') return;
  settle(f);
  const { code } = f;
  for (const local of [Local.flags, Local.mask, Local.kind, Local.a, Local.b, Local.result]) code.get(local);
  code.call(WORD_HELPER);
  code.set(Local.flags);
  f.flags = 'word';
}

/** CF as 0 or 1, on the stack. */
export function pushCarry(f: Frame): void {
  f.code.get(Local.carryA);
  f.code.get(Local.carryB);
  f.code.op(Op.i32LtU);
}

/** CF ← the word on the stack, which is 0 or 1. */
export function setCarry(f: Frame): void {
  f.code.set(Local.carryB);
  f.code.const(0);
  f.code.set(Local.carryA);
}

/** CF ← bit 31 of the word on the stack. */
export function setCarryFromTop(f: Frame): void {
  f.code.set(Local.carryB);
  f.code.const(BELOW_TOP);
  f.code.set(Local.carryA);
}

/** CF of an addition (without carry in), a subtraction (without borrow) or logic that has just left a, b and the result in their locals. */
export function noteCarry(f: Frame, state: FlagState): void {
  const { code } = f;
  const { a, b, result } = Local;
  if (state === 'adc' || state === 'sbb') {
    carryOf(code, state === 'adc' ? ADDITION : SUBTRACTION, a, b, result);
    setCarry(f);
    return;
  }
  if (state === 'logic') code.const(0);
  else code.get(state === 'add' ? result : a);
  code.set(Local.carryA);
  if (state === 'logic') code.const(0);
  else code.get(state === 'add' ? a : b);
  code.set(Local.carryB);
}

/** Carry or borrow out of the top bit: the formulas of cpu/flags.ts. */
function carryOf(code: Writer, kind: number, a: number, b: number, r: number): void {
  const not = (local: number) => code.with(local, Op.i32Xor, -1);
  if (kind === SUBTRACTION) {
    not(a);
    code.get(b);
    code.op(Op.i32And);
    code.get(a);
    code.get(b);
    code.op(Op.i32Xor);
    code.const(-1);
    code.op(Op.i32Xor);
    code.get(r);
  } else {
    code.get(a);
    code.get(b);
    code.op(Op.i32And);
    code.get(a);
    code.get(b);
    code.op(Op.i32Or);
    not(r);
  }
  code.op(Op.i32And, Op.i32Or);
  code.const(31);
  code.op(Op.i32ShrU);
}

/** OF of a shift or product as 0 or 1. */
function pushShiftOverflow(code: Writer, state: FlagState): void {
  if (state === 'sar') {
    code.const(0);
    return;
  }
  if (state === 'product') {
    code.get(Local.carryB);
    return;
  }
  code.get(Local.a);
  if (state === 'shl') {
    code.with(Local.a, Op.i32Shl, 1);
    code.op(Op.i32Xor);
  }
  code.const(31);
  code.op(Op.i32ShrU);
}

/** Condition `cc` as encoded, on the stack as 0 or not 0. */
export function pushCondition(f: Frame, cc: number): void {
  pushEven(f, cc & ~1);
  if (cc & 1) f.code.op(Op.i32Eqz);
}

/** The eight conditions that are not negated. */
function pushEven(f: Frame, cc: number): void {
  const { code } = f;
  if (f.flags === 'dynamic') toWord(f);
  const state = f.flags;
  const compare = (op: number) => {
    code.get(Local.a);
    code.get(Local.b);
    code.op(op);
  };
  const result = (op: number) => code.with(Local.result, op, 0);
  const derived = state !== 'word';
  const known = derived && state !== 'result';
  switch (cc) {
    case 2:
      pushCarry(f);
      return;
    case 4:
      if (derived) result(Op.i32Eq);
      else code.with(Local.flags, Op.i32And, ZF);
      return;
    case 6:
      if (state === 'sub') return compare(Op.i32LeU);
      if (state === 'logic') return result(Op.i32Eq);
      pushCarry(f);
      pushEven(f, 4);
      code.op(Op.i32Or);
      return;
    case 8:
      if (derived) result(Op.i32LtS);
      else code.with(Local.flags, Op.i32And, SF);
      return;
    case 10:
      if (derived) pushParity(code, Local.result);
      else code.with(Local.flags, Op.i32And, PF);
      return;
    case 12:
      if (state === 'sub') return compare(Op.i32LtS);
      if (state === 'logic') return result(Op.i32LtS);
      // SF and OF as 0 or 1 each.
      pushEven(f, 8);
      code.op(Op.i32Eqz);
      pushEven(f, 0);
      code.op(Op.i32Eqz, Op.i32Xor);
      return;
    case 14:
      if (state === 'sub') return compare(Op.i32LeS);
      if (state === 'logic') return result(Op.i32LeS);
      pushEven(f, 4);
      pushEven(f, 12);
      code.op(Op.i32Or);
      return;
    default:
      if (state === 'logic') code.const(0);
      else if (isShift(state)) pushShiftOverflow(code, state);
      else if (known) pushOverflow(code, state);
      else code.with(Local.flags, Op.i32And, OF);
  }
}

/** OF, not 0 when set. */
function pushOverflow(code: Writer, state: FlagState): void {
  const { a, b, result } = Local;
  const subtracts = state === 'sub' || state === 'sbb' || state === 'dec';
  // INC and DEC have 1 as their second operand, which may not stand in its local yet.
  const one = state === 'inc' || state === 'dec';
  const pushB = () => (one ? code.const(1) : code.get(b));
  if (subtracts) code.get(a);
  pushB();
  if (!subtracts) code.get(result);
  code.op(Op.i32Xor);
  code.get(a);
  code.get(result);
  code.op(Op.i32Xor, Op.i32And);
  code.const(0);
  code.op(Op.i32LtS);
}

/** PF of the low byte: 4 or 0. */
function pushParity(code: Writer, local: number): void {
  code.const(0x9669);
  code.get(local);
  code.with(local, Op.i32ShrS, 4);
  code.op(Op.i32Xor);
  code.const(15);
  code.op(Op.i32And, Op.i32ShrU);
  code.const(1);
  code.op(Op.i32And);
  code.const(2);
  code.op(Op.i32Shl);
}

/** The helper `word(flags, mask, kind, a, b, result)`: `getFlags` of cpu/flags.ts, but for CF. */
export function wordHelper(): WasmFunction {
  const code = new Writer();
  const [flags, mask, kind, a, b, r, word] = [0, 1, 2, 3, 4, 5, 6];
  const both = (left: () => void, right: () => void, op: number) => {
    left();
    right();
    code.op(op);
  };
  // ZF | SF | PF
  code.with(r, Op.i32Eq, 0);
  code.const(6);
  code.op(Op.i32Shl);
  code.with(r, Op.i32ShrU, 24);
  code.const(SF);
  code.op(Op.i32And, Op.i32Or);
  pushParity(code, r);
  code.op(Op.i32Or);
  // AF
  both(
    () =>
      both(
        () => code.get(a),
        () => code.get(b),
        Op.i32Xor,
      ),
    () => code.get(r),
    Op.i32Xor,
  );
  code.const(AF);
  code.op(Op.i32And, Op.i32Or);
  code.set(word);
  code.get(kind);
  code.if();
  both(
    () => code.get(b),
    () => code.get(r),
    Op.i32Xor,
  );
  overflow();
  code.else();
  both(
    () => code.get(a),
    () => code.get(b),
    Op.i32Xor,
  );
  overflow();
  code.end();
  function overflow(): void {
    both(
      () => code.get(a),
      () => code.get(r),
      Op.i32Xor,
    );
    code.op(Op.i32And);
    code.const(20);
    code.op(Op.i32ShrU);
    code.const(OF);
    code.op(Op.i32And);
    code.get(word);
    code.op(Op.i32Or);
    code.set(word);
  }
  code.with(mask, Op.i32Xor, -1);
  code.get(flags);
  code.op(Op.i32And);
  both(
    () => code.get(word),
    () => code.get(mask),
    Op.i32And,
  );
  code.op(Op.i32Or, Op.end);
  return { params: 6, i32Locals: 1, i64Locals: 0, moreLocals: 0, code };
}
