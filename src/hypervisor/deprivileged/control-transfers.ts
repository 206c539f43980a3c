// Far transfers that ring 1 could not make by itself: frames and pointers in which the guest's kernel wrote its own ring 0
// (SDM vol. 2 IRET, RET, CALL, JMP; vol. 3 §5.8). They trap, and so they come out right; those whose selectors happen to say
// ring 1 or 3 run on the processor, and nobody is asked.
import { VECTOR } from '../../machine/cpu/fault.ts';
import { NT, VM } from '../../machine/cpu/flags.ts';
import { mergeFlags } from '../../machine/cpu/iret.ts';
import { Descriptor, SystemType } from '../../machine/cpu/segmentation.ts';
import { CS, DS, ES, ESP, FS, GS, type Instruction, SS } from '../../machine/isa/instruction.ts';
import type { DeprivilegedGuest } from './guest.ts';
import { guestFault } from './linear.ts';
import { addressOf, moveStack, peek } from './operands.ts';
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

const code = new Descriptor();
const stack = new Descriptor();

/** IRET by the guest's kernel or its programs. Raises #GP, #NP, #SS, #PF; throws Unsupported. */
export function iret(guest: DeprivilegedGuest, i: Instruction): void {
  const wide = i.operandSize === 32;
  const size = wide ? 4 : 2;
  const { ring } = guest;
  if (guest.flags & NT) throw new Unsupported('IRET with EFLAGS.NT: hardware task switches are not emulated');
  const eip = peek(guest, 0, wide) >>> 0;
  const selector = peek(guest, size, wide) & 0xffff;
  const image = peek(guest, 2 * size, wide);
  if (wide && image & VM && ring === 0)
    throw new Unsupported('IRET to virtual-8086 mode, which this monitor does not run');
  const merged = mergeFlags(guest.flags, image, ring, wide);
  comeBack(guest, selector, eip, 3 * size, 0, wide);
  guest.flags = merged;
}

/** RETF. */
export function retFar(guest: DeprivilegedGuest, i: Instruction): void {
  const wide = i.operandSize === 32;
  const size = wide ? 4 : 2;
  const eip = peek(guest, 0, wide) >>> 0;
  const selector = peek(guest, size, wide) & 0xffff;
  comeBack(guest, selector, eip, 2 * size, i.immediate & 0xffff, wide);
}

/** The common end of IRET and RETF. @param popped bytes of the frame up to SS:ESP. @param drop argument bytes, on both stacks */
function comeBack(
  guest: DeprivilegedGuest,
  selector: number,
  eip: number,
  popped: number,
  drop: number,
  wide: boolean,
): void {
  const { ring, frame, vcpu } = guest;
  const rpl = selector & 3;
  if (isNull(selector)) guestFault(VECTOR.GP, 0);
  ownDescriptor(guest, selector, code);
  const wrong = code.isConforming ? code.dpl > rpl : code.dpl !== rpl;
  if (rpl < ring || !code.isCode || wrong) guestFault(VECTOR.GP, selectorError(selector));
  if (!code.present) guestFault(VECTOR.NP, selectorError(selector));
  requireRing(rpl);
  requireUsable(code);
  if (rpl === ring) {
    if (eip > code.limit) guestFault(VECTOR.GP, 0);
    markAccessed(guest, code);
    moveStack(guest, popped + drop);
  } else {
    const pointer = peek(guest, popped + drop, wide);
    const ss = peek(guest, popped + drop + (wide ? 4 : 2), wide) & 0xffff;
    checkStack(guest, ss, rpl, VECTOR.GP, 0, stack);
    requireUsable(stack);
    if (eip > code.limit) guestFault(VECTOR.GP, 0);
    markAccessed(guest, code);
    markAccessed(guest, stack);
    frame.ss = compressed(ss, rpl);
    guest.descriptors.reloaded(SS);
    vcpu.regs[ESP] = stack.high & 0x400000 ? pointer : (vcpu.regs[ESP] & ~0xffff) | (pointer & 0xffff);
    moveStack(guest, drop);
  }
  enterCode(guest, selector, rpl, eip);
  if (rpl !== ring) leaveRing(guest, rpl);
}

/** Data segments that the outer ring could not have loaded become null. */
function leaveRing(guest: DeprivilegedGuest, to: number): void {
  for (const register of [ES, DS, FS, GS]) {
    const selector = guest.selector(register);
    if (isNull(selector)) continue;
    const { high } = guest.descriptors.loaded(register);
    const conforming = (high & 0x1c00) === 0x1c00;
    if (!conforming && ((high >>> 13) & 3) < to) {
      guest.setSelector(register, 0);
      guest.descriptors.reloaded(register);
    }
  }
}

/** Far JMP and CALL. */
export function farTransfer(guest: DeprivilegedGuest, i: Instruction, call: boolean): void {
  const { ring, linear, frame } = guest;
  const wide = i.operandSize === 32;
  const size = wide ? 4 : 2;
  let offset = i.immediate;
  let selector = i.immediate2;
  if (i.memory) {
    const at = addressOf(guest, i);
    offset = wide ? linear.read32(at, ring === 3) : linear.read16(at, ring === 3);
    selector = linear.read16(at + size, ring === 3);
  }
  const eip = wide ? offset >>> 0 : offset & 0xffff;
  if (isNull(selector)) guestFault(VECTOR.GP, 0);
  ownDescriptor(guest, selector, code);
  if (!code.isSegment) throughGate(selector, ring);
  const rpl = selector & 3;
  const allowed = code.isConforming ? code.dpl <= ring : rpl <= ring && code.dpl === ring;
  if (!code.isCode || !allowed) guestFault(VECTOR.GP, selectorError(selector));
  if (!code.present) guestFault(VECTOR.NP, selectorError(selector));
  if (eip > code.limit) guestFault(VECTOR.GP, 0);
  requireUsable(code);
  markAccessed(guest, code);
  if (call) pushReturn(guest, (frame.eip + i.length) | 0, believed(frame.cs), wide);
  enterCode(guest, selector, ring, eip);
}

/** What CALL pushes. Both words lie in memory, or the guest faults and nothing has changed. */
function pushReturn(guest: DeprivilegedGuest, eip: number, cs: number, wide: boolean): void {
  const { low, high } = guest.descriptors.loaded(SS);
  stack.low = low;
  stack.high = high;
  const size = wide ? 4 : 2;
  const mask = high & 0x400000 ? 0xffffffff : 0xffff;
  const user = guest.ring === 3;
  const at = (bytes: number): number => stack.base + (((guest.vcpu.regs[ESP] - bytes) & mask) >>> 0);
  guest.linear.write(at(size), cs, size, user);
  guest.linear.write(at(2 * size), eip, size, user);
  moveStack(guest, -2 * size);
}

/** `code` holds a system descriptor. */
function throughGate(selector: number, ring: number): never {
  const visible = code.dpl >= ring && code.dpl >= (selector & 3);
  const type = code.systemType;
  const callGate = type === SystemType.callGate16 || type === SystemType.callGate32;
  const task = type === SystemType.taskGate || type === SystemType.tss16 || type === SystemType.tss32;
  if (!visible || !(callGate || task)) guestFault(VECTOR.GP, selectorError(selector));
  if (!code.present) guestFault(VECTOR.NP, selectorError(selector));
  throw new Unsupported(
    callGate
      ? `a transfer through call gate ${selector.toString(16)}h, which this monitor does not emulate`
      : `a hardware task switch to ${selector.toString(16)}h, which this monitor does not emulate`,
  );
}

/** SYSENTER: to ring 0 at the address in the guest's MSRs, flat segments, nothing saved (SDM vol. 2B). */
export function sysenter(guest: DeprivilegedGuest): void {
  const { cs, esp, eip } = guest.sysenter;
  if (isNull(cs)) guestFault(VECTOR.GP, 0);
  flat(guest, cs & 0xfffc, 0);
  guest.flags = guest.flags & ~(VM | 0x200 | 0x10000);
  guest.vcpu.regs[ESP] = esp;
  guest.frame.eip = eip;
}

/** SYSEXIT: to ring 3 at EDX with the stack ECX. */
export function sysexit(guest: DeprivilegedGuest): void {
  const { regs } = guest.vcpu;
  if (guest.ring !== 0 || isNull(guest.sysenter.cs)) guestFault(VECTOR.GP, 0);
  flat(guest, ((guest.sysenter.cs & 0xfffc) + 16) | 3, 3);
  guest.frame.eip = regs[2];
  regs[ESP] = regs[1];
}

/** CS and SS as SYSENTER and SYSEXIT make them: what the table says does not matter. */
function flat(guest: DeprivilegedGuest, selector: number, ring: 0 | 3): void {
  const dpl = ring << 13;
  guest.frame.cs = compressed(selector, ring);
  guest.descriptors.keepFlat(CS, selector, 0x0000ffff, 0xcf9b00 | dpl);
  guest.frame.ss = compressed(selector + 8, ring);
  guest.descriptors.keepFlat(SS, selector + 8, 0x0000ffff, 0xcf9300 | dpl);
}
