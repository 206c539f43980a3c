// MSR_READ and MSR_WRITE: the guest has SYSENTER, a time-stamp counter of its own, an absent local APIC and no debug-control
// features; every other register is #GP(0), as on a processor that has not got it.
import { VECTOR } from '../../../machine/cpu/fault.ts';
import { MSR } from '../../../machine/cpu/msrs.ts';
import { FIELD as F } from '../../../machine/cpu/vmx/fields.ts';
import { vmread, vmwrite } from '../../../machine/cpu/vmx/operations.ts';
import { EAX, ECX, EDX } from '../../../machine/isa/instruction.ts';
import { Emulated } from '../../../trace/events.ts';
import { readEnlightenedMsr, writeEnlightenedMsr } from '../../enlightenments/seam.ts';
import type { Resume } from '../../technique.ts';
import { writeTscOffset } from '../vmcs.ts';
import type { ExitContext } from './context.ts';

/** Bootstrap processor, APIC off. */
const APIC_BASE = 0xfee00100n;
const APIC_ENABLE = 1n << 11n;

const SYSENTER_FIELDS: Readonly<Record<number, number>> = {
  [MSR.sysenterCs]: F.GUEST_SYSENTER_CS,
  [MSR.sysenterEsp]: F.GUEST_SYSENTER_ESP,
  [MSR.sysenterEip]: F.GUEST_SYSENTER_EIP,
};

export function readMsr(c: ExitContext): Resume {
  const index = c.vcpu.regs[ECX] >>> 0;
  const value = registerValue(c, index);
  if (value === undefined) return c.raise(VECTOR.GP, 0);
  const low = Number(BigInt.asIntN(32, value));
  c.vcpu.regs[EAX] = low;
  c.vcpu.regs[EDX] = Number(BigInt.asIntN(32, value >> 32n));
  c.emulated(Emulated.rdmsr, index, low, 8);
  c.hypervisor.charge('emulateInstruction');
  return c.skip();
}

function registerValue(c: ExitContext, index: number): bigint | undefined {
  const field = SYSENTER_FIELDS[index];
  if (field !== undefined) return BigInt(vmread(c.cpu, field));
  if (index === MSR.tsc) return guestTime(c);
  if (index === MSR.apicBase) return APIC_BASE;
  if (index === MSR.debugControl) return 0n;
  return readEnlightenedMsr(c.guest, index);
}

/** The guest's time-stamp counter. */
export function guestTime(c: ExitContext): bigint {
  return BigInt.asUintN(64, BigInt(Math.floor(c.cpu.cycles + c.guest.tscOffset)));
}

export function writeMsr(c: ExitContext): Resume {
  const { regs } = c.vcpu;
  const index = regs[ECX] >>> 0;
  const value = (BigInt(regs[EDX] >>> 0) << 32n) | BigInt(regs[EAX] >>> 0);
  if (!accept(c, index, value)) return c.raise(VECTOR.GP, 0);
  c.emulated(Emulated.wrmsr, index, regs[EAX], 8);
  c.hypervisor.charge('emulateInstruction');
  return c.skip();
}

function accept(c: ExitContext, index: number, value: bigint): boolean {
  const field = SYSENTER_FIELDS[index];
  if (field !== undefined) {
    vmwrite(c.cpu, field, Number(BigInt.asIntN(32, value)));
    return true;
  }
  if (index === MSR.tsc) {
    c.guest.tscOffset = Number(value) - c.cpu.cycles;
    writeTscOffset(c.cpu, c.guest);
    return true;
  }
  if (index === MSR.apicBase) return !(value & APIC_ENABLE);
  if (index === MSR.debugControl) return value === 0n;
  return writeEnlightenedMsr(c.guest, index, value) ?? false;
}
