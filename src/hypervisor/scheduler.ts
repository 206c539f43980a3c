// Round robin over runnable virtual processors on one physical processor. A woken one runs next (as Xen's credit
// scheduler boosts it), so that interrupts are not late behind a computing neighbour.
import type { Vcpu } from './domain.ts';

/** Time slice in seconds (SOSP 2003, §3.3.1: 5 ms). */
export const SLICE_SECONDS = 0.005;

export class Scheduler {
  private readonly queue: Vcpu[] = [];

  add(vcpu: Vcpu): void {
    if (!this.queue.includes(vcpu)) this.queue.push(vcpu);
  }

  remove(vcpu: Vcpu): void {
    const at = this.queue.indexOf(vcpu);
    if (at >= 0) this.queue.splice(at, 1);
  }

  /** It waited and is runnable now: it goes to the head. */
  wake(vcpu: Vcpu): void {
    this.remove(vcpu);
    this.queue.unshift(vcpu);
    vcpu.state = 'runnable';
  }

  /** Its slice is over: it goes to the tail. */
  expire(vcpu: Vcpu): void {
    this.remove(vcpu);
    this.queue.push(vcpu);
  }

  /** The first that can run, or null. Does not take it out. */
  head(): Vcpu | null {
    for (const vcpu of this.queue)
      if (vcpu.state === 'runnable' && vcpu.domain.state === 'running') return vcpu;
    return null;
  }
}
