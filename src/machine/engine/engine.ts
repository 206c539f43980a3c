// Runs hot guest code as WebAssembly. The interpreter is sampled; where samples gather, the region around is compiled, and
// the instructions at its entries get an executor that runs it. Compiled code leaves at an instruction boundary with the
// state, the cycles and the counts that the interpreter would have: whatever is not plain work, the interpreter does.
import type { CodeCache, Heat } from '../cpu/code-cache.ts';
import type { Cpu, SegmentRegister } from '../cpu/cpu.ts';
import { getFlags } from '../cpu/flags.ts';
import { Access } from '../cpu/segmentation.ts';
import { CS, GS, type Instruction, SS } from '../isa/instruction.ts';
import { SHARED_BYTES, TABLES, wasmApi } from '../memory/store.ts';
import { type CompiledRegion, compileRegion, State } from './compile.ts';
import { maskAndKind } from './flags-code.ts';
import type { Assumptions } from './frame.ts';
import { compilable } from './lower.ts';
import { findRegion } from './region.ts';

/** Samples in a page before code there is compiled. */
const HOT = 5;
/** Samples in code that is compiled, before its loops are made entries. */
const MISSED = 24;
/** A page whose code was compiled this often changes too much. */
const MOST_COMPILES = 60;
/** Hot places in one page that are kept. */
const MOST_STARTS = 64;
/** Largest budget of one call, in cycles. */
const LONGEST = 0x3fffffff;
/** P, S, data, expand-up, writable. */
const PLAIN_MASK = 0x1009e;
const PLAIN = 0x92;
const PAGE = 4096;

type Execute = NonNullable<Instruction['execute']>;

/** One way into the compiled code of a page: hangs at the instruction there. */
class Entry {
  constructor(
    readonly region: Runnable,
    readonly index: number,
    /** Offset of the instruction in its page. */
    readonly at: number,
    readonly instruction: Instruction,
    /** What the interpreter does there. */
    readonly interpret: Execute,
  ) {}
}

interface Runnable {
  readonly run: (entry: number, budget: number) => number;
  readonly exits: CompiledRegion['exits'];
  readonly uniform: boolean;
  readonly assumes: Assumptions;
  readonly heat: PageHeat;
}

/** What is known of one page of code. */
class PageHeat implements Heat {
  /** Samples since something was compiled: where nothing is compiled, and where something is. */
  samples = 0;
  missed = 0;
  /** Regions compiled, also of code that has gone since. */
  compiles = 0;
  /** Offsets in compiled code, or not worth another look. */
  readonly covered = new Set<number>();
  readonly starts = new Set<number>();
  /** Places that were jumped to and were no entries. */
  readonly targets = new Set<number>();
  newTargets = false;
  loopsToo = false;
  entries: readonly Entry[] = [];
  /** Number of its table; -1 = none. */
  table = -1;

  clear(): void {
    this.covered.clear();
    this.starts.clear();
    this.targets.clear();
    this.newTargets = this.loopsToo = false;
    this.entries = [];
  }

  /** Everything is interpreted again. */
  uninstall(): void {
    for (const { instruction, interpret } of this.entries) {
      instruction.execute = interpret;
      instruction.compiled = null;
    }
    this.entries = [];
    this.covered.clear();
  }
}

export class Engine {
  /** Regions compiled so far. */
  compiled = 0;
  private refused = false;
  /** Who has which table. */
  private readonly tables: (PageHeat | null)[] = new Array(TABLES).fill(null);
  private nextTable = 0;

  constructor(private readonly cpu: Cpu) {}

  /** Looks at what the interpreter is about to do. */
  sample(code: CodeCache): void {
    const { cpu } = this;
    if (this.refused || !cpu.compiledAllowed || !cpu.shared.compiled) return;
    const window = code.hot();
    if (!window) return;
    const heat = (window.page.heat ??= new PageHeat()) as PageHeat;
    if (heat.compiles > MOST_COMPILES) return;
    const at = (cpu.eip - window.start) >>> 0;
    if (!heat.covered.has(at)) {
      if (++heat.samples < HOT) return;
      if (heat.starts.size < MOST_STARTS) heat.starts.add(at);
    } else if (heat.newTargets) {
      if (++heat.samples < HOT) return;
    } else {
      if (heat.loopsToo || ++heat.missed < MISSED) return;
      heat.loopsToo = true;
    }
    this.compile(code, window.start, at, heat);
  }

  private compile(code: CodeCache, page: number, at: number, heat: PageHeat): void {
    heat.samples = heat.missed = 0;
    heat.newTargets = false;
    const assumes = this.assumptions(page, heat);
    if (!assumes) return;
    heat.uninstall();
    const usable = (i: Instruction) => compilable(i) && (!i.memory || assumes.limits[i.segment] >= 0);
    const starts = [at, ...heat.targets, ...heat.starts];
    const region = findRegion(starts, (offset) => code.peekAt(offset), usable);
    heat.covered.add(at);
    // Its head is for the interpreter; another sample may find what lies behind.
    if (!region) heat.starts.delete(at);
    const found = region ?? findRegion([...heat.starts], (offset) => code.peekAt(offset), usable);
    if (!found) return;
    for (const block of found.blocks.values()) {
      for (const step of block.steps) heat.covered.add(step.at);
      if (block.leaving.kind !== 'stop' && block.leaving.step) heat.covered.add(block.leaving.step.at);
    }
    const { targets, loopsToo } = heat;
    const made = compileRegion({ region: found, starts, targets, loopsToo }, assumes);
    const run = this.instantiate(made.bytes);
    if (!run) return;
    heat.compiles++;
    this.compiled++;
    const runnable: Runnable = { run, exits: made.exits, uniform: made.uniform, assumes, heat };
    heat.entries = made.entries.map((offset, index) => {
      const i = code.peekAt(offset)!;
      const entry = new Entry(runnable, index, offset, i, i.execute!);
      i.compiled = entry;
      i.execute = enter as Execute;
      return entry;
    });
    const table = new Uint8Array(this.cpu.shared.buffer, assumes.table, PAGE).fill(0);
    made.entries.slice(0, 255).forEach((offset, index) => (table[offset] = index + 1));
  }

  /** The offset of a page's table in the buffer; another page may lose its own, and its compiled code with it. */
  private tableOf(heat: PageHeat): number {
    if (heat.table < 0 || this.tables[heat.table] !== heat) {
      heat.table = this.nextTable;
      this.nextTable = (this.nextTable + 1) % TABLES;
      this.tables[heat.table]?.uninstall();
      this.tables[heat.table] = heat;
    }
    const { memory, shared } = this.cpu;
    const first = (shared.base / SHARED_BYTES) * TABLES;
    return memory.store.tablesBase + (first + heat.table) * PAGE;
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
  private assumptions(page: number, heat: PageHeat): Assumptions | null {
    const { cpu } = this;
    const cs = cpu.segments[CS];
    if (!(cs.access & Access.big)) return null;
    if (!(cpu.segments[SS].access & Access.big)) return null;
    const segments = cpu.segments.slice(0, GS + 1);
    const usable = (s: SegmentRegister, n: number) =>
      n !== CS && (s.access & PLAIN_MASK) === PLAIN && s.limit >= PAGE - 1;
    const limits = segments.map((s, n) => (usable(s, n) ? s.limit : -1));
    const bases = segments.map((s) => s.base);
    if (limits[SS] < 0) return null;
    const { store } = cpu.memory;
    return {
      page,
      user: cpu.cpl === 3,
      codeLimit: cs.limit,
      limits,
      bases,
      uses: [],
      shared: cpu.shared.base,
      hasCode: store.hasCodeBase,
      table: this.tableOf(heat),
    };
  }

  /** Whether what was assumed when a region was compiled holds. */
  static holds(cpu: Cpu, assumes: Assumptions): boolean {
    const { segments } = cpu;
    if ((cpu.cpl === 3) !== assumes.user || segments[CS].limit !== assumes.codeLimit) return false;
    const { limits, bases, uses } = assumes;
    for (let n = 0; n < uses.length; n++) {
      const segment = uses[n];
      const s = segments[segment];
      if (s.base !== bases[segment] || s.limit !== limits[segment] || (s.access & PLAIN_MASK) !== PLAIN)
        return false;
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
    const cycles = budget - words[State.budget] - exit.refundCycles;
    const count = region.uniform ? cycles : words[State.count] - exit.refundCount;
    if (count > 0) {
      cpu.cycles += cycles - i.cost;
      // The loop counts one itself.
      cpu.instructions += count - 1;
      if (exit.at === null) jumpedTo(cpu, region, words[State.eip] >>> 0);
      else cpu.eip = (assumes.page + exit.at) >>> 0;
      restoreFlags(cpu, words, exit.flags);
      return;
    }
  }
  entry.interpret(cpu as never, i);
}

/** Left through a register or memory: next time it may be an entry. */
function jumpedTo(cpu: Cpu, { assumes, heat }: Runnable, eip: number): void {
  cpu.eip = eip;
  const at = (eip - assumes.page) >>> 0;
  if (at >= PAGE || heat.targets.has(at) || heat.targets.size >= MOST_STARTS) return;
  heat.targets.add(at);
  heat.newTargets = true;
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
