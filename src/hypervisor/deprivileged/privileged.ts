// Privileged instructions that trapped out of ring 1, emulated on the virtual processor (SDM vol. 3 §2.8, §5.9). One function
// an operation of the instruction table; each raises what ring 0 would have raised.
import { VECTOR } from '../../machine/cpu/fault.ts';
import { IF } from '../../machine/cpu/flags.ts';
import { MSR } from '../../machine/cpu/msrs.ts';
import { Descriptor, SystemType } from '../../machine/cpu/segmentation.ts';
import { DS, EAX, ECX, EDX, type Instruction, SS } from '../../machine/isa/instruction.ts';
import { Emulated, Kind } from '../../trace/events.ts';
import { CR0_KNOWN, CR4_KNOWN } from '../platform/control-registers.ts';
import { acceptsCommonMsr, commonMsr } from '../platform/model-specific.ts';
import { farTransfer, iret, retFar, sysenter, sysexit } from './control-transfers.ts';
import type { DeprivilegedGuest } from './guest.ts';
import { guestFault } from './linear.ts';
import { addressOf, moveStack, offsetOf, peek, word } from './operands.ts';
import { isNull, loadSegment, selectorError, Unsupported } from './segments.ts';

const PE = 1,
  TS = 8,
  ET = 0x10,
  NW = 0x20000000,
  CD = 0x40000000,
  PG = 0x80000000;
const CR4_TSD = 4,
  CR4_DE = 8;
const DR7_GD = 0x2000;

/** What an operation does. True when it went somewhere itself: EIP must not be moved behind it. */
type Operation = (guest: DeprivilegedGuest, i: Instruction) => boolean;
const d = new Descriptor();

/** Says what was emulated: an `Emulated` code, its operand, the value, its size in bytes, what was there before. */
export function emulated(
  guest: DeprivilegedGuest,
  what: number,
  operand = 0,
  value = 0,
  size = 4,
  before = 0,
): void {
  guest.hypervisor.record(guest.vcpu, Kind.emulate, what, operand, value, size, before);
}

/** #GP(0) in the ring where the guest believes to be, unless that is 0. */
function requireRing0(guest: DeprivilegedGuest): void {
  if (guest.ring !== 0) guestFault(VECTOR.GP, 0);
}

const privileged =
  (work: (guest: DeprivilegedGuest, i: Instruction) => void): Operation =>
  (guest, i) => {
    requireRing0(guest);
    work(guest, i);
    return false;
  };

const transfer =
  (work: (guest: DeprivilegedGuest, i: Instruction) => void, code: number): Operation =>
  (guest, i) => {
    work(guest, i);
    emulated(guest, code);
    return true;
  };

// ---- the interrupt flag

const setInterrupts =
  (on: boolean): Operation =>
  (guest, i) => {
    if (guest.ring > guest.ioPrivilege) guestFault(VECTOR.GP, 0);
    if (on && !guest.interruptsOn) {
      guest.shadowedEip = (guest.frame.eip + i.length) >>> 0;
      guest.shadowHoldsTraps = false;
    }
    guest.privilegedFlags = on ? guest.privilegedFlags | IF : guest.privilegedFlags & ~IF;
    emulated(guest, on ? Emulated.sti : Emulated.cli);
    return false;
  };

// ---- descriptor tables

function loadTable(guest: DeprivilegedGuest, i: Instruction): void {
  const at = addressOf(guest, i);
  const limit = guest.linear.read16(at);
  const base = guest.linear.read32(at + 2) & (i.operandSize === 32 ? -1 : 0xffffff);
  const gdt = i.form.operation === 'lgdt';
  const table = gdt ? guest.descriptors.gdtr : guest.idtr;
  table.base = base >>> 0;
  table.limit = limit;
  if (gdt) guest.descriptors.stale = true;
  emulated(guest, Emulated.descriptorTable, gdt ? 0 : 1, base, limit);
}

/** A system descriptor of the GDT for LLDT and LTR. */
function systemDescriptor(guest: DeprivilegedGuest, selector: number, type: (type: number) => boolean): void {
  const words = selector & 4 ? null : guest.descriptors.own(selector);
  if (!words) guestFault(VECTOR.GP, selectorError(selector));
  d.low = words.low;
  d.high = words.high;
  if (!type(d.systemType)) guestFault(VECTOR.GP, selectorError(selector));
  if (!d.present) guestFault(VECTOR.NP, selectorError(selector));
}

function lldt(guest: DeprivilegedGuest, i: Instruction): void {
  const selector = word(guest, i);
  const { ldtr } = guest.descriptors;
  if (isNull(selector)) ldtr.limit = -1;
  else {
    systemDescriptor(guest, selector, (type) => type === SystemType.ldt);
    ldtr.base = d.base;
    ldtr.limit = Math.min(d.limit, 0xffff);
  }
  ldtr.selector = selector;
  guest.descriptors.stale = true;
  emulated(guest, Emulated.descriptorTable, 2, selector);
}

function ltr(guest: DeprivilegedGuest, i: Instruction): void {
  const selector = word(guest, i);
  if (isNull(selector)) guestFault(VECTOR.GP, 0);
  systemDescriptor(guest, selector, (type) => type === SystemType.tss16 || type === SystemType.tss32);
  const { task, descriptors, linear } = guest;
  // The processor marks it busy.
  const at = descriptors.gdtr.base + (selector & 0xfff8) + 5;
  linear.write(at, linear.read8(at) | 2, 1);
  descriptors.stale = true;
  task.selector = selector;
  task.base = d.base;
  task.limit = d.limit;
  task.wide = (d.systemType & 8) !== 0;
  emulated(guest, Emulated.descriptorTable, 3, selector);
}

// ---- control and debug registers

function setCr0(guest: DeprivilegedGuest, wanted: number): void {
  const value = (wanted & CR0_KNOWN) | ET;
  if ((value & PG && !(value & PE)) || (value & NW && !(value & CD))) guestFault(VECTOR.GP, 0);
  if (!(value & PE))
    throw new Unsupported(
      'the guest switched to real mode, which a deprivileged kernel cannot run in. Run this guest on the bare machine (native)',
    );
  guest.shadow.loadCr0(value);
  guest.remapped();
}

function movToCr(guest: DeprivilegedGuest, i: Instruction): void {
  const value = guest.vcpu.regs[i.rm];
  const { control } = guest.shadow;
  switch (i.reg) {
    case 0:
      emulated(guest, Emulated.crWrite, 0, value, 4, control.cr0);
      setCr0(guest, value);
      return;
    case 2:
      emulated(guest, Emulated.crWrite, 2, value, 4, guest.vcpu.cr2);
      guest.vcpu.cr2 = value;
      return;
    case 3:
      emulated(guest, Emulated.crWrite, 3, value, 4, control.cr3);
      // PWT and PCD exist beside the address.
      guest.shadow.loadCr3(value & 0xfffff018);
      guest.remapped();
      return;
    case 4:
      emulated(guest, Emulated.crWrite, 4, value, 4, control.cr4);
      if (value & ~CR4_KNOWN) guestFault(VECTOR.GP, 0);
      guest.shadow.loadCr4(value);
      guest.remapped();
      return;
    default:
      guestFault(VECTOR.UD);
  }
}

function movFromCr(guest: DeprivilegedGuest, i: Instruction): void {
  const { control } = guest.shadow;
  const values: Record<number, number> = {
    0: control.cr0,
    2: guest.vcpu.cr2,
    3: control.cr3,
    4: control.cr4,
  };
  const value = values[i.reg];
  if (value === undefined) guestFault(VECTOR.UD);
  guest.vcpu.regs[i.rm] = value;
  emulated(guest, Emulated.crRead, i.reg, value);
}

function clts(guest: DeprivilegedGuest): void {
  setCr0(guest, guest.shadow.control.cr0 & ~TS);
  emulated(guest, Emulated.clts);
}

/** LMSW reaches PE, MP, EM, TS and cannot clear PE. */
function lmsw(guest: DeprivilegedGuest, i: Instruction): void {
  const source = word(guest, i);
  setCr0(guest, (guest.shadow.control.cr0 & ~0xe) | (source & 0xf));
  emulated(guest, Emulated.lmsw, 0, source, 2);
}

function invlpg(guest: DeprivilegedGuest, i: Instruction): void {
  const base = guest.descriptors.loaded(i.segment);
  d.low = base.low;
  d.high = base.high;
  const linear = (d.base + offsetOf(guest, i)) >>> 0;
  guest.shadow.invalidatePage(linear);
  guest.hypervisor.cpu.tlb.invalidate(linear);
  guest.remapped(linear);
  emulated(guest, Emulated.invlpg, linear);
}

/** Which debug register a number means: 4 and 5 are 6 and 7, unless CR4.DE=1. */
function debugRegister(guest: DeprivilegedGuest, n: number): number {
  if (n !== 4 && n !== 5) return n;
  if (guest.shadow.control.cr4 & CR4_DE) guestFault(VECTOR.UD);
  return n + 2;
}

function movDr(guest: DeprivilegedGuest, i: Instruction): void {
  const { debug, vcpu } = guest;
  const n = debugRegister(guest, i.reg);
  if (debug[7] & DR7_GD) {
    debug[7] &= ~DR7_GD;
    // BD, which has the same place; B0 to B3 are those of this exception.
    debug[6] = (debug[6] & ~15) | DR7_GD;
    guestFault(VECTOR.DB);
  }
  emulated(guest, Emulated.drAccess, n);
  if (i.form.operation === 'mov-from-dr') {
    vcpu.regs[i.rm] = debug[n];
    return;
  }
  const value = vcpu.regs[i.rm];
  if (n === 6) debug[6] = (value & 0xe00f) | 0xffff0ff0;
  else if (n === 7) debug[7] = (value & ~0xd000) | 0x400;
  else debug[n] = value;
  guest.loadDebugRegisters();
}

// ---- model-specific registers, time, caches

function put64(guest: DeprivilegedGuest, value: bigint): void {
  guest.vcpu.regs[EAX] = Number(BigInt.asIntN(32, value));
  guest.vcpu.regs[EDX] = Number(BigInt.asIntN(32, value >> 32n));
}

const now = (guest: DeprivilegedGuest): bigint =>
  BigInt.asUintN(64, BigInt(Math.floor(guest.hypervisor.now + guest.tscOffset)));

function rdmsr(guest: DeprivilegedGuest): void {
  const index = guest.vcpu.regs[ECX] >>> 0;
  const { cs, esp, eip } = guest.sysenter;
  const own: Record<number, bigint> = {
    [MSR.sysenterCs]: BigInt(cs >>> 0),
    [MSR.sysenterEsp]: BigInt(esp >>> 0),
    [MSR.sysenterEip]: BigInt(eip >>> 0),
  };
  const value = index === MSR.tsc ? now(guest) : (own[index] ?? commonMsr(index));
  if (value === undefined) guestFault(VECTOR.GP, 0);
  put64(guest, value);
  emulated(guest, Emulated.rdmsr, index, guest.vcpu.regs[EAX], 8);
}

function wrmsr(guest: DeprivilegedGuest): void {
  const { regs } = guest.vcpu;
  const index = regs[ECX] >>> 0;
  const value = (BigInt(regs[EDX] >>> 0) << 32n) | BigInt(regs[EAX] >>> 0);
  if (index === MSR.sysenterCs) guest.sysenter.cs = regs[EAX];
  else if (index === MSR.sysenterEsp) guest.sysenter.esp = regs[EAX];
  else if (index === MSR.sysenterEip) guest.sysenter.eip = regs[EAX];
  else if (index === MSR.tsc) guest.tscOffset = Number(value) - guest.hypervisor.now;
  else if (!acceptsCommonMsr(index, value)) guestFault(VECTOR.GP, 0);
  emulated(guest, Emulated.wrmsr, index, regs[EAX], 8);
}

/** It traps only while the guest's counter differs from the processor's, or the guest itself forbade it to its programs. */
function rdtsc(guest: DeprivilegedGuest): boolean {
  if (guest.ring !== 0 && guest.shadow.control.cr4 & CR4_TSD) guestFault(VECTOR.GP, 0);
  put64(guest, now(guest));
  emulated(guest, Emulated.rdtsc, 0, guest.vcpu.regs[EAX], 8);
  return false;
}

// ---- segment registers

const SREG: Readonly<Record<string, number>> = { es: 0, ss: SS, ds: DS, fs: 4, gs: 5 };

function shadowAfterSs(guest: DeprivilegedGuest, i: Instruction, register: number): void {
  if (register === SS) {
    guest.shadowedEip = (guest.frame.eip + i.length) >>> 0;
    guest.shadowHoldsTraps = true;
  }
  emulated(guest, Emulated.loadSegment, register, guest.selector(register));
}

function movToSreg(guest: DeprivilegedGuest, i: Instruction): boolean {
  loadSegment(guest, i.reg, word(guest, i));
  shadowAfterSs(guest, i, i.reg);
  return false;
}

function popSreg(guest: DeprivilegedGuest, i: Instruction): boolean {
  const register = SREG[i.form.operands[0]];
  const selector = peek(guest, 0, i.operandSize === 32) & 0xffff;
  // By the width of the stack it came from, before SS may change.
  const esp = guest.vcpu.regs[4];
  moveStack(guest, i.operandSize >> 3);
  const popped = guest.vcpu.regs[4];
  guest.vcpu.regs[4] = esp;
  loadSegment(guest, register, selector);
  guest.vcpu.regs[4] = popped;
  shadowAfterSs(guest, i, register);
  return false;
}

function loadFarPointer(guest: DeprivilegedGuest, i: Instruction): boolean {
  const register = SREG[i.form.mnemonic.slice(1)];
  const at = addressOf(guest, i);
  const user = guest.ring === 3;
  const wide = i.operandSize === 32;
  const { regs } = guest.vcpu;
  const offset = wide ? guest.linear.read32(at, user) : guest.linear.read16(at, user);
  loadSegment(guest, register, guest.linear.read16(at + (wide ? 4 : 2), user));
  regs[i.reg] = wide ? offset : (regs[i.reg] & ~0xffff) | offset;
  emulated(guest, Emulated.loadSegment, register, guest.selector(register));
  return false;
}

const caches = privileged((guest) => emulated(guest, Emulated.wbinvd));

/** By `Form.operation`. HLT and port I/O have results of their own: emulator.ts. */
export const OPERATIONS: Readonly<Record<string, Operation>> = {
  cli: setInterrupts(false),
  sti: setInterrupts(true),
  lgdt: privileged(loadTable),
  lidt: privileged(loadTable),
  lldt: privileged(lldt),
  ltr: privileged(ltr),
  'mov-to-cr': privileged(movToCr),
  'mov-from-cr': privileged(movFromCr),
  'mov-to-dr': privileged(movDr),
  'mov-from-dr': privileged(movDr),
  clts: privileged(clts),
  lmsw: privileged(lmsw),
  invlpg: privileged(invlpg),
  rdmsr: privileged(rdmsr),
  wrmsr: privileged(wrmsr),
  wbinvd: caches,
  invd: caches,
  rdtsc,
  'mov-to-sreg': movToSreg,
  'pop-sreg': popSreg,
  'load-far-pointer': loadFarPointer,
  iret: transfer(iret, Emulated.iret),
  'ret-far': transfer(retFar, Emulated.farTransfer),
  'jmp-far': transfer((guest, i) => farTransfer(guest, i, false), Emulated.farTransfer),
  'call-far': transfer((guest, i) => farTransfer(guest, i, true), Emulated.farTransfer),
  sysenter: transfer(sysenter, Emulated.farTransfer),
  sysexit: transfer(sysexit, Emulated.farTransfer),
};
