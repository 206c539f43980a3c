// Time of a paravirtualized guest: vcpu_time_info in shared_info (version, TSC stamp, nanoseconds, scale), the 100 Hz
// tick that Xen sends to whoever runs, and the one-shot timer of set_timer_op (xen/arch/x86/time.c, xen/common/schedule.c).
import type { Hypervisor } from '../hypervisor.ts';
import type { EventChannels } from '../xen/event-channels.ts';
import { SystemTime } from '../xen/system-time.ts';
import { VIRQ } from './abi.ts';
import type { PvDomain } from './pv-domain.ts';
import type { PvVcpu } from './pv-vcpu.ts';

const TICKS_PER_SECOND = 100;
const TWO_32 = 2 ** 32;

export class PvTime {
  private readonly system: SystemTime;
  private readonly tick: number;

  constructor(
    private readonly hypervisor: Hypervisor,
    private readonly events: EventChannels,
  ) {
    this.system = new SystemTime(hypervisor.pc.cost.clockHz);
    this.tick = Math.round(hypervisor.pc.cost.clockHz / TICKS_PER_SECOND);
  }

  /** Nanoseconds since the host started. */
  nanoseconds(cycles: number): number {
    return this.system.nanoseconds(cycles);
  }

  /** Writes vcpu_time_info. */
  publish(v: PvVcpu): void {
    const { now, pc } = this.hypervisor;
    this.system.publish(pc.memory, v.vcpuInfo, now, now);
  }

  /** set_timer_op(low, high): absolute nanoseconds; 0 turns it off. */
  setTimer(v: PvVcpu, low: number, high: number): number {
    const at = (high >>> 0) * TWO_32 + (low >>> 0);
    v.timer = at === 0 ? Infinity : Math.max(this.hypervisor.now + 1, this.system.cycles(at));
    return 0;
  }

  /** The guest gets the processor: its periodic tick counts from now if it was off. */
  start(v: PvVcpu): void {
    if (v.nextTick === Infinity) v.nextTick = this.hypervisor.now + (v.period || this.tick);
  }

  /** It gives the processor up by blocking: Xen 3.0 ticks only who runs. */
  stop(v: PvVcpu): void {
    v.nextTick = Infinity;
  }

  nextDeadline(v: PvVcpu): number {
    return Math.min(v.nextTick, v.timer);
  }

  /** Sends VIRQ_TIMER for what is due. Ticks that were missed while others ran are one tick. */
  advance(pv: PvDomain, v: PvVcpu, now: number): void {
    if (v.nextTick > now && v.timer > now) return;
    if (v.timer <= now) v.timer = Infinity;
    while (v.nextTick <= now) v.nextTick += v.period || this.tick;
    this.events.raiseVirq(v.vcpu, pv, VIRQ.timer);
  }
}
