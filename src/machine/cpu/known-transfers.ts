// Interrupts and returns that go the way they went before. What a gate led to is remembered together with the words that
// said so: the gate, the descriptors, where the tables lie. While the TLB has all those places, and the words still stand
// there, delivery (SDM vol. 3 §6.12.1) is a few comparisons and the pushes. Nothing is believed without being read again,
// and nothing is charged that the long way would not charge: whatever is not a plain hit goes the long way.
import { CS, DS, ES, ESP, FS, GS, SS, TR } from '../isa/instruction.ts';
import { Attention, type Cpu, type SegmentRegister } from './cpu.ts';
import { AC, getFlags, IF, NT, RF, setFlags, TF, VM } from './flags.ts';
import { KnownGate, KnownReturn, RETURNS } from './known-words.ts';
import { type Descriptor, setNull, stopInMonitor } from './segmentation.ts';
import { Word } from './tlb.ts';

/** P, S, data, expand-up, writable, 32-bit stack, usable. */
const PLAIN_STACK_MASK = 0x1409e;
const PLAIN_STACK = 0x4092;
const PAGE = 0x1000;

/** Whether a segment with such access rights is a stack that needs no further thought. */
export const isPlainStack = (access: number): boolean => (access & PLAIN_STACK_MASK) === PLAIN_STACK;

/** Physical address of `bytes` bytes that lie in one page which the TLB has a tag for; -1 when it has not, or they do not. */
function hit(cpu: Cpu, word: number, linear: number, bytes: number, user: boolean): number {
  const { tlb } = cpu;
  return tlb.has(linear, word, user) && (linear & 0xfff) + bytes <= PAGE ? tlb.physical(linear) : -1;
}

/** In the GDT, and not null. */
const isGlobal = (selector: number): boolean => (selector & 4) === 0 && (selector & 0xfff8) !== 0;

/**
 * Remembers a delivery through a 32-bit gate that is being done the long way, from a protected-mode program.
 * @param stack descriptor of the inner stack, null when the stack stays
 */
export function learnGate(
  cpu: Cpu,
  vector: number,
  gate: Descriptor,
  code: Descriptor,
  level: number,
  stack: Descriptor | null,
): void {
  const wideTss = (cpu.segments[TR].access & 8) !== 0;
  if (!isGlobal(gate.gateSelector) || (stack !== null && !(wideTss && isGlobal(stack.selector)))) return;
  if (stack !== null && !isPlainStack(stack.access)) return;
  const k = (cpu.known.gates[vector] ??= new KnownGate());
  k.cpl = cpu.cpl;
  k.level = level;
  k.learn(gate);
  k.idtBase = cpu.idtr.base;
  k.idtLimit = cpu.idtr.limit;
  k.gdtBase = cpu.gdtr.base;
  k.gdtLimit = cpu.gdtr.limit;
  k.code.learn(gate.gateSelector, code);
  if (stack !== null) k.stack.learn(stack.selector, stack);
}

/**
 * Delivers an event the way it went last time.
 * @param fault the flags image gets RF
 * @returns false when that cannot be done so, and then nothing has happened
 */
export function throughKnownGate(
  cpu: Cpu,
  vector: number,
  software: boolean,
  errorCode: number,
  returnEip: number,
  fault: boolean,
): boolean {
  const k = cpu.known.gates[vector];
  const { idtr, gdtr, segments, tlb, memory, cpl } = cpu;
  if (k === null || k.cpl !== cpl || cpu.flags & VM || (software && k.dpl < cpl)) return false;
  if (idtr.base !== k.idtBase || idtr.limit !== k.idtLimit) return false;
  if (gdtr.base !== k.gdtBase || gdtr.limit !== k.gdtLimit) return false;
  if (!k.stand(cpu) || !k.code.stand(cpu)) return false;
  const ss = segments[SS];
  const { level } = k;
  const inward = level !== cpl;
  let top = cpu.regs[ESP] >>> 0;
  let { base, limit } = ss;
  if (inward) {
    const tss = segments[TR];
    const at = 4 + level * 8;
    if (!(tss.access & 8) || at + 7 > tss.limit) return false;
    const place = hit(cpu, Word.read, (tss.base + at) >>> 0, 8, false);
    if (place < 0 || (memory.read32(place + 4) & 0xffff) !== k.stack.selector || !k.stack.stand(cpu))
      return false;
    top = memory.read32(place) >>> 0;
    base = k.stack.base;
    limit = k.stack.limit;
  } else if (!isPlainStack(ss.access)) return false;
  const bytes = (inward ? 20 : 12) + (errorCode >= 0 ? 4 : 0);
  if (top < bytes || top - 1 > limit) return false;
  let at = hit(cpu, Word.write, (base + top - bytes) >>> 0, bytes, level === 3);
  if (at < 0) return false;

  const flags = getFlags(cpu);
  if (errorCode >= 0) {
    memory.put32(at, errorCode);
    at += 4;
  }
  memory.put32(at, returnEip);
  memory.put32(at + 4, segments[CS].selector);
  memory.put32(at + 8, fault ? flags | RF : flags);
  if (inward) {
    memory.put32(at + 12, cpu.regs[ESP]);
    memory.put32(at + 16, ss.selector);
    k.stack.load(ss, level);
  }
  cpu.regs[ESP] = top - bytes;
  cpu.shadow = 0;
  setFlags(cpu, flags & ~(TF | NT | RF | VM | (k.trap ? 0 : IF)));
  k.code.load(segments[CS], level);
  cpu.cpl = level;
  cpu.eip = k.eip;
  tlb.generation++;
  stopInMonitor(cpu);
  return true;
}

/**
 * Remembers a 32-bit IRET within protected mode that is being done the long way.
 * @param stack descriptor of the outer stack, null when the privilege stays
 */
export function learnReturn(cpu: Cpu, code: Descriptor, stack: Descriptor | null): void {
  if (!isGlobal(code.selector) || (stack !== null && !isGlobal(stack.selector))) return;
  if (stack !== null && !isPlainStack(stack.access)) return;
  const k = (cpu.known.returns[(code.selector >>> 3) & (RETURNS - 1)] ??= new KnownReturn());
  k.cpl = cpu.cpl;
  k.outward = stack !== null;
  k.gdtBase = cpu.gdtr.base;
  k.gdtLimit = cpu.gdtr.limit;
  k.code.learn(code.selector, code);
  if (stack !== null) k.stack.learn(stack.selector, stack);
}

/**
 * A 32-bit IRET the way it went last time: not from virtual-8086 mode and not to a previous task.
 * @param merge what of the popped image this privilege may change: EFLAGS from the old ones, the image and the CPL
 * @returns false when that cannot be done so, and then nothing has happened
 */
export function byKnownReturn(
  cpu: Cpu,
  flags: number,
  merge: (flags: number, image: number, cpl: number, wide: boolean) => number,
): boolean {
  const { segments, gdtr, tlb, memory, cpl } = cpu;
  const ss = segments[SS];
  if (!isPlainStack(ss.access)) return false;
  const esp = cpu.regs[ESP] >>> 0;
  if (esp + 11 > ss.limit) return false;
  const at = hit(cpu, Word.read, (ss.base + esp) >>> 0, 12, cpl === 3);
  if (at < 0) return false;
  const eip = memory.read32(at) >>> 0;
  const selector = memory.read32(at + 4) & 0xffff;
  const image = memory.read32(at + 8);
  const k = cpu.known.returns[(selector >>> 3) & (RETURNS - 1)];
  if (k === null || k.cpl !== cpl || k.code.selector !== selector || image & VM) return false;
  if (gdtr.base !== k.gdtBase || gdtr.limit !== k.gdtLimit) return false;
  if (eip > k.code.limit || !k.code.stand(cpu)) return false;
  const merged = merge(flags, image, cpl, true);
  if (merged & ~flags & AC) return false;
  if (k.outward) {
    if (esp + 19 > ss.limit || hit(cpu, Word.read, (ss.base + esp) >>> 0, 20, cpl === 3) < 0) return false;
    if ((memory.read32(at + 16) & 0xffff) !== k.stack.selector || !k.stack.stand(cpu)) return false;
    const rpl = selector & 3;
    cpu.regs[ESP] = memory.read32(at + 12);
    k.stack.load(ss, rpl);
    dropInner(segments[ES], rpl);
    dropInner(segments[DS], rpl);
    dropInner(segments[FS], rpl);
    dropInner(segments[GS], rpl);
  } else cpu.regs[ESP] = esp + 12;
  setFlags(cpu, merged);
  // An interrupt can have become due only when IF was clear before; a step or RF is for the careful loop.
  if (merged & (TF | RF) || merged & ~flags & IF) cpu.attention |= Attention.event;
  k.code.load(segments[CS], selector & 3);
  cpu.cpl = selector & 3;
  cpu.eip = eip;
  tlb.generation++;
  stopInMonitor(cpu);
  return true;
}

/** A data segment that the outer ring could not have loaded becomes null (SDM vol. 2A IRET). */
export function dropInner(s: SegmentRegister, level: number): void {
  const { access } = s;
  if ((access & 0x1c) !== 0x1c && ((access >>> 5) & 3) < level && !(access & 0x10000)) setNull(s);
}
