// What of Xen's interface our own kernels never ask for, and so the first load of the page leaves out: `provide.ts` fills
// this in before any other kernel boots (session/provide-xen.ts). Without it such a call is -ENOSYS, as on an older Xen.
import type { Vcpu } from '../domain.ts';
import type { Hypervisor } from '../hypervisor.ts';
import type { Resume } from '../technique.ts';
import type { ForeignFrames } from '../xen/guest.ts';
import type { HypercallServices } from './hypercalls.ts';
import type { HypervisorArea } from './pae-area.ts';
import type { PageTables } from './page-tables.ts';
import type { PvDomain } from './pv-domain.ts';

/** One call of a guest, for a handler that is not in the table of hypercalls.ts. */
export interface HypercallRequest extends HypercallServices {
  readonly vcpu: Vcpu;
  readonly pv: PvDomain;
  /** EBX ECX EDX ESI EDI (and a sixth word in a multicall): a handler that returns null has changed them to what remains. */
  readonly a: Int32Array;
  /** What the run loop shall do after this call, when not just enter the guest again. */
  readonly resume: (what: Resume) => void;
}
/** Result for the guest; or null when the call has to be made again (a continuation). GUEST_FAULT thrown becomes -EFAULT. */
export type HypercallHandler = (request: HypercallRequest) => number | null;

/** An exception of a guest's: true when the hypervisor has dealt with it and the guest goes on. */
export type ExceptionHandler = (request: HypercallRequest, errorCode: number) => boolean;

/** A privileged instruction of the guest's kernel, by its operation and operands: true when it is done. */
export type PrivilegedHandler = (
  request: HypercallRequest,
  operation: string,
  reg: number,
  rm: number,
) => boolean;

/** Handlers by hypercall number: asked for what hypercalls.ts does not answer itself. */
export const optionalHypercalls = new Map<number, HypercallHandler>();
/** mmuext_op commands that page-tables.ts does not know, by number. Result as the hypercall's. */
export const optionalExtended = new Map<
  number,
  (tables: PageTables, pv: PvDomain, first: number, second: number) => number
>();
/** Handlers by vector: asked, one after the other, before an exception is reflected to the guest. */
export const optionalExceptions = new Map<number, readonly ExceptionHandler[]>();
/** For privileged instructions that privileged-ops.ts does not know. */
export const optionalPrivileged: PrivilegedHandler[] = [];

/** The hypervisor's area for guests with PAE; null where provide.ts was not loaded. */
export const optionalPae: { makeArea: ((hypervisor: Hypervisor) => HypervisorArea) | null } = {
  makeArea: null,
};

/** Other domains' frames in a guest's tables, and frames that change hands; null where provide.ts was not loaded. */
export const optionalForeign: { make: ((tables: PageTables, pv: PvDomain) => ForeignFrames) | null } = {
  make: null,
};
