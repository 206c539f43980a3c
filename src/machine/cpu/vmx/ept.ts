// Extended page tables (SDM vol. 3 §28.2): guest-physical to machine addresses by four levels of 512 entries in machine
// memory, with 4-KiB and 2-MiB pages. No accessed and dirty bits (2013), no execute-only and no 1-GiB pages.
// What is not allowed leaves as EPT violation (48), what makes no sense as EPT misconfiguration (49).
import type { Cpu } from '../cpu.ts';
import { EXITED } from '../fault.ts';
import { Allows } from '../guest-physical.ts';
import { Access, NO_LINEAR, type SecondDimension } from '../nested-walk.ts';
import { vmExit } from './exit.ts';
import { EXIT } from './exit-reasons.ts';
import { W } from './words.ts';

/** Bits of an EPT entry's low word. */
export const EPT = {
  read: Allows.read,
  write: Allows.write,
  execute: Allows.fetch,
  /** Memory type of a page, bits 5:3: 0 uncacheable, 6 write-back. */
  writeBack: 6 << 3,
  large: 0x80,
} as const;
const RIGHTS = 7;
/** Bits 6:3 in an entry that points to a table, 7 too where no page is that large. */
const TABLE_RESERVED = 0x78;
const LARGE_RESERVED = 0x1ff000;
/** Bits 51:36 of an address: this processor has 36. */
const HIGH_RESERVED = 0xffff0;
const ADDRESS_HIGH = 0xf;
/** Behind all memory: nobody answers. */
const NOWHERE = 0x7ffff000;

/** Bits of the exit qualification of an EPT violation (table 27-7). */
export const VIOLATION = {
  read: 1,
  write: 2,
  fetch: 4,
  linearValid: 0x80,
  /** The page itself, not an entry of the guest's tables. */
  translated: 0x100,
} as const;

/** Memory types that exist: UC WC WT WP WB. */
const isMemoryType = (type: number): boolean => type !== 2 && type !== 3 && type !== 7;

/** Whether an EPT pointer may be used (§26.2.1.1): memory type UC or WB, four levels, no accessed and dirty bits, an address that exists. */
export function isEptPointer(low: number, high: number): boolean {
  const type = low & 7;
  return (type === 0 || type === 6) && (low & 0xff8) === 0x18 && (high & ~ADDRESS_HIGH) === 0;
}

/** Result of the last walk. */
const OK = 0,
  MISSING = 1,
  SENSELESS = 2;

export class Ept implements SecondDimension {
  allows = 0;
  /** Machine address of the table that the EPT pointer names. */
  root = 0;
  private machine = 0;
  /** AND of the rights of the entries met. */
  private rights = 0;
  private references = 0;

  translate(cpu: Cpu, physical: number, access: number, linear: number): number {
    const outcome = this.walk(cpu, physical);
    cpu.cycles += this.references * cpu.cost.charges.pageWalkReference.cycles;
    if (outcome === SENSELESS) leave(cpu, EXIT.eptMisconfiguration, 0, physical, linear);
    const wanted =
      access & Access.table
        ? EPT.read | (access & Access.write ? EPT.write : 0)
        : access & Access.fetch
          ? EPT.execute
          : access & Access.write
            ? EPT.write
            : EPT.read;
    if (outcome === MISSING || (this.rights & wanted) !== wanted) {
      const where =
        (linear === NO_LINEAR ? 0 : VIOLATION.linearValid) |
        (access & Access.table ? 0 : VIOLATION.translated);
      const rights = outcome === MISSING ? 0 : this.rights;
      leave(cpu, EXIT.eptViolation, wanted | (rights << 3) | where, physical, linear);
    }
    this.allows = this.rights;
    return this.machine;
  }

  peek(cpu: Cpu, physical: number): number {
    return this.walk(cpu, physical) === OK ? this.machine : -1;
  }

  private walk(cpu: Cpu, physical: number): number {
    const { memory } = cpu;
    const low = physical | 0;
    const high = Math.floor(physical / 2 ** 32);
    let table = this.root;
    this.rights = RIGHTS;
    for (let level = 4; ; level--) {
      const index =
        level === 4 ? 0 : level === 3 ? (high << 2) | (low >>> 30) : (low >>> (level === 2 ? 21 : 12)) & 511;
      const entry = memory.read32(table + index * 8);
      const entryHigh = memory.read32(table + index * 8 + 4);
      this.references = 5 - level;
      const rights = entry & RIGHTS;
      if (rights === 0) return MISSING;
      // Writable but not readable; executable only; address bits that this processor does not have.
      if (!(rights & EPT.read) || entryHigh & HIGH_RESERVED) return SENSELESS;
      this.rights &= rights;
      const beyond = (entryHigh & ADDRESS_HIGH) !== 0;
      const page = level === 1 || (level === 2 && (entry & EPT.large) !== 0);
      if (!page) {
        if (entry & TABLE_RESERVED || entry & EPT.large) return SENSELESS;
        table = beyond ? NOWHERE : (entry & 0xfffff000) >>> 0;
        continue;
      }
      if (!isMemoryType((entry >>> 3) & 7) || (level === 2 && entry & LARGE_RESERVED)) return SENSELESS;
      const frame = level === 1 ? 0xfffff000 : 0xffe00000;
      this.machine = (((beyond ? NOWHERE : entry) & frame) | (low & ~frame)) >>> 0;
      return OK;
    }
  }
}

/** The VM exit in the middle of an instruction: where, and for which linear address (§27.2.1). */
function leave(cpu: Cpu, reason: number, qualification: number, physical: number, linear: number): never {
  const { words: w, base: b } = cpu.vmx!;
  w[b + W.guestPhysical] = physical | 0;
  w[b + W.guestPhysical + 1] = Math.floor(physical / 2 ** 32);
  if (linear !== NO_LINEAR) {
    w[b + W.linearAddress] = linear | 0;
    // What is remembered of the page goes with it (§28.3.3.1).
    cpu.tlb.invalidate(linear);
  }
  cpu.eip = cpu.instructionStart;
  vmExit(cpu, reason, qualification);
  throw EXITED;
}
