// The two-dimensional walk against the one-dimensional one (SDM vol. 3 §28.2.1): behind a second dimension that moves every
// page by the same distance, a guest's tables must lead, fault, and get their bits exactly as on a bare processor.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Cpu } from './cpu.ts';
import { isFault } from './fault.ts';
import { Allows } from './guest-physical.ts';
import { Access, NestedWalk, type SecondDimension } from './nested-walk.ts';
import { CR4_PAE, CR4_PSE, loadPdptes } from './page-walk.ts';
import { peek, translate, translateFetch } from './paging.ts';
import { TestMachine } from './test-machine.ts';

const DISTANCE = 0x80000;
const GUEST_BYTES = 0x80000;
const PG = 1 << 31;
const WP = 1 << 16;

/** Guest-physical p is machine p + DISTANCE, inside the guest's memory; elsewhere it stays what it is. */
class Moved implements SecondDimension {
  allows = Allows.read | Allows.write | Allows.fetch;
  readonly asked: [physical: number, access: number][] = [];
  translate(_: Cpu, physical: number, access: number): number {
    this.asked.push([physical, access]);
    return this.peek(_, physical);
  }
  peek(_: Cpu, physical: number): number {
    return physical < GUEST_BYTES ? physical + DISTANCE : physical % 2 ** 32;
  }
}

const DIRECTORY = 0x1000;
const TABLES = 0x2000;
const bare = new TestMachine().flat(new Uint8Array());
const nested = new TestMachine().flat(new Uint8Array());

interface Case {
  linear: number;
  pde: number;
  pte: number;
  high: number;
  pae: boolean;
  wp: boolean;
  pse: boolean;
  write: boolean;
  user: boolean;
  fetch: boolean;
}

/** Puts tables that lead to one page into a guest's memory at `at`. */
function prepare({ cpu, memory }: TestMachine, at: number, c: Case): void {
  const size = c.pae ? 8 : 4;
  memory.clear(at + DIRECTORY, 0x3000);
  cpu.cr0 = 1 | (c.wp ? WP : 0);
  cpu.cr4 = (c.pae ? CR4_PAE : 0) | (c.pse ? CR4_PSE : 0);
  cpu.cr3 = DIRECTORY;
  if (c.pae) {
    // Pointer entries behind the directory page; all four lead to it.
    cpu.cr3 = TABLES + 0x1000;
    for (let n = 0; n < 4; n++) {
      memory.write32(at + cpu.cr3 + n * 8, DIRECTORY | 1);
      memory.write32(at + cpu.cr3 + n * 8 + 4, 0);
    }
  }
  const pdeIndex = c.pae ? (c.linear >>> 21) & 511 : c.linear >>> 22;
  const pteIndex = c.pae ? (c.linear >>> 12) & 511 : (c.linear >>> 12) & 1023;
  const pde = c.pde & 0x80 ? c.pde : (c.pde & 0xfff) | TABLES;
  memory.write32(at + DIRECTORY + pdeIndex * size, pde);
  memory.write32(at + TABLES + pteIndex * size, c.pte);
  if (c.pae) memory.write32(at + TABLES + pteIndex * size + 4, c.high);
  if (c.pae) loadPdptes(cpu, cpu.cr3);
  cpu.cr0 |= PG;
  cpu.cpl = c.user ? 3 : 0;
  cpu.tlb.flush();
}

function outcome(m: TestMachine, c: Case): string {
  try {
    const to = c.fetch ? translateFetch(m.cpu, c.linear) : translate(m.cpu, c.linear, c.write, c.user);
    return `to ${to}`;
  } catch (thrown) {
    if (!isFault(thrown)) throw thrown;
    return `#${thrown.vector} ${thrown.errorCode} ${thrown.address}`;
  }
}

const cases = fc.record({
  linear: fc.integer({ min: 0, max: 0xffffffff }),
  pde: fc
    .integer({ min: 0, max: 0x7f })
    .chain((low) => fc.constantFrom(low | 1, low | 1, low | 0x81, low & ~1)),
  pte: fc
    .tuple(fc.integer({ min: 0, max: 0x7f }), fc.integer({ min: 0, max: 0xfffff }))
    .map(([low, frame]) => (low | (frame << 12)) & ~0x80),
  high: fc.constantFrom(0, 0, 0, 0, 0x10, 3),
  pae: fc.boolean(),
  wp: fc.boolean(),
  pse: fc.boolean(),
  write: fc.boolean(),
  user: fc.boolean(),
  fetch: fc.boolean(),
});

describe('the two-dimensional page walk', () => {
  it('leads, faults and sets bits as the guest’s tables say, in either format', () => {
    fc.assert(
      fc.property(cases, (c) => {
        nested.cpu.nested = null;
        prepare(bare, 0, c);
        const dimension = new Moved();
        nested.cpu.nested = new NestedWalk(dimension);
        prepare(nested, DISTANCE, c);
        const [one, two] = [outcome(bare, c), outcome(nested, c)];
        const machine = one.startsWith('to ') ? Number(one.slice(3)) : -1;
        // Above 4 GiB a bare bus has nobody; the second dimension is asked for the address itself.
        if (c.high === 3 && c.pae && machine >= 0) return;
        const moved = machine >= 0 && machine < GUEST_BYTES ? `to ${machine + DISTANCE}` : one;
        expect(two).toBe(moved);
        for (let at = DIRECTORY; at < DIRECTORY + 0x2000; at += 4)
          if (nested.memory.read32(DISTANCE + at) !== bare.memory.read32(at)) expect.fail(`entry at ${at}`);
        if (machine >= 0) expect(peek(nested.cpu, c.linear)).toBe(Number(moved.slice(3)));
      }),
      { numRuns: 2000 },
    );
  });

  it('asks for every entry as a table, for setting bits as a write to it, and for the page as what it is', () => {
    const c: Case = {
      linear: 0x00403abc,
      pde: 7,
      pte: 0x5007,
      high: 0,
      pae: false,
      wp: true,
      pse: true,
      write: true,
      user: true,
      fetch: false,
    };
    const dimension = new Moved();
    nested.cpu.nested = new NestedWalk(dimension);
    prepare(nested, DISTANCE, c);
    dimension.asked.length = 0;
    translate(nested.cpu, c.linear, true, true);
    const { table, write, user } = Access;
    expect(dimension.asked).toEqual([
      [DIRECTORY + 4, table | user],
      [TABLES + 12, table | user],
      [DIRECTORY + 4, table | write | user],
      [TABLES + 12, table | write | user],
      [0x5abc, write | user],
    ]);
  });

  it('without paging in the guest, has one dimension', () => {
    const dimension = new Moved();
    nested.cpu.nested = new NestedWalk(dimension);
    nested.cpu.cr0 = 1;
    nested.cpu.tlb.flush();
    expect(translate(nested.cpu, 0x1234, true, false)).toBe(0x1234 + DISTANCE);
    expect(peek(nested.cpu, 0x1234)).toBe(0x1234 + DISTANCE);
    expect(dimension.asked).toEqual([[0x1234, Access.write]]);
  });

  it('walks again for a write when the second dimension forbids it so far', () => {
    const dimension = new Moved();
    dimension.allows = Allows.read;
    nested.cpu.nested = new NestedWalk(dimension);
    nested.cpu.cr0 = 1;
    nested.cpu.tlb.flush();
    translate(nested.cpu, 0x3000, false, false);
    translate(nested.cpu, 0x3004, false, false);
    expect(dimension.asked).toHaveLength(1);
    translate(nested.cpu, 0x3008, true, false);
    expect(dimension.asked[1]).toEqual([0x3008, Access.write]);
  });
});
