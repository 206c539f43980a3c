// Exceptions inside the processor (SDM vol. 3 §6.15). A fault is thrown as one preallocated object, so raising costs no
// allocation; `execute.ts` catches it between instructions and hands it to `interrupts.ts`.
import type { Cpu } from './cpu.ts';

/** Exception vectors (SDM vol. 3 table 6-1). */
export const VECTOR = {
  DE: 0,
  DB: 1,
  NMI: 2,
  BP: 3,
  OF: 4,
  BR: 5,
  UD: 6,
  NM: 7,
  DF: 8,
  TS: 10,
  NP: 11,
  SS: 12,
  GP: 13,
  PF: 14,
  MF: 16,
  AC: 17,
  MC: 18,
  XM: 19,
} as const;

/** #DF #TS #NP #SS #GP #PF #AC, a bit each. */
const WITH_ERROR_CODE = 0x27d00;

/** Whether an exception pushes an error code (SDM vol. 3 table 6-1). @param vector of an exception, or any other */
export const hasErrorCode = (vector: number): boolean =>
  vector >= 0 && vector < 32 && ((WITH_ERROR_CODE >>> vector) & 1) === 1;

/** Bits of the page-fault error code (SDM vol. 3 §4.7). */
export const PageFault = { present: 1, write: 2, user: 4, reserved: 8 } as const;

/** What `fault` throws. There is exactly one; read it before anything else can fault. */
export class Fault {
  vector = 0;
  /** -1 when the exception has none. */
  errorCode = -1;
  /** Linear address of a page fault. CR2 gets it on delivery, not before: a VM exit leaves CR2 alone (SDM vol. 3 §27.1). */
  address = 0;
}
const FAULT = new Fault();

/** True when what was caught is a fault of the guest, and not an error of ours. */
export function isFault(caught: unknown): caught is Fault {
  return caught === FAULT;
}

/**
 * Raises an exception of the current instruction, which will not have happened: EIP goes back to its first byte.
 * @param errorCode -1 for exceptions without one
 */
export function fault(cpu: Cpu, vector: number, errorCode = -1): never {
  cpu.eip = cpu.instructionStart;
  FAULT.vector = vector;
  FAULT.errorCode = errorCode;
  FAULT.address = 0;
  throw FAULT;
}

/** Raises #PF. @param errorCode bits of `PageFault` */
export function pageFault(cpu: Cpu, linear: number, errorCode: number): never {
  cpu.eip = cpu.instructionStart;
  throw pageFaultOf(linear, errorCode);
}

/** The #PF that compiled code found, for `deliverFault`: nothing is thrown. */
export function pageFaultOf(linear: number, errorCode: number): Fault {
  FAULT.vector = VECTOR.PF;
  FAULT.errorCode = errorCode;
  FAULT.address = linear >>> 0;
  return FAULT;
}

/** Thrown by virtualization silicon when a VM exit has happened in the middle of an instruction: abandon it, touch nothing. */
export const EXITED = Object.freeze({ exited: true });
