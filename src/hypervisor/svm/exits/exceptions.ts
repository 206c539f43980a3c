// Exceptions: page faults are mostly ours (shadow paging); the others that leave are the guest's and go back.
import { VECTOR } from '../../../machine/cpu/fault.ts';
import { SVM_EXIT } from '../../../machine/cpu/svm/exit-codes.ts';
import { Injected } from '../../../trace/events.ts';
import { FaultIs } from '../../shadow-paging.ts';
import type { Resume } from '../../technique.ts';
import { fetchInstruction } from '../instruction.ts';
import type { ExitContext } from './context.ts';

/** Exceptions with an error code: #DF #TS #NP #SS #GP #PF #AC. */
const WITH_ERROR_CODE = (1 << 8) | (1 << 10) | (1 << 11) | (1 << 12) | (1 << 13) | (1 << 14) | (1 << 17);

export function exception(c: ExitContext): Resume {
  const vector = c.exit.reason - SVM_EXIT.exception;
  if (vector === VECTOR.PF) return pageFault(c, c.exit.detail >>> 0, c.exit.qualification);
  if (vector === VECTOR.GP && c.exit.qualification === 0 && isHidden(c)) return c.raise(VECTOR.UD, -1);
  const errorCode = (WITH_ERROR_CODE >>> vector) & 1 ? c.exit.qualification : -1;
  return c.raise(vector, errorCode, Injected.reflected);
}

/**
 * An instruction of SVM, which to this guest does not exist. The processor knows it, for EFER.SVME must be set while a guest
 * runs, and #GP for the wrong ring or a bad operand comes before the intercept (APM vol. 2 §15.9).
 */
function isHidden(c: ExitContext): boolean {
  const operation = fetchInstruction(c.guest)?.form.operation;
  return operation !== undefined && SVM_OPERATIONS.has(operation);
}
const SVM_OPERATIONS: ReadonlySet<string> = new Set([
  ...['vmrun', 'vmload', 'vmsave', 'stgi', 'clgi', 'skinit', 'invlpga'],
]);

function pageFault(c: ExitContext, linear: number, errorCode: number): Resume {
  const shadow = c.guest.shadowTables!;
  switch (shadow.pageFault(linear, errorCode)) {
    case FaultIs.filled:
      return 'enter';
    case FaultIs.guests:
      return c.raisePageFault(linear);
    default:
      // A device answers there, or nobody: on the bare machine such a write is lost.
      return c.guest.emulation.go();
  }
}
