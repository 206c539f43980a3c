// For the tests of this room: a processor in VMX root operation, and a VMCS that enters a flat 32-bit guest.
// The smallest hypervisor there is: everything a test does not ask for stays inside the guest.
import { costModel } from '../../../cost/processors.ts';
import { Recorder } from '../../../trace/recorder.ts';
import type { InterruptController, PortBus } from '../../devices/device.ts';
import { PhysicalMemory } from '../../memory/physical-memory.ts';
import { Cpu } from '../cpu.ts';
import { reset } from '../reset.ts';
import { FIRST_GENERATION } from './capabilities.ts';
import { FIELD as F } from './fields.ts';
import { REVISION_IDENTIFIER } from './layout.ts';
import { vmclear, vmptrld, vmwrite, vmxon } from './operations.ts';

/** Physical addresses that the tests use. Everything is identity-mapped by one 4-MiB page, by guest and host alike. */
export const AT = {
  vmxon: 0x1000,
  vmcs: 0x2000,
  pageDirectory: 0x3000,
  ioBitmapA: 0x4000,
  ioBitmapB: 0x5000,
  msrBitmap: 0x6000,
  gdt: 0x7000,
  idt: 0x7800,
  tss: 0x8000,
  code: 0x10000,
  stack: 0x20000,
  monitor: 0x30000,
} as const;

/** An interrupt controller with one vector to give. */
export class OneInterrupt implements InterruptController {
  vector = -1;
  pending(): boolean {
    return this.vector >= 0;
  }
  acknowledge(): number {
    const { vector } = this;
    this.vector = -1;
    return vector;
  }
}

/** Ports that remember what was written and answer with the port's number. */
export class EchoPorts implements PortBus {
  readonly written: [port: number, value: number, size: number][] = [];
  read(port: number, size: 1 | 2 | 4): number {
    return port & (size === 1 ? 0xff : 0xffff);
  }
  write(port: number, value: number, size: 1 | 2 | 4): void {
    this.written.push([port, value, size]);
  }
}

const FLAT_CODE = 0xc09b,
  FLAT_DATA = 0xc093;

/** A processor at CPL 0 in flat protected mode with paging on, ready for VMXON. */
export function readyProcessor(processor = 'prescott'): {
  cpu: Cpu;
  interrupts: OneInterrupt;
  ports: EchoPorts;
} {
  const memory = new PhysicalMemory(0x100000);
  const interrupts = new OneInterrupt();
  const ports = new EchoPorts();
  const cpu = new Cpu(memory, costModel(processor), new Recorder(1024), ports, interrupts);
  reset(cpu);
  memory.write32(AT.pageDirectory, 0x87);
  cpu.cr0 = 0x80010033 | 0;
  cpu.cr3 = AT.pageDirectory;
  cpu.cr4 = 0x2010;
  cpu.cpl = 0;
  for (let n = 0; n < 6; n++) {
    const s = cpu.segments[n];
    s.selector = n === 1 ? 8 : 16;
    s.base = 0;
    s.limit = 0xffffffff;
    s.access = n === 1 ? FLAT_CODE : FLAT_DATA;
  }
  for (const region of [AT.vmxon, AT.vmcs]) memory.write32(region, REVISION_IDENTIFIER);
  return { cpu, interrupts, ports };
}

/** As `readyProcessor`, in VMX root operation with a current VMCS that passes every check. */
export function readyVmcs(processor = 'prescott'): ReturnType<typeof readyProcessor> {
  const machine = readyProcessor(processor);
  const { cpu } = machine;
  cpu.monitorBase = AT.monitor;
  cpu.monitorSize = 0x1000;
  vmxon(cpu, AT.vmxon);
  vmclear(cpu, AT.vmcs);
  vmptrld(cpu, AT.vmcs);
  const write = (fields: Partial<Record<keyof typeof F, number>>) => {
    for (const [name, value] of Object.entries(fields)) vmwrite(cpu, F[name as keyof typeof F], value);
  };
  const { pin, proc, exit, entry } = FIRST_GENERATION;
  write({
    PIN_BASED_VM_EXEC_CONTROL: pin.required,
    CPU_BASED_VM_EXEC_CONTROL: proc.required,
    VM_EXIT_CONTROLS: exit.required,
    VM_ENTRY_CONTROLS: entry.required,
    IO_BITMAP_A: AT.ioBitmapA,
    IO_BITMAP_B: AT.ioBitmapB,
    MSR_BITMAP: AT.msrBitmap,
    HOST_CR0: cpu.cr0,
    HOST_CR3: cpu.cr3,
    HOST_CR4: cpu.cr4,
    HOST_CS_SELECTOR: 8,
    HOST_SS_SELECTOR: 16,
    HOST_DS_SELECTOR: 16,
    HOST_ES_SELECTOR: 16,
    HOST_TR_SELECTOR: 24,
    HOST_GDTR_BASE: AT.gdt,
    HOST_IDTR_BASE: AT.idt,
    HOST_TR_BASE: AT.tss,
    HOST_RSP: AT.monitor + 0xff0,
    HOST_RIP: AT.monitor,
    GUEST_CR0: cpu.cr0,
    GUEST_CR3: cpu.cr3,
    GUEST_CR4: cpu.cr4,
    GUEST_DR7: 0x400,
    GUEST_GDTR_BASE: AT.gdt,
    GUEST_GDTR_LIMIT: 0x3f,
    GUEST_IDTR_BASE: AT.idt,
    GUEST_IDTR_LIMIT: 0x7ff,
    GUEST_TR_SELECTOR: 24,
    GUEST_TR_BASE: AT.tss,
    GUEST_TR_LIMIT: 0x67,
    GUEST_TR_AR_BYTES: 0x8b,
    GUEST_LDTR_AR_BYTES: 0x10000,
    GUEST_RIP: AT.code,
    GUEST_RSP: AT.stack,
    GUEST_RFLAGS: 2,
    VMCS_LINK_POINTER: -1,
  });
  vmwrite(cpu, F.VMCS_LINK_POINTER + 1, -1);
  for (let n = 0; n < 6; n++) {
    vmwrite(cpu, F.GUEST_ES_SELECTOR + n * 2, n === 1 ? 8 : 16);
    vmwrite(cpu, F.GUEST_ES_LIMIT + n * 2, 0xffffffff);
    vmwrite(cpu, F.GUEST_ES_AR_BYTES + n * 2, n === 1 ? FLAT_CODE : FLAT_DATA);
  }
  return machine;
}

/** Puts two flat ring-0 segments, two flat ring-3 ones, and a TSS into the guest's tables, and interrupt gates to `handler + vector * 16`. */
export function guestTables(memory: PhysicalMemory, handlers: number): void {
  const gdt = [
    [0, 0],
    [0xffff, 0xcf9b00],
    [0xffff, 0xcf9300],
    [0x67 | (AT.tss << 16), 0x8b00],
    [0xffff, 0xcffb00],
    [0xffff, 0xcff300],
  ];
  gdt.forEach(([low, high], n) => {
    memory.write32(AT.gdt + n * 8, low);
    memory.write32(AT.gdt + n * 8 + 4, high);
  });
  memory.write32(AT.tss + 4, AT.stack);
  memory.write16(AT.tss + 8, 16);
  memory.write16(AT.tss + 0x66, 0x68);
  for (let vector = 0; vector < 256; vector++) {
    const target = handlers + vector * 16;
    memory.write32(AT.idt + vector * 8, (8 << 16) | (target & 0xffff));
    memory.write32(AT.idt + vector * 8 + 4, (target & 0xffff0000) | 0xee00);
  }
}
