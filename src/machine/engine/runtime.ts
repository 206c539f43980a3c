// What compiled regions go through when they leave their page or their privilege, itself WebAssembly: links to other regions,
// INT through gates that are known, IRET the way it went before (runtime-transfers.ts). A region ends with a tail call to
// `onward`, so any number of regions follow each other without JavaScript in between; and everything that is not as remembered
// gives back the exit that the region named, and the interpreter does it.
import { Shared } from '../cpu/shared.ts';
import { Word } from '../cpu/tlb.ts';
import { RAM_BASE, type WasmApi } from '../memory/store.ts';
import { wordHelper } from './flags-code.ts';
import { Body, Fn } from './runtime-body.ts';
import { gate, iret } from './runtime-transfers.ts';
import { State } from './state.ts';
import { pushEntryAt } from './tlb-code.ts';
import { LINK_FOLD, LINK_SHIFT, LINKS, Link, Way } from './transfer-words.ts';
import { moduleOf, Op, type WasmFunction, Writer } from './wasm-writer.ts';

/** `hit(linear, word)`: where a linear address lies in the buffer, -1 when the TLB has no such tag for its page. */
function hit(base: number): WasmFunction {
  const b = new Body(base, 2);
  const { code } = b;
  const [linear, word, slot] = [0, 1, 2];
  pushEntryAt(code, linear);
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
