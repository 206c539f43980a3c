// For the tests of this room: the fast path of the interpreter switched on and off, and two machines that do the same with
// and without it and are compared in everything that can be seen of a processor.
import { CHARGES, type CostModel } from '../../../../cost/model.ts';
import { costModel } from '../../../../cost/processors.ts';
import type { Instruction } from '../../../isa/instruction.ts';
import { Stop } from '../../cpu.ts';
import { run } from '../../execute.ts';
import { getFlags } from '../../flags.ts';
import { TestMachine } from '../../test-machine.ts';
import { fastForm } from '../forms.ts';
import { faulted } from '../miss.ts';
import { runFast } from '../run.ts';
import { type FastPath, fastPaths } from '../seam.ts';
import { OPERATION_AND_SHAPE } from './forms.ts';

export const PROVIDED: FastPath = { form: fastForm, run: runFast, faulted };
export const ABSENT = null;

/** Everything costs something, and nothing so much that a slice of a few cycles ends in every fault. */
export const smallCosts: CostModel = {
  ...costModel('merom'),
  charges: Object.fromEntries(
    CHARGES.map((name, n) => [name, { cycles: 1 + (n % 7), mark: 'D', source: 'test' }]),
  ) as unknown as CostModel['charges'],
};

/** Does something with the seam as given, and puts it back. */
export function withFastPath<T>(path: FastPath | null, act: () => T): T {
  const before = fastPaths.provided;
  fastPaths.provided = path;
  try {
    return act();
  } finally {
    fastPaths.provided = before;
  }
}

/** Which instructions the fast path has run, and how many. */
export class Coverage {
  /** By operation | shape << 6, as in `Instruction.fast`. */
  readonly forms = new Map<number, number>();
  instructions = 0;
  /** Page faults that were delivered without a throw. */
  faults = 0;
  /** One instruction at a time, so that each is seen. */
  single = false;

  readonly path: FastPath = {
    form: fastForm,
    run: (cpu, window, end) => {
      const i = window.table[cpu.eip - window.start];
      const count = runFast(cpu, window, this.single ? Math.min(end, cpu.cycles + 1) : end);
      this.instructions += count;
      if (this.single && count > 0 && i) this.note(i);
      return count;
    },
    faulted: (cpu, i) => {
      const found = faulted(cpu, i);
      if (found) this.faults++;
      return found;
    },
  };

  private note(i: Instruction): void {
    const form = i.fast & OPERATION_AND_SHAPE;
    this.forms.set(form, (this.forms.get(form) ?? 0) + 1);
  }
}

/** All that there is to see, by name. */
export function stateOf({ cpu, memory, recorder, bus }: TestMachine) {
  // Asking for the flags settles them: what was lazy shall be so after the cut, too.
  const { flags: explicit, lazyMask } = cpu;
  const flags = getFlags(cpu);
  cpu.flags = explicit;
  cpu.lazyMask = lazyMask;
  return {
    cycles: cpu.cycles,
    instructions: cpu.instructions,
    eip: cpu.eip,
    flags,
    regs: [...cpu.regs],
    segments: cpu.segments.map((s) => [s.selector, s.base, s.limit, s.access]),
    control: [cpu.cr0, cpu.cr2, cpu.cr3, cpu.cr4, cpu.cpl],
    dr: [...cpu.dr],
    pending: [cpu.shadow, cpu.halted, cpu.nmiBlocked, cpu.nmiPending, cpu.pendingDebug, cpu.stop],
    // The address is that of page faults alone: in others it is the latest one's, of any machine.
    faults: cpu.faultChain.map((word, n) => (n % 3 === 2 && cpu.faultChain[n - 2] !== 14 ? 0 : word)),
    code: memory.touched,
    trace: [recorder.next, recorder.hash],
    ports: bus.written.length,
  };
}

export class Pair {
  readonly fast: TestMachine;
  readonly plain: TestMachine;

  constructor(
    bytes: number,
    private readonly path: FastPath = PROVIDED,
    cost = smallCosts,
  ) {
    this.fast = new TestMachine(bytes, cost);
    this.plain = new TestMachine(bytes, cost);
    for (const m of [this.fast, this.plain]) {
      m.cpu.compiledAllowed = false;
      m.recorder.hashing = true;
    }
  }

  /** Does the same to both. */
  each(act: (m: TestMachine) => void): void {
    withFastPath(this.path, () => act(this.fast));
    withFastPath(ABSENT, () => act(this.plain));
  }

  /** Runs both as far. @returns the reason to stop, which must be the same */
  run(cycles: number): { stop: number; same: boolean } {
    const stops: number[] = [];
    this.each((m) => stops.push(run(m.cpu, m.cpu.cycles + cycles)));
    return { stop: stops[0], same: stops[0] === stops[1] };
  }

  /** Lines about what is different now; empty when nothing is. */
  differences(): string[] {
    const a = stateOf(this.fast);
    const b = stateOf(this.plain);
    const found: string[] = [];
    for (const name of Object.keys(a) as (keyof typeof a)[]) {
      const [fast, plain] = [JSON.stringify(a[name]), JSON.stringify(b[name])];
      if (fast !== plain) found.push(`${name}: ${fast}, without the fast path ${plain}`);
    }
    const at = firstDifference(this.fast.memory.bytes, this.plain.memory.bytes);
    if (at >= 0) found.push(`memory at ${at.toString(16)}h`);
    return found;
  }

  /** As `differences`, of the TLB: what it remembers and which fast tags it has. */
  tlbDifference(): string[] {
    const [a, b] = [this.fast.cpu.tlb.words, this.plain.cpu.tlb.words];
    const at = a.findIndex((word, n) => word !== b[n]);
    return at < 0 ? [] : [`TLB word ${at & 7} of slot ${at >> 3}`];
  }
}

function firstDifference(a: Uint8Array, b: Uint8Array): number {
  if (Buffer.compare(a, b) === 0) return -1;
  return a.findIndex((byte, n) => byte !== b[n]);
}

export const STOPPED: ReadonlySet<number> = new Set([Stop.halted, Stop.shutdown]);
