// Linear to physical addresses: 32-bit paging with 4 KiB and 4 MiB pages, accessed and dirty bits, U/S and R/W with
// CR0.WP, global pages (SDM vol. 3 §4.3, §4.6–4.8, §4.10). Rings 0, 1 and 2 are all "supervisor" here.
import type { Cpu } from './cpu.ts';
import { watchesPage } from './debug.ts';
import { PageFault, pageFault } from './fault.ts';
import { AC } from './flags.ts';
import { Right, TLB_SIZE, tlbSlot } from './tlb.ts';

export const CR0_WP = 1 << 16;
export const CR0_AM = 1 << 18;
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
  // Pages without memory behind them, those with a data breakpoint and those of a program whose
  // alignment is checked stay on this path: a fast hit needs no such check.
  const special = (cpu.dr[7] & 0xff && watchesPage(cpu, page)) || (user && checksAlignment(cpu));
  const plain = frame < cpu.memory.size && !special;
  if (plain) tags[user ? slot + TLB_SIZE : slot] = page;
  return (frame | (linear & 0xfff)) >>> 0;
}

/** As `translate`, for instruction fetch at the current privilege. */
export function translateFetch(cpu: Cpu, linear: number): number {
  const { tlb } = cpu;
  const page = linear >>> 12;
  const user = cpu.cpl === 3;
  let entry = tlb.code.get(page);
  if (entry === undefined) {
    walk(cpu, linear, false, user);
    tlb.insertCode(page, walkedFrame, walkedRights);
    entry = walkedFrame | walkedRights;
  } else if (!allowed(cpu, entry, false, user)) denied(cpu, linear, false, user);
  return ((entry & 0xfffff000) | (linear & 0xfff)) >>> 0;
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

/** CR0.AM and EFLAGS.AC: a misaligned operand of ring 3 raises #AC (SDM vol. 3 §6.15 "Interrupt 17"). */
export function checksAlignment(cpu: Cpu): boolean {
  return (cpu.cr0 & CR0_AM) !== 0 && (cpu.flags & AC) !== 0;
}

function code(write: boolean, user: boolean): number {
  return (write ? PageFault.write : 0) | (user ? PageFault.user : 0);
}

function allowed(cpu: Cpu, rights: number, write: boolean, user: boolean): boolean {
  if (user && !(rights & Right.user)) return false;
  return !write || (rights & Right.write) !== 0 || (!user && !(cpu.cr0 & CR0_WP));
}

function fill(cpu: Cpu, linear: number, write: boolean, user: boolean): void {
  walk(cpu, linear, write, user);
  cpu.tlb.insert(linear >>> 12, walkedFrame, walkedRights);
}

/** What `walk` found: physical page address (int32) and `Right` bits. */
let walkedFrame = 0;
let walkedRights = 0;

/** Walks the tables and sets accessed and dirty bits. Raises #PF, then nothing is changed. */
function walk(cpu: Cpu, linear: number, write: boolean, user: boolean): void {
  const { memory, a20Mask } = cpu;
  if (!(cpu.cr0 & CR0_PG)) {
    walkedFrame = linear & 0xfffff000 & a20Mask;
    walkedRights = Right.user | Right.write | Right.dirty;
    return;
  }
  const reference = cpu.cost.charges.pageWalkReference.cycles;
  const pdeAddress = (((cpu.cr3 & 0xfffff000) | ((linear >>> 20) & 0xffc)) & a20Mask) >>> 0;
  const pde = memory.read32(pdeAddress);
  cpu.cycles += reference;
  if (!(pde & Pte.present)) notPresent(cpu, linear, write, user);
  let last = pde;
  let lastAddress = pdeAddress;
  let rights = 0;
  const large = pde & Pte.large && cpu.cr4 & CR4_PSE;
  if (large) {
    rights = Right.large | (pde & Pte.user ? Right.user : 0) | (pde & Pte.write ? Right.write : 0);
    walkedFrame = ((pde & 0xffc00000) | (linear & 0x3ff000)) & a20Mask;
  } else {
    lastAddress = (((pde & 0xfffff000) | ((linear >>> 10) & 0xffc)) & a20Mask) >>> 0;
    last = memory.read32(lastAddress);
    cpu.cycles += reference;
    if (!(last & Pte.present)) notPresent(cpu, linear, write, user);
    rights = (pde & last & Pte.user ? Right.user : 0) | (pde & last & Pte.write ? Right.write : 0);
    walkedFrame = last & 0xfffff000 & a20Mask;
  }
  if (!allowed(cpu, rights, write, user)) denied(cpu, linear, write, user);
  if (!large) mark(cpu, pdeAddress, pde, Pte.accessed);
  mark(cpu, lastAddress, last, Pte.accessed | (write ? Pte.dirty : 0));
  if (write || last & Pte.dirty) rights |= Right.dirty;
  if (last & Pte.global && cpu.cr4 & CR4_PGE) rights |= Right.global;
  walkedRights = rights;
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
