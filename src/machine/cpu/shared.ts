// What a processor shares with compiled code, at fixed places of its block in the buffer of memory (memory/store.ts).
import type { PhysicalMemory } from '../memory/physical-memory.ts';
import { SHARED_BYTES } from '../memory/store.ts';

/** Offsets in the block. */
export const Shared = {
  regs: 0,
  /** Words in which compiled code leaves flags, counters and EIP. */
  state: 0x40,
  /** The entries of the TLB (tlb.ts). */
  tlb: 0x1000,
  /** Ways from one compiled region to another (engine/links.ts). */
  links: 0x9000,
  /** What compiled code knows of gates and returns (engine/transfers.ts), and where it notes those it has gone through. */
  gates: 0xd000,
  returns: 0xe000,
  log: 0xe800,
  /** When the entries of the TLB were made, as doubles; and with which global ones. */
  epochs: 0xf000,
  globalEpochs: 0x11000,
  /** Which address space each entry is of, or was: bytes, `TlbContext.number`. */
  owners: 0x13000,
} as const;
/** Words at `Shared.state`. */
export const STATE_WORDS = 64;

export interface SharedBlock {
  readonly buffer: ArrayBuffer;
  readonly base: number;
}

/** The block of the next processor on this memory; one of its own, out of reach of compiled code, when all are taken. */
export function sharedBlock(memory: PhysicalMemory): SharedBlock & { readonly compiled: boolean } {
  const base = memory.takeShared();
  if (base < 0) return { buffer: new ArrayBuffer(SHARED_BYTES), base: 0, compiled: false };
  return { buffer: memory.store.buffer, base, compiled: memory.store.wasm !== null };
}
