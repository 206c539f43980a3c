// What to do with a trap out of a deprivileged guest: whose is it? The monitor's own (shadow tables, traced pages, steps), an
// instruction to be emulated, or the guest's, for its own handler.

import { DR7_ENABLES, watchPort } from '../../machine/cpu/debug.ts';
import { VECTOR } from '../../machine/cpu/fault.ts';
import { DF, RF, TF } from '../../machine/cpu/flags.ts';
import { EventType } from '../../machine/cpu/interrupts.ts';
import { ECX, EDX, type Instruction, REP_NONE } from '../../machine/isa/instruction.ts';
import { Emulated, Kind } from '../../trace/events.ts';
import { tellChain } from '../fault-chain.ts';
import { HYPERVISOR_START, IRQ_BASE } from '../monitor.ts';
import { endWhenPoweredOff } from '../platform/pc-guest.ts';
import { type PortSize, portAccess, StringEnd, stringAccess } from '../platform/port-io.ts';
import { FaultIs } from '../shadow-paging.ts';
import type { Exit, Resume } from '../technique.ts';
import { sysenter } from './control-transfers.ts';
import { deliver, raise } from './delivery.ts';
import type { DeprivilegedGuest } from './guest.ts';
import { guestFault, isGuestFault } from './linear.ts';
import { fetch, linearOf, loaded, offsetOf } from './operands.ts';
import { emulated, OPERATIONS } from './privileged.ts';
import { SYSENTER } from './reasons.ts';
import { Unsupported } from './segments.ts';
import { startStep, stopStep } from './stepping.ts';

/** #GP error code of an INT n that the gate's DPL forbade: IDT bit, vector above. */
const ERROR_IDT = 2;
const DR6_SINGLE_STEP = 0x4000;
const DR6_BREAKPOINTS = 15;
const DR7_GD = 0x2000;
const DR6_REASONS = 0x600f;

/** Does what an exit asks for. */
export function handleTrap(guest: DeprivilegedGuest, exit: Exit): Resume {
  return guarded(guest, () => dispatch(guest, exit.reason, exit.detail, exit.qualification >>> 0));
}

/** Does work in the guest's name; what that work meets is the guest's. */
export function guarded(guest: DeprivilegedGuest, work: () => Resume): Resume {
  try {
    return work();
  } catch (error) {
    if (isGuestFault(error)) return inject(guest, error.vector, error.errorCode, error.address);
    if (error instanceof Unsupported) return guest.takeOver(error) ?? crash(guest, error.message);
    throw error;
  }
}

export function crash(guest: DeprivilegedGuest, reason: string, tripleFault = false): Resume {
  guest.hypervisor.endDomain(guest.domain, 'crashed', reason, tripleFault);
  return 'ended';
}

/** Gives the guest an exception at its instruction. */
export function inject(guest: DeprivilegedGuest, vector: number, errorCode: number, cr2 = 0): Resume {
  stopStep(guest);
  guest.settle();
  if (raise(guest, vector, errorCode, cr2)) return 'enter';
  return crash(guest, tellChain(guest.chain), true);
}

function dispatch(guest: DeprivilegedGuest, vector: number, error: number, address: number): Resume {
  if (vector >= IRQ_BASE && vector < IRQ_BASE + 16) {
    guest.hypervisor.hardwareInterrupt(vector);
    return 'enter';
  }
  switch (vector) {
    case VECTOR.PF:
      return pageFault(guest, address, error);
    case VECTOR.DB:
      return debugException(guest);
    case SYSENTER:
      return systemCall(guest);
    case VECTOR.GP:
      return generalProtection(guest, error);
    case VECTOR.SS:
      refuseHidden(guest, error);
      return inject(guest, vector, error);
    case VECTOR.BP:
    case VECTOR.OF:
      return softwareInterrupt(guest, vector, EventType.softwareException, guest.frame.eip);
    default:
      // Beyond the exceptions there is the gate of hypercalls, which lets ring 1 through: to this guest it is INT 82h.
      if (vector >= 32) return softwareInterrupt(guest, vector, EventType.softwareInterrupt, guest.frame.eip);
      return inject(guest, vector, error);
  }
}

// ---- pages

function pageFault(guest: DeprivilegedGuest, linear: number, error: number): Resume {
  // The monitor's own pages, through a descriptor of the monitor's own GDT page: there is nothing for a guest.
  if (linear >= HYPERVISOR_START) return inject(guest, VECTOR.GP, 0);
  const { shadow } = guest;
  switch (shadow.pageFault(linear, error)) {
    case FaultIs.filled:
      guest.hypervisor.cpu.tlb.invalidate(linear);
      return 'enter';
    case FaultIs.guests:
      return inject(guest, VECTOR.PF, shadow.guestError, linear);
    case FaultIs.traced:
      guest.opened.push({ linear, traced: true });
      guest.tracedWrite(shadow.openTraced(linear));
      break;
    case FaultIs.device:
      throw new Unsupported(`the guest uses a device at ${(linear >>> 0).toString(16)}h`);
    default:
      shadow.openHole(linear);
      guest.opened.push({ linear, traced: false });
  }
  guest.hypervisor.cpu.tlb.invalidate(linear);
  startStep(guest);
  return 'enter';
}

/** #DB: the end of a step that the monitor wanted, or the guest's own. */
function debugException(guest: DeprivilegedGuest): Resume {
  const { dr } = guest.hypervisor.cpu;
  let reasons = dr[6] & DR6_REASONS;
  dr[6] = 0xffff0ff0 | 0;
  // INT1 leaves no mark there.
  if (!reasons && !guest.stepping) return inject(guest, VECTOR.DB, -1);
  if (guest.stepping && !stopStep(guest)) reasons &= ~DR6_SINGLE_STEP;
  if (!reasons) return 'enter';
  return debugTrap(guest, reasons);
}

// ---- instructions

/** A program's SYSENTER has led to the monitor. Its trap flag counts from the instruction behind. */
function systemCall(guest: DeprivilegedGuest): Resume {
  const traps = stopStep(guest) && guest.sysenterTrapped;
  guest.settle();
  sysenter(guest);
  emulated(guest, Emulated.farTransfer);
  return traps ? singleStepped(guest) : 'enter';
}

/** The instruction before was executed with TF set. */
export function singleStepped(guest: DeprivilegedGuest): Resume {
  return debugTrap(guest, DR6_SINGLE_STEP);
}

/** #DB into the guest. The breakpoints in DR6 are those of this exception, and its handler may use the registers (SDM vol. 3 §17.2). */
function debugTrap(guest: DeprivilegedGuest, reasons: number): Resume {
  guest.debug[6] = (guest.debug[6] & ~DR6_BREAKPOINTS) | reasons;
  guest.debug[7] &= ~DR7_GD;
  return inject(guest, VECTOR.DB, -1);
}

function generalProtection(guest: DeprivilegedGuest, error: number): Resume {
  const i = fetch(guest);
  if (!i) return inject(guest, VECTOR.GP, error);
  const { operation } = i.form;
  if (error & ERROR_IDT) {
    const vector = (error >>> 3) & 0xff;
    if (operation !== 'int' || (i.immediate & 0xff) !== vector) return inject(guest, VECTOR.GP, error);
    guest.hypervisor.charge.emulateInstruction();
    // The fault set it; the interrupt that takes its place is none.
    guest.frame.eflags &= ~RF;
    return softwareInterrupt(guest, vector, EventType.softwareInterrupt, guest.frame.eip + i.length);
  }
  guest.hypervisor.charge.emulateInstruction();
  return emulateInstruction(guest, i, error);
}

/** Does what a privileged instruction asks for, by the rules of the ring that the guest believes in. @param error of the #GP when it is none that is emulated */
export function emulateInstruction(guest: DeprivilegedGuest, i: Instruction, error: number): Resume {
  // What was opened for a step belongs to the address space and the registers as they are now.
  stopStep(guest);
  guest.settle();
  switch (i.form.operation) {
    case 'hlt':
      return halt(guest, i);
    case 'in':
    case 'out':
      return ports(guest, i);
    case 'ins':
    case 'outs':
      return stringPorts(guest, i);
    default: {
      const emulate = OPERATIONS[i.form.operation];
      if (emulate) {
        const traps = (guest.frame.eflags & TF) !== 0;
        if (!emulate(guest, i)) return skip(guest, i);
        return traps ? singleStepped(guest) : 'enter';
      }
      // To this guest there is no VMX: outside it these instructions do not exist.
      if (i.form.operation.startsWith('vm')) return inject(guest, VECTOR.UD, -1);
      refuseHidden(guest, error, i);
      return inject(guest, VECTOR.GP, error);
    }
  }
}

/**
 * INT n, INT3, INTO: the guest's own gate decides. A fault is reported at the instruction, which for INT3 and INTO is one byte
 * before where the processor says that the guest stands.
 */
export function softwareInterrupt(
  guest: DeprivilegedGuest,
  vector: number,
  type: number,
  returnEip: number,
): Resume {
  const { frame } = guest;
  stopStep(guest);
  guest.settle();
  const gate = guest.idtr.base + vector * 8;
  const open =
    vector * 8 + 7 <= guest.idtr.limit && ((guest.linear.read32(gate + 4) >>> 13) & 3) >= guest.ring;
  if (returnEip === frame.eip) frame.eip = (frame.eip - (vector >= 32 ? 2 : 1)) | 0;
  if (!open) {
    guest.closeVector(vector);
    return inject(guest, VECTOR.GP, vector * 8 + 2);
  }
  if (guest.ring === 3) guest.openVector(vector);
  if (deliver(guest, vector, type, -1, returnEip)) return 'enter';
  return crash(guest, tellChain(guest.chain), true);
}

/** Behind the instruction that has been emulated. @param hits breakpoints that it has met, as in DR6 */
export function skip(guest: DeprivilegedGuest, i: Instruction, hits = 0): Resume {
  const { frame } = guest;
  frame.eip = (frame.eip + i.length) | 0;
  frame.eflags &= ~RF;
  // Behind MOV SS and POP SS there is no trap: it would push onto half of a stack (SDM vol. 3 §6.8.3).
  const held = guest.shadowHoldsTraps && guest.shadowedEip === frame.eip >>> 0;
  const reasons = hits | (frame.eflags & TF && !held ? DR6_SINGLE_STEP : 0);
  return reasons ? debugTrap(guest, reasons) : 'enter';
}

function halt(guest: DeprivilegedGuest, i: Instruction): Resume {
  if (guest.ring !== 0) return inject(guest, VECTOR.GP, 0);
  const { hypervisor, vcpu, domain } = guest;
  const resume = skip(guest, i);
  emulated(guest, Emulated.hlt);
  guest.interruptible = guest.interruptsOn;
  if (resume !== 'enter' || (guest.interruptible && guest.board.pic.pending())) return resume;
  hypervisor.record(vcpu, Kind.idle, 0);
  if (!guest.interruptible) domain.ending = 'halted with interrupts off: it waits for ever';
  return 'block';
}

// ---- ports

/** IOPL, else the bitmap of the guest's TSS (SDM vol. 1 §18.5). Raises #GP(0). */
function requirePort(guest: DeprivilegedGuest, port: number, size: PortSize): void {
  if (guest.ring <= guest.ioPrivilege) return;
  const { task, linear } = guest;
  if (!task.wide || task.limit < 0x67) guestFault(VECTOR.GP, 0);
  const at = linear.read16(task.base + 0x66) + (port >>> 3);
  if (at + 1 > task.limit) guestFault(VECTOR.GP, 0);
  if ((linear.read16(task.base + at) >>> (port & 7)) & ((1 << size) - 1)) guestFault(VECTOR.GP, 0);
}

const sizeOf = (i: Instruction): PortSize => ((i.form.opcode & 1) === 0 ? 1 : i.operandSize === 32 ? 4 : 2);

function ports(guest: DeprivilegedGuest, i: Instruction): Resume {
  const size = sizeOf(i);
  // E4h to E7h name the port, ECh to EFh have it in DX.
  const port = i.form.opcode < 0xe8 ? i.immediate & 0xff : guest.vcpu.regs[EDX] & 0xffff;
  requirePort(guest, port, size);
  portAccess(guest, port, size, i.form.operation === 'in');
  const resume = skip(guest, i, portBreakpoints(guest, port, size));
  return endWhenPoweredOff(guest) ? 'ended' : resume;
}

/** The guest's breakpoints that an access to ports matches, as in DR6. They trap behind the instruction. */
function portBreakpoints({ debug, shadow }: DeprivilegedGuest, port: number, size: number): number {
  // Mostly none is enabled at all.
  if ((debug[7] & DR7_ENABLES) === 0) return 0;
  const seen = { dr: debug, cr4: shadow.control.cr4, pendingDebug: 0, attention: 0 };
  watchPort(seen, port, size);
  return seen.pendingDebug;
}

function stringPorts(guest: DeprivilegedGuest, i: Instruction): Resume {
  const { regs } = guest.vcpu;
  const input = i.form.operation === 'ins';
  const size = sizeOf(i);
  const port = regs[EDX] & 0xffff;
  requirePort(guest, port, size);
  const register = input ? 0 : i.segment;
  const mask = i.addressSize === 32 ? -1 : 0xffff;
  const repeated = i.rep !== REP_NONE;
  if (repeated && (regs[ECX] & mask) === 0) return skip(guest, i);
  const hits = portBreakpoints(guest, port, size);
  const stepped = (guest.frame.eflags & TF) !== 0;
  // Traps come between the elements, too.
  const single = repeated && (hits !== 0 || stepped);
  const end = stringAccess(guest, {
    port,
    size,
    input,
    repeated: repeated && !single,
    wide: i.addressSize === 32,
    backward: (guest.frame.eflags & DF) !== 0,
    base: linearOf(guest, register, 0),
    user: guest.ring === 3,
  });
  if (end >= 0) return inject(guest, VECTOR.PF, guest.shadow.guestError, end);
  if (single) regs[ECX] = (regs[ECX] & ~mask) | ((regs[ECX] - 1) & mask);
  const more = end === StringEnd.more || (single && (regs[ECX] & mask) !== 0);
  let resume: Resume = 'enter';
  if (!more) resume = skip(guest, i, hits);
  else if (single) {
    if (guest.resumes) guest.frame.eflags |= RF;
    resume = debugTrap(guest, hits | (stepped ? DR6_SINGLE_STEP : 0));
  }
  return endWhenPoweredOff(guest) ? 'ended' : resume;
}

// ---- what truncation took away

/** #GP or #SS because a segment had to be cut off below the monitor: nothing can be done for such a guest. */
function refuseHidden(guest: DeprivilegedGuest, error: number, i: Instruction | null = fetch(guest)): void {
  if (error || !i?.memory) return;
  const linear = (loaded(guest, i.segment).base + offsetOf(guest, i)) >>> 0;
  const own = guest.descriptors.own(guest.selector(i.segment));
  if (linear < HYPERVISOR_START || !own || !(own.high & 0x8000)) return;
  throw new Unsupported(
    `the guest uses address ${linear.toString(16)}h, where the monitor hides: everything from ${HYPERVISOR_START.toString(16)}h up is cut off its segments`,
  );
}
