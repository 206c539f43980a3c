// Interrupts and exceptions into the guest, through the guest's own IDT and on the stack that its own TSS names: what the
// processor would have done at ring 0, done in software (SDM vol. 3 §6.10–6.14). The frame says what the guest believes:
// its CS with RPL 0, its interrupt flag.
import { hasErrorCode, VECTOR } from '../../machine/cpu/fault.ts';
import { IF, NT, RF, TF, VM } from '../../machine/cpu/flags.ts';
import { EventType } from '../../machine/cpu/interrupts.ts';
import { Descriptor, SystemType } from '../../machine/cpu/segmentation.ts';
import { ESP, SS } from '../../machine/isa/instruction.ts';
import { Injected, Kind } from '../../trace/events.ts';
import { combineFaults } from '../fault-chain.ts';
import type { DeprivilegedGuest } from './guest.ts';
import { guestFault, isGuestFault } from './linear.ts';
import { believed, compressed } from './rings.ts';
import {
  checkStack,
  enterCode,
  isNull,
  markAccessed,
  ownDescriptor,
  requireRing,
  requireUsable,
  selectorError,
  Unsupported,
} from './segments.ts';

const gate = new Descriptor();
const code = new Descriptor();
const stack = new Descriptor();

/**
 * Delivers an event; when that meets a fault, what comes of it (table 6-5).
 * @param errorCode -1 for none. @param returnEip what the frame will say
 * @returns false when the guest has shut down: `guest.chain` says how. Throws Unsupported
 */
export function deliver(
  guest: DeprivilegedGuest,
  vector: number,
  type: number,
  errorCode: number,
  returnEip: number,
  cr2 = 0,
): boolean {
  const { hypervisor, vcpu, chain } = guest;
  let first = type === EventType.exception ? vector : -1;
  let kind = type;
  chain.clear();
  for (;;) {
    if (kind === EventType.exception) chain.add(vector, errorCode, returnEip >>> 0, cr2);
    if (vector === VECTOR.PF && kind === EventType.exception) vcpu.cr2 = cr2 | 0;
    hypervisor.charge.injectEvent();
    const cause = type === EventType.external ? Injected.virtualInterrupt : Injected.reflected;
    hypervisor.record(vcpu, Kind.inject, vector, errorCode, cause);
    try {
      throughIdt(guest, vector, kind, errorCode, returnEip);
      return true;
    } catch (error) {
      if (error instanceof Unsupported) error.event = { vector, type: kind, errorCode, returnEip };
      if (!isGuestFault(error)) throw error;
      // An INT that faults has not been executed.
      if (kind === EventType.softwareInterrupt || kind === EventType.softwareException)
        returnEip = guest.frame.eip;
      const next = combineFaults(first, error.vector);
      if (next !== error.vector) chain.add(error.vector, error.errorCode, returnEip >>> 0, error.address);
      if (next < 0) return false;
      errorCode = next === VECTOR.DF ? 0 : error.errorCode;
      cr2 = error.address;
      vector = next;
      first = next;
      kind = EventType.exception;
    }
  }
}

/** An exception at the instruction where the guest stands. */
export function raise(guest: DeprivilegedGuest, vector: number, errorCode: number, cr2 = 0): boolean {
  const code = hasErrorCode(vector) ? errorCode : -1;
  return deliver(guest, vector, EventType.exception, code, guest.frame.eip, cr2);
}

/** One attempt. Raises a guest fault, and then no register has changed. */
function throughIdt(
  guest: DeprivilegedGuest,
  vector: number,
  type: number,
  errorCode: number,
  returnEip: number,
): void {
  const software = type === EventType.softwareInterrupt || type === EventType.softwareException;
  const ext = software ? 0 : 1;
  const inIdt = vector * 8 + 2 + ext;
  const { idtr, linear, ring, frame } = guest;
  if (vector * 8 + 7 > idtr.limit) guestFault(VECTOR.GP, inIdt);
  gate.low = linear.read32(idtr.base + vector * 8);
  gate.high = linear.read32(idtr.base + vector * 8 + 4);
  const kind = gate.systemType;
  const isTask = kind === SystemType.taskGate;
  if (!isTask && (kind & 6) !== 6) guestFault(VECTOR.GP, inIdt);
  if (software && gate.dpl < ring) guestFault(VECTOR.GP, inIdt);
  if (!gate.present) guestFault(VECTOR.NP, inIdt);
  if (isTask)
    throw new Unsupported(
      `vector ${vector} leads through a task gate: hardware task switches are not emulated`,
    );

  const selector = gate.gateSelector;
  if (isNull(selector)) guestFault(VECTOR.GP, ext);
  ownDescriptor(guest, selector, code, VECTOR.GP, ext);
  if (!code.isCode || code.dpl > ring) guestFault(VECTOR.GP, selectorError(selector, ext));
  if (!code.present) guestFault(VECTOR.NP, selectorError(selector, ext));
  const wide = (kind & 8) !== 0;
  const eip = wide ? gate.gateOffset : gate.gateOffset & 0xffff;
  const inward = !code.isConforming && code.dpl < ring;
  const level = inward ? code.dpl : ring;
  requireRing(level);
  requireUsable(code);
  const to = inward ? innerStack(guest, level, ext) : currentStack(guest, ext);
  if (eip > code.limit) guestFault(VECTOR.GP, ext);
  markAccessed(guest, code);
  if (inward) markAccessed(guest, stack);

  const flags = guest.flags;
  if (inward) {
    to.push(guest, frame.ss, wide);
    to.push(guest, guest.vcpu.regs[ESP], wide);
  }
  to.push(guest, isFaultClass(vector, type) ? flags | RF : flags, wide);
  to.push(guest, believed(frame.cs), wide);
  to.push(guest, returnEip, wide);
  if (errorCode >= 0) to.push(guest, errorCode, wide);

  // Nothing can fail from here on.
  guest.vcpu.regs[ESP] = to.pointer;
  if (inward) {
    frame.ss = compressed(to.selector, level);
    guest.descriptors.reloaded(SS);
  }
  guest.flags = flags & ~(TF | NT | RF | VM | ((kind & 1) === 0 ? IF : 0));
  enterCode(guest, selector, level, eip);
}

/** Faults push RF=1 (SDM vol. 3 §17.3.1.1). */
const isFaultClass = (vector: number, type: number): boolean =>
  type === EventType.exception && vector !== VECTOR.DB && vector !== VECTOR.DF && vector !== VECTOR.MC;

/** A stack under construction. One exists, for deliveries do not nest. */
class Stack {
  selector = 0;
  pointer = 0;
  private user = false;
  private error = 0;

  begin(selector: number, pointer: number, user: boolean, error: number): this {
    this.selector = selector;
    this.pointer = pointer;
    this.user = user;
    this.error = error;
    return this;
  }

  /** Raises #SS, #PF. The segment is in `stack`. */
  push(guest: DeprivilegedGuest, value: number, wide: boolean): void {
    const size = wide ? 4 : 2;
    const big = (stack.high & 0x400000) !== 0;
    const next = big
      ? (this.pointer - size) | 0
      : (this.pointer & ~0xffff) | ((this.pointer - size) & 0xffff);
    const offset = big ? next >>> 0 : next & 0xffff;
    if (!allows(offset, size, big)) guestFault(VECTOR.SS, this.error);
    guest.linear.write(stack.base + offset, value, size, this.user);
    this.pointer = next;
  }
}
const building = new Stack();

/** Limit check against the segment in `stack`. */
function allows(offset: number, size: number, big: boolean): boolean {
  const last = offset + size - 1;
  const expandsDown = (stack.high & 0x1c00) === 0x1400;
  return expandsDown ? offset > stack.limit && last <= (big ? 0xffffffff : 0xffff) : last <= stack.limit;
}

function currentStack(guest: DeprivilegedGuest, ext: number): Stack {
  const { low, high } = guest.descriptors.loaded(SS);
  stack.low = low;
  stack.high = high;
  return building.begin(guest.frame.ss, guest.vcpu.regs[ESP], guest.ring === 3, ext);
}

/** The stack of an inner ring, from the guest's TSS. Raises #TS, #SS, #PF. */
function innerStack(guest: DeprivilegedGuest, level: number, ext: number): Stack {
  const { task, linear } = guest;
  const at = task.wide ? 4 + level * 8 : 2 + level * 4;
  if (at + (task.wide ? 7 : 3) > task.limit) guestFault(VECTOR.TS, selectorError(task.selector, ext));
  const pointer = task.wide ? linear.read32(task.base + at) : linear.read16(task.base + at);
  const selector = linear.read16(task.base + at + (task.wide ? 4 : 2));
  checkStack(guest, selector, level, VECTOR.TS, ext, stack);
  requireUsable(stack);
  return building.begin(selector, pointer, false, selectorError(selector, ext));
}
