// How a region begins and ends: registers and flags come out of the processor's block in the buffer, and go back there.
import { CF } from '../cpu/flags.ts';
import { Shared } from '../cpu/shared.ts';
import { type Assumptions, Local } from './frame.ts';
import { NO_PAGE } from './memory-code.ts';
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
  [Local.count, State.count],
  [Local.eip, State.eip],
  [Local.carryA, State.carryA],
  [Local.carryB, State.carryB],
  [Local.address, State.address],
];

/** @param caches how many caches of translations there are: all empty */
export function prologue(code: Writer, assumes: Assumptions, caches: number): void {
  for (let r = 0; r < 8; r++) {
    code.const(0);
    code.memory(Op.i32Load, assumes.shared + Shared.regs + r * 4);
    code.set(Local.regs + r);
  }
  code.const(0);
  code.memory(Op.i32Load, assumes.shared + Shared.state + State.flags * 4);
  code.tee(Local.flags);
  code.const(CF);
  code.op(Op.i32And);
  code.set(Local.carryB);
  for (let n = 0; n < caches; n++) {
    code.const(NO_PAGE);
    code.set(Local.caches + n * 2);
  }
}

export function epilogue(code: Writer, assumes: Assumptions): void {
  const put = (local: number, offset: number) => {
    code.const(0);
    code.get(local);
    code.memory(Op.i32Store, assumes.shared + offset);
  };
  for (let r = 0; r < 8; r++) put(Local.regs + r, Shared.regs + r * 4);
  for (const [local, word] of LEFT_BEHIND) put(local, Shared.state + word * 4);
  code.get(Local.exit);
  code.op(Op.end);
}
