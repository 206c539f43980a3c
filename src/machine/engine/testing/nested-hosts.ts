import type { Cpu } from '../../cpu/cpu.ts';
import { GENERAL1, GENERAL2, SVM_EXIT } from '../../cpu/svm/exit-codes.ts';
import { vmload, vmrun } from '../../cpu/svm/operations.ts';
import { svmOf } from '../../cpu/svm/state.ts';
import { readField, AT as SVM_AT, writeFields } from '../../cpu/svm/testing.ts';
import { PROC } from '../../cpu/vmx/capabilities.ts';
import { EPT } from '../../cpu/vmx/ept.ts';
import { EXIT } from '../../cpu/vmx/exit-reasons.ts';
import { INVEPT, INVVPID, invept, invvpid } from '../../cpu/vmx/invalidate.ts';
import { vmlaunch, vmread, vmresume, vmwrite } from '../../cpu/vmx/operations.ts';
import { SECONDARY } from '../../cpu/vmx/second-generation.ts';
import { vmxOf } from '../../cpu/vmx/state.ts';
import { AT } from '../../cpu/vmx/testing.ts';
import '../provide.ts';
import '../../cpu/svm/provide.ts';
import '../../cpu/vmx/provide-second-generation.ts';
import { type Case, E, F, HIGH, N, RWX } from './nested-case.ts';

/** The hypervisor of both: what differs. */
export interface Host {
  enter(): void;
  /** Why the guest has left: 'hlt', 'call', 'violation', or something else. */
  reason(): string;
  violation(): { physical: number; write: boolean; fetch: boolean };
  skipCall(): void;
  map(physical: number, to: number, rights: number): void;
  flush(): void;
  get(name: 'CR0' | 'CR3' | 'CR4' | 'DR7'): number;
  set(name: 'CR0' | 'CR3' | 'CR4' | 'DR7', value: number): void;
  tag(n: number): void;
  flushTag(kind: number): void;
  /** MOV CR3 and INVLPG leave, or page faults do; or nothing. */
  watch(what: 'paging' | 'faults' | 'nothing'): void;
  inject(vector: number): void;
  where(): number;
  /** Another root of the second dimension's tables. */
  root(): void;
}

export function vmxHost(cpu: Cpu, c: Case): Host {
  const { memory } = cpu;
  vmxOf(cpu).ours = c.ours;
  const secondary = (c.nested ? SECONDARY.ept : 0) | (c.tagged ? SECONDARY.vpid : 0);
  const w = (field: number, value: number) => {
    if (vmwrite(cpu, field, value) !== 0) throw new Error(`VMWRITE ${field.toString(16)}`);
  };
  w(F.CPU_BASED_VM_EXEC_CONTROL, 0x04006172 | PROC.hlt | PROC.secondary);
  w(F.SECONDARY_VM_EXEC_CONTROL, secondary);
  if (c.nested) w(F.EPT_POINTER, E.pml4 | 0x1e);
  if (c.tagged) w(F.VIRTUAL_PROCESSOR_ID, 1);
  w(F.GUEST_RFLAGS, 0x202);
  memory.write32(E.pml4, E.pdpt | RWX);
  memory.write32(E.pdpt, E.pd | RWX);
  memory.write32(E.pdpt + 24, E.pdHigh | RWX);
  memory.write32(E.pd, E.pt | RWX);
  memory.write32(E.pdHigh, E.ptHigh | RWX);
  memory.write32(E.other, E.pdpt | RWX);
  let root: number = E.pml4;
  let launched = false;
  let tag = 1;
  const names = { CR0: F.GUEST_CR0, CR3: F.GUEST_CR3, CR4: F.GUEST_CR4, DR7: F.GUEST_DR7 };
  return {
    enter() {
      const error = launched ? vmresume(cpu) : vmlaunch(cpu);
      if (error) throw new Error(`entry ${error}`);
      launched = true;
    },
    reason() {
      const reason = vmread(cpu, F.VM_EXIT_REASON);
      if (reason === EXIT.hlt) return 'hlt';
      if (reason === EXIT.vmcall) return 'call';
      if (reason === EXIT.crAccess || reason === EXIT.invlpg || reason === EXIT.exceptionOrNmi)
        return 'watched';
      return reason === EXIT.eptViolation ? 'violation' : `exit ${reason} ${vmread(cpu, F.GUEST_RIP)}`;
    },
    violation() {
      const q = vmread(cpu, F.EXIT_QUALIFICATION);
      const physical = vmread(cpu, F.GUEST_PHYSICAL_ADDRESS) >>> 0;
      return { physical, write: (q & 2) !== 0, fetch: (q & 4) !== 0 };
    },
    skipCall: () => w(F.GUEST_RIP, vmread(cpu, F.GUEST_RIP) + 3),
    map(physical, to, rights) {
      const table = physical >= HIGH ? E.ptHigh : E.pt;
      memory.write32(table + ((physical >>> 12) & 511) * 8, rights ? to | rights | EPT.writeBack : 0);
    },
    flush: () => void (c.nested && invept(cpu, INVEPT.all, 0, 0)),
    watch(what) {
      const paging = what === 'paging' ? PROC.cr3Load | PROC.cr3Store | PROC.invlpg : 0;
      w(F.CPU_BASED_VM_EXEC_CONTROL, 0x04006172 | PROC.hlt | PROC.secondary | paging);
      w(F.EXCEPTION_BITMAP, what === 'faults' ? 1 << 14 : 0);
    },
    where: () => vmread(cpu, F.GUEST_RIP),
    inject: (vector) => w(F.VM_ENTRY_INTR_INFO, (0x80000000 | vector) >>> 0),
    root() {
      if (!c.nested) return;
      root ^= E.pml4 ^ E.other;
      w(F.EPT_POINTER, root | 0x1e);
    },
    get: (name) => vmread(cpu, names[name]),
    set: (name, value) => w(names[name], value),
    tag(n) {
      tag = n;
      if (c.tagged) w(F.VIRTUAL_PROCESSOR_ID, n);
    },
    flushTag(kind) {
      if (c.tagged)
        invvpid(
          cpu,
          [INVVPID.single, INVVPID.address, INVVPID.singleRetainingGlobals][kind],
          tag,
          0,
          0x401000,
        );
    },
  };
}

export function svmHost(cpu: Cpu, c: Case): Host {
  const { memory } = cpu;
  svmOf(cpu).ours = c.ours;
  const vmcb = SVM_AT.vmcb;
  const set = (fields: Record<string, number>) => {
    writeFields(cpu, vmcb, fields);
    if (c.ours) svmOf(cpu).kept = -1;
  };
  set({
    INTERCEPT_GENERAL1: (GENERAL1.hlt | GENERAL1.shutdown) >>> 0,
    RFLAGS: 0x202,
    INTERCEPT_GENERAL2: GENERAL2.vmrun | GENERAL2.vmmcall,
    ...(c.nested ? { NP_ENABLE: 1, N_CR3: N.root } : {}),
  });
  memory.write32(N.root, N.pt | 7);
  memory.write32(N.root + 0x300 * 4, N.ptHigh | 7);
  const get = (name: string) => Number(readField(cpu, vmcb, name));
  const names = { CR0: 'CR0', CR3: 'CR3', CR4: 'CR4', DR7: 'DR7' };
  let flush = false;
  let entered = false;
  return {
    enter() {
      set({ TLB_CONTROL: flush ? 1 : 0 });
      flush = false;
      cpu.eip = AT.monitor;
      cpu.flags = 2;
      if (!c.ours) cpu.regs[0] = vmcb;
      if (!c.ours || !entered) vmload(cpu, vmcb);
      entered = true;
      vmrun(cpu, vmcb);
    },
    reason() {
      const reason = memory.read32(vmcb + 0x70);
      if (reason === SVM_EXIT.hlt) return 'hlt';
      if (reason === SVM_EXIT.vmmcall) return 'call';
      if ([3, 19, 0x4e, SVM_EXIT.invlpg].includes(reason)) return 'watched';
      return reason === SVM_EXIT.nestedPageFault ? 'violation' : `exit ${reason.toString(16)} ${get('RIP')}`;
    },
    violation: () => ({
      physical: get('EXITINFO2'),
      write: (memory.read32(vmcb + 0x78) & 2) !== 0,
      fetch: false,
    }),
    skipCall: () => set({ RIP: get('RIP') + 3 }),
    map(physical, to, rights) {
      const table = physical >= HIGH ? N.ptHigh : N.pt;
      const bits = rights ? 5 | (rights & EPT.write) : 0;
      memory.write32(table + ((physical >>> 12) & 1023) * 4, bits ? to | bits : 0);
    },
    flush: () => void (flush = true),
    watch: (what) =>
      set({
        INTERCEPT_CR_READ: what === 'paging' ? 8 : 0,
        INTERCEPT_CR_WRITE: what === 'paging' ? 8 : 0,
        INTERCEPT_GENERAL1:
          (GENERAL1.hlt | GENERAL1.shutdown | (what === 'paging' ? GENERAL1.invlpg : 0)) >>> 0,
        INTERCEPT_EXCEPTION: what === 'faults' ? 1 << 14 : 0,
      }),
    where: () => get('RIP'),
    inject: (vector) => set({ EVENTINJ: (0x80000000 | vector) >>> 0 }),
    root: () => void (flush = true),
    get: (name) => get(names[name]),
    set: (name, value) => set({ [names[name]]: value >>> 0 }),
    tag: (n) => set({ GUEST_ASID: n }),
    flushTag: () => void (flush = true),
  };
}

/** Vectors of the guest's interrupts, and the labels of their handlers. */
