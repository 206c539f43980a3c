// What compiled regions go through when they leave their page or their privilege, itself WebAssembly: links to other regions,
// INT through gates that are known, IRET the way it went before (cpu/known-transfers.ts is the same for the interpreter). A
// region ends with a tail call to `onward`, so any number of regions follow each other without JavaScript in between; and
// everything that is not as remembered gives back the exit that the region named, and the interpreter does it.
import { AC, CF, IF, NT, RF, TF, VM, WRITABLE } from '../cpu/flags.ts';
import { Shared } from '../cpu/shared.ts';
import { ENTRY_SHIFT, TLB_SIZE, Word } from '../cpu/tlb.ts';
import { RAM_BASE, type WasmApi } from '../memory/store.ts';
import { wordHelper } from './flags-code.ts';
import { State } from './state.ts';
import {
  GATES,
  LINK_FOLD,
  LINK_SHIFT,
  LINKS,
  Link,
  MOST_NOTES,
  RETURNS,
  SETTLED,
  TRANSFER_SHIFT,
  Transfer,
  Way,
} from './transfer-words.ts';
import { moduleOf, Op, type WasmFunction, Writer } from './wasm-writer.ts';

/** Functions in the order of their indices. */
const Fn = { word: 0, hit: 1, stands: 2, link: 3, gate: 4, iret: 5 } as const;

/** One function under construction, for the processor whose block lies at `base`. */
class Body {
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

/** `hit(linear, word)`: where a linear address lies in the buffer, -1 when the TLB has no such tag for its page. */
function hit(base: number): WasmFunction {
  const b = new Body(base, 2);
  const { code } = b;
  const [linear, word, slot] = [0, 1, 2];
  const bytes = ENTRY_SHIFT + 2;
  code.with(linear, Op.i32ShrU, 12 - bytes);
  code.with(linear, Op.i32ShrU, 23 - bytes);
  code.op(Op.i32Xor);
  code.const((TLB_SIZE - 1) << bytes);
  code.op(Op.i32And);
  code.tee(slot);
  code.with(word, Op.i32Shl, 2);
  code.op(Op.i32Add);
  code.memory(Op.i32Load, base + Shared.tlb);
  code.with(linear, Op.i32ShrU, 12);
  b.state(State.space);
  code.op(Op.i32Or, Op.i32Ne);
  code.if();
  code.const(-1);
  code.op(Op.return);
  code.end();
  code.get(slot);
  code.memory(Op.i32Load, base + Shared.tlb + Word.offset * 4);
  code.get(linear);
  code.op(Op.i32Add);
  code.const(RAM_BASE);
  code.op(Op.i32Add);
  return b.function(1);
}

/** `stands(linear, low, high)`: whether eight bytes are what they were, for a supervisor. */
function stands(base: number): WasmFunction {
  const b = new Body(base, 3);
  const { code } = b;
  const [linear, low, high, place] = [0, 1, 2, 3];
  code.get(linear);
  code.const(Word.read);
  code.call(Fn.hit);
  code.tee(place);
  code.const(-1);
  code.op(Op.i32Eq);
  code.if();
  code.const(0);
  code.op(Op.return);
  code.end();
  code.get(place);
  code.memory(Op.i32Load);
  code.get(low);
  code.op(Op.i32Eq);
  code.get(place);
  code.memory(Op.i32Load, 4);
  code.get(high);
  code.op(Op.i32Eq, Op.i32And);
  return b.function(1);
}

/** `link(exit)`: goes on in the region that begins at the word `eip`. */
function link(base: number): WasmFunction {
  const b = new Body(base, 1);
  const { code } = b;
  const [exit, eip, at] = [0, 1, 2];
  const of = (word: number) => b.of(at, Shared.links / 4 + word);
  b.state(State.eip);
  code.tee(eip);
  code.with(eip, Op.i32ShrU, LINK_FOLD);
  code.op(Op.i32Xor);
  code.const(LINKS - 1);
  code.op(Op.i32And);
  code.const(LINK_SHIFT);
  code.op(Op.i32Shl);
  code.set(at);
  of(Link.eip);
  code.get(eip);
  code.op(Op.i32Ne);
  of(Link.stamp);
  b.state(State.stamp);
  code.op(Op.i32Ne, Op.i32Or);
  b.giveUpIf(exit);
  b.setState(State.region, () => {
    of(Link.target);
    code.const(0xffff);
    code.op(Op.i32And);
  });
  b.setState(State.table, () => of(Link.table));
  of(Link.target);
  code.const(16);
  code.op(Op.i32ShrU);
  b.state(State.budget);
  b.state(State.region);
  code.returnCallIndirect(REGION_TYPE);
  return b.function(2);
}

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
function gate(base: number): WasmFunction {
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
function iret(base: number): WasmFunction {
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

/** `onward(exit, way)`: what a region ends with. */
function onward(base: number): WasmFunction {
  const b = new Body(base, 2);
  const { code } = b;
  const [exit, way] = [0, 1];
  code.with(way, Op.i32Eq, Way.link);
  code.if();
  code.get(exit);
  code.returnCall(Fn.link);
  code.end();
  code.with(way, Op.i32Eq, Way.iret);
  code.if();
  code.get(exit);
  code.returnCall(Fn.iret);
  code.end();
  code.get(exit);
  code.with(way, Op.i32Sub, Way.gate);
  code.returnCall(Fn.gate);
  return b.function(0);
}

const ESP = 4;
/** Functions of two parameters all have the type of this one; regions do, too. */
const REGION_TYPE = Fn.hit;

/** Without tail calls nothing follows: the interpreter does it all. */
function alone(): WasmFunction {
  const code = new Writer();
  code.get(0);
  code.op(Op.end);
  return { params: 2, i32Locals: 0, i64Locals: 0, moreLocals: 0, code };
}

export type Onward = (exit: number, way: number) => number;

/**
 * Makes `onward` of a processor.
 * @param base where its block begins in the memory
 * @param memory, table what regions lie in: the table by their numbers
 */
export function onwardOf(api: WasmApi, base: number, memory: object, table: object): Onward {
  const make = (functions: WasmFunction[], more: object) =>
    new api.Instance(new api.Module(moduleOf(functions, { table: 't' in more })), {
      m: { m: memory, ...more },
    }).exports.f as Onward;
  if (!hasTailCalls(api)) return make([alone()], {});
  const own = [wordHelper(), hit(base), stands(base), link(base), gate(base), iret(base), onward(base)];
  return make(own, { t: table });
}

/** Whether this WebAssembly has tail calls, or may be asked at all. */
export function hasTailCalls(api: WasmApi): boolean {
  const code = new Writer();
  code.get(0);
  code.get(1);
  code.returnCall(0);
  code.op(Op.end);
  const itself = { params: 2, i32Locals: 0, i64Locals: 0, moreLocals: 0, code };
  try {
    return new api.Module(moduleOf([itself])) !== null;
  } catch {
    return false;
  }
}
