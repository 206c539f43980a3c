// FCOM, FUCOM, FCOMI, FUCOMI with their pops, FTST, FXAM (SDM vol. 2): results in C3, C2, C0, or in ZF, PF, CF.
import type { Instruction } from '../../isa/instruction.ts';
import { effectiveAddress } from '../address.ts';
import type { Cpu } from '../cpu.ts';
import { getFlags, setFlags } from '../flags.ts';
import { compare, examine, UNORDERED } from '../x87/compare.ts';
import { begin, remember, rememberOperand, settle } from '../x87/exceptions.ts';
import { denormalSource } from '../x87/operands.ts';
import { C0, C1, C2, C3, CONDITIONS, IE, OPERAND, SF, TEMPORARY, type X87 } from '../x87/state.ts';
import type { Binder, Executor, Executors } from './executor.ts';
import { loadOf } from './x87-arithmetic.ts';

const CF = 1,
  PF = 4,
  ZF = 0x40;
/** OF SF ZF AF PF CF. */
const STATUS = 0x8d5;

/** Settles, sets the condition codes, pops. */
function conclude(f: X87, codes: number, pops: number): void {
  if (!settle(f)) {
    f.status = (f.status & ~(C0 | C2 | C3)) | codes;
    return;
  }
  f.status = (f.status & ~(C0 | C2 | C3)) | codes;
  for (let n = 0; n < pops; n++) f.pop();
}

function againstRegister(quiet: boolean, pops: number): Executor {
  return (cpu, i) => {
    const f = begin(cpu);
    remember(cpu, f, i);
    const other = f.st(pops === 2 ? 1 : i.rm);
    let codes = UNORDERED;
    if (f.isEmpty(f.top) || f.isEmpty(other)) f.raised = IE | SF;
    else codes = compare(f, f.top, other, quiet);
    conclude(f, codes, pops);
  };
}

function againstMemory(pops: number): Executor {
  return (cpu, i) => {
    const f = begin(cpu);
    const offset = effectiveAddress(cpu, i);
    const denormal = loadOf(i)(cpu, f, i, offset);
    rememberOperand(cpu, f, i, offset);
    let codes = UNORDERED;
    if (f.isEmpty(f.top)) f.raised = IE | SF;
    else {
      if (denormal) denormalSource(f, f.top);
      codes = compare(f, f.top, OPERAND, false);
    }
    conclude(f, codes, pops);
  };
}

function intoFlags(quiet: boolean, pops: number): Executor {
  return (cpu, i) => {
    const f = begin(cpu);
    remember(cpu, f, i);
    const other = f.st(i.rm);
    let codes = UNORDERED;
    if (f.isEmpty(f.top) || f.isEmpty(other)) f.raised = IE | SF;
    else codes = compare(f, f.top, other, quiet);
    // C1 stays, unless the stack ran over.
    if (!(f.raised & SF)) f.raised |= f.status & C1;
    const stored = settle(f);
    if (!(f.raised & SF)) f.status |= f.raised & C1;
    const flags = (codes & C0 ? CF : 0) | (codes & C2 ? PF : 0) | (codes & C3 ? ZF : 0);
    setFlags(cpu, (getFlags(cpu) & ~STATUS) | flags);
    if (stored && pops > 0) f.pop();
  };
}

function ftst(cpu: Cpu, i: Instruction): void {
  const f = begin(cpu);
  remember(cpu, f, i);
  let codes = UNORDERED;
  if (f.isEmpty(f.top)) f.raised = IE | SF;
  else {
    f.set(TEMPORARY, 0, 0, 0);
    codes = compare(f, f.top, TEMPORARY, false);
  }
  conclude(f, codes, 0);
}

function fxam(cpu: Cpu, i: Instruction): void {
  const f = begin(cpu);
  remember(cpu, f, i);
  f.status = (f.status & ~CONDITIONS) | examine(f, f.top);
}

function comparison(quiet: boolean, pops: number): Binder {
  const register = againstRegister(quiet, pops);
  const memory = againstMemory(pops);
  return (i) => (i.memory ? memory : register);
}

export const x87CompareExecutors: Executors = {
  fcom: comparison(false, 0),
  fcomp: comparison(false, 1),
  fcompp: comparison(false, 2),
  fucom: comparison(true, 0),
  fucomp: comparison(true, 1),
  fucompp: comparison(true, 2),
  fcomi: (
    (executor) => () =>
      executor
  )(intoFlags(false, 0)),
  fcomip: (
    (executor) => () =>
      executor
  )(intoFlags(false, 1)),
  fucomi: (
    (executor) => () =>
      executor
  )(intoFlags(true, 0)),
  fucomip: (
    (executor) => () =>
      executor
  )(intoFlags(true, 1)),
  ftst: () => ftst,
  fxam: () => fxam,
};
