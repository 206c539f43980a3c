// What the monitor knows about a piece of translated code: which original instruction each byte in the cache stands for. That
// is what makes exceptions precise, and the cache invisible.
import type { Instruction } from '../../machine/isa/instruction.ts';
import type { TranslatedPart } from '../inspection.ts';

/** What stands in the cache for one original instruction, or a stub at the end of a block. */
export interface Part {
  /** EIP of the original: where the guest stands while this runs. */
  readonly guest: number;
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
  /** Vector of the exception that is raised here, because there is no instruction; else -1. */
  fault: number;
}

/** A way from one block to another: a call-out, until it is patched into a jump. */
export interface Exit {
  readonly block: Block;
  readonly part: Part;
  /** Guest EIP. */
  readonly target: number;
  /** Block that the jump leads to now. */
  chained: Block | null;
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
