// vcpu_op(command, processor, argument) and sched_op's poll: the one virtual processor of a guest, its runstate and its
// timers (xen/common/domain.c, xen/arch/x86/domain.c, xen/common/schedule.c).
import { ERROR, SHARED_INFO } from '../abi.ts';
import type { HypercallRequest } from '../extensions.ts';
import { GUEST_FAULT } from '../guest-access.ts';
import type { HypercallServices } from '../hypercalls.ts';
import { TYPE } from '../layout.ts';
import type { PvDomain } from '../pv-domain.ts';
import { ENOENT, ETIME, VCPUOP } from './numbers.ts';

const TWO_32 = 2 ** 32;
const SINGLESHOT_FUTURE = 1;
/** Shorter periods are refused, as by Xen (a millisecond). */
const LEAST_PERIOD_NS = 1e6;
/** Bytes of struct vcpu_info. */
const VCPU_INFO_SIZE = 64;
const MAX_POLL = 128;

const read64 = ({ access, pv }: HypercallRequest, at: number): number =>
  (access.read32(pv, at + 4) >>> 0) * TWO_32 + (access.read32(pv, at) >>> 0);

/** Writes struct vcpu_runstate_info {int state; u64 entry_time; u64 time[4]}, packed as i386 does. */
function putRunstate({ hypervisor, access, time }: HypercallServices, pv: PvDomain, at: number): void {
  const put64 = (offset: number, cycles: number) => {
    const ns = time.nanoseconds(cycles);
    access.write32(pv, at + offset, ns | 0);
    access.write32(pv, at + offset + 4, Math.floor(ns / TWO_32) | 0);
  };
  const times = [...pv.runstateTimes];
  times[pv.runstate] += hypervisor.now - pv.runstateSince;
  access.write32(pv, at, pv.runstate);
  put64(4, pv.runstateSince);
  times.forEach((cycles, n) => put64(12 + n * 8, cycles));
}

/** What a guest registered, to be taken back when it registers another. */
const areas = new WeakMap<PvDomain, () => void>();

/** The same whenever the guest gets the processor: at an address of its own, which may be gone by then. */
function registerRunstateArea(request: HypercallRequest): number {
  const { access, pv, a } = request;
  const at = access.read32(pv, a[2]);
  const publish = () => {
    try {
      putRunstate(request, pv, at);
    } catch (error) {
      if (error !== GUEST_FAULT) throw error;
    }
  };
  if (areas.get(pv)) pv.onLoad.delete(areas.get(pv)!);
  areas.set(pv, publish);
  if (!at) return 0;
  pv.onLoad.add(publish);
  publish();
  return 0;
}

/** {u64 mfn; u32 offset; u32}: vcpu_info moves there, once, and stays. */
function registerVcpuInfo({ hypervisor, access, tables, pv, a }: HypercallRequest): number {
  const frame = access.read32(pv, a[2]) >>> 0;
  const offset = access.read32(pv, a[2] + 8) >>> 0;
  if (pv.vcpuInfo !== pv.sharedInfo || access.read32(pv, a[2] + 4)) return ERROR.inval;
  if (offset > 4096 - VCPU_INFO_SIZE || offset % 4) return ERROR.inval;
  if (!tables.types.take(pv, frame, TYPE.writable)) return ERROR.inval;
  const { memory } = hypervisor.pc;
  const to = frame * 4096 + offset;
  for (let n = 0; n < VCPU_INFO_SIZE; n += 4) memory.write32(to + n, memory.read32(pv.vcpuInfo + n));
  pv.vcpuInfo = to;
  // Whatever happened in between: the guest shall look at all its ports.
  memory.write32(to + SHARED_INFO.pendingSelector, -1);
  memory.write8(to + SHARED_INFO.upcallPending, 1);
  return 0;
}

export function vcpuOperation(request: HypercallRequest): number {
  const { hypervisor, time, pv, a } = request;
  // There is one processor; others are nobody (-ENOENT).
  if (a[1] !== 0) return ENOENT;
  switch (a[0]) {
    case VCPUOP.isUp:
      return 1;
    case VCPUOP.initialise:
      // The one that there is was initialised by the domain builder.
      return ERROR.exist;
    case VCPUOP.up:
      return 0;
    case VCPUOP.down:
      // It would never come up again: there is no other processor to bring it.
      return ERROR.inval;
    case VCPUOP.getRunstateInfo:
      putRunstate(request, pv, a[2]);
      return 0;
    case VCPUOP.registerRunstateArea:
      return registerRunstateArea(request);
    case VCPUOP.setPeriodicTimer: {
      const ns = read64(request, a[2]);
      if (ns < LEAST_PERIOD_NS) return ERROR.inval;
      pv.period = Math.ceil((ns * hypervisor.pc.cost.clockHz) / 1e9);
      pv.nextTick = hypervisor.now + pv.period;
      return 0;
    }
    case VCPUOP.stopPeriodicTimer:
      pv.period = pv.nextTick = Infinity;
      return 0;
    case VCPUOP.setSingleshotTimer: {
      const at = read64(request, a[2]);
      const flags = request.access.read32(pv, a[2] + 8);
      if (flags & SINGLESHOT_FUTURE && at < time.nanoseconds(hypervisor.now)) return ETIME;
      // Absolute time 0 is the past here, not "off".
      return time.setTimer(pv, Math.max(at, 1) | 0, Math.floor(at / TWO_32));
    }
    case VCPUOP.stopSingleshotTimer:
      pv.timer = Infinity;
      return 0;
    case VCPUOP.registerVcpuInfo:
      return registerVcpuInfo(request);
    case VCPUOP.sendNmi:
      return 0;
    default:
      return ERROR.nosys;
  }
}

/** sched_op(poll, {ports, count, u64 timeout}): sleeps until one of the ports is pending, masked or not, or until then. */
export function schedulePoll(request: HypercallRequest): number {
  const { hypervisor, access, pv, a, resume } = request;
  if (a[0] !== 3) return ERROR.nosys;
  const list = access.read32(pv, a[1]);
  const count = access.read32(pv, a[1] + 4) >>> 0;
  const timeout = read64(request, a[1] + 8);
  if (count > MAX_POLL) return ERROR.inval;
  const ports: number[] = [];
  for (let n = 0; n < count; n++) ports.push(access.read32(pv, list + n * 4) >>> 0);
  if (ports.some((port) => port >= 1024)) return ERROR.inval;
  const { memory } = hypervisor.pc;
  const pending = () =>
    ports.some(
      (port) =>
        memory.read32(pv.sharedInfo + SHARED_INFO.evtchnPending + (port >>> 5) * 4) & (1 << (port & 31)),
    );
  const until = timeout ? Math.ceil((timeout * hypervisor.pc.cost.clockHz) / 1e9) : Infinity;
  if (pending() || until <= hypervisor.now) return 0;
  const events = () => pv.upcallPending && !pv.upcallMask;
  pv.polling = { until, ready: () => pending() || events() || hypervisor.now >= until };
  resume('block');
  return 0;
}
