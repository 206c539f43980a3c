// What compiled code is told of gates and returns, from what the processor remembers of them (cpu/known-transfers.ts), and
// what its transfers mean for the processor when it is left.
import { GATE_NOTE, noteOf, RING_NOTE } from '../../trace/transfer-notes.ts';
import type { Cpu, SegmentRegister } from '../cpu/cpu.ts';
import { isDeprivileged } from '../cpu/executors/privilege.ts';
import { IF, NT, RF, TF, VM } from '../cpu/flags.ts';
import { isPlainStack } from '../cpu/known-transfers.ts';
import type { KnownSegment } from '../cpu/known-words.ts';
import { loads } from '../cpu/segment-loads.ts';
import { Access, CR0_PE } from '../cpu/segmentation.ts';
import { Shared } from '../cpu/shared.ts';
import { Word } from '../cpu/tlb.ts';
import { CS, ESP, SS, TR } from '../isa/instruction.ts';
import { State } from './state.ts';
import { GATES, RETURN_CHANGES, RETURNS, TRANSFER_WORDS, Transfer } from './transfer-words.ts';

/** Protected mode, but for virtual-8086 programs, with a stack of the usual kind: what is remembered is of that. */
const isPlainProtected = ({ cr0, flags, segments }: Cpu): boolean =>
  (cr0 & CR0_PE) !== 0 && (flags & VM) === 0 && isPlainStack(segments[SS].access);

/** Eight bytes within one page. */
const inOnePage = (linear: number): boolean => (linear & 0xfff) <= 0xff8;

/** A segment that is just as the register now, but for selector and privilege. */
function fits(known: KnownSegment, now: SegmentRegister): boolean {
  return (
    known.base === now.base &&
    known.limit === now.limit &&
    ((known.access ^ now.access) & Access.big) === 0 &&
    inOnePage(known.address)
  );
}

/** The records of one processor, as views of its block. */
export interface Records {
  readonly gates: readonly Int32Array[];
  readonly returns: readonly Int32Array[];
}

export function recordsOf({ shared: { buffer, base } }: Cpu): Records {
  const views = (table: number, count: number) =>
    Array.from(
      { length: count },
      (_, n) => new Int32Array(buffer, base + table + n * TRANSFER_WORDS * 4, TRANSFER_WORDS),
    );
  return { gates: views(Shared.gates, GATES), returns: views(Shared.returns, RETURNS) };
}

function putCode(cpu: Cpu, w: Int32Array, code: KnownSegment, level: number): void {
  const stamp = cpu.compiledState[State.stamp];
  w[Transfer.codeAt] = code.address;
  w[Transfer.codeLow] = code.low;
  w[Transfer.codeHigh] = code.high;
  w[Transfer.cs] = (code.selector & 0xfffc) | level;
  w[Transfer.csAccess] = code.access;
  w[Transfer.stamp] = stamp;
  w[Transfer.next] = (stamp & ~3) | level;
}

function putStack(w: Int32Array, stack: KnownSegment | null, level: number): void {
  w[Transfer.stackChanges] = stack === null ? 0 : 1;
  if (stack === null) return;
  w[Transfer.stackAt] = stack.address;
  w[Transfer.stackLow] = stack.low;
  w[Transfer.stackHigh] = stack.high;
  w[Transfer.stackSelector] = stack.selector;
  w[Transfer.ss] = (stack.selector & 0xfffc) | level;
  w[Transfer.ssAccess] = stack.access;
}

/** Whether the monitor waits there. */
function isMonitor(
  { intercepts, monitorSize, monitorBase, segments }: Cpu,
  level: number,
  eip: number,
): boolean {
  return (
    intercepts === null &&
    monitorSize !== 0 &&
    level === 0 &&
    (segments[CS].base + eip - monitorBase) >>> 0 < monitorSize
  );
}

/** INT `vector` at the current privilege, if the processor remembers where that leads and compiled code can go there. */
export function teachGate(cpu: Cpu, { gates }: Records, vector: number): void {
  const k = cpu.known.gates[vector];
  const { idtr, gdtr, segments, cpl } = cpu;
  if (k === null || k.cpl !== cpl || k.dpl < cpl || !isPlainProtected(cpu)) return;
  if (idtr.base !== k.idtBase || idtr.limit !== k.idtLimit) return;
  if (gdtr.base !== k.gdtBase || gdtr.limit !== k.gdtLimit) return;
  const { level } = k;
  if (!inOnePage(k.address) || !fits(k.code, segments[CS]) || isMonitor(cpu, level, k.eip)) return;
  const inward = level !== cpl;
  const tss = segments[TR];
  const tssAt = (tss.base + 4 + level * 8) >>> 0;
  if (inward && !(fits(k.stack, segments[SS]) && inOnePage(tssAt))) return;
  if (inward && (!(tss.access & 8) || 4 + level * 8 + 7 > tss.limit)) return;
  const w = gates[vector & (GATES - 1)];
  if (w[Transfer.stamp] === cpu.compiledState[State.stamp] && w[Transfer.key] === vector) return;
  const { charges } = cpu.cost;
  putCode(cpu, w, k.code, level);
  putStack(w, inward ? k.stack : null, level);
  w[Transfer.key] = vector;
  w[Transfer.cycles] = (inward ? charges.interruptDelivery : charges.interruptDeliverySameRing).cycles;
  w[Transfer.gateAt] = k.address;
  w[Transfer.gateLow] = k.low;
  w[Transfer.gateHigh] = k.high;
  w[Transfer.eip] = k.eip;
  w[Transfer.keeps] = ~(TF | NT | RF | VM | (k.trap ? 0 : IF));
  w[Transfer.tssAt] = tssAt;
  w[Transfer.pushes] = Word.write + (level === 3 ? 1 : 0);
  w[Transfer.stackLimit] = segments[SS].limit;
  w[Transfer.note] = noteOf(GATE_NOTE, cpl, level, vector);
}

/** The IRET that is to be done now, under the same conditions. */
export function teachReturn(cpu: Cpu, { returns }: Records): void {
  const { gdtr, segments, cpl, tlb, memory } = cpu;
  // Returns of kernels outside ring 0 are watched.
  if (cpu.watcher !== null && isDeprivileged(cpu)) return;
  const at = (segments[SS].base + cpu.regs[ESP]) >>> 0;
  if ((at & 0xfff) > 0xff4 || !tlb.has(at, Word.read, cpl === 3)) return;
  const selector = memory.read32(tlb.physical(at) + 4) & 0xffff;
  const index = (selector >>> 3) & (RETURNS - 1);
  const k = cpu.known.returns[index];
  if (k === null || k.cpl !== cpl || k.code.selector !== selector || !isPlainProtected(cpu)) return;
  if (gdtr.base !== k.gdtBase || gdtr.limit !== k.gdtLimit) return;
  const level = selector & 3;
  // Where it returns to may be the monitor another time.
  if (!fits(k.code, segments[CS]) || (cpu.intercepts === null && cpu.monitorSize !== 0 && level === 0))
    return;
  if (k.outward && !fits(k.stack, segments[SS])) return;
  const w = returns[index];
  if (w[Transfer.stamp] === cpu.compiledState[State.stamp] && w[Transfer.key] === selector) return;
  putCode(cpu, w, k.code, level);
  putStack(w, k.outward ? k.stack : null, level);
  w[Transfer.key] = selector;
  w[Transfer.cycles] = cpu.cost.charges.iret.cycles;
  w[Transfer.limit] = k.code.limit;
  w[Transfer.changes] = RETURN_CHANGES | (cpl === 0 ? IOPL_BITS : 0);
  w[Transfer.note] = level === cpl ? 0 : noteOf(RING_NOTE, cpl, level, 0);
}

const IOPL_BITS = 3 << 12;

/** Compiled code has gone through gates, or returned: loads what that loaded. */
export function apply(cpu: Cpu): void {
  const { compiledState: state, segments } = cpu;
  const [cs, ss] = [segments[CS], segments[SS]];
  loads.quiet++;
  cs.selector = state[State.cs];
  cs.access = state[State.csAccess];
  if (state[State.ssAccess] !== 0) {
    ss.selector = state[State.ss];
    ss.access = state[State.ssAccess];
  }
  cpu.cpl = state[State.stamp] & 3;
  if (state[State.returned] !== 0) cpu.nmiBlocked = false;
  state[State.csAccess] = state[State.ssAccess] = state[State.returned] = 0;
}
