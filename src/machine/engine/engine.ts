// Runs hot guest code as WebAssembly. The interpreter is sampled; where samples gather, the region around is compiled, and
// the instructions at its entries get an executor that runs it. Compiled code leaves at an instruction boundary with the
// state, the cycles and the counts that the interpreter would have: whatever is not plain work, the interpreter does.
import type { CodeCache, PageHeat } from '../cpu/code-cache.ts';
import type { Cpu } from '../cpu/cpu.ts';
import { getFlags } from '../cpu/flags.ts';
import { Access } from '../cpu/segmentation.ts';
import { CS, DS, ES, type Instruction, SS } from '../isa/instruction.ts';
import { wasmApi } from '../memory/store.ts';
import { type CompiledRegion, compileRegion, State } from './compile.ts';
import { maskAndKind } from './flags-code.ts';
import type { Assumptions } from './frame.ts';
import { compilable } from './lower.ts';
import { findRegion } from './region.ts';

/** Samples in a page before code there is compiled. */
const HOT = 6;
/** A page whose code was thrown away this often changes too much to be compiled. */
const MOST_COMPILES = 60;
/** Largest budget of one call, in cycles. */
const LONGEST = 0x3fffffff;
/** P, S, data, expand-up, writable. */
const PLAIN_MASK = 0x1009e;
const PLAIN = 0x92;

type Execute = NonNullable<Instruction['execute']>;

/** One way into a region: hangs at the instruction there. */
class Entry {
  constructor(
    readonly region: Runnable,
    readonly index: number,
    /** Offset of the instruction in its page. */
    readonly at: number,
    /** What the interpreter does there. */
    readonly interpret: Execute,
  ) {}
}

interface Runnable {
  readonly run: (entry: number, budget: number) => number;
  readonly exits: CompiledRegion['exits'];
  readonly assumes: Assumptions;
}

export class Engine {
  /** Regions compiled so far. */
  compiled = 0;
  private refused = false;

  constructor(private readonly cpu: Cpu) {}

  /** Looks at what the interpreter is about to do. */
  sample(code: CodeCache): void {
    const { cpu } = this;
    if (this.refused || !cpu.compiledAllowed || !cpu.shared.compiled) return;
    const window = code.hot();
    if (!window) return;
    const { heat } = window;
    const at = (cpu.eip - window.start) >>> 0;
    if (heat.covered.has(at) || heat.compiles > MOST_COMPILES) return;
    if (++heat.samples < HOT) return;
    heat.samples = 0;
    this.compile(code, window.start, at, heat);
  }

  private compile(code: CodeCache, start: number, at: number, heat: PageHeat): void {
    const assumes = this.assumptions(start);
    if (!assumes) return;
    const usable = (i: Instruction) =>
      compilable(i) && (!i.memory || assumes.limits[i.segment] >= 0) && i.compiled === null;
    const region = findRegion(at, (offset) => code.peekAt(offset), usable);
    if (!region) {
      // Its head is for the interpreter; look behind it next time.
      heat.covered.add(at);
      return;
    }
    for (const block of region.blocks.values()) {
      for (const step of block.steps) heat.covered.add(step.at);
      if (block.leaving.kind !== 'stop' && block.leaving.step) heat.covered.add(block.leaving.step.at);
    }
    const made = compileRegion(region, at, assumes);
    const run = this.instantiate(made.bytes);
    if (!run) return;
    heat.compiles++;
    this.compiled++;
    const runnable: Runnable = { run, exits: made.exits, assumes };
    made.entries.forEach((offset, index) => {
      const i = code.peekAt(offset);
      if (!i || i.compiled !== null) return;
      i.compiled = new Entry(runnable, index, offset, i.execute!);
      i.execute = enter as Execute;
    });
  }

  private instantiate(bytes: Uint8Array): Runnable['run'] | null {
    try {
      const module = new wasmApi!.Module(bytes);
      const instance = new wasmApi!.Instance(module, { m: { m: this.cpu.memory.store.wasm } });
      return instance.exports.f as Runnable['run'];
    } catch (error) {
      // A page may forbid compiling at run time (Content-Security-Policy): then everything is interpreted.
      if (
        (error as Error).name === 'CompileError' &&
        /valid|type|stack|expected/i.test((error as Error).message)
      )
        throw error;
      this.refused = true;
      return null;
    }
  }

  /** What holds now and must hold at each entry; null when this is no place for compiled code. */
  private assumptions(page: number): Assumptions | null {
    const { cpu } = this;
    const cs = cpu.segments[CS];
    if (!(cs.access & Access.big)) return null;
    if (!(cpu.segments[SS].access & Access.big)) return null;
    const limits = [ES, CS, SS, DS].map((segment) => {
      const s = cpu.segments[segment];
      return segment !== CS && s.base === 0 && (s.access & PLAIN_MASK) === PLAIN ? s.limit : -1;
    });
    if (limits[SS] < 0) return null;
    const { store } = cpu.memory;
    return {
      page,
      user: cpu.cpl === 3,
      codeLimit: cs.limit,
      limits,
      shared: cpu.shared.base,
      hasCode: store.hasCodeBase,
    };
  }

  /** Whether what was assumed when a region was compiled holds. */
  static holds(cpu: Cpu, assumes: Assumptions): boolean {
    const { segments } = cpu;
    if ((cpu.cpl === 3) !== assumes.user || segments[CS].limit !== assumes.codeLimit) return false;
    const { limits } = assumes;
    for (let segment = ES; segment <= DS; segment++) {
      const limit = limits[segment];
      if (limit < 0) continue;
      const s = segments[segment];
      if (s.base !== 0 || s.limit !== limit || (s.access & PLAIN_MASK) !== PLAIN) return false;
    }
    return (segments[SS].access & Access.big) !== 0;
  }
}

/** The executor at an entry. `execute.ts` has charged the instruction already. */
function enter(cpu: Cpu, i: Instruction): void {
  const entry = i.compiled as Entry;
  const { region } = entry;
  const budget = Math.min(Math.floor(cpu.compiledUntil - cpu.cycles + i.cost), LONGEST);
  const { assumes } = region;
  if (budget > 0 && (cpu.instructionStart - entry.at) >>> 0 === assumes.page && Engine.holds(cpu, assumes)) {
    const words = cpu.compiledState;
    words[State.flags] = getFlags(cpu);
    const exit = region.exits[region.run(entry.index, budget)];
    const count = words[State.count] - exit.refundCount;
    if (count > 0) {
      cpu.cycles += budget - words[State.budget] - exit.refundCycles - i.cost;
      // The loop counts one itself.
      cpu.instructions += count - 1;
      cpu.eip = exit.at === null ? words[State.eip] >>> 0 : (assumes.page + exit.at) >>> 0;
      restoreFlags(cpu, words, exit.flags);
      return;
    }
  }
  entry.interpret(cpu as never, i);
}

function restoreFlags(cpu: Cpu, words: Int32Array, state: CompiledRegion['exits'][number]['flags']): void {
  cpu.flags = words[State.flags];
  cpu.lazyA = words[State.a];
  cpu.lazyB = words[State.b];
  cpu.lazyResult = words[State.result];
  if (state === 'dynamic') {
    cpu.lazyMask = words[State.mask];
    cpu.lazyKind = words[State.kind];
    return;
  }
  const [mask, kind] = maskAndKind(state);
  cpu.lazyMask = mask;
  cpu.lazyKind = kind;
  if (state === 'logic') {
    cpu.lazyA = cpu.lazyResult;
    cpu.lazyB = 0;
  } else if (state === 'inc' || state === 'dec') cpu.lazyB = 1;
}
