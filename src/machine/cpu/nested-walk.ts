// The two-dimensional page walk (SDM vol. 3 §28.2 for EPT, APM vol. 2 §15.25 for NPT): every address that the guest's own
// tables name, and the one they lead to, is guest-physical, and goes through a second dimension before memory is touched.
// This file walks the guest's tables; the second dimension plugs in. The TLB then holds linear → machine in one entry.
import type { Cpu } from './cpu.ts';
import { fault, PageFault, VECTOR } from './fault.ts';
import { Allows, type GuestPhysical, pageOf, REFUSED, UNKNOWN } from './guest-physical.ts';
import {
  allowed,
  CR0_PG,
  CR4_PAE,
  CR4_PGE,
  CR4_PSE,
  faultCode,
  HIGH_RESERVED,
  LARGE_2M_RESERVED,
  LARGE_4M_RESERVED,
  PDPTE_RESERVED,
  Pte,
  RESERVED,
  rightsOf,
  walked,
} from './page-walk.ts';
import { Right } from './tlb.ts';

/** What an access to a guest-physical address is for. Neither `write` nor `fetch`: it reads data. */
export const Access = {
  write: 1,
  fetch: 2,
  /** It reads (or with `write`: sets the accessed or dirty bit of) an entry of the guest's tables, or reads its PDPTEs. */
  table: 4,
  /** The access that the walk is for has ring 3's rights. */
  user: 8,
} as const;

/** Stands for a linear address where there is none: PDPTEs that a MOV to a control register loads. */
export const NO_LINEAR = -(2 ** 32);

/** EPT, NPT: guest-physical to machine addresses. One implementation a vendor. */
export interface SecondDimension {
  /**
   * Machine address (uint32) of a guest-physical address (up to 2^36, offset in the page included). Charges each reference to
   * its own tables. When it may not be accessed so, does the VM exit (with `cpu.eip = cpu.instructionStart` first) and throws
   * `EXITED`; then nothing of the instruction has happened.
   * @param access bits of `Access`
   * @param linear the linear address that is being translated, signed or not; `NO_LINEAR` when there is none
   */
  translate(cpu: Cpu, physical: number, access: number, linear: number): number;
  /** After `translate`: what else may be done there without a second look (permission, and a dirty bit where the dimension keeps one). Bits of `Allows`. */
  allows: number;
  /** As `translate`, changing nothing: -1 when nothing is there. */
  peek(cpu: Cpu, physical: number): number;
  /** The guest's PDPTEs are read by each walk, and not when CR3 is loaded: AMD's (APM vol. 2 §15.25.10). */
  readonly pointersOnDemand?: boolean;
}

/** What `cpu.nested` is while a guest with nested paging runs. */
export class NestedWalk {
  /** @param known what is remembered of the second dimension; null where each access has to go through it */
  constructor(
    readonly dimension: SecondDimension,
    private readonly known: GuestPhysical | null = null,
  ) {}

  /** As `SecondDimension.translate`, from what is remembered where that allows it. */
  private translate(cpu: Cpu, physical: number, access: number, linear: number): number {
    const { known, dimension } = this;
    if (known === null) return dimension.translate(cpu, physical, access, linear);
    const page = pageOf(physical);
    const at = known.find(page, neededFor(access));
    if (at >= 0) {
      cpu.cycles += known.cyclesAt(at);
      dimension.allows = known.allowsAt(at);
      return (known.frameAt(at) | (physical & 0xfff)) >>> 0;
    }
    known.drop(page);
    const { cycles } = cpu;
    const machine = dimension.translate(cpu, physical, access, linear);
    known.insert(page, machine & 0xfffff000, dimension.allows, cpu.cycles - cycles);
    return machine;
  }

  /** What `foresee` has found of a page: `Right` bits, what the walk is charged beside the references to the guest's own tables, and whether it sets bits there. */
  readonly foreseen = { rights: 0, cycles: 0, marks: false };

  /**
   * What a walk through two levels to a small page will come to, where all that it needs of the second dimension is remembered:
   * then it leaves the guest for sure not. Changes nothing.
   * @returns machine address of the page (int32), `REFUSED` when it raises #PF, `UNKNOWN`
   */
  foresee(cpu: Cpu, linear: number, write: boolean, user: boolean, fetch = false): number {
    const { known, foreseen } = this;
    if (known === null || !(cpu.cr0 & CR0_PG) || cpu.cr4 & CR4_PAE) return UNKNOWN;
    const { memory } = cpu;
    const directory = known.find(cpu.cr3 >>> 12, Allows.read);
    if (directory < 0) return UNKNOWN;
    const pde = memory.read32((known.frameAt(directory) | ((linear >>> 20) & 0xffc)) >>> 0);
    if (!(pde & Pte.present)) return REFUSED;
    const table = pde & Pte.large ? -1 : known.find(pde >>> 12, Allows.read);
    if (table < 0) return UNKNOWN;
    const pte = memory.read32((known.frameAt(table) | ((linear >>> 10) & 0xffc)) >>> 0);
    if (!(pte & Pte.present)) return REFUSED;
    const rights = rightsOf(pde & pte);
    if (!allowed(cpu, rights, write, user)) return REFUSED;
    const bits = Pte.accessed | (write ? Pte.dirty : 0);
    const marksTable = (pte & bits) !== bits;
    const marksDirectory = !(pde & Pte.accessed);
    if (marksTable && !(known.allowsAt(table) & Allows.write)) return UNKNOWN;
    if (marksDirectory && !(known.allowsAt(directory) & Allows.write)) return UNKNOWN;
    const page = known.find(pte >>> 12, fetch ? Allows.fetch : write ? Allows.write : Allows.read);
    if (page < 0) return UNKNOWN;
    const dirty = pte & Pte.dirty && known.allowsAt(page) & Allows.write;
    foreseen.rights =
      rights | (dirty ? Right.dirty : 0) | (pte & Pte.global && cpu.cr4 & CR4_PGE ? Right.global : 0);
    foreseen.cycles = known.cyclesAt(directory) + known.cyclesAt(table) + known.cyclesAt(page);
    foreseen.marks = marksTable || marksDirectory;
    return known.frameAt(page);
  }

  /**
   * As `tryWalk` of page-walk.ts, to machine addresses; leaves its result in `walked`. What the second dimension forbids is
   * thrown all the same.
   */
  tryWalk(cpu: Cpu, linear: number, write: boolean, user: boolean, fetch: boolean): number {
    const access = (write ? Access.write : 0) | (fetch ? Access.fetch : 0) | (user ? Access.user : 0);
    if (!(cpu.cr0 & CR0_PG)) {
      walked.rights = Right.user | Right.write | Right.dirty;
      return this.land(cpu, linear >>> 0, access, linear);
    }
    if (cpu.cr4 & CR4_PAE) return this.walkPae(cpu, linear, write, user, access);
    return this.walkTwoLevels(cpu, linear, write, user, access);
  }

  /** The page itself. What the second dimension forbids to write is entered without `dirty`, so a write walks again. @returns -1 */
  private land(cpu: Cpu, physical: number, access: number, linear: number): number {
    walked.frame = this.translate(cpu, physical, access, linear) & 0xfffff000;
    if (!(this.dimension.allows & Allows.write)) walked.rights &= ~Right.dirty;
    return -1;
  }

  /** Machine address of an entry of the guest's tables, charged as the reference that it is. */
  private entry(cpu: Cpu, physical: number, access: number, linear: number): number {
    const machine = this.translate(cpu, physical, Access.table | (access & Access.user), linear);
    cpu.cycles += cpu.cost.charges.pageWalkReference.cycles;
    return machine;
  }

  private walkTwoLevels(cpu: Cpu, linear: number, write: boolean, user: boolean, access: number): number {
    const { memory } = cpu;
    const pdeAt = ((cpu.cr3 & 0xfffff000) | ((linear >>> 20) & 0xffc)) >>> 0;
    const pde = memory.read32(this.entry(cpu, pdeAt, access, linear));
    if (!(pde & Pte.present)) return faultCode(write, user);
    if (pde & Pte.large && cpu.cr4 & CR4_PSE) {
      if (pde & LARGE_4M_RESERVED) return RESERVED | faultCode(write, user);
      const error = this.finish(cpu, linear, write, user, -1, 0, pdeAt, pde, pde);
      if (error >= 0) return error;
      walked.rights |= Right.large;
      return this.land(cpu, ((pde & 0xffc00000) | (linear & 0x3fffff)) >>> 0, access, linear);
    }
    const pteAt = ((pde & 0xfffff000) | ((linear >>> 10) & 0xffc)) >>> 0;
    const pte = memory.read32(this.entry(cpu, pteAt, access, linear));
    if (!(pte & Pte.present)) return faultCode(write, user);
    const error = this.finish(cpu, linear, write, user, pdeAt, pde, pteAt, pte, pde & pte);
    if (error >= 0) return error;
    return this.land(cpu, ((pte & 0xfffff000) | (linear & 0xfff)) >>> 0, access, linear);
  }

  private walkPae(cpu: Cpu, linear: number, write: boolean, user: boolean, access: number): number {
    const { memory } = cpu;
    const directory = (linear >>> 30) * 2;
    if (this.dimension.pointersOnDemand) this.takePointer(cpu, directory, access, linear);
    const pdpte = cpu.pdptes[directory];
    if (!(pdpte & Pte.present)) return faultCode(write, user);
    if (this.dimension.pointersOnDemand && isBadPointer(pdpte, cpu.pdptes[directory + 1]))
      return RESERVED | faultCode(write, user);
    const pdeAt = wide(pdpte & 0xfffff000, cpu.pdptes[directory + 1], (linear >>> 18) & 0xff8);
    const pdeMachine = this.entry(cpu, pdeAt, access, linear);
    const pde = memory.read32(pdeMachine);
    const pdeHigh = memory.read32(pdeMachine + 4);
    if (!(pde & Pte.present)) return faultCode(write, user);
    if (pdeHigh & HIGH_RESERVED || (pde & Pte.large && pde & LARGE_2M_RESERVED))
      return RESERVED | faultCode(write, user);
    if (pde & Pte.large) {
      const error = this.finish(cpu, linear, write, user, -1, 0, pdeAt, pde, pde);
      if (error >= 0) return error;
      walked.rights |= Right.large;
      return this.land(cpu, wide(pde & 0xffe00000, pdeHigh, linear & 0x1fffff), access, linear);
    }
    const pteAt = wide(pde & 0xfffff000, pdeHigh, (linear >>> 9) & 0xff8);
    const pteMachine = this.entry(cpu, pteAt, access, linear);
    const pte = memory.read32(pteMachine);
    const pteHigh = memory.read32(pteMachine + 4);
    if (!(pte & Pte.present)) return faultCode(write, user);
    if (pteHigh & HIGH_RESERVED) return RESERVED | faultCode(write, user);
    const error = this.finish(cpu, linear, write, user, pdeAt, pde, pteAt, pte, pde & pte);
    if (error >= 0) return error;
    return this.land(cpu, wide(pte & 0xfffff000, pteHigh, linear & 0xfff), access, linear);
  }

  /** Rights of the guest's entries together, then their accessed and dirty bits. @param upper address of the PDE above, -1 for none. @returns as `tryWalk` */
  private finish(
    cpu: Cpu,
    linear: number,
    write: boolean,
    user: boolean,
    upper: number,
    upperEntry: number,
    at: number,
    entry: number,
    both: number,
  ): number {
    let rights = rightsOf(both);
    if (!allowed(cpu, rights, write, user)) return PageFault.present | faultCode(write, user);
    if (upper >= 0) this.mark(cpu, upper, upperEntry, Pte.accessed, user, linear);
    this.mark(cpu, at, entry, Pte.accessed | (write ? Pte.dirty : 0), user, linear);
    if (write || entry & Pte.dirty) rights |= Right.dirty;
    if (entry & Pte.global && cpu.cr4 & CR4_PGE) rights |= Right.global;
    walked.rights = rights;
    return -1;
  }

  private mark(cpu: Cpu, at: number, entry: number, bits: number, user: boolean, linear: number): void {
    if ((entry & bits) === bits) return;
    const access = Access.table | Access.write | (user ? Access.user : 0);
    cpu.memory.write32(this.translate(cpu, at, access, linear), entry | bits);
  }

  private takePointer(cpu: Cpu, directory: number, access: number, linear: number): void {
    const machine = this.entry(cpu, ((cpu.cr3 & 0xffffffe0) >>> 0) + directory * 4, access, linear);
    cpu.pdptes[directory] = cpu.memory.read32(machine);
    cpu.pdptes[directory + 1] = cpu.memory.read32(machine + 4);
  }

  /** As `loadPdptes` of page-walk.ts: the four entries lie in guest-physical memory. */
  loadPdptes(cpu: Cpu, cr3: number): void {
    if (this.dimension.pointersOnDemand) return;
    const machine = this.translate(cpu, (cr3 & 0xffffffe0) >>> 0, Access.table, NO_LINEAR);
    for (let n = 0; n < 4; n++) {
      const low = cpu.memory.read32(machine + n * 8);
      const high = cpu.memory.read32(machine + n * 8 + 4);
      if (isBadPointer(low, high)) fault(cpu, VECTOR.GP, 0);
    }
    for (let n = 0; n < 8; n++) cpu.pdptes[n] = cpu.memory.read32(machine + n * 4);
  }

  /** Machine address behind a linear one as both dimensions say now, or -1; changes nothing. */
  peek(cpu: Cpu, linear: number): number {
    const physical = this.peekGuest(cpu, linear);
    return physical < 0 ? -1 : this.dimension.peek(cpu, physical);
  }

  /** Guest-physical address behind a linear one, or -1. */
  private peekGuest(cpu: Cpu, linear: number): number {
    if (!(cpu.cr0 & CR0_PG)) return linear >>> 0;
    const pae = (cpu.cr4 & CR4_PAE) !== 0;
    const directory = (linear >>> 30) * 2;
    let upper = pae ? cpu.pdptes[directory] : cpu.cr3 | Pte.present;
    let upperHigh = pae ? cpu.pdptes[directory + 1] : 0;
    if (pae && this.dimension.pointersOnDemand) {
      const machine = this.dimension.peek(cpu, ((cpu.cr3 & 0xffffffe0) >>> 0) + directory * 4);
      upper = machine < 0 ? 0 : cpu.memory.read32(machine);
      upperHigh = machine < 0 ? 0 : cpu.memory.read32(machine + 4);
    }
    for (let level = 2; level > 0; level--) {
      if (!(upper & Pte.present)) return -1;
      const shift = pae ? (level === 2 ? 18 : 9) : level === 2 ? 20 : 10;
      const at = wide(upper & 0xfffff000, upperHigh, (linear >>> shift) & (pae ? 0xff8 : 0xffc));
      const machine = this.dimension.peek(cpu, at);
      if (machine < 0) return -1;
      upper = cpu.memory.read32(machine);
      upperHigh = pae ? cpu.memory.read32(machine + 4) : 0;
      if (level === 2 && upper & Pte.present && upper & Pte.large && (pae || cpu.cr4 & CR4_PSE)) {
        const offset = pae ? 0x1fffff : 0x3fffff;
        return wide(upper & ~offset, upperHigh, linear & offset);
      }
    }
    return upper & Pte.present ? wide(upper & 0xfffff000, upperHigh, linear & 0xfff) : -1;
  }
}

/** `Allows` bits of an access. */
function neededFor(access: number): number {
  const write = access & Access.write ? Allows.write : 0;
  if (access & Access.table) return Allows.read | write;
  return access & Access.fetch ? Allows.fetch : write || Allows.read;
}

const isBadPointer = (low: number, high: number): boolean =>
  (low & Pte.present) !== 0 && ((low & PDPTE_RESERVED) !== 0 || (high & HIGH_RESERVED) !== 0);

/** Base (low word, high word) and an offset below it: a guest-physical address of up to 36 bits. */
function wide(low: number, high: number, offset: number): number {
  return (high & 15) * 2 ** 32 + ((low | offset) >>> 0);
}
