// vcpu_op(command, processor, argument) and sched_op's poll: the virtual processors of a guest, their runstates and timers
// (xen/common/domain.c, xen/arch/x86/domain.c, xen/common/schedule.c).
import { ERROR, SHARED_INFO, VCPU_INFO_SIZE } from '../abi.ts';
import type { HypercallRequest } from '../extensions.ts';
import { GUEST_FAULT } from '../guest-access.ts';
import { TYPE } from '../layout.ts';
import { type PvVcpu, RUNSTATE } from '../pv-vcpu.ts';
import { ENOENT, ETIME, VCPUOP } from './numbers.ts';
import { initialise } from './vcpu-context.ts';

const TWO_32 = 2 ** 32;
const SINGLESHOT_FUTURE = 1;
/** Shorter periods are refused, as by Xen (a millisecond). */
const LEAST_PERIOD_NS = 1e6;
const MAX_POLL = 128;
/** XEN_LEGACY_MAX_VCPUS: as many as shared_info has room for. */
const MAX_VIRT_CPUS = 32;

const read64 = ({ access, pv }: HypercallRequest, at: number): number =>
  (access.read32(pv, at + 4) >>> 0) * TWO_32 + (access.read32(pv, at) >>> 0);

/** Writes struct vcpu_runstate_info {int state; u64 entry_time; u64 time[4]}, packed as i386 does. */
function putRunstate({ hypervisor, access, time, pv }: HypercallRequest, v: PvVcpu, at: number): void {
  const put64 = (offset: number, cycles: number) => {
    const ns = time.nanoseconds(cycles);
    access.write32(pv, at + offset, ns | 0);
    access.write32(pv, at + offset + 4, Math.floor(ns / TWO_32) | 0);
  };
  const times = [...v.runstateTimes];
  times[v.runstate] += hypervisor.now - v.runstateSince;
  access.write32(pv, at, v.runstate);
  put64(4, v.runstateSince);
  times.forEach((cycles, n) => put64(12 + n * 8, cycles));
}

/** What was registered, to be taken back when another is. */
const areas = new WeakMap<PvVcpu, () => void>();

/** The same whenever it gets the processor: at an address of its own, which may be gone by then. */
function registerRunstateArea(request: HypercallRequest, v: PvVcpu): number {
  const { access, pv, a } = request;
  const at = access.read32(pv, a[2]);
  const publish = () => {
    try {
      putRunstate(request, v, at);
    } catch (error) {
      if (error !== GUEST_FAULT) throw error;
    }
  };
  if (areas.get(v)) v.onLoad.delete(areas.get(v)!);
  areas.set(v, publish);
  if (!at) return 0;
  v.onLoad.add(publish);
  publish();
  return 0;
}

/** {u64 mfn; u32 offset; u32}: vcpu_info moves there, once, and stays. */
function registerVcpuInfo({ hypervisor, access, tables, pv, a }: HypercallRequest, v: PvVcpu): number {
  const frame = access.read32(pv, a[2]) >>> 0;
  const offset = access.read32(pv, a[2] + 8) >>> 0;
  if (v.vcpuInfo >>> 12 !== pv.sharedInfo >>> 12 || access.read32(pv, a[2] + 4)) return ERROR.inval;
  if (offset > 4096 - VCPU_INFO_SIZE || offset % 4) return ERROR.inval;
  if (!tables.types.take(pv, frame, TYPE.writable)) return ERROR.inval;
  const { memory } = hypervisor.pc;
  const to = frame * 4096 + offset;
  for (let n = 0; n < VCPU_INFO_SIZE; n += 4) memory.write32(to + n, memory.read32(v.vcpuInfo + n));
  v.vcpuInfo = to;
  // Whatever happened in between: the guest shall look at all its ports.
  memory.write32(to + SHARED_INFO.pendingSelector, -1);
  memory.write8(to + SHARED_INFO.upcallPending, 1);
  return 0;
}

/** It may run from now on. */
function bringUp({ hypervisor }: HypercallRequest, v: PvVcpu): number {
  if (!v.initialised) return ERROR.inval;
  if (v.up) return 0;
  v.up = true;
  v.enterRunstate(RUNSTATE.runnable, hypervisor.now);
  hypervisor.wake(v.vcpu);
  return 0;
}

/** It runs no more until another brings it up: so one of them has to stay. */
function takeDown({ hypervisor, pv, time, resume }: HypercallRequest, v: PvVcpu): number {
  if (!v.up) return 0;
  if (pv.vcpus.every((other) => other === v || !other.up)) return ERROR.inval;
  v.up = false;
  v.polling = null;
  time.stop(v);
  if (v === pv.current) resume('block');
  else {
    v.vcpu.state = 'blocked';
    v.enterRunstate(RUNSTATE.offline, hypervisor.now);
  }
  return 0;
}

export function vcpuOperation(request: HypercallRequest): number {
  const { hypervisor, time, pv, a } = request;
  if (a[1] >>> 0 >= MAX_VIRT_CPUS) return ERROR.inval;
  const v = pv.vcpus[a[1]];
  if (!v) return ENOENT;
  switch (a[0]) {
    case VCPUOP.initialise:
      return v.initialised ? ERROR.exist : initialise(request, v, a[2]);
    case VCPUOP.up:
      return bringUp(request, v);
    case VCPUOP.down:
      return takeDown(request, v);
    case VCPUOP.isUp:
      return v.up ? 1 : 0;
    case VCPUOP.getRunstateInfo:
      putRunstate(request, v, a[2]);
      return 0;
    case VCPUOP.registerRunstateArea:
      return registerRunstateArea(request, v);
    case VCPUOP.registerVcpuInfo:
      return registerVcpuInfo(request, v);
    case VCPUOP.sendNmi:
      return 0;
    case VCPUOP.setPeriodicTimer:
    case VCPUOP.stopPeriodicTimer:
    case VCPUOP.setSingleshotTimer:
    case VCPUOP.stopSingleshotTimer:
      // Each sets its own.
      if (v !== pv.current) return ERROR.inval;
      break;
    default:
      return ERROR.nosys;
  }
  switch (a[0]) {
    case VCPUOP.setPeriodicTimer: {
      const ns = read64(request, a[2]);
      if (ns < LEAST_PERIOD_NS) return ERROR.inval;
      v.period = Math.ceil((ns * hypervisor.pc.cost.clockHz) / 1e9);
      v.nextTick = hypervisor.now + v.period;
      return 0;
    }
    case VCPUOP.stopPeriodicTimer:
      v.period = v.nextTick = Infinity;
      return 0;
    case VCPUOP.setSingleshotTimer: {
      const at = read64(request, a[2]);
      const flags = request.access.read32(pv, a[2] + 8);
      if (flags & SINGLESHOT_FUTURE && at < time.nanoseconds(hypervisor.now)) return ETIME;
      // Absolute time 0 is the past here, not "off".
      return time.setTimer(v, Math.max(at, 1) | 0, Math.floor(at / TWO_32));
    }
    default:
      v.timer = Infinity;
      return 0;
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
  const v = pv.current;
  const events = () => v.upcallPending && !v.upcallMask;
  v.polling = { until, ready: () => pending() || events() || hypervisor.now >= until };
  resume('block');
  return 0;
}
