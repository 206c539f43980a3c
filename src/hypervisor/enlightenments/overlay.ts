// Pages of the hypervisor's that lie over a guest's own: while one is there the guest reads it, when it goes the guest's
// bytes are there as they were (TLFS, "GPA Overlay Pages").
import type { PcGuest } from '../platform/pc-guest.ts';

const PAGE = 4096;

export class OverlayPage {
  private frame = -1;
  private kept: Uint8Array | null = null;

  constructor(private readonly guest: PcGuest) {}

  /** Guest frame that it lies over, or -1. */
  get at(): number {
    return this.frame;
  }

  /** Lays the page over a guest frame. False when the guest has no memory there. */
  place(frame: number, content: Uint8Array): boolean {
    const { memory } = this.guest.domain;
    if (frame >= memory.pages || memory.p2m[frame] < 0) return false;
    if (this.frame !== frame) {
      this.remove();
      const { bytes } = memory.frames.memory;
      this.kept = bytes.slice(memory.p2m[frame] * PAGE, memory.p2m[frame] * PAGE + PAGE);
      this.frame = frame;
    }
    const page = new Uint8Array(PAGE);
    page.set(content);
    this.write(page);
    return true;
  }

  remove(): void {
    if (this.kept && this.frame >= 0) this.write(this.kept);
    this.frame = -1;
    this.kept = null;
  }

  private write(page: Uint8Array): void {
    const { memory } = this.guest.domain;
    if (memory.p2m[this.frame] < 0) return;
    memory.load(this.frame * PAGE, page);
    memory.onDeviceWrite?.(this.frame);
  }
}
