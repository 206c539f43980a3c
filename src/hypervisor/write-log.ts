// Which of a guest's frames have been written to: the dirty log of live migration, and the frames of which every write has
// to be seen (descriptor tables that have a shadow). Write protection in the shadow page tables is what makes it true.
import type { GuestControl, GuestWalk } from './guest-walk.ts';
import type { ShadowPages } from './shadow-pages.ts';

const CR0_PG = 0x80000000;

export class WriteLog {
  /** Frames written since the log was last taken; null while nobody wants to know. */
  private dirty: Uint8Array | null = null;
  /** By how many a frame is traced. */
  private readonly traced: Uint16Array;
  /** Told when the hypervisor or a device itself writes to a traced frame: the guest-physical address, or -1 with a frame when it is anywhere in it. */
  onTraced: ((physical: number, frame: number) => void) | null = null;

  constructor(
    private readonly pages: ShadowPages,
    private readonly frames: number,
  ) {
    this.traced = new Uint16Array(frames);
  }

  /** From now on no write to this frame goes unseen: `ShadowPaging.pageFault` says `traced`. Counted: each `on` needs its `off`. */
  traceFrame(frame: number, on: boolean): void {
    if (frame >= this.frames) return;
    this.traced[frame] += on ? 1 : -1;
    if (on) this.pages.writeProtect(frame);
  }

  isTraced(frame: number): boolean {
    return this.traced[frame] !== 0;
  }

  /** Whether the processor may write to the frame without asking. */
  mayWrite(frame: number): boolean {
    return this.traced[frame] === 0 && (this.dirty === null || this.dirty[frame] === 1);
  }

  /** The hypervisor or a device writes to a traced frame. @param physical -1 when it is not known where in the frame */
  tell(physical: number, frame: number): void {
    this.onTraced?.(physical, frame);
  }

  /** A frame has been, or is about to be, written to. */
  note(frame: number): void {
    if (this.dirty && frame < this.frames) this.dirty[frame] = 1;
  }

  /** The walk may have set accessed or dirty bits: for a dirty log these are writes to the tables' frames. */
  noteWalk(control: GuestControl, walker: GuestWalk): void {
    if (!this.dirty || !(control.cr0 & CR0_PG)) return;
    this.note(control.cr3 >>> 12);
    if (!walker.large) this.note(walker.pde >>> 12);
  }

  /** From now on the first write to each page is noted (live migration, SOSP'03-style checkpoints). */
  startDirtyLog(): void {
    this.dirty = new Uint8Array(this.frames);
    for (let frame = 0; frame < this.frames; frame++) this.pages.writeProtect(frame);
  }

  /** Frames written since the log began or was last taken (1 = written); the log goes on empty. */
  takeDirtyLog(): Uint8Array {
    if (!this.dirty) throw new Error('no dirty log was started');
    const taken = this.dirty.slice();
    this.dirty.fill(0);
    for (let frame = 0; frame < taken.length; frame++) if (taken[frame]) this.pages.writeProtect(frame);
    return taken;
  }

  stopDirtyLog(): void {
    this.dirty = null;
  }
}
