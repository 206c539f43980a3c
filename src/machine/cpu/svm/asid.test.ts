// Translations that outlive VMRUN and #VMEXIT (APM vol. 2 §15.16): ASIDs, TLB_CONTROL, INVLPGA. Each guest reads one page; its
// entry is changed behind its back between two entries.
import { expect, it } from 'vitest';
import { cpuid } from '../cpuid.ts';
import { nasm } from '../test-machine.ts';
import { SVM_EXIT } from './exit-codes.ts';
import { invlpga } from './operations.ts';
import { AT, type Fields, Guest, needsNasm } from './testing.ts';

const LINEAR = 0x400000;
const TABLE = 0x90000;
const BEFORE = 0x60000;
const AFTER = 0x61000;
const OLD = 0xa;
const NEW = 0xb;
const GLOBAL = 0x100;
const NESTED_DIRECTORY = 0x92000;
const NESTED_TABLE = 0x93000;

/** A guest that reads its page at 4 MiB. */
function reader(
  source = `mov eax, [${LINEAR}]\nhlt`,
  bits = 0,
  processor: 'prescott' | 'nehalem' = 'prescott',
) {
  const g = new Guest(source, { GUEST_ASID: 5, CR4: 0x90 }, { processor });
  const { memory } = g.cpu;
  memory.write32(AT.pageDirectory + 4, TABLE | 7);
  memory.write32(TABLE, BEFORE | 0x63 | bits);
  memory.write32(BEFORE, OLD);
  memory.write32(AFTER, NEW);
  return g;
}

function read(g: Guest, fields: Fields = {}): number {
  g.set({ RIP: AT.code, ...fields });
  expect(g.exit()).toBe(SVM_EXIT.hlt);
  return g.read('RAX');
}

/** A guest that has read, and whose entry leads elsewhere since. */
function moved(bits = 0): Guest {
  const g = reader(undefined, bits);
  expect(read(g)).toBe(OLD);
  g.cpu.memory.write32(TABLE, AFTER | 0x63 | bits);
  return g;
}

needsNasm('an ASID', () => {
  it('keeps what was translated over exits and entries, from the first generation on', () => {
    const g = reader();
    const cost = () => {
      const before = g.cpu.cycles;
      read(g);
      return g.cpu.cycles - before;
    };
    const first = cost();
    expect(first - cost()).toBe(3 * g.cpu.cost.charges.pageWalkReference.cycles);
    expect(read(moved())).toBe(OLD);
    expect(cpuid(g.cpu, 0x8000000a).ebx, 'as many as CPUID says').toBe(64);
  });

  it('keeps apart: another finds nothing, and coming back finds the old', () => {
    const g = moved(GLOBAL);
    expect(read(g, { GUEST_ASID: 6 })).toBe(NEW);
    expect(read(g, { GUEST_ASID: 5 })).toBe(OLD);
  });

  it('TLB_CONTROL 1 takes everything of everybody, and 0 nothing', () => {
    const g = moved(GLOBAL);
    expect(read(g, { GUEST_ASID: 6, TLB_CONTROL: 1 })).toBe(NEW);
    g.cpu.memory.write32(TABLE, BEFORE | 0x63 | GLOBAL);
    expect(read(g, { GUEST_ASID: 6, TLB_CONTROL: 0 })).toBe(NEW);
    expect(read(g, { GUEST_ASID: 5 }), 'gone when 6 was entered').toBe(OLD);
    g.cpu.memory.write32(TABLE, AFTER | 0x63 | GLOBAL);
    expect(read(g)).toBe(OLD);
    expect(read(g, { TLB_CONTROL: 1 })).toBe(NEW);
  });

  it('no processor here announces FlushByASID', () => {
    for (const processor of ['prescott', 'nehalem'] as const) {
      const { edx } = cpuid(new Guest('hlt', {}, { processor }).cpu, 0x8000000a);
      expect(edx & (1 << 6)).toBe(0);
    }
  });

  it.each<[string, number, (g: Guest) => void]>([
    ['the page', NEW, (g) => invlpga(g.cpu, LINEAR + 0x123, 5)],
    ['another page', OLD, (g) => invlpga(g.cpu, LINEAR + 0x1000, 5)],
    ['the page of another', OLD, (g) => invlpga(g.cpu, LINEAR, 6)],
    ['the page of the host', OLD, (g) => invlpga(g.cpu, LINEAR, 0)],
  ])('INVLPGA of %s: the guest reads %i', (_, value, invalidate) => {
    for (const bits of [0, GLOBAL]) {
      const g = moved(bits);
      invalidate(g);
      expect(read(g)).toBe(value);
    }
  });

  it('INVLPGA in the instruction stream takes address and ASID from EAX and ECX', () => {
    const g = moved();
    // A guest that is allowed to: it names its own.
    g.cpu.memory.load(
      AT.code,
      nasm(`bits 32\nmov eax, ${LINEAR}\nmov ecx, 5\ninvlpga\nmov eax, [${LINEAR}]\nhlt`),
    );
    expect(read(g)).toBe(NEW);
  });

  it('MOV CR3 by the guest takes its own translations away, and CR3 in the VMCB none', () => {
    const g = moved();
    const other = 0x91000;
    g.cpu.memory.bytes.copyWithin(other, AT.pageDirectory, AT.pageDirectory + 0x1000);
    expect(read(g, { CR3: other })).toBe(OLD);
    g.cpu.memory.load(AT.code, nasm(`bits 32\nmov eax, cr3\nmov cr3, eax\nmov eax, [${LINEAR}]\nhlt`));
    expect(read(g)).toBe(NEW);
  });

  it('with nested paging, too: tables beneath may change unnoticed, until another ASID', () => {
    const g = reader(undefined, 0, 'nehalem');
    const { memory } = g.cpu;
    memory.write32(NESTED_DIRECTORY, NESTED_TABLE | 7);
    for (let n = 0; n < 1024; n++) memory.write32(NESTED_TABLE + n * 4, (n << 12) | 7);
    expect(read(g, { NP_ENABLE: 1, N_CR3: NESTED_DIRECTORY })).toBe(OLD);
    memory.write32(NESTED_TABLE + (BEFORE >>> 12) * 4, AFTER | 7);
    expect(read(g)).toBe(OLD);
    expect(read(g, { GUEST_ASID: 9 })).toBe(NEW);
    expect(read(g, { GUEST_ASID: 5 })).toBe(OLD);
  });
});
