// Time of a paravirtualized guest: vcpu_time_info in shared_info (version, TSC stamp, nanoseconds, scale), the 100 Hz
// tick that Xen sends to whoever runs, and the one-shot timer of set_timer_op (xen/arch/x86/time.c, xen/common/schedule.c).
import type { Hypervisor } from '../hypervisor.ts';
import type { EventChannels } from '../xen/event-channels.ts';
import { SHARED_INFO, VIRQ } from './abi.ts';
import type { PvDomain } from './pv-domain.ts';

const TICKS_PER_SECOND = 100;
const TWO_32 = 2 ** 32;

export class PvTime {
  /** (delta << shift) * multiplier >> 32 = nanoseconds. */
  private readonly shift: number;
  private readonly multiplier: number;
  private readonly tick: number;

  constructor(
    private readonly hypervisor: Hypervisor,
    private readonly events: EventChannels,
  ) {
    let scale = 1e9 / hypervisor.pc.cost.clockHz;
    let shift = 0;
    while (scale >= 1) {
      scale /= 2;
      shift++;
    }
    while (scale < 0.5) {
      scale *= 2;
      shift--;
    }
    this.shift = shift;
    this.multiplier = Math.min(TWO_32 - 1, Math.round(scale * TWO_32));
    this.tick = Math.round(hypervisor.pc.cost.clockHz / TICKS_PER_SECOND);
  }

  /** Nanoseconds since the host started. */
  nanoseconds(cycles: number): number {
    return Math.floor((cycles * 1e9) / this.hypervisor.pc.cost.clockHz);
  }

  /** Writes vcpu_time_info; its version is odd while it changes. */
  publish(pv: PvDomain): void {
    const { memory } = this.hypervisor.pc;
    const at = pv.vcpuInfo;
    const version = memory.read32(at + SHARED_INFO.timeVersion);
    const now = this.hypervisor.now;
    const system = this.nanoseconds(now);
    memory.write32(at + SHARED_INFO.timeVersion, version | 1);
    memory.write32(at + SHARED_INFO.tscTimestamp, now | 0);
    memory.write32(at + SHARED_INFO.tscTimestamp + 4, Math.floor(now / TWO_32));
    memory.write32(at + SHARED_INFO.systemTime, system | 0);
    memory.write32(at + SHARED_INFO.systemTime + 4, Math.floor(system / TWO_32));
    memory.write32(at + SHARED_INFO.tscMultiplier, this.multiplier | 0);
    memory.write8(at + SHARED_INFO.tscShift, this.shift & 0xff);
    memory.write32(at + SHARED_INFO.timeVersion, (version | 1) + 1);
  }

  /** set_timer_op(low, high): absolute nanoseconds; 0 turns it off. */
  setTimer(pv: PvDomain, low: number, high: number): number {
    const at = (high >>> 0) * TWO_32 + (low >>> 0);
    pv.timer =
      at === 0
        ? Infinity
        : Math.max(this.hypervisor.now + 1, Math.ceil((at * this.hypervisor.pc.cost.clockHz) / 1e9));
    return 0;
  }

  /** The guest gets the processor: its periodic tick counts from now if it was off. */
  start(pv: PvDomain): void {
    if (pv.nextTick === Infinity) pv.nextTick = this.hypervisor.now + (pv.period || this.tick);
  }

  /** It gives the processor up by blocking: Xen 3.0 ticks only who runs. */
  stop(pv: PvDomain): void {
    pv.nextTick = Infinity;
  }

  nextDeadline(pv: PvDomain): number {
    return Math.min(pv.nextTick, pv.timer);
  }

  /** Sends VIRQ_TIMER for what is due. Ticks that were missed while others ran are one tick. */
  advance(pv: PvDomain, now: number): void {
    const vcpu = pv.domain.vcpus[0];
    if (pv.nextTick > now && pv.timer > now) return;
    if (pv.timer <= now) pv.timer = Infinity;
    while (pv.nextTick <= now) pv.nextTick += pv.period || this.tick;
    this.events.raiseVirq(vcpu, pv, VIRQ.timer);
  }
}
