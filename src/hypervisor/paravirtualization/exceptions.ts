// Exceptions and events that the hypervisor hands to a paravirtualized kernel: it builds on the guest's own ring-1
// stack the frame that the processor would have pushed (xen/arch/x86/x86_32/entry.S, create_bounce_frame).
import { hasErrorCode } from '../../machine/cpu/fault.ts';
import { Injected, Kind } from '../../trace/events.ts';
import type { Vcpu } from '../domain.ts';
import type { Hypervisor } from '../hypervisor.ts';
import { SHARED_INFO } from './abi.ts';
import { GUEST_FAULT, type GuestAccess } from './guest-access.ts';
import type { PvDomain } from './pv-domain.ts';

const EFLAGS_IF = 0x200;
/** TF, NT, RF, VM: cleared when a handler starts. */
const CLEARED = 0x100 | 0x4000 | 0x10000 | 0x20000;

const hex8 = (value: number): string => `${(value >>> 0).toString(16).padStart(8, '0')}h`;

export class Exceptions {
  constructor(
    private readonly hypervisor: Hypervisor,
    private readonly access: GuestAccess,
  ) {}

  /** Where the kernel's frame begins: from ring 3 on the stack that it registered for that. */
  private stackOf(pv: PvDomain): number {
    return (pv.current.frame.cs & 3) === 3 ? pv.current.kernelStack.pointer : pv.current.frame.esp;
  }

  /** Pushes a frame for a handler at selector:address and points the guest there. False when the guest's stack cannot take it. */
  private bounce(
    pv: PvDomain,
    selector: number,
    address: number,
    errorCode: number,
    masksEvents: boolean,
    below: readonly number[] = [],
  ): boolean {
    const { frame } = pv.current;
    const fromUser = (frame.cs & 3) === 3;
    let esp = this.stackOf(pv);
    const push = (value: number) => {
      esp = (esp - 4) | 0;
      this.access.write32(pv, esp, value);
    };
    const mask = pv.current.upcallMask;
    try {
      if (fromUser) {
        push(frame.ss);
        push(frame.esp);
      }
      push((frame.eflags & ~EFLAGS_IF) | (mask ? 0 : EFLAGS_IF));
      // The saved upcall mask rides in the upper half of CS.
      push((frame.cs & 0xffff) | (mask << 16));
      push(frame.eip);
      if (errorCode >= 0) push(errorCode);
      for (const word of below) push(word);
    } catch (error) {
      if (error !== GUEST_FAULT) throw error;
      return false;
    }
    if (fromUser) frame.ss = pv.current.kernelStack.selector;
    frame.esp = esp;
    frame.cs = selector;
    frame.eip = address;
    frame.eflags &= ~CLEARED;
    if (masksEvents) pv.current.upcallMask = 1;
    this.hypervisor.charge.bounceException();
    return true;
  }

  /**
   * The guest cannot be entered as it asked: a selector is not valid any more, or its CS:EIP or SS:ESP. Xen calls the failsafe
   * callback, with DS ES FS GS (the lowest first) below the frame (TBF_FAILSAFE). False when there is none to call.
   */
  failsafe(vcpu: Vcpu, pv: PvDomain): boolean {
    const { selector, address } = pv.current.failsafeCallback;
    const { ds, es, fs, gs } = pv.current.frame;
    if (!address || !this.bounce(pv, selector, address, -1, false, [gs, fs, es, ds])) return false;
    this.hypervisor.record(vcpu, Kind.inject, 13, -1, Injected.reflected);
    return true;
  }

  /** Reflects an exception (or INT n) to the handler that the guest registered; without one the domain has crashed. */
  reflect(vcpu: Vcpu, pv: PvDomain, vector: number, errorCode: number, cr2 = 0): void {
    const handler = pv.current.traps[vector];
    if (vector === 14) pv.memory.write32(pv.current.vcpuInfo + SHARED_INFO.cr2, cr2);
    const code = hasErrorCode(vector) ? errorCode : -1;
    this.hypervisor.record(vcpu, Kind.inject, vector, code, Injected.reflected);
    if (handler && this.bounce(pv, handler.selector, handler.address, code, handler.masksEvents)) return;
    const where = `at ${hex8(pv.current.frame.eip)}`;
    const what = handler
      ? `its ring-1 stack cannot take the frame (ESP ${hex8(this.stackOf(pv))})`
      : 'it registered no handler for it';
    this.hypervisor.endDomain(
      vcpu.domain,
      'crashed',
      `exception ${vector} ${where}${vector === 14 ? `, address ${hex8(cr2)}` : ''}: ${what}`,
    );
  }

  /** An event is pending and not masked: upcall to the registered callback. False when there is none to make. */
  upcall(vcpu: Vcpu, pv: PvDomain): boolean {
    if (!pv.current.upcallPending || pv.current.upcallMask || !pv.current.eventCallback.address) return false;
    const selectorWord = pv.memory.read32(pv.current.vcpuInfo + SHARED_INFO.pendingSelector);
    const word = 31 - Math.clz32(selectorWord & -selectorWord);
    const bits = word >= 0 ? pv.memory.read32(pv.sharedInfo + SHARED_INFO.evtchnPending + word * 4) : 0;
    const port = bits ? word * 32 + (31 - Math.clz32(bits & -bits)) : -1;
    this.hypervisor.charge.eventUpcall();
    this.hypervisor.record(vcpu, Kind.upcall, port, bits);
    if (this.bounce(pv, pv.current.eventCallback.selector, pv.current.eventCallback.address, -1, true))
      return true;
    this.hypervisor.endDomain(
      vcpu.domain,
      'crashed',
      `event upcall: the ring-1 stack cannot take the frame (ESP ${hex8(this.stackOf(pv))})`,
    );
    return false;
  }
}
