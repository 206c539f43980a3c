// The page walk that compiled code does for itself, WebAssembly too: two levels, both entries present, accessed and (for a
// store) dirty, allowed, and plain memory behind them (SDM vol. 3 §4.3, §4.10). Then the TLB has the entry and the tag that
// `refill` (cpu/paging.ts) would have made. Everything else goes to `pageWalkOf` (translations.ts).
import { Pte } from '../cpu/page-walk.ts';
import { PLAIN_MISS } from '../cpu/paging.ts';
import { Shared } from '../cpu/shared.ts';
import { NO_TAG, Right, Word } from '../cpu/tlb.ts';
import type { PhysicalMemory } from '../memory/physical-memory.ts';
import { RAM_BASE, type WasmApi } from '../memory/store.ts';
import { Body } from './runtime-body.ts';
import { State } from './state.ts';
import { ENTRY_BYTES_SHIFT, pushEntryAt } from './tlb-code.ts';
import type { PageWalk } from './translations.ts';
import { moduleOf, Op, type WasmFunction } from './wasm-writer.ts';

/** The function that is imported, and a label. */
const IMPORTED = 0;
const LONG_WAY = 0;
const FRAME = -0x1000;
/** From the offset of an entry of the TLB to that of a double. */
const TO_DOUBLES = 2;
/** What brings a bit of `Pte` to its place in `Right`. */
const USER_SHIFT = 2;
const DIRTY_SHIFT = 4;
const GLOBAL_SHIFT = 5;

function walk(base: number, memory: PhysicalMemory): WasmFunction {
  const b = new Body(base, 3);
  const { code } = b;
  const [left, linear, what, at, user, pde, pte, frame, place] = [0, 1, 2, 3, 4, 5, 6, 7, 8];
  const { codePagesBase, mappedBase } = memory.store;
  const longWayIf = () => code.brIf(LONG_WAY);
  const tlb = (word: number) => base + Shared.tlb + word * 4;
  const isStore = () => code.with(what, Op.i32And, 1);
  /** Pushes an entry of a table, whose physical address is on the stack. */
  const entry = () => {
    code.tee(place);
    code.const(memory.size);
    code.op(Op.i32GeU);
    longWayIf();
    code.get(place);
    code.memory(Op.i32Load, RAM_BASE);
  };
  const sameEpoch = (of: number, now: number) => {
    code.with(at, Op.i32ShrU, TO_DOUBLES);
    code.memory(Op.f64Load, base + of);
    code.const(0);
    code.memory(Op.f64Load, base + Shared.state + now * 4);
    code.op(Op.f64Eq);
  };
  code.block(LONG_WAY);
  b.state(State.walks);
  code.op(Op.i32Eqz);
  longWayIf();
  code.with(linear, Op.i32And, 0xfff);
  code.with(what, Op.i32ShrU, 1);
  code.op(Op.i32Add);
  code.const(0x1000);
  code.op(Op.i32GeU);
  longWayIf();
  // Another address space's entry is to be put out of the way, and this one's may be there.
  pushEntryAt(code, linear);
  code.tee(at);
  code.const(ENTRY_BYTES_SHIFT);
  code.op(Op.i32ShrU);
  code.memory(Op.i32Load8u, base + Shared.owners);
  b.state(State.context);
  code.op(Op.i32Ne);
  longWayIf();
  // What is remembered is not walked for.
  code.get(at);
  code.memory(Op.i32Load, tlb(Word.page));
  code.tee(place);
  code.const(8);
  code.op(Op.i32ShrU);
  code.with(linear, Op.i32ShrU, 12);
  code.op(Op.i32Eq);
  code.if();
  sameEpoch(Shared.epochs, State.epoch);
  longWayIf();
  code.with(place, Op.i32And, Right.global);
  code.op(Op.i32Eqz, Op.i32Eqz);
  sameEpoch(Shared.globalEpochs, State.globalEpoch);
  code.op(Op.i32And);
  longWayIf();
  code.end();
  // Both levels.
  b.state(State.directory);
  code.with(linear, Op.i32ShrU, 20);
  code.const(0xffc);
  code.op(Op.i32And, Op.i32Or);
  entry();
  code.tee(pde);
  code.const(PLAIN_MISS | Pte.large);
  code.op(Op.i32And);
  code.const(PLAIN_MISS);
  code.op(Op.i32Ne);
  longWayIf();
  code.with(pde, Op.i32And, FRAME);
  code.with(linear, Op.i32ShrU, 10);
  code.const(0xffc);
  code.op(Op.i32And, Op.i32Or);
  entry();
  code.set(pte);
  b.state(State.stamp);
  code.const(3);
  code.op(Op.i32And);
  code.const(3);
  code.op(Op.i32Eq);
  code.set(user);
  // Present, accessed; for a store dirty: the bits of `pte` that are not there.
  code.with(pte, Op.i32Xor, -1);
  isStore();
  code.const(Pte.dirty);
  code.op(Op.i32Mul);
  code.const(PLAIN_MISS);
  code.op(Op.i32Or, Op.i32And);
  // Allowed by both.
  code.get(pde);
  code.get(pte);
  code.op(Op.i32And);
  code.tee(pde);
  code.const(-1);
  code.op(Op.i32Xor);
  isStore();
  code.const(Pte.write);
  code.op(Op.i32Mul);
  code.get(user);
  code.const(Pte.user);
  code.op(Op.i32Mul, Op.i32Or, Op.i32And, Op.i32Or);
  longWayIf();
  // Plain memory, and for a store none with code.
  code.with(pte, Op.i32And, FRAME);
  code.tee(frame);
  code.const(memory.size);
  code.op(Op.i32GeU);
  longWayIf();
  code.with(frame, Op.i32ShrU, 12);
  code.memory(Op.i32Load8u, mappedBase);
  code.with(frame, Op.i32ShrU, 12);
  code.memory(Op.i32Load8u, codePagesBase);
  isStore();
  code.op(Op.i32And, Op.i32Or);
  longWayIf();
  // The entry, as `Tlb.insert` makes it.
  const put = (word: number, value: () => void) => {
    code.get(at);
    value();
    code.memory(Op.i32Store, tlb(word));
  };
  for (let word = Word.read; word < Word.offset; word++) put(word, () => code.const(NO_TAG));
  put(Word.offset, () => {
    code.get(frame);
    code.with(linear, Op.i32And, FRAME);
    code.op(Op.i32Sub);
  });
  put(Word.page, () => {
    code.with(linear, Op.i32ShrU, 12);
    code.const(8);
    code.op(Op.i32Shl);
    const right = (local: number, shift: number, bit: number) => {
      code.with(local, Op.i32ShrU, shift);
      code.const(bit);
      code.op(Op.i32And, Op.i32Or);
    };
    right(pde, USER_SHIFT, Right.user);
    right(pde, 0, Right.write);
    right(pte, DIRTY_SHIFT, Right.dirty);
    code.with(pte, Op.i32ShrU, GLOBAL_SHIFT);
    b.state(State.globalBit);
    code.op(Op.i32And, Op.i32Or);
  });
  for (const [of, now] of [
    [Shared.epochs, State.epoch],
    [Shared.globalEpochs, State.globalEpoch],
  ]) {
    code.with(at, Op.i32ShrU, TO_DOUBLES);
    code.const(0);
    code.memory(Op.f64Load, base + Shared.state + now * 4);
    code.memory(Op.f64Store, base + of);
  }
  // And the tag.
  code.get(at);
  isStore();
  code.const(Word.write - Word.read);
  code.op(Op.i32Mul);
  code.get(user);
  code.op(Op.i32Add);
  code.const(2);
  code.op(Op.i32Shl, Op.i32Add);
  code.with(linear, Op.i32ShrU, 12);
  b.state(State.space);
  code.op(Op.i32Or);
  code.memory(Op.i32Store, tlb(Word.read));
  b.setState(State.charge, () => b.state(State.walkCharge));
  b.setState(State.walked, () => code.const(1));
  code.const(1);
  code.op(Op.return);
  code.end();
  for (const parameter of [left, linear, what]) code.get(parameter);
  code.call(IMPORTED);
  return b.function(6);
}

/**
 * Makes the walk of a processor.
 * @param base where its block begins in the memory
 * @param longWay what does all others
 */
export function walkOf(api: WasmApi, base: number, memory: PhysicalMemory, longWay: PageWalk): PageWalk {
  const module = new api.Module(moduleOf([walk(base, memory)], { functions: [['w', 3]] }));
  return new api.Instance(module, { m: { m: memory.store.wasm, w: longWay } }).exports.f as PageWalk;
}
