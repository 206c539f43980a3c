// What a handler of VM exits gets, and the few things that most of them do.
import type { Cpu } from '../../../machine/cpu/cpu.ts';
import { VECTOR } from '../../../machine/cpu/fault.ts';
import { RF } from '../../../machine/cpu/flags.ts';
import { FIELD as F } from '../../../machine/cpu/vmx/fields.ts';
import { vmread, vmwrite } from '../../../machine/cpu/vmx/operations.ts';
import { Injected, Kind } from '../../../trace/events.ts';
import type { Vcpu } from '../../domain.ts';
import { tellChain } from '../../fault-chain.ts';
import type { Hypervisor } from '../../hypervisor.ts';
import { raiseException } from '../../platform/exceptions.ts';
import type { Exit, Resume } from '../../technique.ts';
import { skipInstruction } from '../vmcs.ts';
import type { VtxGuest } from '../vtx-guest.ts';

export type Handler = (context: ExitContext) => Resume;

export class ExitContext {
  readonly cpu: Cpu;

  constructor(
    readonly hypervisor: Hypervisor,
    readonly guest: VtxGuest,
    readonly vcpu: Vcpu,
    readonly exit: Exit,
  ) {
    this.cpu = hypervisor.cpu;
  }

  /** The instruction has been emulated: go on behind it. */
  skip(): Resume {
    skipInstruction(this.cpu, this.exit.eip, this.exit.instructionLength);
    return 'enter';
  }

  /** Says what was emulated: an `Emulated` code, its operand, the value, its size in bytes, what was there before. */
  emulated(what: number, operand = 0, value = 0, size = 4, before = 0): void {
    this.hypervisor.record(this.vcpu, Kind.emulate, what, operand, value, size, before);
  }

  /** Gives the guest an exception; ends it when that is one too many. */
  raise(vector: number, errorCode: number, cause: number = Injected.fault, cr2 = 0): Resume {
    // Real mode knows no error codes; only a guest with nested paging can be in it here.
    const code = this.guest.nested && !(vmread(this.cpu, F.GUEST_CR0) & 1) ? -1 : errorCode;
    if (!raiseException(this.guest, vector, code, cause, cr2))
      return this.crash(tellChain(this.guest.chain), true);
    // A double fault is an abort: its frame has no RF, which the fault before it may have left (SDM vol. 3 §17.3.1.1).
    if ((this.guest.event & 0xff) === VECTOR.DF)
      vmwrite(this.cpu, F.GUEST_RFLAGS, vmread(this.cpu, F.GUEST_RFLAGS) & ~RF);
    return 'enter';
  }

  /** Ends the domain. */
  crash(reason: string, tripleFault = false): Resume {
    this.hypervisor.endDomain(this.guest.domain, 'crashed', reason, tripleFault);
    return 'ended';
  }

  /** A general register of the guest. ESP is the silicon's to save, the others are ours. */
  register(n: number): number {
    return n === 4 ? vmread(this.cpu, F.GUEST_RSP) | 0 : this.vcpu.regs[n];
  }
}
