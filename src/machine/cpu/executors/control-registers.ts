// MOV to and from control and debug registers, CLTS, LMSW, SMSW (SDM vol. 2; vol. 3 §2.5, §17.2). In a guest, bits of CR0 and
// CR4 that the hypervisor owns are read from their shadows and keep their value when written (§25.3).

import { Kind } from '../../../trace/events.ts';
import type { Instruction } from '../../isa/instruction.ts';
import { read16, write16 } from '../access.ts';
import { effectiveAddress } from '../address.ts';
import { Attention, type Cpu } from '../cpu.ts';
import { EXITED, fault, VECTOR } from '../fault.ts';
import { debugException } from '../interrupts.ts';
import { CR0_PG, CR0_WP, CR4_PAE, CR4_PGE, CR4_PSE, loadPdptes } from '../page-walk.ts';
import { CR0_AM, flushForCr3 } from '../paging.ts';
import { CR0_PE } from '../segmentation.ts';
import { supported } from '../vmx/capabilities.ts';
import type { Binder, Executors } from './executor.ts';
import { isDeprivileged, requireRing0 } from './privilege.ts';

const CR0_ET = 1 << 4;
const CR0_TS = 1 << 3;
const CR0_NW = 1 << 29;
const CR0_CD = 1 << 30;
/** PE MP EM TS ET NE WP AM NW CD PG; writes to other bits are ignored. */
const CR0_BITS = 0xe005003f | 0;
const CR4_DE = 1 << 3;
const CR4_VMXE = 1 << 13;
/** TSD DE PSE PAE PGE PCE OSFXSR OSXMMEXCPT; what CPUID does not announce (VME, PVI, MCE …) is reserved. */
const CR4_BITS = 0x7bc;
const DR6_BD = 1 << 13;
const DR7_GD = 1 << 13;

/** Stores CR0 after all checks but privilege, with everything that follows. Raises #GP(0). */
export function writeCr0(cpu: Cpu, value: number): void {
  let next = (value & CR0_BITS) | CR0_ET;
  if ((next & CR0_PG && !(next & CR0_PE)) || (next & CR0_NW && !(next & CR0_CD))) fault(cpu, VECTOR.GP, 0);
  if (cpu.intercepts) next = cpu.intercepts.maskCr(0, next);
  else if (cpu.vmx?.operation && !supported(next, cpu.vmx.capabilities.cr0)) fault(cpu, VECTOR.GP, 0);
  const changed = cpu.cr0 ^ next;
  if (changed & (CR0_PG | CR0_CD | CR0_NW) && usesPdptes(next, cpu.cr4)) loadPdptes(cpu, cpu.cr3);
  cpu.cr0 = next | 0;
  if (changed & (CR0_PG | CR0_PE)) cpu.tlb.flush();
  else if (changed & (CR0_WP | CR0_AM)) cpu.tlb.dropFastTags();
}

function writeCr4(cpu: Cpu, value: number): void {
  const vmx = cpu.msrs.has(MSR_VMX_BASIC) ? CR4_VMXE : 0;
  if (value & ~(CR4_BITS | vmx)) fault(cpu, VECTOR.GP, 0);
  let next = value;
  if (cpu.intercepts) next = cpu.intercepts.maskCr(4, next);
  else if (cpu.vmx?.operation && !supported(next, cpu.vmx.capabilities.cr4)) fault(cpu, VECTOR.GP, 0);
  const changed = cpu.cr4 ^ next;
  if (changed & CHANGES_PAGING && usesPdptes(cpu.cr0, next)) loadPdptes(cpu, cpu.cr3);
  cpu.cr4 = next;
  if (changed & CHANGES_PAGING) cpu.tlb.flush();
}
const MSR_VMX_BASIC = 0x480;
const CHANGES_PAGING = CR4_PGE | CR4_PSE | CR4_PAE;

const usesPdptes = (cr0: number, cr4: number): boolean => (cr0 & CR0_PG) !== 0 && (cr4 & CR4_PAE) !== 0;

/** Loads CR3 with all that follows from it. Raises #GP with PAE. */
export function writeCr3(cpu: Cpu, value: number): void {
  // PWT and PCD are kept, the other low bits are not there; with PAE the table is only 32 bytes long.
  const next = value & ((cpu.cr4 & CR4_PAE ? 0xffffffe0 : 0xfffff000) | 0x18);
  if (usesPdptes(cpu.cr0, cpu.cr4)) loadPdptes(cpu, next);
  cpu.recorder.record(Kind.addressSpace, cpu.instructionStart, next, cpu.cr3);
  cpu.cr3 = next;
  flushForCr3(cpu);
}

const movToCr: Binder = (i) => {
  switch (i.reg) {
    case 0:
      return (cpu, i) => {
        requireRing0(cpu);
        const value = cpu.regs[i.rm];
        if (!cpu.intercepts?.crWrite(0, value, i.rm)) writeCr0(cpu, value);
      };
    case 2:
      return (cpu, i) => {
        requireRing0(cpu);
        const value = cpu.regs[i.rm];
        if (!cpu.intercepts?.crWrite(2, value, i.rm)) cpu.cr2 = value;
      };
    case 3:
      return (cpu, i) => {
        requireRing0(cpu);
        const value = cpu.regs[i.rm];
        if (!cpu.intercepts?.crWrite(3, value, i.rm)) writeCr3(cpu, value);
      };
    case 4:
      return (cpu, i) => {
        requireRing0(cpu);
        const value = cpu.regs[i.rm];
        if (!cpu.intercepts?.crWrite(4, value, i.rm)) writeCr4(cpu, value);
      };
    default:
      return undefinedRegister;
  }
};

const movFromCr: Binder = (i) => {
  switch (i.reg) {
    case 0:
    case 4:
      return (cpu, i) => {
        requireRing0(cpu);
        const cr = i.reg as 0 | 4;
        if (cpu.intercepts?.crRead(cr, i.rm)) return;
        cpu.regs[i.rm] = cpu.intercepts ? cpu.intercepts.readCr(cr) : cr === 0 ? cpu.cr0 : cpu.cr4;
      };
    case 2:
      return (cpu, i) => {
        requireRing0(cpu);
        if (!cpu.intercepts?.crRead(2, i.rm)) cpu.regs[i.rm] = cpu.cr2;
      };
    case 3:
      return (cpu, i) => {
        requireRing0(cpu);
        if (!cpu.intercepts?.crRead(3, i.rm)) cpu.regs[i.rm] = cpu.cr3;
      };
    default:
      return undefinedRegister;
  }
};

function undefinedRegister(cpu: Cpu): void {
  fault(cpu, VECTOR.UD);
}

/** Which debug register a number means: 4 and 5 are 6 and 7, unless CR4.DE=1. */
function debugRegister(cpu: Cpu, n: number): number {
  if (n !== 4 && n !== 5) return n;
  if (cpu.cr4 & CR4_DE) fault(cpu, VECTOR.UD);
  return n + 2;
}

/** Privilege, VM exit, and general detection, which is itself a fault. True when the instruction is over. */
function debugRegisterTaken(cpu: Cpu, i: Instruction, write: boolean): boolean {
  requireRing0(cpu);
  if (cpu.intercepts?.drAccess(i.reg, write, i.rm)) return true;
  if (!(cpu.dr[7] & DR7_GD)) return false;
  cpu.eip = cpu.instructionStart;
  debugException(cpu, DR6_BD);
  throw EXITED; // Nothing of the instruction has happened, so it is not stepped on either.
}

function movToDr(cpu: Cpu, i: Instruction): void {
  if (debugRegisterTaken(cpu, i, true)) return;
  const n = debugRegister(cpu, i.reg);
  const value = cpu.regs[i.rm];
  if (n === 6) cpu.dr[6] = (value & 0xe00f) | 0xffff0ff0;
  else if (n === 7) cpu.dr[7] = (value & ~0xd000) | 0x400;
  else cpu.dr[n] = value;
  cpu.tlb.dropFastTags();
  cpu.attention |= Attention.event;
}

function movFromDr(cpu: Cpu, i: Instruction): void {
  if (debugRegisterTaken(cpu, i, false)) return;
  cpu.regs[i.rm] = cpu.dr[debugRegister(cpu, i.reg)];
}

function clts(cpu: Cpu): void {
  requireRing0(cpu);
  if (cpu.intercepts?.clts()) return;
  cpu.cr0 = cpu.intercepts
    ? cpu.intercepts.maskCr(0, cpu.intercepts.readCr(0) & ~CR0_TS) | 0
    : cpu.cr0 & ~CR0_TS;
}

/** LMSW reaches PE, MP, EM and TS, and cannot clear PE. */
function lmsw(cpu: Cpu, i: Instruction): void {
  requireRing0(cpu);
  const source = i.memory ? read16(cpu, i.segment, effectiveAddress(cpu, i)) : cpu.regs16[i.rm << 1];
  if (cpu.intercepts?.lmsw(source)) return;
  const old = cpu.intercepts ? cpu.intercepts.readCr(0) : cpu.cr0;
  writeCr0(cpu, (old & ~0xe) | (source & 0xf));
}

function smsw(cpu: Cpu, i: Instruction): void {
  if (cpu.intercepts?.crRead(0, i.rm)) return;
  const value = cpu.intercepts ? cpu.intercepts.readCr(0) : cpu.cr0;
  if (i.memory) write16(cpu, i.segment, effectiveAddress(cpu, i), value);
  else if (i.operandSize === 32) cpu.regs[i.rm] = value;
  else cpu.regs16[i.rm << 1] = value;
  if (cpu.watcher !== null && isDeprivileged(cpu)) {
    const stored = i.memory || i.operandSize === 16 ? value & 0xffff : value;
    cpu.watcher(i, stored, stored, 0);
  }
}

export const controlRegisterExecutors: Executors = {
  'mov-to-cr': movToCr,
  'mov-from-cr': movFromCr,
  'mov-to-dr': () => movToDr,
  'mov-from-dr': () => movFromDr,
  clts: () => clts,
  lmsw: () => lmsw,
  smsw: () => smsw,
};
