// Nested paging (APM vol. 2 §15.25): guest-physical to machine addresses through tables in the format of the host's own paging
// mode at VMRUN. A host of 32 bits without PAE has two levels (4 KiB and 4 MiB pages), with PAE three. Each access counts as
// one of user mode; what the tables forbid is an exit, NPF, with the guest-physical address in EXITINFO2.
import type { Cpu } from '../cpu.ts';
import { EXITED } from '../fault.ts';
import { Allows, GuestPhysical } from '../guest-physical.ts';
import { Access, NestedWalk, NO_LINEAR, type SecondDimension } from '../nested-walk.ts';
import {
  CR4_PAE,
  CR4_PSE,
  HIGH_RESERVED,
  LARGE_2M_RESERVED,
  LARGE_4M_RESERVED,
  PDPTE_RESERVED,
  Pte,
} from '../page-walk.ts';
import { svmExit } from './exit.ts';
import { SVM_EXIT } from './exit-codes.ts';
import { V } from './layout.ts';
import type { SvmState } from './state.ts';

/** EXITINFO1 beside the bits of a page fault's error code: the final address, or the guest's tables on the way to it. */
const FINAL_HIGH = 1 << 0;
const TABLE_HIGH = 1 << 1;
const ERROR = { present: 1, write: 2, user: 4, reserved: 8 } as const;

/** What one look at the tables found: `at` is the address of the leaf; -1 and an error code when there is none. */
interface Found {
  machine: number;
  leafAt: number;
  leaf: number;
  rights: number;
  error: number;
}

class NestedTables implements SecondDimension {
  allows = 0;
  readonly pointersOnDemand = true;
  /** nCR3, and the host's paging mode, as of the last VMRUN. */
  root = 0;
  pae = false;
  pse = false;
  private readonly found: Found = { machine: -1, leafAt: -1, leaf: 0, rights: 0, error: 0 };

  translate(cpu: Cpu, physical: number, access: number, linear: number): number {
    const write = (access & Access.write) !== 0;
    const f = this.look(cpu, physical, true);
    let error = f.error;
    if (f.machine >= 0) {
      if (!(f.rights & Pte.user) || (write && !(f.rights & Pte.write))) error = ERROR.present;
      else {
        const bits = Pte.accessed | (write ? Pte.dirty : 0);
        if ((f.leaf & bits) !== bits) cpu.memory.write32(f.leafAt, f.leaf | bits);
        // Until D is set a write must come here again.
        const writable = f.rights & Pte.write && (write || f.leaf & Pte.dirty);
        this.allows = Allows.read | Allows.fetch | (writable ? Allows.write : 0);
        return f.machine;
      }
    }
    // As a page fault does, the exit takes what is remembered of the page with it.
    if (linear !== NO_LINEAR) cpu.tlb.invalidate(linear);
    this.exit(cpu, physical, access, error);
  }

  peek(cpu: Cpu, physical: number): number {
    return this.look(cpu, physical, false).machine;
  }

  private exit(cpu: Cpu, physical: number, access: number, error: number): never {
    // The processor may already stand behind the instruction, which has not happened.
    cpu.eip = cpu.instructionStart;
    const code =
      error | ERROR.user | (access & Access.write ? ERROR.write : 0) | (access & Access.table ? 0 : 0);
    const svm = cpu.svm!;
    svmExit(
      cpu,
      SVM_EXIT.nestedPageFault,
      cpu.eip,
      0,
      code,
      physical % 2 ** 32,
      Math.floor(physical / 2 ** 32),
    );
    const { vmcb: w, base: b } = svm;
    w[b + V.exitInfo1 + 1] = access & Access.table ? TABLE_HIGH : FINAL_HIGH;
    throw EXITED;
  }

  /** @param walks it is a walk of the processor: charged, and it sets accessed bits on the way */
  private look(cpu: Cpu, physical: number, walks: boolean): Found {
    const f = this.found;
    f.machine = -1;
    f.error = 0;
    if (physical >= 2 ** 32) return f;
    if (this.pae) this.lookPae(cpu, physical, walks, f);
    else this.lookTwoLevels(cpu, physical, walks, f);
    return f;
  }

  private lookTwoLevels(cpu: Cpu, physical: number, walks: boolean, f: Found): void {
    const pdeAt = ((this.root & 0xfffff000) | ((physical >>> 20) & 0xffc)) >>> 0;
    const pde = this.entry(cpu, pdeAt, walks);
    if (!(pde & Pte.present)) return;
    if (pde & Pte.large && this.pse) {
      if (pde & LARGE_4M_RESERVED) f.error = ERROR.present | ERROR.reserved;
      else this.leaf(f, pdeAt, pde, pde, ((pde & 0xffc00000) | (physical & 0x3fffff)) >>> 0);
      return;
    }
    const pteAt = ((pde & 0xfffff000) | ((physical >>> 10) & 0xffc)) >>> 0;
    const pte = this.entry(cpu, pteAt, walks);
    if (!(pte & Pte.present)) return;
    if (walks && !(pde & Pte.accessed)) cpu.memory.write32(pdeAt, pde | Pte.accessed);
    this.leaf(f, pteAt, pte, pde & pte, ((pte & 0xfffff000) | (physical & 0xfff)) >>> 0);
  }

  private lookPae(cpu: Cpu, physical: number, walks: boolean, f: Found): void {
    const pdpteAt = ((this.root & 0xffffffe0) | ((physical >>> 30) << 3)) >>> 0;
    const pdpte = this.entry(cpu, pdpteAt, walks);
    if (!(pdpte & Pte.present)) return;
    if (pdpte & PDPTE_RESERVED) f.error = ERROR.present | ERROR.reserved;
    const pdeAt = ((pdpte & 0xfffff000) | ((physical >>> 18) & 0xff8)) >>> 0;
    const pde = this.entry(cpu, pdeAt, walks);
    if (f.error || !(pde & Pte.present)) return;
    const pdeHigh = cpu.memory.read32(pdeAt + 4);
    if (pdeHigh & HIGH_RESERVED || (pde & Pte.large && pde & LARGE_2M_RESERVED)) {
      f.error = ERROR.present | ERROR.reserved;
      return;
    }
    if (pde & Pte.large) {
      this.leaf(f, pdeAt, pde, pde, ((pde & 0xffe00000) | (physical & 0x1fffff)) >>> 0);
      return;
    }
    const pteAt = ((pde & 0xfffff000) | ((physical >>> 9) & 0xff8)) >>> 0;
    const pte = this.entry(cpu, pteAt, walks);
    if (!(pte & Pte.present)) return;
    if (cpu.memory.read32(pteAt + 4) & HIGH_RESERVED) {
      f.error = ERROR.present | ERROR.reserved;
      return;
    }
    if (walks && !(pde & Pte.accessed)) cpu.memory.write32(pdeAt, pde | Pte.accessed);
    this.leaf(f, pteAt, pte, pde & pte, ((pte & 0xfffff000) | (physical & 0xfff)) >>> 0);
  }

  private entry(cpu: Cpu, at: number, walks: boolean): number {
    if (walks) cpu.cycles += cpu.cost.charges.pageWalkReference.cycles;
    return cpu.memory.read32(at);
  }

  private leaf(f: Found, at: number, entry: number, rights: number, machine: number): void {
    f.leafAt = at;
    f.leaf = entry;
    f.rights = rights;
    f.machine = machine;
  }
}

const walks = new WeakMap<SvmState, { walk: NestedWalk; tables: NestedTables }>();

/** The two-dimensional walk for the VMCB in use. Called while the control registers are still… the guest's: the host's mode is in its save area. */
export function nestedWalkOf(svm: SvmState): NestedWalk {
  let both = walks.get(svm);
  if (!both) {
    const tables = new NestedTables();
    walks.set(svm, (both = { walk: new NestedWalk(tables, new GuestPhysical(svm.cpu.tlb)), tables }));
  }
  const { tables } = both;
  tables.root = svm.vmcb[svm.base + V.nestedCr3];
  const area = svm.hostArea;
  const hostCr4 = svm.words(area)[svm.at(area) + V.cr4];
  tables.pae = (hostCr4 & CR4_PAE) !== 0;
  tables.pse = (hostCr4 & CR4_PSE) !== 0;
  return both.walk;
}
