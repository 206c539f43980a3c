// The one run loop and the one exit path: schedule → enter → guest → exit → handle → …, whatever the technique.
// It is a state machine, so that the session can stop between any two events and go on. While nobody waits for one, an exit is
// handled where it happens, in the middle of the processor's run (`turnInside`).
import { Stop } from '../machine/cpu/cpu.ts';
import { Kind, Switch } from '../trace/events.ts';
import type { Vcpu } from './domain.ts';
import { OutOfMemory } from './frames.ts';
import type { Hypervisor } from './hypervisor.ts';
import { SLICE_SECONDS } from './scheduler.ts';
import type { Exit, Resume } from './technique.ts';

/** Why the loop came back. `budget`: time is up. `requested`: an event was written and the session wants to look. `idle`: nobody will ever run again. */
export type LoopEnd = 'budget' | 'requested' | 'breakpoint' | 'idle';

/** Instead of a moment: one instruction. */
const STEP = -1;

export class RunLoop {
  /** What comes next, and for `handle` the exit it is about. */
  private phase: 'schedule' | 'guest' | 'handle' = 'schedule';
  private exit: Exit | null = null;
  /** When `run` is to come back (cycles). */
  private until = 0;
  /** `cpu.instructions` up to which they have been counted for their guest. */
  private counted = 0;

  constructor(readonly hypervisor: Hypervisor) {}

  /** True while a guest's instructions are what comes next. */
  get inGuest(): boolean {
    return this.phase === 'guest';
  }

  /**
   * Runs until `until` (cycles).
   * @param stopRequested asked between phases: has an event been written that the session waits for?
   * @param stopAtEnding comes back, as `requested`, when a guest has ended
   */
  run(until: number, stopRequested: (() => boolean) | null = null, stopAtEnding = false): LoopEnd {
    const { pc, cpu } = this.hypervisor;
    this.until = until;
    cpu.monitor = stopRequested === null && pc.processors.all.length === 1 ? this.turnInside : null;
    try {
      return this.settled(this.turns(until, stopRequested, stopAtEnding));
    } finally {
      cpu.monitor = null;
    }
  }

  /** Between two calls the processor is in a guest, or it holds what a hypervisor's does. */
  private settled(end: LoopEnd): LoopEnd {
    if (this.phase !== 'guest') this.hypervisor.current?.domain.technique.settle?.();
    return end;
  }

  private turns(until: number, stopRequested: (() => boolean) | null, stopAtEnding: boolean): LoopEnd {
    const { hypervisor } = this;
    const { endings } = hypervisor;
    while (true) {
      if (stopAtEnding && hypervisor.endings !== endings) return 'requested';
      if (stopRequested?.()) return 'requested';
      if (hypervisor.now >= until) return 'budget';
      switch (this.phase) {
        case 'schedule': {
          const end = this.schedule(until);
          if (end) return end;
          break;
        }
        case 'guest': {
          const end = this.guest(this.runGuest(until));
          if (end) return end;
          break;
        }
        case 'handle':
          this.handle();
          break;
      }
    }
  }

  /**
   * A guest has left, and nobody outside waits for events: its exit is handled and the next guest entered without coming back
   * from the processor, in the steps that `turns` would take.
   */
  private readonly turnInside = (): boolean => {
    const { hypervisor, until } = this;
    const { endings } = hypervisor;
    this.countInstructions();
    this.guest(Stop.monitor);
    if (this.phase !== 'handle' || hypervisor.now >= until) return false;
    this.handle();
    if (hypervisor.endings !== endings || hypervisor.now >= until || !hypervisor.scheduler.head())
      return false;
    this.schedule(until);
    return this.inGuest && hypervisor.endings === endings && hypervisor.now < until;
  };

  /** The instructions that the processor has run since the last call are those of the guest that is in it. */
  private countInstructions(): void {
    const { cpu, current } = this.hypervisor;
    current!.instructions += cpu.instructions - this.counted;
    this.counted = cpu.instructions;
  }

  /** One guest instruction, after everything that has to come before it. */
  stepInstruction(): LoopEnd {
    for (let turns = 0; turns < 100_000; turns++) {
      if (this.phase === 'guest') {
        const end = this.guest(this.runGuest(STEP));
        if (end || !this.insideInstruction()) return this.settled(end ?? 'budget');
        continue;
      }
      if (this.phase === 'handle') this.handle();
      else if (this.schedule(Infinity)) return 'idle';
    }
    return 'idle';
  }

  /** The guest runs other code than its own, and has not come to the end of what stands for its instruction. */
  private insideInstruction(): boolean {
    const vcpu = this.hypervisor.current;
    return this.inGuest && vcpu?.domain.technique.position?.(vcpu)?.inside === true;
  }

  /** The guest runs until `until` (cycles) or for one instruction (`STEP`), and its instructions are counted. @returns Stop.* */
  private runGuest(until: number): number {
    const { pc, cpu } = this.hypervisor;
    this.counted = cpu.instructions;
    const stop = until === STEP ? pc.step() : pc.run(until);
    if (stop !== Stop.monitorBusy) this.countInstructions();
    return stop;
  }

  /** Back from the guest. Undefined when the loop goes on. */
  private guest(stop: number): LoopEnd | undefined {
    const { hypervisor } = this;
    const vcpu = hypervisor.current!;
    switch (stop) {
      case Stop.monitor: {
        let exit: Exit;
        try {
          exit = vcpu.domain.technique.leave(vcpu);
        } catch (error) {
          this.failed(vcpu, error);
          return undefined;
        }
        hypervisor.onExit?.(vcpu);
        vcpu.exitTime = hypervisor.now;
        vcpu.exitCost = 0;
        hypervisor.record(
          vcpu,
          Kind.exit,
          exit.reason,
          exit.qualification,
          exit.detail,
          exit.instructionLength,
          exit.vendor,
        );
        hypervisor.pc.recorder.domain = -1;
        hypervisor.charge.exitDispatch();
        this.exit = exit;
        this.phase = 'handle';
        return undefined;
      }
      case Stop.budget:
      case Stop.none:
      case Stop.monitorBusy:
        return undefined;
      case Stop.requested:
        return 'requested';
      case Stop.breakpoint:
        return 'breakpoint';
      default:
        // HLT or shutdown of the processor itself under a hypervisor: the monitor's own tables are broken. Never expected.
        this.failed(
          vcpu,
          new Error(
            `the processor ${stop === Stop.halted ? 'halted' : 'shut down'} outside the hypervisor at ${(hypervisor.cpu.eip >>> 0).toString(16)}h`,
          ),
        );
        hypervisor.restart();
        return undefined;
    }
  }

  private handle(): void {
    const { hypervisor } = this;
    const exit = this.exit!;
    const vcpu = hypervisor.current!;
    let resume: Resume;
    try {
      resume = vcpu.domain.technique.handle(vcpu, exit);
    } catch (error) {
      resume = this.failed(vcpu, error);
    }
    vcpu.exitCost += hypervisor.now - vcpu.exitTime;
    vcpu.exitTime = hypervisor.now;
    if (resume === 'block' && !vcpu.domain.technique.pendingEvent(vcpu)) vcpu.state = 'blocked';
    if (resume === 'yield') hypervisor.scheduler.expire(vcpu);
    if (resume === 'ended' || !vcpu.domain.alive) hypervisor.scheduler.remove(vcpu);
    this.phase = 'schedule';
  }

  /**
   * The hypervisor could not do its work for this guest: it found no frame, or it met a mistake of its own. The guest ends,
   * and its ending says which of the two; the others go on. (Tests look that no guest ever ends by a mistake.)
   */
  private failed(vcpu: Vcpu, error: unknown): Resume {
    const { hypervisor } = this;
    const reason =
      error instanceof OutOfMemory
        ? 'the host has no memory left for what the hypervisor keeps about this guest'
        : `a mistake of the hypervisor, not of the guest: ${error instanceof Error ? error.message : error}`;
    hypervisor.endDomain(vcpu.domain, 'crashed', reason);
    hypervisor.scheduler.remove(vcpu);
    this.phase = 'schedule';
    return 'ended';
  }

  /** Time-driven work, then the choice of who runs, then world entry. A reason to stop, or undefined to go on. */
  private schedule(until: number): LoopEnd | undefined {
    const { hypervisor } = this;
    const deadline = this.advanceDomains();
    const before = hypervisor.current;
    if (before && hypervisor.now >= hypervisor.sliceEnd) hypervisor.scheduler.expire(before);
    const next = hypervisor.scheduler.head();
    if (!next) return this.idle(until);
    if (next !== before) this.switchTo(next);
    else if (hypervisor.now >= hypervisor.sliceEnd) this.newSlice();
    hypervisor.armTimerForGuest(
      Math.min(hypervisor.sliceEnd, next === before ? deadline : this.nextDeadline()),
    );
    this.enter(next);
    return undefined;
  }

  private enter(vcpu: Vcpu): void {
    const { hypervisor } = this;
    const { cpu, recorder } = hypervisor.pc;
    recorder.domain = vcpu.domain.id;
    recorder.vcpu = vcpu.id;
    const resumed = hypervisor.now;
    let injected = -1;
    hypervisor.loadFloatingPoint(vcpu);
    try {
      injected = vcpu.domain.technique.enter(vcpu);
    } catch (error) {
      this.failed(vcpu, error);
    }
    // Time between the end of the handler and here belongs to other domains, or to sleep: only this entry's work counts.
    const cost = vcpu.exitCost + (hypervisor.now - resumed);
    if (!vcpu.domain.alive) {
      hypervisor.scheduler.remove(vcpu);
      return;
    }
    recorder.record(
      Kind.entry,
      // An injection that faulted at once is back at the monitor already: the guest stands where it stood.
      cpu.stop === Stop.monitor ? vcpu.eip : (vcpu.domain.technique.position?.(vcpu)?.eip ?? cpu.eip),
      injected,
      cpu.cpl,
      0,
      0,
      0,
      cost,
    );
    this.phase = 'guest';
  }

  /** Gets the processor out of the guest, as a hypervisor does that wants to stop it: by the timer's interrupt. */
  leaveGuest(): void {
    for (let turns = 0; turns < 1000 && this.phase === 'guest'; turns++) {
      // Arming it again would take back an interrupt that waits behind a long instruction.
      const { pc } = this.hypervisor;
      if (!pc.board.pic.pending()) this.hypervisor.armTimer(this.hypervisor.now + 1);
      this.guest(this.runGuest(this.hypervisor.now + 1000));
    }
    if (this.phase === 'handle') this.handle();
    this.settled('budget');
  }

  private switchTo(next: Vcpu): void {
    const { hypervisor } = this;
    const before = hypervisor.current;
    const reason = !before
      ? Switch.woken
      : !before.domain.alive
        ? Switch.stopped
        : before.state === 'blocked'
          ? Switch.blocked
          : hypervisor.now >= hypervisor.sliceEnd
            ? Switch.sliceEnd
            : Switch.woken;
    if (before) before.domain.technique.switchedAway(before);
    hypervisor.pc.recorder.recordFor(
      -1,
      Kind.schedule,
      0,
      before?.domain.id ?? -1,
      next.domain.id,
      reason,
      0,
      0,
      hypervisor.pc.cost.charges.scheduler.cycles,
    );
    hypervisor.charge.scheduler();
    hypervisor.current = next;
    this.newSlice();
  }

  private newSlice(): void {
    const { hypervisor } = this;
    hypervisor.sliceEnd = hypervisor.now + Math.round(SLICE_SECONDS * hypervisor.pc.cost.clockHz);
  }

  private nextDeadline(): number {
    let next = Infinity;
    for (const domain of this.hypervisor.everyDomain) {
      if (domain.state === 'running') next = Math.min(next, domain.technique.nextDeadline(domain));
    }
    return next;
  }

  /** Virtual devices and timers of all domains whose time has come; whoever waited for them wakes. @returns what `nextDeadline` is then */
  private advanceDomains(): number {
    const { hypervisor } = this;
    let next = Infinity;
    let advanced = false;
    for (const domain of hypervisor.everyDomain) {
      if (domain.state !== 'running') continue;
      const { technique } = domain;
      const deadline = technique.nextDeadline(domain);
      if (deadline <= hypervisor.now) {
        technique.advance(domain, hypervisor.now);
        advanced = true;
      }
      for (const vcpu of domain.vcpus)
        if (vcpu.state === 'blocked' && technique.pendingEvent(vcpu)) hypervisor.scheduler.wake(vcpu);
      if (deadline < next) next = deadline;
    }
    // What one does may concern another.
    return advanced ? this.nextDeadline() : next;
  }

  /** The physical processor halts until its timer fires. When nothing is armed, the rest of the budget passes all the same. */
  private idle(until: number): LoopEnd | undefined {
    const { hypervisor } = this;
    const { pc } = hypervisor;
    if (hypervisor.current) {
      const before = hypervisor.current;
      before.domain.technique.switchedAway(before);
      pc.recorder.recordFor(
        -1,
        Kind.schedule,
        0,
        before.domain.id,
        -1,
        before.domain.alive ? Switch.blocked : Switch.stopped,
      );
      hypervisor.current = null;
    }
    const deadline = this.nextDeadline();
    if (deadline === Infinity) {
      while (until !== Infinity && hypervisor.now < until) pc.passTime(until);
      return 'idle';
    }
    hypervisor.armTimer(deadline);
    while (!pc.board.pic.pending()) {
      if (hypervisor.now >= until) return 'budget';
      if (!pc.passTime(until)) return 'idle';
    }
    hypervisor.hardwareInterrupt(pc.board.pic.acknowledge());
    return undefined;
  }
}
