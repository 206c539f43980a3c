// Decoded instructions, kept by physical page so that they survive changes of address space. A store into a page of code
// is noticed before the next instruction (the P6 rule for self-modifying code, SDM vol. 3 §8.1.3), also when it came
// through another mapping, from a device or from a hypervisor: PhysicalMemory counts writes to bytes that instructions were decoded from.
import { decode } from '../isa/decode.ts';
import { CS, type Instruction } from '../isa/instruction.ts';
import type { PhysicalMemory } from '../memory/physical-memory.ts';
import type { Cpu } from './cpu.ts';
import { bind } from './executors/index.ts';
import { fault, VECTOR } from './fault.ts';
import { allowed } from './page-walk.ts';
import { translateFetch } from './paging.ts';
import { Access } from './segmentation.ts';

const PAGE = 0x1000;
/** Longest instruction, in bytes. */
const LONGEST = 15;

/** What the engine keeps of one page of code (machine/engine/engine.ts). */
export interface Heat {
  /** The code has changed: what was compiled of it is gone. */
  clear(): void;
}

/** A whole page of 32-bit code that has been executed. */
export interface HotPage {
  /** EIP of its first byte. */
  readonly start: number;
  readonly page: { readonly frame: number; heat: Heat | null };
}

/** What has been decoded from one physical page, for one default operand size. */
class CodePage {
  readonly table: (Instruction | null)[] = new Array(PAGE).fill(null);
  version = 0;
  /** The instruction that reaches into the next page, its place and its bytes. */
  crossing: Instruction | null = null;
  crossingAt = 0;
  crossingBytes: Uint8Array | null = null;
  heat: Heat | null = null;

  constructor(
    readonly frame: number,
    readonly mode: 16 | 32,
  ) {}

  clear(): void {
    this.table.fill(null);
    this.crossing = null;
    this.heat?.clear();
  }
}

/**
 * A page of code as CS, the privilege and the page tables showed it at one moment: what the inner loop needs of it. Good as
 * long as `generation` is the TLB's and `version` the memory's.
 */
class Window {
  /** EIP of the page's first byte, and how many of its bytes lie within CS. */
  start = 0;
  valid = 0;
  frame = 0;
  version = 0;
  generation = -1;
  /** What it was made under, for when only CS was loaded since. */
  translations = -1;
  base = 0;
  limit = 0;
  wide = false;
  user = false;
  /** True when CS begins or ends in this page, and each instruction must pass `confirm`. */
  careful = false;
  /** Decoded instructions by offset in the page. */
  table: (Instruction | null)[] = [];
  page: CodePage | null = null;
}

/** Windows kept, a power of two: a call into another page and back finds both. */
const WINDOWS = 16;

/** Pages of decoded code that are kept; the oldest goes first. About 32 KiB each, and what was decoded. */
const MOST_PAGES = 2048;

/** The decoded code of one processor, and the pages it has executed from lately. */
export class CodeCache {
  private readonly pages: (CodePage | null)[];
  private readonly memory: PhysicalMemory;
  private readonly scratch = new Uint8Array(32);
  private readonly windows = Array.from({ length: WINDOWS }, () => new Window());
  /** The page that was opened last. */
  current = this.windows[0];
  /** Indices of the pages there are, in a ring. */
  private readonly kept = new Int32Array(MOST_PAGES).fill(-1);
  private nextKept = 0;

  constructor(private readonly cpu: Cpu) {
    this.memory = cpu.memory;
    this.pages = new Array((this.memory.size / PAGE) * 2).fill(null);
  }

  /** The page of CS:EIP, which `decode` and `confirm` then mean. Raises #GP(0) beyond the limit, #PF, #UD where there is no memory. */
  open(): Window {
    const { cpu } = this;
    const eip = cpu.eip;
    const w = this.window();
    this.current = w;
    const { generation } = cpu.tlb;
    if (
      w.generation === generation &&
      (eip - w.start) >>> 0 < w.valid &&
      this.memory.codeVersion[w.frame] === w.version
    ) {
      return w;
    }
    const cs = cpu.segments[CS];
    if (
      w.translations === cpu.tlb.translations &&
      w.base === cs.base &&
      w.limit === cs.limit &&
      w.wide === ((cs.access & Access.big) !== 0) &&
      w.user === (cpu.cpl === 3) &&
      (eip - w.start) >>> 0 < w.valid &&
      this.memory.codeVersion[w.frame] === w.version
    ) {
      w.generation = generation;
      return w;
    }
    w.generation = w.translations = -1;
    cpu.instructionStart = eip;
    if (eip > cs.limit) fault(cpu, VECTOR.GP, 0);
    const linear = (cs.base + eip) >>> 0;
    const physical = translateFetch(cpu, linear);
    // An empty bus reads as ones, and FF FF is no instruction.
    if (physical >= this.memory.size) fault(cpu, VECTOR.UD);
    const frame = physical >>> 12;
    const wide = (cs.access & Access.big) !== 0;
    const index = frame * 2 + (wide ? 1 : 0);
    const page = this.pages[index] ?? this.makePage(index, frame, wide ? 32 : 16);
    const version = this.memory.codeVersion[frame];
    if (page.version !== version) {
      page.version = version;
      page.clear();
    }
    w.page = page;
    w.table = page.table;
    w.frame = frame;
    w.version = version;
    w.start = eip - (linear & 0xfff);
    w.valid = Math.min(PAGE, cs.limit - w.start + 1);
    w.careful = w.valid < PAGE || w.start < 0;
    w.base = cs.base;
    w.limit = cs.limit;
    w.wide = wide;
    w.user = cpu.cpl === 3;
    // Only now: translating may have moved them on.
    w.generation = cpu.tlb.generation;
    w.translations = cpu.tlb.translations;
    return w;
  }

  /** Where the page of EIP would be: two places, for a page that user and supervisor both execute. */
  private window(): Window {
    const { eip, cpl } = this.cpu;
    return this.windows[((eip >>> 12) + (cpl === 3 ? WINDOWS / 2 : 0)) & (WINDOWS - 1)];
  }

  private makePage(index: number, frame: number, mode: 16 | 32): CodePage {
    const oldest = this.kept[this.nextKept];
    if (oldest >= 0) {
      // A window may go on with it for a while: nothing compiled hangs there any more.
      this.pages[oldest]?.clear();
      this.pages[oldest] = null;
    }
    this.kept[this.nextKept] = index;
    this.nextKept = (this.nextKept + 1) % MOST_PAGES;
    const page = new CodePage(frame, mode);
    this.pages[index] = page;
    return page;
  }

  /** Whether `open` would neither raise anything nor walk the page tables. */
  private opensQuietly(): boolean {
    const { cpu } = this;
    const cs = cpu.segments[CS];
    if (cpu.eip > cs.limit) return false;
    const entry = cpu.tlb.codeOf((cs.base + cpu.eip) >>> 12);
    return (
      entry !== -1 && allowed(cpu, entry, false, cpu.cpl === 3) && (entry & -PAGE) >>> 0 < this.memory.size
    );
  }

  /** Where the next instruction comes from, when that is a whole page of 32-bit code that has been executed; for the engine. */
  hot(): HotPage | null {
    if (!this.opensQuietly()) return null;
    const w = this.open();
    if (w.careful || w.page === null || w.page.mode === 16) {
      return null;
    }
    return { start: w.start, page: w.page };
  }

  /** The instruction at an offset of the page that `hot` found; null when there is none that lies wholly in it. Raises nothing. */
  peekAt(at: number): Instruction | null {
    const page = this.current.page!;
    const known = page.table[at];
    if (known) return known;
    const base = page.frame * PAGE;
    const decoded = decode(this.memory.bytes, base + at, page.mode, base + PAGE);
    if (typeof decoded === 'string') return null;
    bind(decoded, this.cpu.cost);
    this.memory.markCode(base + at, decoded.length);
    page.table[at] = decoded;
    return decoded;
  }

  /** The instruction at offset `at` of the current page, decoded anew. Raises #UD, #GP(0), and #PF of the next page. */
  decode(at: number): Instruction {
    const { valid } = this.current;
    const page = this.current.page!;
    const base = page.frame * PAGE;
    const bytes = this.memory.bytes;
    this.cpu.instructionStart = this.cpu.eip;
    const decoded = decode(bytes, base + at, page.mode, base + valid);
    if (typeof decoded === 'string') {
      if (decoded !== 'short') this.reject(decoded, bytes, base + at);
      // The limit of the segment falls into the instruction.
      if (valid < PAGE) fault(this.cpu, VECTOR.GP, 0);
      return this.crossPage(page, at);
    }
    bind(decoded, this.cpu.cost);
    this.memory.markCode(base + at, decoded.length);
    page.table[at] = decoded;
    return decoded;
  }

  /** For pages that the limit of CS cuts: raises #GP(0) when the instruction, which another CS may have let run, goes beyond it. */
  confirm(at: number, i: Instruction): void {
    if (at + i.length <= this.current.valid) return;
    this.cpu.instructionStart = this.cpu.eip;
    fault(this.cpu, VECTOR.GP, 0);
  }

  /** An instruction that begins in this page and ends in the next one. It is compared byte by byte each time. */
  private crossPage(page: CodePage, at: number): Instruction {
    const { cpu, memory, scratch } = this;
    const cs = cpu.segments[CS];
    const inFirst = PAGE - at;
    const allowed = Math.min(LONGEST, cs.limit - cpu.eip + 1);
    if (allowed <= inFirst) fault(cpu, VECTOR.GP, 0);
    const next = translateFetch(cpu, (cs.base + cpu.eip + inFirst) >>> 0);
    for (let k = 0; k < allowed; k++) {
      scratch[k] = memory.read8(k < inFirst ? page.frame * PAGE + at + k : next + k - inFirst);
    }
    const known = page.crossing;
    if (known !== null && page.crossingAt === at && known.length <= allowed) {
      let same = true;
      for (let k = 0; k < known.length && same; k++) same = scratch[k] === page.crossingBytes![k];
      if (same) return known;
    }
    const decoded = decode(scratch, 0, page.mode, allowed);
    if (typeof decoded === 'string') this.reject(decoded === 'short' ? 'long' : decoded, scratch, 0);
    bind(decoded, cpu.cost);
    page.crossing = decoded;
    page.crossingAt = at;
    page.crossingBytes = scratch.slice(0, decoded.length);
    return decoded;
  }

  /** Bytes that are no instruction of this processor. Among the x87's opcodes the undefined ones, too, are #NM under EM or TS. */
  private reject(why: 'invalid' | 'long', bytes: Uint8Array, at: number): never {
    const { cpu } = this;
    if (why === 'long') fault(cpu, VECTOR.GP, 0);
    let p = at;
    while (p < at + LONGEST && PREFIXES.has(bytes[p])) p++;
    const CR0_EM_TS = 0xc;
    if ((bytes[p] & 0xf8) === 0xd8 && cpu.cr0 & CR0_EM_TS) fault(cpu, VECTOR.NM);
    fault(cpu, VECTOR.UD);
  }
}

const PREFIXES: ReadonlySet<number> = new Set([
  0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x66, 0x67, 0xf0, 0xf2, 0xf3,
]);
