// BT BTS BTR BTC BSF BSR BSWAP (SDM vol. 2). A bit number in a register is signed and reaches beyond a memory operand:
// the word that holds the bit is found first (SDM vol. 2 §3.1.1.9 "Bit(BitBase, BitOffset)").
import type { Instruction } from '../../isa/instruction.ts';
import { commit16, commit32, modify16, modify32, read16, read32 } from '../access.ts';
import { effectiveAddress, stepOffset } from '../address.ts';
import type { Cpu } from '../cpu.ts';
import { PF, replaceFlags, STATUS_FLAGS, setCarry, ZF, zeroSignParity } from '../flags.ts';
import type { Binder, Executor, Executors } from './executor.ts';
import { readerOf, writerOf } from './operands.ts';

/** New word from the old one and the bit as a mask; `null` for BT, which writes nothing. */
type BitChange = ((word: number, bit: number) => number) | null;

/** Bit number operand: register or immediate. Whole for memory addressing, its low bits choose within the word. */
function bitNumber(cpu: Cpu, i: Instruction, inRegister: boolean): number {
  if (!inRegister) return i.immediate;
  return i.operandSize === 32 ? cpu.regs[i.reg] : (cpu.regs16[i.reg << 1] << 16) >> 16;
}

/** Offset of the word that holds the bit. */
function wordOffset(cpu: Cpu, i: Instruction, inRegister: boolean, number: number): number {
  const offset = effectiveAddress(cpu, i);
  if (!inRegister) return offset;
  return stepOffset(i, offset, i.operandSize === 32 ? (number >> 5) << 2 : (number >> 4) << 1);
}

function inRegisterOperand(change: BitChange, numbered: boolean): Executor {
  return (cpu, i) => {
    const number = bitNumber(cpu, i, numbered) & (i.operandSize - 1);
    const word = i.operandSize === 32 ? cpu.regs[i.rm] : cpu.regs16[i.rm << 1];
    if (change) {
      if (i.operandSize === 32) cpu.regs[i.rm] = change(word, 1 << number);
      else cpu.regs16[i.rm << 1] = change(word, 1 << number);
    }
    setCarry(cpu, (word >>> number) & 1);
  };
}

function inMemory(change: BitChange, numbered: boolean): Executor {
  return (cpu, i) => {
    const whole = bitNumber(cpu, i, numbered);
    const offset = wordOffset(cpu, i, numbered, whole);
    const number = whole & (i.operandSize - 1);
    let word: number;
    if (change === null) {
      word = i.operandSize === 32 ? read32(cpu, i.segment, offset) : read16(cpu, i.segment, offset);
    } else if (i.operandSize === 32) {
      word = modify32(cpu, i.segment, offset);
      commit32(cpu, change(word, 1 << number));
    } else {
      word = modify16(cpu, i.segment, offset);
      commit16(cpu, change(word, 1 << number));
    }
    setCarry(cpu, (word >>> number) & 1);
  };
}

function bitBinder(change: BitChange): Binder {
  return (i) => {
    const numbered = i.form.operands[1] === 'rv';
    return i.memory ? inMemory(change, numbered) : inRegisterOperand(change, numbered);
  };
}

/** BSF and BSR: a source of zero leaves the destination as it is. */
function scanBinder(position: (word: number) => number): Binder {
  return (i) => {
    const read = readerOf(i, 1);
    const write = writerOf(i, 0);
    return (cpu, i) => {
      const source = read(cpu, i);
      // The manual defines ZF only. The rest is what Intel processors leave: PF of the bit number, all others clear.
      if (source === 0) {
        replaceFlags(cpu, STATUS_FLAGS, ZF | PF);
        return;
      }
      const number = position(source);
      write(cpu, i, number);
      replaceFlags(cpu, STATUS_FLAGS, zeroSignParity(number) & PF);
    };
  };
}

/** BSWAP of a 16-bit register is undefined; Intel processors clear it. */
function bswap(cpu: Cpu, i: Instruction): void {
  const v = cpu.regs[i.reg];
  cpu.regs[i.reg] = (v >>> 24) | ((v >>> 8) & 0xff00) | ((v & 0xff00) << 8) | (v << 24);
}

function bswap16(cpu: Cpu, i: Instruction): void {
  cpu.regs16[i.reg << 1] = 0;
}

export const bitExecutors: Executors = {
  bt: bitBinder(null),
  bts: bitBinder((word, bit) => word | bit),
  btr: bitBinder((word, bit) => word & ~bit),
  btc: bitBinder((word, bit) => word ^ bit),
  bsf: scanBinder((word) => 31 - Math.clz32(word & -word)),
  bsr: scanBinder((word) => 31 - Math.clz32(word)),
  bswap: (i) => (i.operandSize === 32 ? bswap : bswap16),
};
