// The table of exit handlers by exit code (APM vol. 2 app. C), and those that need only a few lines.
import { Stop } from '../../../machine/cpu/cpu.ts';
import { VECTOR } from '../../../machine/cpu/fault.ts';
import { IF } from '../../../machine/cpu/flags.ts';
import { acceptPending } from '../../../machine/cpu/interrupts.ts';
import { invalidity } from '../../../machine/cpu/svm/checks.ts';
import { SVM_EXIT } from '../../../machine/cpu/svm/exit-codes.ts';
import { V } from '../../../machine/cpu/svm/layout.ts';
import { svmOf } from '../../../machine/cpu/svm/state.ts';
import { EAX, EBX, ECX, EDX, type Instruction } from '../../../machine/isa/instruction.ts';
import { Emulated, Kind } from '../../../trace/events.ts';
import { exitName } from '../../../trace/exits.ts';
import { enlightenedHypercall } from '../../enlightenments/seam.ts';
import { tellChain } from '../../fault-chain.ts';
import { ENTRY_STRIDE, MONITOR_START } from '../../monitor.ts';
import { waitForIrq13 } from '../../platform/coprocessor.ts';
import type { Resume } from '../../technique.ts';
import { guestIdentification } from '../identification.ts';
import { operandAddress } from '../instruction.ts';
import type { Emulation, ExitContext, Handler } from './context.ts';
import { controlRegister } from './control-registers.ts';
import { exception } from './exceptions.ts';
import { inputOutput } from './input-output.ts';
import { guestTime, modelSpecific } from './model-specific.ts';

/** The host's own interrupt still waits at the pin: interrupts are opened for a moment, and it comes through the monitor's IDT. */
function interrupt(c: ExitContext): Resume {
  const { cpu, monitor } = c.hypervisor;
  cpu.flags |= IF;
  const taken = acceptPending(cpu);
  cpu.flags &= ~IF;
  if (!taken) return 'enter';
  const vector = (cpu.eip - MONITOR_START) / ENTRY_STRIDE;
  cpu.stop = Stop.none;
  monitor.loadHypervisorSegments(cpu);
  c.hypervisor.charge.iret();
  c.hypervisor.hardwareInterrupt(vector);
  return 'enter';
}

/** What the guest waited with can go in now: `enter` sees to that. A non-maskable interrupt is the host's business, and this host has no source of one. */
const nothing: Handler = () => 'enter';

/** The processor as the guest may know it. */
function cpuid(c: ExitContext): Resume {
  const { regs } = c.vcpu;
  const leaf = regs[EAX] >>> 0;
  const answer = guestIdentification(c.guest, leaf);
  regs[EAX] = answer.eax;
  regs[EBX] = answer.ebx;
  regs[ECX] = answer.ecx;
  regs[EDX] = answer.edx;
  c.emulated(Emulated.cpuid, leaf, answer.eax);
  c.emulation();
  return c.skip();
}

function hlt(c: ExitContext): Resume {
  const { guest, hypervisor, vcpu } = c;
  if (c.skip() === 'ended') return 'ended';
  guest.interruptible = (guest.vmcb.get(V.rflags) & IF) !== 0;
  c.emulated(Emulated.hlt);
  // A debug exception behind the instruction, or an interrupt.
  if (guest.event || (guest.interruptible && guest.board.pic.pending())) return 'enter';
  hypervisor.record(vcpu, Kind.idle, 0);
  if (!guest.interruptible) guest.domain.ending = 'halted with interrupts off: it waits for ever';
  return 'block';
}

/** An error of the floating-point unit, and CR0.NE is 0: FERR# goes to the guest's own board, and it waits for IRQ 13. */
const ferrFreeze: Handler = ({ guest }) => waitForIrq13(guest, (guest.vmcb.get(V.rflags) & IF) !== 0);

function invlpg(c: ExitContext, i: Instruction): Resume {
  if (i.form.operation !== 'invlpg') return 'enter';
  const linear = operandAddress(c.guest, i);
  c.guest.shadow.invalidatePage(linear);
  c.emulated(Emulated.invlpg, linear | 0);
  return c.skip(i);
}

function rdtsc(c: ExitContext): Resume {
  const time = guestTime(c);
  c.vcpu.regs[EAX] = Number(BigInt.asIntN(32, time));
  c.vcpu.regs[EDX] = Number(BigInt.asIntN(32, time >> 32n));
  c.emulated(Emulated.rdtsc, 0, c.vcpu.regs[EAX], 8);
  return c.skip();
}

/** There is nothing of the guest's in the caches that memory does not have. */
function invd(c: ExitContext): Resume {
  c.emulated(Emulated.wbinvd);
  return c.skip();
}

function shutdown(c: ExitContext): Resume {
  return c.crash(tellChain(c.guest.chain), true);
}

/** The guest has no SVM: to it these instructions do not exist. */
const undefinedInstruction: Handler = (c) => c.raise(VECTOR.UD, -1);

/** Nor has it performance counters: the index is always out of range. */
const rdpmc: Handler = (c) => c.raise(VECTOR.GP, 0);

/** A hypercall, if the guest has been offered any: it goes on behind the instruction, with the answer in its registers. */
function vmmcall(c: ExitContext): Resume {
  const resume = enlightenedHypercall(c.guest);
  if (resume === null) return undefinedInstruction(c);
  c.skip();
  return resume;
}

/**
 * With shadow paging a task switch leaves, because it loads CR3; it is made in the emulator. With nested paging the processor
 * makes it. The rest of the addresses that come here: a device in memory, or nobody.
 */
const emulate: Handler = (c) => c.guest.emulation.go();

/** The VMCB holds something that no guest may have. */
function invalid(c: ExitContext): Resume {
  return c.crash(
    `the processor refused to enter the guest: ${invalidity(svmOf(c.hypervisor.cpu)) || 'invalid VMCB'}`,
  );
}

/** A handler that wants the instruction itself. */
const decoded =
  (emulate: Emulation): Handler =>
  (c) => {
    const i = c.instruction();
    return i ? emulate(c, i) : 'enter';
  };

const HANDLERS: Record<number, Handler> = {
  [SVM_EXIT.interrupt]: interrupt,
  [SVM_EXIT.nmi]: nothing,
  [SVM_EXIT.virtualInterrupt]: nothing,
  [SVM_EXIT.cr0SelectiveWrite]: decoded(controlRegister),
  [SVM_EXIT.rdtsc]: rdtsc,
  [SVM_EXIT.rdpmc]: rdpmc,
  [SVM_EXIT.cpuid]: cpuid,
  [SVM_EXIT.invd]: invd,
  [SVM_EXIT.hlt]: hlt,
  [SVM_EXIT.invlpg]: decoded(invlpg),
  [SVM_EXIT.invlpga]: undefinedInstruction,
  [SVM_EXIT.ioio]: inputOutput,
  [SVM_EXIT.msr]: modelSpecific,
  [SVM_EXIT.taskSwitch]: emulate,
  [SVM_EXIT.ferrFreeze]: ferrFreeze,
  [SVM_EXIT.shutdown]: shutdown,
  [SVM_EXIT.nestedPageFault]: emulate,
  [SVM_EXIT.invalid]: invalid,
};
for (let code: number = SVM_EXIT.crRead; code < SVM_EXIT.crWrite + 16; code++)
  HANDLERS[code] = decoded(controlRegister);
for (let vector = 0; vector < 32; vector++) HANDLERS[SVM_EXIT.exception + vector] = exception;
for (let code: number = SVM_EXIT.vmrun; code <= SVM_EXIT.skinit; code++)
  HANDLERS[code] = undefinedInstruction;
HANDLERS[SVM_EXIT.vmmcall] = vmmcall;

/** Does what an exit asks for. */
export function handleExit(c: ExitContext): Resume {
  const handler = HANDLERS[c.exit.reason];
  if (handler) return handler(c);
  return c.crash(
    `#VMEXIT ${(c.exit.reason >>> 0).toString(16)}h (${exitName(c.exit.vendor, c.exit.reason)}), which no intercept asks for`,
  );
}
