// The state after RESET (SDM vol. 3 table 9-1): real mode, executing at FFFFFFF0h.
import { CS, EDX, LDTR, TR } from '../isa/instruction.ts';
import type { Cpu } from './cpu.ts';
import { SIGNATURE } from './cpuid.ts';
import { setFlags } from './flags.ts';
import { initialMsrs, MSR } from './msrs.ts';
import { capabilityMsrs, FEATURE_CONTROL_LOCK, FEATURE_CONTROL_VMXON } from './vmx/capabilities.ts';
import { secondGenerationOf } from './vmx/generations.ts';

export interface ResetOptions {
  /** VT-x is in this processor, and the firmware has enabled it. Default true. */
  vmx?: boolean;
}

/** Puts the processor into the state after power-on. The cycle counter, which is everybody's clock, goes on. */
export function reset(cpu: Cpu, options: ResetOptions = {}): void {
  cpu.regs.fill(0);
  cpu.regs[EDX] = SIGNATURE;
  cpu.eip = cpu.instructionStart = 0xfff0;
  setFlags(cpu, 2);
  for (const s of cpu.segments) {
    s.selector = 0;
    s.base = 0;
    s.limit = 0xffff;
    s.access = 0x93;
  }
  cpu.segments[CS].selector = 0xf000;
  cpu.segments[CS].base = 0xffff0000;
  cpu.segments[LDTR].access = 0x82;
  cpu.segments[TR].access = 0x8b;
  cpu.gdtr.base = cpu.idtr.base = 0;
  cpu.gdtr.limit = cpu.idtr.limit = 0xffff;
  cpu.cpl = 0;
  cpu.cr0 = 0x60000010;
  cpu.cr2 = cpu.cr3 = cpu.cr4 = 0;
  cpu.dr.set([0, 0, 0, 0, 0, 0, 0xffff0ff0 | 0, 0x400]);
  cpu.shadow = cpu.attention = cpu.pendingDebug = cpu.stop = 0;
  cpu.halted = cpu.nmiPending = cpu.nmiBlocked = false;
  cpu.x87.reset();
  cpu.intercepts = null;
  cpu.nested = null;
  cpu.vmx = null;
  cpu.svm = null;
  cpu.gif = true;
  cpu.tlb.enter(cpu.tlb.contexts[0], -1);
  cpu.tlb.flushAll();
  cpu.msrs.clear();
  for (const [index, value] of initialMsrs()) cpu.msrs.set(index, value);
  if (cpu.apic) cpu.msrs.set(MSR.apicBase, cpu.apic.base);
  if (options.vmx ?? true) {
    for (const [index, value] of secondGenerationOf(cpu)?.msrs() ?? capabilityMsrs())
      cpu.msrs.set(index, value);
    cpu.msrs.set(MSR.featureControl, FEATURE_CONTROL_LOCK | FEATURE_CONTROL_VMXON);
  }
}
