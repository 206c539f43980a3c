// One function of the runtime under construction (runtime.ts): words of the processor's block, flags, the end of a transfer.
import { CF } from '../cpu/flags.ts';
import { Shared } from '../cpu/shared.ts';
import { State } from './state.ts';
import { SETTLED, Transfer } from './transfer-words.ts';
import { Op, type WasmFunction, Writer } from './wasm-writer.ts';

/** Functions in the order of their indices. */
export const Fn = { word: 0, hit: 1, stands: 2, link: 3, gate: 4, iret: 5 } as const;

/** One function under construction, for the processor whose block lies at `base`. */
export class Body {
  readonly code = new Writer();

  constructor(
    private readonly base: number,
    /** Number of parameters; locals follow. */
    private readonly params: number,
  ) {}

  /** A word of the processor's block. */
  word(offset: number): void {
    this.code.const(0);
    this.code.memory(Op.i32Load, this.base + offset);
  }
  state(word: number): void {
    this.word(Shared.state + word * 4);
  }
  /** Stores what `value` pushes. */
  set(offset: number, value: () => void): void {
    this.code.const(0);
    value();
    this.code.memory(Op.i32Store, this.base + offset);
  }
  setState(word: number, value: () => void): void {
    this.set(Shared.state + word * 4, value);
  }
  reg(register: number): void {
    this.word(Shared.regs + register * 4);
  }
  /** A word of the record whose place in the block is in local `at`. */
  of(at: number, word: number): void {
    this.code.get(at);
    this.code.memory(Op.i32Load, this.base + word * 4);
  }
  /** `if` the word on the stack: gives the local `result` back. */
  giveUpIf(result: number): void {
    this.code.if();
    this.code.get(result);
    this.code.op(Op.return);
    this.code.end();
  }
  /** Eight bytes at a linear address are what they were; else gives up. */
  mustStand(at: number, word: number, result: number): void {
    this.of(at, word);
    this.of(at, word + 1);
    this.of(at, word + 2);
    this.code.call(Fn.stands);
    this.code.op(Op.i32Eqz);
    this.giveUpIf(result);
  }
  /** The flags word with everything in it. */
  flags(): void {
    const { code } = this;
    for (const word of [State.flags, State.mask, State.kind, State.a, State.b, State.result])
      this.state(word);
    code.call(Fn.word);
    code.const(~CF);
    code.op(Op.i32And);
    this.state(State.carryA);
    this.state(State.carryB);
    code.op(Op.i32LtU, Op.i32Or);
  }
  /** Flags from a local, nothing lazy about them. */
  setFlags(local: number): void {
    const { code } = this;
    this.setState(State.flags, () => code.with(local, Op.i32Or, 2));
    this.setState(State.mask, () => code.const(0));
    this.setState(State.carryA, () => code.const(0));
    this.setState(State.carryB, () => code.with(local, Op.i32And, CF));
  }
  /** CS, SS, privilege, time and EIP (in a local) are those behind the transfer at local `at`, which is noted; and on. */
  arrive(at: number, eip: number, noted: number, t: number): void {
    const { code } = this;
    this.setState(State.cs, () => this.of(at, Transfer.cs));
    this.setState(State.csAccess, () => this.of(at, Transfer.csAccess));
    this.of(at, Transfer.stackChanges);
    code.if();
    this.setState(State.ss, () => this.of(at, Transfer.ss));
    this.setState(State.ssAccess, () => this.of(at, Transfer.ssAccess));
    code.end();
    this.setState(State.stamp, () => this.of(at, Transfer.next));
    this.setState(State.eip, () => code.get(eip));
    this.of(at, Transfer.note);
    code.if();
    this.state(State.logged);
    code.const(4);
    code.op(Op.i32Shl);
    code.set(t);
    for (const [word, value] of [
      [0, () => this.of(at, Transfer.note)],
      [1, () => this.state(State.budget)],
      [2, () => code.get(noted)],
    ] as const) {
      code.get(t);
      value();
      code.memory(Op.i32Store, this.base + Shared.log + word * 4);
    }
    this.setState(State.logged, () => {
      this.state(State.logged);
      code.const(1);
      code.op(Op.i32Add);
    });
    code.end();
    code.const(SETTLED);
    code.returnCall(Fn.link);
  }
  function(locals: number): WasmFunction {
    this.code.op(Op.end);
    return { params: this.params, i32Locals: locals, i64Locals: 0, moreLocals: 0, code: this.code };
  }
}
