// What the processor remembers of the second dimension alone: guest-physical to machine addresses (SDM vol. 3 §28.3.1
// "guest-physical mappings"; APM vol. 2 §15.16). So a walk through the guest's tables need not walk three times through the
// hypervisor's. They live as long as everything that the TLB has of their address space: INVEPT, another ASID and the like
// take them away, MOV CR3 and INVLPG in the guest do not. On the virtual clock a walk costs what it would without them: they are
// here for our speed, and what they keep too long is what a hypervisor has to tell the processor anyway. (What it allows in
// addition it need not tell: then the first write to a page that was read before walks twice.)
import type { Tlb } from './tlb.ts';

const BITS = 10;
const SLOTS = 1 << BITS;

/** What an access needs: bits of an entry. */
export const Allows = { read: 1, write: 2, fetch: 4 } as const;

/** What `NestedWalk.foresee` says beside an address: no page begins there. */
export const UNKNOWN = -1;
export const REFUSED = -2;

export class GuestPhysical {
  private readonly page = new Int32Array(SLOTS);
  private readonly frame = new Int32Array(SLOTS);
  private readonly allows = new Uint8Array(SLOTS);
  private readonly cycles = new Int32Array(SLOTS);
  /** `TlbContext.globalEpoch` of the address space; -1 = no entry. */
  private readonly epoch = new Float64Array(SLOTS).fill(-1);

  constructor(private readonly tlb: Tlb) {}

  /** Place of the entry for a guest-physical page number that allows an access, -1 when there is none. */
  find(page: number, needed: number): number {
    const slot = slotOf(page);
    const found =
      this.page[slot] === page &&
      (this.allows[slot] & needed) === needed &&
      this.epoch[slot] === this.tlb.current.globalEpoch;
    return found ? slot : -1;
  }

  /** Machine address of the page at a place: int32. */
  frameAt(slot: number): number {
    return this.frame[slot];
  }
  /** Bits of `Allows`. */
  allowsAt(slot: number): number {
    return this.allows[slot];
  }
  /** What a walk there is charged. */
  cyclesAt(slot: number): number {
    return this.cycles[slot];
  }

  /** What did not allow an access is looked at anew, and whatever that leads to. */
  drop(page: number): void {
    const slot = slotOf(page);
    if (this.page[slot] === page) this.epoch[slot] = -1;
  }

  insert(page: number, frame: number, allows: number, cycles: number): void {
    const slot = slotOf(page);
    this.page[slot] = page;
    this.frame[slot] = frame;
    this.allows[slot] = allows;
    this.cycles[slot] = cycles;
    this.epoch[slot] = this.tlb.current.globalEpoch;
  }
}

function slotOf(page: number): number {
  return (page ^ (page >>> BITS)) & (SLOTS - 1);
}

/** Number of a guest-physical page: addresses have up to 36 bits. */
export function pageOf(physical: number): number {
  return physical < 2 ** 32 ? physical >>> 12 : Math.floor(physical / 4096);
}
