// FADD, FMUL, FSUB, FSUBR, FDIV, FDIVR in all forms, FSQRT, FCHS, FABS, FRNDINT (SDM vol. 2). Each form gets an executor of its
// own: registers either way, with pop, memory of four kinds.
import type { Instruction } from '../../isa/instruction.ts';
import { read16, read32 } from '../access.ts';
import { effectiveAddress } from '../address.ts';
import type { Cpu } from '../cpu.ts';
import { add, subtract } from '../x87/add.ts';
import { fromDouble, fromInt32, fromSingle, roundToInteger } from '../x87/convert.ts';
import { divide, squareRoot } from '../x87/divide.ts';
import { begin, remember, rememberOperand, settle, storeResult, underflows } from '../x87/exceptions.ts';
import { read64, WORDS } from '../x87/memory.ts';
import { multiply } from '../x87/multiply.ts';
import { classify, denormalSource, ZERO } from '../x87/operands.ts';
import { precisionOf } from '../x87/round.ts';
import { C1, OPERAND, SIGN, type X87 } from '../x87/state.ts';
import type { Binder, Executor, Executors } from './executor.ts';

/** RESULT = a op b, at a precision. */
type Operation = (f: X87, a: number, b: number, precision: number) => void;

const subtractReversed: Operation = (f, a, b, precision) => subtract(f, b, a, precision);
const divideReversed: Operation = (f, a, b, precision) => divide(f, b, a, precision);

/** Reads a memory operand into OPERAND; true when it was a denormal, which it is no more in 80 bits. */
export type Load = (cpu: Cpu, f: X87, i: Instruction, offset: number) => boolean;

const loadSingle: Load = (cpu, f, i, offset) => fromSingle(f, OPERAND, read32(cpu, i.segment, offset));
const loadDouble: Load = (cpu, f, i, offset) => {
  read64(cpu, i.segment, offset);
  return fromDouble(f, OPERAND, WORDS[1], WORDS[0]);
};
const loadInt32: Load = (cpu, f, i, offset) => {
  fromInt32(f, OPERAND, read32(cpu, i.segment, offset));
  return false;
};
const loadInt16: Load = (cpu, f, i, offset) => {
  fromInt32(f, OPERAND, (read16(cpu, i.segment, offset) << 16) >> 16);
  return false;
};

/** Which of them a memory form of D8..DF uses: D8 single, DA int32, DC double, DE int16. */
export function loadOf(i: Instruction): Load {
  switch (i.form.opcode) {
    case 0xd8:
      return loadSingle;
    case 0xdc:
      return loadDouble;
    case 0xda:
      return loadInt32;
    default:
      return loadInt16;
  }
}

function toMemory(operation: Operation, load: Load): Executor {
  return (cpu, i) => {
    const f = begin(cpu);
    const offset = effectiveAddress(cpu, i);
    const denormal = load(cpu, f, i, offset);
    rememberOperand(cpu, f, i, offset);
    const { top } = f;
    if (f.isEmpty(top)) underflows(f);
    else if (!(denormal && denormalStops(f, top, operation))) operation(f, top, OPERAND, precisionOf(f));
    if (settle(f)) storeResult(f, top);
  };
}

/** DE for a denormal in memory. Division by zero has no denormal dividend (it raises ZE alone). True when DE is unmasked. */
function denormalStops(f: X87, top: number, operation: Operation): boolean {
  if (operation === divideReversed && classify(f, top) === ZERO) return false;
  return denormalSource(f, top);
}

function toTop(operation: Operation): Executor {
  return (cpu, i) => {
    const f = begin(cpu);
    remember(cpu, f, i);
    const { top } = f;
    const source = (top + i.rm) & 7;
    if (f.isEmpty(top) || f.isEmpty(source)) underflows(f);
    else operation(f, top, source, precisionOf(f));
    if (settle(f)) storeResult(f, top);
  };
}

function fromTop(operation: Operation, pops: boolean): Executor {
  return (cpu, i) => {
    const f = begin(cpu);
    remember(cpu, f, i);
    const { top } = f;
    const destination = (top + i.rm) & 7;
    if (f.isEmpty(top) || f.isEmpty(destination)) underflows(f);
    else operation(f, destination, top, precisionOf(f));
    if (!settle(f)) return;
    storeResult(f, destination);
    if (pops) f.pop();
  };
}

function arithmetic(name: string, operation: Operation): Executors {
  const top = toTop(operation);
  const other = fromTop(operation, false);
  const popping = fromTop(operation, true);
  const memory = new Map<Load, Executor>();
  for (const load of [loadSingle, loadDouble, loadInt32, loadInt16])
    memory.set(load, toMemory(operation, load));
  const binder: Binder = (i) => {
    if (i.memory) return memory.get(loadOf(i))!;
    return i.form.operands[0] === 'st0' ? top : other;
  };
  return { [name]: binder, [`${name}p`]: () => popping };
}

/** An operation on ST(0) alone. */
function unary(operation: (f: X87, top: number, precision: number) => void): Executor {
  return (cpu, i) => {
    const f = begin(cpu);
    remember(cpu, f, i);
    if (f.isEmpty(f.top)) underflows(f);
    else operation(f, f.top, precisionOf(f));
    if (settle(f)) storeResult(f, f.top);
  };
}

/** FCHS and FABS touch the sign of anything, NaNs too, and raise nothing but stack underflow. */
function signOperation(change: (se: number) => number): Executor {
  return (cpu, i) => {
    const f = begin(cpu);
    remember(cpu, f, i);
    const { top } = f;
    if (f.isEmpty(top)) {
      underflows(f);
      if (settle(f)) storeResult(f, top);
      return;
    }
    f.status &= ~C1;
    f.se[top] = change(f.se[top]);
  };
}

const fsqrt = unary(squareRoot);
const frndint = unary(roundToInteger);
const fchs = signOperation((se) => se ^ SIGN);
const fabs = signOperation((se) => se & ~SIGN);

export const x87ArithmeticExecutors: Executors = {
  ...arithmetic('fadd', add),
  ...arithmetic('fmul', multiply),
  ...arithmetic('fsub', subtract),
  ...arithmetic('fsubr', subtractReversed),
  ...arithmetic('fdiv', divide),
  ...arithmetic('fdivr', divideReversed),
  fsqrt: () => fsqrt,
  frndint: () => frndint,
  fchs: () => fchs,
  fabs: () => fabs,
};
