// How returns and indirect jumps find translations without the monitor (Adams & Agesen 2006, §3.2): a table of 65 536 entries
// by the low half of EIP. Flags must stay as they are, so nothing is compared: an entry says where the verdicts begin for its
// high half, and the verdict at EIP's high half is 0 for hit and 4 for miss. Pages of the table that nothing lies in are one page.
import { OutOfMemory, OWNER_HYPERVISOR } from '../frames.ts';
import type { Hypervisor } from '../hypervisor.ts';
import { PER_DOMAIN_START } from '../monitor.ts';
import type { Block } from './block.ts';
import type { Emitter } from './emit.ts';
import { STATE, TABLE, TABLE_PAGE, TABLE_PAGES, VERDICT_PAGE, VERDICT_PAGES, VERDICTS } from './layout.ts';

/** Present, accessed, dirty: ring 1 may not write to it. */
const MAPPED = 0x61;
const ENTRIES_IN_PAGE = 512;
const MISS = 4;
/** Offset, in the segment of the state page, of the one verdict that is 0. */
const HIT = VERDICTS + 0x10000;

const EAX = 0,
  ECX = 1,
  EDX = 2;

export class LookupTable {
  /** A page without a block, the verdicts around the one that is 0, and all other verdicts. */
  private readonly common: number[] = [];
  /** Machine address of each page of the table that is not the empty one. */
  private readonly pages = new Map<number, number>();

  /** @param area machine address of the page table. @param miss offset in the cache where a search goes that finds nothing. Throws OutOfMemory */
  constructor(
    private readonly hypervisor: Hypervisor,
    private readonly area: number,
    private readonly miss: number,
  ) {
    try {
      for (let n = 0; n < 3; n++) this.common.push(this.newPage());
    } catch (error) {
      this.release();
      throw error;
    }
    const [empty, near, far] = this.common;
    this.clear(empty);
    const { memory } = hypervisor.pc;
    for (let n = 0; n < 4096; n++) {
      memory.write8(near + n, n === 0 ? 0 : MISS);
      memory.write8(far + n, MISS);
    }
    for (let n = 0; n < VERDICT_PAGES; n++) this.map(VERDICT_PAGE + n, n === VERDICT_PAGES / 2 ? near : far);
    for (let n = 0; n < TABLE_PAGES; n++) this.map(TABLE_PAGE + n, empty);
  }

  /** Frames that it takes, by machine address. */
  get frames(): number[] {
    return [...this.common, ...this.pages.values()];
  }

  private newPage(): number {
    return this.hypervisor.frames.allocate(OWNER_HYPERVISOR) * 4096;
  }

  private map(page: number, machine: number): void {
    this.hypervisor.pc.memory.write32(this.area + page * 4, machine | MAPPED);
  }

  private clear(page: number): void {
    for (let n = 0; n < ENTRIES_IN_PAGE; n++) this.write(page + n * 8, HIT, this.miss);
  }

  private write(at: number, verdicts: number, jump: number): void {
    const { memory } = this.hypervisor.pc;
    memory.write32(at, verdicts);
    memory.write32(at + 4, jump);
  }

  /** From now on translated code finds this block by itself, if there is memory for that. */
  enter(block: Block): void {
    const n = (block.guest & 0xffff) >>> 9;
    let page = this.pages.get(n);
    if (page === undefined) {
      try {
        page = this.newPage();
      } catch (error) {
        if (error instanceof OutOfMemory) return;
        throw error;
      }
      this.clear(page);
      this.pages.set(n, page);
      this.map(TABLE_PAGE + n, page);
      this.hypervisor.cpu.tlb.invalidate(PER_DOMAIN_START + (TABLE_PAGE + n) * 4096);
    }
    this.write(page + (block.guest & 511) * 8, HIT - (block.guest >>> 16), block.cache);
  }

  leave(block: Block): void {
    const page = this.pages.get((block.guest & 0xffff) >>> 9);
    if (page === undefined) return;
    const at = page + (block.guest & 511) * 8;
    if (this.hypervisor.pc.memory.read32(at + 4) === block.cache) this.write(at, HIT, this.miss);
  }

  /** Forgets all blocks. */
  empty(): void {
    for (const page of this.pages.values()) this.clear(page);
  }

  release(): void {
    for (const machine of this.frames) this.hypervisor.frames.release(machine >>> 12);
    this.common.length = 0;
    this.pages.clear();
  }
}

/** Writes the search: EAX holds the guest's EIP and is saved in the state page, and STATE.target says the same. */
export function emitLookup(e: Emitter): void {
  e.save(ECX, STATE.ecx);
  e.save(EDX, STATE.edx);
  // MOVZX ECX, AX; MOV EDX, the verdicts; MOVZX EAX, the high half; MOVZX EAX, the verdict
  e.byte(0x0f, 0xb7, 0xc8);
  entry(e, EDX, TABLE);
  e.gs([0x0f, 0xb7], EAX, STATE.target + 2);
  e.byte(0x65, 0x0f, 0xb6, 0x04, 0x02);
  entry(e, ECX, TABLE + 4);
  e.save(ECX, STATE.jump);
  // MOV EAX, [gs:EAX + jump]
  e.byte(0x65, 0x8b, 0x80);
  e.word32(STATE.jump);
  e.save(EAX, STATE.jump);
  e.load(EAX, STATE.eax);
  e.load(ECX, STATE.ecx);
  e.load(EDX, STATE.edx);
  // JMP [gs:jump]
  e.gs([0xff], 4, STATE.jump);
}

/** MOV register, [gs:ECX*8 + offset] */
function entry(e: Emitter, register: number, offset: number): void {
  e.byte(0x65, 0x8b, 0x04 | (register << 3), 0xcd);
  e.word32(offset);
}
