// MSRs across entries and exits (SDM vol. 3 §26.4, §27.4, §27.6): the SYSENTER trio, which has fields of its own, and the
// areas in memory that list others, 16 bytes an entry: index, reserved, value.
import type { Cpu } from '../cpu.ts';
import { isFault } from '../fault.ts';
import { readMsr, writeMsr } from '../msrs.ts';
import type { VmxState } from './state.ts';
import { W } from './words.ts';

const SYSENTER = [0x174, 0x175, 0x176];
const FS_BASE = 0xc0000100;
const GS_BASE = 0xc0000101;
/** IA32_VMX_MISC recommends at most 512 entries; a longer list ends the entry or exit instead of running on. */
const MAX_ENTRIES = 512;

/** A value as the BigInt that the MSR map holds and as the word that the VMCS holds, so that unchanged MSRs cost no conversion. */
export class SysenterMsr {
  private value: bigint | undefined = undefined;
  private word = 0;
  private version = -1;
  constructor(readonly index: number) {}

  read(cpu: Cpu): number {
    if (cpu.msrs.version === this.version) return this.word;
    this.version = cpu.msrs.version;
    const value = cpu.msrs.get(this.index);
    if (value !== this.value) {
      this.value = value;
      this.word = value === undefined ? 0 : Number(BigInt.asIntN(32, value));
    }
    return this.word;
  }

  write(cpu: Cpu, word: number): void {
    if (this.read(cpu) === word) return;
    this.value = BigInt(word >>> 0);
    this.word = word;
    cpu.msrs.set(this.index, this.value);
    this.version = cpu.msrs.version;
  }
}

/** IA32_SYSENTER_CS, ESP, EIP of one processor. */
export class SysenterMsrs {
  readonly cs = new SysenterMsr(SYSENTER[0]);
  readonly esp = new SysenterMsr(SYSENTER[1]);
  readonly eip = new SysenterMsr(SYSENTER[2]);
}

/** Saves the trio in the guest-state area. */
export function syncSysenterOut(vmx: VmxState): void {
  const { cpu, words: w, base: b, sysenter } = vmx;
  w[b + W.sysenterCs] = sysenter.cs.read(cpu);
  w[b + W.sysenterEsp] = sysenter.esp.read(cpu);
  w[b + W.sysenterEip] = sysenter.eip.read(cpu);
}

/** Loads the trio from three words of the VMCS. */
export function syncSysenterIn(vmx: VmxState, cs: number, esp: number, eip: number): void {
  const { cpu, words: w, base: b, sysenter } = vmx;
  sysenter.cs.write(cpu, w[b + cs]);
  sysenter.esp.write(cpu, w[b + esp]);
  sysenter.eip.write(cpu, w[b + eip]);
}

/** Stores the listed MSRs. @param count, address words of the fields that describe the area */
export function storeMsrs(vmx: VmxState, count: number, address: number): void {
  const { cpu, words: w } = vmx;
  const entries = Math.min(w[count] >>> 0, MAX_ENTRIES);
  for (let n = 0; n < entries; n++) {
    const at = (w[address] >>> 0) + n * 16;
    const index = cpu.memory.read32(at) >>> 0;
    const value = cpu.msrs.has(index) ? readMsr(cpu, index) : 0n;
    cpu.memory.write32(at + 8, Number(BigInt.asIntN(32, value)));
    cpu.memory.write32(at + 12, Number(BigInt.asIntN(32, value >> 32n)));
  }
}

/**
 * Loads the listed MSRs. @returns 0, or the number (from 1) of the first entry that cannot be loaded: FS and GS base,
 * the x2APIC and microcode ranges, MSRs that do not exist, reserved bits
 */
export function loadMsrs(vmx: VmxState, count: number, address: number): number {
  const { cpu, words: w } = vmx;
  const entries = w[count] >>> 0;
  for (let n = 0; n < entries; n++) {
    const at = (w[address] >>> 0) + n * 16;
    const index = cpu.memory.read32(at) >>> 0;
    const forbidden =
      index === FS_BASE ||
      index === GS_BASE ||
      index >>> 8 === 8 ||
      index === 0x79 ||
      (index >= 0x480 && index <= 0x4ff);
    if (n >= MAX_ENTRIES || forbidden || cpu.memory.read32(at + 4) !== 0 || !cpu.msrs.has(index))
      return n + 1;
    const low = BigInt(cpu.memory.read32(at + 8) >>> 0);
    try {
      writeMsr(cpu, index, low | (BigInt(cpu.memory.read32(at + 12) >>> 0) << 32n));
    } catch (thrown) {
      if (!isFault(thrown)) throw thrown;
      return n + 1;
    }
  }
  return 0;
}
