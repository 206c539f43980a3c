// The one way into the monitor that is no vector of the IDT: SYSENTER of a guest's program (SDM vol. 2B), which goes where the
// processor's MSRs say. The monitor has them lead to itself, so that a system call is not a fault whose instruction must be read.
import { ENTRY_STRIDE, VM_EXIT_ENTRY } from '../monitor.ts';

/** Reason of that exit: trace/exits.ts has its name. */
export const SYSENTER = 0x105;

/** Where it arrives, behind the entry point of VM exits. */
export const SYSENTER_ENTRY = VM_EXIT_ENTRY + ENTRY_STRIDE;
