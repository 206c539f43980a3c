// VT-x of the second generation (2008): secondary controls, EPT, VPID, unrestricted guests (SDM vol. 3 §24.6.2, §25.5,
// §26.2.1.1, §28). True control MSRs say that CR3 loads and stores need not exit.
// VPID and EPT pointer name whose translations are remembered (§28.3.1): with a VPID nothing is forgotten at a transition.
import type { Cpu } from '../cpu.ts';
import { GuestPhysical } from '../guest-physical.ts';
import { NestedWalk } from '../nested-walk.ts';
import { tagMode } from '../paging.ts';
import { NO_ROOT } from '../tlb-context.ts';
import {
  all,
  type ControlCapability,
  capabilityMsrs,
  control,
  FIRST_GENERATION,
  PIN,
  PROC,
  supported,
  unsigned,
  VMX_MSR,
  type VmxCapabilities,
  word,
} from './capabilities.ts';
import { Ept, isEptPointer } from './ept.ts';
import type { SecondGeneration } from './generations.ts';
import { takeNamedPdptes, takePdptes, usesPae } from './pdptes.ts';
import type { VmxState } from './state.ts';
import { W } from './words.ts';

/** Secondary processor-based VM-execution controls. */
export const SECONDARY = { ept: 1 << 1, vpid: 1 << 5, wbinvd: 1 << 6, unrestricted: 1 << 7 } as const;

/** Capability MSRs that came with it. */
export const LATER_MSR = {
  secondary: 0x48b,
  eptVpid: 0x48c,
  truePin: 0x48d,
  trueProc: 0x48e,
  trueExit: 0x48f,
  trueEntry: 0x490,
} as const;

/** Default-1 bits that the true MSRs let software clear: CR3-load and CR3-store exiting. */
const MAY_BE_CLEARED = PROC.cr3Load | PROC.cr3Store;
const SECOND_GENERATION: VmxCapabilities = {
  ...FIRST_GENERATION,
  generation: 2,
  pin: control(FIRST_GENERATION.pin.required, all(PIN, PIN.virtualNmis)),
  proc: control(FIRST_GENERATION.proc.required & ~MAY_BE_CLEARED, all(PROC, PROC.nmiWindow)),
  secondary: control(0, all(SECONDARY)),
};

/** IA32_VMX_EPT_VPID_CAP: four levels; UC and WB tables; 2-MiB pages; INVEPT and INVVPID with all their types (app. A.10). */
const EPT_VPID =
  (1n << 6n) |
  (1n << 8n) |
  (1n << 14n) |
  (1n << 16n) |
  (1n << 20n) |
  (3n << 25n) |
  (1n << 32n) |
  (0xfn << 40n);
const TRUE_CONTROLS = 1n << 55n;

function msrs(): ReadonlyMap<number, bigint> {
  const map = new Map(capabilityMsrs(SECOND_GENERATION));
  const { pin, proc, exit, entry, secondary } = SECOND_GENERATION;
  const withDefaults = (c: ControlCapability, bits: number): bigint =>
    unsigned(c.required | bits) | (unsigned(c.allowed | bits) << 32n);
  map.set(VMX_MSR.basic, map.get(VMX_MSR.basic)! | TRUE_CONTROLS);
  map.set(VMX_MSR.proc, withDefaults(proc, MAY_BE_CLEARED));
  map.set(LATER_MSR.secondary, word(secondary));
  map.set(LATER_MSR.eptVpid, EPT_VPID);
  map.set(LATER_MSR.truePin, word(pin));
  map.set(LATER_MSR.trueProc, word(proc));
  map.set(LATER_MSR.trueExit, word(exit));
  map.set(LATER_MSR.trueEntry, word(entry));
  return map;
}

function controls({ words: w, base: b }: VmxState): number {
  return w[b + W.proc] & PROC.secondary ? w[b + W.secondary] : 0;
}

function checkControls(vmx: VmxState): string {
  const { words: w, base: b, capabilities: can } = vmx;
  const secondary = controls(vmx);
  if (!supported(secondary, can.secondary))
    return 'secondary processor-based controls: a reserved bit is set (IA32_VMX_PROCBASED_CTLS2)';
  if (secondary & SECONDARY.vpid && w[b + W.vpid] === 0) return 'VPID is enabled and 0, which is the host’s';
  if (secondary & SECONDARY.ept && !isEptPointer(w[b + W.eptp], w[b + W.eptp + 1]))
    return 'the EPT pointer is not usable: memory type 0 or 6, page-walk length 3, no other low bits, an address that exists';
  if (secondary & SECONDARY.unrestricted && !(secondary & SECONDARY.ept))
    return '"unrestricted guest" needs "enable EPT"';
  return '';
}

const walks = new WeakMap<Cpu, { ept: Ept; walk: NestedWalk }>();

/** The second dimension of a processor; made on first use. */
function secondDimensionOf(cpu: Cpu): { ept: Ept; walk: NestedWalk } {
  let made = walks.get(cpu);
  if (!made) {
    const ept = new Ept();
    walks.set(cpu, (made = { ept, walk: new NestedWalk(ept, new GuestPhysical(cpu.tlb)) }));
  }
  return made;
}

function enter(cpu: Cpu, vmx: VmxState, same: boolean): boolean {
  const { words: w, base: b } = vmx;
  const secondary = controls(vmx);
  const nested = secondary & SECONDARY.ept;
  if (same && secondary & SECONDARY.vpid) cpu.tlb.stay(tagMode(cpu));
  else chooseTranslations(cpu, vmx, secondary);
  const ok = nested ? !usesPae(cpu) || takePdptes(cpu, (n) => w[b + W.pdptrs + n]) : takeNamedPdptes(cpu);
  if (!ok) return false;
  if (nested) {
    const { ept, walk } = secondDimensionOf(cpu);
    ept.root = (w[b + W.eptp] & 0xfffff000) >>> 0;
    cpu.nested = walk;
  }
  return true;
}

/** §28.3.1: linear mappings are tagged with the VPID, combined ones with the top EPT table too. VPID 0 is the host's. */
function chooseTranslations(cpu: Cpu, vmx: VmxState, secondary: number): void {
  const { words: w, base: b } = vmx;
  const { tlb } = cpu;
  if (!(secondary & SECONDARY.vpid)) {
    tlb.enter(tlb.contexts[0], -1);
    tlb.flush();
    return;
  }
  const root = secondary & SECONDARY.ept ? topTable(w[b + W.eptp], w[b + W.eptp + 1]) : NO_ROOT;
  tlb.enter(tlb.contextOf(w[b + W.vpid], root), tagMode(cpu));
}

/** Bits 51:12 of an EPT pointer: of 36-bit addresses. */
export function topTable(low: number, high: number): number {
  return ((low & 0xfffff000) >>> 0) + (high & 15) * 2 ** 32;
}

function leave(cpu: Cpu, vmx: VmxState): void {
  if (cpu.nested === null) return;
  const { words: w, base: b } = vmx;
  for (let n = 0; n < 8; n++) w[b + W.pdptrs + n] = cpu.pdptes[n];
  cpu.nested = null;
}

export const secondGeneration: SecondGeneration = {
  capabilities: SECOND_GENERATION,
  msrs,
  checkControls,
  controls,
  enter,
  leave,
};
