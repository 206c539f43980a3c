// SSE and SSE2 floating point (SDM vol. 1 ch. 10, 11; vol. 2). Exceptions of all lanes are collected before anything is stored;
// an unmasked one is #XM, or #UD while CR4.OSXMMEXCPT is 0.
import type { Instruction } from '../../isa/instruction.ts';
import { linearForRead, read32, readLinear8, write32 } from '../access.ts';
import { effectiveAddress } from '../address.ts';
import type { Cpu } from '../cpu.ts';
import { fault, VECTOR } from '../fault.ts';
import { getFlags, setFlags } from '../flags.ts';
import {
  beginSse,
  destinationToXmm,
  quadToSource,
  sourceToQuad,
  xmmToDestination,
  xmmToSource,
} from '../simd/access.ts';
import { endLane, lane, leave, setLane, source, startLane } from '../simd/exceptions.ts';
import {
  A,
  type Arithmetic,
  approximate,
  arithmetic,
  B,
  DOUBLE,
  enterSse,
  type Format,
  holds,
  order,
  R,
  SINGLE,
} from '../simd/float.ts';
import { D32, S32 } from '../simd/lanes.ts';
import { MXCSR_MASK, type X87 } from '../x87/state.ts';
import type { Binder, Executor, Executors } from './executor.ts';
import { moveWhole } from './packed.ts';
import { conversionExecutors } from './sse-conversions.ts';

/** OF SF ZF AF PF CF. */
const STATUS = 0x8d5;

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
  ...conversionExecutors,
  ldmxcsr: () => ldmxcsr,
  stmxcsr: () => stmxcsr,
  clflush: () => clflush,
  fence: () => fence,
};
