// A guest under binary translation: its cache, the page through which translated code and monitor talk, and where in the cache
// it stands.
import { IF, IOPL } from '../../machine/cpu/flags.ts';
import type { Board } from '../../machine/devices/board.ts';
import { CS, SS } from '../../machine/isa/instruction.ts';
import type { MemoryMap } from '../../machine/memory/memory-mapped.ts';
import { DeprivilegedGuest } from '../deprivileged/guest.ts';
import { fetch } from '../deprivileged/operands.ts';
import { believed } from '../deprivileged/rings.ts';
import type { Unsupported } from '../deprivileged/segments.ts';
import type { Domain } from '../domain.ts';
import { OWNER_HYPERVISOR } from '../frames.ts';
import { peekGuest } from '../guest-walk.ts';
import type { Hypervisor } from '../hypervisor.ts';
import type { Resume } from '../technique.ts';
import type { Block, Exit, Part, Search } from './block.ts';
import { Breakpoints } from './breakpoints.ts';
import { TranslationCache } from './cache.ts';
import { Interpretation } from './interpretation.ts';
import { CACHE_CODE, STATE, STATE_PAGE, selectorAt } from './layout.ts';
import { widestWrite } from './rules.ts';
import { SelfChecking } from './self-checking.ts';
import { Suspects } from './suspects.ts';

/** Present, writable, accessed, dirty. */
const MAPPED_WRITABLE = 0x63;

const TS = 8;
/** In the upper word of a descriptor: base, limit, granularity, size. */
const BASE_LIMIT_SIZE = 0xffcf00ff | 0;
const CR0_PG = 0x80000000;
const CR4_PSE = 0x10;
const CR4_PAE = 0x20;
/** Present, and a large page. */
const LARGE = 0x81;

/** Where in the cache an address lies. */
export interface Place {
  /** Null: in a routine, or at its call-out. */
  block: Block | null;
  index: number;
  part: Part | null;
}

export class TranslatedGuest extends DeprivilegedGuest {
  readonly cache: TranslationCache;
  /** Of its own, in what is translated. */
  readonly breakpoints: Breakpoints;
  /** Pages whose code is not traced. */
  readonly selfChecking: SelfChecking;
  /** Frames that shall become such pages when nothing is stepped. */
  private readonly besieged = new Set<number>();
  /** For what translation does not take. */
  readonly interpretation: Interpretation;
  /** Machine address of the state page, and its words. (No code ever lies there.) */
  readonly statePage: number;
  private readonly stateWords: Int32Array;

  /** Offset in the cache at which the guest goes on exactly as it was; -1: wherever the translation of `frame.eip` is. */
  resumeAt = -1;
  /** EIP that belongs to it. */
  resumeEip = 0;
  /** Where it goes on when the part at `index` of a block has been done by the monitor. */
  continuation: { block: Block; index: number } | null = null;
  /** The stub, or the lookup, that brought it to the monitor. */
  takenExit: Exit | null = null;
  missedLookup = false;
  /** The return or indirect jump that asks where it leads. */
  askingSearch: Search | null = null;
  /** It came from the cache, and not from ring 3. */
  fromCache = false;
  /** What CS and GS are to the guest while it runs. */
  ownCs = 0;
  ownGs = 0;
  /** In the middle of an access through a segment that the monitor has taken: what GS is, and of which register it has the segment. */
  borrowedGs: { selector: number; from: number } | null = null;
  /** Data breakpoints met in the middle of a translation. */
  lateBreakpoints = 0;
  /** Offset in the cache at which it will be entered. */
  entry = 0;
  /** With RF set. */
  enteredByResume = false;
  /** A fault that its fetch met: to be raised. */
  fetchFault: { vector: number; errorCode: number; address: number } | null = null;

  /** The descriptor of CS, and the size of the stack, that the blocks were made for; -1: none yet. */
  private codeSegment = { low: 0, high: 0, stack: -1 };
  /** Instructions whose accesses trapped, by EIP, and frames of descriptor tables that were written beside the tables. */
  private readonly trapped = new Suspects();
  private readonly besides = new Suspects();
  private relax = false;
  private readonly adapted = new Set<number>();

  /** @param devices at memory addresses */
  constructor(hypervisor: Hypervisor, domain: Domain, board: Board, devices: MemoryMap) {
    super(hypervisor, domain, board);
    let statePage = -1;
    try {
      statePage = hypervisor.frames.allocate(OWNER_HYPERVISOR) * 4096;
      hypervisor.pc.memory.write32(this.area + STATE_PAGE * 4, statePage | MAPPED_WRITABLE);
      this.selfChecking = new SelfChecking(hypervisor, this.area, (frame) =>
        domain.memory.toMachine(frame * 4096),
      );
      this.cache = new TranslationCache(hypervisor, this.area, {
        trace: (frame, on) => {
          if (!this.selfChecking.has(frame)) this.shadow.writes.traceFrame(frame, on);
        },
      });
    } catch (error) {
      if (statePage >= 0) hypervisor.frames.release(statePage >>> 12);
      super.release();
      throw error;
    }
    this.breakpoints = new Breakpoints(this.cache);
    this.interpretation = new Interpretation(this, devices);
    this.statePage = statePage;
    const { bytes } = hypervisor.pc.memory;
    this.stateWords = new Int32Array(bytes.buffer, bytes.byteOffset + statePage, 1024);
  }

  state(offset: number): number {
    return this.stateWords[offset >>> 2] >>> 0;
  }
  setState(offset: number, value: number): void {
    this.stateWords[offset >>> 2] = value;
  }

  /** What translated code has done to the virtual processor: the privileged flags, CR2, CR0.TS; and to the latch at port 80h. */
  readState(): void {
    this.privilegedFlags = (this.state(STATE.interruptFlag) & IF) | (this.state(STATE.ioPrivilege) & IOPL);
    this.vcpu.cr2 = this.state(STATE.control + 8) | 0;
    const cr0 = this.state(STATE.control) | 0;
    if (cr0 !== this.shadow.control.cr0) this.shadow.loadCr0(cr0);
    this.board.debug.post = this.state(STATE.post) & 0xff;
  }

  /** What translated code has to know. */
  writeState(): void {
    const { control } = this.shadow;
    this.setState(STATE.interruptFlag, this.privilegedFlags & IF);
    this.setState(STATE.ioPrivilege, this.privilegedFlags & IOPL);
    this.setState(STATE.pending, this.board.pic.pending() ? IF : 0);
    for (let n = 0; n < 6; n++) {
      const selector = this.selector(n);
      this.setState(selectorAt(n), n === CS || n === SS ? believed(selector) : selector);
    }
    this.setState(STATE.control, control.cr0);
    this.setState(STATE.taskNotSwitched, control.cr0 & ~TS);
    this.setState(STATE.localTable, this.descriptors.ldtr.selector);
    this.setState(STATE.task, this.task.selector);
    this.setState(STATE.post, this.board.debug.post);
    this.setState(STATE.control + 8, this.vcpu.cr2);
    this.setState(STATE.control + 12, control.cr3);
    this.setState(STATE.control + 16, control.cr4);
  }

  /** Whether the processor's CS is that of the cache. */
  isCacheCode(selector: number): boolean {
    return (selector & 0xfffc) === (CACHE_CODE & 0xfffc);
  }

  /** @param done what lies there was a call-out, and it has been made: a jump that leads out of the block, and not the jump that leads to it */
  locate(offset: number, done = false): Place {
    const block = this.cache.blockAt(offset);
    if (!block) return { block, index: 0, part: null };
    let index = block.partAt(offset);
    // A direct jump is nothing but the way out behind it.
    if (!done && index > 0 && block.parts[index - 1].cache === offset) index--;
    return { block, index, part: block.parts[index] };
  }

  /** Whether GS is loaded with a segment of the guest's here. */
  isBorrow(offset: number): boolean {
    const { memory } = this.hypervisor.pc;
    return [0x65, 0x8e, 0x2d].every((byte, n) => memory.read8(this.cache.machine(offset + n)) === byte);
  }

  /** Whether the guest, in its kernel, stands between two instructions, and may be interrupted there. */
  interruptibleHere(): boolean {
    if (this.resumeAt < 0) return true;
    const { part } = this.locate(this.resumeAt);
    return part !== null && part.cache === this.resumeAt && part.boundary && !part.shadowed;
  }

  override get enterable(): boolean {
    return !this.interpretation.parked && this.interpretation.resume === 'enter';
  }

  override takeOver(why: Unsupported): Resume | null {
    return this.interpretation.take(why.event);
  }

  override loadDebugRegisters(): void {
    super.loadDebugRegisters();
    this.breakpoints.follow(this.debug);
  }

  override accessForgotten(): void {
    this.cache.unlearn();
  }

  override settle(): void {
    this.resumeAt = -1;
    this.continuation = null;
  }

  // ---- what has become of the code

  /** Empties the cache when the guest's code segment is not the one that the blocks were made for. */
  checkCodeSegment(): void {
    const { low, high: all } = this.descriptors.loaded(CS);
    const high = all & BASE_LIMIT_SIZE;
    const big = (this.descriptors.loaded(SS).high >>> 22) & 1;
    const { codeSegment } = this;
    if (low === codeSegment.low && high === codeSegment.high && big === codeSegment.stack) return;
    if (codeSegment.stack >= 0) this.cache.flush();
    this.codeSegment = { low, high, stack: big };
  }

  override remapped(linear = -1): void {
    super.remapped();
    const { memory } = this.domain;
    const frameOf = (page: number): number => {
      const physical = peekGuest(memory, this.shadow.control, page);
      return physical < 0 ? -2 : memory.toMachine(physical) < 0 ? -1 : physical >>> 12;
    };
    const looked =
      linear >= 0
        ? this.cache.revalidatePage(linear, frameOf)
        : this.cache.revalidate(frameOf, (region) => this.largePage(region));
    this.hypervisor.charge.guestWalkReference(looked);
  }

  /** The directory entry that maps 4 MiB at once, or -1. */
  private largePage(region: number): number {
    const { cr0, cr3, cr4 } = this.shadow.control;
    if (!(cr0 & CR0_PG) || (cr4 & (CR4_PSE | CR4_PAE)) !== CR4_PSE) return -1;
    const pde = this.domain.memory.read32(((cr3 & 0xfffff000) >>> 0) + (region >>> 22) * 4);
    return (pde & LARGE) === LARGE ? (pde & 0xffc00000) >>> 22 : -1;
  }

  override monitorWrote(physical: number, frame: number): void {
    super.monitorWrote(physical, frame);
    if (physical < 0) this.cache.frameWritten(frame);
    else this.cache.written(physical, 4);
    this.besiege(frame);
  }

  /** A frame with code was written to. */
  private besiege(frame: number): void {
    if (this.cache.hasCode(frame) && !this.descriptors.lieIn(frame) && this.selfChecking.accuse(frame))
      this.besieged.add(frame);
  }

  override tracedWrite(physical: number): void {
    super.tracedWrite(physical);
    const i = (this.fromCache && this.locate(this.resumeAt).part?.instruction) || fetch(this);
    const bytes = i ? widestWrite(i) : 4096;
    if (bytes < 4096) this.cache.written(physical, bytes);
    else this.cache.frameWritten(physical >>> 12);
    const frame = physical >>> 12;
    this.besiege(frame);
    if (!this.tableWritten && this.fromCache && this.descriptors.lieIn(frame) && this.besides.accuse(frame))
      this.relax = true;
  }

  /** The kernel goes on. Tables that only share their page with what it writes all the time are not traced while it runs. */
  kernelRuns(): void {
    if (this.stepping) return;
    if (this.besieged.size > 0) {
      for (const frame of this.besieged) this.beginSelfChecking(frame);
      this.besieged.clear();
    }
    if (!this.relax) return;
    this.relax = false;
    this.cache.unlearn();
    this.descriptors.relax();
  }

  /** The code of this frame is translated anew, and writes there do not trap any more: nor need the monitor make them. */
  private beginSelfChecking(frame: number): void {
    const { cache, selfChecking } = this;
    if (selfChecking.has(frame)) return;
    cache.dropFrame(frame);
    const { oldest } = selfChecking;
    if (oldest >= 0) cache.dropFrame(oldest);
    selfChecking.begin(frame);
    this.adapted.clear();
    for (const block of cache.blocks) if (block.live && block.adapted) cache.drop(block);
  }

  // ---- sites that trap too often

  isAdapted(eip: number): boolean {
    return this.adapted.size > 0 && this.adapted.has(eip | 0);
  }

  /** An instruction's access has trapped. True when that was once too often. */
  accuse(eip: number): boolean {
    return this.trapped.accuse(eip | 0);
  }

  /** From now on the monitor makes the accesses of the instruction at this EIP. */
  adapt(eip: number): void {
    if (this.adapted.size > 4096) this.adapted.clear();
    this.adapted.add(eip | 0);
    this.cache.adaptations++;
    for (const block of this.cache.blocks)
      if (block.live && block.parts.some((part) => part.guest === (eip | 0) && part.length > 0))
        this.cache.drop(block);
  }

  override release(): void {
    this.cache.release();
    this.hypervisor.frames.release(this.statePage >>> 12);
    super.release();
  }
}
