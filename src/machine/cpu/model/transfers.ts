// The model's far transfers: JMP, CALL, RET, IRET, INT (SDM vol. 2, the operation sections of protected mode; vol. 3 §5.8, §6.12).
import { switchTasks } from './tasks.ts';
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
  isNull,
  isWritable,
  lookUp,
  type ModelDescriptor,
  ModelFault,
  type ModelSegment,
  ModelStack,
  NP,
  named,
  parse,
  read,
  rplOf,
  SS,
  SS_FAULT,
  setSegment,
  stackOf,
  TS,
  type World,
} from './world.ts';

function enter(w: World, selector: number, d: ModelDescriptor, level: number, eip: number): void {
  setSegment(w, CS, (selector & 0xfffc) + level, d);
  w.cpl = level;
  w.eip = eip;
}

/** Far JMP and CALL. @param bytes operand size: 2 or 4 */
export function farTransfer(w: World, selector: number, offset: number, bytes: number, call: boolean): void {
  if (isNull(selector)) throw new ModelFault(GP, 0);
  const d = lookUp(w, selector);
  if (!d) throw new ModelFault(GP, named(selector));
  const rpl = rplOf(selector);
  if (d.segment) {
    if (!isCode(d)) throw new ModelFault(GP, named(selector));
    if (isConforming(d) ? d.dpl > w.cpl : rpl > w.cpl || d.dpl !== w.cpl)
      throw new ModelFault(GP, named(selector));
    if (!d.present) throw new ModelFault(NP, named(selector));
    sameLevel(w, selector, d, offset, bytes, call);
    return;
  }
  const visible = d.dpl >= w.cpl && d.dpl >= rpl;
  switch (d.type) {
    case 4:
    case 12:
      if (!visible) throw new ModelFault(GP, named(selector));
      if (!d.present) throw new ModelFault(NP, named(selector));
      callGate(w, d, call);
      return;
    case 5:
      if (!visible) throw new ModelFault(GP, named(selector));
      if (!d.present) throw new ModelFault(NP, named(selector));
      switchTasks(w, d.gateSelector, call ? 'call' : 'jump', GP, 0);
      return;
    case 1:
    case 9:
    case 3:
    case 11:
      if (!visible) throw new ModelFault(GP, named(selector));
      switchTasks(w, selector, call ? 'call' : 'jump', GP, 0);
      return;
    default:
      throw new ModelFault(GP, named(selector));
  }
}

function sameLevel(
  w: World,
  selector: number,
  d: ModelDescriptor,
  offset: number,
  bytes: number,
  call: boolean,
): void {
  const stack = stackOf(w);
  if (call) {
    stack.push(w.segments[CS].selector, bytes);
    stack.push(w.eip, bytes);
  }
  if (offset > d.limit) throw new ModelFault(GP, 0);
  w.regs[4] = stack.pointer;
  enter(w, selector, d, w.cpl, offset);
}

function callGate(w: World, gate: ModelDescriptor, call: boolean): void {
  const selector = gate.gateSelector;
  if (isNull(selector)) throw new ModelFault(GP, 0);
  const d = lookUp(w, selector);
  if (!d) throw new ModelFault(GP, named(selector));
  if (!isCode(d) || d.dpl > w.cpl) throw new ModelFault(GP, named(selector));
  if (!call && !isConforming(d) && d.dpl !== w.cpl) throw new ModelFault(GP, named(selector));
  if (!d.present) throw new ModelFault(NP, named(selector));
  const bytes = gate.type === 12 ? 4 : 2;
  const offset = bytes === 4 ? gate.gateOffset : gate.gateOffset % 0x10000;
  if (!call || isConforming(d) || d.dpl === w.cpl) {
    sameLevel(w, selector, d, offset, bytes, call);
    return;
  }
  // To more privilege: another stack, with the parameters copied.
  const level = d.dpl;
  const inner = innerStack(w, level, 0);
  const outer = stackOf(w);
  const parameters = Array.from({ length: gate.gateCount }, () => outer.pop(bytes));
  inner.push(w.segments[SS].selector, bytes);
  inner.push(w.regs[4], bytes);
  for (const parameter of parameters.reverse()) inner.push(parameter, bytes);
  inner.push(w.segments[CS].selector, bytes);
  inner.push(w.eip, bytes);
  if (offset > d.limit) throw new ModelFault(GP, 0);
  setSegment(w, SS, inner.segment.selector, inner.segment.descriptor!);
  w.regs[4] = inner.pointer;
  enter(w, selector, d, level, offset);
}

/** The stack that the TSS holds for a level (§7.2.1): bad ones are #TS, absent ones #SS. */
function innerStack(w: World, level: number, ext: number): ModelStack {
  const at = w.tr.wide ? 4 + 8 * level : 2 + 4 * level;
  const size = w.tr.wide ? 4 : 2;
  if (at + 2 * size - 1 > w.tr.limit) throw new ModelFault(TS, named(w.tr.selector, ext));
  const pointer = read(w, w.tr.base + at, size);
  const selector = read(w, w.tr.base + at + size, 2);
  if (isNull(selector)) throw new ModelFault(TS, ext);
  const d = lookUp(w, selector);
  if (!d) throw new ModelFault(TS, named(selector, ext));
  if (rplOf(selector) !== level || d.dpl !== level || !isWritable(d))
    throw new ModelFault(TS, named(selector, ext));
  if (!d.present) throw new ModelFault(SS_FAULT, named(selector, ext));
  return new ModelStack(w, { selector, descriptor: d }, pointer, named(selector, ext));
}

/** What RET and IRET demand of the CS that they return to. */
function returnTarget(w: World, selector: number): ModelDescriptor {
  if (isNull(selector)) throw new ModelFault(GP, 0);
  const d = lookUp(w, selector);
  if (!d) throw new ModelFault(GP, named(selector));
  const rpl = rplOf(selector);
  if (!isCode(d) || rpl < w.cpl) throw new ModelFault(GP, named(selector));
  if (isConforming(d) ? d.dpl > rpl : d.dpl !== rpl) throw new ModelFault(GP, named(selector));
  if (!d.present) throw new ModelFault(NP, named(selector));
  return d;
}

/** And of the SS of an outer level. */
function returnStack(w: World, selector: number, level: number): ModelDescriptor {
  if (isNull(selector)) throw new ModelFault(GP, 0);
  const d = lookUp(w, selector);
  if (!d) throw new ModelFault(GP, named(selector));
  if (rplOf(selector) !== level || !isWritable(d) || d.dpl !== level)
    throw new ModelFault(GP, named(selector));
  if (!d.present) throw new ModelFault(SS_FAULT, named(selector));
  return d;
}

/** Data registers that an outer level may not have keep nothing. */
function forgetInner(w: World): void {
  for (const register of [ES, DS, FS, GS]) {
    const d = w.segments[register].descriptor;
    if (d && !isConforming(d) && d.dpl < w.cpl) w.segments[register] = { selector: 0 };
  }
}

function outward(
  w: World,
  cs: number,
  code: ModelDescriptor,
  eip: number,
  pointer: number,
  ss: number,
  drop: number,
): void {
  const level = rplOf(cs);
  const d = returnStack(w, ss, level);
  if (eip > code.limit) throw new ModelFault(GP, 0);
  setSegment(w, SS, ss, d);
  const stack = new ModelStack(
    w,
    w.segments[SS],
    d.big ? pointer : ((w.regs[4] & 0xffff0000) | (pointer & 0xffff)) >>> 0,
    0,
  );
  stack.drop(drop);
  w.regs[4] = stack.pointer;
  enter(w, cs, code, level, eip);
  forgetInner(w);
}

/** RETF. */
export function farReturn(w: World, bytes: number, drop: number): void {
  const stack = stackOf(w);
  const eip = stack.pop(bytes);
  const cs = stack.pop(bytes) % 0x10000;
  const code = returnTarget(w, cs);
  stack.drop(drop);
  if (rplOf(cs) === w.cpl) {
    if (eip > code.limit) throw new ModelFault(GP, 0);
    w.regs[4] = stack.pointer;
    enter(w, cs, code, w.cpl, eip);
    return;
  }
  const pointer = stack.pop(bytes);
  const ss = stack.pop(bytes) % 0x10000;
  outward(w, cs, code, eip, pointer, ss, drop);
}

/** Flags that the ring may change (table of POPF and IRET). */
function popped(w: World, image: number, bytes: number): number {
  let may = 0xcd5 | FLAG.tf | FLAG.nt;
  if (bytes === 4) may |= FLAG.rf | FLAG.ac | FLAG.id;
  if (w.cpl <= ((w.flags >>> 12) & 3)) may |= FLAG.if;
  if (w.cpl === 0) may |= FLAG.iopl;
  return ((w.flags & ~may) | (image & may)) >>> 0;
}

/** IRET of protected mode, NT and VM of the image left to others. */
export function interruptReturn(w: World, bytes: number): void {
  const stack = stackOf(w);
  const eip = stack.pop(bytes);
  const cs = stack.pop(bytes) % 0x10000;
  const image = stack.pop(bytes);
  const code = returnTarget(w, cs);
  const flags = popped(w, image, bytes);
  if (rplOf(cs) === w.cpl) {
    if (eip > code.limit) throw new ModelFault(GP, 0);
    w.regs[4] = stack.pointer;
    enter(w, cs, code, w.cpl, eip);
  } else {
    const pointer = stack.pop(bytes);
    const ss = stack.pop(bytes) % 0x10000;
    outward(w, cs, code, eip, pointer, ss, 0);
  }
  w.flags = flags;
}

/**
 * INT n and exceptions through the IDT.
 * @param software INT n: the gate's DPL counts
 * @param code error code to push, undefined for none
 */
export function interrupt(w: World, vector: number, software: boolean, code?: number): void {
  const ext = software ? 0 : 1;
  const gateError = vector * 8 + 2 + ext;
  if (vector * 8 + 7 > w.idt.limit) throw new ModelFault(GP, gateError);
  const gate = parse(w, w.idt.base + vector * 8);
  if (gate.segment || ![5, 6, 7, 14, 15].includes(gate.type)) throw new ModelFault(GP, gateError);
  if (software && gate.dpl < w.cpl) throw new ModelFault(GP, gateError);
  if (!gate.present) throw new ModelFault(NP, gateError);
  if (gate.type === 5) {
    switchTasks(w, gate.gateSelector, 'gate', GP, ext, code);
    return;
  }
  const selector = gate.gateSelector;
  if (isNull(selector)) throw new ModelFault(GP, ext);
  const d = lookUp(w, selector);
  if (!d) throw new ModelFault(GP, named(selector, ext));
  if (!isCode(d) || d.dpl > w.cpl) throw new ModelFault(GP, named(selector, ext));
  if (!d.present) throw new ModelFault(NP, named(selector, ext));
  const bytes = gate.type >= 14 ? 4 : 2;
  const offset = bytes === 4 ? gate.gateOffset : gate.gateOffset % 0x10000;
  const inner = !isConforming(d) && d.dpl < w.cpl;
  const level = inner ? d.dpl : w.cpl;
  const stack = inner ? innerStack(w, level, ext) : stackOf(w, ext);
  if (inner) {
    stack.push(w.segments[SS].selector, bytes);
    stack.push(w.regs[4], bytes);
  }
  stack.push(software ? w.flags : w.flags | FLAG.rf, bytes);
  stack.push(w.segments[CS].selector, bytes);
  stack.push(w.eip, bytes);
  if (code !== undefined) stack.push(code, bytes);
  if (offset > d.limit) throw new ModelFault(GP, ext);
  const segment: ModelSegment = stack.segment;
  if (inner) setSegment(w, SS, segment.selector, segment.descriptor!);
  w.regs[4] = stack.pointer;
  enter(w, selector, d, level, offset);
  const interruptGate = gate.type === 6 || gate.type === 14;
  w.flags &= ~(FLAG.tf | FLAG.nt | FLAG.rf | FLAG.vm | (interruptGate ? FLAG.if : 0));
}
