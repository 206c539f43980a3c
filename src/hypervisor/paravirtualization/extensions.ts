// What of Xen's interface our own kernels never ask for, and so the first load of the page leaves out: `provide.ts` fills
// this in before any other kernel boots (session/provide-xen.ts). Without it such a call is -ENOSYS, as on an older Xen.
import type { Vcpu } from '../domain.ts';
import type { Hypervisor } from '../hypervisor.ts';
import type { HypercallServices } from './hypercalls.ts';
import type { HypervisorArea } from './pae-area.ts';
import type { PvDomain } from './pv-domain.ts';

/** One call of a guest, for a handler that is not in the table of hypercalls.ts. */
export interface HypercallRequest extends HypercallServices {
  readonly vcpu: Vcpu;
  readonly pv: PvDomain;
  /** EBX ECX EDX ESI EDI (and a sixth word in a multicall): a handler that returns null has changed them to what remains. */
  readonly a: Int32Array;
}
/** Result for the guest; or null when the call has to be made again (a continuation). GUEST_FAULT thrown becomes -EFAULT. */
export type HypercallHandler = (request: HypercallRequest) => number | null;

/** An exception of a guest's: true when the hypervisor has dealt with it and the guest goes on. */
export type ExceptionHandler = (request: HypercallRequest, errorCode: number) => boolean;

/** Handlers by hypercall number: asked for what hypercalls.ts does not answer itself. */
export const optionalHypercalls = new Map<number, HypercallHandler>();
/** Handlers by vector: asked before an exception is reflected to the guest. */
export const optionalExceptions = new Map<number, ExceptionHandler>();

/** The hypervisor's area for guests with PAE; null where provide.ts was not loaded. */
export const optionalPae: { makeArea: ((hypervisor: Hypervisor) => HypervisorArea) | null } = {
  makeArea: null,
};
