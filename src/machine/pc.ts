// A PC: one processor, its memory and its board, running together in virtual time. It has never heard of hypervisors.
import type { CostModel } from '../cost/model.ts';
import type { Recorder } from '../trace/recorder.ts';
import { Cpu, Stop } from './cpu/cpu.ts';
import { run, step } from './cpu/execute.ts';
import { syncA20 } from './cpu/paging.ts';
import { reset } from './cpu/reset.ts';
import { Board, type BoardOptions } from './devices/board.ts';
import { HostBus } from './devices/bus-memory.ts';
import { parseDate } from './devices/calendar.ts';
import type { Clock } from './devices/device.ts';
import { PhysicalMemory } from './memory/physical-memory.ts';

/** First byte of the legacy video memory, and its size. */
export const VIDEO_BASE = 0xa0000;
export const VIDEO_SIZE = 0x20000;

/** A processor's cycle counter as the clock of devices. */
export class CycleClock implements Clock {
  cpu: { cycles: number } = { cycles: 0 };
  constructor(readonly frequency: number) {}
  now(): number {
    return this.cpu.cycles;
  }
}

export class Pc {
  readonly memory: PhysicalMemory;
  readonly cpu: Cpu;
  readonly board: Board;
  readonly clock: CycleClock;
  /** Seconds since 1970 at power-on. */
  readonly startSeconds: number;

  /** @param memoryBytes machine memory in bytes, a multiple of 4096 */
  constructor(
    readonly cost: CostModel,
    readonly recorder: Recorder,
    memoryBytes: number,
    options: Pick<BoardOptions, 'startDate' | 'drives'>,
  ) {
    this.startSeconds = parseDate(options.startDate);
    this.memory = new PhysicalMemory(memoryBytes);
    this.clock = new CycleClock(cost.clockHz);
    this.board = new Board({
      ...options,
      clock: this.clock,
      memoryBytes,
      memory: new HostBus(this.memory),
      map: this.memory.map,
      videoMemory: this.memory.bytes.subarray(VIDEO_BASE, VIDEO_BASE + VIDEO_SIZE),
    });
    this.cpu = new Cpu(this.memory, cost, recorder, this.board, this.board.pic);
    this.clock.cpu = this.cpu;
    reset(this.cpu);
    // A device was told to act sooner than the processor was told to look: look again.
    this.board.onEarlierDeadline = (deadline) => {
      if (deadline < this.until) this.cpu.stop = Stop.budget;
    };
    this.board.onPower = () => {
      this.cpu.stop = Stop.requested;
    };
    this.board.onA20 = (enabled) => {
      this.cpu.a20Mask = enabled ? 0xffffffff : 0xffefffff;
      syncA20(this.cpu);
    };
  }
  /** Cycles that passed while nothing ran. */
  idleCycles = 0;
  /** What `run` last gave the processor. */
  private until = 0;

  /** Runs until `until` (cycles) or until something needs attention. Devices act exactly at their deadlines. Returns Stop.*. */
  run(until: number): number {
    for (;;) {
      const deadline = this.board.nextDeadline();
      this.until = Math.min(until, deadline);
      const stop = run(this.cpu, this.until);
      if (this.cpu.cycles >= deadline) this.board.advance(this.cpu.cycles);
      if (stop !== Stop.budget) return stop;
      if (this.cpu.cycles >= until) return Stop.budget;
    }
  }

  /** One instruction (or one interrupt delivery). Returns Stop.*. */
  step(): number {
    if (this.cpu.cycles >= this.board.nextDeadline()) this.board.advance(this.cpu.cycles);
    return step(this.cpu);
  }

  /** Nothing runs: time passes until the next device deadline, or until `until`. False when no device will ever act. */
  passTime(until: number): boolean {
    const deadline = this.board.nextDeadline();
    if (deadline === Infinity && until === Infinity) return false;
    const before = this.cpu.cycles;
    this.cpu.cycles = Math.max(before, Math.min(deadline, until));
    this.idleCycles += this.cpu.cycles - before;
    this.board.advance(this.cpu.cycles);
    return true;
  }
}
