// EPT against a second model of it, written as plainly as the manual's tables 28-1 to 28-6, with random entries at every
// level: where an access leads, or how it leaves, and with which qualification.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { EXITED } from '../fault.ts';
import { Allows } from '../guest-physical.ts';
import { Access, NO_LINEAR } from '../nested-walk.ts';
import { Ept } from './ept.ts';
import { EXIT } from './exit-reasons.ts';
import { FIELD as F, LATER_FIELD as L } from './fields.ts';
import { vmlaunch, vmread, vmwrite } from './operations.ts';
import { AT, guestTables, readyVmcs } from './testing.ts';
import './provide-second-generation.ts';

const TABLES = [0x80000, 0x81000, 0x82000, 0x83000];

/** 1 read, 2 write, 4 execute. */
interface Case {
  physical: number;
  entries: { low: number; high: number }[];
  access: number;
  linear: number;
}

type Outcome = { machine: number } | { reason: number; qualification: number };

/** What the manual says. */
function model({ physical, entries, access, linear }: Case): Outcome {
  const indices = [39, 30, 21, 12].map((shift) => Math.floor(physical / 2 ** shift) % 512);
  let rights = 7;
  const leave = (reason: number, qualification = 0): Outcome => ({ reason, qualification });
  const wanted =
    access & Access.table
      ? access & Access.write
        ? 3
        : 1
      : access & Access.fetch
        ? 4
        : access & Access.write
          ? 2
          : 1;
  const where = (linear === NO_LINEAR ? 0 : 0x80) | (access & Access.table ? 0 : 0x100);
  for (let level = 0; level < 4; level++) {
    // Entries of the tests stand at the index that the address has; everything else is empty.
    const { low, high } = entries[level];
    void indices;
    const allowed = low & 7;
    if (allowed === 0) return leave(EXIT.eptViolation, wanted | where);
    const isPage = level === 3 || (level === 2 && (low & 0x80) !== 0);
    const type = (low >>> 3) & 7;
    const senseless =
      (allowed & 1) === 0 ||
      (high & 0xffff0) !== 0 ||
      (!isPage && (low & 0xf8) !== 0) ||
      (isPage && (type === 2 || type === 3 || type === 7)) ||
      (isPage && level === 2 && (low & 0x1ff000) !== 0);
    if (senseless) return leave(EXIT.eptMisconfiguration);
    rights &= allowed;
    if (isPage) {
      if ((rights & wanted) !== wanted) return leave(EXIT.eptViolation, wanted | (rights << 3) | where);
      const size = level === 3 ? 2 ** 12 : 2 ** 21;
      const frame = Math.floor((low >>> 0) / size) * size;
      return { machine: frame + (physical % size) };
    }
  }
  throw new Error('unreachable');
}

const bits = fc.integer({ min: 0, max: 7 }).chain((r) => fc.constantFrom(r, 7, 7, 7, 3, 5, 1));
const rare = <T>(usual: T, ...others: T[]) => fc.constantFrom(...Array(12).fill(usual), ...others);

const caseOf = fc
  .record({
    physical: fc.oneof(fc.integer({ min: 0, max: 0xffffffff }), fc.integer({ min: 0, max: 2 ** 36 - 1 })),
    rights: fc.tuple(bits, bits, bits, bits),
    large: fc.boolean(),
    type: fc.constantFrom(0, 6, 6, 6, 1, 4, 5, 2, 3, 7),
    reserved: fc.tuple(rare(0, 0x08, 0x40), rare(0, 0x10, 0x80), rare(0, 0x20, 0x1000)),
    high: fc.tuple(rare(0, 0x10), rare(0, 0x100000), rare(0, 0x80000), rare(0, 0x10)),
    frame: fc.integer({ min: 0, max: 0xff }),
    access: fc.constantFrom(0, 1, 2, 4, 5, 8, 9),
    linear: fc.constantFrom(0x1234, 0x80001000, NO_LINEAR),
  })
  .map((c): Case => {
    const low = [0, 1, 2].map((n) => (TABLES[n + 1] | c.rights[n] | c.reserved[n]) >>> 0);
    if (c.large)
      low[2] = ((c.rights[2] | 0x80 | (c.type << 3) | c.reserved[2]) & ~0x1000) | (c.reserved[2] & 0x1000);
    const leaf = (c.frame << 12) | c.rights[3] | (c.type << 3);
    return {
      physical: c.physical,
      access: c.access,
      linear: c.linear,
      entries: [...low, leaf].map((l, n) => ({ low: l, high: c.high[n] })),
    };
  });

describe('EPT', () => {
  const { cpu } = readyVmcs('nehalem');
  guestTables(cpu.memory, 0x40000);
  const ept = new Ept();
  ept.root = TABLES[0];

  it('does with random entries what the manual says', () => {
    vmwrite(cpu, F.CPU_BASED_VM_EXEC_CONTROL, 0x84006172 | 0);
    vmwrite(cpu, L.SECONDARY_VM_EXEC_CONTROL, 2);
    vmwrite(cpu, L.EPT_POINTER, 0x90000 | 0x1e);
    // The guest itself stands on tables of its own, which nothing here touches.
    cpu.memory.write32(0x90000, 0x91007);
    cpu.memory.write32(0x91000, 0x92007);
    cpu.memory.write32(0x92000, 0xb7);
    const outcomes = new Map<string, number>();
    fc.assert(
      fc.property(caseOf, (c) => {
        const indices = [39, 30, 21, 12].map((shift) => Math.floor(c.physical / 2 ** shift) % 512);
        for (const table of TABLES) cpu.memory.clear(table, 4096);
        c.entries.forEach(({ low, high }, n) => {
          cpu.memory.write32(TABLES[n] + indices[n] * 8, low);
          cpu.memory.write32(TABLES[n] + indices[n] * 8 + 4, high);
        });
        // Into the guest, so that there is something to leave.
        vmwrite(cpu, F.GUEST_RIP, AT.code);
        cpu.memory.write32(AT.vmcs + 8, 0);
        expect(vmlaunch(cpu)).toBe(0);
        expect(cpu.intercepts).not.toBeNull();
        const expected = model(c);
        let got: Outcome;
        try {
          got = { machine: ept.translate(cpu, c.physical, c.access, c.linear) };
        } catch (thrown) {
          if (thrown !== EXITED) throw thrown;
          got = { reason: vmread(cpu, F.VM_EXIT_REASON), qualification: vmread(cpu, F.EXIT_QUALIFICATION) };
          expect(vmread(cpu, L.GUEST_PHYSICAL_ADDRESS)).toBe(c.physical % 2 ** 32);
          expect(vmread(cpu, L.GUEST_PHYSICAL_ADDRESS + 1)).toBe(Math.floor(c.physical / 2 ** 32));
        }
        // Back in root operation for the next case.
        if (cpu.intercepts) {
          expect(ept.peek(cpu, c.physical)).toBe('machine' in got ? got.machine : -1);
          expect((ept.allows & Allows.write) !== 0).toBe(
            c.entries.every(({ low }, n) => n > (c.entries[2].low & 0x80 ? 2 : 3) || low & 2),
          );
          cpu.memory.clear(TABLES[0], 4096);
          expect(() => ept.translate(cpu, 0, 0, 0)).toThrow();
        }
        expect(got).toEqual(expected);
        const kind = 'machine' in got ? 'page' : `exit ${got.reason}`;
        outcomes.set(kind, (outcomes.get(kind) ?? 0) + 1);
      }),
      { numRuns: 20_000, seed: 2008 },
    );
    for (const kind of ['page', 'exit 48', 'exit 49']) expect(outcomes.get(kind)).toBeGreaterThan(1000);
  }, 120_000);
});
