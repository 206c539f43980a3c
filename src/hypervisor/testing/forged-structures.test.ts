// A learner's own hypervisor on the bare machine, which writes anything at all into its VMCS or VMCB and enters: random fields
// of every group, random code behind the entry, again and again. The silicon refuses, or the guest runs and leaves, or the
// machine shuts down; it never throws and never dwells. And where only guest fields are forged, under EPT or NPT that map a
// window, nothing outside the window changes but the structure itself.
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { type Cpu, Stop } from '../../machine/cpu/cpu.ts';
import { run } from '../../machine/cpu/execute.ts';
import { GENERAL1, GENERAL2 } from '../../machine/cpu/svm/exit-codes.ts';
import { V, VMCB_FIELDS, type VmcbField } from '../../machine/cpu/svm/layout.ts';
import { vmload, vmrun } from '../../machine/cpu/svm/operations.ts';
import { readyVmcb, AT as SVM_AT, writeFields } from '../../machine/cpu/svm/testing.ts';
import { PROC } from '../../machine/cpu/vmx/capabilities.ts';
import { EPT } from '../../machine/cpu/vmx/ept.ts';
import { FIELDS, type Field, LATER_FIELD } from '../../machine/cpu/vmx/fields.ts';
import { vmclear, vmlaunch, vmptrld, vmwrite } from '../../machine/cpu/vmx/operations.ts';
import { SECONDARY } from '../../machine/cpu/vmx/second-generation.ts';
import { AT, guestTables, readyVmcs } from '../../machine/cpu/vmx/testing.ts';
import '../../session/provide-all.ts';
import { storm, value } from './random-kernel.ts';

const RUNS = Number(process.env.FUZZ_RUNS ?? 60);
/** Entries of one run of the property, each with its own forgery. */
const ENTRIES = { minLength: 20, maxLength: 40 };
/** Cycles that a guest gets, and what may come on top: a REP that is under way, exits that load many MSRs. */
const BUDGET = 3_000;
const SLACK = 400_000;
const HANDLERS = 0x40000;
/** What a window of nested paging leads to: guest-physical 0..60000h lies there. */
const WINDOW = 0x90000;
const WINDOW_PAGES = 0x60;
const TABLES = 0xf4000;
const RWX = EPT.read | EPT.write | EPT.execute;

type Entered = 'refused' | 'left' | 'runs' | 'stopped';
const counts: Record<Entered, number> = { refused: 0, left: 0, runs: 0, stopped: 0 };

/** Runs what has been entered. */
function untilLeft(cpu: Cpu): Entered {
  const end = cpu.cycles + BUDGET;
  let stop: number = cpu.stop;
  cpu.stop = Stop.none;
  for (let turns = 0; turns < BUDGET && stop !== Stop.monitor && cpu.cycles < end; turns++) {
    if (stop === Stop.halted || stop === Stop.shutdown) return 'stopped';
    stop = run(cpu, end);
  }
  return stop === Stop.monitor ? 'left' : 'runs';
}

const numbers = fc.oneof(
  value,
  fc.constantFrom(0xc09b, 0xc093, 0xc9b, 0xc93, 0x8b, 0x10000, 2, 0x202, 0x20202, 0x80000011, 0x31, 0x2010),
  fc.nat(31).map((bit) => 1 << bit),
  fc.constantFrom(...Object.values(AT)),
);

/** A machine that is made anew when a forgery has ruined it; its memory is checked against what it was. */
abstract class Machine<Forgery> {
  cpu!: Cpu;
  private memory!: Uint8Array;

  protected abstract make(): Cpu;
  protected abstract forge(forgery: Forgery): void;
  protected abstract enter(): boolean;
  /** Addresses of pages that the silicon may write to. */
  protected abstract readonly ours: readonly number[];

  constructor(readonly windowed: boolean) {}

  /** Random code where the guest starts, and handlers that leave at once. */
  begin(code: readonly number[]): void {
    this.cpu = this.make();
    const { memory } = this.cpu;
    const base = this.windowed ? WINDOW : 0;
    guestTables(memory, HANDLERS);
    memory.load(base + HANDLERS, new Uint8Array(256 * 16).fill(0xf4));
    memory.load(base + AT.code, Uint8Array.from(code));
    if (this.windowed)
      memory.load(base + AT.pageDirectory, memory.bytes.slice(AT.pageDirectory, AT.idt + 0x1000));
    this.memory = memory.bytes.slice();
  }

  /** One entry with a forgery. False: the machine is no more what it was. */
  attempt(forgery: Forgery): boolean {
    const { cpu } = this;
    this.forge(forgery);
    const { cycles } = cpu;
    const how = this.enter() ? untilLeft(cpu) : 'refused';
    expect(cpu.cycles - cycles, 'in bounded time').toBeLessThan(BUDGET + SLACK);
    counts[how]++;
    return how === 'refused' || (how === 'left' && cpu.intercepts === null);
  }

  /** Pages outside the window that have changed. */
  damage(): string[] {
    const { bytes } = this.cpu.memory;
    const found: string[] = [];
    for (let page = 0; page < bytes.length; page += 0x1000) {
      const inside = page >= WINDOW && page < WINDOW + WINDOW_PAGES * 0x1000;
      if (inside || this.ours.includes(page)) continue;
      const before = Buffer.from(this.memory.subarray(page, page + 0x1000));
      if (!before.equals(bytes.subarray(page, page + 0x1000))) found.push(`${page.toString(16)}h`);
    }
    return found;
  }
}

interface VmxForgery {
  field: Field;
  value: number;
}

class VmxMachine extends Machine<readonly VmxForgery[]> {
  protected readonly ours = [AT.vmxon, AT.vmcs, AT.ioBitmapA];
  private vmcs!: Uint8Array;

  constructor(
    windowed: boolean,
    readonly processor: 'prescott' | 'nehalem',
  ) {
    super(windowed);
  }

  protected make(): Cpu {
    const { cpu } = readyVmcs(this.processor);
    const { memory } = cpu;
    const set = (field: number, to: number) => vmwrite(cpu, field, to);
    const nested = this.windowed ? PROC.secondary : 0;
    set(0x4002, 0x04006172 | PROC.hlt | (this.processor === 'prescott' ? 0x0401e172 : nested));
    if (this.windowed) {
      set(LATER_FIELD.SECONDARY_VM_EXEC_CONTROL, SECONDARY.ept);
      set(LATER_FIELD.EPT_POINTER, TABLES | 0x1e);
      memory.write32(TABLES, (TABLES + 0x1000) | RWX);
      memory.write32(TABLES + 0x1000, (TABLES + 0x2000) | RWX);
      memory.write32(TABLES + 0x2000, (TABLES + 0x3000) | RWX);
      for (let n = 0; n < WINDOW_PAGES; n++)
        memory.write32(TABLES + 0x3000 + n * 8, (WINDOW + (n << 12)) | RWX | EPT.writeBack);
    }
    vmclear(cpu, AT.vmcs);
    this.vmcs = memory.bytes.slice(AT.vmcs, AT.vmcs + 0x1000);
    vmptrld(cpu, AT.vmcs);
    return cpu;
  }

  protected forge(forgery: readonly VmxForgery[]): void {
    const { cpu } = this;
    vmclear(cpu, AT.vmcs);
    cpu.memory.load(AT.vmcs, this.vmcs);
    vmptrld(cpu, AT.vmcs);
    for (const { field, value: to } of forgery) vmwrite(cpu, field.encoding, to);
  }

  protected enter(): boolean {
    return vmlaunch(this.cpu) === 0;
  }
}

interface SvmForgery {
  field: VmcbField;
  value: number;
}

class SvmMachine extends Machine<readonly SvmForgery[]> {
  /** In the nested tables the processor sets accessed and dirty bits. */
  protected readonly ours = [SVM_AT.hostSave, SVM_AT.vmcb, TABLES, TABLES + 0x1000];
  private vmcb!: Uint8Array;

  protected make(): Cpu {
    const { cpu } = readyVmcb('nehalem');
    const { memory } = cpu;
    writeFields(cpu, SVM_AT.vmcb, {
      INTERCEPT_GENERAL1: (GENERAL1.hlt | GENERAL1.shutdown) >>> 0,
      // VMSAVE and its kin know no nested paging: whoever does not intercept them gives all memory away.
      INTERCEPT_GENERAL2: this.windowed ? 0x7f : GENERAL2.vmrun,
      ...(this.windowed ? { NP_ENABLE: 1, N_CR3: TABLES } : {}),
    });
    if (this.windowed) {
      memory.write32(TABLES, (TABLES + 0x1000) | 7);
      for (let n = 0; n < WINDOW_PAGES; n++)
        memory.write32(TABLES + 0x1000 + n * 4, (WINDOW + (n << 12)) | 7);
    }
    this.vmcb = memory.bytes.slice(SVM_AT.vmcb, SVM_AT.vmcb + 0x1000);
    return cpu;
  }

  protected forge(forgery: readonly SvmForgery[]): void {
    const { memory } = this.cpu;
    memory.load(SVM_AT.vmcb, this.vmcb);
    for (const { field, value: to } of forgery) {
      const at = SVM_AT.vmcb + field.offset;
      if (field.bits === 8) memory.write8(at, to);
      else if (field.bits === 16) memory.write16(at, to);
      else memory.write32(at, to);
    }
  }

  protected enter(): boolean {
    const { cpu } = this;
    cpu.eip = SVM_AT.monitor;
    cpu.flags = 2;
    cpu.regs[0] = SVM_AT.vmcb;
    vmload(cpu, SVM_AT.vmcb);
    vmrun(cpu, SVM_AT.vmcb);
    // An invalid VMCB comes back as an exit, which is what the hypervisor reads.
    return cpu.memory.read32(SVM_AT.vmcb + V.exitCode * 4) !== -1;
  }
}

function forgeries<F>(machine: Machine<readonly F[]>, forged: fc.Arbitrary<F>): void {
  fc.assert(
    fc.property(
      storm,
      fc.array(fc.array(forged, { minLength: 1, maxLength: 4 }), ENTRIES),
      (code, entries) => {
        machine.begin(code);
        for (const forgery of entries) {
          const sound = machine.attempt(forgery);
          if (machine.windowed) expect(machine.damage()).toEqual([]);
          if (!sound) machine.begin(code);
        }
      },
    ),
    { numRuns: RUNS, seed: Number(process.env.FUZZ_SEED ?? 2006), endOnFailure: !process.env.FUZZ_SHRINK },
  );
}

const writable = FIELDS.filter((field) => field.group !== 'read-only');
const vmx = (fields: readonly Field[]) => fc.record({ field: fc.constantFrom(...fields), value: numbers });
const svm = (fields: readonly VmcbField[]) =>
  fc.record({ field: fc.constantFrom(...fields), value: numbers });

describe('any field', () => {
  it.each(['prescott', 'nehalem'] as const)(
    'of a VMCS (%s)',
    (processor) => {
      forgeries(new VmxMachine(false, processor), vmx(writable));
    },
    600_000,
  );

  it('of a VMCB', () => {
    forgeries(new SvmMachine(false), svm(VMCB_FIELDS));
  }, 600_000);
});

describe('fields of the guest, under tables that map a window: nothing outside it changes', () => {
  it('of a VMCS', () => {
    forgeries(new VmxMachine(true, 'nehalem'), vmx(writable.filter((field) => field.group === 'guest')));
  }, 600_000);

  it('of a VMCB', () => {
    forgeries(new SvmMachine(true), svm(VMCB_FIELDS.filter((field) => field.area === 'guest')));
  }, 600_000);
});

afterAll(() => {
  if (process.env.FUZZ_TELL) console.log(counts);
  if (!process.env.FUZZ_RUNS) expect(counts.left).toBeGreaterThan(3_000);
});
