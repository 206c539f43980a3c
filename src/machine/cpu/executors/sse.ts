// SSE and SSE2 floating point (SDM vol. 1 ch. 10, 11; vol. 2). Exceptions of all lanes are collected before anything is stored;
// an unmasked one is #XM, or #UD while CR4.OSXMMEXCPT is 0.
import type { Instruction } from '../../isa/instruction.ts';
import { linearForRead, read32, readLinear8, write32 } from '../access.ts';
import { effectiveAddress } from '../address.ts';
import type { Cpu } from '../cpu.ts';
import { fault, VECTOR } from '../fault.ts';
import { getFlags, setFlags } from '../flags.ts';
import {
  beginMmx,
  beginSse,
  destinationToMm,
  destinationToXmm,
  enterMmx,
  memoryToSource,
  mmToSource,
  quadToSource,
  sourceToQuad,
  xmmToDestination,
  xmmToSource,
} from '../simd/access.ts';
import {
  A,
  type Arithmetic,
  approximate,
  arithmetic,
  asInteger,
  B,
  convertFormat,
  DOUBLE,
  enterSse,
  type Format,
  fromInteger,
  holds,
  order,
  R,
  SINGLE,
} from '../simd/float.ts';
import { D32, S32 } from '../simd/lanes.ts';
import { DE, IE, MXCSR_MASK, type X87, ZE } from '../x87/state.ts';
import type { Binder, Executor, Executors } from './executor.ts';
import { moveWhole } from './packed.ts';

const CR4_OSXMMEXCPT = 1 << 10;
/** OF SF ZF AF PF CF. */
const STATUS = 0x8d5;

/** Flags of the lanes done so far. */
let collected = 0;

/** Each lane raises by itself: what one has raised must not be taken for another's. */
function startLane(f: X87): void {
  f.raised = 0;
}
function endLane(f: X87): void {
  collected |= f.raised;
}

/** Puts the control word back and notes the flags; faults for unmasked ones, before anything has been stored. */
function leave(cpu: Cpu, f: X87, control: number): void {
  f.control = control;
  let raised = (f.raised | collected) & 0x3f;
  collected = 0;
  if (raised === 0) return;
  const unmasked = raised & ~(f.mxcsr >> 7);
  // What precedes a computation, when unmasked, keeps it from happening.
  if (unmasked & (IE | DE | ZE)) raised &= IE | DE | ZE;
  f.mxcsr |= raised;
  if (unmasked) fault(cpu, cpu.cr4 & CR4_OSXMMEXCPT ? VECTOR.XM : VECTOR.UD);
}

/** Shape of an operation by its encoding: format and number of lanes. */
interface Shape {
  readonly format: Format;
  readonly lanes: 1 | 2 | 4;
}
/** ps pd ss sd, by the mandatory prefix. */
function shapeOf(i: Instruction): Shape {
  switch (i.form.prefix) {
    case undefined:
      return { format: SINGLE, lanes: 4 };
    case 0x66:
      return { format: DOUBLE, lanes: 2 };
    case 0xf3:
      return { format: SINGLE, lanes: 1 };
    default:
      return { format: DOUBLE, lanes: 1 };
  }
}

/** The source operand into S: as many bytes as the lanes need. */
function source(cpu: Cpu, i: Instruction, bytes: number): void {
  if (!i.memory) xmmToSource(cpu.x87, i.rm);
  else if (bytes === 16) memoryToSource(cpu, i, true);
  else if (bytes === 8) quadToSource(cpu, i);
  else S32[0] = read32(cpu, i.segment, effectiveAddress(cpu, i));
}

/** Lane n of S or D into A or B. */
function lane(to: Int32Array, from: Int32Array, n: number, format: Format): void {
  if (format === SINGLE) to[0] = from[n];
  else {
    to[0] = from[2 * n];
    to[1] = from[2 * n + 1];
  }
}
/** R into lane n of D. */
function setLane(n: number, format: Format): void {
  if (format === SINGLE) D32[n] = R[0];
  else {
    D32[2 * n] = R[0];
    D32[2 * n + 1] = R[1];
  }
}

/** `op xmm, xmm/m` lane by lane: `work` makes R of A (destination) and B (source). */
function lanewise(work: (f: X87, format: Format, i: Instruction) => void): Binder {
  return (i) => {
    const { format, lanes } = shapeOf(i);
    const bytes = lanes * (format === SINGLE ? 4 : 8);
    return (cpu, i) => {
      const f = beginSse(cpu);
      source(cpu, i, bytes);
      xmmToDestination(f, i.reg);
      const control = enterSse(f);
      for (let n = 0; n < lanes; n++) {
        lane(A, D32, n, format);
        lane(B, S32, n, format);
        startLane(f);
        work(f, format, i);
        endLane(f);
        setLane(n, format);
      }
      leave(cpu, f, control);
      destinationToXmm(f, i.reg);
    };
  };
}
const calculation = (operation: Arithmetic): Binder =>
  lanewise((f, format) => arithmetic(f, operation, format));

/** Bits of whole registers. */
function bitwise(operation: (a: number, b: number) => number): Binder {
  const executor: Executor = (cpu, i) => {
    const f = beginSse(cpu);
    source(cpu, i, 16);
    xmmToDestination(f, i.reg);
    for (let n = 0; n < 4; n++) D32[n] = operation(D32[n], S32[n]);
    destinationToXmm(f, i.reg);
  };
  return () => executor;
}

/** Places: `choose` says for each word of the result where it comes from, 0..3 the destination, 4..7 the source. */
function places(choose: (format: Format, n: number, immediate: number) => number): Binder {
  const words = new Int32Array(8);
  return (i) => {
    const { format } = shapeOf(i);
    return (cpu, i) => {
      const f = beginSse(cpu);
      source(cpu, i, 16);
      for (let n = 0; n < 4; n++) {
        words[n] = f.xmm[4 * i.reg + n];
        words[4 + n] = S32[n];
      }
      for (let n = 0; n < 4; n++) f.xmm[4 * i.reg + n] = words[choose(format, n, i.immediate)];
    };
  };
}
const shuffle = places((format, n, immediate) => {
  const from = n < 2 ? 0 : 4;
  if (format === SINGLE) return from + ((immediate >> (2 * n)) & 3);
  return from + 2 * ((immediate >> (n >> 1)) & 1) + (n & 1);
});
const unpack = (high: number): Binder =>
  places((format, n) =>
    format === SINGLE ? (n >> 1) + 4 * (n & 1) + 2 * high : (n & 1) + 2 * high + 4 * (n >> 1),
  );

/** (U)COMISS, (U)COMISD. */
function compareScalars(quiet: boolean): Binder {
  return (i) => {
    const format = i.form.prefix === 0x66 ? DOUBLE : SINGLE;
    return (cpu, i) => {
      const f = beginSse(cpu);
      source(cpu, i, format === SINGLE ? 4 : 8);
      xmmToDestination(f, i.reg);
      const control = enterSse(f);
      lane(A, D32, 0, format);
      lane(B, S32, 0, format);
      const flags = order(f, quiet, format);
      leave(cpu, f, control);
      setFlags(cpu, (getFlags(cpu) & ~STATUS) | flags);
    };
  };
}

const movmsk: Binder = (i) => {
  const lanes = i.form.prefix === 0x66 ? 2 : 4;
  return (cpu, i) => {
    xmmToSource(beginSse(cpu), i.rm);
    let signs = 0;
    for (let n = 0; n < lanes; n++) signs |= (S32[lanes === 4 ? n : 2 * n + 1] >>> 31) << n;
    cpu.regs[i.reg] = signs;
  };
};

/** MOVSS, MOVSD: from memory the rest of the register becomes zero, between registers it stays. */
function scalarMove(words: 1 | 2): Binder {
  const load: Executor = (cpu, i) => {
    const f = beginSse(cpu);
    source(cpu, i, 4 * words);
    xmmToDestination(f, i.reg);
    if (i.memory) D32.fill(0);
    for (let n = 0; n < words; n++) D32[n] = S32[n];
    destinationToXmm(f, i.reg);
  };
  const store: Executor = (cpu, i) => {
    const f = beginSse(cpu);
    xmmToSource(f, i.reg);
    if (!i.memory) for (let n = 0; n < words; n++) f.xmm[4 * i.rm + n] = S32[n];
    else if (words === 2) sourceToQuad(cpu, i, 0);
    else write32(cpu, i.segment, effectiveAddress(cpu, i), S32[0]);
  };
  return (i) => (i.form.operands[0] === 'xmm' ? load : store);
}

/** MOVLPS/PD, MOVHPS/PD with memory. @param half 0 low, 1 high */
function halfMove(half: number): Binder {
  const load: Executor = (cpu, i) => {
    const f = beginSse(cpu);
    quadToSource(cpu, i);
    f.xmm[4 * i.reg + 2 * half] = S32[0];
    f.xmm[4 * i.reg + 2 * half + 1] = S32[1];
  };
  const store: Executor = (cpu, i) => {
    xmmToSource(beginSse(cpu), i.reg);
    sourceToQuad(cpu, i, half);
  };
  return (i) => (i.form.operands[0] === 'xmm' ? load : store);
}

/** MOVHLPS, MOVLHPS. */
function acrossHalves(to: number, from: number): Binder {
  const executor: Executor = (cpu, i) => {
    const f = beginSse(cpu);
    xmmToSource(f, i.rm);
    f.xmm[4 * i.reg + to] = S32[from];
    f.xmm[4 * i.reg + to + 1] = S32[from + 1];
  };
  return () => executor;
}

/** What a conversion reads, how many lanes it has, and what becomes of the lanes that it does not write. */
interface Conversion {
  readonly bytes: 4 | 8 | 16;
  readonly lanes: 1 | 2 | 4;
  /** Bytes of a result's lane. */
  readonly wide: 4 | 8;
  /** Clear what is left of the destination. */
  readonly clear: boolean;
  convert(f: X87, n: number): void;
}

/** Conversions within xmm registers. Results go into D one after the other. */
function conversion({ bytes, lanes, wide, clear, convert }: Conversion): Binder {
  const executor: Executor = (cpu, i) => {
    const f = beginSse(cpu);
    source(cpu, i, bytes);
    xmmToDestination(f, i.reg);
    if (clear) D32.fill(0);
    const control = enterSse(f);
    for (let n = 0; n < lanes; n++) {
      startLane(f);
      convert(f, n);
      endLane(f);
      setLane(n, wide === 4 ? SINGLE : DOUBLE);
    }
    leave(cpu, f, control);
    destinationToXmm(f, i.reg);
  };
  return () => executor;
}
const toOther = (from: Format) => (f: X87, n: number) => {
  lane(B, S32, n, from);
  convertFormat(f, from);
};
const integerTo = (format: Format) => (f: X87, n: number) => fromInteger(f, S32[n], format);
const toIntegers = (from: Format, truncate: boolean) => (f: X87, n: number) => {
  lane(B, S32, n, from);
  R[0] = asInteger(f, truncate, from);
};

/** CVTPI2PS, CVTPI2PD: from mm registers; from memory they leave the x87 alone. */
function fromPacked(format: Format): Binder {
  const executor: Executor = (cpu, i) => {
    const f = beginSse(cpu);
    if (i.memory) quadToSource(cpu, i);
    else {
      beginMmx(cpu);
      mmToSource(f, i.rm);
    }
    xmmToDestination(f, i.reg);
    const control = enterSse(f);
    for (let n = 0; n < 2; n++) {
      startLane(f);
      fromInteger(f, S32[n], format);
      endLane(f);
      setLane(n, format);
    }
    if (!i.memory) enterMmx(f);
    leave(cpu, f, control);
    destinationToXmm(f, i.reg);
  };
  return () => executor;
}

/** CVT(T)PS2PI, CVT(T)PD2PI. */
function toPacked(from: Format, truncate: boolean): Binder {
  const convert = toIntegers(from, truncate);
  const executor: Executor = (cpu, i) => {
    const f = beginSse(cpu);
    beginMmx(cpu);
    source(cpu, i, from === SINGLE ? 8 : 16);
    const control = enterSse(f);
    for (let n = 0; n < 2; n++) {
      startLane(f);
      convert(f, n);
      endLane(f);
      D32[n] = R[0];
    }
    enterMmx(f);
    leave(cpu, f, control);
    destinationToMm(f, i.reg);
  };
  return () => executor;
}

/** CVTSI2SS, CVTSI2SD. */
function fromGeneral(format: Format): Binder {
  const executor: Executor = (cpu, i) => {
    const f = beginSse(cpu);
    const value = i.memory ? read32(cpu, i.segment, effectiveAddress(cpu, i)) : cpu.regs[i.rm];
    xmmToDestination(f, i.reg);
    const control = enterSse(f);
    fromInteger(f, value, format);
    setLane(0, format);
    leave(cpu, f, control);
    destinationToXmm(f, i.reg);
  };
  return () => executor;
}

/** CVT(T)SS2SI, CVT(T)SD2SI. */
function toGeneral(from: Format, truncate: boolean): Binder {
  const convert = toIntegers(from, truncate);
  const executor: Executor = (cpu, i) => {
    const f = beginSse(cpu);
    source(cpu, i, from === SINGLE ? 4 : 8);
    const control = enterSse(f);
    convert(f, 0);
    leave(cpu, f, control);
    cpu.regs[i.reg] = R[0];
  };
  return () => executor;
}

function ldmxcsr(cpu: Cpu, i: Instruction): void {
  const f = beginSse(cpu);
  const value = read32(cpu, i.segment, effectiveAddress(cpu, i));
  if (value & ~MXCSR_MASK) fault(cpu, VECTOR.GP, 0);
  f.mxcsr = value;
}
function stmxcsr(cpu: Cpu, i: Instruction): void {
  const f = beginSse(cpu);
  write32(cpu, i.segment, effectiveAddress(cpu, i), f.mxcsr);
}
function clflush(cpu: Cpu, i: Instruction): void {
  const linear = linearForRead(cpu, i.segment, effectiveAddress(cpu, i), 1);
  readLinear8(cpu, linear, cpu.cpl === 3);
}
function fence(): void {}

const single = { bytes: 16, lanes: 4, wide: 4, clear: false } as const;

export const sseExecutors: Executors = {
  'sse-add': calculation('add'),
  'sse-sub': calculation('sub'),
  'sse-mul': calculation('mul'),
  'sse-div': calculation('div'),
  'sse-sqrt': calculation('sqrt'),
  'sse-min': calculation('min'),
  'sse-max': calculation('max'),
  'sse-rcp': lanewise(() => approximate(false)),
  'sse-rsqrt': lanewise(() => approximate(true)),
  'sse-cmp': lanewise((f, format, i) => {
    R[0] = R[1] = holds(f, i.immediate & 7, format) ? -1 : 0;
  }),
  'sse-and': bitwise((a, b) => a & b),
  'sse-andn': bitwise((a, b) => ~a & b),
  'sse-or': bitwise((a, b) => a | b),
  'sse-xor': bitwise((a, b) => a ^ b),
  'sse-unpckl': unpack(0),
  'sse-unpckh': unpack(1),
  'sse-shuf': shuffle,
  'sse-ucomi': compareScalars(true),
  'sse-comi': compareScalars(false),
  'sse-movmsk': movmsk,
  movss: scalarMove(1),
  'movsd-scalar': scalarMove(2),
  movu: moveWhole(false),
  mova: moveWhole(true),
  movnt: moveWhole(true),
  movl: halfMove(0),
  movh: halfMove(1),
  movhlps: acrossHalves(0, 2),
  movlhps: acrossHalves(2, 0),
  cvtpi2ps: fromPacked(SINGLE),
  cvtpi2pd: fromPacked(DOUBLE),
  cvtps2pi: toPacked(SINGLE, false),
  cvttps2pi: toPacked(SINGLE, true),
  cvtpd2pi: toPacked(DOUBLE, false),
  cvttpd2pi: toPacked(DOUBLE, true),
  cvtsi2ss: fromGeneral(SINGLE),
  cvtsi2sd: fromGeneral(DOUBLE),
  cvtss2si: toGeneral(SINGLE, false),
  cvttss2si: toGeneral(SINGLE, true),
  cvtsd2si: toGeneral(DOUBLE, false),
  cvttsd2si: toGeneral(DOUBLE, true),
  cvtps2pd: conversion({ bytes: 8, lanes: 2, wide: 8, clear: true, convert: toOther(SINGLE) }),
  cvtpd2ps: conversion({ bytes: 16, lanes: 2, wide: 4, clear: true, convert: toOther(DOUBLE) }),
  cvtss2sd: conversion({ bytes: 4, lanes: 1, wide: 8, clear: false, convert: toOther(SINGLE) }),
  cvtsd2ss: conversion({ bytes: 8, lanes: 1, wide: 4, clear: false, convert: toOther(DOUBLE) }),
  cvtdq2ps: conversion({ ...single, convert: integerTo(SINGLE) }),
  cvtps2dq: conversion({ ...single, convert: toIntegers(SINGLE, false) }),
  cvttps2dq: conversion({ ...single, convert: toIntegers(SINGLE, true) }),
  cvtdq2pd: conversion({ bytes: 8, lanes: 2, wide: 8, clear: true, convert: integerTo(DOUBLE) }),
  cvtpd2dq: conversion({ bytes: 16, lanes: 2, wide: 4, clear: true, convert: toIntegers(DOUBLE, false) }),
  cvttpd2dq: conversion({ bytes: 16, lanes: 2, wide: 4, clear: true, convert: toIntegers(DOUBLE, true) }),
  ldmxcsr: () => ldmxcsr,
  stmxcsr: () => stmxcsr,
  clflush: () => clflush,
  fence: () => fence,
};
