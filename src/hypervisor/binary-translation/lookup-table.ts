// How returns and indirect jumps find translations without the monitor (Adams & Agesen 2006, §3.2): a table of 65 536 entries
// by the low half of EIP. Flags must stay as they are, so nothing is compared: an entry holds minus the EIP that it is for, which
// LEA adds and JECXZ looks at, and where the block begins. Pages of the table that nothing lies in are one page.
import { OutOfMemory, OWNER_HYPERVISOR } from '../frames.ts';
import type { Hypervisor } from '../hypervisor.ts';
import { PER_DOMAIN_START } from '../monitor.ts';
import type { Block } from './block.ts';
import type { Emitter } from './emit.ts';
import { STATE, TABLE, TABLE_PAGE, TABLE_PAGES } from './layout.ts';

/** Present, accessed, dirty: ring 1 may not write to it. */
const MAPPED = 0x61;
const ENTRIES_IN_PAGE = 512;

const EAX = 0,
  ECX = 1;

/** Minus an EIP that is never looked for at this place of any page: its low half is another one's. */
const nobody = (n: number): number => (n === ENTRIES_IN_PAGE - 1 ? 0 : 1);

export class LookupTable {
  /** The page without a block. */
  private empty = -1;
  /** Machine address of each page of the table that is not the empty one. */
  private readonly pages = new Map<number, number>();

  /** @param area machine address of the page table. @param miss offset in the cache where a search goes that finds nothing. Throws OutOfMemory */
  constructor(
    private readonly hypervisor: Hypervisor,
    private readonly area: number,
    private readonly miss: number,
  ) {
    this.empty = this.newPage();
    this.clear(this.empty);
    for (let n = 0; n < TABLE_PAGES; n++) this.map(n, this.empty);
  }

  /** Frames that it takes, by machine address. */
  get frames(): number[] {
    return [...(this.empty < 0 ? [] : [this.empty]), ...this.pages.values()];
  }

  private newPage(): number {
    return this.hypervisor.frames.allocate(OWNER_HYPERVISOR) * 4096;
  }

  private map(n: number, machine: number): void {
    this.hypervisor.pc.memory.write32(this.area + (TABLE_PAGE + n) * 4, machine | MAPPED);
  }

  private clear(page: number): void {
    for (let n = 0; n < ENTRIES_IN_PAGE; n++) this.write(page + n * 8, nobody(n), this.miss);
  }

  private write(at: number, minusEip: number, jump: number): void {
    const { memory } = this.hypervisor.pc;
    memory.write32(at, minusEip);
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
      this.map(n, page);
      this.hypervisor.cpu.tlb.invalidate(PER_DOMAIN_START + (TABLE_PAGE + n) * 4096);
    }
    this.write(page + (block.guest & 511) * 8, -block.guest, block.cache);
  }

  leave(block: Block): void {
    const page = this.pages.get((block.guest & 0xffff) >>> 9);
    if (page === undefined) return;
    const n = block.guest & 511;
    const at = page + n * 8;
    if (this.hypervisor.pc.memory.read32(at + 4) === block.cache) this.write(at, nobody(n), this.miss);
  }

  /** Forgets all blocks. */
  clearAll(): void {
    for (const page of this.pages.values()) this.clear(page);
  }

  release(): void {
    for (const machine of this.frames) this.hypervisor.frames.release(machine >>> 12);
    this.empty = -1;
    this.pages.clear();
  }
}

/**
 * Writes the search in the table: EAX holds the guest's EIP, EAX and ECX are saved in the state page, and STATE.target says the
 * same as EAX, for the block may go while the search is interrupted.
 * @param here offset in the cache of what is written next. @param miss offset of the routine for an EIP that is not there
 */
export function emitLookup(e: Emitter, here: number, miss: number): void {
  const start = e.length;
  // MOVZX ECX, AX; MOV ECX, minus the EIP that is there; LEA ECX, [ECX + EAX]; JECXZ over the miss
  e.byte(0x0f, 0xb7, 0xc8);
  entry(e, TABLE);
  e.byte(0x8d, 0x0c, 0x01);
  e.byte(0xe3, 0);
  const jump = e.length;
  restore(e);
  e.jump(here - start, miss);
  e.code[jump - 1] = e.length - jump;
  e.byte(0x0f, 0xb7, 0xc8);
  entry(e, TABLE + 4);
  e.save(ECX, STATE.jump);
  restore(e);
  // JMP [gs:jump]
  e.gs([0xff], 4, STATE.jump);
}

function restore(e: Emitter): void {
  e.load(ECX, STATE.ecx);
  e.load(EAX, STATE.eax);
}

/** MOV ECX, [gs:ECX*8 + offset] */
function entry(e: Emitter, offset: number): void {
  e.byte(0x65, 0x8b, 0x0c, 0xcd);
  e.word32(offset);
}
