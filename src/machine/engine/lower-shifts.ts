// SHL SHR SAR ROL ROR in compiled code, with the flags of executors/shifts.ts. Counts in CL may be zero and then change
// nothing at all, so they end in code that does not know the flags.
import { OF } from '../cpu/flags.ts';
import type { Instruction } from '../isa/instruction.ts';
import { setCarry, setCarryFromTop, settle, toWord } from './flags-code.ts';
import { type Frame, Local } from './frame.ts';
import { extend, locatePlace, type Place, placeAt, pushPlace, setPlace } from './operands-code.ts';
import { Op } from './wasm-writer.ts';

type Kind = 'shl' | 'shr' | 'sar' | 'rol' | 'ror';
const OF_SHIFT = 11;

export function lowerShift(kind: Kind): (f: Frame, i: Instruction) => void {
  return (f, i) => {
    const { code } = f;
    const place = placeAt(i, 0);
    const by = i.form.operands[1];
    const fixed = by === 'cl' ? -1 : by === 'one' ? 1 : i.immediate & 31;
    locatePlace(f, i, place, true);
    if (fixed === 0) return;
    if (fixed > 0) {
      code.const(fixed);
      code.set(Local.t1);
      turn(f, i, kind, place, fixed, by === 'imm8');
      return;
    }
    settle(f);
    code.with(Local.regs + 1, Op.i32And, 31);
    code.tee(Local.t1);
    code.if();
    turn(f, i, kind, place, -1, false);
    settle(f);
    code.end();
    f.flags = 'dynamic';
  };
}

/** The count is in t1 and not zero; `fixed` is its value when known. */
function turn(f: Frame, i: Instruction, kind: Kind, place: Place, fixed: number, immediate: boolean): void {
  const { code } = f;
  pushPlace(f, i, place);
  if (kind === 'rol' || kind === 'ror') {
    code.set(Local.slot);
    rotate(f, kind, place, immediate && place.kind === 'register' && fixed !== 1);
    return;
  }
  code.set(Local.a);
  const bits = place.size;
  // t0: the operand but for one step; the last step moves CF out.
  if (kind === 'shr' && bits < 32) code.with(Local.a, Op.i32And, (1 << bits) - 1);
  else code.get(Local.a);
  if (fixed > 0) code.const(fixed - 1);
  else code.with(Local.t1, Op.i32Sub, 1);
  code.op(kind === 'shl' ? Op.i32Shl : kind === 'shr' ? Op.i32ShrU : Op.i32ShrS);
  code.tee(Local.t0);
  code.const(1);
  code.op(kind === 'shl' ? Op.i32Shl : kind === 'shr' ? Op.i32ShrU : Op.i32ShrS);
  if (kind === 'shl') extend(f, bits);
  code.set(Local.result);
  if (kind === 'shl') {
    if (bits < 32) code.with(Local.t0, Op.i32Shl, 32 - bits);
    else code.get(Local.t0);
    setCarryFromTop(f);
    if (bits < 32) {
      code.with(Local.a, Op.i32Shl, 32 - bits);
      code.set(Local.a);
    }
  } else {
    code.with(Local.t0, Op.i32And, 1);
    setCarry(f);
  }
  f.flags = kind;
  setPlace(f, place, Local.result);
}

/** The operand is in `slot`. ROL and ROR keep all flags but CF and OF, and by an immediate above 1 of a register OF too. */
function rotate(f: Frame, kind: 'rol' | 'ror', place: Place, keepsOverflow: boolean): void {
  const { code } = f;
  const bits = place.size;
  // The OF of a product is its CF, which changes here.
  if (!keepsOverflow || f.flags === 'product') toWord(f);
  if (bits === 32) {
    code.get(Local.slot);
    code.get(Local.t1);
    code.op(kind === 'rol' ? Op.i32Rotl : Op.i32Rotr);
  } else {
    const mask = (1 << bits) - 1;
    code.with(Local.slot, Op.i32And, mask);
    code.set(Local.t0);
    code.with(Local.t1, Op.i32And, bits - 1);
    code.set(Local.t1);
    code.get(Local.t0);
    code.get(Local.t1);
    code.op(kind === 'rol' ? Op.i32Shl : Op.i32ShrU);
    code.get(Local.t0);
    code.const(bits);
    code.get(Local.t1);
    code.op(Op.i32Sub, kind === 'rol' ? Op.i32ShrU : Op.i32Shl, Op.i32Or);
    extend(f, bits);
  }
  code.set(Local.t0);
  if (kind === 'rol') {
    code.with(Local.t0, Op.i32And, 1);
    setCarry(f);
  } else {
    code.get(Local.t0);
    setCarryFromTop(f);
  }
  if (!keepsOverflow) {
    code.with(Local.flags, Op.i32And, ~OF);
    if (kind === 'rol') {
      code.get(Local.slot);
      code.with(Local.slot, Op.i32Shl, 1);
      code.op(Op.i32Xor);
      code.const(bits - 1);
      code.op(Op.i32ShrU);
    } else {
      code.get(Local.slot);
      code.with(Local.slot, Op.i32ShrU, 31);
      code.op(Op.i32Xor);
    }
    code.const(1);
    code.op(Op.i32And);
    code.const(OF_SHIFT);
    code.op(Op.i32Shl, Op.i32Or);
    code.set(Local.flags);
  }
  setPlace(f, place, Local.t0);
}
