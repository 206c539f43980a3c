// What branches are made of: conditions, the count in ECX, the return address, the limit of CS.
import { ECX, type Instruction } from '../isa/instruction.ts';
import { pushCondition } from './flags-code.ts';
import { type Frame, Local } from './frame.ts';
import { pushLocal } from './lower.ts';
import { Op } from './wasm-writer.ts';

/** Branches that count ECX down. */
export const COUNTING: ReadonlySet<string> = new Set(['loop', 'loope', 'loopne']);
/** The condition ZF = 1 as encoded. */
const ZERO = 4;

/** Whether a conditional branch is taken, on the stack. */
export function pushBranch(f: Frame, { form }: Instruction): void {
  const { operation } = form;
  if (operation === 'jcxz') {
    f.reg(ECX);
    f.code.op(Op.i32Eqz);
    return;
  }
  if (!COUNTING.has(operation)) {
    pushCondition(f, form.condition!);
    return;
  }
  f.reg(ECX);
  f.code.const(1);
  f.code.op(Op.i32Ne);
  if (operation === 'loop') return;
  // ZF as 0 or 1.
  pushCondition(f, operation === 'loope' ? ZERO : ZERO + 1);
  f.code.op(Op.i32Eqz, Op.i32Eqz, Op.i32And);
}

export function countDown(f: Frame): void {
  f.code.with(Local.regs + ECX, Op.i32Sub, 1);
  f.setReg(ECX);
}

/** @param back offset in the page that a call returns to */
export function pushReturn(f: Frame, back: number): void {
  f.code.const((f.assumes.page + back) | 0);
  f.code.set(Local.t1);
  pushLocal(f, Local.t1);
}

/** A branch beyond the limit of CS faults in the branch itself: that is for the interpreter. */
export function checkTarget(f: Frame, at: number): void {
  if ((f.assumes.page + at) >>> 0 > f.assumes.codeLimit) f.leaveHere();
}

/** As `checkTarget`, for an address that is known only then. */
export function checkDynamicTarget(f: Frame, local: number): void {
  if (f.assumes.codeLimit === 0xffffffff) return;
  f.code.with(local, Op.i32GtU, f.assumes.codeLimit | 0);
  f.leaveHereIf();
}
