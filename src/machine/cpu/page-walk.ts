// The page tables as the processor reads them: 32-bit paging with 4 KiB and 4 MiB pages, PAE with 4 KiB and 2 MiB pages;
// U/S and R/W with CR0.WP, reserved bits, accessed and dirty bits (SDM vol. 3 §4.3, §4.4, §4.6–4.8). There is no
// execute-disable, no PSE-36 and no PAT. The four PDPTEs lie in the processor and are read only when SDM §4.4.1 says so.
import type { Cpu } from './cpu.ts';
import { fault, PageFault, pageFault, VECTOR } from './fault.ts';
import { REFUSED } from './guest-physical.ts';
import { Right } from './tlb.ts';

export const CR0_WP = 1 << 16;
export const CR0_PG = 1 << 31;
export const CR4_PSE = 1 << 4;
export const CR4_PAE = 1 << 5;
export const CR4_PGE = 1 << 7;

/** Bits of the low word of a paging-structure entry (SDM vol. 3 tables 4-4 to 4-6, 4-8 to 4-11). */
export const Pte = {
  present: 1,
  write: 2,
  user: 4,
  accessed: 0x20,
  dirty: 0x40,
  large: 0x80,
  global: 0x100,
} as const;

/** Reserved in an entry that maps 4 MiB: what PSE-36 would use. In one that maps 2 MiB: the bits below its address. */
export const LARGE_4M_RESERVED = 0x3fe000;
export const LARGE_2M_RESERVED = 0x1fe000;
/** Physical addresses have 36 bits; execute-disable (bit 63) is not there either. */
export const HIGH_RESERVED = 0xfffffff0;
export const PDPTE_RESERVED = 0x1e6;
/** Stands for every page above 4 GiB: behind the largest memory and below every device, so nobody answers. */
const NOWHERE = 0x7ffff000;

export const RESERVED = PageFault.present | PageFault.reserved;

/** What `walk` found: physical page address (int32) and `Right` bits. */
export const walked = { frame: 0, rights: 0 };

export function allowed(cpu: Cpu, rights: number, write: boolean, user: boolean): boolean {
  if (user && !(rights & Right.user)) return false;
  return !write || (rights & Right.write) !== 0 || (!user && !(cpu.cr0 & CR0_WP));
}

/** What an entry, or two of them together, give: `Right` bits. */
export function rightsOf(entry: number): number {
  return (entry & Pte.user ? Right.user : 0) | (entry & Pte.write ? Right.write : 0);
}

/**
 * Walks the tables and sets accessed and dirty bits. Raises #PF, then nothing is changed.
 * @param fetch for an instruction: only a second dimension asks
 */
export function walk(cpu: Cpu, linear: number, write: boolean, user: boolean, fetch: boolean): void {
  const error = tryWalk(cpu, linear, write, user, fetch);
  if (error < 0) return;
  cpu.tlb.invalidate(linear);
  pageFault(cpu, linear, error);
}

/**
 * As `walk`, but raises no #PF and forgets nothing.
 * @returns -1, or the error code of the #PF
 */
export function tryWalk(cpu: Cpu, linear: number, write: boolean, user: boolean, fetch: boolean): number {
  if (cpu.nested !== null) return cpu.nested.tryWalk(cpu, linear, write, user, fetch);
  if (cpu.cr0 & CR0_PG)
    return cpu.cr4 & CR4_PAE ? walkPae(cpu, linear, write, user) : walkTwoLevels(cpu, linear, write, user);
  walked.frame = linear & 0xfffff000 & cpu.a20Mask;
  walked.rights = Right.user | Right.write | Right.dirty;
  return -1;
}

function walkTwoLevels(cpu: Cpu, linear: number, write: boolean, user: boolean): number {
  const { memory, a20Mask } = cpu;
  const reference = cpu.cost.charges.pageWalkReference.cycles;
  const pdeAddress = (((cpu.cr3 & 0xfffff000) | ((linear >>> 20) & 0xffc)) & a20Mask) >>> 0;
  const pde = memory.read32(pdeAddress);
  cpu.cycles += reference;
  if (!(pde & Pte.present)) return faultCode(write, user);
  if (pde & Pte.large && cpu.cr4 & CR4_PSE) {
    if (pde & LARGE_4M_RESERVED) return RESERVED | faultCode(write, user);
    const error = finish(cpu, write, user, -1, 0, pdeAddress, pde, pde);
    walked.rights |= Right.large;
    walked.frame = ((pde & 0xffc00000) | (linear & 0x3ff000)) & a20Mask;
    return error;
  }
  const pteAddress = (((pde & 0xfffff000) | ((linear >>> 10) & 0xffc)) & a20Mask) >>> 0;
  const pte = memory.read32(pteAddress);
  cpu.cycles += reference;
  if (!(pte & Pte.present)) return faultCode(write, user);
  const error = finish(cpu, write, user, pdeAddress, pde, pteAddress, pte, pde & pte);
  walked.frame = pte & 0xfffff000 & a20Mask;
  return error;
}

function walkPae(cpu: Cpu, linear: number, write: boolean, user: boolean): number {
  const { memory, a20Mask } = cpu;
  const reference = cpu.cost.charges.pageWalkReference.cycles;
  const directory = (linear >>> 30) * 2;
  const pdpte = cpu.pdptes[directory];
  if (!(pdpte & Pte.present)) return faultCode(write, user);
  const pdeAddress = entryAddress(pdpte, cpu.pdptes[directory + 1], (linear >>> 18) & 0xff8, a20Mask);
  const pde = memory.read32(pdeAddress);
  const pdeHigh = memory.read32(pdeAddress + 4);
  cpu.cycles += reference;
  if (!(pde & Pte.present)) return faultCode(write, user);
  if (pdeHigh & HIGH_RESERVED || (pde & Pte.large && pde & LARGE_2M_RESERVED))
    return RESERVED | faultCode(write, user);
  if (pde & Pte.large) {
    const error = finish(cpu, write, user, -1, 0, pdeAddress, pde, pde);
    walked.rights |= Right.large;
    walked.frame = pdeHigh ? NOWHERE : ((pde & 0xffe00000) | (linear & 0x1ff000)) & a20Mask;
    return error;
  }
  const pteAddress = entryAddress(pde, pdeHigh, (linear >>> 9) & 0xff8, a20Mask);
  const pte = memory.read32(pteAddress);
  const pteHigh = memory.read32(pteAddress + 4);
  cpu.cycles += reference;
  if (!(pte & Pte.present)) return faultCode(write, user);
  if (pteHigh & HIGH_RESERVED) return RESERVED | faultCode(write, user);
  const error = finish(cpu, write, user, pdeAddress, pde, pteAddress, pte, pde & pte);
  walked.frame = pteHigh ? NOWHERE : pte & 0xfffff000 & a20Mask;
  return error;
}

/** Address of an entry in the PAE table that another entry names. */
function entryAddress(low: number, high: number, offset: number, a20Mask: number): number {
  return (((high ? NOWHERE : low & 0xfffff000) | offset) & a20Mask) >>> 0;
}

/**
 * Rights of both entries together, then the accessed and dirty bits.
 * @param upper address of the PDE above, -1 for none
 * @returns -1, or the error code of the #PF
 */
function finish(
  cpu: Cpu,
  write: boolean,
  user: boolean,
  upper: number,
  upperEntry: number,
  address: number,
  entry: number,
  both: number,
): number {
  let rights = rightsOf(both);
  if (!allowed(cpu, rights, write, user)) return PageFault.present | faultCode(write, user);
  if (upper >= 0) mark(cpu, upper, upperEntry, Pte.accessed);
  mark(cpu, address, entry, Pte.accessed | (write ? Pte.dirty : 0));
  if (write || entry & Pte.dirty) rights |= Right.dirty;
  if (entry & Pte.global && cpu.cr4 & CR4_PGE) rights |= Right.global;
  walked.rights = rights;
  return -1;
}

function mark(cpu: Cpu, address: number, entry: number, bits: number): void {
  if ((entry & bits) !== bits) cpu.memory.write32(address, entry | bits);
}

/** What of an access is in the error code of its #PF. */
export function faultCode(write: boolean, user: boolean): number {
  return (write ? PageFault.write : 0) | (user ? PageFault.user : 0);
}

/** Raises the #PF of a page that is there but may not be touched so. */
export function denied(cpu: Cpu, linear: number, write: boolean, user: boolean): never {
  cpu.tlb.invalidate(linear);
  pageFault(cpu, linear, PageFault.present | faultCode(write, user));
}

/**
 * Reads the four page-directory-pointer entries that a value of CR3 names (SDM vol. 3 §4.4.1). Raises #GP(0) when one that
 * is present has a reserved bit, and then none is taken.
 */
export function loadPdptes(cpu: Cpu, cr3: number): void {
  if (cpu.nested !== null) {
    cpu.nested.loadPdptes(cpu, cr3);
    return;
  }
  const table = (cr3 & 0xffffffe0 & cpu.a20Mask) >>> 0;
  for (let n = 0; n < 4; n++) {
    const low = cpu.memory.read32(table + n * 8);
    const high = cpu.memory.read32(table + n * 8 + 4);
    if (low & Pte.present && (low & PDPTE_RESERVED || high & HIGH_RESERVED)) fault(cpu, VECTOR.GP, 0);
  }
  for (let n = 0; n < 8; n++) cpu.pdptes[n] = cpu.memory.read32(table + n * 4);
}

/** Physical address behind a linear one as the tables say now, or -1. No fault, no accessed bit, no cycle: for looking. */
export function peekTables(cpu: Cpu, linear: number): number {
  const { memory, a20Mask } = cpu;
  const pae = (cpu.cr4 & CR4_PAE) !== 0;
  let pde: number;
  if (pae) {
    const directory = (linear >>> 30) * 2;
    if (!(cpu.pdptes[directory] & Pte.present) || cpu.pdptes[directory + 1]) return -1;
    const address = entryAddress(cpu.pdptes[directory], 0, (linear >>> 18) & 0xff8, a20Mask);
    pde = memory.read32(address + 4) ? 0 : memory.read32(address);
  } else pde = memory.read32(((cpu.cr3 & 0xfffff000) >>> 0) + (linear >>> 22) * 4);
  if (!(pde & Pte.present)) return -1;
  if (pde & Pte.large && (pae || cpu.cr4 & CR4_PSE)) {
    const offset = pae ? 0x1fffff : 0x3fffff;
    return (((pde & ~offset) | (linear & offset)) & a20Mask) >>> 0;
  }
  const at = pae ? (linear >>> 9) & 0xff8 : (linear >>> 10) & 0xffc;
  const pteAddress = ((pde & 0xfffff000) | at) >>> 0;
  const pte = pae && memory.read32(pteAddress + 4) ? 0 : memory.read32(pteAddress);
  return pte & Pte.present ? (((pte & 0xfffff000) | (linear & 0xfff)) & a20Mask) >>> 0 : -1;
}

/**
 * True when an access is sure to raise #PF, by what the TLB has of the page, or else the tables: nothing is charged, marked
 * or remembered. False is no promise: three levels and reserved bits are not looked at.
 */
export function isDenied(cpu: Cpu, linear: number, write: boolean, user: boolean): boolean {
  const rights = cpu.tlb.rightsOf(linear >>> 12);
  if (rights >= 0) return !allowed(cpu, rights, write, user);
  if (cpu.nested !== null) return cpu.nested.foresee(cpu, linear, write, user) === REFUSED;
  if (!(cpu.cr0 & CR0_PG) || cpu.cr4 & CR4_PAE) return false;
  const { memory } = cpu;
  const pde = memory.read32(((cpu.cr3 & 0xfffff000) >>> 0) + (linear >>> 22) * 4);
  if (!(pde & Pte.present)) return true;
  const large = pde & Pte.large && cpu.cr4 & CR4_PSE;
  const pte = large ? pde : memory.read32(((pde & 0xfffff000) | ((linear >>> 10) & 0xffc)) >>> 0);
  if (!(pte & Pte.present)) return true;
  return !allowed(cpu, rightsOf(pde & pte), write, user);
}
