// RDMSR and WRMSR of an unmodified guest: it has SYSENTER and a time-stamp counter of its own, which the technique keeps, an
// absent local APIC, no debug-control features, and what its hypervisor offers it; every other register is #GP(0), as on a
// processor that has not got it.
import { VECTOR } from '../../machine/cpu/fault.ts';
import { MSR } from '../../machine/cpu/msrs.ts';
import { EAX, ECX, EDX } from '../../machine/isa/instruction.ts';
import { Emulated } from '../../trace/events.ts';
import type { Vcpu } from '../domain.ts';
import { readEnlightenedMsr, writeEnlightenedMsr } from '../enlightenments/seam.ts';
import type { Resume } from '../technique.ts';
import type { PcGuest } from './pc-guest.ts';

/** Bootstrap processor, APIC off. */
const APIC_BASE = 0xfee00100n;
const APIC_ENABLE = 1n << 11n;

/** What handlers of such an exit need of it. */
interface MsrExit {
  readonly guest: PcGuest;
  readonly vcpu: Vcpu;
  emulated(what: number, operand: number, value: number, size: number): void;
  raise(vector: number, errorCode: number): Resume;
  skip(): Resume;
}
/** The registers that a technique keeps. `read` gives undefined, and `write` false, for any other. */
export interface OwnRegisters<C> {
  read(c: C, index: number): bigint | undefined;
  write(c: C, index: number, value: bigint): boolean;
}

/** The value, or undefined when there is no such register. */
export function commonMsr(index: number): bigint | undefined {
  if (index === MSR.apicBase) return APIC_BASE;
  return index === MSR.debugControl ? 0n : undefined;
}

/** Whether the register may be written with this value. */
export function acceptsCommonMsr(index: number, value: bigint): boolean {
  if (index === MSR.apicBase) return !(value & APIC_ENABLE);
  return index === MSR.debugControl && value === 0n;
}

export function readMsr<C extends MsrExit>(c: C, own: OwnRegisters<C>): Resume {
  const { regs } = c.vcpu;
  const index = regs[ECX] >>> 0;
  const value = own.read(c, index) ?? commonMsr(index) ?? readEnlightenedMsr(c.guest, index);
  if (value === undefined) return c.raise(VECTOR.GP, 0);
  regs[EAX] = Number(BigInt.asIntN(32, value));
  regs[EDX] = Number(BigInt.asIntN(32, value >> 32n));
  c.emulated(Emulated.rdmsr, index, regs[EAX], 8);
  return c.skip();
}

export function writeMsr<C extends MsrExit>(c: C, own: OwnRegisters<C>): Resume {
  const { regs } = c.vcpu;
  const index = regs[ECX] >>> 0;
  const value = (BigInt(regs[EDX] >>> 0) << 32n) | BigInt(regs[EAX] >>> 0);
  const done =
    own.write(c, index, value) ||
    (writeEnlightenedMsr(c.guest, index, value) ?? acceptsCommonMsr(index, value));
  if (!done) return c.raise(VECTOR.GP, 0);
  c.emulated(Emulated.wrmsr, index, regs[EAX], 8);
  return c.skip();
}
