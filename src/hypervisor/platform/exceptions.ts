// Exceptions on their way into an unmodified guest. VT-x and SVM write an event alike: vector, type in bits 10:8, bit 11 for an
// error code, bit 31 for validity (SDM vol. 3 §24.8.3, APM vol. 2 §15.20), so what two exceptions make of each other is here.
import { VECTOR } from '../../machine/cpu/fault.ts';
import { Injected, Kind } from '../../trace/events.ts';
import type { Vcpu } from '../domain.ts';
import { combineFaults, type FaultChain } from '../fault-chain.ts';
import type { Hypervisor } from '../hypervisor.ts';

export const EVENT_VALID = 1 << 31;
export const EVENT_ERROR_CODE = 1 << 11;
export const EVENT_TYPE = { external: 0, nmi: 2, exception: 3, software: 4 } as const;

export const eventType = (event: number): number => (event >>> 8) & 7;

/** The word for an event. @param errorCode -1 for none */
export const eventWord = (vector: number, type: number, errorCode: number): number =>
  vector | (type << 8) | (errorCode >= 0 ? EVENT_ERROR_CODE : 0) | EVENT_VALID;

/** A guest to whom an exception can be given. */
export interface EventTarget {
  readonly hypervisor: Hypervisor;
  readonly vcpu: Vcpu;
  /** Event for the next entry; 0 = none. */
  event: number;
  eventErrorCode: number;
  /** Exceptions that led to each other, oldest first. */
  readonly chain: FaultChain;
}

/**
 * Gives the guest an exception. When it met another one on its way, that becomes a double fault, as it would on the bare
 * processor (SDM vol. 3 table 6-5), and behind a double fault the guest is finished.
 * @param errorCode -1 for none
 * @returns false when it was the third: shut the guest down
 */
export function raiseException(
  guest: EventTarget,
  vector: number,
  errorCode: number,
  cause: number = Injected.fault,
  cr2 = 0,
): boolean {
  const { event, chain, vcpu } = guest;
  const interrupted = event & EVENT_VALID && eventType(event) === EVENT_TYPE.exception ? event & 0xff : -1;
  if (interrupted >= 0 && chain.length === 0) {
    chain.add(interrupted, event & EVENT_ERROR_CODE ? guest.eventErrorCode : -1, vcpu.eip, vcpu.cr2);
  }
  chain.add(vector, errorCode, vcpu.eip, cr2);
  if (interrupted === VECTOR.DF) return false;
  const double = interrupted >= 0 && vector !== VECTOR.DF && combineFaults(interrupted, vector) === VECTOR.DF;
  if (vector === VECTOR.PF) vcpu.cr2 = cr2;
  if (double) chain.add(VECTOR.DF, 0, vcpu.eip, 0);
  const delivered = double ? VECTOR.DF : vector;
  guest.eventErrorCode = double ? 0 : errorCode;
  guest.event = eventWord(delivered, EVENT_TYPE.exception, guest.eventErrorCode);
  guest.hypervisor.charge.injectEvent();
  guest.hypervisor.record(vcpu, Kind.inject, delivered, guest.eventErrorCode, cause);
  return true;
}
