// Several processors on one board, one after the other: each runs a short while, in the same order every time, so that the
// same machine always does the same (SDM vol. 3 §8.4 for how they are started: INIT, then start-up with a page to begin at).
import type { Cpu } from './cpu/cpu.ts';
import { Stop } from './cpu/cpu.ts';
import { run } from './cpu/execute.ts';
import { IF } from './cpu/flags.ts';
import { reset } from './cpu/reset.ts';
import { setRealMode } from './cpu/segmentation.ts';
import type { ProcessorPins } from './devices/apic/local-apic.ts';
import type { Board } from './devices/board.ts';
import { CS } from './isa/instruction.ts';

/** Cycles of a turn: what one processor does is seen by the others at most this much later. */
const TURN = 4096;

/** Time passes for a processor that does nothing. */
function idle(cpu: Cpu, until: number): void {
  if (cpu.cycles >= until) return;
  cpu.idleCycles += until - cpu.cycles;
  cpu.cycles = until;
}

export class Processors {
  readonly all: Cpu[] = [];
  /** Whose turn it is. */
  current = 0;
  /** By processor: after INIT, waiting for the start-up message. */
  private readonly waiting: boolean[] = [];
  /** Cycle that all have reached. */
  private now = 0;
  /** The processor to go on with: a turn was interrupted. */
  private next = 0;
  private turnEnd = 0;
  private turnIdle = true;

  /** @param select told whose turn it is */
  constructor(private readonly select: (cpu: Cpu) => void) {}

  /** The first one is the bootstrap processor and runs; the others wait. */
  add(cpu: Cpu): void {
    this.waiting.push(this.all.length > 0);
    this.all.push(cpu);
  }

  get running(): Cpu {
    return this.all[this.current];
  }

  /** What messages between the APICs do to a processor. */
  pins(n: number): ProcessorPins {
    return {
      nmi: () => {
        this.all[n].nmiPending = true;
      },
      init: () => {
        reset(this.all[n]);
        if (n > 0) this.waiting[n] = true;
      },
      startup: (page) => {
        if (!this.waiting[n]) return;
        this.waiting[n] = false;
        const cpu = this.all[n];
        setRealMode(cpu, CS, page << 8);
        cpu.eip = 0;
        // It begins no earlier than it was told to.
        idle(cpu, this.running.cycles);
      },
    };
  }

  /** True when some halted processor would take an interrupt now. */
  interruptDue(): boolean {
    return this.all.some((_, n) => this.wakes(n));
  }

  private wakes(n: number): boolean {
    const cpu = this.all[n];
    return !this.waiting[n] && (cpu.nmiPending || ((cpu.flags & IF) !== 0 && cpu.interrupts.pending()));
  }

  /** False when no interrupt can ever wake anybody. */
  canWake(): boolean {
    return this.all.some((cpu, n) => !this.waiting[n] && (cpu.nmiPending || (cpu.flags & IF) !== 0));
  }

  /** Nobody runs until then. */
  idleUntil(cycle: number): void {
    for (const cpu of this.all) idle(cpu, cycle);
    this.now = Math.max(this.now, cycle);
    this.next = 0;
  }

  /** The processor to step: of those that have something to do, the one whose time is the earliest. Its turn it is then. */
  behind(): Cpu {
    if (this.all.length === 1) return this.all[0];
    let best = -1;
    for (let n = 0; n < this.all.length; n++) {
      const cpu = this.all[n];
      const idle = this.waiting[n] || (cpu.halted && !this.wakes(n));
      if (!idle && (best < 0 || cpu.cycles < this.all[best].cycles)) best = n;
    }
    this.next = 0;
    this.hand(Math.max(0, best));
    // Those that wait are carried along.
    for (let n = 0; n < this.all.length; n++) {
      const cpu = this.all[n];
      if (this.waiting[n] || cpu.halted) idle(cpu, this.running.cycles);
    }
    return this.running;
  }

  /** Runs everybody until `until` or until there is a reason to stop; all halted is one. */
  run(board: Board, until: number): number {
    for (;;) {
      if (this.next === 0) {
        this.now = Math.max(this.now, this.all[0].cycles);
        if (board.nextDeadline() <= this.now) board.advance(this.now);
        if (this.now >= until) return Stop.budget;
        this.turnEnd = Math.min(until, this.now + TURN, board.nextDeadline());
        this.turnIdle = true;
      }
      for (; this.next < this.all.length; this.next++) {
        if (this.waiting[this.next]) continue;
        const stop = this.turn(board, this.next);
        if (stop === Stop.budget) this.turnIdle = false;
        else if (stop !== Stop.halted) return this.interrupted(stop);
      }
      this.next = 0;
      this.hand(0);
      if (this.turnIdle) return Stop.halted;
      this.idleUntil(this.turnEnd);
    }
  }

  /** A turn ends before its time; the next call goes on with the same processor. */
  private interrupted(stop: number): number {
    if (stop === Stop.shutdown) this.next = 0;
    return stop;
  }

  private hand(n: number): void {
    this.current = n;
    this.select(this.all[n]);
  }

  private turn(board: Board, n: number): number {
    const cpu = this.all[n];
    this.hand(n);
    let ran = false;
    while (cpu.cycles < this.turnEnd) {
      const before = cpu.cycles;
      const stop = run(cpu, this.turnEnd);
      ran ||= cpu.cycles !== before;
      if (stop === Stop.halted) return ran ? Stop.budget : Stop.halted;
      if (stop !== Stop.budget) return stop;
      // Somebody made a device due earlier: the turn ends there for all that follow.
      this.turnEnd = Math.max(this.now + 1, Math.min(this.turnEnd, board.nextDeadline()));
    }
    return Stop.budget;
  }
}
