// Which compiled region begins where: what lets one go on in another (runtime.ts) without coming back here. A link is made
// when the interpreter has entered a region there and everything was as that region assumes; it is good as long as nothing
// has changed that it depends on: translations, code, compiled code, what segments and tables are. Then there is a new
// epoch, and all is learned again.

import { NOTE_WORDS } from '../../trace/transfer-notes.ts';
import { PLAIN_WRITE_MASK } from '../cpu/access.ts';
import type { Cpu } from '../cpu/cpu.ts';
import { DR7_ENABLES } from '../cpu/debug.ts';
import { IF } from '../cpu/flags.ts';
import { CR4_PGE } from '../cpu/page-walk.ts';
import { checksAlignment, tagMode, walksPlainly } from '../cpu/paging.ts';
import { loads } from '../cpu/segment-loads.ts';
import { Access } from '../cpu/segmentation.ts';
import { Shared } from '../cpu/shared.ts';
import { Right } from '../cpu/tlb.ts';
import { CS, DS, ES, FS, GS, SS, TR } from '../isa/instruction.ts';
import { TABLES } from '../memory/store.ts';
import { widen } from '../wide-numbers.ts';
import type { Runnable } from './enter.ts';
import { State } from './state.ts';
import { LINKS, Link, linkAt, MOST_NOTES, Way } from './transfer-words.ts';
import { apply, type Records, recordsOf, teachGate, teachReturn } from './transfers.ts';

/** Epochs are numbered in 30 bits. */
const EPOCHS = 1 << 30;
/** Of access rights: what compiled code assumes. */
const ASSUMED = PLAIN_WRITE_MASK | Access.big;
/** An IRET that cannot take a data segment away. */
const ANY_PRIVILEGE = 3;

/** As the number of notes: no transfer has room to note itself. */
const NO_TRANSFERS = 1 << 20;
const WAYS = Way.gate + 256;
/** A transfer that has been learned so often and still does not go as remembered is not learned again. */
const MOST_TRIES = 4;

export class Links {
  /** Regions by number. */
  readonly regions: (Runnable | null)[] = new Array(TABLES).fill(null);
  /** Counted by the engine: compiled code has come or gone. */
  changes = 0;
  /** Gates and returns that compiled code has gone through and told the trace of. */
  transfers = 0;
  /** Cycle at which the regions that run now were entered, and their budget then. */
  start = 0;
  budget = 0;
  private readonly words: Int32Array;
  private readonly notes: Int32Array;
  private readonly records: Records;
  private readonly epochs: Float64Array;
  private epoch = 0;
  private transfersAllowed = false;
  /** By `Way`: the stamp under which it was learned last, and how often. */
  private readonly tried = new Int32Array(WAYS);
  private readonly tries = new Int32Array(WAYS);
  // What the epoch was made under.
  private seenTranslations = -1;
  private seenTouched = -1;
  private seenChanges = -1;
  private seenLoads = -1;
  private seenRuns = -1;
  private seenIntercepts: object | null = null;
  private seenWatcher: unknown = null;
  // And what walks hang on: a VM entry may change it and leave the translations.
  private seenCr0 = 0;
  private seenCr3 = 0;
  private seenCr4 = 0;
  private seenMode = -2;
  /** Segments, tables, the TSS and where the monitor is, as numbers. */
  private readonly held = new Float64Array(6 * 3 + 9).fill(-1);

  constructor(private readonly cpu: Cpu) {
    const { buffer, base } = cpu.shared;
    widen(this, 'start', 'budget');
    this.records = recordsOf(cpu);
    this.epochs = new Float64Array(buffer, base + Shared.state + State.epoch * 4, 2);
    this.words = new Int32Array(buffer, base + Shared.links, LINKS * 4);
    this.notes = new Int32Array(buffer, base + Shared.log, MOST_NOTES * NOTE_WORDS);
  }

  /** Before a region is run: what it and those behind it are given, and the link to it. */
  prepare(region: Runnable, index: number, eip: number): void {
    const { cpu, words } = this;
    if (
      cpu.tlb.translations !== this.seenTranslations ||
      loads.count !== this.seenLoads ||
      cpu.memory.touched !== this.seenTouched ||
      this.changes !== this.seenChanges ||
      cpu.intercepts !== this.seenIntercepts
    )
      this.look();
    else if (
      cpu.cr3 !== this.seenCr3 ||
      cpu.cr0 !== this.seenCr0 ||
      cpu.cr4 !== this.seenCr4 ||
      tagMode(cpu) !== this.seenMode
    )
      this.giveSpace();
    if (cpu.runs !== this.seenRuns && !this.lookAround()) this.begin();
    const stamp = (this.epoch << 2) | cpu.cpl;
    const at = linkAt(eip) >>> 2;
    if (words[at + Link.eip] !== (eip | 0) || words[at + Link.stamp] !== stamp) {
      words[at + Link.eip] = eip | 0;
      words[at + Link.stamp] = stamp;
      words[at + Link.target] = region.number | (index << 16);
      words[at + Link.table] = region.assumes.table;
    }
    const state = cpu.compiledState;
    state[State.csAccess] = state[State.ssAccess] = 0;
    state[State.stamp] = stamp;
    state[State.region] = region.number;
    state[State.table] = region.assumes.table;
    state[State.cr2] = cpu.cr2;
    state[State.cr3] = cpu.cr3;
    state[State.cs] = cpu.segments[CS].selector;
    state[State.ss] = cpu.segments[SS].selector;
    // An NMI that is blocked comes with the next IRET.
    state[State.logged] = this.transfersAllowed && !cpu.nmiPending ? 0 : NO_TRANSFERS;
    state[State.waiting] = (cpu.flags & IF) === 0 && cpu.interrupts.pending() ? IF : 0;
  }

  /** Whether one of `BEYOND` (region.ts) is the running program's own, and nobody watches it. */
  does(operation: string): boolean {
    const { intercepts, recorder } = this.cpu;
    if (recorder.attribute !== null) return false;
    if (intercepts === null) return true;
    return operation !== 'in' && operation !== 'out' && (intercepts.pagesFreely?.() ?? false);
  }

  /** Whether compiled code may do what the machine or somebody outside wants to see as it happens. @returns whether what was learned is still good */
  private lookAround(): boolean {
    const { intercepts, recorder, watcher, compiledState: state } = this.cpu;
    state[State.portsWatched] = this.does('in') ? 0 : 1;
    state[State.pagingWatched] = this.does('mov-to-cr') ? 0 : 1;
    state[State.cr2Watched] = intercepts === null || intercepts.readsCr2Freely?.() ? 0 : 1;
    this.transfersAllowed =
      (intercepts === null || (intercepts.transfersFreely?.() ?? false)) &&
      recorder.attribute === null &&
      recorder.notify === null;
    const same = watcher === this.seenWatcher;
    this.seenWatcher = watcher;
    this.seenRuns = this.cpu.runs;
    return same;
  }

  /** What compiled code needs for walks of its own: good as long as translations and intercepts are. */
  private giveSpace(): void {
    const { cpu, epochs } = this;
    const { compiledState: state, tlb, cr4 } = cpu;
    const usual = walksPlainly(cpu) && (cpu.dr[7] & DR7_ENABLES) === 0 && !checksAlignment(cpu);
    state[State.walks] = usual ? 1 : 0;
    state[State.directory] = cpu.cr3 & 0xfffff000;
    state[State.walkCharge] = 2 * cpu.cost.charges.pageWalkReference.cycles;
    state[State.globalBit] = cr4 & CR4_PGE ? Right.global : 0;
    this.seenCr0 = cpu.cr0;
    this.seenCr3 = cpu.cr3;
    this.seenCr4 = cpu.cr4;
    this.seenMode = tagMode(cpu);
    state[State.context] = tlb.current.number;
    epochs[0] = tlb.current.epoch;
    epochs[1] = tlb.current.globalEpoch;
  }

  /** Tells the trace what transfers have noted so far. */
  tell(): void {
    const state = this.cpu.compiledState;
    const count = state[State.logged];
    if (count === 0 || count === NO_TRANSFERS) return;
    this.transfers += count;
    state[State.logged] = 0;
    const { recorder, cost } = this.cpu;
    const { interruptDelivery, interruptDeliverySameRing } = cost.charges;
    const end = this.start + this.budget;
    recorder.recordTransfers(
      this.notes,
      count,
      end,
      interruptDelivery.cycles,
      interruptDeliverySameRing.cycles,
    );
  }

  /** After a region was left: what transfers have done to the processor. */
  settle(): void {
    const { cpu } = this;
    if (cpu.compiledState[State.csAccess] === 0) return;
    this.tell();
    apply(cpu);
    cpu.tlb.generation++;
  }

  /** In the middle of regions the address space has changed: what leads on from here is of a new epoch. */
  renew(): void {
    const { tlb, compiledState: state } = this.cpu;
    this.seenTranslations = tlb.translations;
    this.giveSpace();
    this.begin();
    state[State.stamp] = (this.epoch << 2) | (state[State.stamp] & 3);
  }

  /** An INT or IRET did not go as remembered: perhaps it was not. @param way `Way` */
  learn(way: number): void {
    const stamp = this.cpu.compiledState[State.stamp];
    if (!this.transfersAllowed || (this.tried[way] === stamp && this.tries[way] >= MOST_TRIES)) return;
    this.tries[way] = this.tried[way] === stamp ? this.tries[way] + 1 : 1;
    this.tried[way] = stamp;
    if (way >= Way.gate) teachGate(this.cpu, this.records, way - Way.gate);
    else teachReturn(this.cpu, this.records);
  }

  /** Something may have changed since the epoch began. */
  private look(): void {
    const { cpu } = this;
    const { tlb, memory } = cpu;
    const same =
      tlb.translations === this.seenTranslations &&
      memory.touched === this.seenTouched &&
      this.changes === this.seenChanges;
    this.seenTranslations = tlb.translations;
    this.seenTouched = memory.touched;
    this.seenChanges = this.changes;
    this.seenIntercepts = cpu.intercepts;
    const unwatched = this.lookAround();
    this.giveSpace();
    const held = loads.count === this.seenLoads || this.holdsSame();
    this.seenLoads = loads.count;
    if (held && same && unwatched) return;
    this.begin();
  }

  private begin(): void {
    if (++this.epoch < EPOCHS) return;
    this.epoch = 1;
    this.words.fill(0);
    for (const record of [...this.records.gates, ...this.records.returns]) record.fill(0);
  }

  /** Notes what segment and table registers hold. @returns whether that is what they held */
  private holdsSame(): boolean {
    const { segments, gdtr, idtr, compiledState: state } = this.cpu;
    let same = true;
    for (let n = 0; n <= GS; n++) {
      const s = segments[n];
      if (!this.holdsThree(n * 3, s.base, s.limit, s.access & ASSUMED)) same = false;
    }
    const tss = segments[TR];
    if (!this.holdsThree(18, tss.base, tss.limit, tss.access & 8)) same = false;
    if (!this.holdsThree(21, gdtr.base, gdtr.limit, idtr.base)) same = false;
    if (!this.holdsThree(24, idtr.limit, this.cpu.monitorBase, this.cpu.monitorSize)) same = false;
    state[State.leastPrivilege] = Math.min(this.drops(ES), this.drops(DS), this.drops(FS), this.drops(GS));
    state[State.stackBase] = segments[SS].base;
    state[State.stackLimit] = Math.max(0, segments[SS].limit - 19);
    return same;
  }

  /** As `holdsSame`, for three numbers. @param at where they are noted */
  private holdsThree(at: number, a: number, b: number, c: number): boolean {
    const { held } = this;
    if (held[at] === a && held[at + 1] === b && held[at + 2] === c) return true;
    held[at] = a;
    held[at + 1] = b;
    held[at + 2] = c;
    return false;
  }

  /** The least privilege at which a data segment is kept (SDM vol. 2A IRET). */
  private drops(n: number): number {
    const { access } = this.cpu.segments[n];
    return (access & 0x1c) !== 0x1c && !(access & Access.unusable) ? (access >>> 5) & 3 : ANY_PRIVILEGE;
  }
}
