// Runs hot guest code as WebAssembly. The interpreter is sampled; where samples gather, the region around is compiled, and
// the instructions at its entries get an executor that runs it. Compiled code leaves at an instruction boundary with the
// state, the cycles and the counts that the interpreter would have: whatever is not plain work, the interpreter does.
import { PLAIN_WRITE, PLAIN_WRITE_MASK } from '../cpu/access.ts';
import type { CodeCache, HotPage } from '../cpu/code-cache.ts';
import type { Cpu, SegmentRegister } from '../cpu/cpu.ts';
import { Access } from '../cpu/segmentation.ts';
import { CS, GS, type Instruction, SS } from '../isa/instruction.ts';
import { type FunctionTable, SHARED_BYTES, TABLES, wasmApi } from '../memory/store.ts';
import { compileRegion } from './compile.ts';
import { CompiledCode } from './compiled-code.ts';
import { Entry, hookAt, noteTarget, packExits, type Runnable } from './enter.ts';
import type { Assumptions } from './frame.ts';
import { Links } from './links.ts';
import { compilable } from './lower.ts';
import { ModuleCache, type RegionFunction } from './module-cache.ts';
import { type ModeHeat, PageHeat } from './page-heat.ts';
import { portAccessOf } from './ports.ts';
import { BEYOND, findRegion, type Leaving, stepsOf } from './region.ts';
import { hasTailCalls, onwardOf } from './runtime.ts';
import { invalidateOf, loadCr3Of, pageWalkOf } from './translations.ts';
import { walkOf } from './walk-code.ts';

/** Samples in a page before code there is compiled. */
const HOT = 3;
/** Samples in code that is compiled, before its loops are made entries. */
const MISSED = 12;
/** Hot places in one page that are kept. */
const MOST_STARTS = 64;
const PAGE = 4096;
/** Instructions that are looked through for one that can be compiled. */
const NEAR = 8;

/** What programs at CPL 3 can do only by permission, if at all. */
const PRIVILEGED: ReadonlySet<string> = new Set([...BEYOND, 'mov-from-cr']);

/** Zeros: what lies behind an INT or a call that never comes back. */
const isEmptyMemory = (i: Instruction): boolean =>
  i.length === 2 &&
  i.form.operation === 'add' &&
  i.memory &&
  i.base === 0 &&
  i.index < 0 &&
  i.reg === 0 &&
  i.form.operands[0] === 'rm8';

/** The first instruction from `at` on, straight ahead, that can be compiled; -1 = none is near. */
function firstUsable(
  at: number,
  peek: (at: number) => Instruction | null,
  usable: (i: Instruction) => boolean,
): number {
  for (let n = 0, here = at; n < NEAR && here < PAGE; n++) {
    const i = peek(here);
    if (i === null) break;
    if (usable(i)) return here;
    here += i.length;
  }
  return -1;
}

export class Engine {
  /** Regions compiled so far. */
  compiled = 0;
  private refused = false;
  /** Who has which table. */
  private readonly tables: (ModeHeat | null)[] = new Array(TABLES).fill(null);
  private nextTable = 0;

  readonly modules: ModuleCache;
  readonly links: Links;
  /** Functions of regions by number, and what they all end with; made with the first of them. */
  private functions: FunctionTable | null = null;
  private runtime: object | null = null;
  private readonly tailCalls = wasmApi !== undefined && hasTailCalls(wasmApi);
  private code: CodeCache | null = null;

  constructor(private readonly cpu: Cpu) {
    this.links = new Links(cpu);
    this.modules = new ModuleCache(cpu.memory.store.wasm, TABLES, () => this.imports());
  }

  /** Compiled functions that are kept now: never more than there are tables. */
  get kept(): number {
    return this.tables.reduce((sum, heat) => sum + (heat !== null && heat.entries.length > 0 ? 1 : 0), 0);
  }

  /** Looks at what the interpreter is about to do. */
  sample(code: CodeCache): boolean {
    const { cpu } = this;
    if (this.refused || !cpu.compiledAllowed || !cpu.shared.compiled) return false;
    this.code = code;
    const window = code.hot();
    if (!window) return false;
    const both = (window.page.heat ??= new PageHeat(this)) as PageHeat;
    const heat = cpu.cpl === 3 ? both.user : both.supervisor;
    if (heat.tired(cpu.cycles)) return false;
    if (heat.earlier && this.restore(code, window, heat)) return true;
    heat.cool(cpu.cycles);
    const at = (cpu.eip - window.start) >>> 0;
    if (!heat.covered.has(at)) {
      if (++heat.samples < HOT) return true;
      if (heat.starts.size < MOST_STARTS) heat.starts.add(at);
    } else if (heat.newTargets || heat.stale) {
      if (++heat.samples < HOT) return true;
    } else {
      // What a confined region leads to is looked for more closely.
      if (heat.loopsToo) return heat.within !== null;
      if (++heat.missed < MISSED) return true;
      heat.loopsToo = true;
    }
    this.compile(code, window, at, heat);
    return true;
  }

  /** Control has come from compiled code of another page to `cpu.eip`: a place to enter this one. */
  arrive(): void {
    const { cpu, code } = this;
    const window = code?.hot();
    const both = window?.page.heat as PageHeat | null | undefined;
    if (!code || !window || !both) return;
    const heat = cpu.cpl === 3 ? both.user : both.supervisor;
    if (heat.earlier && this.restore(code, window, heat)) return;
    const at = (cpu.eip - window.start) >>> 0;
    noteTarget(heat, at);
    // Samples are taken where compiled code is left, so this page may not see any.
    if (heat.newTargets && !heat.tired(cpu.cycles) && ++heat.samples >= HOT)
      this.compile(code, window, at, heat);
  }

  /** The code of a page has changed: what was compiled of it stays when that was other code. */
  private restore(code: CodeCache, { start, page: { frame } }: HotPage, heat: ModeHeat): boolean {
    const earlier = heat.earlier!;
    heat.earlier = null;
    const { region } = earlier;
    const same =
      start === region.assumes.page &&
      heat.entries.length === 0 &&
      this.tables[heat.table] === heat &&
      region.number === heat.table &&
      earlier.code.stands(this.cpu.memory, frame);
    if (!same) return false;
    earlier.code.mark(this.cpu.memory, frame);
    const entries = earlier.ways.map(({ index, at }) => this.hang(code, region, index, at));
    heat.restore(earlier, entries);
    this.links.changes++;
    return true;
  }

  /** A way into a region at an offset of the page. */
  private hang(code: CodeCache, region: Runnable, index: number, at: number): Entry {
    const hook = hookAt(code.peekAt(at)!);
    const entry = new Entry(region, index, at, hook);
    if (region.assumes.user) hook.user = entry;
    else hook.supervisor = entry;
    return entry;
  }

  /** When what was compiled before the code changed came to nothing: without that bound. */
  private compileAll(code: CodeCache, window: HotPage, at: number, heat: ModeHeat): void {
    if (heat.within === null) return;
    heat.within = null;
    this.compile(code, window, at, heat);
  }

  private compile(code: CodeCache, window: HotPage, at: number, heat: ModeHeat): void {
    const { start: page } = window;
    const { frame } = window.page;
    heat.samples = heat.missed = heat.strange = 0;
    heat.newTargets = heat.stale = false;
    const assumes = this.assumptions(page, heat);
    if (!assumes) return;
    heat.uninstall();
    const usable = (i: Instruction) =>
      compilable(i) &&
      !(assumes.user && PRIVILEGED.has(i.form.operation)) &&
      (!i.memory || assumes.limits[i.segment] >= 0) &&
      !isEmptyMemory(i);
    const peek = (offset: number) => code.peekAt(offset);
    // What was compiled before, and is hot again, is compiled again; what is new has to be found hot by itself.
    const within = heat.confine(at);
    heat.covered.add(at);
    // What is sampled is often what the interpreter does again and again; what lies behind is as hot.
    const start = firstUsable(at, peek, usable);
    if (start !== at) heat.starts.delete(at);
    if (start >= 0) heat.starts.add(start);
    const starts = [...(start < 0 ? [] : [start]), ...heat.starts];
    const inside = within ? (offset: number) => (within.has(offset) ? peek(offset) : null) : peek;
    const find = () => findRegion(starts, heat.targets, inside, usable);
    let found = find();
    if (!found) {
      this.compileAll(code, window, at, heat);
      return;
    }
    const instructions = new Set(stepsOf(found).map(({ at: offset }) => offset));
    if (heat.recall((offset) => instructions.has(offset))) found = find()!;
    for (const block of found.blocks.values()) {
      // Where one operand misses, those beside it do.
      if (block.steps.some((step) => heat.walks.has(step.at)))
        for (const step of block.steps) heat.walks.add(step.at);
    }
    for (const step of stepsOf(found)) heat.covered.add(step.at);
    const { targets, loopsToo } = heat;
    this.addHandlers(page, assumes.user, heat);
    // Where that leaves to somebody else, it is come back to behind it.
    const leaves = (leaving: Leaving): boolean =>
      leaving.kind === 'beyond' && !this.links.does(leaving.step.i.form.operation);
    const transfers = this.cpu.monitorSize === 0 || this.cpu.intercepts !== null;
    for (const { leaving } of found.blocks.values())
      if (leaving.kind === 'beyond' && leaves(leaving)) targets.add(leaving.next);
    const made = compileRegion({ region: found, starts, targets, loopsToo, leaves, transfers }, assumes);
    if (!made) {
      this.compileAll(code, window, at, heat);
      return;
    }
    const run = this.functionOf(made.bytes);
    if (!run) return;
    heat.compiles++;
    this.compiled++;
    const { links } = this;
    const number = heat.table;
    const exits = packExits(made.exits);
    const runnable: Runnable = { run, number, links, exits, assumes, owner: heat };
    links.regions[number] = runnable;
    links.changes++;
    this.functions?.set(number, run);
    heat.compiled = { region: runnable, code: new CompiledCode(this.cpu.memory, frame, found) };
    heat.entries = made.entries.flatMap((offset, index) =>
      made.worth[index] ? [this.hang(code, runnable, index, offset)] : [],
    );
    const table = new Uint8Array(this.cpu.shared.buffer, assumes.table, PAGE).fill(0);
    made.entries.slice(0, 255).forEach((offset, index) => (table[offset] = index + 1));
  }

  /** Where interrupts and exceptions have led to is come to again, mostly not from compiled code. */
  private addHandlers(page: number, user: boolean, { targets }: ModeHeat): void {
    for (const gate of this.cpu.known.gates) {
      if (gate !== null && (gate.level === 3) === user && (gate.eip - page) >>> 0 < PAGE)
        targets.add((gate.eip - page) >>> 0);
    }
  }

  /** The offset of a page's table in the buffer; another page may lose its own, and its compiled code with it. */
  private tableOf(heat: ModeHeat): number {
    if (heat.table < 0 || this.tables[heat.table] !== heat) {
      heat.table = this.nextTable;
      this.nextTable = (this.nextTable + 1) % TABLES;
      this.tables[heat.table]?.evict();
      this.tables[heat.table] = heat;
    }
    const { memory, shared } = this.cpu;
    const first = (shared.base / SHARED_BYTES) * TABLES;
    return memory.store.tablesBase + (first + heat.table) * PAGE;
  }

  /** What regions import, made with the first of them. */
  private imports(): object {
    if (this.runtime) return this.runtime;
    const { cpu } = this;
    this.functions = new wasmApi!.Table({ initial: TABLES, element: 'anyfunc' });
    const o = onwardOf(wasmApi!, cpu.shared.base, cpu.memory.store.wasm!, this.functions);
    const { links } = this;
    this.runtime = {
      o,
      p: portAccessOf(cpu, links),
      w: walkOf(wasmApi!, cpu.shared.base, cpu.memory, pageWalkOf(cpu, links)),
      c: loadCr3Of(cpu, links),
      i: invalidateOf(cpu),
    };
    return this.runtime;
  }

  private functionOf(bytes: Uint8Array): RegionFunction | null {
    try {
      return this.modules.functionOf(bytes);
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
  private assumptions(page: number, heat: ModeHeat): Assumptions | null {
    const { cpu } = this;
    const cs = cpu.segments[CS];
    if (!(cs.access & Access.big)) return null;
    if (!(cpu.segments[SS].access & Access.big)) return null;
    const segments = cpu.segments.slice(0, GS + 1);
    const usable = (s: SegmentRegister, n: number) =>
      n !== CS && (s.access & PLAIN_WRITE_MASK) === PLAIN_WRITE && s.limit >= PAGE - 1;
    const limits = segments.map((s, n) => (usable(s, n) ? s.limit : -1));
    const bases = segments.map((s) => s.base);
    if (limits[SS] < 0) return null;
    return {
      page,
      user: cpu.cpl === 3,
      codeLimit: cs.limit,
      limits,
      bases,
      uses: [],
      shared: cpu.shared.base,
      table: this.tableOf(heat),
      beside: heat.beside,
      lines: cpu.memory.store.linesBase,
      tailCalls: this.tailCalls,
      walks: heat.walks,
    };
  }
}
