// The fetch–execute cycle, and what comes between two instructions (SDM vol. 3 §6.9, table 6-2): debug traps, NMI,
// interrupts, breakpoints. The inner loop does none of that; it leaves for `boundary` when a flag says that something may be due.

import { CS, type Instruction } from '../isa/instruction.ts';
import { CodeCache } from './code-cache.ts';
import { type Compiler, compilers } from './compiler.ts';
import { Attention, type Cpu, Stop } from './cpu.ts';
import { DR7_ENABLES, instructionBreakpoints } from './debug.ts';
import { fastPaths } from './fast-path/seam.ts';
import { EXITED, isFault } from './fault.ts';
import { RF, TF } from './flags.ts';
import { acceptPending, debugException, deliverDebugTrap, deliverFault } from './interrupts.ts';
import { syncA20 } from './paging.ts';
import { loads } from './segment-loads.ts';

/** `run` comes back at least this often, in cycles, whatever it was asked for. */
const SLICE = 1 << 20;
/** The engine looks at the interpreter this often, in cycles; and after looks that taught it nothing, less often, down to this. Primes: loops keep to powers of two. */
const SAMPLE = 4099;
const SELDOM = 65537;
const STAGGER = 5;
const MOST_STAGGER = 31;
/** What `loop` returns when the board has got a nearer deadline than `run` was told. */
const EARLY = 64;
const DR6_BS = 1 << 14;

/** What the loop remembers of one processor between calls. */
class Execution {
  readonly code: CodeCache;
  /** Null until somebody provides one. */
  engine: Compiler | null = null;
  /** Cycles until it looks again, and the cycle at which it does. */
  period = SAMPLE;
  sampleAt = 0;
  /** Cycles into a run at which it looks where that was due before; and how long the latest run was. */
  stagger = 0;
  latest = SAMPLE;
  /** Cycle at which that began, and at which `run` must come back. */
  entered = 0;
  until = 0;
  /** Where `run` last stopped for a session breakpoint, as linear address, and how many instructions had been run. */
  stoppedAt = -1;
  stoppedAfter = -1;

  constructor(readonly cpu: Cpu) {
    this.code = new CodeCache(cpu);
  }
}

const executions = new WeakMap<Cpu, Execution>();
/** Who was asked for last: mostly the same one again. */
let latest: Execution | null = null;

/** The loop's own memory of a processor: for tests and benches. */
export function executionOf(cpu: Cpu): Execution {
  if (latest !== null && latest.cpu === cpu) return latest;
  let execution = executions.get(cpu);
  if (!execution) executions.set(cpu, (execution = new Execution(cpu)));
  latest = execution;
  return execution;
}

/**
 * Runs instructions and delivers events until there is a reason to stop.
 * @param until absolute cycle count; the first instruction boundary at or behind it ends the run
 * @returns Stop.*. `Stop.budget` may also come earlier than `until`: when a port access gave the board a nearer deadline,
 *   and after a slice of about a million cycles; so look at `cpu.cycles` and call again
 */
export function run(cpu: Cpu, until: number): number {
  const execution = executionOf(cpu);
  syncA20(cpu);
  begin(cpu, execution);
  const end = Math.min(until, cpu.cycles + SLICE);
  execution.until = end;
  const stop = slice(cpu, execution, end);
  execution.latest = cpu.cycles - execution.entered;
  return stop;
}

/** Somebody else had the processor, and may have changed anything; what a guest left in its segments, by VM entry only, which counts itself. */
function begin(cpu: Cpu, execution: Execution): void {
  cpu.tlb.generation++;
  cpu.runs++;
  if (cpu.intercepts === null) loads.count++;
  cpu.attention = Attention.event;
  planSample(cpu, execution);
  execution.entered = cpu.cycles;
}

/**
 * When the engine looks next. A guest that leaves all the time is looked at too, not always where it is entered. Where a long
 * run has just been cut, the interpreter is for that reason alone.
 */
function planSample(cpu: Cpu, execution: Execution): void {
  const { cycles } = cpu;
  if (cpu.intercepts === null) execution.sampleAt = cycles + execution.period;
  else if (execution.sampleAt <= cycles) {
    execution.stagger = (execution.stagger + STAGGER) & MOST_STAGGER;
    execution.sampleAt = cycles + (execution.latest < SAMPLE ? execution.stagger : SAMPLE);
  }
}

/** Control is at the monitor's entry points, before the end of the run. @returns Stop.*, or -1 to go on */
function monitorCalled(cpu: Cpu, execution: Execution): number {
  if (cpu.monitor === null) return Stop.monitor;
  execution.latest = cpu.cycles - execution.entered;
  if (!cpu.monitor()) return Stop.monitorBusy;
  begin(cpu, execution);
  return -1;
}

/** Runs to `end` (cycles), and lets the engine look meanwhile. */
function slice(cpu: Cpu, execution: Execution, end: number): number {
  for (;;) {
    cpu.compiledUntil = end;
    try {
      const stop = loop(cpu, execution, Math.min(end, execution.sampleAt));
      if (stop === EARLY) return Stop.budget;
      if (stop !== Stop.budget || cpu.cycles >= end) return stop;
    } catch (thrown) {
      recover(cpu, thrown);
      if (cpu.cycles >= end && cpu.stop === Stop.none) return Stop.budget;
    }
    // Another guest may have been entered meanwhile, or the same one anew.
    if (cpu.cycles < execution.sampleAt) continue;
    execution.engine ??= compilers.make?.(cpu) ?? null;
    const learned = execution.engine?.sample(execution.code) ?? false;
    execution.period = learned ? SAMPLE : Math.min(execution.period * 2, SELDOM);
    execution.sampleAt = cpu.cycles + execution.period;
  }
}

/**
 * Executes exactly one instruction, or delivers one event if one is due. Session breakpoints are not looked at.
 * @returns Stop.none, or why nothing could be done or what the instruction led to
 */
export function step(cpu: Cpu): number {
  const execution = executionOf(cpu);
  syncA20(cpu);
  // Whoever called may have changed anything since.
  cpu.tlb.generation++;
  cpu.attention = Attention.event;
  if (cpu.stop === Stop.none) {
    try {
      if (!deliverPending(cpu)) {
        if (cpu.halted) return Stop.halted;
        one(cpu, execution.code);
      }
    } catch (thrown) {
      recover(cpu, thrown);
    }
  }
  return takeStop(cpu);
}

function takeStop(cpu: Cpu): number {
  const stop = cpu.stop;
  cpu.stop = Stop.none;
  return stop;
}

/** A fault becomes an exception of the guest; a VM exit has done its work; anything else is an error of ours. */
function recover(cpu: Cpu, thrown: unknown): void {
  if (isFault(thrown)) {
    cpu.pendingDebug = 0;
    try {
      deliverFault(cpu, thrown);
    } catch (again) {
      // Its delivery met a page that the second dimension does not have.
      if (again !== EXITED) throw again;
    }
  } else if (thrown !== EXITED) throw thrown;
}

function loop(cpu: Cpu, execution: Execution, end: number): number {
  const { code } = execution;
  const tlb = cpu.tlb;
  const versions = cpu.memory.codeVersion;
  // Locals for what changes only with the page.
  let start = 0;
  let valid = 0;
  let frame = 0;
  let version = 0;
  let generation = -1;
  let careful = false;
  let table: (Instruction | null)[] = [];
  let window = code.current;
  const fast = fastPaths.provided;
  for (;;) {
    if ((cpu.stop | cpu.shadow | cpu.attention) !== 0) {
      const stop = boundary(cpu, execution, end);
      if (stop >= 0) return stop;
      if (code.current !== window) generation = -1;
      continue;
    }
    if (cpu.cycles >= end) return Stop.budget;
    let eip = cpu.eip;
    let at = (eip - start) >>> 0;
    if (at >= valid || tlb.generation !== generation || versions[frame] !== version) {
      window = code.open();
      start = window.start;
      valid = window.valid;
      frame = window.frame;
      version = window.version;
      generation = window.generation;
      careful = window.careful;
      table = window.table;
      at = (eip - start) >>> 0;
    }
    let i = table[at];
    if (i === null) i = code.decode(at);
    else if (careful) code.confirm(at, i);
    else if (i.fast !== 0 && fast !== null) {
      const count = fast.run(cpu, window, end);
      if (count > 0) continue;
      if (count < 0) {
        eip = cpu.eip;
        i = table[(eip - start) >>> 0]!;
      }
    }
    cpu.instructionStart = eip;
    cpu.eip = (eip + i.length) >>> 0;
    cpu.cycles += i.cost;
    if (i.fast !== 0 && fast !== null && fast.faulted(cpu, i)) {
      if (cpu.cycles >= end && cpu.stop === Stop.none) return Stop.budget;
      continue;
    }
    i.execute!(cpu as never, i);
    cpu.instructions++;
  }
}

/** Between two instructions, when something may be due. Runs at most one instruction. @returns Stop.*, `EARLY`, or -1 to go on */
function boundary(cpu: Cpu, execution: Execution, end: number): number {
  if (cpu.stop !== Stop.none) {
    const stop = takeStop(cpu);
    if (stop === Stop.monitor && cpu.cycles < execution.until) return monitorCalled(cpu, execution);
    return stop === Stop.budget ? EARLY : stop;
  }
  if (deliverPending(cpu)) return -1;
  if (cpu.halted) return Stop.halted;
  const armed = cpu.dr[7] & DR7_ENABLES;
  if ((cpu.shadow | (cpu.flags & (TF | RF)) | armed | cpu.breakpoints.size) === 0) {
    cpu.attention = 0;
    return -1;
  }
  if (cpu.cycles >= end) return Stop.budget;
  if (cpu.breakpoints.size !== 0 && atBreakpoint(cpu, execution)) return Stop.breakpoint;
  const until = cpu.compiledUntil;
  const happened = one(cpu, execution.code);
  cpu.compiledUntil = until;
  return !happened && cpu.cycles >= end && cpu.stop === Stop.none ? Stop.budget : -1;
}

function deliverPending(cpu: Cpu): boolean {
  // A trap that came with MOV SS waits for one more instruction (SDM vol. 3 §6.8.3).
  if (cpu.pendingDebug !== 0 && !(cpu.shadow & 2)) {
    const bits = cpu.pendingDebug;
    cpu.pendingDebug = 0;
    deliverDebugTrap(cpu, bits);
    return true;
  }
  return acceptPending(cpu);
}

/** A session breakpoint stops once before its instruction; calling `run` again passes it. */
function atBreakpoint(cpu: Cpu, execution: Execution): boolean {
  const linear = (cpu.segments[CS].base + cpu.eip) >>> 0;
  if (!cpu.breakpoints.has(linear)) return false;
  if (execution.stoppedAt === linear && execution.stoppedAfter === cpu.instructions) return false;
  execution.stoppedAt = linear;
  execution.stoppedAfter = cpu.instructions;
  return true;
}

/**
 * One instruction with all its consequences: shadows that expire, RF, single-step and data breakpoints.
 * @returns false when it has not happened: its page fault has been delivered
 */
function one(cpu: Cpu, code: CodeCache): boolean {
  const { shadow, flags } = cpu;
  const silicon = cpu.intercepts;
  // Behind MOV SS an instruction breakpoint is passed over as if RF were set (SDM vol. 3 §17.3.1.1).
  if (cpu.dr[7] & DR7_ENABLES && !(flags & RF) && !(shadow & 2)) {
    const hit = instructionBreakpoints(cpu);
    if (hit !== 0) {
      debugException(cpu, hit);
      return true;
    }
  }
  // RF lasts for one instruction, with all its repetitions. Should that fault, the pushed image has it again.
  cpu.flags &= ~RF;
  const window = code.open();
  const at = (cpu.eip - window.start) >>> 0;
  let i = window.table[at];
  if (i === null) i = code.decode(at);
  else if (window.careful) code.confirm(at, i);
  cpu.instructionStart = cpu.eip;
  cpu.eip = (cpu.eip + i.length) >>> 0;
  cpu.cycles += i.cost;
  cpu.compiledUntil = 0;
  if (i.fast !== 0 && (cpu.dr[7] & DR7_ENABLES) === 0 && fastPaths.provided?.faulted(cpu, i)) return false;
  i.execute!(cpu as never, i);
  cpu.instructions++;
  if (flags & RF && cpu.eip === cpu.instructionStart && i.rep !== 0 && cpu.intercepts === silicon)
    cpu.flags |= RF;
  cpu.shadow &= ~shadow;
  // INT n and its kin clear TF on their way, so the handler is not stepped into (SDM vol. 3 §17.3.1.4); MOV SS is not stepped
  // on at all, for its trap would come behind the next instruction, as that one's own (§6.8.3).
  if (flags & TF && !(cpu.shadow & 2) && cpu.intercepts === silicon && !CLEARS_TF.has(i.form.operation))
    cpu.pendingDebug |= DR6_BS;
  return true;
}

const CLEARS_TF: ReadonlySet<string> = new Set(['int', 'int3', 'into', 'int1']);
