// How blocks lead to each other without the monitor (Adams & Agesen 2006, §3.1): a way out is a call-out until the block that it
// leads to exists, then a jump; a return or an indirect jump learns two places that it leads to. All of it is patched into code
// that runs, so it is done early, and converges.
import type { Block, Exit, Search } from './block.ts';
import { CALL_OUT_STUB } from './routines.ts';

export class Chains {
  /** Ways out of live blocks to where nothing is translated yet, by EIP. */
  private readonly waiting = new Map<number, Set<Exit>>();

  /** @param write puts bytes at an offset of the cache */
  constructor(private readonly write: (offset: number, bytes: ArrayLike<number>) => void) {}

  /** A new block lies in the cache: what leads there, and where it leads, is chained. @param find the live block that begins at an EIP */
  inserted(block: Block, find: (eip: number) => Block | undefined): void {
    for (const { exit } of block.parts) {
      const to = exit && find(exit.target);
      if (to) this.chain(exit, to);
      else if (exit) this.wait(exit);
    }
    for (const exit of this.waiting.get(block.guest | 0) ?? []) this.chain(exit, block);
  }

  /** A block is not live any more: nothing leads there. */
  dropped(block: Block): void {
    for (const exit of block.incoming) this.unchain(exit);
    for (const { exit } of block.parts) {
      if (exit?.chained) exit.chained.incoming.delete(exit);
      else if (exit) this.waitNoMore(exit);
    }
  }

  /** Patches the way out of a block into a jump, and the conditional jump that leads there. */
  chain(exit: Exit, to: Block): void {
    if (exit.chained || !exit.block.live || !to.live) return;
    this.waitNoMore(exit);
    exit.chained = to;
    to.incoming.add(exit);
    exit.part.how = 'chained';
    const at = exit.part.cache;
    this.write(at, [0xe9]);
    this.aim(at + 1, to.cache);
    if (exit.branch >= 0) this.aim(exit.branch, to.cache);
  }

  private unchain(exit: Exit): void {
    exit.chained = null;
    exit.part.how = 'call-out';
    this.write(exit.part.cache, CALL_OUT_STUB);
    if (exit.branch >= 0) this.aim(exit.branch, exit.part.cache);
    if (exit.block.live) this.wait(exit);
  }

  /** A return or an indirect jump has led to this block: it does so by itself from now on. */
  learn(search: Search, to: Block): void {
    const { slots, displacements, learned } = search;
    const exit = slots[learned];
    if (!search.block.live || !exit || exit.chained) return;
    search.learned++;
    this.waitNoMore(exit);
    exit.target = exit.part.guest = to.guest;
    const [first, second] = slots;
    if (learned === 0) this.write32(displacements[0], -first.target);
    else {
      this.write32(displacements[2], second.target);
      this.aim(search.jump, search.table);
    }
    this.write32(displacements[1], first.target - second.target);
    this.chain(exit, to);
  }

  /** The displacement at this offset leads to another offset. */
  private aim(at: number, to: number): void {
    this.write32(at, to - (at + 4));
  }

  private wait(exit: Exit): void {
    const others = this.waiting.get(exit.target);
    if (others) others.add(exit);
    else this.waiting.set(exit.target, new Set([exit]));
  }

  private waitNoMore(exit: Exit): void {
    const others = this.waiting.get(exit.target);
    if (others?.delete(exit) && others.size === 0) this.waiting.delete(exit.target);
  }

  private write32(offset: number, value: number): void {
    this.write(
      offset,
      [0, 8, 16, 24].map((shift) => (value >>> shift) & 0xff),
    );
  }
}
