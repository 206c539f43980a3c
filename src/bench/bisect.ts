// `bench bisect`: the same run in both engines, side by side; finds the first cycle at which they differ, and says how.
// A run is deterministic, so the way back is to begin again: both are run anew up to the middle of what is in doubt.
import type { Cpu } from '../machine/cpu/cpu.ts';
import { getFlags } from '../machine/cpu/flags.ts';
import type { Engine } from '../session/host.ts';
import { formatEvent } from '../trace/format.ts';
import { hex8 } from '../trace/hex.ts';
import type { Recorder } from '../trace/recorder.ts';

/** One run from power-on. */
export interface Run {
  /** Goes on to the first instruction boundary at or behind `until` (cycles). Comes back early only when nothing is left to do. */
  run(until: number): void;
  readonly cpu: Cpu;
  readonly memory: Uint8Array;
  readonly recorder: Recorder;
}

/** Begins the same run anew. */
export type Begin = (engine: Engine) => Run;

export interface Difference {
  /** At `equal` cycles all was the same; at `differs` something is not. */
  readonly equal: number;
  readonly differs: number;
  /** Where the interpreter stood at `equal`. */
  readonly eip: number;
  /** What differs: name, then the value with the compiling engine and with the interpreter. */
  readonly what: readonly (readonly [name: string, auto: string, interpreter: string])[];
}

const REGISTERS = ['EAX', 'ECX', 'EDX', 'EBX', 'ESP', 'EBP', 'ESI', 'EDI'];
const SEGMENTS = ['ES', 'CS', 'SS', 'DS', 'FS', 'GS', 'LDTR', 'TR'];
/** Bytes of memory that are named. */
const MOST_BYTES = 8;

/** Everything by which two runs are told apart, but for memory and events. */
function stateOf({ cpu, recorder }: Run): Map<string, string> {
  const state = new Map<string, string>();
  const put = (name: string, value: number) => state.set(name, hex8(value));
  state.set('cycles', `${cpu.cycles}`);
  state.set('instructions', `${cpu.instructions}`);
  put('EIP', cpu.eip);
  REGISTERS.forEach((name, n) => put(name, cpu.regs[n]));
  put('EFLAGS', getFlags(cpu));
  put('CR0', cpu.cr0);
  put('CR2', cpu.cr2);
  put('CR3', cpu.cr3);
  put('CR4', cpu.cr4);
  SEGMENTS.forEach((name, n) => {
    const s = cpu.segments[n];
    state.set(name, `${hex8(s.selector)} ${hex8(s.base)} ${hex8(s.limit)} ${hex8(s.access)}`);
  });
  state.set('CPL', `${cpu.cpl}`);
  state.set('halted', `${cpu.halted}`);
  state.set('events', `${recorder.next}`);
  put('trace', recorder.hash);
  return state;
}

/** What two runs differ in; empty when in nothing. */
function compare(auto: Run, interpreter: Run): Difference['what'] {
  const what: [string, string, string][] = [];
  const theirs = stateOf(interpreter);
  for (const [name, value] of stateOf(auto)) {
    const other = theirs.get(name)!;
    if (value !== other) what.push([name, value, other]);
  }
  if (auto.recorder.hash !== interpreter.recorder.hash) what.push(...firstEvents(auto, interpreter));
  const a = auto.memory;
  const b = interpreter.memory;
  if (Buffer.compare(a, b) === 0) return what;
  for (let at = 0, found = 0; at < a.length && found < MOST_BYTES; at++) {
    if (a[at] === b[at]) continue;
    found++;
    what.push([`byte at ${hex8(at)}`, hex8(a[at]).slice(6), hex8(b[at]).slice(6)]);
  }
  return what;
}

/** The first event that only one of them has, as far as it is still held. */
function firstEvents(auto: Run, interpreter: Run): [string, string, string][] {
  const [a, b] = [auto.recorder, interpreter.recorder];
  const textOf = (recorder: Recorder, seq: number) => {
    const event = recorder.get(seq);
    return event ? formatEvent(event) : '-';
  };
  for (let seq = Math.max(a.oldest, b.oldest); seq < Math.max(a.next, b.next); seq++) {
    const pair = [textOf(a, seq), textOf(b, seq)] as const;
    if (pair[0] !== pair[1]) return [[`event ${seq}`, ...pair]];
  }
  return [];
}

/**
 * Runs both engines for `cycles`, compares them every `step` cycles, and narrows the first difference down to neighbouring
 * instruction boundaries.
 * @param begin is called again for each attempt
 * @returns null when they never differ
 */
export function bisect(
  begin: Begin,
  cycles: number,
  step: number,
  log: (line: string) => void = () => {},
): Difference | null {
  const both = () => [begin('auto'), begin('interpreter')] as const;
  const [auto, interpreter] = both();
  let equal = 0;
  let differs = -1;
  for (let until = step; differs < 0; until += step) {
    const target = Math.min(until, cycles);
    auto.run(target);
    interpreter.run(target);
    if (compare(auto, interpreter).length > 0) differs = target;
    else {
      equal = target;
      if (target >= cycles || interpreter.cpu.cycles < target) return null;
    }
  }
  let found: Difference | null = null;
  while (differs - equal > 1 || !found) {
    // The last turn is at `differs` itself: for what is told.
    const middle = differs - equal > 1 ? equal + Math.floor((differs - equal) / 2) : differs;
    log(`equal at ${equal}, not at ${differs}`);
    const [a, b] = both();
    a.run(equal);
    b.run(equal);
    const { eip } = b.cpu;
    a.run(middle);
    b.run(middle);
    const what = compare(a, b);
    if (what.length > 0) {
      found = { equal, differs: middle, eip, what };
      differs = middle;
    } else if (middle === differs) {
      throw new Error(`the difference at cycle ${differs} does not come again: a run is not deterministic`);
    } else {
      equal = middle;
      found = null;
    }
  }
  return found;
}

/** The difference for people. */
export function differenceText({ equal, differs, eip, what }: Difference): string {
  const lines = what.map(
    ([name, auto, interpreter]) => `  ${name}: ${auto} compiled, ${interpreter} interpreted`,
  );
  return [`equal at cycle ${equal} (EIP ${hex8(eip)}), at ${differs} no longer:`, ...lines].join('\n');
}
