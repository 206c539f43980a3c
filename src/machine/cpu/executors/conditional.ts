// SETcc CMOVcc (SDM vol. 2): a condition as data. CMOVcc reads its source whether or not the condition holds.
import { read32, write8 } from '../access.ts';
import { effectiveAddress } from '../address.ts';
import { condition } from '../flags.ts';
import type { Binder, Executors } from './executor.ts';
import { byteIndex, readerOf } from './operands.ts';

const setcc: Binder = (i) => {
  const cc = i.form.condition!;
  if (i.memory)
    return (cpu, i) => write8(cpu, i.segment, effectiveAddress(cpu, i), condition(cpu, cc) ? 1 : 0);
  return (cpu, i) => {
    cpu.regs8[byteIndex(i.rm)] = condition(cpu, cc) ? 1 : 0;
  };
};

const cmovcc: Binder = (i) => {
  const cc = i.form.condition!;
  if (i.operandSize === 16) {
    const read = readerOf(i, 1);
    return (cpu, i) => {
      const value = read(cpu, i);
      if (condition(cpu, cc)) cpu.regs16[i.reg << 1] = value;
    };
  }
  if (i.memory) {
    return (cpu, i) => {
      const value = read32(cpu, i.segment, effectiveAddress(cpu, i));
      if (condition(cpu, cc)) cpu.regs[i.reg] = value;
    };
  }
  return (cpu, i) => {
    if (condition(cpu, cc)) cpu.regs[i.reg] = cpu.regs[i.rm];
  };
};

export const conditionalExecutors: Executors = { setcc, cmovcc };
