// The two performance-monitoring counters of the P6 family (SDM vol. 3 "Performance monitoring (P6 family processor)", appendix
// A "P6 family performance-monitoring events"). Nothing is counted while programs run: a counter is what the machine counts
// anyway, less what that was when counting began, and is worked out when somebody looks.
import type { Cpu } from './cpu.ts';
import { fault, VECTOR } from './fault.ts';
import type { LiveMsr } from './msrs.ts';

export const PERF = { counter: 0xc1, select: 0x186 } as const;
const COUNTERS = [0, 1];

/** Bits of PerfEvtSel0 and PerfEvtSel1. PC (19) would move a pin that nobody sees. */
const USER = 1 << 16;
const SYSTEM = 1 << 17;
const EDGE = 1 << 18;
const INTERRUPT = 1 << 20;
/** In PerfEvtSel0, for both counters. In PerfEvtSel1 it means nothing; software sets it there all the same. */
const ENABLE = 1 << 22;
const INVERT = 1 << 23;
const MASK_SHIFT = 24;
/** Bit 21 and the upper half. */
const RESERVED = ~0xffdfffffn;

const COUNTER_BITS = 40;
const WRAP = 1n << 40n;
/** Cycles between two looks at a counter that is about to overflow and may not. Clocks are told to the cycle. */
const LOOK = 256;

/** Events that are counted. All others never happen. */
const CPU_CLK_UNHALTED = 0x79;
const INST_RETIRED = 0xc0;

/**
 * Events of a selection since power-on; only differences mean something. A long REP retires once a batch (executors/string.ts).
 * USR and OS are not told apart: with either, all rings count. Transitions (E) are not known, and count nothing.
 */
function happened(cpu: Cpu, select: number): number {
  if ((select & (USER | SYSTEM)) === 0 || select & EDGE) return 0;
  const clocks = Math.floor(cpu.cycles - cpu.idleCycles);
  const event = select & 0xff;
  const events = event === INST_RETIRED ? cpu.instructions : event === CPU_CLK_UNHALTED ? clocks : 0;
  const atLeast = select >>> MASK_SHIFT;
  if (atLeast === 0) return events;
  // Cycles with that many events. This processor has never more than one.
  const cycles = atLeast === 1 ? events : 0;
  return select & INVERT ? clocks - cycles : cycles;
}

/** What counter `n` has to be compared with now. */
function reference(cpu: Cpu, n: number): bigint {
  if (!(Number(cpu.msrs.get(PERF.select)) & ENABLE)) return 0n;
  return BigInt(happened(cpu, Number(cpu.msrs.get(PERF.select + n))));
}

/** Counter 0 or 1. In `cpu.msrs` lies its value less its reference. */
function count(cpu: Cpu, n: number): bigint {
  return BigInt.asUintN(COUNTER_BITS, cpu.msrs.get(PERF.counter + n)! + reference(cpu, n));
}

/**
 * Sees to the interrupt at overflow (INT), which goes through the local APIC. An event happens once a cycle at most, so the
 * counter is looked at when it could have come so far, and again, if it has not.
 */
function watch(cpu: Cpu): void {
  if (!cpu.apic) return;
  const before = COUNTERS.map((n) => count(cpu, n));
  const enabled = Number(cpu.msrs.get(PERF.select)) & ENABLE;
  let soonest = Infinity;
  for (const n of COUNTERS) {
    const select = Number(cpu.msrs.get(PERF.select + n));
    if (!enabled || !(select & INTERRUPT)) continue;
    const least = (select & 0xff) === CPU_CLK_UNHALTED ? 1 : LOOK;
    soonest = Math.min(soonest, Math.max(least, Number(WRAP - before[n])));
  }
  cpu.apic.lookAt(cpu.cycles + soonest, () => {
    for (const n of COUNTERS) {
      const asks = Number(cpu.msrs.get(PERF.select + n)) & INTERRUPT;
      if (asks && count(cpu, n) < before[n]) cpu.apic!.counterOverflow();
    }
    watch(cpu);
  });
}

/** PerfCtr0 and PerfCtr1. The lower 32 bits can be written, the others are copies of bit 31. */
export const counterMsr: LiveMsr = {
  read: (cpu, index) => count(cpu, index - PERF.counter),
  write(cpu, index, value) {
    cpu.msrs.set(index, BigInt.asIntN(32, value) - reference(cpu, index - PERF.counter));
    watch(cpu);
  },
};

/** PerfEvtSel0 and PerfEvtSel1: what has been counted stays. #GP(0) for reserved bits. */
export const selectMsr: LiveMsr = {
  read: (cpu, index) => cpu.msrs.get(index)!,
  write(cpu, index, value) {
    if (value & RESERVED) fault(cpu, VECTOR.GP, 0);
    const counts = COUNTERS.map((n) => count(cpu, n));
    cpu.msrs.set(index, value);
    for (const n of COUNTERS) cpu.msrs.set(PERF.counter + n, counts[n] - reference(cpu, n));
    watch(cpu);
  },
};
