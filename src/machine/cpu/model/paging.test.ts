// The two-level walk with 4 KiB and 4 MiB pages (SDM vol. 3 §4.3, table 4-3 to 4-6) against a model: random entries, all
// accesses, WP, PSE. Faults with their error code and CR2; accessed and dirty bits in memory afterwards. (PAE: page-walk.test.ts.)
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Fault, isFault } from '../fault.ts';
import { translate } from '../paging.ts';
import { TestMachine } from '../test-machine.ts';

const DIRECTORY = 0x10000,
  TABLE = 0x11000;
const P = 1,
  RW = 2,
  US = 4,
  A = 0x20,
  D = 0x40,
  PS = 0x80;

interface Outcome {
  /** Physical address, or -1. */
  physical: number;
  code: number;
  pde: number;
  pte: number;
}

/** As §4.3 and §4.6 tell it. */
function walk(
  pde: number,
  pte: number,
  linear: number,
  write: boolean,
  user: boolean,
  wp: boolean,
  pse: boolean,
): Outcome {
  const fault = (code: number, pdeAfter = pde): Outcome => ({
    physical: -1,
    code: code | (write ? 2 : 0) | (user ? 4 : 0),
    pde: pdeAfter,
    pte,
  });
  if (!(pde & P)) return fault(0);
  const large = pse && (pde & PS) !== 0;
  // Bits 21 to 13 of an entry for 4 MiB are reserved where there is no PSE-36.
  if (large && pde & 0x003fe000) return fault(9);
  const leaf = large ? pde : pte;
  if (!large && !(pte & P)) return fault(0);
  const both = large ? pde : pde & pte;
  const allowed = user
    ? (both & US) !== 0 && (!write || (both & RW) !== 0)
    : !write || !wp || (both & RW) !== 0;
  if (!allowed) return fault(1);
  const marked = leaf | A | (write ? D : 0);
  if (large) return { physical: ((pde & 0xffc00000) | (linear & 0x3fffff)) >>> 0, code: 0, pde: marked, pte };
  return { physical: ((pte & 0xfffff000) | (linear & 0xfff)) >>> 0, code: 0, pde: pde | A, pte: marked };
}

const m = new TestMachine().flat(new Uint8Array());

describe('two-level page walks', () => {
  it('agree with the manual for random entries and accesses', () => {
    const flags = fc.integer({ min: 0, max: 0xfff });
    const present = fc.tuple(flags, fc.integer({ min: 0, max: 7 })).map(([f, n]) => (n ? f | P : f));
    const frame = fc.integer({ min: 0, max: 0xfffff });
    const reserved = fc.oneof(
      { weight: 4, arbitrary: fc.constant(0) },
      { weight: 1, arbitrary: fc.nat(0x1ff) },
    );
    const bits = fc.tuple(fc.boolean(), fc.boolean(), fc.boolean(), fc.boolean());
    let seenFaults = 0;
    let seenLarge = 0;
    fc.assert(
      fc.property(
        present,
        present,
        frame,
        fc.nat(0x3ff),
        reserved,
        fc.nat(0xffffffff),
        bits,
        (pdeFlags, pteFlags, to, high, odd, linear, [write, user, wp, pse]) => {
          const large = pse && (pdeFlags & PS) !== 0;
          const pde = large ? ((high << 22) | (odd << 13) | pdeFlags) >>> 0 : (TABLE | pdeFlags) >>> 0;
          const pte = ((to << 12) | pteFlags) >>> 0;
          const pdeAt = DIRECTORY + (linear >>> 22) * 4;
          const pteAt = TABLE + ((linear >>> 12) & 0x3ff) * 4;
          m.memory.clear(DIRECTORY, 0x2000);
          m.memory.write32(pdeAt, pde | 0);
          m.memory.write32(pteAt, pte | 0);
          const { cpu } = m;
          cpu.cr3 = DIRECTORY;
          cpu.cr4 = pse ? 0x10 : 0;
          cpu.cr0 = 0x80000011 | (wp ? 0x10000 : 0) | 0;
          cpu.tlb.flush();
          const wanted = walk(pde, pte, linear, write, user, wp, pse);
          const got: Outcome = { physical: -1, code: 0, pde: 0, pte: 0 };
          try {
            got.physical = translate(cpu, linear | 0, write, user) >>> 0;
          } catch (caught) {
            if (!isFault(caught)) throw caught;
            const fault: Fault = caught;
            got.code = fault.errorCode;
            expect(fault.vector).toBe(14);
            expect(fault.address).toBe(linear);
          }
          got.pde = m.memory.read32(pdeAt) >>> 0;
          got.pte = m.memory.read32(pteAt) >>> 0;
          if (wanted.physical < 0) {
            seenFaults++;
            // Whether a walk that ends in a fault has marked entries on its way is the processor's business.
            got.pde &= ~A;
            wanted.pde &= ~A;
          }
          if (large) seenLarge++;
          expect([got.physical, got.code, got.pde >>> 0, got.pte]).toEqual([
            wanted.physical,
            wanted.code,
            wanted.pde >>> 0,
            wanted.pte >>> 0,
          ]);
        },
      ),
      { numRuns: 5000, seed: 0x386 },
    );
    expect(Math.min(seenFaults, seenLarge)).toBeGreaterThan(500);
  });
});
