// Loads, stores and exchanges of the floating-point unit: FLD, FST, FILD, FIST, FBLD, FBSTP, FXCH, FCMOVcc, constants, and the
// stack instructions FFREE, FINCSTP, FDECSTP (SDM vol. 2).
import type { Instruction } from '../../isa/instruction.ts';
import { read16, read32, write16, write32 } from '../access.ts';
import { effectiveAddress } from '../address.ts';
import type { Cpu } from '../cpu.ts';
import { condition } from '../flags.ts';
import { constant } from '../x87/constants.ts';
import { fromDouble, fromInt32, fromInt64, fromSingle, loaded, toInteger, toShort } from '../x87/convert.ts';
import { fromDecimal, toDecimal } from '../x87/decimal.ts';
import {
  begin,
  pushResult,
  remember,
  rememberOperand,
  settle,
  storeResult,
  underflows,
} from '../x87/exceptions.ts';
import { read64, read80, WORDS, write64, write80 } from '../x87/memory.ts';
import { C1, DE, IE, OE, OPERAND, RESULT, SF, TEMPORARY, UE, type X87 } from '../x87/state.ts';
import type { Binder, Executor, Executors } from './executor.ts';

/** A push from memory: `load` leaves the value in RESULT and raises. */
function pushing(load: (cpu: Cpu, f: X87, i: Instruction, offset: number) => void): Executor {
  return (cpu, i) => {
    const f = begin(cpu);
    const offset = effectiveAddress(cpu, i);
    load(cpu, f, i, offset);
    rememberOperand(cpu, f, i, offset);
    pushResult(f);
  };
}

const fldSingle = pushing((cpu, f, i, offset) => {
  loaded(f, OPERAND, fromSingle(f, OPERAND, read32(cpu, i.segment, offset)));
});
const fldDouble = pushing((cpu, f, i, offset) => {
  read64(cpu, i.segment, offset);
  loaded(f, OPERAND, fromDouble(f, OPERAND, WORDS[1], WORDS[0]));
});
const fldExtended = pushing((cpu, f, i, offset) => {
  read80(cpu, i.segment, offset);
  f.set(RESULT, WORDS[2], WORDS[1], WORDS[0]);
});
const fild16 = pushing((cpu, f, i, offset) =>
  fromInt32(f, RESULT, (read16(cpu, i.segment, offset) << 16) >> 16),
);
const fild32 = pushing((cpu, f, i, offset) => fromInt32(f, RESULT, read32(cpu, i.segment, offset)));
const fild64 = pushing((cpu, f, i, offset) => {
  read64(cpu, i.segment, offset);
  fromInt64(f, RESULT, WORDS[1], WORDS[0]);
});
const fbld = pushing((cpu, f, i, offset) => {
  read80(cpu, i.segment, offset);
  fromDecimal(f, RESULT, WORDS[2], WORDS[1], WORDS[0]);
});

function fldRegister(cpu: Cpu, i: Instruction): void {
  const f = begin(cpu);
  remember(cpu, f, i);
  const source = f.st(i.rm);
  if (f.isEmpty(source)) underflows(f);
  else f.copy(RESULT, source);
  pushResult(f);
}

const fld: Binder = (i) => {
  if (!i.memory) return fldRegister;
  return i.form.opcode === 0xd9 ? fldSingle : i.form.opcode === 0xdd ? fldDouble : fldExtended;
};
const fild: Binder = (i) =>
  i.form.operands[0] === 'm16' ? fild16 : i.form.operands[0] === 'm32' ? fild32 : fild64;

/** FLD1, FLDPI …: the last bits depend on the rounding control. */
function pushConstant(name: string): Executor {
  return (cpu, i) => {
    const f = begin(cpu);
    remember(cpu, f, i);
    constant(f, name);
    pushResult(f);
  };
}

/** A store that must not happen (and nothing be popped) when an exception in `blocks` is raised and unmasked. */
function storing(
  convert: (f: X87, top: number) => void,
  indefinite: (f: X87) => void,
  write: (cpu: Cpu, f: X87, segment: number, offset: number) => void,
  pops: boolean,
): Executor {
  return (cpu, i) => {
    const f = begin(cpu);
    const offset = effectiveAddress(cpu, i);
    const { top } = f;
    if (f.isEmpty(top)) {
      f.raised = IE | SF;
      indefinite(f);
    } else convert(f, top);
    const blocked = (f.raised & ~f.control & (IE | DE | OE | UE)) !== 0;
    // The store may fault, and then nothing has happened, no flag either.
    if (!blocked) write(cpu, f, i.segment, offset);
    rememberOperand(cpu, f, i, offset);
    settle(f);
    if (pops && !blocked) f.pop();
  };
}

const singleIndefinite = (f: X87): void => {
  f.outLo = 0xffc00000 | 0;
};
const doubleIndefinite = (f: X87): void => {
  f.outHi = 0xfff80000 | 0;
  f.outLo = 0;
};
const out32 = (cpu: Cpu, f: X87, segment: number, offset: number): void =>
  write32(cpu, segment, offset, f.outLo);
const out16 = (cpu: Cpu, f: X87, segment: number, offset: number): void =>
  write16(cpu, segment, offset, f.outLo & 0xffff);
const out64 = (cpu: Cpu, f: X87, segment: number, offset: number): void => {
  WORDS[0] = f.outLo;
  WORDS[1] = f.outHi;
  write64(cpu, segment, offset);
};
const integerIndefinite = (f: X87, bits: number): void => {
  f.outLo = bits === 64 ? 0 : bits === 32 ? 0x80000000 | 0 : 0x8000;
  f.outHi = 0x80000000 | 0;
};

const storeSingle = (pops: boolean) =>
  storing((f, top) => toShort(f, top, 23), singleIndefinite, out32, pops);
const storeDouble = (pops: boolean) =>
  storing((f, top) => toShort(f, top, 52), doubleIndefinite, out64, pops);
const storeInteger = (bits: 16 | 32 | 64, pops: boolean) =>
  storing(
    (f, top) => toInteger(f, top, bits),
    (f) => integerIndefinite(f, bits),
    bits === 16 ? out16 : bits === 32 ? out32 : out64,
    pops,
  );

const fstSingle = storeSingle(false);
const fstDouble = storeDouble(false);
const fstpSingle = storeSingle(true);
const fstpDouble = storeDouble(true);
const fist16 = storeInteger(16, false);
const fist32 = storeInteger(32, false);
const fistp16 = storeInteger(16, true);
const fistp32 = storeInteger(32, true);
const fistp64 = storeInteger(64, true);

/** RESULT as it is, ten bytes. */
const out80 = (cpu: Cpu, f: X87, segment: number, offset: number): void => {
  WORDS[0] = f.lo[RESULT];
  WORDS[1] = f.hi[RESULT];
  WORDS[2] = f.se[RESULT];
  write80(cpu, segment, offset);
};
const fstpExtended = storing((f, top) => f.copy(RESULT, top), underflows, out80, true);
const fbstp = storing(
  (f, top) => toDecimal(f, top),
  (f) => {
    // The packed decimal indefinite: sign byte and upper digits FFh, C0h below them, zeros.
    f.set(RESULT, 0xffff, 0xc0000000 | 0, 0);
  },
  out80,
  true,
);

function toRegister(pops: boolean): Executor {
  return (cpu, i) => {
    const f = begin(cpu);
    remember(cpu, f, i);
    if (f.isEmpty(f.top)) underflows(f);
    else f.copy(RESULT, f.top);
    if (!settle(f)) return;
    storeResult(f, f.st(i.rm));
    if (pops) f.pop();
  };
}
const fstRegister = toRegister(false);
const fstpRegister = toRegister(true);

const fst: Binder = (i) => (!i.memory ? fstRegister : i.form.opcode === 0xd9 ? fstSingle : fstDouble);
const fstp: Binder = (i) => {
  if (!i.memory) return fstpRegister;
  return i.form.opcode === 0xd9 ? fstpSingle : i.form.opcode === 0xdd ? fstpDouble : fstpExtended;
};
const fist: Binder = (i) => (i.form.operands[0] === 'm16' ? fist16 : fist32);
const fistp: Binder = (i) =>
  i.form.operands[0] === 'm16' ? fistp16 : i.form.operands[0] === 'm32' ? fistp32 : fistp64;

/** FSTP1: as FSTP, but an empty ST(0) raises nothing and stores nothing. */
function fstpnce(cpu: Cpu, i: Instruction): void {
  const f = begin(cpu);
  remember(cpu, f, i);
  f.status &= ~C1;
  const to = f.st(i.rm);
  if (!f.isEmpty(f.top)) {
    f.copy(to, f.top);
    f.occupied |= 1 << to;
  }
  f.pop();
}

function fxch(cpu: Cpu, i: Instruction): void {
  const f = begin(cpu);
  remember(cpu, f, i);
  const { top } = f;
  const other = f.st(i.rm);
  const emptyTop = f.isEmpty(top);
  const emptyOther = f.isEmpty(other);
  if (emptyTop || emptyOther) {
    underflows(f);
    if (!settle(f)) return;
    if (emptyTop) storeResult(f, top);
    if (emptyOther) storeResult(f, other);
  } else f.status &= ~C1;
  f.copy(TEMPORARY, top);
  f.copy(top, other);
  f.copy(other, TEMPORARY);
}

/** FCMOVcc. @param cc condition number of the integer instructions */
function conditional(cc: number): Executor {
  return (cpu, i) => {
    const f = begin(cpu);
    remember(cpu, f, i);
    const { top } = f;
    const source = f.st(i.rm);
    if (f.isEmpty(top) || f.isEmpty(source)) {
      underflows(f);
      if (settle(f)) storeResult(f, top);
      return;
    }
    if (condition(cpu, cc)) f.copy(top, source);
  };
}
const fixed =
  (executor: Executor): Binder =>
  () =>
    executor;

/** Instructions that touch the stack's bookkeeping only. */
function bookkeeping(change: (f: X87, i: Instruction) => void): Binder {
  const executor: Executor = (cpu, i) => {
    const f = begin(cpu);
    remember(cpu, f, i);
    change(f, i);
  };
  return () => executor;
}

export const x87MoveExecutors: Executors = {
  fld,
  fild,
  fbld: fixed(fbld),
  fst,
  fstp,
  fist,
  fistp,
  fbstp: fixed(fbstp),
  fstpnce: fixed(fstpnce),
  fxch: fixed(fxch),
  ffree: bookkeeping((f, i) => {
    f.occupied &= ~(1 << f.st(i.rm));
    f.status &= ~C1;
  }),
  ffreep: bookkeeping((f, i) => {
    f.occupied &= ~(1 << f.st(i.rm));
    f.status &= ~C1;
    f.pop();
  }),
  fincstp: bookkeeping((f) => {
    f.top = (f.top + 1) & 7;
    f.status &= ~C1;
  }),
  fdecstp: bookkeeping((f) => {
    f.top = (f.top - 1) & 7;
    f.status &= ~C1;
  }),
  fnop: bookkeeping(() => {}),
  fcmovb: fixed(conditional(2)),
  fcmove: fixed(conditional(4)),
  fcmovbe: fixed(conditional(6)),
  fcmovu: fixed(conditional(10)),
  fcmovnb: fixed(conditional(3)),
  fcmovne: fixed(conditional(5)),
  fcmovnbe: fixed(conditional(7)),
  fcmovnu: fixed(conditional(11)),
  fld1: fixed(pushConstant('fld1')),
  fldz: fixed(pushConstant('fldz')),
  fldl2t: fixed(pushConstant('fldl2t')),
  fldl2e: fixed(pushConstant('fldl2e')),
  fldpi: fixed(pushConstant('fldpi')),
  fldlg2: fixed(pushConstant('fldlg2')),
  fldln2: fixed(pushConstant('fldln2')),
};
