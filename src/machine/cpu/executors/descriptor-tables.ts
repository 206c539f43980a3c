// GDTR, IDTR, LDTR and TR (SDM vol. 2 LGDT/LIDT, SGDT, SIDT, LLDT, SLDT, LTR, STR). The loads are privileged; the stores are
// not, and tell any program the real tables: four of Robin & Irvine's instructions.

import { type Instruction, LDTR, TR } from '../../isa/instruction.ts';
import {
  linearForRead,
  linearForWrite,
  read16,
  readLinear16,
  readLinear32,
  write16,
  writeLinear8,
  writeLinear16,
  writeLinear32,
} from '../access.ts';
import { effectiveAddress } from '../address.ts';
import type { Cpu } from '../cpu.ts';
import { fault, VECTOR } from '../fault.ts';
import type { InterceptedInstruction } from '../intercepts.ts';
import { translate } from '../paging.ts';
import { loads } from '../segment-loads.ts';
import {
  Descriptor,
  isNull,
  requireDescriptor,
  SystemType,
  selectorError,
  setHidden,
  setNull,
} from '../segmentation.ts';
import { availableTss } from '../tasks.ts';
import type { Executor, Executors } from './executor.ts';
import { isDeprivileged, requireDescriptors, requireRing0 } from './privilege.ts';

const descriptor = new Descriptor();

/** The base has 24 bits with 16-bit operand size. */
const baseMask = (i: Instruction): number => (i.operandSize === 32 ? -1 : 0xffffff);

const load =
  (which: 'lgdt' | 'lidt'): Executor =>
  (cpu, i) => {
    requireRing0(cpu);
    if (cpu.intercepts?.instruction(which, effectiveAddress(cpu, i))) return;
    const linear = linearForRead(cpu, i.segment, effectiveAddress(cpu, i), 6);
    const limit = readLinear16(cpu, linear, false);
    const base = readLinear32(cpu, (linear + 2) >>> 0, false);
    const table = which === 'lgdt' ? cpu.gdtr : cpu.idtr;
    loads.count++;
    table.limit = limit;
    table.base = (base & baseMask(i)) >>> 0;
  };

const store =
  (which: 'sgdt' | 'sidt'): Executor =>
  (cpu, i) => {
    if (cpu.intercepts?.instruction(which, effectiveAddress(cpu, i))) return;
    const table = which === 'sgdt' ? cpu.gdtr : cpu.idtr;
    const user = cpu.cpl === 3;
    const linear = linearForWrite(cpu, i.segment, effectiveAddress(cpu, i), 6);
    // Both pages must be writable before the first byte is.
    translate(cpu, linear, true, user);
    translate(cpu, (linear + 5) >>> 0, true, user);
    writeLinear16(cpu, linear, table.limit, user);
    writeLinear32(cpu, (linear + 2) >>> 0, table.base & baseMask(i), user);
    if (cpu.watcher !== null && isDeprivileged(cpu)) cpu.watcher(i, table.base, table.base, 0);
  };

const storeSelector =
  (which: 'sldt' | 'str', register: number): Executor =>
  (cpu, i) => {
    requireDescriptors(cpu);
    if (cpu.intercepts?.instruction(which, i.memory ? effectiveAddress(cpu, i) : 0)) return;
    const { selector } = cpu.segments[register];
    if (i.memory) write16(cpu, i.segment, effectiveAddress(cpu, i), selector);
    else if (i.operandSize === 32) cpu.regs[i.rm] = selector;
    else cpu.regs16[i.rm << 1] = selector;
    if (cpu.watcher !== null && isDeprivileged(cpu)) cpu.watcher(i, selector, selector, 0);
  };

function selectorOperand(cpu: Cpu, i: Instruction, which: InterceptedInstruction): number {
  requireDescriptors(cpu);
  requireRing0(cpu);
  if (cpu.intercepts?.instruction(which, i.memory ? effectiveAddress(cpu, i) : 0)) return -1;
  return i.memory ? read16(cpu, i.segment, effectiveAddress(cpu, i)) : cpu.regs16[i.rm << 1];
}

function lldt(cpu: Cpu, i: Instruction): void {
  const selector = selectorOperand(cpu, i, 'lldt');
  if (selector < 0) return;
  if (isNull(selector)) {
    setNull(cpu.segments[LDTR], selector);
    return;
  }
  if (selector & 4) fault(cpu, VECTOR.GP, selectorError(selector));
  requireDescriptor(cpu, selector, descriptor, VECTOR.GP);
  if (descriptor.systemType !== SystemType.ldt) fault(cpu, VECTOR.GP, selectorError(selector));
  if (!descriptor.present) fault(cpu, VECTOR.NP, selectorError(selector));
  setHidden(cpu.segments[LDTR], selector, descriptor);
}

function ltr(cpu: Cpu, i: Instruction): void {
  const selector = selectorOperand(cpu, i, 'ltr');
  if (selector < 0) return;
  availableTss(cpu, selector, descriptor, VECTOR.GP, 0);
  descriptor.high |= 0x200;
  writeLinear8(cpu, (descriptor.address + 5) >>> 0, (descriptor.high >>> 8) & 0xff, false);
  setHidden(cpu.segments[TR], selector, descriptor);
}

const lgdt = load('lgdt');
const lidt = load('lidt');
const sgdt = store('sgdt');
const sidt = store('sidt');
const sldt = storeSelector('sldt', LDTR);
const str = storeSelector('str', TR);

export const descriptorTableExecutors: Executors = {
  lgdt: () => lgdt,
  lidt: () => lidt,
  sgdt: () => sgdt,
  sidt: () => sidt,
  sldt: () => sldt,
  str: () => str,
  lldt: () => lldt,
  ltr: () => ltr,
};
