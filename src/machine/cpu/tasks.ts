// Hardware task switching (SDM vol. 3 ch. 7): TSS descriptors, busy and NT bits, saving one task and loading another.
// Up to the commit point a fault belongs to the old task and nothing has changed; behind it, to the new one.

import { Kind } from '../../trace/events.ts';
import { CS, DS, ES, FS, GS, LDTR, SS, TR } from '../isa/instruction.ts';
import { readLinear16, readLinear32, writeLinear8, writeLinear16, writeLinear32 } from './access.ts';
import { Attention, type Cpu } from './cpu.ts';
import { fault, VECTOR } from './fault.ts';
import { getFlags, NT, setFlags, VM } from './flags.ts';
import { CR0_PG, CR4_PAE, loadPdptes } from './page-walk.ts';
import { flushForCr3, translate } from './paging.ts';
import {
  checkStackSegment,
  Descriptor,
  enterCode,
  fetchDescriptor,
  isNull,
  markAccessed,
  requireDescriptor,
  SystemType,
  selectorError,
  setHidden,
  setNull,
  setVirtual8086,
} from './segmentation.ts';

/** What starts a task switch, numbered as in the VMX exit qualification (SDM vol. 3 table 27-2). */
export const TaskSource = { call: 0, iret: 1, jump: 2, gate: 3 } as const;
export type TaskSource = (typeof TaskSource)[keyof typeof TaskSource];

const CR0_TS = 8;
const DR6_BT = 1 << 15;
/** Local breakpoint enables and LE of DR7: a task switch clears them (SDM vol. 3 §17.2.4). */
const DR7_LOCAL = 0x155;

/** Reads and checks the descriptor of a task that is not running. Raises `vector`(selector) or #NP(selector). */
export function availableTss(cpu: Cpu, selector: number, d: Descriptor, vector: number, ext: number): void {
  if (isNull(selector) || selector & 4) fault(cpu, vector, selectorError(selector, ext));
  requireDescriptor(cpu, selector, d, vector, ext);
  if (d.systemType !== SystemType.tss16 && d.systemType !== SystemType.tss32)
    fault(cpu, vector, selectorError(selector, ext));
  if (!d.present) fault(cpu, VECTOR.NP, selectorError(selector, ext));
}

/** IRET with NT=1: back to the task in the link field, which must be busy. */
export function returnToPreviousTask(cpu: Cpu): void {
  const selector = readLinear16(cpu, cpu.segments[TR].base, false);
  const d = incoming;
  if (isNull(selector) || selector & 4) fault(cpu, VECTOR.TS, selectorError(selector));
  requireDescriptor(cpu, selector, d, VECTOR.TS);
  const busy = d.systemType === SystemType.busyTss16 || d.systemType === SystemType.busyTss32;
  if (!busy) fault(cpu, VECTOR.TS, selectorError(selector));
  if (!d.present) fault(cpu, VECTOR.NP, selectorError(selector));
  switchTask(cpu, selector, d, TaskSource.iret, 0);
}

const incoming = new Descriptor();
const outgoing = new Descriptor();
const scratch = new Descriptor();
/** Offsets of ES CS SS DS FS GS, general registers, in both layouts (SDM vol. 3 figures 7-2 and 7-10). */
const EIP_AT = [14, 32],
  FLAGS_AT = [16, 36],
  REGS_AT = [18, 40],
  SEGMENTS_AT = [34, 72],
  LDT_AT = [42, 96];
const CR3_AT = 28,
  TRAP_AT = 100;

/**
 * Switches to the task of `d` (checked by the caller as its way of starting demands). `cpu.eip` is what the old task will
 * resume at. Raises #TS and others.
 * @returns false when virtualization silicon has taken the switch as a VM exit
 */
export function switchTask(
  cpu: Cpu,
  selector: number,
  d: Descriptor,
  source: TaskSource,
  ext: number,
): boolean {
  const tr = cpu.segments[TR];
  const wide = (d.systemType & 8) !== 0;
  const oldWide = (tr.access & 8) !== 0;
  const limit = d.limit;
  if (limit < (wide ? 0x67 : 0x2b)) fault(cpu, VECTOR.TS, selectorError(selector, ext));
  if (cpu.intercepts?.taskSwitch(selector, source)) return false;

  // All that will be touched must be there before anything is changed.
  const base = d.base;
  touch(cpu, tr.base, oldWide ? 0x68 : 0x2c, true);
  touch(cpu, base, wide ? 0x68 : 0x2c, source === TaskSource.call || source === TaskSource.gate);
  const nested = source === TaskSource.call || source === TaskSource.gate;
  const oldBusy = !nested && fetchDescriptor(cpu, tr.selector, outgoing);
  if (oldBusy) translate(cpu, (outgoing.address + 5) >>> 0, true, false);
  if (source !== TaskSource.iret) translate(cpu, (d.address + 5) >>> 0, true, false);

  if (oldBusy) writeLinear8(cpu, (outgoing.address + 5) >>> 0, (outgoing.high >>> 8) & 0xfd, false);
  save(cpu, tr.base, oldWide, source === TaskSource.iret);
  if (nested) writeLinear16(cpu, base, tr.selector, false);
  if (source !== TaskSource.iret) {
    d.high |= 0x200;
    writeLinear8(cpu, (d.address + 5) >>> 0, (d.high >>> 8) & 0xff, false);
  }

  // Commit point. The TSS is read through the old address space, and wholly before CR3 changes.
  const w = wide ? 1 : 0;
  const step = wide ? 4 : 2;
  const word = (at: number): number =>
    wide ? readLinear32(cpu, (base + at) >>> 0, false) : readLinear16(cpu, (base + at) >>> 0, false);
  const selectors: number[] = [];
  for (let n = 0; n < (wide ? 6 : 4); n++) selectors.push(word(SEGMENTS_AT[w] + n * step) & 0xffff);
  const ldt = word(LDT_AT[w]) & 0xffff;
  const trap = wide && (readLinear16(cpu, (base + TRAP_AT) >>> 0, false) & 1) !== 0;
  const cr3 = wide ? readLinear32(cpu, (base + CR3_AT) >>> 0, false) : cpu.cr3;
  const flags = word(FLAGS_AT[w]);
  for (let r = 0; r < 8; r++) {
    const value = word(REGS_AT[w] + r * step);
    cpu.regs[r] = wide ? value : value | 0xffff0000;
  }
  cpu.eip = cpu.instructionStart = word(EIP_AT[w]) >>> 0;
  setFlags(cpu, (wide ? flags : flags & 0xffff) | (nested ? NT : 0));
  setHidden(tr, selector, d);
  tr.access |= 2;
  cpu.cr0 |= CR0_TS;
  cpu.dr[7] &= ~DR7_LOCAL;
  cpu.attention |= Attention.event;
  if (wide && cpu.cr0 & CR0_PG && cr3 !== cpu.cr3) {
    cpu.recorder.record(Kind.addressSpace, cpu.eip, cr3, cpu.cr3);
    if (cpu.cr4 & CR4_PAE) loadPdptes(cpu, cr3);
    cpu.cr3 = cr3;
    flushForCr3(cpu);
  }
  // Another task, other flags: alignment checks may have come on.
  cpu.tlb.dropFastTags();
  cpu.cycles += cpu.cost.charges.farTransfer.cycles;
  loadSegments(cpu, selectors, ldt, ext);
  if (trap) cpu.pendingDebug |= DR6_BT;
  return true;
}

/** Translates every page of a range, so that a missing one faults now. */
function touch(cpu: Cpu, base: number, length: number, write: boolean): void {
  translate(cpu, base, write, false);
  translate(cpu, (base + length - 1) >>> 0, write, false);
}

function save(cpu: Cpu, base: number, wide: boolean, clearNt: boolean): void {
  const w = wide ? 1 : 0;
  const step = wide ? 4 : 2;
  const put = (at: number, value: number): void => {
    if (wide) writeLinear32(cpu, (base + at) >>> 0, value, false);
    else writeLinear16(cpu, (base + at) >>> 0, value, false);
  };
  const flags = getFlags(cpu);
  put(EIP_AT[w], cpu.eip);
  put(FLAGS_AT[w], clearNt ? flags & ~NT : flags);
  for (let r = 0; r < 8; r++) put(REGS_AT[w] + r * step, cpu.regs[r]);
  // Segment fields of a 32-bit TSS have reserved upper halves, which the processor leaves alone.
  for (let n = 0; n < (wide ? 6 : 4); n++) {
    writeLinear16(cpu, (base + SEGMENTS_AT[w] + n * step) >>> 0, cpu.segments[n].selector, false);
  }
}

/** Loads LDTR and the segment registers of the new task; faults are its own (SDM vol. 3 §7.3, table 7-1). */
function loadSegments(cpu: Cpu, selectors: readonly number[], ldt: number, ext: number): void {
  const s = cpu.segments;
  const virtual = (cpu.flags & VM) !== 0;
  // First the selectors alone: should a check fail, the handler finds registers that name what failed and reach nothing.
  for (let n = 0; n < 6; n++) setNull(s[n], selectors[n] ?? 0);
  setNull(s[LDTR], ldt);
  cpu.cpl = virtual ? 3 : selectors[CS] & 3;
  if (!isNull(ldt)) {
    if (ldt & 4) fault(cpu, VECTOR.TS, selectorError(ldt, ext));
    requireDescriptor(cpu, ldt, scratch, VECTOR.TS, ext);
    if (scratch.systemType !== SystemType.ldt || !scratch.present)
      fault(cpu, VECTOR.TS, selectorError(ldt, ext));
    setHidden(s[LDTR], ldt, scratch);
  }
  if (virtual) {
    for (let n = 0; n < 6; n++) setVirtual8086(cpu, n, selectors[n]);
    return;
  }
  const cpl = cpu.cpl;
  checkStackSegment(cpu, selectors[SS], cpl, VECTOR.TS, ext, scratch);
  markAccessed(cpu, scratch);
  setHidden(s[SS], selectors[SS], scratch);
  for (const n of [DS, ES, FS, GS]) {
    const selector = selectors[n] ?? 0;
    if (isNull(selector)) continue;
    requireDescriptor(cpu, selector, scratch, VECTOR.TS, ext);
    if (!scratch.isReadable) fault(cpu, VECTOR.TS, selectorError(selector, ext));
    if (!scratch.isConforming && ((selector & 3) > scratch.dpl || cpl > scratch.dpl))
      fault(cpu, VECTOR.TS, selectorError(selector, ext));
    if (!scratch.present) fault(cpu, VECTOR.NP, selectorError(selector, ext));
    markAccessed(cpu, scratch);
    setHidden(s[n], selector, scratch);
  }
  const code = selectors[CS];
  if (isNull(code)) fault(cpu, VECTOR.TS, ext);
  requireDescriptor(cpu, code, scratch, VECTOR.TS, ext);
  if (!scratch.isCode) fault(cpu, VECTOR.TS, selectorError(code, ext));
  if (scratch.isConforming ? scratch.dpl > cpl : scratch.dpl !== cpl)
    fault(cpu, VECTOR.TS, selectorError(code, ext));
  if (!scratch.present) fault(cpu, VECTOR.NP, selectorError(code, ext));
  markAccessed(cpu, scratch);
  if (cpu.eip > scratch.limit) fault(cpu, VECTOR.GP, ext);
  enterCode(cpu, code, scratch, cpl, cpu.eip);
}
