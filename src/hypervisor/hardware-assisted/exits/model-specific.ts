// MSR_READ and MSR_WRITE: where VT-x keeps the registers that are the guest's own; the rest is platform/model-specific.ts.
import { MSR } from '../../../machine/cpu/msrs.ts';
import { FIELD as F } from '../../../machine/cpu/vmx/fields.ts';
import { vmread, vmwrite } from '../../../machine/cpu/vmx/operations.ts';
import { type OwnRegisters, readMsr, writeMsr } from '../../platform/model-specific.ts';
import { writeTscOffset } from '../vmcs.ts';
import type { ExitContext, Handler } from './context.ts';

const SYSENTER: Readonly<Record<number, number>> = {
  [MSR.sysenterCs]: F.GUEST_SYSENTER_CS,
  [MSR.sysenterEsp]: F.GUEST_SYSENTER_ESP,
  [MSR.sysenterEip]: F.GUEST_SYSENTER_EIP,
};

/** The guest's time-stamp counter. */
export function guestTime(c: ExitContext): bigint {
  return BigInt.asUintN(64, BigInt(Math.floor(c.cpu.cycles + c.guest.tscOffset)));
}

const OWN: OwnRegisters<ExitContext> = {
  read(c, index) {
    const field = SYSENTER[index];
    if (field !== undefined) return BigInt(vmread(c.cpu, field));
    return index === MSR.tsc ? guestTime(c) : undefined;
  },
  write(c, index, value) {
    const field = SYSENTER[index];
    if (field !== undefined) vmwrite(c.cpu, field, Number(BigInt.asIntN(32, value)));
    else if (index === MSR.tsc) {
      c.guest.tscOffset = Number(value) - c.cpu.cycles;
      writeTscOffset(c.cpu, c.guest);
    } else return false;
    return true;
  },
};

const charged =
  (handle: (c: ExitContext, own: OwnRegisters<ExitContext>) => ReturnType<Handler>): Handler =>
  (c) => {
    c.hypervisor.charge.emulateInstruction();
    return handle(c, OWN);
  };
export const readModelSpecific = charged(readMsr);
export const writeModelSpecific = charged(writeMsr);
