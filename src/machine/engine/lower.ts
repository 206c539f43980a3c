// From instructions to WebAssembly: one short function a family. Each first does everything that may leave the region,
// then changes state; so an exit is always exactly before an instruction. What is not here, the interpreter runs.
import { DF } from '../cpu/flags.ts';
import { ESP, type Instruction, SS } from '../isa/instruction.ts';
import { lowerControlRead } from './beyond-code.ts';
import { noteCarry, pushCarry, pushCondition } from './flags-code.ts';
import { type FlagState, type Frame, Local } from './frame.ts';
import { lowerDivide, lowerMultiply, lowerWide } from './lower-multiply.ts';
import { lowerShift } from './lower-shifts.ts';
import { loadSigned, loadUnsigned, locate, stackName, store } from './memory-code.ts';
import {
  extend,
  fetch,
  locatePlace,
  placeAt,
  pushPlace,
  pushRegister,
  setPlace,
  setRegister,
} from './operands-code.ts';
import { BEYOND, BRANCHES } from './region.ts';
import { Op } from './wasm-writer.ts';

type Lowering = (f: Frame, i: Instruction) => void;

/** ADD ADC SUB SBB CMP AND OR XOR TEST. */
function arithmetic(state: FlagState, op: number, keepsResult: boolean): Lowering {
  const carries = state === 'adc' || state === 'sbb';
  return (f, i) => {
    const { code } = f;
    const to = placeAt(i, 0);
    const from = placeAt(i, 1);
    locatePlace(f, i, to, keepsResult);
    locatePlace(f, i, from, false);
    if (carries) {
      pushCarry(f);
      code.set(Local.t0);
    }
    pushPlace(f, i, to);
    code.set(Local.a);
    // An immediate of an 8- or 16-bit operation has the size of the other operand.
    pushPlace(f, i, from.kind === 'immediate' ? { ...from, size: to.size } : from);
    code.set(Local.b);
    code.get(Local.a);
    code.get(Local.b);
    code.op(op);
    if (carries) {
      code.get(Local.t0);
      code.op(op);
    }
    if (state !== 'logic') extend(f, to.size);
    code.set(Local.result);
    noteCarry(f, state);
    f.flags = state;
    if (keepsResult) setPlace(f, to, Local.result);
  };
}

function step(state: 'inc' | 'dec'): Lowering {
  return (f, i) => {
    const { code } = f;
    const place = placeAt(i, 0);
    locatePlace(f, i, place, true);
    pushPlace(f, i, place);
    code.tee(Local.a);
    code.const(state === 'inc' ? 1 : -1);
    code.op(Op.i32Add);
    extend(f, place.size);
    code.set(Local.result);
    f.flags = state;
    setPlace(f, place, Local.result);
  };
}

function neg(f: Frame, i: Instruction): void {
  const { code } = f;
  const place = placeAt(i, 0);
  locatePlace(f, i, place, true);
  code.const(0);
  code.set(Local.a);
  pushPlace(f, i, place);
  code.set(Local.b);
  code.const(0);
  code.get(Local.b);
  code.op(Op.i32Sub);
  extend(f, place.size);
  code.set(Local.result);
  noteCarry(f, 'sub');
  f.flags = 'sub';
  setPlace(f, place, Local.result);
}

function not(f: Frame, i: Instruction): void {
  const place = placeAt(i, 0);
  locatePlace(f, i, place, true);
  pushPlace(f, i, place);
  f.code.const(-1);
  f.code.op(Op.i32Xor);
  f.code.set(Local.t0);
  setPlace(f, place, Local.t0);
}

function mov(f: Frame, i: Instruction): void {
  const to = placeAt(i, 0);
  const from = placeAt(i, 1);
  locatePlace(f, i, to, true);
  locatePlace(f, i, from, false);
  pushPlace(f, i, from.kind === 'immediate' ? { ...from, size: to.size } : from);
  if (to.kind === 'register' && to.size === 32) {
    f.setReg(to.register);
    return;
  }
  f.code.set(Local.t0);
  setPlace(f, to, Local.t0);
}

function widen(signed: boolean): Lowering {
  return (f, i) => {
    const from = placeAt(i, 1);
    locatePlace(f, i, from, false);
    if (!signed && from.kind === 'memory') loadUnsigned(f, from.size);
    else {
      pushPlace(f, i, from);
      if (!signed) {
        f.code.const(from.size === 8 ? 0xff : 0xffff);
        f.code.op(Op.i32And);
      }
    }
    f.code.set(Local.t0);
    setRegister(f, i.reg, i.operandSize, Local.t0);
  };
}

function lea(f: Frame, i: Instruction): void {
  f.address(i);
  f.code.set(Local.t0);
  setRegister(f, i.reg, i.operandSize, Local.t0);
}

/** Pushes a local; ESP changes last. */
export function pushLocal(f: Frame, local: number): void {
  f.reg(ESP);
  f.code.const(4);
  f.code.op(Op.i32Sub);
  locate(f, SS, 32, true, stackName(true));
  store(f, 32, local);
  f.reg(ESP);
  f.code.const(4);
  f.code.op(Op.i32Sub);
  f.setReg(ESP);
}

function push(f: Frame, i: Instruction): void {
  fetch(f, i, 0, Local.t1);
  pushLocal(f, Local.t1);
}

/** The word on top of the stack into a local. */
export function peek(f: Frame, local: number): void {
  f.reg(ESP);
  locate(f, SS, 32, false, stackName(false));
  loadSigned(f, 32);
  f.code.set(local);
}

export function dropStack(f: Frame, bytes: number): void {
  f.reg(ESP);
  f.code.const(bytes);
  f.code.op(Op.i32Add);
  f.setReg(ESP);
}

function pop(f: Frame, i: Instruction): void {
  const place = placeAt(i, 0);
  if (place.kind !== 'register') throw new Error('POP of memory is for the interpreter');
  peek(f, Local.t0);
  dropStack(f, 4);
  setRegister(f, place.register, 32, Local.t0);
}

function leave(f: Frame): void {
  const EBP = 5;
  f.reg(EBP);
  locate(f, SS, 32, false, stackName(false));
  loadSigned(f, 32);
  f.code.set(Local.t0);
  f.code.with(Local.regs + EBP, Op.i32Add, 4);
  f.setReg(ESP);
  f.code.get(Local.t0);
  f.setReg(EBP);
}

function setcc(f: Frame, i: Instruction): void {
  const place = placeAt(i, 0);
  locatePlace(f, i, place, true);
  pushCondition(f, i.form.condition!);
  f.code.op(Op.i32Eqz, Op.i32Eqz);
  f.code.set(Local.t0);
  setPlace(f, place, Local.t0);
}

function cmovcc(f: Frame, i: Instruction): void {
  fetch(f, i, 1, Local.t1);
  f.code.get(Local.t1);
  pushRegister(f, i.reg, i.operandSize);
  pushCondition(f, i.form.condition!);
  f.code.op(Op.select);
  f.code.set(Local.t0);
  setRegister(f, i.reg, i.operandSize, Local.t0);
}

function xchg(f: Frame, i: Instruction): void {
  const one = placeAt(i, 0);
  const other = placeAt(i, 1);
  locatePlace(f, i, one, true);
  locatePlace(f, i, other, true);
  pushPlace(f, i, one);
  f.code.set(Local.t0);
  pushPlace(f, i, other);
  f.code.set(Local.t1);
  setPlace(f, one, Local.t1);
  setPlace(f, other, Local.t0);
}

/** The accumulator is compared; memory is written in any case. */
function cmpxchg(f: Frame, i: Instruction): void {
  const { code } = f;
  const to = placeAt(i, 0);
  const from = placeAt(i, 1);
  locatePlace(f, i, to, true);
  pushPlace(f, i, to);
  code.set(Local.b);
  pushRegister(f, 0, to.size);
  code.tee(Local.a);
  code.get(Local.b);
  code.op(Op.i32Sub);
  extend(f, to.size);
  code.set(Local.result);
  noteCarry(f, 'sub');
  f.flags = 'sub';
  code.get(Local.result);
  code.op(Op.i32Eqz);
  code.if();
  pushPlace(f, i, from);
  code.set(Local.t0);
  setPlace(f, to, Local.t0);
  code.else();
  setRegister(f, 0, to.size, Local.b);
  code.end();
}

/** CLD STD: a bit of the flags word that is never lazy. */
function direction(set: boolean): Lowering {
  return (f) => {
    f.code.with(Local.flags, set ? Op.i32Or : Op.i32And, set ? DF : ~DF);
    f.code.set(Local.flags);
  };
}

function bswap(f: Frame, i: Instruction): void {
  const { code } = f;
  // Bytes 0 and 2 turn one way, bytes 1 and 3 the other.
  f.reg(i.reg);
  code.const(8);
  code.op(Op.i32Rotl);
  code.const(0x00ff00ff);
  code.op(Op.i32And);
  f.reg(i.reg);
  code.const(8);
  code.op(Op.i32Rotr);
  code.const(0xff00ff00 | 0);
  code.op(Op.i32And, Op.i32Or);
  f.setReg(i.reg);
}

/** CBW CWDE: from the lower half of the accumulator. */
function cbw(f: Frame, i: Instruction): void {
  pushRegister(f, 0, i.operandSize === 32 ? 16 : 8);
  f.code.set(Local.t0);
  setRegister(f, 0, i.operandSize, Local.t0);
}

function cwd(f: Frame, i: Instruction): void {
  pushRegister(f, 0, i.operandSize);
  f.code.const(31);
  f.code.op(Op.i32ShrS);
  f.code.set(Local.t0);
  setRegister(f, 2, i.operandSize, Local.t0);
}

const LOWERINGS: Readonly<Record<string, Lowering>> = {
  add: arithmetic('add', Op.i32Add, true),
  adc: arithmetic('adc', Op.i32Add, true),
  sub: arithmetic('sub', Op.i32Sub, true),
  sbb: arithmetic('sbb', Op.i32Sub, true),
  cmp: arithmetic('sub', Op.i32Sub, false),
  and: arithmetic('logic', Op.i32And, true),
  or: arithmetic('logic', Op.i32Or, true),
  xor: arithmetic('logic', Op.i32Xor, true),
  test: arithmetic('logic', Op.i32And, false),
  inc: step('inc'),
  dec: step('dec'),
  neg,
  not,
  mov,
  movzx: widen(false),
  movsx: widen(true),
  lea,
  push,
  pop,
  leave,
  setcc,
  cmovcc,
  xchg,
  cmpxchg,
  cld: direction(false),
  std: direction(true),
  bswap,
  cbw,
  cwd,
  nop: () => {},
  shl: lowerShift('shl'),
  shr: lowerShift('shr'),
  sar: lowerShift('sar'),
  rol: lowerShift('rol'),
  ror: lowerShift('ror'),
  imul: lowerMultiply,
  mul: lowerWide(false),
  'imul-wide': lowerWide(true),
  div: lowerDivide(false),
  idiv: lowerDivide(true),
  'mov-from-cr': lowerControlRead,
};

/** Whether an instruction can be compiled: 32-bit addresses, no prefix that matters. */
export function compilable(i: Instruction): boolean {
  const { form, operandSize } = i;
  const name = form.operation;
  if (i.addressSize !== 32 || (i.lock && !(i.memory && form.lock)) || (i.rep !== 0 && name !== 'nop'))
    return false;
  if (name === 'mov-to-cr') return i.reg === 3;
  if (BEYOND.has(name)) return true;
  if (name === 'mov-from-cr') return i.reg === 2 || i.reg === 3;
  if (BRANCHES.has(name)) return operandSize === 32;
  if (!(name in LOWERINGS)) return false;
  switch (name) {
    case 'push':
      return operandSize === 32;
    case 'pop':
      return operandSize === 32 && !i.memory;
    case 'leave':
    case 'bswap':
      return operandSize === 32;
    case 'mul':
    case 'imul-wide':
    case 'div':
    case 'idiv':
      return operandSize === 32 && form.operands[0] === 'rmv';
    case 'nop':
      return !i.memory;
    default:
      return true;
  }
}

/** Writes one instruction. `f.at` and the counters of the block are the caller's. */
export function lower(f: Frame, i: Instruction): void {
  LOWERINGS[i.form.operation](f, i);
}
