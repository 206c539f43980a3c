// Integer arithmetic with its flags, for instructions whose memory operand the monitor handles (SDM vol. 1 §3.4.3.1, vol. 2).
import { AF, CF, OF, PF, SF, ZF } from '../../machine/cpu/flags.ts';

export type Bits = 8 | 16 | 32;
export interface Flagged {
  value: number;
  flags: number;
}

const STATUS = CF | PF | AF | ZF | SF | OF;
const maskOf = (size: Bits): number => (size === 32 ? 0xffffffff : (1 << size) - 1);

/** ZF, SF and PF of a result. */
function ofResult(value: number, size: Bits): number {
  let parity = value & 0xff;
  parity ^= parity >> 4;
  parity ^= parity >> 2;
  parity ^= parity >> 1;
  const zero = (value & maskOf(size)) === 0 ? ZF : 0;
  return zero | ((value >>> (size - 1)) & 1 ? SF : 0) | (parity & 1 ? 0 : PF);
}

/** ADD OR ADC SBB AND SUB XOR CMP TEST. @param flags EFLAGS before. @returns the result, uint32 within `size`, and EFLAGS after */
export function combine(operation: string, a: number, b: number, size: Bits, flags: number): Flagged {
  const mask = maskOf(size);
  const top = size - 1;
  const x = (a & mask) >>> 0;
  const y = (b & mask) >>> 0;
  const kept = flags & ~STATUS;
  const carry = flags & CF && (operation === 'adc' || operation === 'sbb') ? 1 : 0;
  switch (operation) {
    case 'add':
    case 'adc': {
      const sum = x + y + carry;
      const value = (sum & mask) >>> 0;
      const over = ((x ^ value) & (y ^ value)) >>> top;
      const status = (sum > mask >>> 0 ? CF : 0) | ((x ^ y ^ value) & AF) | (over & 1 ? OF : 0);
      return { value, flags: kept | status | ofResult(value, size) };
    }
    case 'sub':
    case 'sbb':
    case 'cmp': {
      const value = ((x - y - carry) & mask) >>> 0;
      const over = ((x ^ y) & (x ^ value)) >>> top;
      const status = (x < y + carry ? CF : 0) | ((x ^ y ^ value) & AF) | (over & 1 ? OF : 0);
      return { value, flags: kept | status | ofResult(value, size) };
    }
    default: {
      const value = (operation === 'or' ? x | y : operation === 'xor' ? x ^ y : x & y) >>> 0;
      return { value, flags: kept | ofResult(value, size) };
    }
  }
}

/** INC DEC NOT NEG. */
export function unary(operation: string, a: number, size: Bits, flags: number): Flagged {
  if (operation === 'not') return { value: (~a & maskOf(size)) >>> 0, flags };
  if (operation === 'neg') return combine('sub', 0, a, size, flags);
  const done = combine(operation === 'inc' ? 'add' : 'sub', a, 1, size, flags);
  return { value: done.value, flags: (done.flags & ~CF) | (flags & CF) };
}
