// Time for unmodified guests of Xen's interface: vcpu_time_info in their shared_info, for their own time-stamp counter, and a
// timer whose event is VIRQ_TIMER. Xen offers both to such guests since 4.1 (hvm.c: set_timer_op, vcpu_op; a guest is told by
// XENFEAT_hvm_safe_pvclock); the calls are those of 3.0 (xen/common/schedule.c, public/vcpu.h).
import type { Timed } from '../../machine/devices/device.ts';
import { ERROR, VIRQ } from '../xen/abi.ts';
import type { EventChannels } from '../xen/event-channels.ts';
import type { XenGuest } from '../xen/guest.ts';
import { SystemTime } from '../xen/system-time.ts';
import type { EnlightenedGuest } from './seam.ts';

const VCPUOP = {
  isUp: 3,
  setPeriodicTimer: 6,
  stopPeriodicTimer: 7,
  setSingleshotTimer: 8,
  stopSingleshotTimer: 9,
} as const;
/** A moment that has passed is an error. */
const SINGLESHOT_FUTURE = 1;
/** Shorter periods are refused (a millisecond). */
const LEAST_PERIOD = 1e6;
const ENOENT = -2;
const ETIME = -62;
const TWO_32 = 2 ** 32;

export class HvmTime implements Timed {
  private readonly system: SystemTime;
  /** Cycles at which the timer, and the periodic one, are due. */
  private timer = Infinity;
  private periodic = Infinity;
  private period = 0;
  /** With which offset, and when, the guest was last told the time. */
  private toldOffset = Number.NaN;
  private toldAt = 0;

  constructor(
    private readonly guest: EnlightenedGuest,
    private readonly xen: XenGuest & { vcpuInfoOf(): number },
    private readonly events: EventChannels,
  ) {
    this.system = new SystemTime(guest.hypervisor.pc.cost.clockHz);
    this.publish();
    guest.board.attach(this);
  }

  /** Tells the time anew when the guest has set its counter, and once a second: then what rounding loses stays small. */
  beforeEntry(): void {
    const { hypervisor, tscOffset } = this.guest;
    if (tscOffset !== this.toldOffset || hypervisor.now - this.toldAt > hypervisor.pc.cost.clockHz)
      this.publish();
  }

  private publish(): void {
    const { hypervisor, tscOffset } = this.guest;
    const { now, pc } = hypervisor;
    this.toldOffset = tscOffset;
    this.toldAt = now;
    this.system.publish(pc.memory, this.xen.vcpuInfoOf(), now, Math.floor(now + tscOffset));
  }

  /** set_timer_op(low, high): nanoseconds of system time; 0 turns it off. */
  setTimer(low: number, high: number): number {
    const at = (high >>> 0) * TWO_32 + (low >>> 0);
    this.due(at === 0 ? Infinity : at);
    return 0;
  }

  /** A moment of the past is one right now. @param at nanoseconds */
  private due(at: number): void {
    this.timer = at === Infinity ? at : Math.max(this.guest.hypervisor.now + 1, this.system.cycles(at));
    this.guest.board.deadlineChanged();
  }

  /** vcpu_op(command, processor, argument). */
  vcpuOp(command: number, processor: number, argument: number): number {
    if (processor !== 0) return ENOENT;
    const { hypervisor, board } = this.guest;
    const read32 = (offset: number): number => this.xen.access.read32(this.xen, argument + offset) >>> 0;
    const read64 = (): number => read32(4) * TWO_32 + read32(0);
    switch (command) {
      case VCPUOP.isUp:
        return 1;
      case VCPUOP.setPeriodicTimer: {
        const period = read64();
        if (period < LEAST_PERIOD) return ERROR.inval;
        this.period = this.system.cycles(period);
        this.periodic = hypervisor.now + this.period;
        break;
      }
      case VCPUOP.stopPeriodicTimer:
        this.periodic = Infinity;
        break;
      case VCPUOP.setSingleshotTimer: {
        const at = read64();
        if (read32(8) & SINGLESHOT_FUTURE && at < this.system.nanoseconds(hypervisor.now)) return ETIME;
        this.due(at);
        break;
      }
      case VCPUOP.stopSingleshotTimer:
        this.due(Infinity);
        break;
      default:
        return ERROR.nosys;
    }
    board.deadlineChanged();
    return 0;
  }

  nextDeadline(): number {
    return Math.min(this.timer, this.periodic);
  }

  /** Periods that passed while others ran are one event. */
  advance(now: number): void {
    if (this.timer <= now) this.timer = Infinity;
    if (this.periodic <= now)
      this.periodic += this.period * (Math.floor((now - this.periodic) / this.period) + 1);
    this.events.raiseVirq(this.guest.vcpu, this.xen, VIRQ.timer);
  }
}
