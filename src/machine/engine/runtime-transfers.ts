// INT and IRET of the runtime (runtime.ts), as cpu/known-transfers.ts does them for the interpreter: everything that they go by is
// compared, word by word, with what the processor remembers; then nothing can fail any more, and it is done.
import { AC, IF, NT, RF, TF, VM, WRITABLE } from '../cpu/flags.ts';
import { Shared } from '../cpu/shared.ts';
import { Word } from '../cpu/tlb.ts';
import { ESP } from '../isa/instruction.ts';
import { Body, Fn } from './runtime-body.ts';
import { State } from './state.ts';
import { GATES, MOST_NOTES, RETURNS, TRANSFER_SHIFT, Transfer } from './transfer-words.ts';
import { Op, type WasmFunction } from './wasm-writer.ts';

/** Puts the place of a record into local `at`, and gives up when it is not good now, for this key, or nothing more can be noted. */
function find(b: Body, at: number, result: number, table: number, mask: number, key: () => void): void {
  const { code } = b;
  key();
  code.const(mask);
  code.op(Op.i32And);
  code.const(TRANSFER_SHIFT);
  code.op(Op.i32Shl);
  code.const(table);
  code.op(Op.i32Add);
  code.set(at);
  b.of(at, Transfer.stamp);
  b.state(State.stamp);
  code.op(Op.i32Ne);
  b.state(State.logged);
  code.const(MOST_NOTES);
  code.op(Op.i32GeS, Op.i32Or);
  b.giveUpIf(result);
}

/** `gate(exit, vector)`: INT to the word `eip` as return address. SDM vol. 3 §6.12.1. */
export function gate(base: number): WasmFunction {
  const b = new Body(base, 2);
  const { code } = b;
  const [exit, vector, at, top, place, linear, flags, eip, bytes] = [0, 1, 2, 3, 4, 5, 6, 7, 8];
  find(b, at, exit, Shared.gates, GATES - 1, () => code.get(vector));
  b.of(at, Transfer.key);
  code.get(vector);
  code.op(Op.i32Ne);
  b.giveUpIf(exit);
  b.mustStand(at, Transfer.gateAt, exit);
  b.mustStand(at, Transfer.codeAt, exit);
  b.of(at, Transfer.stackChanges);
  code.if();
  b.of(at, Transfer.tssAt);
  code.const(Word.read);
  code.call(Fn.hit);
  code.tee(place);
  code.const(-1);
  code.op(Op.i32Eq);
  b.giveUpIf(exit);
  code.get(place);
  code.memory(Op.i32Load16u, 4);
  b.of(at, Transfer.stackSelector);
  code.op(Op.i32Ne);
  b.giveUpIf(exit);
  b.mustStand(at, Transfer.stackAt, exit);
  code.get(place);
  code.memory(Op.i32Load);
  code.set(top);
  code.const(20);
  code.set(bytes);
  code.else();
  b.reg(ESP);
  code.set(top);
  code.const(12);
  code.set(bytes);
  code.end();
  code.get(top);
  code.get(bytes);
  code.op(Op.i32LtU);
  code.with(top, Op.i32Sub, 1);
  b.of(at, Transfer.stackLimit);
  code.op(Op.i32GtU, Op.i32Or);
  b.giveUpIf(exit);
  // All that is pushed lies in one page, and none of it beside code.
  b.state(State.stackBase);
  code.get(top);
  code.op(Op.i32Add);
  code.get(bytes);
  code.op(Op.i32Sub);
  code.tee(linear);
  code.const(0xfff);
  code.op(Op.i32And);
  code.get(bytes);
  code.op(Op.i32Add);
  code.const(0x1000);
  code.op(Op.i32GtU);
  b.giveUpIf(exit);
  code.get(linear);
  b.of(at, Transfer.pushes);
  code.call(Fn.hit);
  code.tee(place);
  code.const(-1);
  code.op(Op.i32Eq);
  b.giveUpIf(exit);
  // Nothing can fail from here on.
  b.state(State.eip);
  code.set(eip);
  b.flags();
  code.set(flags);
  const push = (offset: number, value: () => void) => {
    code.get(place);
    value();
    code.memory(Op.i32Store, offset);
  };
  push(0, () => code.get(eip));
  push(4, () => b.state(State.cs));
  push(8, () => code.with(flags, Op.i32Or, 2));
  b.of(at, Transfer.stackChanges);
  code.if();
  push(12, () => b.reg(ESP));
  push(16, () => b.state(State.ss));
  code.end();
  b.set(Shared.regs + ESP * 4, () => {
    code.get(top);
    code.get(bytes);
    code.op(Op.i32Sub);
  });
  code.get(flags);
  b.of(at, Transfer.keeps);
  code.op(Op.i32And);
  code.set(flags);
  b.setFlags(flags);
  b.setState(State.budget, () => {
    b.state(State.budget);
    b.of(at, Transfer.cycles);
    code.op(Op.i32Sub);
  });
  // The place of the return address is what the event tells.
  b.of(at, Transfer.eip);
  code.set(top);
  b.arrive(at, top, eip, place);
  return b.function(7);
}

/** `iret(exit)`: IRETD within protected mode. SDM vol. 2A "IRET". */
export function iret(base: number): WasmFunction {
  const b = new Body(base, 1);
  const { code } = b;
  const [exit, at, place, esp, flags, image, merged, eip, t] = [0, 1, 2, 3, 4, 5, 6, 7, 8];
  // Whether the CPL is 3, as 0 or 1.
  const user = () => {
    b.state(State.stamp);
    code.const(3);
    code.op(Op.i32And);
    code.const(3);
    code.op(Op.i32Eq);
  };
  const frame = (bytes: number) => {
    code.get(esp);
    b.state(State.stackLimit);
    code.op(Op.i32GtU);
    b.state(State.stackBase);
    code.get(esp);
    code.op(Op.i32Add);
    code.const(0xfff);
    code.op(Op.i32And);
    code.const(0x1000 - bytes);
    code.op(Op.i32GtU, Op.i32Or);
    b.giveUpIf(exit);
  };
  b.reg(ESP);
  code.set(esp);
  frame(12);
  b.state(State.stackBase);
  code.get(esp);
  code.op(Op.i32Add);
  code.const(Word.read);
  user();
  code.op(Op.i32Add);
  code.call(Fn.hit);
  code.tee(place);
  code.const(-1);
  code.op(Op.i32Eq);
  b.giveUpIf(exit);
  const cs = () => {
    code.get(place);
    code.memory(Op.i32Load16u, 4);
  };
  find(b, at, exit, Shared.returns, RETURNS - 1, () => {
    cs();
    code.const(3);
    code.op(Op.i32ShrU);
  });
  cs();
  b.of(at, Transfer.key);
  code.op(Op.i32Ne);
  code.get(place);
  code.memory(Op.i32Load);
  code.tee(eip);
  b.of(at, Transfer.limit);
  code.op(Op.i32GtU, Op.i32Or);
  b.giveUpIf(exit);
  b.mustStand(at, Transfer.codeAt, exit);
  b.flags();
  code.set(flags);
  code.get(place);
  code.memory(Op.i32Load, 8);
  code.set(image);
  // What of the image may come through: IF only where IOPL lets it.
  b.of(at, Transfer.changes);
  code.const(IF);
  code.const(0);
  b.state(State.stamp);
  code.const(3);
  code.op(Op.i32And);
  code.with(flags, Op.i32ShrU, 12);
  code.const(3);
  code.op(Op.i32And);
  code.op(Op.i32LeU, Op.select, Op.i32Or);
  code.set(t);
  code.get(flags);
  code.with(t, Op.i32Xor, -1);
  code.op(Op.i32And);
  code.get(image);
  code.get(t);
  code.op(Op.i32And, Op.i32Or);
  code.set(merged);
  // A task, virtual-8086 mode, a step, a resumed fault: for the long way. So is AC that comes up.
  code.with(image, Op.i32And, VM);
  code.with(flags, Op.i32And, NT);
  code.with(merged, Op.i32And, TF | RF);
  code.op(Op.i32Or, Op.i32Or);
  code.get(merged);
  code.with(flags, Op.i32Xor, -1);
  code.op(Op.i32And);
  code.set(t);
  code.with(t, Op.i32And, AC);
  code.op(Op.i32Or);
  // An interrupt that waits comes when IF goes up.
  code.with(t, Op.i32And, IF);
  b.state(State.waiting);
  code.op(Op.i32And, Op.i32Or);
  b.giveUpIf(exit);
  b.of(at, Transfer.stackChanges);
  code.if();
  frame(20);
  code.get(place);
  code.memory(Op.i32Load16u, 16);
  b.of(at, Transfer.stackSelector);
  code.op(Op.i32Ne);
  cs();
  code.const(3);
  code.op(Op.i32And);
  b.state(State.leastPrivilege);
  code.op(Op.i32GtU, Op.i32Or);
  b.giveUpIf(exit);
  b.mustStand(at, Transfer.stackAt, exit);
  b.set(Shared.regs + ESP * 4, () => {
    code.get(place);
    code.memory(Op.i32Load, 12);
  });
  code.else();
  b.set(Shared.regs + ESP * 4, () => code.with(esp, Op.i32Add, 12));
  code.end();
  code.get(merged);
  code.const(WRITABLE);
  code.op(Op.i32And);
  code.set(merged);
  b.setFlags(merged);
  b.setState(State.returned, () => code.const(1));
  b.setState(State.budget, () => {
    b.state(State.budget);
    b.of(at, Transfer.cycles);
    code.op(Op.i32Sub);
  });
  b.arrive(at, eip, eip, t);
  return b.function(8);
}
