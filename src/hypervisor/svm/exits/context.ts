// What a handler of exits gets, and the few things that most of them do.
import { VECTOR } from '../../../machine/cpu/fault.ts';
import { RF, TF } from '../../../machine/cpu/flags.ts';
import { V } from '../../../machine/cpu/svm/layout.ts';
import type { Instruction } from '../../../machine/isa/instruction.ts';
import { Injected, Kind } from '../../../trace/events.ts';
import type { Vcpu } from '../../domain.ts';
import { tellChain } from '../../fault-chain.ts';
import type { Hypervisor } from '../../hypervisor.ts';
import { raiseException } from '../../platform/exceptions.ts';
import type { Exit, Resume } from '../../technique.ts';
import { fetchInstruction } from '../instruction.ts';
import type { SvmGuest } from '../svm-guest.ts';
import { skipTo } from '../vmcb.ts';

export type Handler = (context: ExitContext) => Resume;
/** A handler that needs the instruction's operands. */
export type Emulation = (context: ExitContext, i: Instruction) => Resume;

const DR6_SINGLE_STEP = 0x4000;

export class ExitContext {
  /** This exit's instruction has been paid for. */
  charged = false;

  constructor(
    readonly hypervisor: Hypervisor,
    readonly guest: SvmGuest,
    readonly vcpu: Vcpu,
    readonly exit: Exit,
  ) {}

  /** The instruction that left, fetched and decoded. Null: its page has gone, let the guest fault by itself. */
  instruction(): Instruction | null {
    this.emulation();
    return fetchInstruction(this.guest);
  }

  /** Fetching, decoding and emulating costs once an exit. */
  emulation(): void {
    if (this.charged) return;
    this.charged = true;
    this.hypervisor.charge.emulateInstruction();
  }

  /** The instruction has been emulated: go on behind it. Its length comes from the processor where that tells the next RIP, else from the instruction. */
  skip(i?: Instruction): Resume {
    const length = i?.length ?? (this.exit.instructionLength || this.instruction()?.length);
    // It has been unmapped meanwhile: let the guest fault on it.
    return length ? this.goTo(this.exit.eip + length) : 'enter';
  }

  /**
   * Behind an instruction that has been emulated: with TF set, or when it met a breakpoint on its port, the debug exception
   * that the processor would have raised is raised here.
   * @param hits DR6 bits of breakpoints
   */
  goTo(eip: number, hits = 0): Resume {
    const { vmcb } = this.guest;
    skipTo(this.guest, eip);
    const reasons = hits | (vmcb.get(V.rflags) & TF ? DR6_SINGLE_STEP : 0);
    if (!reasons) return 'enter';
    vmcb.set(V.dr6, vmcb.get(V.dr6) | reasons);
    return this.raise(VECTOR.DB, -1, Injected.reflected);
  }

  /** Says what was emulated: an `Emulated` code, its operand, the value, its size in bytes, what was there before. */
  emulated(what: number, operand = 0, value = 0, size = 4, before = 0): void {
    this.hypervisor.record(this.vcpu, Kind.emulate, what, operand, value, size, before);
  }

  /** Gives the guest an exception; ends it when that is one too many. In real mode no exception has an error code. */
  raise(vector: number, errorCode: number, cause: number = Injected.fault, cr2 = 0): Resume {
    const { guest } = this;
    const code = guest.vmcb.get(V.cr0) & 1 ? errorCode : -1;
    if (raiseException(guest, vector, code, cause, cr2)) {
      // A double fault is an abort: its frame has no RF, which the fault before it may have left.
      if ((guest.event & 0xff) === VECTOR.DF) guest.vmcb.set(V.rflags, guest.vmcb.get(V.rflags) & ~RF);
      return 'enter';
    }
    return this.crash(tellChain(guest.chain), true);
  }

  /** The page fault that `shadow.guestError` describes. */
  raisePageFault(linear: number): Resume {
    return this.raise(VECTOR.PF, this.guest.shadow.guestError, Injected.fault, linear);
  }

  /** Ends the domain. */
  crash(reason: string, tripleFault = false): Resume {
    this.hypervisor.endDomain(this.guest.domain, 'crashed', reason, tripleFault);
    return 'ended';
  }
}
