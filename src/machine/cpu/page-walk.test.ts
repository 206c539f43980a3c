// PAE paging (SDM vol. 3 §4.4) against a second model written as plainly as its tables 4-8 to 4-11, with random entries;
// and when the four pointer entries are read: at a load of a control register and at no other time (§4.4.1).
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Fault, isFault } from './fault.ts';
import { CR4_PAE, loadPdptes, peekTables } from './page-walk.ts';
import { translate } from './paging.ts';
import { TestMachine } from './test-machine.ts';

const PDPT = 0x10020; // 32-byte aligned, not page-aligned: PAE allows that
const PD = 0x11000;
const PT = 0x12000;
const LINEAR = 0x8060_3abc; // pointer entry 2, directory entry 3, table entry 3
const PDE_AT = PD + 3 * 8;
const PTE_AT = PT + 3 * 8;
const P = 1;
const RW = 2;
const US = 4;
const A = 0x20;
const D = 0x40;
const PS = 0x80;
const PG = 1 << 31;
const WP = 1 << 16;

interface Entry {
  low: number;
  high: number;
}

/** One for all: what a case needs of it is set anew each time. */
const shared = new TestMachine().flat(new Uint8Array());

function machine(pde: Entry, pte: Entry, wp: boolean): TestMachine {
  const m = shared;
  m.memory.clear(PDPT, 32);
  m.memory.write32(PDPT + 16, PD | P);
  m.memory.write32(PDE_AT, pde.low);
  m.memory.write32(PDE_AT + 4, pde.high);
  m.memory.write32(PTE_AT, pte.low);
  m.memory.write32(PTE_AT + 4, pte.high);
  m.cpu.cr3 = PDPT;
  m.cpu.cr4 = CR4_PAE;
  m.cpu.cr0 = (m.cpu.cr0 & ~WP) | PG | (wp ? WP : 0);
  loadPdptes(m.cpu, m.cpu.cr3);
  m.cpu.tlb.flush();
  return m;
}

/** What the manual says: an address, or the error code of the fault as a negative number. */
function expected(pde: Entry, pte: Entry, write: boolean, user: boolean, wp: boolean): bigint {
  const asked = (write ? 2 : 0) + (user ? 4 : 0);
  const fault = (code: number) => -1n - BigInt(code);
  const wide = (e: Entry) => (BigInt(e.high >>> 0) << 32n) | BigInt(e.low >>> 0);
  const rights = (chain: bigint[]) => {
    const all = chain.reduce((x, y) => x & y);
    const userPage = (all & 4n) !== 0n;
    const writable = (all & 2n) !== 0n;
    if (user && !userPage) return false;
    return !write || writable || (!user && !wp);
  };
  const d = wide(pde);
  if (!(d & 1n)) return fault(asked);
  if (d >> 36n) return fault(asked + 1 + 8);
  if (d & 0x80n) {
    if (d & 0x1fe000n) return fault(asked + 1 + 8);
    return rights([d]) ? (d & 0xfffe00000n) | BigInt(LINEAR & 0x1fffff) : fault(asked + 1);
  }
  const t = wide(pte);
  if (!(t & 1n)) return fault(asked);
  if (t >> 36n) return fault(asked + 1 + 8);
  return rights([d, t]) ? (t & 0xffffff000n) | BigInt(LINEAR & 0xfff) : fault(asked + 1);
}

function attempt(m: TestMachine, write: boolean, user: boolean): bigint {
  try {
    return BigInt(translate(m.cpu, LINEAR, write, user));
  } catch (caught) {
    if (!isFault(caught)) throw caught;
    const { vector, errorCode, address } = caught as Fault;
    expect([vector, address]).toEqual([14, LINEAR]);
    return -1n - BigInt(errorCode);
  }
}

const flags = fc.nat(0x1ff);
/** High words are rarely anything but zero, as in life. */
const high = fc.oneof({ weight: 6, arbitrary: fc.constant(0) }, fc.constantFrom(1, 0x10, 0x8000_0000 | 0));

describe('PAE walks', () => {
  it('agree with the manual for random entries and accesses', () => {
    const bools = fc.boolean();
    fc.assert(
      fc.property(
        flags,
        high,
        fc.boolean(),
        fc.constantFrom(0, 0x2000, 0x100000),
        flags,
        high,
        bools,
        bools,
        bools,
        (pdeFlags, pdeHigh, large, stray, pteFlags, pteHigh, write, user, wp) => {
          const bits = large ? pdeFlags | PS : pdeFlags & ~PS;
          const pde = { low: large ? 0x20_0000 | stray | bits : PT | bits, high: pdeHigh };
          const pte = { low: 0x3_4000 | pteFlags, high: pteHigh };
          // A table above 4 GiB lies where no memory is: its entries read as ones, which are reserved.
          const nowhere = { low: -1, high: -1 };
          const m = machine(pde, pte, wp);
          const want = expected(pde, !large && pdeHigh ? nowhere : pte, write, user, wp);
          const got = attempt(m, write, user);
          if (want >= 0n && want >> 32n) {
            expect(m.memory.isPlain(Number(got))).toBe(false);
            return;
          }
          expect(got).toBe(want);
          const good = want >= 0n;
          const leaf = large ? m.memory.read32(PDE_AT) : m.memory.read32(PTE_AT);
          if (good) {
            expect(leaf & A).toBe(A);
            expect(leaf & D).toBe(write ? D : (large ? bits : pteFlags) & D);
            expect(m.memory.read32(PDE_AT) & A).toBe(A);
            expect(peekTables(m.cpu, LINEAR)).toBe(Number(want));
          } else expect(m.memory.read32(PDE_AT)).toBe(pde.low);
        },
      ),
      { numRuns: 3000 },
    );
  });
});

describe('pointer entries', () => {
  it('stay as they were read, whatever is written to memory afterwards', () => {
    const m = machine({ low: PT | P | RW | US, high: 0 }, { low: 0x34000 | P | RW | US, high: 0 }, false);
    m.memory.write32(PDPT + 16, 0);
    expect(attempt(m, false, false)).toBe(0x34abcn);
    loadPdptes(m.cpu, m.cpu.cr3);
    m.cpu.tlb.flush();
    expect(attempt(m, false, false)).toBe(-1n);
  });

  it('with reserved bits are refused together, with #GP(0)', () => {
    const m = machine({ low: 0, high: 0 }, { low: 0, high: 0 }, false);
    for (const [low, highWord] of [
      [PD | P | 2, 0],
      [PD | P | 0x80, 0],
      [PD | P, 0x10],
    ]) {
      m.memory.write32(PDPT, low);
      m.memory.write32(PDPT + 4, highWord);
      const before = [...m.cpu.pdptes];
      let vector = -1;
      try {
        loadPdptes(m.cpu, PDPT);
      } catch (caught) {
        if (!isFault(caught)) throw caught;
        vector = (caught as Fault).vector;
      }
      expect([vector, ...m.cpu.pdptes]).toEqual([13, ...before]);
    }
  });
});
