// Xen's system time as guests read it: struct vcpu_time_info (xen.h) says how many nanoseconds had passed at a value of the
// time-stamp counter, and how to convert the cycles since; its version is odd while it changes (xen/arch/x86/time.c).
import type { PhysicalMemory } from '../../machine/memory/physical-memory.ts';
import { SHARED_INFO } from './abi.ts';

const TWO_32 = 2 ** 32;

export class SystemTime {
  /** (cycles << shift) * multiplier >> 32 = nanoseconds. */
  readonly shift: number;
  readonly multiplier: number;

  /** @param clockHz cycles of a second */
  constructor(private readonly clockHz: number) {
    let scale = 1e9 / clockHz;
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
  }

  /** Nanoseconds since the host started. @param cycles since then */
  nanoseconds(cycles: number): number {
    return Math.floor((cycles * 1e9) / this.clockHz);
  }

  /** The cycle by which so many nanoseconds have passed. */
  cycles(nanoseconds: number): number {
    return Math.ceil((nanoseconds * this.clockHz) / 1e9);
  }

  /**
   * Writes vcpu_time_info.
   * @param vcpuInfo machine address of the vcpu_info that has it
   * @param now the host's cycles
   * @param counter the guest's time-stamp counter at that moment
   */
  publish(memory: PhysicalMemory, vcpuInfo: number, now: number, counter: number): void {
    const version = memory.read32(vcpuInfo + SHARED_INFO.timeVersion);
    const system = this.nanoseconds(now);
    memory.write32(vcpuInfo + SHARED_INFO.timeVersion, version | 1);
    memory.write32(vcpuInfo + SHARED_INFO.tscTimestamp, counter | 0);
    memory.write32(vcpuInfo + SHARED_INFO.tscTimestamp + 4, Math.floor(counter / TWO_32) | 0);
    memory.write32(vcpuInfo + SHARED_INFO.systemTime, system | 0);
    memory.write32(vcpuInfo + SHARED_INFO.systemTime + 4, Math.floor(system / TWO_32) | 0);
    memory.write32(vcpuInfo + SHARED_INFO.tscMultiplier, this.multiplier | 0);
    memory.write8(vcpuInfo + SHARED_INFO.tscShift, this.shift & 0xff);
    memory.write32(vcpuInfo + SHARED_INFO.timeVersion, (version | 1) + 1);
  }
}
