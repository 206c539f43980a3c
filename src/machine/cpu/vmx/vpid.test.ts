// Translations that outlive a transition (SDM vol. 3 §28.3): what a VPID and an EPT pointer keep apart, and which of it
// INVVPID and INVEPT take away. Each guest reads one page; its entry is changed behind its back between two entries.
import { beforeAll, describe, expect, it } from 'vitest';
import { Stop } from '../cpu.ts';
import { step } from '../execute.ts';
import { nasm } from '../test-machine.ts';
import { PROC } from './capabilities.ts';
import { EPT } from './ept.ts';
import { EXIT } from './exit-reasons.ts';
import { FIELD } from './fields.ts';
import { INVEPT, INVVPID, invept, invvpid } from './invalidate.ts';
import { VM_ERROR, vmread } from './operations.ts';
import { SECONDARY } from './second-generation.ts';
import { AT } from './testing.ts';
import { type Fields, Guest, needsNasm } from './testing-guest.ts';
import './provide-second-generation.ts';

const PROC_SECOND = 0x04006172 | PROC.hlt | PROC.secondary;
const LINEAR = 0x400000;
const TABLE = 0x90000;
const BEFORE = 0x60000;
const AFTER = 0x61000;
const OLD = 0xa;
const NEW = 0xb;
const GLOBAL = 0x100;
const PGE = 0x80;
const EPT_TABLES = { pml4: 0x80000, pdpt: 0x81000, pd: 0x82000, pt: 0x83000 };
const RWX = EPT.read | EPT.write | EPT.execute;
const EPT_PAGE = RWX | EPT.writeBack;
const EPTP = EPT_TABLES.pml4 | 0x1e;

/** A guest that reads its page at 4 MiB. @param bits of the page's entry beside those that let it be read */
function reader(fields: Fields = {}, bits = 0, processor = 'nehalem'): Guest {
  const second = processor === 'nehalem';
  const g = new Guest(
    `mov eax, [${LINEAR}]\nhlt`,
    {
      GUEST_CR4: 0x2010 | PGE,
      ...(second
        ? {
            CPU_BASED_VM_EXEC_CONTROL: PROC_SECOND,
            SECONDARY_VM_EXEC_CONTROL: SECONDARY.vpid,
            VIRTUAL_PROCESSOR_ID: 5,
          }
        : {}),
      ...fields,
    },
    {},
    processor,
  );
  const { memory } = g.cpu;
  memory.write32(AT.pageDirectory + 4, TABLE | 7);
  memory.write32(TABLE, BEFORE | 0x63 | bits);
  memory.write32(BEFORE, OLD);
  memory.write32(AFTER, NEW);
  memory.write32(EPT_TABLES.pml4, EPT_TABLES.pdpt | RWX);
  memory.write32(EPT_TABLES.pdpt, EPT_TABLES.pd | RWX);
  memory.write32(EPT_TABLES.pd, EPT_TABLES.pt | RWX);
  for (let n = 0; n < 512; n++) memory.write32(EPT_TABLES.pt + n * 8, (n << 12) | EPT_PAGE);
  return g;
}

/** What it reads when it is entered (again) at its beginning. */
function read(g: Guest, fields: Fields = {}): number {
  g.set({ GUEST_RIP: AT.code, ...fields });
  expect(g.exit()).toBe(EXIT.hlt);
  return g.cpu.regs[0];
}

/** The guest's entry leads elsewhere now. */
function move(g: Guest, bits = 0): void {
  g.cpu.memory.write32(TABLE, AFTER | 0x63 | bits);
}

/** A guest that has read, and whose entry leads elsewhere since. */
function moved(fields: Fields = {}, bits = 0, processor?: string): Guest {
  const g = reader(fields, bits, processor);
  expect(read(g)).toBe(OLD);
  move(g, bits);
  return g;
}

beforeAll(() => {
  nasm('nop');
});

needsNasm('VPID', () => {
  it('keeps what was translated over exits and entries; without it each forgets', () => {
    expect(read(moved())).toBe(OLD);
    expect(read(moved({ SECONDARY_VM_EXEC_CONTROL: 0 }))).toBe(NEW);
    expect(read(moved({}, 0, 'prescott'))).toBe(NEW);
    expect(read(moved({ SECONDARY_VM_EXEC_CONTROL: 0 }, GLOBAL)), 'global pages too').toBe(NEW);
  });

  it('keeps apart: another VPID finds nothing, and coming back finds the old', () => {
    const g = moved({}, GLOBAL);
    expect(read(g, { VIRTUAL_PROCESSOR_ID: 6 })).toBe(NEW);
    expect(read(g, { VIRTUAL_PROCESSOR_ID: 5 })).toBe(OLD);
  });

  it('saves the walks: a second entry costs less than the first', () => {
    const g = reader();
    const cost = () => {
      const before = g.cpu.cycles;
      read(g);
      return g.cpu.cycles - before;
    };
    const first = cost();
    // Two references for the data and one, of a large page, for the code.
    expect(first - cost()).toBe(3 * g.cpu.cost.charges.pageWalkReference.cycles);
  });

  it.each<[string, number, (g: Guest) => number]>([
    ['type 0, the page', NEW, (g) => invvpid(g.cpu, INVVPID.address, 5, 0, LINEAR + 0x123)],
    ['type 0, another page', OLD, (g) => invvpid(g.cpu, INVVPID.address, 5, 0, LINEAR + 0x1000)],
    ['type 0, another VPID', OLD, (g) => invvpid(g.cpu, INVVPID.address, 6, 0, LINEAR)],
    ['type 1, the VPID', NEW, (g) => invvpid(g.cpu, INVVPID.single, 5)],
    ['type 1, another VPID', OLD, (g) => invvpid(g.cpu, INVVPID.single, 6)],
    ['type 2', NEW, (g) => invvpid(g.cpu, INVVPID.all)],
    ['type 3, the VPID', NEW, (g) => invvpid(g.cpu, INVVPID.singleRetainingGlobals, 5)],
    ['type 3, another VPID', OLD, (g) => invvpid(g.cpu, INVVPID.singleRetainingGlobals, 6)],
  ])('INVVPID %s: the guest reads %i', (_, value, invalidate) => {
    const g = moved();
    expect(invalidate(g)).toBe(0);
    expect(read(g)).toBe(value);
  });

  it('global pages survive type 3, and no other', () => {
    for (const [type, value] of [
      [INVVPID.address, NEW],
      [INVVPID.single, NEW],
      [INVVPID.all, NEW],
      [INVVPID.singleRetainingGlobals, OLD],
    ]) {
      const g = moved({}, GLOBAL);
      invvpid(g.cpu, type, type === INVVPID.all ? 0 : 5, 0, LINEAR);
      expect(read(g), `type ${type}`).toBe(value);
    }
  });

  it('a new CR3 in the VMCS takes nothing away; MOV CR3 by the guest does', () => {
    const g = moved();
    const other = 0x91000;
    g.cpu.memory.bytes.copyWithin(other, AT.pageDirectory, AT.pageDirectory + 0x1000);
    expect(read(g, { GUEST_CR3: other })).toBe(OLD);
    // CR3 loads exit unless the value is among the targets; then they are the processor's to carry out.
    g.cpu.memory.load(AT.code, nasm(`bits 32\nmov eax, cr3\nmov cr3, eax\nmov eax, [${LINEAR}]\nhlt`));
    expect(read(g)).toBe(NEW);
  });

  it('a page fault of the guest takes its page with it, also when it leaves', () => {
    const g = reader({ EXCEPTION_BITMAP: 1 << 14 });
    g.cpu.memory.load(AT.code, nasm(`bits 32\nmov [${LINEAR}], eax\nhlt`));
    g.cpu.memory.write32(TABLE, BEFORE | 0x61);
    g.set({ GUEST_RIP: AT.code, GUEST_CR0: 0x80010033 });
    expect(g.exit(), 'read-only, and CR0.WP is set').toBe(EXIT.exceptionOrNmi);
    g.cpu.memory.write32(TABLE, AFTER | 0x63);
    expect(g.exit()).toBe(EXIT.hlt);
    expect(g.cpu.memory.read32(AFTER)).toBe(g.cpu.regs[0]);
  });
});

needsNasm('EPT', () => {
  const both = {
    SECONDARY_VM_EXEC_CONTROL: SECONDARY.vpid | SECONDARY.ept,
    EPT_POINTER: EPTP,
    GUEST_CR4: 0x2010 | PGE,
  };
  /** A guest that has read, and whose frame has been taken away and another put there since. */
  function remapped(bits = 0): Guest {
    const g = reader(both, bits);
    expect(read(g)).toBe(OLD);
    g.cpu.memory.write32(EPT_TABLES.pt + (BEFORE >>> 12) * 8, AFTER | EPT_PAGE);
    return g;
  }

  it.each<[string, number, (g: Guest) => unknown]>([
    ['nothing', OLD, () => 0],
    ['INVEPT type 1', NEW, (g) => invept(g.cpu, INVEPT.single, EPTP)],
    ['INVEPT type 1 of other tables', OLD, (g) => invept(g.cpu, INVEPT.single, 0x70000 | 0x1e)],
    ['INVEPT type 2', NEW, (g) => invept(g.cpu, INVEPT.all)],
    ['INVVPID type 1', NEW, (g) => invvpid(g.cpu, INVVPID.single, 5)],
    ['INVVPID type 3', OLD, (g) => invvpid(g.cpu, INVVPID.singleRetainingGlobals, 5)],
  ])('after %s the guest reads %i of a global page', (_, value, invalidate) => {
    const g = remapped(GLOBAL);
    invalidate(g);
    expect(read(g)).toBe(value);
  });

  it('INVEPT leaves translations without EPT alone', () => {
    const g = moved();
    invept(g.cpu, INVEPT.all);
    expect(read(g)).toBe(OLD);
  });

  it('the same VPID with other tables finds nothing, and coming back finds the old', () => {
    const g = remapped();
    const copy = 0x92000;
    g.cpu.memory.bytes.copyWithin(copy, EPT_TABLES.pml4, EPT_TABLES.pml4 + 0x1000);
    expect(read(g, { EPT_POINTER: copy | 0x1e })).toBe(NEW);
    expect(read(g, { EPT_POINTER: EPTP })).toBe(OLD);
  });

  it('an EPT violation takes the page with it: no INVEPT is needed when more is allowed, or elsewhere', () => {
    const g = reader(both);
    g.cpu.memory.load(
      AT.code,
      nasm(`bits 32\nmov eax, [${LINEAR}]\nmov dword [${LINEAR}], 12\nmov eax, [${LINEAR}]\nhlt`),
    );
    const leaf = EPT_TABLES.pt + (BEFORE >>> 12) * 8;
    g.cpu.memory.write32(leaf, BEFORE | EPT.read | EPT.writeBack);
    expect(g.exit()).toBe(EXIT.eptViolation);
    g.cpu.memory.write32(leaf, AFTER | EPT_PAGE);
    expect(g.exit()).toBe(EXIT.hlt);
    expect([g.cpu.regs[0], g.cpu.memory.read32(AFTER), g.cpu.memory.read32(BEFORE)]).toEqual([12, 12, OLD]);
  });
});

needsNasm('INVEPT and INVVPID in the instruction stream', () => {
  /** Runs code of the host, in VMX root operation. @returns CF and ZF, and the VM-instruction error */
  function host(g: Guest, source: string): { failed: boolean; error: number } {
    const { cpu } = g;
    cpu.memory.load(0x50000, nasm(`bits 32\norg 0x50000\n${source}\njmp ${AT.monitor}`));
    cpu.eip = 0x50000;
    for (let n = 0; n < 20 && cpu.eip !== AT.monitor; n++) step(cpu);
    cpu.stop = Stop.none;
    expect(cpu.eip).toBe(AT.monitor);
    return { failed: (cpu.flags & 0x41) !== 0, error: vmread(cpu, FIELD.VM_INSTRUCTION_ERROR) };
  }

  /** The descriptor, in words, is at the end of the code. */
  const invvpidCode = (type: number, ...words: number[]): string =>
    `mov eax, ${type}\ninvvpid eax, [descriptor]\njmp ${AT.monitor}\nalign 16\ndescriptor: dd ${words.join(', ')}\ntimes 8 nop`;

  it.each<[string, string, number]>([
    ['the page', invvpidCode(0, 5, 0, LINEAR, 0), NEW],
    ['another page', invvpidCode(0, 5, 0, LINEAR + 0x1000, 0), OLD],
    ['a page above 4 GiB', invvpidCode(0, 5, 0, LINEAR, 1), OLD],
    ['the VPID', invvpidCode(1, 5, 0, 0, 0), NEW],
    ['all', invvpidCode(2, 0, 0, 0, 0), NEW],
  ])('INVVPID of %s', (_, source, value) => {
    const g = moved();
    expect(host(g, source).failed).toBe(false);
    expect(read(g)).toBe(value);
  });

  it.each<[string, string]>([
    ['VPID 0', invvpidCode(1, 0, 0, 0, 0)],
    ['bits 63:16 of the descriptor', invvpidCode(1, 0x10005, 0, 0, 0)],
    ['the upper half of it', invvpidCode(2, 0, 1, 0, 0)],
    ['an address that is not canonical', invvpidCode(0, 5, 0, LINEAR, 0x8000)],
    ['a type that there is not', invvpidCode(4, 5, 0, 0, 0)],
  ])('INVVPID fails for %s, and takes nothing away', (_, source) => {
    const g = moved();
    expect(host(g, source)).toEqual({ failed: true, error: VM_ERROR.invalidInvalidation });
    expect(read(g)).toBe(OLD);
  });
});

describe('IA32_VMX_EPT_VPID_CAP', () => {
  it('names INVEPT and INVVPID with every type that works', () => {
    const cap = reader().cpu.msrs.get(0x48c)!;
    const bit = (n: bigint) => (cap >> n) & 1n;
    expect([20n, 25n, 26n].map(bit), 'INVEPT: single, all').toEqual([1n, 1n, 1n]);
    expect([32n, 40n, 41n, 42n, 43n].map(bit), 'INVVPID: address, single, all, retaining').toEqual([
      1n,
      1n,
      1n,
      1n,
      1n,
    ]);
    expect(reader({}, 0, 'prescott').cpu.msrs.has(0x48c)).toBe(false);
  });
});
