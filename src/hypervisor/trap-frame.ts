// A deprivileged guest's way into the hypervisor and back, for monitors without hardware assistance: what the processor's
// own interrupt gates leave on the ring-0 stack, and the frame that IRET takes from there (SDM vol. 3 §6.12.1).
import { hasErrorCode } from '../machine/cpu/fault.ts';
import { DS, ES, ESP, FS, GS } from '../machine/isa/instruction.ts';
import type { Hypervisor } from './hypervisor.ts';
import { ENTRY_STRIDE, MONITOR_START } from './monitor.ts';

const STACK_BYTES = 0x2000;

/** The guest frame that an entry into the hypervisor left, or that the next entry into the guest will restore. */
export class TrapFrame {
  eip = 0;
  cs = 0;
  eflags = 0x202;
  esp = 0;
  ss = 0;
  ds = 0;
  es = 0;
  fs = 0;
  gs = 0;
}

/** Reads what arrived at one of the monitor's entry points. @returns the vector of that entry, and the error code or 0 */
export function readArrival(
  { cpu, monitor, pc: { memory } }: Hypervisor,
  frame: TrapFrame,
): { vector: number; error: number } {
  const vector = ((cpu.eip >>> 0) - MONITOR_START) / ENTRY_STRIDE;
  // Exceptions with an error code have one word more below EIP.
  let at = monitor.stack + ((cpu.regs[ESP] >>> 0) - (monitor.linear.stackTop - STACK_BYTES));
  const coded = hasErrorCode(vector);
  const error = coded ? memory.read32(at) : 0;
  if (coded) at += 4;
  frame.eip = memory.read32(at);
  frame.cs = memory.read32(at + 4) & 0xffff;
  frame.eflags = memory.read32(at + 8);
  frame.esp = memory.read32(at + 12);
  frame.ss = memory.read32(at + 16) & 0xffff;
  frame.ds = cpu.segments[DS].selector;
  frame.es = cpu.segments[ES].selector;
  frame.fs = cpu.segments[FS].selector;
  frame.gs = cpu.segments[GS].selector;
  return { vector, error };
}

/** Puts the frame on the hypervisor's stack and the registers into the processor, so that `returnFromInterrupt` goes to the guest. */
export function prepareReturn(
  { cpu, monitor, pc: { memory } }: Hypervisor,
  frame: TrapFrame,
  regs: Int32Array,
): void {
  const top = monitor.stack + STACK_BYTES - 20;
  memory.write32(top, frame.eip);
  memory.write32(top + 4, frame.cs);
  memory.write32(top + 8, frame.eflags);
  memory.write32(top + 12, frame.esp);
  memory.write32(top + 16, frame.ss);
  cpu.regs.set(regs);
  cpu.regs[ESP] = (monitor.linear.stackTop - 20) | 0;
}
