// What the monitor knows about a piece of translated code: which original instruction each byte in the cache stands for. That
// is what makes exceptions precise, and the cache invisible.
import type { Instruction } from '../../machine/isa/instruction.ts';
import type { TranslatedPart } from '../inspection.ts';

/** What stands in the cache for one original instruction, or a stub at the end of a block. */
export interface Part {
  /** EIP of the original: where the guest stands while this runs. */
  guest: number;
  /** Bytes of the original; 0 for a stub. */
  readonly length: number;
  /** Offset in the cache. */
  readonly cache: number;
  cacheLength: number;
  how: TranslatedPart['how'];
  /** The original; null for a stub. */
  readonly instruction: Instruction | null;
  /** Its first byte is a boundary of original instructions: events may be taken there. */
  readonly boundary: boolean;
  /** No interrupt before the instruction that begins here: the one before was an STI. */
  shadowed: boolean;
  /** For stubs that lead to another block. */
  exit: Exit | null;
  /** For loads of segment registers: offset in the cache of minus the selector that may be loaded without asking; else -1. */
  expects: number;
  /** How often that was set. */
  learned: number;
  /** For the call-out of code that found its original changed. */
  changed: boolean;
  /** For the call-out of a search that may still learn where it leads. */
  search: Search | null;
  /** Vector of the exception that is raised here, because there is no instruction; else -1. */
  fault: number;
}

/** A way from one block to another: a call-out, until it is patched into a jump. */
export interface Exit {
  readonly block: Block;
  readonly part: Part;
  /** Guest EIP. */
  target: number;
  /** Offset in the cache of the displacement of a conditional jump that leads to the call-out; -1: what comes before runs into it. */
  readonly branch: number;
  /** Block that the jump leads to now. */
  chained: Block | null;
}

/**
 * What stands in the cache for a return or an indirect jump: its target is compared with two that it had before, then looked up
 * in the table (writer.ts, `search`). All numbers are offsets in the cache.
 */
export interface Search {
  readonly block: Block;
  /** Ways to the two blocks; EIP 0 as long as they are free. */
  readonly slots: readonly Exit[];
  learned: number;
  /** Displacements that hold minus the first target, the first minus the second, the second. */
  readonly displacements: readonly number[];
  /** Displacement of the jump that is taken when neither fits: to the call-out, and to the table once both are learned. */
  readonly jump: number;
  table: number;
}

export class Block {
  /** False once its code has changed under it: nothing leads to it any more, but it may still be running. */
  live = true;
  parts: Part[] = [];
  /** Jumps that were patched to lead here. */
  readonly incoming = new Set<Exit>();
  /** Call-outs from here. */
  callOuts = 0;
  adapted = false;
  /** Bytes and instructions of the original. */
  length = 0;
  instructions = 0;
  cacheLength = 0;

  constructor(
    /** EIP and linear address of the original. */
    readonly guest: number,
    readonly linear: number,
    /** Offset in the cache. */
    readonly cache: number,
  ) {}

  /** The part that an offset in the cache belongs to. */
  partAt(offset: number): number {
    const { parts } = this;
    let low = 0;
    let high = parts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      if (parts[middle].cache <= offset) low = middle;
      else high = middle - 1;
    }
    return low;
  }
}
