// MSR: where SVM keeps the registers that are the guest's own; the rest, and that EFER and the registers of SVM are none of
// the guest's, is platform/model-specific.ts.
import { MSR } from '../../../machine/cpu/msrs.ts';
import { V } from '../../../machine/cpu/svm/layout.ts';
import { type OwnRegisters, readMsr, writeMsr } from '../../platform/model-specific.ts';
import type { Resume } from '../../technique.ts';
import { writeTscOffset } from '../vmcb.ts';
import type { ExitContext } from './context.ts';

/** Their fields of the VMCB, which VMLOAD and VMSAVE move. */
const SYSENTER: Readonly<Record<number, number>> = {
  [MSR.sysenterCs]: V.sysenterCs,
  [MSR.sysenterEsp]: V.sysenterEsp,
  [MSR.sysenterEip]: V.sysenterEip,
};

/** The guest's time-stamp counter. */
export function guestTime({ guest, hypervisor }: ExitContext): bigint {
  return BigInt.asUintN(64, BigInt(Math.floor(hypervisor.now + guest.tscOffset)));
}

const OWN: OwnRegisters<ExitContext> = {
  read(c, index) {
    const field = SYSENTER[index];
    if (field !== undefined) {
      c.guest.saveExtra();
      return BigInt(c.guest.vmcb.get(field) >>> 0);
    }
    return index === MSR.tsc ? guestTime(c) : undefined;
  },
  write({ guest, hypervisor }, index, value) {
    const field = SYSENTER[index];
    if (field !== undefined) {
      guest.saveExtra();
      guest.vmcb.set(field, Number(BigInt.asIntN(32, value)));
      guest.vmcb.registersChanged = true;
    } else if (index === MSR.tsc) {
      guest.tscOffset = Number(value) - hypervisor.now;
      writeTscOffset(guest);
    } else return false;
    return true;
  },
};

export function modelSpecific(c: ExitContext): Resume {
  c.emulation();
  return c.exit.qualification & 1 ? writeMsr(c, OWN) : readMsr(c, OWN);
}
