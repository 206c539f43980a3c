// AAA AAS AAM AAD DAA DAS (SDM vol. 2): decimal digits in AL and AH. Where the manual leaves flags undefined, they are what
// Intel processors leave.
import type { Instruction } from '../../isa/instruction.ts';
import type { Cpu } from '../cpu.ts';
import { fault, VECTOR } from '../fault.ts';
import { AF, CF, carry, getFlags, noteAddition, noteResult } from '../flags.ts';
import type { Executors } from './executor.ts';

const AL = 0,
  AH = 1;

function signed8(value: number): number {
  return (value << 24) >> 24;
}

function aaa(cpu: Cpu): void {
  const adjust = (cpu.regs8[AL] & 15) > 9 || (getFlags(cpu) & AF) !== 0;
  if (adjust) cpu.regs16[0] += 0x106;
  cpu.regs8[AL] &= 15;
  noteResult(cpu, cpu.regs8[AL], adjust ? AF | CF : 0);
}

function aas(cpu: Cpu): void {
  const adjust = (cpu.regs8[AL] & 15) > 9 || (getFlags(cpu) & AF) !== 0;
  if (adjust) cpu.regs16[0] -= 0x106;
  cpu.regs8[AL] &= 15;
  noteResult(cpu, cpu.regs8[AL], adjust ? AF | CF : 0);
}

function aam(cpu: Cpu, i: Instruction): void {
  const base = i.immediate & 0xff;
  if (base === 0) fault(cpu, VECTOR.DE);
  const al = cpu.regs8[AL];
  cpu.regs8[AH] = al / base;
  cpu.regs8[AL] = al % base;
  noteResult(cpu, signed8(cpu.regs8[AL]), 0);
}

function aad(cpu: Cpu, i: Instruction): void {
  // CF, OF and AF are those of the byte addition.
  const al = signed8(cpu.regs8[AL]);
  const tens = signed8(cpu.regs8[AH] * i.immediate);
  const result = signed8(al + tens);
  cpu.regs16[0] = result & 0xff;
  noteAddition(cpu, al, tens, result);
}

/** DAA and DAS differ in the sign of the corrections. */
function adjust(cpu: Cpu, sign: 1 | -1): void {
  const old = cpu.regs8[AL];
  const low = (old & 15) > 9 || (getFlags(cpu) & AF) !== 0;
  const high = old > 0x99 || carry(cpu) !== 0;
  // DAS: a borrow out of the low correction shows in CF even when the high digit is left alone.
  const borrow = sign < 0 && low && old < 6;
  const al = old + sign * ((low ? 6 : 0) + (high ? 0x60 : 0));
  cpu.regs8[AL] = al;
  noteResult(cpu, signed8(al), (low ? AF : 0) | (high || borrow ? CF : 0));
}

function daa(cpu: Cpu): void {
  adjust(cpu, 1);
}

function das(cpu: Cpu): void {
  adjust(cpu, -1);
}

export const decimalExecutors: Executors = {
  aaa: () => aaa,
  aas: () => aas,
  aam: () => aam,
  aad: () => aad,
  daa: () => daa,
  das: () => das,
};
