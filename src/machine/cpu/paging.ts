// Linear to physical addresses as a processor remembers them: the TLB in front of the page walk, and what drops its
// entries (SDM vol. 3 §4.6, §4.10). Rings 0, 1 and 2 are all "supervisor" here.
import type { Cpu } from './cpu.ts';
import { watchesPage } from './debug.ts';
import { PageFault, pageFault } from './fault.ts';
import { AC } from './flags.ts';
import { REFUSED, UNKNOWN } from './guest-physical.ts';
import {
  allowed,
  CR0_PG,
  CR0_WP,
  CR4_PAE,
  CR4_PGE,
  denied,
  Pte,
  peekTables,
  rightsOf,
  tryWalk,
  walk,
  walked,
} from './page-walk.ts';
import { Right, Word } from './tlb.ts';

export const CR0_AM = 1 << 18;

/**
 * Physical address (uint32) of a linear address, through the TLB; walks and fills on a miss. Raises #PF.
 * Crossing into the next page is the caller's business.
 */
export function translate(cpu: Cpu, linear: number, write: boolean, user: boolean): number {
  const { tlb } = cpu;
  if (!tlb.has(linear, write ? Word.write : Word.read, user)) {
    const error = tryTranslate(cpu, linear, write, user);
    if (error >= 0) {
      tlb.invalidate(linear);
      pageFault(cpu, linear, error);
    }
  }
  return tlb.physical(linear) >>> 0;
}

/**
 * As `translate`, when there is no fast tag, and raises no #PF of the guest's own tables.
 * @returns -1, or the error code of the #PF: what the TLB has of the page is then to be forgotten
 */
export function tryTranslate(cpu: Cpu, linear: number, write: boolean, user: boolean): number {
  const { tlb } = cpu;
  const page = linear >>> 12;
  const rights = tlb.rightsOf(page);
  // A stale entry denies as a fresh one does; the fault throws it out, so a second try sees the tables (SDM vol. 3 §4.10.4.3).
  if (rights >= 0 && !allowed(cpu, rights, write, user))
    return PageFault.present | (write ? PageFault.write : 0) | (user ? PageFault.user : 0);
  if (rights < 0 && refill(cpu, linear, write, user)) {
    // Done: the usual miss.
  } else if (rights < 0 || (write && !(rights & Right.dirty))) {
    const error = tryWalk(cpu, linear, write, user, false);
    if (error >= 0) return error;
    tlb.insert(page, walked.frame, walked.rights);
  }
  tagIfPlain(cpu, linear, write, user);
  return -1;
}

/** As `tryTranslate` where that is the usual miss. @returns false when it is not, and then nothing has happened */
export function refilled(cpu: Cpu, linear: number, write: boolean, user: boolean): boolean {
  if (cpu.tlb.rightsOf(linear >>> 12) >= 0 || !refill(cpu, linear, write, user)) return false;
  tagIfPlain(cpu, linear, write, user);
  return true;
}

/** Gives a page that is remembered the tag for an access that is allowed. @returns whether that was the usual one */
export function tagIfPlain(cpu: Cpu, linear: number, write: boolean, user: boolean): boolean {
  const { tlb } = cpu;
  const physical = tlb.physical(linear) >>> 0;
  // Pages without memory behind them (devices, or nobody), those with a data breakpoint and those of a program whose
  // alignment is checked stay on this path: a fast hit needs no such check.
  const special = (cpu.dr[7] & 0xff && watchesPage(cpu, linear >>> 12)) || (user && checksAlignment(cpu));
  const plain = cpu.memory.isPlain(physical) && !special;
  // Stores into a page with code must be seen, so it has tags of another kind for them.
  if (!plain) return false;
  const word = !write ? Word.read : cpu.memory.hasCode[physical >>> 12] ? Word.beside : Word.write;
  tlb.tag(linear, word, user);
  return word !== Word.beside;
}

export const PLAIN_MISS = Pte.present | Pte.accessed;

/** Whether page walks are of two levels, and in one dimension: those that the usual miss needs. */
export function walksPlainly({ nested, cr0, cr4, a20Mask }: Cpu): boolean {
  return nested === null && (cr0 & CR0_PG) !== 0 && (cr4 & CR4_PAE) === 0 && a20Mask === 0xffffffff;
}

/** What the usual miss has found: `Right` bits, and the cycles of its walk. */
const miss = { rights: 0, cycles: 0 };

/**
 * The usual miss: two levels, both entries present, accessed and (for a store) dirty, and allowing it without more ado; with
 * nested paging, all of the second dimension remembered. Changes nothing.
 * @returns the physical page address (int32); -1 when it is not that one
 */
export function usualMiss(cpu: Cpu, linear: number, write: boolean, user: boolean, fetch = false): number {
  const reference = cpu.cost.charges.pageWalkReference.cycles;
  const { nested } = cpu;
  if (nested !== null) {
    const { foreseen } = nested;
    const frame = nested.foresee(cpu, linear, write, user, fetch);
    if (frame === UNKNOWN || frame === REFUSED || foreseen.marks) return -1;
    miss.rights = foreseen.rights;
    miss.cycles = 2 * reference + foreseen.cycles;
    return frame;
  }
  if (!walksPlainly(cpu)) return -1;
  const { memory } = cpu;
  const pde = memory.read32(((cpu.cr3 & 0xfffff000) | ((linear >>> 20) & 0xffc)) >>> 0);
  if ((pde & (PLAIN_MISS | Pte.large)) !== PLAIN_MISS) return -1;
  const pte = memory.read32(((pde & 0xfffff000) | ((linear >>> 10) & 0xffc)) >>> 0);
  const both = pde & pte;
  const needed = (user ? Pte.user : 0) | (write ? Pte.write : 0);
  if ((pte & PLAIN_MISS) !== PLAIN_MISS || (both & needed) !== needed || (write && !(pte & Pte.dirty)))
    return -1;
  const isGlobal = pte & Pte.global && cpu.cr4 & CR4_PGE;
  miss.rights = rightsOf(both) | (pte & Pte.dirty ? Right.dirty : 0) | (isGlobal ? Right.global : 0);
  miss.cycles = 2 * reference;
  return pte & 0xfffff000;
}

/** Makes the entry for the usual miss that has just been found at `frame`. */
export function takeMiss(cpu: Cpu, linear: number, frame: number): void {
  cpu.cycles += miss.cycles;
  cpu.tlb.insert(linear >>> 12, frame, miss.rights);
}

/** Does the usual miss. @returns false when it is not that one, and then nothing has happened */
function refill(cpu: Cpu, linear: number, write: boolean, user: boolean): boolean {
  const frame = usualMiss(cpu, linear, write, user);
  if (frame === -1) return false;
  takeMiss(cpu, linear, frame);
  return true;
}

/** As `refilled`, for a fetch from a page that is to lie where it is known to. @param frame physical page address (int32) */
export function refetched(cpu: Cpu, linear: number, frame: number, user: boolean): boolean {
  if (usualMiss(cpu, linear, false, user, true) !== frame) return false;
  cpu.cycles += miss.cycles;
  cpu.tlb.insertCode(linear >>> 12, frame, miss.rights);
  return true;
}

/** As `translate`, for instruction fetch at the current privilege. */
export function translateFetch(cpu: Cpu, linear: number): number {
  const { tlb } = cpu;
  const page = linear >>> 12;
  const user = cpu.cpl === 3;
  let entry = tlb.codeOf(page);
  if (entry === -1) {
    walk(cpu, linear, false, user, true);
    tlb.insertCode(page, walked.frame, walked.rights);
    entry = walked.frame | walked.rights;
  } else if (!allowed(cpu, entry, false, user)) denied(cpu, linear, false, user);
  return ((entry & 0xfffff000) | (linear & 0xfff)) >>> 0;
}

/**
 * Where a linear address leads, as the page tables (not the TLB) say now: no fault, no accessed bit, no cycle.
 * @returns physical address, or -1 when not mapped
 */
export function peek(cpu: Cpu, linear: number): number {
  if (cpu.nested !== null) return cpu.nested.peek(cpu, linear);
  return cpu.cr0 & CR0_PG ? peekTables(cpu, linear) : (linear & cpu.a20Mask) >>> 0;
}

/** Invalidates what CR3 loads invalidate, and charges it. */
export function flushForCr3(cpu: Cpu): void {
  cpu.tlb.flushNonGlobal();
  cpu.cycles += cpu.cost.charges.tlbFlush.cycles;
}

/** Drops all entries when the board has moved the A20 gate since they were made. Called after port writes and on entry to `run`. */
export function syncA20(cpu: Cpu): void {
  if (cpu.tlb.a20Mask === cpu.a20Mask) return;
  cpu.tlb.a20Mask = cpu.a20Mask;
  cpu.tlb.flushAll();
}

/**
 * What the fast tags of the TLB hang on beside its entries: the same number, the same tags would be made. For whoever switches
 * address spaces without a flush. @returns -1 where there is too much of it
 */
export function tagMode(cpu: Cpu): number {
  return (cpu.dr[7] & 0xff) !== 0 || checksAlignment(cpu) ? -1 : cpu.cr0 & CR0_WP;
}

/** CR0.AM and EFLAGS.AC: a misaligned operand of ring 3 raises #AC (SDM vol. 3 §6.15 "Interrupt 17"). */
export function checksAlignment(cpu: Cpu): boolean {
  return (cpu.cr0 & CR0_AM) !== 0 && (cpu.flags & AC) !== 0;
}
