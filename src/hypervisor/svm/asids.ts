// Address-space identifiers for guests (APM vol. 2 §15.16). A processor without FlushByASID can drop a page of an address space
// (INVLPGA) or everything of everybody; so a guest of which everything is to be forgotten simply gets another identifier, and
// when none are left a new round begins with an empty TLB (as in Xen's hvm/asid.c and in KVM).
import type { Cpu } from '../../machine/cpu/cpu.ts';
import { cpuid } from '../../machine/cpu/cpuid.ts';

const SVM_LEAF = 0x8000000a;

/** Who has an identifier. 0: it wants another one. */
export interface AsidOwner {
  asid: number;
  asidRound: number;
}

export class Asids {
  private next = 1;
  private round = 0;

  /** @param count how many the processor has, the host's 0 included */
  constructor(private readonly count: number) {}

  static of(cpu: Cpu): Asids {
    return new Asids(cpuid(cpu, SVM_LEAF).ebx);
  }

  /** Whether what `owner` has is good for an entry. */
  isGood(owner: AsidOwner): boolean {
    return owner.asid !== 0 && owner.asidRound === this.round;
  }

  /** Gives an identifier of which nothing is remembered. @returns true when for that the whole TLB must go at the next entry */
  give(owner: AsidOwner): boolean {
    const again = this.next >= this.count;
    if (again) {
      this.round++;
      this.next = 1;
    }
    owner.asid = this.next++;
    owner.asidRound = this.round;
    return again;
  }
}
