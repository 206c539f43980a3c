// MSR: the guest has SYSENTER, a time-stamp counter of its own, an absent local APIC and no debug-control features; every other
// register, EFER and those of SVM among them, is #GP(0), as on a processor that has not got it.
import { VECTOR } from '../../../machine/cpu/fault.ts';
import { MSR } from '../../../machine/cpu/msrs.ts';
import { V } from '../../../machine/cpu/svm/layout.ts';
import { EAX, ECX, EDX } from '../../../machine/isa/instruction.ts';
import { Emulated } from '../../../trace/events.ts';
import { readEnlightenedMsr, writeEnlightenedMsr } from '../../enlightenments/seam.ts';
import { acceptsCommonMsr, commonMsr } from '../../platform/model-specific.ts';
import type { Resume } from '../../technique.ts';
import { writeTscOffset } from '../vmcb.ts';
import type { ExitContext } from './context.ts';

/** Their fields of the VMCB, which VMLOAD and VMSAVE move. */
const SYSENTER: Readonly<Record<number, number>> = {
  [MSR.sysenterCs]: V.sysenterCs,
  [MSR.sysenterEsp]: V.sysenterEsp,
  [MSR.sysenterEip]: V.sysenterEip,
};

export function modelSpecific(c: ExitContext): Resume {
  c.emulation();
  return c.exit.qualification & 1 ? write(c) : read(c);
}

function read(c: ExitContext): Resume {
  const index = c.vcpu.regs[ECX] >>> 0;
  const field = SYSENTER[index];
  const value =
    field !== undefined
      ? BigInt(c.guest.vmcb.get(field) >>> 0)
      : index === MSR.tsc
        ? guestTime(c)
        : (commonMsr(index) ?? readEnlightenedMsr(c.guest, index));
  if (value === undefined) return c.raise(VECTOR.GP, 0);
  const low = Number(BigInt.asIntN(32, value));
  c.vcpu.regs[EAX] = low;
  c.vcpu.regs[EDX] = Number(BigInt.asIntN(32, value >> 32n));
  c.emulated(Emulated.rdmsr, index, low, 8);
  return c.skip();
}

/** The guest's time-stamp counter. */
export function guestTime({ guest, hypervisor }: ExitContext): bigint {
  return BigInt.asUintN(64, BigInt(Math.floor(hypervisor.now + guest.tscOffset)));
}

function write(c: ExitContext): Resume {
  const { regs } = c.vcpu;
  const index = regs[ECX] >>> 0;
  const value = (BigInt(regs[EDX] >>> 0) << 32n) | BigInt(regs[EAX] >>> 0);
  if (!accept(c, index, value)) return c.raise(VECTOR.GP, 0);
  c.emulated(Emulated.wrmsr, index, regs[EAX], 8);
  return c.skip();
}

function accept(c: ExitContext, index: number, value: bigint): boolean {
  const { guest } = c;
  const field = SYSENTER[index];
  if (field !== undefined) {
    guest.vmcb.set(field, Number(BigInt.asIntN(32, value)));
    return true;
  }
  if (index !== MSR.tsc) return writeEnlightenedMsr(guest, index, value) ?? acceptsCommonMsr(index, value);
  guest.tscOffset = Number(value) - c.hypervisor.now;
  writeTscOffset(guest);
  return true;
}
