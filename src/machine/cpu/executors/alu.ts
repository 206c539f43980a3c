// ADD OR ADC SBB AND SUB XOR CMP TEST (SDM vol. 2): what they compute and which flags they note.
// The shapes that compiled code is made of have executors of their own in alu-hot.ts.
import { carry, noteAddition, noteLogic, noteSubtraction } from '../flags.ts';
import { hotAdd, hotAnd, hotOr, hotSub, hotXor } from './alu-hot.ts';
import { binaryBinder, comparingShapes, type Operation, updatingShapes } from './binary.ts';
import { hotCmp, hotTest } from './compare-hot.ts';
import type { Executors } from './executor.ts';

/** a + b. */
export const add: Operation = (cpu, a, b, shift) => {
  a = (a << shift) >> shift;
  b = (b << shift) >> shift;
  const result = ((a + b) << shift) >> shift;
  noteAddition(cpu, a, b, result);
  return result;
};

const adc: Operation = (cpu, a, b, shift) => {
  a = (a << shift) >> shift;
  b = (b << shift) >> shift;
  const result = ((a + b + carry(cpu)) << shift) >> shift;
  noteAddition(cpu, a, b, result);
  return result;
};

/** a - b. */
export const sub: Operation = (cpu, a, b, shift) => {
  a = (a << shift) >> shift;
  b = (b << shift) >> shift;
  const result = ((a - b) << shift) >> shift;
  noteSubtraction(cpu, a, b, result);
  return result;
};

const sbb: Operation = (cpu, a, b, shift) => {
  a = (a << shift) >> shift;
  b = (b << shift) >> shift;
  const result = ((a - b - carry(cpu)) << shift) >> shift;
  noteSubtraction(cpu, a, b, result);
  return result;
};

const and: Operation = (cpu, a, b, shift) => {
  const result = ((a & b) << shift) >> shift;
  noteLogic(cpu, result);
  return result;
};

const or: Operation = (cpu, a, b, shift) => {
  const result = ((a | b) << shift) >> shift;
  noteLogic(cpu, result);
  return result;
};

const xor: Operation = (cpu, a, b, shift) => {
  const result = ((a ^ b) << shift) >> shift;
  noteLogic(cpu, result);
  return result;
};

export const aluExecutors: Executors = {
  add: binaryBinder(updatingShapes(add), hotAdd),
  or: binaryBinder(updatingShapes(or), hotOr),
  adc: binaryBinder(updatingShapes(adc)),
  sbb: binaryBinder(updatingShapes(sbb)),
  and: binaryBinder(updatingShapes(and), hotAnd),
  sub: binaryBinder(updatingShapes(sub), hotSub),
  xor: binaryBinder(updatingShapes(xor), hotXor),
  cmp: binaryBinder(comparingShapes(sub), hotCmp),
  test: binaryBinder(comparingShapes(and), hotTest),
};
