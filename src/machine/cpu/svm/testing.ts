// For the tests of this room: a processor with EFER.SVME and a host save area, a VMCB that enters a flat 32-bit guest, and the
// smallest hypervisor there is: it is told of everything that the VMCB intercepts, and does nothing about it.
import { describe } from 'vitest';
import { type Cpu, Stop } from '../cpu.ts';
import { run } from '../execute.ts';
import { MSR, SVME } from '../msrs.ts';
import { hasNasm, nasm } from '../test-machine.ts';
import { guestTables, readyProcessor, AT as VMX_AT } from '../vmx/testing.ts';
import { GENERAL1, GENERAL2 } from './exit-codes.ts';
import { V, VMCB_FIELDS } from './layout.ts';
import { vmload, vmrun } from './operations.ts';
import '../executors/provide-floating-point.ts';
import './provide.ts';

/** Physical addresses, identity-mapped by one 4-MiB page for guest and host alike. The I/O map and the MSR map take three and two pages. */
export const AT = { ...VMX_AT, hostSave: 0x1000, vmcb: 0x2000, iopm: 0x50000, msrpm: 0x54000 } as const;
/** Where the guest's interrupt handlers stand, 16 bytes apart. */
export const HANDLERS = 0x40000;

/** `describe`, or a skip that says why. */
export const needsNasm = hasNasm() ? describe : describe.skip;
if (!hasNasm()) console.warn('nasm is not installed: the tests of SVM guests are skipped');

const NAMES = new Map(VMCB_FIELDS.map((f) => [f.name, f]));

/** Values by field name; 64-bit fields take a number of up to 53 bits or a bigint. */
export type Fields = Readonly<Record<string, number | bigint>>;

export function writeFields(cpu: Cpu, vmcb: number, fields: Fields): void {
  for (const [name, value] of Object.entries(fields)) {
    const f = NAMES.get(name);
    if (!f) throw new Error(`the VMCB has no field ${name}`);
    for (let n = 0, rest = BigInt(value); n < f.bits / 8; n++, rest >>= 8n)
      cpu.memory.write8(vmcb + f.offset + n, Number(rest & 0xffn));
  }
}

export function readField(cpu: Cpu, vmcb: number, name: string): bigint {
  const f = NAMES.get(name);
  if (!f) throw new Error(`the VMCB has no field ${name}`);
  let value = 0n;
  for (let n = f.bits / 8 - 1; n >= 0; n--)
    value = (value << 8n) | BigInt(cpu.memory.read8(vmcb + f.offset + n));
  return value;
}

const FLAT_CODE = 0xc9b;
const FLAT_DATA = 0xc93;

/** A processor in flat protected mode with SVM on, and a VMCB that passes every check and intercepts VMRUN only. */
export function readyVmcb(
  processor?: Parameters<typeof readyProcessor>[0],
): ReturnType<typeof readyProcessor> {
  const machine = readyProcessor(processor);
  const { cpu } = machine;
  cpu.cr4 = 0x10;
  cpu.monitorBase = AT.monitor;
  cpu.monitorSize = 0x1000;
  cpu.msrs.set(MSR.efer, BigInt(SVME));
  cpu.msrs.set(MSR.vmHsavePa, BigInt(AT.hostSave));
  cpu.memory.bytes.fill(0, AT.hostSave, AT.vmcb + 0x1000);
  const segments = ['ES', 'CS', 'SS', 'DS', 'FS', 'GS'].flatMap((name) => [
    [`${name}.selector`, name === 'CS' ? 8 : 16],
    [`${name}.attrib`, name === 'CS' ? FLAT_CODE : FLAT_DATA],
    [`${name}.limit`, 0xffffffff],
  ]);
  writeFields(cpu, AT.vmcb, {
    INTERCEPT_GENERAL2: GENERAL2.vmrun,
    IOPM_BASE_PA: AT.iopm,
    MSRPM_BASE_PA: AT.msrpm,
    GUEST_ASID: 1,
    ...Object.fromEntries(segments),
    'GDTR.base': AT.gdt,
    'GDTR.limit': 0x3f,
    'IDTR.base': AT.idt,
    'IDTR.limit': 0x7ff,
    'TR.selector': 24,
    'TR.attrib': 0x8b,
    'TR.base': AT.tss,
    'TR.limit': 0x67,
    EFER: SVME,
    CR0: cpu.cr0 >>> 0,
    CR3: cpu.cr3,
    CR4: cpu.cr4,
    DR6: 0xffff0ff0,
    DR7: 0x400,
    RFLAGS: 2,
    RIP: AT.code,
    RSP: AT.stack,
    G_PAT: 0x0007040600070406n,
  });
  return machine;
}

/** A guest program between VMRUN and #VMEXIT. HLT leaves it; handlers that are not given are HLT. */
export class Guest {
  readonly machine: ReturnType<typeof readyProcessor>;
  readonly cpu: Cpu;

  constructor(
    source: string,
    fields: Fields = {},
    options: { handlers?: Record<number, string>; processor?: 'prescott' | 'nehalem'; bits?: 16 | 32 } = {},
  ) {
    this.machine = readyVmcb(options.processor);
    this.cpu = this.machine.cpu;
    const { memory } = this.cpu;
    guestTables(memory, HANDLERS);
    memory.load(HANDLERS, new Uint8Array(256 * 16).fill(0xf4));
    for (const [vector, code] of Object.entries(options.handlers ?? {})) {
      const at = HANDLERS + Number(vector) * 16;
      memory.load(at, nasm(`bits 32\norg ${at}\n${code}`));
    }
    memory.load(AT.code, nasm(`bits ${options.bits ?? 32}\norg ${AT.code}\n${source}`));
    const general1 = Number(fields.INTERCEPT_GENERAL1 ?? 0) | GENERAL1.hlt | GENERAL1.shutdown;
    this.set({ ...fields, INTERCEPT_GENERAL1: general1 >>> 0 });
  }

  set(fields: Fields): this {
    writeFields(this.cpu, AT.vmcb, fields);
    return this;
  }

  /** Enters and runs to the next exit; its code, -1 for VMEXIT_INVALID. @param hostFlags EFLAGS of the host at VMRUN */
  exit(hostFlags = 2): number {
    const { cpu } = this;
    cpu.eip = AT.monitor;
    cpu.flags = hostFlags;
    cpu.regs[0] = AT.vmcb;
    vmload(cpu, AT.vmcb);
    vmrun(cpu, AT.vmcb);
    const end = cpu.cycles + 200_000;
    let stop: number = cpu.stop;
    cpu.stop = Stop.none;
    while (stop !== Stop.monitor && stop !== Stop.halted && stop !== Stop.shutdown && cpu.cycles < end)
      stop = run(cpu, end);
    if (stop !== Stop.monitor || cpu.intercepts !== null || cpu.eip !== AT.monitor)
      throw new Error(`no exit: the run ended with ${stop} at ${cpu.eip.toString(16)}h`);
    return cpu.memory.read32(AT.vmcb + V.exitCode * 4);
  }

  /** Low 53 bits of a field. */
  read(name: string): number {
    return Number(readField(this.cpu, AT.vmcb, name));
  }

  /** Goes on behind an instruction of so many bytes. */
  skip(length: number): this {
    return this.set({ RIP: this.read('RIP') + length });
  }
}
