// The table of VM-exit handlers by basic reason (SDM vol. 3 app. C), and those that need only a few lines.
import { VECTOR } from '../../../machine/cpu/fault.ts';
import { IF } from '../../../machine/cpu/flags.ts';
import { EXIT } from '../../../machine/cpu/vmx/exit-reasons.ts';
import { FIELD as F, LATER_FIELD } from '../../../machine/cpu/vmx/fields.ts';
import { checkGuestState } from '../../../machine/cpu/vmx/guest-checks.ts';
import { vmread } from '../../../machine/cpu/vmx/operations.ts';
import { vmxOf } from '../../../machine/cpu/vmx/state.ts';
import { EAX, EBX, ECX, EDX } from '../../../machine/isa/instruction.ts';
import { Emulated, Kind } from '../../../trace/events.ts';
import { exitName } from '../../../trace/exits.ts';
import { enlightenedHypercall } from '../../enlightenments/seam.ts';
import { tellChain } from '../../fault-chain.ts';
import type { Resume } from '../../technique.ts';
import type { ExitContext, Handler } from './context.ts';
import { crAccess } from './control-registers.ts';
import { guestCpuid } from './cpuid.ts';
import { exception } from './exceptions.ts';
import { inputOutput } from './input-output.ts';
import { guestTime, readModelSpecific, writeModelSpecific } from './model-specific.ts';

/** The host's own interrupt, acknowledged by the exit. */
function externalInterrupt(c: ExitContext): Resume {
  c.hypervisor.hardwareInterrupt(c.exit.detail & 0xff);
  return 'enter';
}

/** What the guest waited with can go in now: `enter` sees to that. */
const interruptWindow: Handler = () => 'enter';

function cpuid(c: ExitContext): Resume {
  const { regs } = c.vcpu;
  const leaf = regs[EAX] >>> 0;
  const answer = guestCpuid(c.guest, leaf);
  regs[EAX] = answer.eax;
  regs[EBX] = answer.ebx;
  regs[ECX] = answer.ecx;
  regs[EDX] = answer.edx;
  c.emulated(Emulated.cpuid, leaf, answer.eax);
  c.hypervisor.charge.emulateInstruction();
  return c.skip();
}

function hlt(c: ExitContext): Resume {
  c.skip();
  const { guest, hypervisor, vcpu } = c;
  guest.interruptible = (vmread(c.cpu, F.GUEST_RFLAGS) & IF) !== 0;
  c.emulated(Emulated.hlt);
  if (guest.interruptible && guest.board.pic.pending()) return 'enter';
  hypervisor.record(vcpu, Kind.idle, 0);
  if (!guest.interruptible) guest.domain.ending = 'halted with interrupts off: it waits for ever';
  return 'block';
}

function invlpg(c: ExitContext): Resume {
  c.guest.shadow.invalidatePage(c.exit.qualification >>> 0);
  c.emulated(Emulated.invlpg, c.exit.qualification);
  return c.skip();
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

function tripleFault(c: ExitContext): Resume {
  return c.crash(tellChain(c.guest.chain), true);
}

/** The guest has no VT-x: to it these instructions do not exist. */
const undefinedInstruction: Handler = (c) => c.raise(VECTOR.UD, -1);

/** A hypercall, if the guest has been offered any: it goes on behind the instruction, with the answer in its registers. */
function vmcall(c: ExitContext): Resume {
  const resume = enlightenedHypercall(c.guest);
  if (resume === null) return undefinedInstruction(c);
  c.skip();
  return resume;
}

const generalProtection: Handler = (c) => c.raise(VECTOR.GP, 0);

function taskSwitch(c: ExitContext): Resume {
  const source = ['CALL', 'IRET', 'JMP', 'a task gate in the IDT'][(c.exit.qualification >>> 30) & 3];
  const selector = (c.exit.qualification & 0xffff).toString(16);
  if (c.guest.emulation) {
    c.emulated(Emulated.taskSwitch, c.exit.qualification & 0xffff);
    return c.guest.emulation.access();
  }
  return c.crash(
    `hardware task switch by ${source} to TSS ${selector}h: it always leaves a VT-x guest, and the emulator that would do it is not there`,
  );
}

/** A guest-physical address that the tables do not give: a device in memory, or nothing. The emulator makes the access. */
function eptViolation(c: ExitContext): Resume {
  return c.guest.emulation!.access();
}

function eptMisconfiguration(c: ExitContext): Resume {
  return c.crash(
    `the nested tables make no sense at ${vmread(c.cpu, LATER_FIELD.GUEST_PHYSICAL_ADDRESS).toString(16)}h: a mistake of the hypervisor`,
  );
}

/** The entry was refused: the VMCS holds something that no guest may have. */
function invalidGuestState(c: ExitContext): Resume {
  return c.crash(
    `the processor refused to enter the guest: ${checkGuestState(vmxOf(c.cpu)) || 'invalid guest state'}`,
  );
}

const HANDLERS: Readonly<Record<number, Handler>> = {
  [EXIT.exceptionOrNmi]: exception,
  [EXIT.externalInterrupt]: externalInterrupt,
  [EXIT.tripleFault]: tripleFault,
  [EXIT.interruptWindow]: interruptWindow,
  [EXIT.taskSwitch]: taskSwitch,
  [EXIT.cpuid]: cpuid,
  [EXIT.hlt]: hlt,
  [EXIT.invd]: invd,
  [EXIT.invlpg]: invlpg,
  [EXIT.rdpmc]: generalProtection,
  [EXIT.rdtsc]: rdtsc,
  [EXIT.crAccess]: crAccess,
  [EXIT.ioInstruction]: inputOutput,
  [EXIT.msrRead]: readModelSpecific,
  [EXIT.msrWrite]: writeModelSpecific,
  [EXIT.invalidGuestState]: invalidGuestState,
  [EXIT.eptViolation]: eptViolation,
  [EXIT.eptMisconfiguration]: eptMisconfiguration,
  [EXIT.invept]: undefinedInstruction,
  [EXIT.invvpid]: undefinedInstruction,
};
for (let reason: number = EXIT.vmcall; reason <= EXIT.vmxon; reason++)
  (HANDLERS as Record<number, Handler>)[reason] = undefinedInstruction;
(HANDLERS as Record<number, Handler>)[EXIT.vmcall] = vmcall;

/** Does what an exit asks for. */
export function handleExit(c: ExitContext): Resume {
  const handler = HANDLERS[c.exit.reason & 0xffff];
  if (handler) return handler(c);
  return c.crash(
    `VM exit ${c.exit.reason & 0xffff} (${exitName(c.exit.vendor, c.exit.reason)}), which no control asks for`,
  );
}
