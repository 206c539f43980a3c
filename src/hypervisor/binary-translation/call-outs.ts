// Instructions that translated code leaves to the monitor. Those that are privileged are emulated as when they trap; here are the
// others, which ring 1 would let through and get wrong (Robin & Irvine 2000): each gives what ring 0 gives (SDM vol. 2).
import { type Identification, cpuid as identify } from '../../machine/cpu/cpuid.ts';
import { VECTOR } from '../../machine/cpu/fault.ts';
import { RF, TF, VM, ZF } from '../../machine/cpu/flags.ts';
import { EventType } from '../../machine/cpu/interrupts.ts';
import { mergeFlags } from '../../machine/cpu/iret.ts';
import { Descriptor } from '../../machine/cpu/segmentation.ts';
import { CS, EAX, EBX, ECX, EDX, ESP, type Instruction, SS } from '../../machine/isa/instruction.ts';
import { Emulated } from '../../trace/events.ts';
import { emulateInstruction, inject, skip, softwareInterrupt } from '../deprivileged/emulator.ts';
import { guestFault } from '../deprivileged/linear.ts';
import { addressOf, linearOf, loaded, moveStack, peek, word } from '../deprivileged/operands.ts';
import { emulated } from '../deprivileged/privileged.ts';
import { answerOf, answers } from '../deprivileged/queries.ts';
import { believed } from '../deprivileged/rings.ts';
import { isNull } from '../deprivileged/segments.ts';
import { stopStep } from '../deprivileged/stepping.ts';
import type { Resume } from '../technique.ts';
import { canMake, makeAccess } from './accesses.ts';
import type { TranslatedGuest } from './guest.ts';

/** What the guest's processor does not have, or not under this monitor: VT-x; PAE; a local APIC. */
const FEATURE_VMX = 1 << 5;
const FEATURE_PAE = 1 << 6;
const FEATURE_APIC = 1 << 9;

type Operation = (guest: TranslatedGuest, i: Instruction) => Resume;
const d = new Descriptor();

/** Does one instruction of the guest's kernel. Raises what ring 0 would raise. */
export function doInstruction(guest: TranslatedGuest, i: Instruction): Resume {
  if (guest.isAdapted(guest.frame.eip) && canMake(i)) {
    stopStep(guest);
    guest.settle();
    return makeAccess(guest, i);
  }
  const operation = operationOf(i);
  if (!operation) return emulateInstruction(guest, i, 0);
  stopStep(guest);
  guest.settle();
  return operation(guest, i);
}

/** A register of 16 or 32 bits. */
function setRegister(guest: TranslatedGuest, n: number, size: number, value: number): void {
  const { regs } = guest.vcpu;
  regs[n] = size === 32 ? value : (regs[n] & ~0xffff) | (value & 0xffff);
}

/** SLDT, STR, SMSW, MOV from a segment register: to a register by operand size, or 16 bits to memory. */
const store =
  (value: (guest: TranslatedGuest, i: Instruction) => number): Operation =>
  (guest, i) => {
    const stored = value(guest, i);
    if (i.memory) guest.linear.write(addressOf(guest, i), stored, 2);
    else setRegister(guest, i.rm, i.operandSize, stored);
    return skip(guest, i);
  };

/** SGDT, SIDT: six bytes, all or none. */
const storeTable =
  (gdt: boolean): Operation =>
  (guest, i) => {
    const { base, limit } = gdt ? guest.descriptors.gdtr : guest.idtr;
    const at = addressOf(guest, i);
    if (guest.shadow.translate((at + 5) >>> 0, true, false) < 0)
      guestFault(VECTOR.PF, guest.shadow.guestError, (at + 5) >>> 0);
    guest.linear.write(at, limit, 2);
    guest.linear.write(at + 2, base & (i.operandSize === 32 ? -1 : 0xffffff), 4);
    return skip(guest, i);
  };

const query: Operation = (guest, i) => {
  const { operation } = i.form;
  const selector = word(guest, i);
  const words = isNull(selector) ? null : guest.descriptors.own(selector);
  let yes = false;
  if (words) {
    d.low = words.low;
    d.high = words.high;
    yes = answers(operation, d, selector, 0);
  }
  guest.frame.eflags = (guest.frame.eflags & ~ZF) | (yes ? ZF : 0);
  if (yes && (operation === 'lar' || operation === 'lsl'))
    setRegister(guest, i.reg, i.operandSize, answerOf(operation, d));
  return skip(guest, i);
};

/** The processor as the guest may know it. Programs, which run directly, see all of it. */
export function identification(guest: TranslatedGuest, leaf: number): Identification {
  const { eax, ebx, ecx, edx } = identify(guest.hypervisor.cpu, leaf);
  if (leaf !== 1) return { eax, ebx, ecx, edx };
  return { eax, ebx, ecx: ecx & ~FEATURE_VMX, edx: edx & ~(FEATURE_PAE | FEATURE_APIC) };
}

const cpuid: Operation = (guest, i) => {
  const { regs } = guest.vcpu;
  const leaf = regs[EAX] >>> 0;
  const { eax, ebx, ecx, edx } = identification(guest, leaf);
  regs[EAX] = eax;
  regs[EBX] = ebx;
  regs[ECX] = ecx;
  regs[EDX] = edx;
  emulated(guest, Emulated.cpuid, leaf, eax);
  return skip(guest, i);
};

/** Of those sizes that translated code does not do itself. */
const pushf: Operation = (guest, i) => {
  const size = i.operandSize >> 3;
  const image = guest.flags & ~(VM | RF);
  const big = (loaded(guest, SS).high & 0x400000) !== 0;
  const esp = guest.vcpu.regs[ESP] - size;
  guest.linear.write(linearOf(guest, SS, big ? esp >>> 0 : esp & 0xffff), image, size);
  moveStack(guest, -size);
  emulated(guest, Emulated.pushf, 0, image, size);
  return skip(guest, i);
};

/** A trap flag that it sets counts from the instruction after the next. */
const popf: Operation = (guest, i) => {
  const wide = i.operandSize === 32;
  const image = peek(guest, 0, wide) & ~RF;
  const trapped = guest.flags & TF;
  const merged = mergeFlags(guest.flags, image, 0, wide);
  moveStack(guest, wide ? 4 : 2);
  guest.flags = (merged & ~TF) | trapped;
  emulated(guest, Emulated.popf, 0, image, wide ? 4 : 2);
  const resume = skip(guest, i);
  if (!trapped) guest.flags = merged;
  return resume;
};

/** INT1 asks no gate for its DPL. */
const int1: Operation = (guest, i) => {
  guest.frame.eip = (guest.frame.eip + i.length) | 0;
  return inject(guest, VECTOR.DB, -1);
};

const interrupt =
  (vector: (i: Instruction) => number, type: number): Operation =>
  (guest, i) =>
    softwareInterrupt(guest, vector(i), type, (guest.frame.eip + i.length) | 0);

const selectorOf = (guest: TranslatedGuest, i: Instruction): number => {
  const selector = guest.selector(i.reg);
  return i.reg === CS || i.reg === SS ? believed(selector) : selector;
};

/** The image has been stored; what it says of the cache becomes what the guest knows (SDM vol. 1 §8.1.10, §10.5.1). */
const pointer: Operation = (guest, i) => {
  const extended = i.form.operation === 'fxsave';
  const wide = extended || i.operandSize === 32;
  const at = (addressOf(guest, i) + (extended ? 8 : wide ? 12 : 6)) >>> 0;
  const selectorAt = (at + (wide ? 4 : 2)) >>> 0;
  const { linear } = guest;
  if (guest.isCacheCode(linear.read16(selectorAt))) {
    const offset = wide ? linear.read32(at) : linear.read16(at);
    linear.write(at, guest.locate(offset).part?.guest ?? 0, wide ? 4 : 2);
    linear.write(selectorAt, believed(guest.selector(CS)), 2);
  }
  return skip(guest, i);
};

const OPERATIONS: Readonly<Record<string, Operation>> = {
  sgdt: storeTable(true),
  sidt: storeTable(false),
  sldt: store((guest) => guest.descriptors.ldtr.selector),
  str: store((guest) => guest.task.selector),
  smsw: store((guest) => guest.shadow.control.cr0),
  'mov-from-sreg': store(selectorOf),
  lar: query,
  lsl: query,
  verr: query,
  verw: query,
  cpuid,
  pushf,
  popf,
  int: interrupt((i) => i.immediate & 0xff, EventType.softwareInterrupt),
  int3: interrupt(() => 3, EventType.softwareException),
  into: interrupt(() => 4, EventType.softwareException),
  int1,
  fnstenv: pointer,
  fnsave: pointer,
  fxsave: pointer,
};

/** By form of the instruction table, as they were asked for: a property by a name that varies is slow. */
const byForm: (Operation | null | undefined)[] = [];

function operationOf({ form }: Instruction): Operation | null {
  const known = byForm[form.id];
  if (known !== undefined) return known;
  byForm[form.id] = OPERATIONS[form.operation] ?? null;
  return byForm[form.id]!;
}
