// MUL IMUL DIV IDIV in compiled code. Products and quotients of 32 bits take 64-bit arithmetic; smaller ones and whatever
// would raise #DE are for the interpreter.
import { EAX, EDX, type Instruction } from '../isa/instruction.ts';
import { setCarry } from './flags-code.ts';
import { type Frame, Local } from './frame.ts';
import { fetch, setRegister } from './operands-code.ts';
import { Op } from './wasm-writer.ts';

/** Notes a product: its low half in t0, whether bits were lost (0 or 1) in t1. ZF stays clear and PF is that of the low half. */
function noteProduct(f: Frame): void {
  const { code } = f;
  code.get(Local.t1);
  setCarry(f);
  // A low half of zero: 100h has the same SF and PF, and is not zero.
  code.get(Local.t0);
  code.const(0x100);
  code.get(Local.t0);
  code.op(Op.select);
  code.set(Local.result);
  f.flags = 'product';
}

/** IMUL with two or three operands. */
export function lowerMultiply(f: Frame, i: Instruction): void {
  const { code } = f;
  const { operands } = i.form;
  const byImmediate = operands[operands.length - 1].startsWith('imm');
  if (byImmediate) {
    if (operands.length === 3) fetch(f, i, 1, Local.t1);
    else {
      code.get(Local.regs + i.rm);
      if (i.operandSize === 16) code.op(Op.i32Extend16s);
      code.set(Local.t1);
    }
    code.const(i.operandSize === 16 ? (i.immediate << 16) >> 16 : i.immediate);
    code.set(Local.t0);
  } else {
    fetch(f, i, 1, Local.t1);
    fetch(f, i, 0, Local.t0);
  }
  if (i.operandSize === 16) {
    code.get(Local.t0);
    code.get(Local.t1);
    code.op(Op.i32Mul);
    code.tee(Local.slot);
    code.op(Op.i32Extend16s);
    code.tee(Local.t0);
    code.get(Local.slot);
    code.op(Op.i32Ne);
    code.set(Local.t1);
  } else {
    code.get(Local.t0);
    code.op(Op.i64ExtendI32s);
    code.get(Local.t1);
    code.op(Op.i64ExtendI32s, Op.i64Mul);
    code.tee(Local.wide);
    code.op(Op.i32WrapI64);
    code.tee(Local.t0);
    code.op(Op.i64ExtendI32s);
    code.get(Local.wide);
    code.op(Op.i64Ne);
    code.set(Local.t1);
  }
  setRegister(f, i.reg, i.operandSize, Local.t0);
  noteProduct(f);
}

/** MUL and IMUL with one operand. */
export function lowerWide(signed: boolean): (f: Frame, i: Instruction) => void {
  const widen = signed ? Op.i64ExtendI32s : Op.i64ExtendI32u;
  return (f, i) => {
    const { code } = f;
    fetch(f, i, 0, Local.t1);
    f.reg(EAX);
    code.op(widen);
    code.get(Local.t1);
    code.op(widen, Op.i64Mul);
    code.tee(Local.wide);
    code.op(Op.i32WrapI64);
    code.tee(Local.t0);
    f.setReg(EAX);
    code.get(Local.wide);
    shiftWide(f, Op.i64ShrU, 32);
    code.op(Op.i32WrapI64);
    code.tee(Local.t1);
    f.setReg(EDX);
    code.get(Local.t1);
    if (signed) {
      code.with(Local.t0, Op.i32ShrS, 31);
      code.op(Op.i32Ne);
    } else code.op(Op.i32Eqz, Op.i32Eqz);
    code.set(Local.t1);
    noteProduct(f);
  };
}

function shiftWide(f: Frame, op: number, by: number): void {
  f.code.byte(Op.i64Const);
  f.code.s32(by);
  f.code.op(op);
}

export function lowerDivide(signed: boolean): (f: Frame, i: Instruction) => void {
  return (f, i) => {
    const { code } = f;
    fetch(f, i, 0, Local.t1);
    if (signed) {
      // 0 faults, and -1 may overflow even 64 bits.
      code.with(Local.t1, Op.i32Add, 1);
      code.const(2);
      code.op(Op.i32LtU);
      f.leaveHereIf();
    } else {
      f.reg(EDX);
      code.get(Local.t1);
      code.op(Op.i32GeU);
      f.leaveHereIf();
    }
    f.reg(EDX);
    code.op(Op.i64ExtendI32u);
    shiftWide(f, Op.i64Shl, 32);
    f.reg(EAX);
    code.op(Op.i64ExtendI32u, Op.i64Or);
    code.tee(Local.wide);
    code.get(Local.t1);
    code.op(signed ? Op.i64ExtendI32s : Op.i64ExtendI32u, signed ? Op.i64DivS : Op.i64DivU);
    code.set(Local.wide2);
    if (signed) {
      code.get(Local.wide2);
      code.get(Local.wide2);
      code.op(Op.i32WrapI64, Op.i64ExtendI32s, Op.i64Ne);
      f.leaveHereIf();
    }
    code.get(Local.wide2);
    code.op(Op.i32WrapI64);
    code.tee(Local.t0);
    f.setReg(EAX);
    // The remainder fits 32 bits, so its low half is enough.
    code.get(Local.wide);
    code.op(Op.i32WrapI64);
    code.get(Local.t0);
    code.get(Local.t1);
    code.op(Op.i32Mul, Op.i32Sub);
    f.setReg(EDX);
  };
}
