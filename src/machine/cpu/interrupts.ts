// Delivery of interrupts and exceptions (SDM vol. 3 ch. 6; real mode §20.1.4): gates, privilege change with the stack of
// the TSS, error codes, and what happens when delivery itself faults: double fault (table 6-5) and shutdown.
import { Kind } from '../../trace/events.ts';
import { CS, DS, ES, ESP, FS, GS, SS } from '../isa/instruction.ts';
import { readLinear16, readLinear32 } from './access.ts';
import { type Cpu, Stop } from './cpu.ts';
import { type Fault, fault, isFault, VECTOR } from './fault.ts';
import { AC, getFlags, IF, NT, RF, setFlags, TF, VM } from './flags.ts';
import { learnGate, throughKnownGate } from './known-transfers.ts';
import {
  CR0_PE,
  Descriptor,
  enterCode,
  isNull,
  markAccessed,
  requireDescriptor,
  SystemType,
  selectorError,
  setNull,
  setRealMode,
} from './segmentation.ts';
import { frame, innerStack } from './stacks.ts';
import { availableTss, switchTask, TaskSource } from './tasks.ts';

/** What kind of event is delivered, numbered as in VMCS interruption information (SDM vol. 3 §24.8.3). */
export const EventType = {
  external: 0,
  nmi: 2,
  /** An exception that the processor found. */
  exception: 3,
  /** INT n. */
  softwareInterrupt: 4,
  /** INT1. */
  privilegedException: 5,
  /** INT3, INTO. */
  softwareException: 6,
} as const;

const DR7_GD = 1 << 13;

const gate = new Descriptor();
const target = new Descriptor();

/**
 * Delivers an event through the IDT, whatever becomes of it: nested faults, double fault, shutdown. Never throws a `Fault`.
 * Used between instructions, by the catcher of faults, and for event injection at VM entry.
 * @param errorCode -1 for none
 * @param returnEip what the frame will say; it is also where a nested fault is reported
 */
export function deliverEvent(
  cpu: Cpu,
  vector: number,
  type: number,
  errorCode: number,
  returnEip: number,
): void {
  cpu.instructionStart = returnEip;
  try {
    throughIdt(cpu, vector, type, errorCode, returnEip);
  } catch (caught) {
    if (!isFault(caught)) throw caught;
    if (exits(cpu, caught)) return;
    const first = type === EventType.exception ? vector : -1;
    beginChain(cpu, vector, errorCode, cpu.cr2);
    link(cpu, caught.vector, caught.errorCode, caught.address);
    const next = escalate(cpu, first, caught);
    if (next === VECTOR.DF) link(cpu, next, 0, 0);
    raise(cpu, next, caught);
  }
}

/** Delivers a fault of the instruction at `cpu.instructionStart`. Exits to the hypervisor if it wants this exception. */
export function deliverFault(cpu: Cpu, thrown: Fault): void {
  beginChain(cpu, thrown.vector, thrown.errorCode, thrown.address);
  raise(cpu, thrown.vector, thrown);
}

/** Delivers a debug trap behind the instruction that earned it. @param bits what to set in DR6 */
export function deliverDebugTrap(cpu: Cpu, bits: number): void {
  cpu.halted = false; // HLT is stepped over
  cpu.instructionStart = cpu.eip;
  debugException(cpu, bits);
}

/** #DB with the reasons in DR6 (SDM vol. 3 §17.2.3); the hypervisor's silicon is asked first. */
export function debugException(cpu: Cpu, bits: number): void {
  // A VM exit leaves DR6 alone and reports the bits itself; they travel in `pendingDebug` for that moment.
  cpu.pendingDebug = bits;
  const exited = cpu.intercepts?.exception(VECTOR.DB, -1, cpu.cr2);
  cpu.pendingDebug = 0;
  if (exited) return;
  // B0 to B3 are those of this exception; the other bits only software clears.
  cpu.dr[6] = (cpu.dr[6] & ~15) | bits;
  // The handler may use the debug registers (SDM vol. 3 §17.2.4).
  cpu.dr[7] &= ~DR7_GD;
  deliverEvent(cpu, VECTOR.DB, EventType.exception, -1, cpu.eip);
}

/**
 * INT n, INT3, INTO, INT1 from the instruction stream: faults are thrown, as those of any instruction.
 * The caller has asked the intercepts.
 */
export function softwareInterrupt(cpu: Cpu, vector: number, type: number): void {
  throughIdt(cpu, vector, type, -1, cpu.eip);
}

const LINK = 3;

/** The first link of the chain that a shutdown ends. Mostly there was no other: then no array is cut, which is slow. */
function beginChain({ faultChain: chain }: Cpu, vector: number, errorCode: number, address: number): void {
  if (chain.length > LINK) chain.length = LINK;
  chain[0] = vector;
  chain[1] = errorCode;
  chain[2] = address;
}

/** Another link. */
function link(cpu: Cpu, vector: number, errorCode: number, address: number): void {
  cpu.faultChain.push(vector, errorCode, address);
}

/** Contributory exceptions (SDM vol. 3 table 6-4). */
function isContributory(vector: number): boolean {
  return vector === VECTOR.DE || (vector >= VECTOR.TS && vector <= VECTOR.GP);
}

/** Which exception follows when delivering `first` (-1: an interrupt) met `second`: itself, #DF, or -1 for shutdown (table 6-5). */
function escalate(cpu: Cpu, first: number, second: Fault): number {
  const serious = isContributory(second.vector);
  if (first === VECTOR.DF && (serious || second.vector === VECTOR.PF)) return -1;
  const both =
    (isContributory(first) && serious) || (first === VECTOR.PF && (serious || second.vector === VECTOR.PF));
  if (second.vector === VECTOR.PF && both) cpu.cr2 = second.address | 0;
  return both ? VECTOR.DF : second.vector;
}

function raise(cpu: Cpu, vector: number, thrown: Fault): void {
  // Each turn either delivers or climbs: benign, contributory or #PF, #DF, shutdown.
  for (;;) {
    if (vector < 0) {
      shutdown(cpu);
      return;
    }
    const errorCode = vector === VECTOR.DF ? 0 : thrown.errorCode;
    const address = thrown.address;
    if (cpu.intercepts?.exception(vector, errorCode, vector === VECTOR.PF ? address : cpu.cr2)) return;
    if (vector === VECTOR.PF) cpu.cr2 = address | 0;
    const eip = cpu.instructionStart;
    cpu.eip = eip;
    try {
      throughIdt(cpu, vector, EventType.exception, errorCode, eip);
      return;
    } catch (caught) {
      if (!isFault(caught)) throw caught;
      if (exits(cpu, caught)) return;
      link(cpu, caught.vector, caught.errorCode, caught.address);
      vector = escalate(cpu, vector, caught);
      if (vector === VECTOR.DF) link(cpu, vector, 0, 0);
    }
  }
}

/** Delivery met a fault: the hypervisor may want that one by itself, before the two are combined (SDM vol. 3 §25.2). */
function exits(cpu: Cpu, second: Fault): boolean {
  return cpu.intercepts?.exception(second.vector, second.errorCode, second.address) ?? false;
}

function shutdown(cpu: Cpu): void {
  if (cpu.intercepts?.tripleFault()) return;
  cpu.stop = Stop.shutdown;
}

/** One attempt. Throws a `Fault`, and then no register has changed. */
function throughIdt(cpu: Cpu, vector: number, type: number, errorCode: number, returnEip: number): void {
  const before = cpu.cpl;
  const start = cpu.cycles;
  const silicon = cpu.intercepts;
  silicon?.vectoring(true, vector, type, errorCode);
  const software = type === EventType.softwareInterrupt || type === EventType.softwareException;
  const ext = software ? 0 : 1;
  if (!(cpu.cr0 & CR0_PE)) realMode(cpu, vector, ext, returnEip);
  else if (!throughKnownGate(cpu, vector, software, errorCode, returnEip, isFaultClass(vector, type)))
    protectedMode(cpu, vector, type, errorCode, returnEip, software, ext);
  if (cpu.intercepts !== silicon) return; // a task switch has left to the hypervisor
  silicon?.vectoring(false, vector, type, errorCode);
  if (type === EventType.nmi) cpu.nmiBlocked = true;
  const charges = cpu.cost.charges;
  const after = cpu.cpl;
  cpu.cycles +=
    after === before ? charges.interruptDeliverySameRing.cycles : charges.interruptDelivery.cycles;
  const how =
    type === EventType.external || type === EventType.nmi ? 1 : type === EventType.exception ? 0 : 2;
  cpu.recorder.record(Kind.interrupt, returnEip, vector, errorCode, before, after, how, cpu.cycles - start);
}

/** The interrupt vector table of real mode: four bytes a vector, no error code. */
function realMode(cpu: Cpu, vector: number, ext: number, returnEip: number): void {
  const at = vector * 4;
  if (at + 3 > cpu.idtr.limit) fault(cpu, VECTOR.GP, at * 2 + 2 + ext);
  const offset = readLinear16(cpu, (cpu.idtr.base + at) >>> 0, false);
  const selector = readLinear16(cpu, (cpu.idtr.base + at + 2) >>> 0, false);
  const flags = getFlags(cpu);
  frame.current(cpu, 0);
  frame.push(cpu, flags, false);
  frame.push(cpu, cpu.segments[CS].selector, false);
  frame.push(cpu, returnEip, false);
  frame.commit(cpu);
  setRealMode(cpu, CS, selector);
  cpu.eip = offset;
  cpu.shadow = 0;
  setFlags(cpu, flags & ~(IF | TF | AC | RF));
}

function protectedMode(
  cpu: Cpu,
  vector: number,
  type: number,
  errorCode: number,
  returnEip: number,
  software: boolean,
  ext: number,
): void {
  const inIdt = vector * 8 + 2 + ext;
  if (vector * 8 + 7 > cpu.idtr.limit) fault(cpu, VECTOR.GP, inIdt);
  gate.address = (cpu.idtr.base + vector * 8) >>> 0;
  gate.low = readLinear32(cpu, gate.address, false);
  gate.high = readLinear32(cpu, (gate.address + 4) >>> 0, false);
  const kind = gate.systemType;
  const isTask = kind === SystemType.taskGate;
  // Types 6, 7, 14, 15: bit 3 is the size, bit 0 tells trap from interrupt gate.
  if (!isTask && (kind & 6) !== 6) fault(cpu, VECTOR.GP, inIdt);
  if (software && gate.dpl < cpu.cpl) fault(cpu, VECTOR.GP, inIdt);
  if (!gate.present) fault(cpu, VECTOR.NP, inIdt);
  if (isTask) {
    throughTaskGate(cpu, errorCode, returnEip, ext);
    return;
  }

  const selector = gate.gateSelector;
  if (isNull(selector)) fault(cpu, VECTOR.GP, ext);
  requireDescriptor(cpu, selector, target, VECTOR.GP, ext);
  if (!target.isCode || target.dpl > cpu.cpl) fault(cpu, VECTOR.GP, selectorError(selector, ext));
  if (!target.present) fault(cpu, VECTOR.NP, selectorError(selector, ext));
  const flags = getFlags(cpu);
  const virtual = (flags & VM) !== 0;
  const inward = !target.isConforming && target.dpl < cpu.cpl;
  if (virtual && (!inward || target.dpl !== 0)) fault(cpu, VECTOR.GP, selectorError(selector, ext));
  const wide = (kind & 8) !== 0;
  const level = inward ? target.dpl : cpu.cpl;
  const eip = wide ? gate.gateOffset : gate.gateOffset & 0xffff;
  if (inward) frame.inner(cpu, level, ext);
  else frame.current(cpu, ext);
  const s = cpu.segments;
  if (virtual) for (const register of [GS, FS, DS, ES]) frame.push(cpu, s[register].selector, wide);
  if (inward) {
    frame.push(cpu, s[SS].selector, wide);
    frame.push(cpu, cpu.regs[ESP], wide);
  }
  frame.push(cpu, isFaultClass(vector, type) ? flags | RF : flags, wide);
  frame.push(cpu, s[CS].selector, wide);
  frame.push(cpu, returnEip, wide);
  if (errorCode >= 0) frame.push(cpu, errorCode, wide);
  // Room on the stack comes before the limit of the code (SDM vol. 2A "INT n").
  if (eip > target.limit) fault(cpu, VECTOR.GP, ext);
  markAccessed(cpu, target);
  if (wide && !virtual) learnGate(cpu, vector, gate, target, level, inward ? innerStack : null);

  // Nothing can fail from here on.
  frame.commit(cpu);
  if (virtual) for (const register of [GS, FS, DS, ES]) setNull(s[register]);
  cpu.shadow = 0;
  setFlags(cpu, flags & ~(TF | NT | RF | VM | ((kind & 1) === 0 ? IF : 0)));
  enterCode(cpu, selector, target, level, eip);
}

/** Faults push RF=1, so that an instruction breakpoint does not fire again on return (SDM vol. 3 §17.3.1.1). */
function isFaultClass(vector: number, type: number): boolean {
  return type === EventType.exception && vector !== VECTOR.DB && vector !== VECTOR.DF && vector !== VECTOR.MC;
}

function throughTaskGate(cpu: Cpu, errorCode: number, returnEip: number, ext: number): void {
  const selector = gate.gateSelector;
  availableTss(cpu, selector, target, VECTOR.GP, ext);
  cpu.eip = returnEip;
  const wide = (target.systemType & 8) !== 0;
  if (!switchTask(cpu, selector, target, TaskSource.gate, ext)) return;
  if (errorCode < 0) return;
  frame.current(cpu, ext);
  frame.push(cpu, errorCode, wide);
  frame.commit(cpu);
}

/** Takes what is pending at the pins, between two instructions. True when something was delivered (or has exited). */
export function acceptPending(cpu: Cpu): boolean {
  if (!cpu.gif) return false;
  const silicon = cpu.intercepts;
  const open = (cpu.flags & IF) !== 0 && cpu.shadow === 0;
  if (cpu.nmiPending && !cpu.nmiBlocked && !(cpu.shadow & 2)) {
    if (silicon?.nmi()) return true;
    cpu.nmiPending = false;
    cpu.halted = false;
    deliverEvent(cpu, VECTOR.NMI, EventType.nmi, -1, cpu.eip);
    return true;
  }
  // `window` decides for itself whether it is open: an NMI window has other conditions than IF.
  if (silicon?.window()) return true;
  if (!cpu.interrupts.pending()) return false;
  if (silicon?.externalInterrupt()) return true;
  if (!(silicon?.acceptsInterrupt?.(open) ?? open)) return false;
  cpu.halted = false;
  deliverEvent(cpu, cpu.interrupts.acknowledge(), EventType.external, -1, cpu.eip);
  return true;
}
