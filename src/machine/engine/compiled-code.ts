// The bytes that a region was compiled from: a page whose code changes elsewhere keeps what was compiled of it.
import type { PhysicalMemory } from '../memory/physical-memory.ts';
import { type Region, stepsOf } from './region.ts';

const PAGE = 4096;

export class CompiledCode {
  /** Runs of instructions without a gap: offset in the page, length, offset, length … in ascending order. */
  private readonly runs: number[] = [];
  private readonly bytes: Uint8Array;

  /** @param frame physical page that the region lies in */
  constructor(memory: PhysicalMemory, frame: number, region: Region) {
    const covered = new Uint8Array(PAGE);
    for (const { at, i } of stepsOf(region)) covered.fill(1, at, at + i.length);
    for (let at = 0; at < PAGE; ) {
      const begin = at;
      while (at < PAGE && covered[at]) at++;
      if (at > begin) this.runs.push(begin, at - begin);
      else at++;
    }
    this.bytes = new Uint8Array(this.runs.reduce((sum, value, n) => sum + (n & 1 ? value : 0), 0));
    this.eachRun((begin, length, place) => {
      const from = frame * PAGE + begin;
      this.bytes.set(memory.bytes.subarray(from, from + length), place);
      return true;
    });
  }

  /** Whether all these bytes are in the frame now. */
  stands({ bytes }: PhysicalMemory, frame: number): boolean {
    return this.eachRun((begin, length, place) => {
      const from = frame * PAGE + begin;
      for (let n = 0; n < length; n++) if (bytes[from + n] !== this.bytes[place + n]) return false;
      return true;
    });
  }

  /** Says that they are code. */
  mark(memory: PhysicalMemory, frame: number): void {
    this.eachRun((begin, length) => {
      memory.markCode(frame * PAGE + begin, length);
      return true;
    });
  }

  /** For each run: offset, length, place in `bytes`. Ends with the first one for which `what` is false. */
  private eachRun(what: (begin: number, length: number, place: number) => boolean): boolean {
    const { runs } = this;
    for (let n = 0, place = 0; n < runs.length; place += runs[n + 1], n += 2)
      if (!what(runs[n], runs[n + 1], place)) return false;
    return true;
  }
}
