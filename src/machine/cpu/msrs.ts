// Model-specific registers (SDM vol. 4): which exist, which can be written, with what. An MSR exists when it is in
// `cpu.msrs`; the VMX capability registers are there when the silicon is (see reset.ts).
import { hasNestedPaging as isSecondGeneration } from '../../cost/processors.ts';
import type { Cpu } from './cpu.ts';
import { fault, VECTOR } from './fault.ts';

export const MSR = {
  tsc: 0x10,
  apicBase: 0x1b,
  featureControl: 0x3a,
  sysenterCs: 0x174,
  sysenterEsp: 0x175,
  sysenterEip: 0x176,
  debugControl: 0x1d9,
  efer: 0xc0000080,
  vmCr: 0xc0010114,
  vmHsavePa: 0xc0010117,
  vmxFirst: 0x480,
  vmxLast: 0x490,
} as const;

/** Bootstrap processor, local APIC off: which is why CPUID does not announce one. With one, see `Cpu.apic`. */
const APIC_BASE = 0xfee00100n;
const APIC_ENABLE = 1n << 11n;
const FEATURE_CONTROL_LOCK = 1n;

/** EFER.SVME: the only bit of EFER here, where there is no long mode, no SYSCALL and no execute-disable. */
export const SVME = 1 << 12;
/** VM_CR: LOCK keeps itself and SVMDIS, which keeps SVME at 0 (APM vol. 2 §15.30.1). */
const VM_CR_LOCK = 8n;
const VM_CR_SVMDIS = 16n;

/** AMD's processors have nested paging, and save the next RIP, as Intel's have EPT: from 2008 on. */
export const hasNestedPaging = (cpu: Cpu): boolean => isSecondGeneration(cpu.cost.name);

/** A register whose value is worked out when it is read, or that does something when it is written. */
export interface LiveMsr {
  read(cpu: Cpu, index: number): bigint;
  write(cpu: Cpu, index: number, value: bigint): void;
}
/** Registers by index that a program provides before it makes processors which shall have them (provide-performance-counters.ts). */
export const optionalMsrs = new Map<number, LiveMsr>();

/** The MSRs after RESET, without those of VMX. In the map, TSC is what a WRMSR has added to the cycle counter. */
export function initialMsrs(): [number, bigint][] {
  return [
    [MSR.tsc, 0n],
    [MSR.apicBase, APIC_BASE],
    [MSR.sysenterCs, 0n],
    [MSR.sysenterEsp, 0n],
    [MSR.sysenterEip, 0n],
    [MSR.debugControl, 0n],
    [MSR.efer, 0n],
    [MSR.vmCr, 0n],
    [MSR.vmHsavePa, 0n],
    ...Array.from(optionalMsrs.keys(), (index): [number, bigint] => [index, 0n]),
  ];
}

/** The time-stamp counter as the running program sees it: cycles, what WRMSR added, and the hypervisor's offset. */
export function timeStamp(cpu: Cpu): bigint {
  const offset = cpu.intercepts ? cpu.intercepts.tscOffset() : 0;
  return BigInt.asUintN(64, BigInt(Math.floor(cpu.cycles + offset)) + (cpu.msrs.get(MSR.tsc) ?? 0n));
}

/** RDMSR without privilege and interception. Raises #GP(0) when there is no such register. */
export function readMsr(cpu: Cpu, index: number): bigint {
  const value = cpu.msrs.get(index);
  if (value === undefined) fault(cpu, VECTOR.GP, 0);
  if (index === MSR.tsc) return timeStamp(cpu);
  return optionalMsrs.get(index)?.read(cpu, index) ?? value;
}

/** WRMSR without privilege and interception. Raises #GP(0) for absent and read-only registers and reserved bits. */
export function writeMsr(cpu: Cpu, index: number, value: bigint): void {
  const old = cpu.msrs.get(index);
  if (old === undefined || (index >= MSR.vmxFirst && index <= MSR.vmxLast)) fault(cpu, VECTOR.GP, 0);
  const live = optionalMsrs.get(index);
  if (live) return live.write(cpu, index, value);
  switch (index) {
    case MSR.tsc:
      cpu.msrs.set(MSR.tsc, value - BigInt(Math.floor(cpu.cycles)));
      return;
    case MSR.apicBase:
      if (cpu.apic ? !cpu.apic.setBase(value) : value & APIC_ENABLE) fault(cpu, VECTOR.GP, 0);
      break;
    case MSR.featureControl:
      if (old & FEATURE_CONTROL_LOCK) fault(cpu, VECTOR.GP, 0);
      break;
    case MSR.debugControl:
      // Neither branch records nor single-stepping on branches.
      if (value !== 0n) fault(cpu, VECTOR.GP, 0);
      break;
    case MSR.efer:
      if (value & ~BigInt(SVME) || (value && cpu.msrs.get(MSR.vmCr)! & VM_CR_SVMDIS))
        fault(cpu, VECTOR.GP, 0);
      break;
    case MSR.vmCr:
      if (value & ~31n || (value & VM_CR_SVMDIS && cpu.msrs.get(MSR.efer))) fault(cpu, VECTOR.GP, 0);
      if (old & VM_CR_LOCK) value = (value & 7n) | (old & (VM_CR_LOCK | VM_CR_SVMDIS));
      break;
    case MSR.vmHsavePa:
      if (value & 0xf00000fffn || value >> 36n) fault(cpu, VECTOR.GP, 0);
      break;
    case MSR.sysenterCs:
    case MSR.sysenterEsp:
    case MSR.sysenterEip:
      value &= 0xffffffffn;
      break;
  }
  cpu.msrs.set(index, value);
}
