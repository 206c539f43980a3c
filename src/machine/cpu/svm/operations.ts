// The SVM instructions as plain functions (APM vol. 3): what the silicon does once the instruction is allowed to run.
// instructions.ts puts the privilege checks in front of them; a hypervisor written in TypeScript calls them directly.

import { Attention, type Cpu } from '../cpu.ts';
import { SIGNATURE } from '../cpuid.ts';
import { loads } from '../segment-loads.ts';
import { ASID_BASE } from '../tlb-context.ts';
import { loadExtra, saveExtra } from './save-area.ts';
import { svmOf } from './state.ts';

export { vmrun } from './entry.ts';

/** Loads FS GS TR LDTR and the SYSENTER registers from the VMCB at a physical address. */
export function vmload(cpu: Cpu, physical: number): void {
  const svm = svmOf(cpu);
  cpu.cycles += svm.cycles.load;
  loadExtra(cpu, svm, svm.words(physical), svm.at(physical));
}

/** Saves them. */
export function vmsave(cpu: Cpu, physical: number): void {
  const svm = svmOf(cpu);
  cpu.cycles += svm.cycles.save;
  saveExtra(cpu, svm, svm.words(physical), svm.at(physical));
}

/** INVLPGA: what is remembered of a page in the address space with this ASID; 0 is the host's. */
export function invlpga(cpu: Cpu, linear: number, asid: number): void {
  const { tlb } = cpu;
  cpu.cycles += cpu.cost.charges.invlpga.cycles;
  const id = asid === 0 ? 0 : ASID_BASE + asid;
  for (const context of tlb.contexts) if (context.id === id) tlb.forgetPage(context, linear);
  tlb.generation++;
}

/** Sets the global interrupt flag: what has waited can come. */
export function stgi(cpu: Cpu): void {
  cpu.cycles += svmOf(cpu).cycles.gif;
  cpu.gif = true;
  cpu.attention |= Attention.event;
}

/** Clears it: no interrupt and no NMI, whatever IF says. */
export function clgi(cpu: Cpu): void {
  cpu.cycles += svmOf(cpu).cycles.gif;
  cpu.gif = false;
}

/**
 * SKINIT (APM vol. 2 §15.27): the processor starts over in flat protected mode at the secure loader's entry point. There is no
 * TPM on this board to measure the loader into, so what remains is the initialization.
 */
export function skinit(cpu: Cpu, address: number): void {
  const block = (address & 0xffff0000) >>> 0;
  const entry = cpu.memory.read16(block);
  cpu.regs.fill(0);
  cpu.regs[0] = block;
  cpu.regs[2] = SIGNATURE;
  cpu.regs[4] = block + 0x10000;
  cpu.cr0 = 0x11;
  cpu.cr2 = cpu.cr3 = cpu.cr4 = 0;
  cpu.dr[7] = 0x400;
  cpu.dr[6] = 0xffff0ff0;
  cpu.flags = 2;
  cpu.lazyMask = 0;
  for (let n = 0; n < 6; n++) {
    const s = cpu.segments[n];
    s.selector = n === 1 ? 8 : 16;
    loads.count++;
    s.base = 0;
    s.limit = 0xffffffff;
    s.access = n === 1 ? 0xc09b : 0xc093;
  }
  cpu.cpl = 0;
  cpu.gif = false;
  cpu.shadow = 0;
  cpu.eip = (block + entry) >>> 0;
  cpu.tlb.flush();
}
