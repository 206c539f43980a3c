// How a region begins and ends: registers and flags come out of the processor's block in the buffer, and go back there.
import { Shared } from '../cpu/shared.ts';
import { type Assumptions, Local, NO_PAGE } from './frame.ts';
import { State } from './state.ts';
import { Op, type Writer } from './wasm-writer.ts';

const LEFT_BEHIND: readonly (readonly [local: number, word: number])[] = [
  [Local.flags, State.flags],
  [Local.mask, State.mask],
  [Local.kind, State.kind],
  [Local.a, State.a],
  [Local.b, State.b],
  [Local.result, State.result],
  [Local.budget, State.budget],
  [Local.eip, State.eip],
  [Local.carryA, State.carryA],
  [Local.carryB, State.carryB],
  [Local.address, State.address],
];

/** What comes in beside the registers. */
const BROUGHT: readonly (readonly [local: number, word: number])[] = [
  [Local.flags, State.flags],
  [Local.mask, State.mask],
  [Local.kind, State.kind],
  [Local.a, State.a],
  [Local.b, State.b],
  [Local.result, State.result],
  [Local.carryA, State.carryA],
  [Local.carryB, State.carryB],
];

/**
 * @param uniform cycles count instructions, too: then these are counted from the budget
 * @param caches how many caches of translations there are: all empty
 */
export function prologue(code: Writer, assumes: Assumptions, uniform: boolean, caches: number): void {
  for (let r = 0; r < 8; r++) {
    code.const(0);
    code.memory(Op.i32Load, assumes.shared + Shared.regs + r * 4);
    code.set(Local.regs + r);
  }
  for (const [local, word] of uniform ? BROUGHT : [...BROUGHT, [Local.count, State.count]]) {
    code.const(0);
    code.memory(Op.i32Load, assumes.shared + Shared.state + word * 4);
    code.set(local);
  }
  if (uniform) {
    code.const(0);
    code.get(Local.budget);
    code.memory(Op.i32Store, assumes.shared + Shared.state + State.entered * 4);
  }
  for (let n = 0; n < caches; n++) {
    code.const(NO_PAGE);
    code.set(Local.caches + n * 2);
  }
}

export function epilogue(code: Writer, assumes: Assumptions, uniform: boolean): void {
  const put = (local: number, offset: number) => {
    code.const(0);
    code.get(local);
    code.memory(Op.i32Store, assumes.shared + offset);
  };
  for (let r = 0; r < 8; r++) put(Local.regs + r, Shared.regs + r * 4);
  for (const [local, word] of LEFT_BEHIND) put(local, Shared.state + word * 4);
  if (!uniform) {
    put(Local.count, Shared.state + State.count * 4);
    return;
  }
  const state = assumes.shared + Shared.state;
  code.const(0);
  code.const(0);
  code.memory(Op.i32Load, state + State.count * 4);
  code.const(0);
  code.memory(Op.i32Load, state + State.entered * 4);
  code.get(Local.budget);
  code.op(Op.i32Sub, Op.i32Add);
  code.memory(Op.i32Store, state + State.count * 4);
}
