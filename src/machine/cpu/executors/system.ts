// Instructions that manage the processor: HLT, caches, TLB, MSRs, the time-stamp counter, CPUID, and the collection of all
// system families (SDM vol. 2; vol. 3 §2.8).
import { EAX, EBX, ECX, EDX, type Instruction } from '../../isa/instruction.ts';
import { effectiveAddress } from '../address.ts';
import { Attention, type Cpu } from '../cpu.ts';
import { cpuid as identify } from '../cpuid.ts';
import { fault, VECTOR } from '../fault.ts';
import { readMsr, timeStamp, writeMsr } from '../msrs.ts';
import { controlRegisterExecutors } from './control-registers.ts';
import { descriptorTableExecutors } from './descriptor-tables.ts';
import type { Executor, Executors } from './executor.ts';
import { farExecutors } from './far.ts';
import { flagsWordExecutors } from './flags-word.ts';
import { ioExecutors } from './io.ts';
import { requireRing0 } from './privilege.ts';
import { segmentQueryExecutors } from './segment-queries.ts';

const CR4_TSD = 1 << 2;
const CR4_PCE = 1 << 8;
/** MSRs from here on. */
const PERFORMANCE_COUNTERS = 0xc1;

function hlt(cpu: Cpu): void {
  requireRing0(cpu);
  if (cpu.intercepts?.instruction('hlt', 0)) return;
  cpu.halted = true;
  cpu.attention |= Attention.event;
}

/** There are no caches to write back; what remains is privilege, interception and time. */
const cacheControl =
  (which: 'invd' | 'wbinvd'): Executor =>
  (cpu) => {
    requireRing0(cpu);
    cpu.intercepts?.instruction(which, 0);
  };

/** The address is only named, not accessed: no segment limit, no page fault. */
function invlpg(cpu: Cpu, i: Instruction): void {
  requireRing0(cpu);
  const linear = (cpu.segments[i.segment].base + effectiveAddress(cpu, i)) >>> 0;
  if (cpu.intercepts?.instruction('invlpg', linear)) return;
  cpu.tlb.invalidate(linear);
}

function rdmsr(cpu: Cpu): void {
  requireRing0(cpu);
  const index = cpu.regs[ECX] >>> 0;
  if (cpu.intercepts?.msr(index, false)) return;
  put64(cpu, readMsr(cpu, index));
}

function wrmsr(cpu: Cpu): void {
  requireRing0(cpu);
  const index = cpu.regs[ECX] >>> 0;
  if (cpu.intercepts?.msr(index, true)) return;
  writeMsr(cpu, index, (BigInt(cpu.regs[EDX] >>> 0) << 32n) | BigInt(cpu.regs[EAX] >>> 0));
}

function rdtsc(cpu: Cpu): void {
  if (cpu.cr4 & CR4_TSD && cpu.cpl !== 0) fault(cpu, VECTOR.GP, 0);
  if (cpu.intercepts?.instruction('rdtsc', 0)) return;
  put64(cpu, timeStamp(cpu));
}

/** Counters are MSRs, if there are any (performance-counters.ts): without, every index is out of range. */
function rdpmc(cpu: Cpu): void {
  if (!(cpu.cr4 & CR4_PCE)) requireRing0(cpu);
  if (cpu.intercepts?.instruction('rdpmc', 0)) return;
  const n = cpu.regs[ECX] >>> 0;
  if (n > 1) fault(cpu, VECTOR.GP, 0);
  put64(cpu, readMsr(cpu, PERFORMANCE_COUNTERS + n));
}

function put64(cpu: Cpu, value: bigint): void {
  cpu.regs[EAX] = Number(BigInt.asIntN(32, value));
  cpu.regs[EDX] = Number(BigInt.asIntN(32, value >> 32n));
}

function cpuid(cpu: Cpu): void {
  if (cpu.intercepts?.instruction('cpuid', 0)) return;
  const result = identify(cpu, cpu.regs[EAX] >>> 0);
  cpu.regs[EAX] = result.eax;
  cpu.regs[EBX] = result.ebx;
  cpu.regs[ECX] = result.ecx;
  cpu.regs[EDX] = result.edx;
}

function pause(cpu: Cpu): void {
  cpu.intercepts?.instruction('pause', 0);
}

const invd = cacheControl('invd');
const wbinvd = cacheControl('wbinvd');

/** Keys are `Form.operation`. What is absent here, in the integer half, in vmx/ and svm/ (RSM, MONITOR, MWAIT …) is #UD on this processor. */
export const systemExecutors: Executors = {
  hlt: () => hlt,
  invd: () => invd,
  wbinvd: () => wbinvd,
  invlpg: () => invlpg,
  rdmsr: () => rdmsr,
  wrmsr: () => wrmsr,
  rdtsc: () => rdtsc,
  rdpmc: () => rdpmc,
  cpuid: () => cpuid,
  pause: () => pause,
  ...controlRegisterExecutors,
  ...descriptorTableExecutors,
  ...segmentQueryExecutors,
  ...flagsWordExecutors,
  ...farExecutors,
  ...ioExecutors,
};
