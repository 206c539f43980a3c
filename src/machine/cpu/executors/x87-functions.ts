// FPREM, FPREM1, FSCALE, FXTRACT, and the transcendental instructions (SDM vol. 2; vol. 1 §8.3.6–8.3.11).
import type { Instruction } from '../../isa/instruction.ts';
import type { Cpu } from '../cpu.ts';
import { begin, remember, settle, storeResult, underflows } from '../x87/exceptions.ts';
import { timesLogarithm, timesLogarithmPlusOne } from '../x87/logarithm.ts';
import { extract, remainder, scale } from '../x87/remainder.ts';
import { C0, C1, C2, C3, IE, MAX_EXPONENT, RESULT, SF, SIGN, TEMPORARY, type X87 } from '../x87/state.ts';
import { arcTan, cos, powerMinusOne, sin, sinCos, tan } from '../x87/transcendental.ts';
import type { Executor, Executors } from './executor.ts';

function partial(nearest: boolean): Executor {
  return (cpu, i) => {
    const f = begin(cpu);
    remember(cpu, f, i);
    const { top } = f;
    let codes = -1;
    if (f.isEmpty(top) || f.isEmpty(f.st(1))) underflows(f);
    else codes = remainder(f, top, f.st(1), nearest);
    // Without a result only C2 changes.
    f.status &= ~C2;
    if (!settle(f)) return;
    if (codes >= 0) f.status = (f.status & ~(C0 | C2 | C3)) | codes;
    storeResult(f, top);
  };
}

function fscale(cpu: Cpu, i: Instruction): void {
  const f = begin(cpu);
  remember(cpu, f, i);
  const { top } = f;
  if (f.isEmpty(top) || f.isEmpty(f.st(1))) underflows(f);
  else scale(f, top, f.st(1));
  if (settle(f)) storeResult(f, top);
}

/** ST(0) becomes the exponent; the significand is pushed. */
function fxtract(cpu: Cpu, i: Instruction): void {
  const f = begin(cpu);
  remember(cpu, f, i);
  const { top } = f;
  const empty = f.isEmpty(top);
  if (empty || !f.isEmpty(f.st(7))) {
    f.raised = IE | SF | (empty ? 0 : C1);
    f.set(RESULT, SIGN | MAX_EXPONENT, 0xc0000000 | 0, 0);
    f.copy(TEMPORARY, RESULT);
  } else extract(f, top);
  if (!settle(f)) return;
  f.copy(top, TEMPORARY);
  f.occupied |= 1 << top;
  f.push();
  f.copy(f.top, RESULT);
}

/** FSIN and FCOS. */
function trigonometric(operation: (f: X87, a: number) => boolean): Executor {
  return (cpu, i) => {
    const f = begin(cpu);
    remember(cpu, f, i);
    const { top } = f;
    let inRange = true;
    if (f.isEmpty(top)) underflows(f);
    else inRange = operation(f, top);
    f.status &= ~C2;
    if (!inRange) {
      f.status = (f.status | C2) & ~C1;
      return;
    }
    if (settle(f)) storeResult(f, top);
  };
}

/**
 * FSINCOS and FPTAN: two results. @param operation leaves what replaces ST(0) and what is pushed in TEMPORARY and RESULT
 * @param pushed which of the two is pushed
 */
function twoResults(operation: (f: X87, a: number) => boolean, pushed: number): Executor {
  const replaced = pushed === RESULT ? TEMPORARY : RESULT;
  return (cpu, i) => {
    const f = begin(cpu);
    remember(cpu, f, i);
    const { top } = f;
    const empty = f.isEmpty(top);
    let inRange = true;
    if (empty || !f.isEmpty(f.st(7))) {
      f.raised = IE | SF | (empty ? 0 : C1);
      f.set(RESULT, SIGN | MAX_EXPONENT, 0xc0000000 | 0, 0);
      f.copy(TEMPORARY, RESULT);
    } else inRange = operation(f, top);
    f.status &= ~C2;
    if (!inRange) {
      f.status = (f.status | C2) & ~C1;
      return;
    }
    if (!settle(f)) return;
    f.copy(top, replaced);
    f.occupied |= 1 << top;
    f.push();
    f.copy(f.top, pushed);
  };
}

/** FPATAN, FYL2X, FYL2XP1: ST(1) is replaced, ST(0) popped. */
function twoOperands(operation: (f: X87, a: number, b: number) => void): Executor {
  return (cpu, i) => {
    const f = begin(cpu);
    remember(cpu, f, i);
    const below = f.st(1);
    if (f.isEmpty(f.top) || f.isEmpty(below)) underflows(f);
    else operation(f, f.top, below);
    if (!settle(f)) return;
    storeResult(f, below);
    f.pop();
  };
}

function f2xm1(cpu: Cpu, i: Instruction): void {
  const f = begin(cpu);
  remember(cpu, f, i);
  if (f.isEmpty(f.top)) underflows(f);
  else powerMinusOne(f, f.top);
  if (settle(f)) storeResult(f, f.top);
}

const fsin = trigonometric(sin);
const fcos = trigonometric(cos);
const fsincos = twoResults(sinCos, RESULT);
const fptan = twoResults(tan, TEMPORARY);
const fpatan = twoOperands(arcTan);
const fyl2x = twoOperands(timesLogarithm);
const fyl2xp1 = twoOperands(timesLogarithmPlusOne);
const fprem = partial(false);
const fprem1 = partial(true);

export const x87FunctionExecutors: Executors = {
  fprem: () => fprem,
  fprem1: () => fprem1,
  fscale: () => fscale,
  fxtract: () => fxtract,
  fsin: () => fsin,
  fcos: () => fcos,
  fsincos: () => fsincos,
  fptan: () => fptan,
  fpatan: () => fpatan,
  f2xm1: () => f2xm1,
  fyl2x: () => fyl2x,
  fyl2xp1: () => fyl2xp1,
};
