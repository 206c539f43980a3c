// Conversions of SSE and SSE2 between integers, singles and doubles, in xmm, mm and general registers (SDM vol. 2 CVT…).
import { read32 } from '../access.ts';
import { effectiveAddress } from '../address.ts';
import {
  beginMmx,
  beginSse,
  destinationToMm,
  destinationToXmm,
  enterMmx,
  mmToSource,
  quadToSource,
  xmmToDestination,
} from '../simd/access.ts';
import { endLane, lane, leave, setLane, source, startLane } from '../simd/exceptions.ts';
import {
  asInteger,
  B,
  convertFormat,
  DOUBLE,
  enterSse,
  type Format,
  fromInteger,
  R,
  SINGLE,
} from '../simd/float.ts';
import { D32, S32 } from '../simd/lanes.ts';
import type { X87 } from '../x87/state.ts';
import type { Binder, Executor, Executors } from './executor.ts';

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

const single = { bytes: 16, lanes: 4, wide: 4, clear: false } as const;

export const conversionExecutors: Executors = {
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
};
