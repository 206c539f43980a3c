// The hypercall table (xen/arch/x86/x86_32/entry.S): number in EAX, arguments in EBX ECX EDX ESI EDI, result in EAX.
import { Kind } from '../../trace/events.ts';
import type { Vcpu } from '../domain.ts';
import type { Hypervisor } from '../hypervisor.ts';
import type { Resume } from '../technique.ts';
import type { Console } from '../xen/console.ts';
import type { EventChannels } from '../xen/event-channels.ts';
import { xenServices } from '../xen/services.ts';
import { ERROR, HYPERCALL, SCHEDOP, SHUTDOWN } from './abi.ts';
import type { Descriptors } from './descriptors.ts';
import type { Exceptions } from './exceptions.ts';
import {
  type HypercallRequest,
  optionalExceptions,
  optionalHypercalls,
  optionalPrivileged,
} from './extensions.ts';
import { GUEST_FAULT, type GuestAccess } from './guest-access.ts';
import type { PageTables } from './page-tables.ts';
import type { PvDomain } from './pv-domain.ts';
import type { PvTime } from './time.ts';

/** Xen 3.0. */
const VERSION = 0x30000;
const MAX_MULTICALL = 256;
const EFLAGS_IF = 0x200;
/** Bytes of INT 82h. */
const INT_LENGTH = 2;

export interface HypercallServices {
  hypervisor: Hypervisor;
  access: GuestAccess;
  tables: PageTables;
  descriptors: Descriptors;
  events: EventChannels;
  console: Console;
  time: PvTime;
  exceptions: Exceptions;
}

export class Hypercalls {
  /** What the run loop shall do after this hypercall. */
  private resume: Resume = 'enter';
  private readonly arguments = new Int32Array(6);

  constructor(private readonly s: HypercallServices) {}

  /** Performs the hypercall that the guest's registers name. */
  perform(vcpu: Vcpu, pv: PvDomain): Resume {
    const { regs } = vcpu;
    this.resume = 'enter';
    this.s.hypervisor.charge.hypercallDispatch();
    const number = regs[0];
    const a = this.arguments;
    a[0] = regs[3];
    a[1] = regs[1];
    a[2] = regs[2];
    a[3] = regs[6];
    a[4] = regs[7];
    const result = this.dispatch(vcpu, pv, number, a, false);
    this.s.hypervisor.record(vcpu, Kind.hypercall, number, regs[3], regs[1], regs[2], result ?? 0);
    if (result === null) {
      // Not done yet, and others want the processor: the guest makes the call again, for what remains.
      regs[3] = a[0];
      regs[1] = a[1];
      pv.current.frame.eip = (pv.current.frame.eip - INT_LENGTH) | 0;
      return vcpu.domain.alive ? this.resume : 'ended';
    }
    if (number !== HYPERCALL.iret) regs[0] = result;
    else if (result < 0) {
      const esp = (pv.current.frame.esp >>> 0).toString(16).padStart(8, '0');
      this.s.hypervisor.endDomain(vcpu.domain, 'crashed', `HYPERVISOR_iret: no frame at ESP ${esp}h`);
    }
    return vcpu.domain.alive ? this.resume : 'ended';
  }

  /** Result for the guest, or null when the call has to be made again with the arguments that `a` has become. */
  private dispatch(vcpu: Vcpu, pv: PvDomain, number: number, a: Int32Array, nested: boolean): number | null {
    try {
      return this.call(vcpu, pv, number, a, nested);
    } catch (error) {
      if (error === GUEST_FAULT) return ERROR.fault;
      throw error;
    }
  }

  private call(vcpu: Vcpu, pv: PvDomain, number: number, a: Int32Array, nested: boolean): number | null {
    const { s } = this;
    switch (number) {
      case HYPERCALL.set_trap_table:
        return s.descriptors.setTrapTable(pv, a[0]);
      case HYPERCALL.mmu_update:
        return s.tables.mmuUpdate(vcpu, pv, a);
      case HYPERCALL.set_gdt:
        return s.descriptors.setGdt(pv, a[0], a[1]);
      case HYPERCALL.stack_switch:
        s.hypervisor.charge.stackSwitch();
        pv.current.kernelStack = { selector: s.descriptors.guestSelector(a[0]), pointer: a[1] };
        return 0;
      case HYPERCALL.set_callbacks:
        pv.current.eventCallback = { selector: s.descriptors.guestSelector(a[0]), address: a[1] };
        pv.current.failsafeCallback = { selector: s.descriptors.guestSelector(a[2]), address: a[3] };
        return 0;
      case HYPERCALL.fpu_taskswitch:
        pv.current.taskSwitched = a[0] !== 0;
        return 0;
      case HYPERCALL.update_descriptor:
        return a[1] ? ERROR.inval : s.descriptors.updateDescriptor(pv, a[0] >>> 0, a[2], a[3]);
      case HYPERCALL.multicall:
        return nested ? ERROR.inval : this.multicall(vcpu, pv, a);
      case HYPERCALL.update_va_mapping:
        return s.tables.updateVaMapping(vcpu, pv, a[0], a[1], a[2], a[3]);
      case HYPERCALL.set_timer_op:
        return s.time.setTimer(pv.current, a[0], a[1]);
      case HYPERCALL.xen_version:
        return a[0] === 0 ? VERSION : this.optional(vcpu, pv, number, a);
      case HYPERCALL.console_io:
        return s.console.operate(vcpu, pv, a[0], a[1], a[2]);
      case HYPERCALL.grant_table_op:
        return xenServices(s.hypervisor)?.grantTable(pv, a[0], a[1], a[2]) ?? ERROR.nosys;
      case HYPERCALL.iret:
        return nested ? ERROR.inval : this.iret(vcpu, pv);
      case HYPERCALL.mmuext_op:
        return s.tables.mmuext(pv, a);
      case HYPERCALL.sched_op:
        return a[0] > SCHEDOP.shutdown
          ? this.optional(vcpu, pv, number, a)
          : this.schedOp(vcpu, pv, a[0], a[0] === SCHEDOP.shutdown ? s.access.read32(pv, a[1]) : 0);
      case HYPERCALL.sched_op_compat:
        return this.schedOp(vcpu, pv, a[0] & 0xff, a[1]);
      case HYPERCALL.event_channel_op:
        return s.events.operate(vcpu, pv, a[0], a[1]);
      default:
        return this.optional(vcpu, pv, number, a);
    }
  }

  private request(vcpu: Vcpu, pv: PvDomain, a: Int32Array): HypercallRequest {
    return { ...this.s, vcpu, pv, a, resume: (what) => (this.resume = what) };
  }

  /** What extensions.ts has, or -ENOSYS. */
  private optional(vcpu: Vcpu, pv: PvDomain, number: number, a: Int32Array): number | null {
    const handler = optionalHypercalls.get(number);
    return handler ? handler(this.request(vcpu, pv, a)) : ERROR.nosys;
  }

  /** Has somebody dealt with an exception of the guest's, so that the guest need not hear of it? */
  exceptionHandled(vcpu: Vcpu, pv: PvDomain, vector: number, errorCode: number): boolean {
    const handlers = optionalExceptions.get(vector);
    if (!handlers) return false;
    const request = this.request(vcpu, pv, this.arguments);
    return handlers.some((handler) => handler(request, errorCode));
  }

  /** Has somebody carried out a privileged instruction that privileged-ops.ts does not know? */
  emulated(vcpu: Vcpu, pv: PvDomain, operation: string, reg: number, rm: number): boolean {
    if (!optionalPrivileged.length) return false;
    const request = this.request(vcpu, pv, this.arguments);
    return optionalPrivileged.some((handler) => handler(request, operation, reg, rm));
  }

  /** A list of calls in one entry: struct multicall_entry {op, result, args[6]}. Null when the slice ended before the list did. */
  private multicall(vcpu: Vcpu, pv: PvDomain, list: Int32Array): number | null {
    const count = list[1];
    if (count >>> 0 > MAX_MULTICALL) return ERROR.inval;
    const { access, hypervisor } = this.s;
    const a = new Int32Array(6);
    for (let n = 0; n < count && vcpu.domain.alive; n++) {
      const at = list[0];
      const operation = access.read32(pv, at);
      for (let k = 0; k < 6; k++) a[k] = access.read32(pv, at + 8 + k * 4);
      const [first, second, third] = a;
      hypervisor.charge.copyByte(32);
      const result = this.dispatch(vcpu, pv, operation, a, true);
      hypervisor.record(vcpu, Kind.hypercall, operation, first, second, third, result ?? 0);
      if (result === null) for (let k = 0; k < 2; k++) access.write32(pv, at + 8 + k * 4, a[k]);
      else {
        access.write32(pv, at + 4, result);
        list[0] = at + 32;
        list[1] = count - n - 1;
      }
      if (list[1] && (result === null || hypervisor.now >= hypervisor.sliceEnd)) return null;
    }
    return 0;
  }

  private schedOp(vcpu: Vcpu, pv: PvDomain, command: number, argument: number): number {
    const { hypervisor } = this.s;
    switch (command) {
      case SCHEDOP.yield:
        this.resume = 'yield';
        return 0;
      case SCHEDOP.block:
        // Blocking opens events, or nothing could end it.
        pv.current.upcallMask = 0;
        this.resume = 'block';
        hypervisor.record(vcpu, Kind.idle, 1);
        return 0;
      case SCHEDOP.shutdown:
        hypervisor.endDomain(
          vcpu.domain,
          argument === SHUTDOWN.reboot ? 'rebooting' : argument === SHUTDOWN.crash ? 'crashed' : 'halted',
          argument === SHUTDOWN.reboot
            ? 'the guest asked to be booted again'
            : argument === SHUTDOWN.crash
              ? 'the guest says that it crashed'
              : 'the guest shut down',
        );
        return 0;
      default:
        return ERROR.nosys;
    }
  }

  /** HYPERVISOR_iret: the guest's stack holds EAX EIP CS EFLAGS [ESP SS]; EFLAGS.IF sets the upcall mask. */
  private iret(vcpu: Vcpu, pv: PvDomain): number {
    const { access } = this.s;
    const { frame } = pv.current;
    const esp = frame.esp;
    vcpu.regs[0] = access.read32(pv, esp);
    frame.eip = access.read32(pv, esp + 4);
    frame.cs = this.s.descriptors.guestSelector(access.read32(pv, esp + 8));
    const flags = access.read32(pv, esp + 12);
    if ((frame.cs & 3) === 1) frame.esp = (esp + 16) | 0;
    else {
      frame.esp = access.read32(pv, esp + 16);
      frame.ss = this.s.descriptors.guestSelector(access.read32(pv, esp + 20));
    }
    // IF stays on in the real flags, IOPL 0, no V86, no nested task.
    frame.eflags = (flags & 0x00240dd5) | 0x202;
    pv.current.upcallMask = flags & EFLAGS_IF ? 0 : 1;
    return 0;
  }
}
