// Of which of a guest's frames every write has to be seen: descriptor tables that have a shadow, code that has been
// translated. Write protection in the shadow page tables is what makes it true.
import type { ShadowPages } from './shadow-pages.ts';

export class WriteLog {
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

  /** The hypervisor or a device writes to a traced frame. @param physical -1 when it is not known where in the frame */
  tell(physical: number, frame: number): void {
    this.onTraced?.(physical, frame);
  }
}
