// A PC: one processor, its memory and its board, running together in virtual time. It has never heard of hypervisors.
import type { CostModel } from '../cost/model.ts';
import { Recorder } from '../trace/recorder.ts';
import { Attention, Cpu, Stop } from './cpu/cpu.ts';
import { run, step } from './cpu/execute.ts';
import { syncA20 } from './cpu/paging.ts';
import { reset } from './cpu/reset.ts';
import { Board, type BoardOptions } from './devices/board.ts';
import { HostBus } from './devices/bus-memory.ts';
import { parseDate } from './devices/calendar.ts';
import type { Clock } from './devices/device.ts';
import { part } from './devices/optional.ts';
import { PhysicalMemory } from './memory/physical-memory.ts';
import { Processors } from './multiprocessor.ts';
import { widen } from './wide-numbers.ts';

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

export interface PcOptions extends Pick<BoardOptions, 'startDate' | 'drives' | 'serialPorts'> {
  /** Local APICs and an I/O APIC are there, and CPUID says so. Default: the PIC pair alone, unless there are several processors. */
  apic?: boolean;
  /** 1 to 4. */
  processors?: number;
}

/** In the part of our firmware's ROM that its code leaves free; whoever loads the ROM places the tables anew. */
const TABLES_ADDRESS = 0xfb000;
/** Events that the processors other than the first keep: what they do is not part of the host's record. */
const QUIET = 16;

export class Pc {
  readonly memory: PhysicalMemory;
  /** The bootstrap processor. */
  readonly cpu: Cpu;
  readonly processors: Processors;
  readonly board: Board;
  readonly clock: CycleClock;
  /** Seconds since 1970 at power-on. */
  readonly startSeconds: number;

  /** @param memoryBytes machine memory in bytes, a multiple of 4096 */
  constructor(
    readonly cost: CostModel,
    readonly recorder: Recorder,
    memoryBytes: number,
    options: PcOptions,
  ) {
    widen(this, 'until', 'idleCycles');
    this.startSeconds = parseDate(options.startDate);
    this.memory = new PhysicalMemory(memoryBytes);
    this.clock = new CycleClock(cost.clockHz);
    const count = options.processors ?? 1;
    if (count < 1 || count > 4) throw new RangeError(`${count} processors: one to four can be had`);
    this.processors = new Processors((cpu) => {
      this.clock.cpu = cpu;
    });
    const apic = options.apic || count > 1;
    this.board = new Board({
      startDate: options.startDate,
      drives: options.drives,
      serialPorts: options.serialPorts,
      ...(apic
        ? {
            apic: {
              processors: count,
              current: () => this.processors.current,
              pins: (n: number) => this.processors.pins(n),
            },
          }
        : {}),
      clock: this.clock,
      memoryBytes,
      memory: new HostBus(this.memory),
      map: this.memory.map,
      videoMemory: this.memory.bytes.subarray(VIDEO_BASE, VIDEO_BASE + VIDEO_SIZE),
    });
    for (let n = 0; n < count; n++) {
      const local = this.board.apics?.locals[n] ?? null;
      const cpu = new Cpu(
        this.memory,
        cost,
        n === 0 ? recorder : new Recorder(QUIET),
        this.board,
        local ?? this.board.pic,
      );
      cpu.apic = local;
      reset(cpu);
      this.processors.add(cpu);
    }
    this.cpu = this.processors.all[0];
    this.placeTables();
    this.clock.cpu = this.cpu;
    const { x87 } = this.cpu;
    x87.onError = (asserted) => this.board.coprocessor.setError(asserted);
    this.board.coprocessor.onIgnore = () => {
      x87.ignoreErrors = x87.errorAsserted;
    };
    // A device was told to act sooner than the processor was told to look: look again.
    this.board.onEarlierDeadline = (deadline) => {
      if (deadline < this.until) this.processors.running.stop = Stop.budget;
    };
    this.board.onAttention = () => {
      this.processors.running.attention |= Attention.event;
    };
    this.board.onPower = () => {
      this.processors.running.stop = Stop.requested;
    };
    this.board.onA20 = (enabled) => {
      for (const cpu of this.processors.all) cpu.a20Mask = enabled ? 0xffffffff : 0xffefffff;
      syncA20(this.processors.running);
    };
  }
  /** What firmware tells of processors and interrupt controllers, where it is looked for. Nothing on a machine without APICs. */
  placeTables(): void {
    if (!this.board.apics || this.memory.size < TABLES_ADDRESS + 0x1000) return;
    const options = { processors: this.processors.all.length, apic: true };
    this.memory.load(TABLES_ADDRESS, part('firmwareTables')(options, TABLES_ADDRESS).bytes);
  }
  /** Cycles that passed while nothing ran. */
  idleCycles = 0;
  /** What `run` last gave the processor. */
  private until = 0;

  /** Runs until `until` (cycles) or until something needs attention. Devices act exactly at their deadlines. Returns Stop.*. */
  run(until: number): number {
    if (this.processors.all.length > 1) {
      this.until = until;
      return this.processors.run(this.board, until);
    }
    for (;;) {
      const deadline = this.board.nextDeadline();
      this.until = Math.min(until, deadline);
      const stop = run(this.cpu, this.until);
      // What the monitor has left half done comes before all devices.
      if (stop === Stop.monitorBusy) return stop;
      if (this.cpu.cycles >= deadline) this.board.advance(this.cpu.cycles);
      if (stop !== Stop.budget) return stop;
      if (this.cpu.cycles >= until) return Stop.budget;
    }
  }

  /** One instruction (or one interrupt delivery), of the processor that is behind the others. Returns Stop.*. */
  step(): number {
    if (this.cpu.cycles >= this.board.nextDeadline()) this.board.advance(this.cpu.cycles);
    return step(this.processors.behind());
  }

  /** Nothing runs: time passes until the next device deadline, or until `until`. False when no device will ever act. */
  passTime(until: number): boolean {
    const deadline = this.board.nextDeadline();
    if (deadline === Infinity && until === Infinity) return false;
    const before = this.cpu.cycles;
    this.processors.idleUntil(Math.max(before, Math.min(deadline, until)));
    this.idleCycles += this.cpu.cycles - before;
    this.board.advance(this.cpu.cycles);
    return true;
  }
}
