// Registers into and out of a save area (APM vol. 2 §15.5.1, app. B): the part that VMRUN and #VMEXIT move by themselves, and
// the part that is left to VMLOAD and VMSAVE. Attributes have twelve bits there: 7:0 type, S, DPL, P; 11:8 AVL, L, D/B, G.

import type { Cpu } from '../cpu.ts';
import { getFlags } from '../flags.ts';
import { loads } from '../segment-loads.ts';
import { SEGMENT_WORD, V } from './layout.ts';
import type { SvmState } from './state.ts';

const CR0_ET = 0x10;
/** Bits of CR0 that exist; VMRUN ignores the others of the lower half. */
const CR0_BITS = 0xe005003f | 0;
const UNUSABLE = 0x10000;
const PRESENT = 0x80;
/** CF PF AF ZF SF TF IF DF OF IOPL NT RF VM AC ID. */
const RFLAGS_BITS = 0x277fd5;

/** ES CS SS DS are moved by VMRUN and #VMEXIT; FS GS LDTR TR by VMLOAD and VMSAVE. */
const BY_VMRUN = 4;

function saveSegment(cpu: Cpu, n: number, w: Int32Array, base: number): void {
  const s = cpu.segments[n];
  const at = base + SEGMENT_WORD[n];
  // A register that holds a null selector has P = 0.
  const access = s.access & UNUSABLE ? s.access & ~PRESENT : s.access;
  const attributes = (access & 0xff) | ((access >>> 4) & 0xf00);
  w[at] = s.selector | (attributes << 16);
  w[at + 1] = s.limit;
  w[at + 2] = s.base;
  w[at + 3] = 0;
}

function loadSegment(cpu: Cpu, n: number, w: Int32Array, base: number): void {
  const s = cpu.segments[n];
  const at = base + SEGMENT_WORD[n];
  const attributes = w[at] >>> 16;
  s.selector = w[at] & 0xffff;
  loads.count++;
  s.limit = w[at + 1] >>> 0;
  s.base = w[at + 2] >>> 0;
  s.access = (attributes & 0xff) | ((attributes & 0xf00) << 4);
  if (!(attributes & PRESENT)) s.access |= UNUSABLE;
}

/** What both directions of a world switch save. @param rip where to go on @param kept its segment registers are there already */
export function saveState(
  cpu: Cpu,
  svm: SvmState,
  w: Int32Array,
  b: number,
  rip: number,
  kept = false,
): void {
  if (!kept) for (let n = 0; n < BY_VMRUN; n++) saveSegment(cpu, n, w, b);
  w[b + V.gdtr + 1] = cpu.gdtr.limit;
  w[b + V.gdtr + 2] = cpu.gdtr.base;
  w[b + V.idtr + 1] = cpu.idtr.limit;
  w[b + V.idtr + 2] = cpu.idtr.base;
  w[b + V.efer] = svm.efer.read(cpu);
  put(w, b + V.cr4, cpu.cr4);
  put(w, b + V.cr3, cpu.cr3);
  put(w, b + V.cr0, cpu.cr0);
  put(w, b + V.rflags, getFlags(cpu));
  put(w, b + V.rip, rip);
  put(w, b + V.rsp, cpu.regs[4]);
  put(w, b + V.rax, cpu.regs[0]);
}

/** What both directions load; the caller sees to CPL, paging and the TLB. @param kept segments and tables are in the processor still */
export function loadState(cpu: Cpu, svm: SvmState, w: Int32Array, b: number, kept = false): void {
  if (!kept) loadTables(cpu, svm, w, b);
  loadControl(cpu, w, b);
}

function loadTables(cpu: Cpu, svm: SvmState, w: Int32Array, b: number): void {
  for (let n = 0; n < BY_VMRUN; n++) loadSegment(cpu, n, w, b);
  cpu.gdtr.limit = w[b + V.gdtr + 1] & 0xffff;
  cpu.gdtr.base = w[b + V.gdtr + 2] >>> 0;
  cpu.idtr.limit = w[b + V.idtr + 1] & 0xffff;
  cpu.idtr.base = w[b + V.idtr + 2] >>> 0;
  svm.efer.write(cpu, w[b + V.efer]);
}

function loadControl(cpu: Cpu, w: Int32Array, b: number): void {
  cpu.cr4 = w[b + V.cr4];
  cpu.cr3 = w[b + V.cr3];
  cpu.cr0 = (w[b + V.cr0] & CR0_BITS) | CR0_ET;
  cpu.flags = (w[b + V.rflags] & RFLAGS_BITS) | 2;
  cpu.lazyMask = 0;
  cpu.eip = w[b + V.rip] >>> 0;
  cpu.instructionStart = cpu.eip;
  cpu.regs[4] = w[b + V.rsp];
  cpu.regs[0] = w[b + V.rax];
}

/** VMSAVE: FS GS LDTR TR and the SYSENTER registers. (There is no SYSCALL here, so its fields stay as they are.) */
export function saveExtra(cpu: Cpu, svm: SvmState, w: Int32Array, b: number): void {
  for (let n = BY_VMRUN; n < 8; n++) saveSegment(cpu, n, w, b);
  put(w, b + V.sysenterCs, svm.sysenter.cs.read(cpu));
  put(w, b + V.sysenterEsp, svm.sysenter.esp.read(cpu));
  put(w, b + V.sysenterEip, svm.sysenter.eip.read(cpu));
}

/** VMLOAD. */
export function loadExtra(cpu: Cpu, svm: SvmState, w: Int32Array, b: number): void {
  for (let n = BY_VMRUN; n < 8; n++) loadSegment(cpu, n, w, b);
  svm.sysenter.cs.write(cpu, w[b + V.sysenterCs]);
  svm.sysenter.esp.write(cpu, w[b + V.sysenterEsp]);
  svm.sysenter.eip.write(cpu, w[b + V.sysenterEip]);
}

/** A 64-bit field from 32 bits. */
export function put(w: Int32Array, at: number, value: number): void {
  w[at] = value;
  w[at + 1] = 0;
}
