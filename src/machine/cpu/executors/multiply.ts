// MUL IMUL DIV IDIV (SDM vol. 2). The product of two words needs 64 bits and a dividend has 64; both are worked out in
// 16-bit steps that a double holds exactly. #DE is raised before anything changes. Flags the manual leaves undefined:
// see `noteProduct`; DIV and IDIV keep all.
import type { Instruction } from '../../isa/instruction.ts';
import { read8, read16, read32 } from '../access.ts';
import { effectiveAddress } from '../address.ts';
import type { Cpu } from '../cpu.ts';
import { fault, VECTOR } from '../fault.ts';
import { CF, noteResult, OF, PF, replaceFlags, STATUS_FLAGS } from '../flags.ts';
import type { Binder, Executor, Executors } from './executor.ts';
import { byteIndex, readerOf, type Size, sizeOf, writerOf } from './operands.ts';

const OVERFLOW = CF | OF;

/** Upper 32 bits (as int32) of the unsigned 64-bit product. */
function multiplyHighUnsigned(a: number, b: number): number {
  const wide = a >>> 0;
  const low = wide * (b & 0xffff);
  const middle = wide * (b >>> 16) + Math.floor(low / 65536);
  return Math.floor(middle / 65536) | 0;
}

/** Upper 32 bits of the signed 64-bit product. */
function multiplyHighSigned(a: number, b: number): number {
  let high = multiplyHighUnsigned(a, b);
  if (a < 0) high -= b;
  if (b < 0) high -= a;
  return high | 0;
}

/** CF = OF = whether the upper half matters. SF and PF follow the low half and ZF stays clear, as in Intel processors. */
function noteProduct(cpu: Cpu, low: number, overflow: number): void {
  if (low !== 0) noteResult(cpu, low, overflow);
  else replaceFlags(cpu, STATUS_FLAGS, PF | overflow);
}

function mul8(cpu: Cpu, b: number): void {
  const product = cpu.regs8[0] * b;
  cpu.regs16[0] = product;
  noteProduct(cpu, (product << 24) >> 24, product > 0xff ? OVERFLOW : 0);
}

function mul16(cpu: Cpu, b: number): void {
  const product = cpu.regs16[0] * b;
  cpu.regs16[0] = product;
  cpu.regs16[4] = product / 65536;
  noteProduct(cpu, (product << 16) >> 16, product > 0xffff ? OVERFLOW : 0);
}

function mul32(cpu: Cpu, b: number): void {
  const a = cpu.regs[0];
  const high = multiplyHighUnsigned(a, b);
  cpu.regs[0] = Math.imul(a, b);
  cpu.regs[2] = high;
  noteProduct(cpu, cpu.regs[0], high !== 0 ? OVERFLOW : 0);
}

function imul8(cpu: Cpu, b: number): void {
  const product = ((cpu.regs8[0] << 24) >> 24) * ((b << 24) >> 24);
  cpu.regs16[0] = product;
  const low = (product << 24) >> 24;
  noteProduct(cpu, low, product !== low ? OVERFLOW : 0);
}

function imul16(cpu: Cpu, b: number): void {
  const product = ((cpu.regs16[0] << 16) >> 16) * ((b << 16) >> 16);
  cpu.regs16[0] = product;
  cpu.regs16[4] = product >> 16;
  const low = (product << 16) >> 16;
  noteProduct(cpu, low, product !== low ? OVERFLOW : 0);
}

function imul32(cpu: Cpu, b: number): void {
  const a = cpu.regs[0];
  const high = multiplyHighSigned(a, b);
  const low = Math.imul(a, b);
  cpu.regs[0] = low;
  cpu.regs[2] = high;
  noteProduct(cpu, low, high !== low >> 31 ? OVERFLOW : 0);
}

/** Signed product cut to 16 bits, sign-extended. */
function truncated16(cpu: Cpu, a: number, b: number): number {
  const product = ((a << 16) >> 16) * ((b << 16) >> 16);
  const low = (product << 16) >> 16;
  noteProduct(cpu, low, product !== low ? OVERFLOW : 0);
  return low;
}

/** Signed product cut to 32 bits. */
function truncated32(cpu: Cpu, a: number, b: number): number {
  const low = Math.imul(a, b);
  // A product below 2^53 is exact in a double; a larger one differs from any int32 all the same.
  noteProduct(cpu, low, a * b !== low ? OVERFLOW : 0);
  return low;
}

function div8(cpu: Cpu, b: number): void {
  const dividend = cpu.regs16[0];
  if (b === 0 || dividend >>> 8 >= b) fault(cpu, VECTOR.DE);
  const quotient = (dividend / b) | 0;
  cpu.regs8[0] = quotient;
  cpu.regs8[1] = dividend - quotient * b;
}

function div16(cpu: Cpu, b: number): void {
  if (b === 0 || cpu.regs16[4] >= b) fault(cpu, VECTOR.DE);
  const dividend = cpu.regs16[4] * 65536 + cpu.regs16[0];
  const quotient = Math.floor(dividend / b);
  cpu.regs16[0] = quotient;
  cpu.regs16[4] = dividend - quotient * b;
}

/** high:low / divisor, all uint32, high < divisor: schoolbook division in two digits of 16 bits, each exact in a double. */
function divide64(high: number, low: number, divisor: number): number {
  if (high === 0) return Math.floor(low / divisor);
  const upper = high * 65536 + (low >>> 16);
  const first = Math.floor(upper / divisor);
  const lower = (upper - first * divisor) * 65536 + (low & 0xffff);
  return first * 65536 + Math.floor(lower / divisor);
}

function div32(cpu: Cpu, b: number): void {
  const divisor = b >>> 0;
  const low = cpu.regs[0];
  const high = cpu.regs[2] >>> 0;
  if (high >= divisor) fault(cpu, VECTOR.DE);
  const quotient = divide64(high, low >>> 0, divisor);
  cpu.regs[0] = quotient;
  cpu.regs[2] = low - Math.imul(quotient, divisor);
}

function idiv8(cpu: Cpu, b: number): void {
  const dividend = (cpu.regs16[0] << 16) >> 16;
  const divisor = (b << 24) >> 24;
  if (divisor === 0) fault(cpu, VECTOR.DE);
  const quotient = (dividend / divisor) | 0;
  if ((quotient << 24) >> 24 !== quotient) fault(cpu, VECTOR.DE);
  cpu.regs8[0] = quotient;
  cpu.regs8[1] = dividend - quotient * divisor;
}

function idiv16(cpu: Cpu, b: number): void {
  const dividend = (cpu.regs16[4] << 16) | cpu.regs16[0];
  const divisor = (b << 16) >> 16;
  if (divisor === 0) fault(cpu, VECTOR.DE);
  const quotient = Math.trunc(dividend / divisor);
  if ((quotient << 16) >> 16 !== quotient) fault(cpu, VECTOR.DE);
  cpu.regs16[0] = quotient;
  cpu.regs16[4] = dividend - quotient * divisor;
}

function idiv32(cpu: Cpu, b: number): void {
  let low = cpu.regs[0];
  let high = cpu.regs[2];
  const negativeDividend = high < 0;
  if (negativeDividend) {
    low = -low | 0;
    high = (~high + (low === 0 ? 1 : 0)) | 0;
  }
  const divisor = b < 0 ? -b : b;
  // The magnitude of the quotient must fit 32 bits before its sign is looked at.
  if (high >>> 0 >= divisor) fault(cpu, VECTOR.DE);
  const quotient = divide64(high >>> 0, low >>> 0, divisor);
  const remainder = (low - Math.imul(quotient, divisor)) | 0;
  const negative = negativeDividend !== b < 0;
  if (quotient > (negative ? 0x80000000 : 0x7fffffff)) fault(cpu, VECTOR.DE);
  cpu.regs[0] = negative ? -quotient : quotient;
  cpu.regs[2] = negativeDividend ? -remainder : remainder;
}

type Accumulator = (cpu: Cpu, b: number) => void;

/** One operand; the accumulator is the other. */
function wideBinder(op8: Accumulator, op16: Accumulator, op32: Accumulator): Binder {
  const register: Readonly<Record<Size, Executor>> = {
    8: (cpu, i) => op8(cpu, cpu.regs8[byteIndex(i.rm)]),
    16: (cpu, i) => op16(cpu, cpu.regs16[i.rm << 1]),
    32: (cpu, i) => op32(cpu, cpu.regs[i.rm]),
  };
  const memory: Readonly<Record<Size, Executor>> = {
    8: (cpu, i) => op8(cpu, read8(cpu, i.segment, effectiveAddress(cpu, i))),
    16: (cpu, i) => op16(cpu, read16(cpu, i.segment, effectiveAddress(cpu, i))),
    32: (cpu, i) => op32(cpu, read32(cpu, i.segment, effectiveAddress(cpu, i))),
  };
  return (i) => (i.memory ? memory : register)[sizeOf(i)];
}

function imulRegisters32(cpu: Cpu, i: Instruction): void {
  cpu.regs[i.reg] = truncated32(cpu, cpu.regs[i.reg], cpu.regs[i.rm]);
}

function imulRegisterImmediate32(cpu: Cpu, i: Instruction): void {
  cpu.regs[i.reg] = truncated32(cpu, cpu.regs[i.rm], i.immediate);
}

/** `imul r,rm`, `imul r,rm,imm`; `imul r,imm` repeats its register in ModRM.rm. */
const imulBinder: Binder = (i) => {
  const byImmediate = i.form.operands[i.form.operands.length - 1].startsWith('imm');
  if (i.operandSize === 32 && !i.memory) return byImmediate ? imulRegisterImmediate32 : imulRegisters32;
  const read = readerOf(i, 1);
  const readFirst = readerOf(i, 0);
  const write = writerOf(i, 0);
  const product = i.operandSize === 32 ? truncated32 : truncated16;
  if (byImmediate) return (cpu, i) => write(cpu, i, product(cpu, read(cpu, i), i.immediate));
  return (cpu, i) => {
    const b = read(cpu, i);
    write(cpu, i, product(cpu, readFirst(cpu, i), b));
  };
};

export const multiplyExecutors: Executors = {
  mul: wideBinder(mul8, mul16, mul32),
  'imul-wide': wideBinder(imul8, imul16, imul32),
  imul: imulBinder,
  div: wideBinder(div8, div16, div32),
  idiv: wideBinder(idiv8, idiv16, idiv32),
};
