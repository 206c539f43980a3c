// How VMX instructions answer (SDM vol. 2 ch. 30 "Conventions"; error numbers §30.4): success clears the six status flags,
// VMfailInvalid sets CF, VMfailValid sets ZF and leaves a number in the current VMCS.
import type { Cpu } from '../cpu.ts';
import { CF, STATUS_FLAGS, ZF } from '../flags.ts';
import { NO_VMCS, type VmxState } from './state.ts';
import { W } from './words.ts';

/** Results of the functions in instructions.ts: 0, or VM_FAIL_INVALID, or an error number of `VM_ERROR`. */
export const VM_SUCCEED = 0;
export const VM_FAIL_INVALID = -1;

/** VM-instruction error numbers. */
export const VM_ERROR = {
  vmcallInRoot: 1,
  vmclearInvalidAddress: 2,
  vmclearVmxonPointer: 3,
  launchNotClear: 4,
  resumeNotLaunched: 5,
  invalidControls: 7,
  invalidHostState: 8,
  vmptrldInvalidAddress: 9,
  vmptrldVmxonPointer: 10,
  vmptrldWrongRevision: 11,
  unsupportedComponent: 12,
  readOnlyComponent: 13,
  vmxonInRoot: 15,
  entryBlockedByMovSs: 26,
  invalidInvalidation: 28,
} as const;

/** As `conclude` for success. */
export function succeed(cpu: Cpu): void {
  cpu.lazyMask = 0;
  cpu.flags &= ~STATUS_FLAGS;
}

/** Sets the flags for `result`, and the error field when a current VMCS can hold it. @returns the result as the program sees it */
export function conclude(cpu: Cpu, vmx: VmxState, result: number): number {
  // Whatever was lazy is among the flags that get definite values here.
  cpu.lazyMask = 0;
  cpu.flags &= ~STATUS_FLAGS;
  if (result === VM_SUCCEED) return VM_SUCCEED;
  if (result === VM_FAIL_INVALID || vmx.current === NO_VMCS) {
    cpu.flags |= CF;
    return VM_FAIL_INVALID;
  }
  cpu.flags |= ZF;
  vmx.words[vmx.base + W.instructionError] = result;
  return result;
}
