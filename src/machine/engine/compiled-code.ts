// The bytes that a region was compiled from: a page whose code changes elsewhere keeps what was compiled of it.
import type { PhysicalMemory } from '../memory/physical-memory.ts';
import type { Region } from './region.ts';

const PAGE = 4096;

export class CompiledCode {
  /** Runs of instructions without a gap: offset in the page, length, offset, length … in ascending order. */
  private readonly runs: number[] = [];
  private readonly bytes: Uint8Array;

  /** @param frame physical page that the region lies in */
  constructor(memory: PhysicalMemory, frame: number, region: Region) {
    const covered = new Uint8Array(PAGE);
    const cover = ({ at, i }: { at: number; i: { length: number } }) => covered.fill(1, at, at + i.length);
    for (const { steps, leaving } of region.blocks.values()) {
      steps.forEach(cover);
      if (leaving.kind !== 'stop' && leaving.step) cover(leaving.step);
    }
    for (let at = 0; at < PAGE; ) {
      const begin = at;
      while (at < PAGE && covered[at]) at++;
      if (at > begin) this.runs.push(begin, at - begin);
      else at++;
    }
    this.bytes = memory.bytes.slice(frame * PAGE, (frame + 1) * PAGE);
  }

  /** Whether all these bytes are in the frame now. */
  stands({ bytes }: PhysicalMemory, frame: number): boolean {
    const base = frame * PAGE;
    for (let n = 0; n < this.runs.length; n += 2) {
      const begin = this.runs[n];
      for (let at = begin; at < begin + this.runs[n + 1]; at++)
        if (bytes[base + at] !== this.bytes[at]) return false;
    }
    return true;
  }

  /** Says that they are code. */
  mark(memory: PhysicalMemory, frame: number): void {
    for (let n = 0; n < this.runs.length; n += 2)
      memory.markCode(frame * PAGE + this.runs[n], this.runs[n + 1]);
  }
}
