// A guest's registers by name, for people: from the processor while the guest runs on it, else from where its last exit
// put them. Control registers are what the guest believes.
import type { Cpu } from '../../machine/cpu/cpu.ts';
import { V } from '../../machine/cpu/svm/layout.ts';
import type { SvmGuest } from './svm-guest.ts';
import { CR0_GUESTS } from './vmcb.ts';

const GENERAL = ['EAX', 'ECX', 'EDX', 'EBX', 'ESP', 'EBP', 'ESI', 'EDI'];
const SEGMENTS = ['ES', 'CS', 'SS', 'DS'];

/** @param cpu the processor when the guest is on it now, else null; then `flags` is its EFLAGS */
export function guestRegisters(guest: SvmGuest, cpu: Cpu | null, flags: number): Record<string, number> {
  const { vcpu, vmcb, nested } = guest;
  const registers: Record<string, number> = {};
  const regs = cpu ? cpu.regs : vcpu.regs;
  GENERAL.forEach((name, n) => {
    registers[name] = regs[n];
  });
  SEGMENTS.forEach((name, n) => {
    registers[name] = cpu ? cpu.segments[n].selector : vmcb.segmentSelector(n);
  });
  registers.EIP = cpu ? cpu.eip : vcpu.eip;
  registers.EFLAGS = cpu ? flags : vmcb.get(V.rflags);
  const real = cpu ? cpu.cr0 : vmcb.get(V.cr0);
  const { cr0, cr3, cr4 } = nested && cpu ? cpu : guest.control;
  registers.CR0 = nested ? cr0 : (cr0 & ~CR0_GUESTS) | (real & CR0_GUESTS);
  registers.CR2 = cpu ? cpu.cr2 : vcpu.cr2;
  registers.CR3 = cr3;
  registers.CR4 = cr4;
  return registers;
}
