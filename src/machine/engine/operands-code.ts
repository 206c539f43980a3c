// Operands of instructions in compiled code: registers of all sizes, memory, immediates. Values are sign-extended to 32
// bits, as the lazy flags want them.

import { placeOf, sizeOfKind } from '../cpu/executors/operands.ts';
import type { Instruction } from '../isa/instruction.ts';
import { type Frame, Local } from './frame.ts';
import { loadSigned, locate, placeName, type Size, store } from './memory-code.ts';
import { Op } from './wasm-writer.ts';

export type Place =
  | { kind: 'register'; register: number; size: Size }
  | { kind: 'memory'; size: Size }
  | { kind: 'immediate'; size: Size };

/** What operand `n` of an instruction names. */
export function placeAt(i: Instruction, n: number): Place {
  const kind = i.form.operands[n];
  const size = sizeOfKind(i, kind);
  switch (placeOf(i, kind)) {
    case 'immediate':
      return { kind: 'immediate', size };
    case 'memory':
      return { kind: 'memory', size };
    case 'accumulator':
      return { kind: 'register', register: 0, size };
    case 'rm':
      return { kind: 'register', register: i.rm, size };
    default:
      return { kind: 'register', register: i.reg, size };
  }
}

/** Sign-extends the word on the stack. */
export function extend(f: Frame, size: Size): void {
  if (size === 8) f.code.op(Op.i32Extend8s);
  else if (size === 16) f.code.op(Op.i32Extend16s);
}

/** A register on the stack, sign-extended. */
export function pushRegister(f: Frame, register: number, size: Size): void {
  if (size === 8 && register >= 4) {
    f.reg(register - 4);
    f.code.const(16);
    f.code.op(Op.i32Shl);
    f.code.const(24);
    f.code.op(Op.i32ShrS);
    return;
  }
  f.reg(register);
  extend(f, size);
}

/** Puts a local into a register, of which the other bits stay. */
export function setRegister(f: Frame, register: number, size: Size, local: number): void {
  const { code } = f;
  if (size === 32) {
    code.get(local);
    f.setReg(register);
    return;
  }
  const high = size === 8 && register >= 4;
  const to = high ? register - 4 : register;
  const mask = size === 16 ? 0xffff : 0xff;
  f.reg(to);
  code.const(~(high ? mask << 8 : mask));
  code.op(Op.i32And);
  code.get(local);
  code.const(mask);
  code.op(Op.i32And);
  if (high) {
    code.const(8);
    code.op(Op.i32Shl);
  }
  code.op(Op.i32Or);
  f.setReg(to);
}

/** Finds the memory operand, so that `pushPlace` and `setPlace` cannot leave the region any more. */
export function locatePlace(f: Frame, i: Instruction, place: Place, write: boolean): void {
  if (place.kind !== 'memory') return;
  f.address(i);
  locate(f, i.segment, place.size, write, placeName(i, write));
}

/** The value of a place, sign-extended, on the stack. Memory must have been located. */
export function pushPlace(f: Frame, i: Instruction, place: Place): void {
  if (place.kind === 'register') pushRegister(f, place.register, place.size);
  else if (place.kind === 'memory') loadSigned(f, place.size);
  else {
    const shift = 32 - place.size;
    f.code.const((i.immediate << shift) >> shift);
  }
}

export function setPlace(f: Frame, place: Place, local: number): void {
  if (place.kind === 'register') setRegister(f, place.register, place.size, local);
  else if (place.kind === 'memory') store(f, place.size, local);
}

/** `local` ← the value of the memory operand or register of operand `n`. */
export function fetch(f: Frame, i: Instruction, n: number, local: number = Local.t0): Place {
  const place = placeAt(i, n);
  locatePlace(f, i, place, false);
  pushPlace(f, i, place);
  f.code.set(local);
  return place;
}
