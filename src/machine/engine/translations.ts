// Address translation in the middle of compiled code: page walks where a region misses the TLB again and again, MOV CR3, INVLPG.
// As the interpreter would do them, at the same cycle, and with the same effect on the TLB; what may fault is left to it.

import type { Cpu } from '../cpu/cpu.ts';
import { DR7_ENABLES } from '../cpu/debug.ts';
import { writeCr3 } from '../cpu/executors/control-registers.ts';
import { allowed, CR0_PG, CR4_PAE, isDenied } from '../cpu/page-walk.ts';
import { peek, refetched, tagIfPlain, takeMiss, tryTranslate, usualMiss } from '../cpu/paging.ts';
import { Access } from '../cpu/segmentation.ts';
import { Right, Word } from '../cpu/tlb.ts';
import { CS } from '../isa/instruction.ts';
import type { Links } from './links.ts';
import { State } from './state.ts';

const PAGE = 4096;

/** A region calls these only with more budget than this beyond what it may run without looking: no walk costs as much. */
export const COMFORT = 4096;

/** @param left cycle budget left behind the instruction @param what bit 0 a store, above its size in bytes less one @returns 1 when the TLB has the tag now */
export type PageWalk = (left: number, linear: number, what: number) => number;
/** @param next EIP behind the instruction @param length of it @returns -1 when nothing has happened: it is for the interpreter */
export type LoadCr3 = (left: number, next: number, length: number, value: number) => number;

/** Where another miss than the usual one will lead, as far as can be told; negative: to a fault, or out of the guest. */
function outcomeOf(cpu: Cpu, linear: number, write: boolean, user: boolean): number {
  return cpu.nested === null ? peek(cpu, linear) : cpu.nested.foresee(cpu, linear, write, user);
}

/** Walks for operands of a processor's regions. The charge is in the state's words. */
export function pageWalkOf(cpu: Cpu, links: Links): PageWalk {
  const state = cpu.compiledState;
  return (left, linear, what) => {
    state[State.charge] = 0;
    const write = (what & 1) !== 0;
    const user = (state[State.stamp] & 3) === 3;
    if (cpu.dr[7] & DR7_ENABLES || cpu.cr4 & CR4_PAE) return 0;
    if ((linear & (PAGE - 1)) + (what >> 1) >= PAGE) return 0;
    const { tlb } = cpu;
    const at = linear >>> 0;
    const rights = tlb.rightsOf(at >>> 12);
    if (rights >= 0) {
      // Remembered, and lacks the tag alone.
      if (!allowed(cpu, rights, write, user) || (write && !(rights & Right.dirty))) return 0;
      return tagIfPlain(cpu, at, write, user) ? 1 : 0;
    }
    const frame = usualMiss(cpu, at, write, user);
    // A walk that gives no tag would throw out an entry that the interpreter still has when it does the instruction.
    const physical = frame === -1 ? outcomeOf(cpu, at, write, user) : frame >>> 0;
    if (physical < 0 || !cpu.memory.isPlain(physical) || (write && cpu.memory.hasCode[physical >>> 12]))
      return 0;
    const { cycles } = cpu;
    if (frame !== -1) {
      takeMiss(cpu, at, frame);
      state[State.charge] = cpu.cycles - cycles;
      cpu.cycles = cycles;
      return tagIfPlain(cpu, at, write, user) ? 1 : 0;
    }
    const { touched } = cpu.memory;
    const now = links.start + links.budget - left;
    cpu.cycles = now;
    const done = !isDenied(cpu, at, write, user) && tryTranslate(cpu, at, write, user) < 0;
    if (done) state[State.charge] = cpu.cycles - now;
    cpu.cycles = cycles;
    // An accessed or dirty bit may lie in the code that would go on.
    if (cpu.memory.touched !== touched) return 0;
    return done && tlb.has(linear, write ? Word.write : Word.read, user) ? 1 : 0;
  };
}

/** Loads of CR3 by a processor's regions, which go on behind it when their own page is still where it was. */
export function loadCr3Of(cpu: Cpu, links: Links): LoadCr3 {
  const state = cpu.compiledState;
  return (left, next, length, value) => {
    state[State.charge] = 0;
    if (!(cpu.cr0 & CR0_PG) || cpu.cr4 & CR4_PAE) return -1;
    links.tell();
    links.settle();
    const { cycles } = cpu;
    const now = links.start + links.budget - left;
    const linear = (cpu.segments[CS].base + next) >>> 0;
    const frame = cpu.tlb.codeOf(linear >>> 12) & -PAGE;
    cpu.cycles = now;
    cpu.instructionStart = (next - length) >>> 0;
    cpu.eip = next >>> 0;
    writeCr3(cpu, value);
    const quiet = (cpu.stop | cpu.attention | cpu.shadow) === 0;
    // The next instruction is fetched: where it was, for anything else is the interpreter's.
    const stays =
      quiet &&
      next >>> 0 <= cpu.segments[CS].limit &&
      links.start + links.budget - cpu.cycles > COMFORT &&
      (cpu.segments[CS].access & Access.big) !== 0 &&
      (cpu.tlb.codeOf(linear >>> 12) === -1
        ? refetched(cpu, linear, frame, cpu.cpl === 3)
        : cpu.nested === null &&
          (peek(cpu, linear) & -PAGE) === frame &&
          !isDenied(cpu, linear, false, cpu.cpl === 3));
    state[State.disturbed] = stays ? 0 : 1;
    state[State.charge] = cpu.cycles - now;
    state[State.space] = cpu.tlb.space;
    cpu.cycles = cycles;
    state[State.cr3] = cpu.cr3;
    links.renew();
    return 0;
  };
}

/** @returns nothing of use */
export type Invalidate = (linear: number) => number;

/** INVLPG in a processor's regions, which go on behind it unless that was a page with code. */
export function invalidateOf(cpu: Cpu): Invalidate {
  const state = cpu.compiledState;
  const { tlb } = cpu;
  return (linear) => {
    const { translations } = tlb;
    tlb.invalidate(linear >>> 0);
    state[State.disturbed] = tlb.translations === translations ? 0 : 1;
    return 0;
  };
}
