// CLC STC CMC CLD STD LAHF SAHF SALC, and the instructions that do nothing: NOP, WAIT (SDM vol. 2).
import type { Cpu } from '../cpu.ts';
import { AF, CF, carry, DF, getFlags, PF, replaceFlags, SF, setCarry, ZF } from '../flags.ts';
import type { Executors } from './executor.ts';

const AH = 1;
const IN_AH = SF | ZF | AF | PF | CF;

function clc(cpu: Cpu): void {
  setCarry(cpu, 0);
}

function stc(cpu: Cpu): void {
  setCarry(cpu, 1);
}

function cmc(cpu: Cpu): void {
  setCarry(cpu, carry(cpu) ^ 1);
}

function cld(cpu: Cpu): void {
  cpu.flags &= ~DF;
}

function std(cpu: Cpu): void {
  cpu.flags |= DF;
}

function lahf(cpu: Cpu): void {
  cpu.regs8[AH] = (getFlags(cpu) & IN_AH) | 2;
}

function sahf(cpu: Cpu): void {
  replaceFlags(cpu, IN_AH, cpu.regs8[AH] & IN_AH);
}

function salc(cpu: Cpu): void {
  cpu.regs8[0] = -carry(cpu);
}

function nop(): void {}

export const flagControlExecutors: Executors = {
  clc: () => clc,
  stc: () => stc,
  cmc: () => cmc,
  cld: () => cld,
  std: () => std,
  lahf: () => lahf,
  sahf: () => sahf,
  salc: () => salc,
  nop: () => nop,
  'hint-nop': () => nop,
};
