// The model's task switch (SDM vol. 3 §7.3: the steps in their order; table 7-2 for busy bit, NT and link; figures 7-2 and 7-10).
import {
  CS,
  DS,
  ES,
  FLAG,
  FS,
  GP,
  GS,
  isCode,
  isConforming,
  isData,
  isNull,
  isReadableCode,
  isWritable,
  lookUp,
  ModelFault,
  NP,
  named,
  read,
  rplOf,
  SS,
  SS_FAULT,
  setSegment,
  stackOf,
  TS,
  type World,
  write,
} from './world.ts';

type Source = 'call' | 'jump' | 'iret' | 'gate';

/** Switches to the task of a selector. @param vector what a selector that is no available task raises @param code pushed by the new task */
export function switchTasks(
  w: World,
  selector: number,
  source: Source,
  vector: number,
  ext: number,
  code?: number,
): void {
  if (isNull(selector) || selector & 4) throw new ModelFault(vector, named(selector, ext));
  const d = lookUp(w, selector);
  if (!d) throw new ModelFault(vector, named(selector, ext));
  const types = source === 'iret' ? [3, 11] : [1, 9];
  if (d.segment || !types.includes(d.type)) throw new ModelFault(vector, named(selector, ext));
  if (!d.present) throw new ModelFault(NP, named(selector, ext));
  const wide = d.type >= 9;
  if (d.limit < (wide ? 0x67 : 0x2b)) throw new ModelFault(TS, named(selector, ext));

  const nested = source === 'call' || source === 'gate';
  const old = w.tr.base;
  if (!nested) {
    const mine = lookUp(w, w.tr.selector)!;
    write(w, mine.at + 5, read(w, mine.at + 5, 1) & ~2, 1);
  }
  const flags = source === 'iret' ? w.flags & ~FLAG.nt : w.flags;
  if (w.tr.wide) {
    write(w, old + 32, w.eip, 4);
    write(w, old + 36, flags, 4);
    w.regs.forEach((value, r) => write(w, old + 40 + 4 * r, value, 4));
    for (let s = 0; s < 6; s++) write(w, old + 72 + 4 * s, w.segments[s].selector, 2);
  } else {
    write(w, old + 14, w.eip, 2);
    write(w, old + 16, flags, 2);
    w.regs.forEach((value, r) => write(w, old + 18 + 2 * r, value, 2));
    for (let s = 0; s < 4; s++) write(w, old + 34 + 2 * s, w.segments[s].selector, 2);
  }
  if (nested) write(w, d.base, w.tr.selector, 2);
  if (source !== 'iret') write(w, d.at + 5, read(w, d.at + 5, 1) | 2, 1);

  const word = (at32: number, at16: number): number =>
    wide ? read(w, d.base + at32, 4) : read(w, d.base + at16, 2);
  const selectors = [0, 1, 2, 3, 4, 5].map((s) =>
    !wide && s > 3 ? 0 : word(72 + 4 * s, 34 + 2 * s) % 0x10000,
  );
  const ldt = word(96, 42) % 0x10000;
  w.tr = { selector, base: d.base, limit: d.limit, wide };
  w.taskSwitched = true;
  w.eip = word(32, 14);
  const image = word(36, 16);
  w.flags = ((image & 0x3f7fd5) | 2 | (nested ? FLAG.nt : 0)) >>> 0;
  for (let r = 0; r < 8; r++)
    w.regs[r] = wide ? word(40 + 4 * r, 0) : (word(0, 18 + 2 * r) | 0xffff0000) >>> 0;

  // In the new task's context: whatever is wrong is #TS there, or #NP and #SS for what is absent (table 7-1).
  w.cpl = rplOf(selectors[CS]);
  w.ldt = null;
  for (let s = 0; s < 6; s++) w.segments[s] = { selector: selectors[s] };
  if (!isNull(ldt)) {
    const table = ldt & 4 ? undefined : lookUp(w, ldt);
    if (!table || table.segment || table.type !== 2 || !table.present)
      throw new ModelFault(TS, named(ldt, ext));
    w.ldt = { selector: ldt, base: table.base, limit: table.limit };
  }
  const stack = selectors[SS];
  if (isNull(stack)) throw new ModelFault(TS, ext);
  const ss = lookUp(w, stack);
  if (!ss || !isWritable(ss) || ss.dpl !== w.cpl || rplOf(stack) !== w.cpl)
    throw new ModelFault(TS, named(stack, ext));
  if (!ss.present) throw new ModelFault(SS_FAULT, named(stack, ext));
  setSegment(w, SS, stack, ss);
  for (const s of [DS, ES, FS, GS]) {
    if (isNull(selectors[s])) continue;
    const data = lookUp(w, selectors[s]);
    if (!data || (!isData(data) && !isReadableCode(data))) throw new ModelFault(TS, named(selectors[s], ext));
    const hidden = !isConforming(data) && (rplOf(selectors[s]) > data.dpl || w.cpl > data.dpl);
    if (hidden) throw new ModelFault(TS, named(selectors[s], ext));
    if (!data.present) throw new ModelFault(NP, named(selectors[s], ext));
    setSegment(w, s, selectors[s], data);
  }
  if (isNull(selectors[CS])) throw new ModelFault(TS, ext);
  const cs = lookUp(w, selectors[CS]);
  if (!cs || !isCode(cs)) throw new ModelFault(TS, named(selectors[CS], ext));
  if (isConforming(cs) ? cs.dpl > w.cpl : cs.dpl !== w.cpl)
    throw new ModelFault(TS, named(selectors[CS], ext));
  if (!cs.present) throw new ModelFault(NP, named(selectors[CS], ext));
  setSegment(w, CS, selectors[CS], cs);
  if (w.eip > cs.limit) throw new ModelFault(GP, ext);
  if (code !== undefined) {
    const pile = stackOf(w, ext);
    pile.push(code, wide ? 4 : 2);
    w.regs[4] = pile.pointer;
  }
}
