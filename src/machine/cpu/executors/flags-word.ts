// PUSHF, POPF, CLI and STI (SDM vol. 2; vol. 3 §6.8.1). POPF is the instruction that lies: outside ring 0 it drops changes
// of IF and IOPL without a word, where CLI and STI would fault.
import type { Instruction } from '../../isa/instruction.ts';
import { Attention, type Cpu } from '../cpu.ts';
import { fault, VECTOR } from '../fault.ts';
import { getFlags, IF, IOPL, RF, VM } from '../flags.ts';
import { loadFlags, mergeFlags } from '../iret.ts';
import type { Executors } from './executor.ts';
import { isDeprivileged } from './privilege.ts';
import { moveStackPointer, peek16, peek32, push16, push32 } from './stack.ts';

const SHADOW_STI = 1;

/** Virtual-8086 mode lets PUSHF and POPF through at IOPL 3 only. */
function checkVirtual8086(cpu: Cpu): void {
  if (cpu.flags & VM && (cpu.flags & IOPL) !== IOPL) fault(cpu, VECTOR.GP, 0);
}

function pushf(cpu: Cpu, i: Instruction): void {
  if (cpu.intercepts?.instruction('pushf', 0)) return;
  checkVirtual8086(cpu);
  const image = getFlags(cpu) & ~(VM | RF);
  if (i.operandSize === 32) push32(cpu, image);
  else push16(cpu, image);
  if (cpu.watcher !== null && isDeprivileged(cpu)) cpu.watcher(i, image, image, 0);
}

function popf(cpu: Cpu, i: Instruction): void {
  if (cpu.intercepts?.instruction('popf', 0)) return;
  checkVirtual8086(cpu);
  const wide = i.operandSize === 32;
  const image = (wide ? peek32(cpu, 0) : peek16(cpu, 0)) & ~RF;
  const old = getFlags(cpu);
  const merged = mergeFlags(old, image, cpu.cpl, wide);
  moveStackPointer(cpu, wide ? 4 : 2);
  loadFlags(cpu, merged);
  // Even when nothing differs here: only the hypervisor knows what the guest's virtual IF is.
  if (cpu.watcher !== null && isDeprivileged(cpu)) cpu.watcher(i, merged, mergeFlags(old, image, 0, wide), 0);
}

/** CLI and STI: #GP(0) when the privilege does not reach IOPL. */
function checkIopl(cpu: Cpu): void {
  if (cpu.cpl > ((cpu.flags >>> 12) & 3)) fault(cpu, VECTOR.GP, 0);
}

function cli(cpu: Cpu): void {
  checkIopl(cpu);
  cpu.flags &= ~IF;
}

function sti(cpu: Cpu): void {
  checkIopl(cpu);
  if (cpu.flags & IF) return;
  cpu.flags |= IF;
  cpu.shadow |= SHADOW_STI;
  cpu.attention |= Attention.event;
}

export const flagsWordExecutors: Executors = {
  pushf: () => pushf,
  popf: () => popf,
  cli: () => cli,
  sti: () => sti,
};
