// A guest's registers by name, for people: from the processor while the guest runs on it, else from where its last exit
// put them. Control registers are what the guest believes.
import type { Cpu } from '../../machine/cpu/cpu.ts';
import { FIELD as F } from '../../machine/cpu/vmx/fields.ts';
import type { VtxGuest } from './vtx-guest.ts';

const GENERAL = ['EAX', 'ECX', 'EDX', 'EBX', 'ESP', 'EBP', 'ESI', 'EDI'];
const SEGMENTS = ['ES', 'CS', 'SS', 'DS'];
/** CR0 bits that the guest changes without an exit. */
const CR0_GUESTS = 0xe;

/** @param cpu the processor when the guest is on it now, else null; then `flags` is its EFLAGS */
export function guestRegisters(guest: VtxGuest, cpu: Cpu | null, flags: number): Record<string, number> {
  const { vcpu, shadow } = guest;
  const registers: Record<string, number> = {};
  const regs = cpu ? cpu.regs : vcpu.regs;
  GENERAL.forEach((name, n) => {
    registers[name] = regs[n];
  });
  SEGMENTS.forEach((name, n) => {
    registers[name] = cpu ? cpu.segments[n].selector : guest.look(F.GUEST_ES_SELECTOR + n * 2);
  });
  const looked = guest.prepared && !cpu;
  if (looked) registers.ESP = guest.look(F.GUEST_RSP);
  registers.EIP = cpu ? cpu.eip : vcpu.eip;
  registers.EFLAGS = cpu ? flags : guest.prepared ? guest.look(F.GUEST_RFLAGS) : 2;
  const real = cpu ? cpu.cr0 : guest.prepared ? guest.look(F.GUEST_CR0) : 0;
  registers.CR0 = (shadow.control.cr0 & ~CR0_GUESTS) | (real & CR0_GUESTS);
  registers.CR2 = cpu ? cpu.cr2 : vcpu.cr2;
  registers.CR3 = shadow.control.cr3;
  registers.CR4 = shadow.control.cr4;
  return registers;
}
