// EPT, unrestricted guests, VPID and their instructions (SDM vol. 3 §28, §25.5.2, §26.2.1.1), in guests that nasm assembled.
import { beforeAll, expect, it } from 'vitest';
import { nasm } from '../test-machine.ts';
import { PROC } from './capabilities.ts';
import { EPT } from './ept.ts';
import { EXIT } from './exit-reasons.ts';
import { INVEPT, INVVPID, invept, invvpid } from './invalidate.ts';
import { VM_ERROR, vmlaunch } from './operations.ts';
import { LATER_MSR, SECONDARY } from './second-generation.ts';
import { AT } from './testing.ts';
import { type Fields, Guest, needsNasm } from './testing-guest.ts';
import './provide-second-generation.ts';

const RWX = EPT.read | EPT.write | EPT.execute;
/** Where the tests put the EPT tables: four levels, one page each. */
const TABLES = { pml4: 0x80000, pdpt: 0x81000, pd: 0x82000, pt: 0x83000 };
const PAGE = RWX | EPT.writeBack;
const PROC_EPT = 0x04006172 | PROC.hlt | PROC.secondary;

/** A guest whose first 2 MiB are mapped one to one by 4-KiB pages. */
function guest(source: string, fields: Fields = {}, handlers: Record<number, string> = {}): Guest {
  const made = new Guest(
    source,
    {
      CPU_BASED_VM_EXEC_CONTROL: PROC_EPT,
      SECONDARY_VM_EXEC_CONTROL: SECONDARY.ept,
      EPT_POINTER: TABLES.pml4 | 0x1e,
      ...fields,
    },
    handlers,
    'nehalem',
  );
  const { memory } = made.cpu;
  memory.write32(TABLES.pml4, TABLES.pdpt | RWX);
  memory.write32(TABLES.pdpt, TABLES.pd | RWX);
  memory.write32(TABLES.pd, TABLES.pt | RWX);
  for (let n = 0; n < 512; n++) memory.write32(TABLES.pt + n * 8, (n << 12) | PAGE);
  return made;
}

/** Changes the leaf of a guest-physical page. */
function map(g: Guest, physical: number, entry: number, high = 0): void {
  g.cpu.memory.write32(TABLES.pt + (physical >>> 12) * 8, entry);
  g.cpu.memory.write32(TABLES.pt + (physical >>> 12) * 8 + 4, high);
}

const violation = (g: Guest) => ({
  reason: g.exit(),
  qualification: g.read('EXIT_QUALIFICATION'),
  physical: g.read('GUEST_PHYSICAL_ADDRESS'),
  linear: g.read('GUEST_LINEAR_ADDRESS'),
  rip: g.read('GUEST_RIP'),
});

needsNasm('EPT', () => {
  beforeAll(() => nasm('nop'));

  it('lets the guest reach what is mapped, and moves pages', () => {
    const g = guest('mov eax, [0x60010]\nhlt');
    map(g, 0x60000, 0x70000 | PAGE);
    g.cpu.memory.write32(0x70010, 0x1234);
    expect(g.exit()).toBe(EXIT.hlt);
    expect(g.cpu.regs[0]).toBe(0x1234);
  });

  it('does not leave for CR3, INVLPG and page faults of the guest', () => {
    const g = guest(
      'mov eax, cr3\nmov cr3, eax\ninvlpg [0x1000]\nmov dword [0x400000], 1\nhlt',
      {},
      {
        14: 'pop eax\nmov ebx, cr2\nhlt',
      },
    );
    expect(g.exit()).toBe(EXIT.hlt);
    expect(g.cpu.regs[0]).toBe(2);
    expect(g.cpu.regs[3]).toBe(0x400000);
  });

  it('says what was tried, what the entries allow, and which addresses', () => {
    const g = guest('mov dword [0x60123], 5\nhlt');
    map(g, 0x60000, 0x60000 | EPT.read | EPT.execute | EPT.writeBack);
    expect(violation(g)).toEqual({
      reason: EXIT.eptViolation,
      qualification: 2 | (5 << 3) | 0x180,
      physical: 0x60123,
      linear: 0x60123,
      rip: AT.code,
    });
    // Mapped now, the same instruction goes on.
    map(g, 0x60000, 0x60000 | PAGE);
    expect(g.exit()).toBe(EXIT.hlt);
    expect(g.cpu.memory.read32(0x60123)).toBe(5);
  });

  it('tells reads, fetches and missing pages apart', () => {
    const read = guest('mov eax, [0x61ffe]\nhlt');
    map(read, 0x62000, 0);
    expect(violation(read)).toMatchObject({ qualification: 1 | 0x180, physical: 0x62000, linear: 0x62000 });
    const fetch = guest('jmp 0x61004');
    map(fetch, 0x61000, 0x61000 | EPT.read | EPT.write | EPT.writeBack);
    expect(violation(fetch)).toMatchObject({
      qualification: 4 | (3 << 3) | 0x180,
      physical: 0x61004,
      rip: 0x61004,
    });
  });

  it('meets the guest’s own tables too: bit 8 is 0 then', () => {
    const g = guest('hlt');
    map(g, AT.pageDirectory, 0);
    expect(violation(g)).toMatchObject({
      qualification: 1 | 0x80,
      physical: AT.pageDirectory,
      linear: AT.code,
    });
    // The accessed bit of a directory that may only be read.
    map(g, AT.pageDirectory, AT.pageDirectory | EPT.read | EPT.writeBack);
    g.cpu.memory.write32(AT.pageDirectory, 0x87);
    expect(violation(g)).toMatchObject({ qualification: 3 | (1 << 3) | 0x80, physical: AT.pageDirectory });
  });

  it('reports the event that was on its way: an interrupt gate in a page that is not there', () => {
    const g = guest('int 0x21\nhlt');
    map(g, AT.idt, 0);
    expect(violation(g)).toMatchObject({
      reason: EXIT.eptViolation,
      physical: AT.idt + 0x21 * 8,
      rip: AT.code,
    });
    expect(g.read('IDT_VECTORING_INFO') >>> 0).toBe(0x80000421);
    expect(g.read('VM_EXIT_INSTRUCTION_LEN')).toBe(2);
    const fault = guest('ud2');
    map(fault, AT.idt, 0);
    expect(fault.exit()).toBe(EXIT.eptViolation);
    expect(fault.read('IDT_VECTORING_INFO') >>> 0).toBe(0x80000306);
  });

  it('leaves so from an injection at entry as well', () => {
    const g = guest('hlt', { VM_ENTRY_INTR_INFO: 0x80000021 | 0, GUEST_RFLAGS: 0x202 });
    map(g, AT.stack - 0x1000, 0);
    expect(g.exit()).toBe(EXIT.eptViolation);
    expect(g.read('EXIT_QUALIFICATION') & 2).toBe(2);
    expect(g.read('IDT_VECTORING_INFO') >>> 0).toBe(0x80000021);
  });

  it.each([
    ['writable, not readable', 0x60000 | EPT.write | EPT.writeBack, 0],
    ['executable only', 0x60000 | EPT.execute | EPT.writeBack, 0],
    ['memory type 3', 0x60000 | RWX | (3 << 3), 0],
    ['address bit 36', 0x60000 | PAGE, 0x10],
  ])('finds no sense in a leaf that is %s', (_, low, high) => {
    const g = guest('mov eax, [0x60000]\nhlt');
    map(g, 0x60000, low, high);
    expect(violation(g)).toMatchObject({ reason: EXIT.eptMisconfiguration, physical: 0x60000, rip: AT.code });
  });

  it('maps 2 MiB at once, and refuses reserved bits there', () => {
    const g = guest('mov eax, [0x60010]\nhlt');
    g.cpu.memory.write32(TABLES.pd, PAGE | EPT.large);
    g.cpu.memory.write32(0x60010, 77);
    expect(g.exit()).toBe(EXIT.hlt);
    expect(g.cpu.regs[0]).toBe(77);
    const bad = guest('hlt');
    bad.cpu.memory.write32(TABLES.pd, PAGE | EPT.large | 0x1000);
    expect(bad.exit()).toBe(EXIT.eptMisconfiguration);
  });

  it('charges five references for each of the guest’s, and four for the page', () => {
    const cycles = (source: string) => {
      const g = guest(source);
      const before = g.cpu.cycles;
      g.exit();
      return g.cpu.cycles - before;
    };
    // A 4-MiB page of the guest: one entry of its own.
    const reference = guest('hlt').cpu.cost.charges.pageWalkReference.cycles;
    const one = cycles('nop\nhlt');
    expect(cycles('mov eax, [0x60010]\nhlt') - one).toBe(9 * reference);
  });
});

needsNasm('VPID and unrestricted guests', () => {
  const realMode: Fields = {
    SECONDARY_VM_EXEC_CONTROL: SECONDARY.ept | SECONDARY.unrestricted,
    GUEST_CR0: 0x30,
    GUEST_RIP: 0x10,
    GUEST_IDTR_BASE: 0,
    GUEST_IDTR_LIMIT: 0x3ff,
    GUEST_RSP: 0x1000,
  };

  function inRealMode(source: string, fields: Fields = {}): Guest {
    const g = guest('hlt', { ...realMode, ...fields });
    for (let n = 0; n < 6; n++) {
      g.set({
        [`GUEST_${['ES', 'CS', 'SS', 'DS', 'FS', 'GS'][n]}_SELECTOR`]: 0x1000,
        [`GUEST_${['ES', 'CS', 'SS', 'DS', 'FS', 'GS'][n]}_BASE`]: 0x10000,
        [`GUEST_${['ES', 'CS', 'SS', 'DS', 'FS', 'GS'][n]}_LIMIT`]: 0xffff,
        [`GUEST_${['ES', 'CS', 'SS', 'DS', 'FS', 'GS'][n]}_AR_BYTES`]: 0x93,
      });
    }
    g.cpu.memory.load(0x10010, nasm(`bits 16\norg 0x10\n${source}`));
    return g;
  }

  it('run in real mode, into protected mode and back', () => {
    const g = inRealMode(`
      mov ax, 0x1000
      mov ds, ax
      mov eax, cr0
      or al, 1
      mov cr0, eax
      jmp 8:dword protected
      bits 32
      protected: mov ebx, 0x12345678
      jmp 0x30:narrow
      bits 16
      narrow: mov eax, cr0
      and al, 0xfe
      mov cr0, eax
      jmp 0x1000:back
      back: hlt`);
    // Code segments with base 10000h: 32 bits, and at 30h 16 bits.
    const gdt = [
      [8, 0xffff, 0x409b01],
      [0x30, 0xffff, 0x009b01],
    ];
    for (const [selector, low, high] of gdt) {
      g.cpu.memory.write32(AT.gdt + selector, low);
      g.cpu.memory.write32(AT.gdt + selector + 4, high);
    }
    expect(g.exit()).toBe(EXIT.hlt);
    expect(g.cpu.regs[3]).toBe(0x12345678);
    expect(g.read('GUEST_CS_SELECTOR')).toBe(0x1000);
    expect(g.read('GUEST_CR0') & 1).toBe(0);
  });

  it('take injected interrupts through the real-mode table, without error codes', () => {
    const g = inRealMode('nop\nhlt', { VM_ENTRY_INTR_INFO: 0x8000030d | 0 });
    g.cpu.memory.write32(13 * 4, 0x1000_0040);
    g.cpu.memory.load(0x10040, nasm('bits 16\nmov bx, 0x77\nhlt'));
    expect(g.exit()).toBe(EXIT.hlt);
    expect(g.cpu.regs[3]).toBe(0x77);
    const withCode = inRealMode('hlt', { VM_ENTRY_INTR_INFO: 0x80000b0d | 0 });
    expect(vmlaunch(withCode.cpu)).toBe(VM_ERROR.invalidControls);
  });

  it.each([
    ['EPT pointer with three levels', { EPT_POINTER: TABLES.pml4 | 0x16 }],
    ['EPT pointer with memory type 2', { EPT_POINTER: TABLES.pml4 | 0x1a }],
    ['VPID 0', { SECONDARY_VM_EXEC_CONTROL: SECONDARY.ept | SECONDARY.vpid }],
    ['unrestricted without EPT', { SECONDARY_VM_EXEC_CONTROL: SECONDARY.unrestricted }],
    ['an unknown secondary control', { SECONDARY_VM_EXEC_CONTROL: 1 }],
  ] as [string, Fields][])('are refused with %s', (_, fields) => {
    expect(vmlaunch(guest('hlt', fields).cpu)).toBe(VM_ERROR.invalidControls);
  });

  it('do not exist without the control: real mode is invalid guest state', () => {
    const g = inRealMode('hlt', { SECONDARY_VM_EXEC_CONTROL: SECONDARY.ept });
    expect(g.exit() & 0xffff).toBe(EXIT.invalidGuestState);
  });

  it('INVEPT and INVVPID check what they are asked', () => {
    const { cpu } = guest('hlt');
    expect(invept(cpu, INVEPT.all)).toBe(0);
    expect(invept(cpu, INVEPT.single, TABLES.pml4 | 0x1e)).toBe(0);
    expect(invept(cpu, INVEPT.single, TABLES.pml4)).toBe(VM_ERROR.invalidInvalidation);
    expect(invept(cpu, 0)).toBe(VM_ERROR.invalidInvalidation);
    expect(invvpid(cpu, INVVPID.all)).toBe(0);
    expect(invvpid(cpu, INVVPID.single, 0)).toBe(VM_ERROR.invalidInvalidation);
    expect(invvpid(cpu, INVVPID.single, 1)).toBe(0);
    expect(invvpid(cpu, INVVPID.address, 1, 1)).toBe(VM_ERROR.invalidInvalidation);
  });

  it('exit when a guest executes them', () => {
    const g = guest('invept eax, [0x60000]\nhlt');
    expect(g.exit()).toBe(EXIT.invept);
    expect(guest('invvpid eax, [0x60000]').exit()).toBe(EXIT.invvpid);
    const w = guest('wbinvd\nhlt', { SECONDARY_VM_EXEC_CONTROL: SECONDARY.ept | SECONDARY.wbinvd });
    expect(w.exit()).toBe(EXIT.wbinvd);
  });

  it('the capability MSRs say all that', () => {
    const { cpu } = guest('hlt');
    const low = (n: number) => Number(cpu.msrs.get(n)! & 0xffffffffn);
    const high = (n: number) => Number(cpu.msrs.get(n)! >> 32n);
    expect(high(0x482) >>> 31, 'secondary controls').toBe(1);
    expect(low(0x482) & (1 << 15), 'CR3-load exiting is default-1').not.toBe(0);
    expect(low(LATER_MSR.trueProc) & (1 << 15), 'and may be cleared').toBe(0);
    expect((high(0x480) >>> 23) & 1, 'true controls').toBe(1);
    expect(high(LATER_MSR.secondary)).toBe(0xe2);
  });
});
