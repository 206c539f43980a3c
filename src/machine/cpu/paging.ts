// Linear to physical addresses: 32-bit paging with 4 KiB and 4 MiB pages, accessed and dirty bits, U/S and R/W with
// CR0.WP, global pages (SDM vol. 3 §4.3, §4.6–4.8, §4.10). Rings 0, 1 and 2 are all "supervisor" here.
import type { Cpu } from './cpu.ts';
import { watchesPage } from './debug.ts';
import { PageFault, pageFault } from './fault.ts';
import { Right, TLB_SIZE, tlbSlot } from './tlb.ts';

export const CR0_WP = 1 << 16;
export const CR0_PG = 1 << 31;
export const CR4_PSE = 1 << 4;
export const CR4_PGE = 1 << 7;

/** Bits of a page-directory or page-table entry (SDM vol. 3 tables 4-4 to 4-6). */
export const Pte = {
  present: 1,
  write: 2,
  user: 4,
  accessed: 0x20,
  dirty: 0x40,
  large: 0x80,
  global: 0x100,
} as const;

/**
 * Physical address (uint32) of a linear address, through the TLB; walks and fills on a miss. Raises #PF.
 * Crossing into the next page is the caller's business.
 */
export function translate(cpu: Cpu, linear: number, write: boolean, user: boolean): number {
  const tlb = cpu.tlb;
  const page = linear >>> 12;
  const slot = tlbSlot(page);
  const tags = write ? tlb.write : tlb.read;
  if (tags[user ? slot + TLB_SIZE : slot] === page) return tlb.frame[slot] | (linear & 0xfff);
  if (tlb.page[slot] !== page) fill(cpu, linear, write, user);
  else if (!allowed(cpu, tlb.rights[slot], write, user)) {
    // A stale entry denies as a fresh one does; the fault throws it out, so a second try sees the tables (SDM vol. 3 §4.10.4.3).
    denied(cpu, linear, write, user);
  } else if (write && !(tlb.rights[slot] & Right.dirty)) fill(cpu, linear, true, user);
  const frame = tlb.frame[slot] >>> 0;
  // Pages without memory behind them, and those with a data breakpoint, stay on this path: a fast hit needs no such check.
  const plain = frame < cpu.memory.size && !(cpu.dr[7] & 0xff && watchesPage(cpu, page));
  if (plain) tags[user ? slot + TLB_SIZE : slot] = page;
  return (frame | (linear & 0xfff)) >>> 0;
}

/**
 * Where a linear address leads, as the page tables (not the TLB) say now: no fault, no accessed bit, no cycle.
 * @returns physical address, or -1 when not mapped
 */
export function peek(cpu: Cpu, linear: number): number {
  if (!(cpu.cr0 & CR0_PG)) return (linear & cpu.a20Mask) >>> 0;
  const pde = cpu.memory.read32(((cpu.cr3 & 0xfffff000) >>> 0) + (linear >>> 22) * 4);
  if (!(pde & Pte.present)) return -1;
  if (pde & Pte.large && cpu.cr4 & CR4_PSE)
    return (((pde & 0xffc00000) | (linear & 0x3fffff)) & cpu.a20Mask) >>> 0;
  const pte = cpu.memory.read32(((pde & 0xfffff000) >>> 0) + ((linear >>> 12) & 0x3ff) * 4);
  if (!(pte & Pte.present)) return -1;
  return (((pte & 0xfffff000) | (linear & 0xfff)) & cpu.a20Mask) >>> 0;
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
  cpu.tlb.flush();
}

function code(write: boolean, user: boolean): number {
  return (write ? PageFault.write : 0) | (user ? PageFault.user : 0);
}

function allowed(cpu: Cpu, rights: number, write: boolean, user: boolean): boolean {
  if (user && !(rights & Right.user)) return false;
  return !write || (rights & Right.write) !== 0 || (!user && !(cpu.cr0 & CR0_WP));
}

/** Walks the tables, sets accessed and dirty bits and puts the translation into the TLB. Raises #PF, then nothing is changed. */
function fill(cpu: Cpu, linear: number, write: boolean, user: boolean): void {
  const { tlb, memory, a20Mask } = cpu;
  const page = linear >>> 12;
  if (!(cpu.cr0 & CR0_PG)) {
    tlb.insert(page, (page << 12) & a20Mask, Right.user | Right.write | Right.dirty);
    return;
  }
  const reference = cpu.cost.charges.pageWalkReference.cycles;
  const pdeAddress = (((cpu.cr3 & 0xfffff000) | ((linear >>> 20) & 0xffc)) & a20Mask) >>> 0;
  const pde = memory.read32(pdeAddress);
  cpu.cycles += reference;
  if (!(pde & Pte.present)) notPresent(cpu, linear, write, user);
  if (pde & Pte.large && cpu.cr4 & CR4_PSE) {
    let rights = Right.large | (pde & Pte.user ? Right.user : 0) | (pde & Pte.write ? Right.write : 0);
    if (!allowed(cpu, rights, write, user)) denied(cpu, linear, write, user);
    mark(cpu, pdeAddress, pde, Pte.accessed | (write ? Pte.dirty : 0));
    if (write || pde & Pte.dirty) rights |= Right.dirty;
    if (pde & Pte.global && cpu.cr4 & CR4_PGE) rights |= Right.global;
    tlb.insert(page, ((pde & 0xffc00000) | (linear & 0x3ff000)) & a20Mask, rights);
    return;
  }
  const pteAddress = (((pde & 0xfffff000) | ((linear >>> 10) & 0xffc)) & a20Mask) >>> 0;
  const pte = memory.read32(pteAddress);
  cpu.cycles += reference;
  if (!(pte & Pte.present)) notPresent(cpu, linear, write, user);
  let rights = (pde & pte & Pte.user ? Right.user : 0) | (pde & pte & Pte.write ? Right.write : 0);
  if (!allowed(cpu, rights, write, user)) denied(cpu, linear, write, user);
  mark(cpu, pdeAddress, pde, Pte.accessed);
  mark(cpu, pteAddress, pte, Pte.accessed | (write ? Pte.dirty : 0));
  if (write || pte & Pte.dirty) rights |= Right.dirty;
  if (pte & Pte.global && cpu.cr4 & CR4_PGE) rights |= Right.global;
  tlb.insert(page, pte & 0xfffff000 & a20Mask, rights);
}

function mark(cpu: Cpu, address: number, entry: number, bits: number): void {
  if ((entry & bits) !== bits) cpu.memory.write32(address, entry | bits);
}

function notPresent(cpu: Cpu, linear: number, write: boolean, user: boolean): never {
  cpu.tlb.invalidate(linear);
  pageFault(cpu, linear, code(write, user));
}

function denied(cpu: Cpu, linear: number, write: boolean, user: boolean): never {
  cpu.tlb.invalidate(linear);
  pageFault(cpu, linear, PageFault.present | code(write, user));
}
