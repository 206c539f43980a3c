// Address translation against a second model that is written as plainly as the manual's tables, for every combination of
// rights; and the TLB: what it goes on believing, and what ends that.
import { describe, expect, it } from 'vitest';
import { read32, write32 } from './access.ts';
import { type Fault, isFault } from './fault.ts';
import { flushForCr3, peek, translate } from './paging.ts';
import { TestMachine } from './test-machine.ts';

const PD = 0x10000;
const PT = 0x11000;
const LINEAR = 0x00403123;
const PDE = PD + 4;
const PTE = PT + 3 * 4;
const P = 1;
const RW = 2;
const US = 4;
const A = 0x20;
const D = 0x40;
const PS = 0x80;
const G = 0x100;
const WP = 1 << 16;
const PG = 1 << 31;
const DS = 3;

function machine(pde: number, pte: number, wp = false): TestMachine {
  const m = new TestMachine().flat(new Uint8Array());
  m.memory.write32(PDE, PT | pde);
  m.memory.write32(PTE, 0x20000 | pte);
  m.cpu.cr3 = PD;
  m.cpu.cr4 = 0x90;
  m.cpu.cr0 |= PG | (wp ? WP : 0);
  m.cpu.tlb.flush();
  return m;
}

/** The error code of the page fault that `attempt` raises, or -1. */
function faultOf(attempt: () => unknown): number {
  try {
    attempt();
    return -1;
  } catch (caught) {
    if (!isFault(caught)) throw caught;
    const { vector, errorCode } = caught as Fault;
    expect(vector).toBe(14);
    return errorCode;
  }
}

describe('every combination of rights', () => {
  const bits = [0, P, P | RW, P | US, P | RW | US];
  for (const wp of [false, true]) {
    for (const user of [false, true]) {
      for (const write of [false, true]) {
        it(`${user ? 'user' : 'supervisor'} ${write ? 'write' : 'read'}, WP=${wp ? 1 : 0}`, () => {
          for (const pde of bits) {
            for (const pte of bits) {
              const present = (pde & pte & P) !== 0;
              const userPage = (pde & pte & US) !== 0;
              const writable = (pde & pte & RW) !== 0;
              const allowed = present && (!user || userPage) && (!write || writable || (!user && !wp));
              const error = (present ? 1 : 0) + (write ? 2 : 0) + (user ? 4 : 0);
              const m = machine(pde, pte, wp);
              const got = faultOf(() => expect(translate(m.cpu, LINEAR, write, user)).toBe(0x20123));
              expect([pde, pte, got]).toEqual([pde, pte, allowed ? -1 : error]);
              // Accessed and dirty bits: set by the access that went through, by no other.
              expect(m.memory.read32(PDE) & A).toBe(allowed ? A : 0);
              expect(m.memory.read32(PTE) & (A | D)).toBe(allowed ? A | (write ? D : 0) : 0);
            }
          }
        });
      }
    }
  }
});

describe('large pages', () => {
  it('map 4 MiB with one entry, which takes the dirty bit', () => {
    const m = machine(0, 0);
    m.memory.write32(PDE, 0x00000000 | P | RW | PS);
    expect(translate(m.cpu, 0x004abcde, false, false)).toBe(0xabcde);
    expect(m.memory.read32(PDE)).toBe(P | RW | PS | A);
    translate(m.cpu, 0x00400000, true, false);
    expect(m.memory.read32(PDE)).toBe(P | RW | PS | A | D);
  });

  it('are nothing special while CR4.PSE is 0', () => {
    const m = machine(P | RW | PS, P | RW);
    m.cpu.cr4 = 0;
    expect(translate(m.cpu, LINEAR, false, false)).toBe(0x20123);
  });

  it('lose all their fragments to one INVLPG', () => {
    const m = machine(0, 0);
    m.memory.write32(PDE, P | PS);
    for (const linear of [0x400000, 0x41f000, 0x7ff000]) translate(m.cpu, linear, false, false);
    m.memory.write32(PDE, 0);
    m.cpu.tlb.invalidate(0x555555);
    for (const linear of [0x400000, 0x41f000, 0x7ff000]) {
      expect(faultOf(() => translate(m.cpu, linear, false, false))).toBe(0);
    }
  });
});

describe('the TLB', () => {
  it('believes what it has read until INVLPG', () => {
    const m = machine(P | RW, P | RW);
    write32(m.cpu, DS, LINEAR, 111);
    m.memory.write32(PTE, 0x30000 | P | RW);
    m.memory.write32(0x30123, 222);
    expect(read32(m.cpu, DS, LINEAR)).toBe(111);
    expect(peek(m.cpu, LINEAR)).toBe(0x30123);
    m.cpu.tlb.invalidate(0x00403fff);
    expect(read32(m.cpu, DS, LINEAR)).toBe(222);
  });

  it('keeps global pages over a CR3 load, and no others', () => {
    const m = machine(P | RW, P | RW | G);
    m.memory.write32(PT + 4 * 4, 0x21000 | P | RW);
    translate(m.cpu, LINEAR, false, false);
    translate(m.cpu, 0x404000, false, false);
    m.memory.write32(PDE, 0);
    flushForCr3(m.cpu);
    expect(translate(m.cpu, LINEAR, false, false)).toBe(0x20123);
    expect(faultOf(() => translate(m.cpu, 0x404000, false, false))).toBe(0);
    m.cpu.tlb.flush();
    expect(faultOf(() => translate(m.cpu, LINEAR, false, false))).toBe(0);
  });

  it('never remembers that a page was absent', () => {
    const m = machine(P | RW, 0);
    expect(faultOf(() => translate(m.cpu, LINEAR, false, false))).toBe(0);
    m.memory.write32(PTE, 0x20000 | P);
    expect(translate(m.cpu, LINEAR, false, false)).toBe(0x20123);
  });

  it('denies by an old entry once; the fault throws it out', () => {
    const m = machine(P | RW | US, P | US);
    translate(m.cpu, LINEAR, false, true);
    m.memory.write32(PTE, 0x20000 | P | RW | US);
    expect(faultOf(() => translate(m.cpu, LINEAR, true, true))).toBe(7);
    expect(translate(m.cpu, LINEAR, true, true)).toBe(0x20123);
  });

  it('goes to the tables for the first write, to set the dirty bit', () => {
    const m = machine(P | RW, P | RW);
    read32(m.cpu, DS, LINEAR);
    expect(m.memory.read32(PTE) & D).toBe(0);
    write32(m.cpu, DS, LINEAR, 1);
    expect(m.memory.read32(PTE) & D).toBe(D);
  });

  it('follows CR0.WP at once, without being flushed', () => {
    const m = machine(P | RW, P | D);
    write32(m.cpu, DS, LINEAR, 1);
    m.memory.load(0x1000, Uint8Array.of(0x0f, 0x22, 0xc0)); // mov cr0, eax
    m.memory.write32(PD, PT | P | RW);
    m.memory.write32(PT + 4, 0x1000 | P);
    m.cpu.regs[0] = m.cpu.cr0 | WP;
    m.run(1);
    expect(faultOf(() => write32(m.cpu, DS, LINEAR, 2))).toBe(3);
  });

  it('does not mix up pages that share a slot', () => {
    const m = machine(P | RW, P | RW);
    const frames = new Map<number, number>();
    for (let n = 0; n < 1024; n++) m.memory.write32(PT + n * 4, ((n % 200) << 12) | P | RW);
    for (let n = 0; n < 32; n++) m.memory.write32(PD + n * 4, PT | P | RW);
    for (let page = 0; page < 32 * 1024; page += 37) frames.set(page, page & 1023);
    for (const [page, n] of frames) expect(translate(m.cpu, page << 12, false, false)).toBe((n % 200) << 12);
  });

  it('makes rings 1 and 2 supervisors', () => {
    const m = machine(P | RW, P | RW);
    for (const [cpl, error] of [
      [0, -1],
      [1, -1],
      [2, -1],
      [3, 5],
    ]) {
      m.cpu.cpl = cpl;
      expect(faultOf(() => read32(m.cpu, DS, LINEAR))).toBe(error);
    }
  });
});

describe('accesses that cross a page', () => {
  it('are translated whole before the first byte is written', () => {
    const m = machine(P | RW, P | RW);
    m.memory.write32(0x20ffc, 0x11223344);
    expect(faultOf(() => write32(m.cpu, DS, 0x403ffe, -1))).toBe(2);
    expect(m.memory.read32(0x20ffc)).toBe(0x11223344);
  });

  it('read and write the right bytes of two frames', () => {
    const m = machine(P | RW, P | RW);
    m.memory.write32(PT + 4 * 4, 0x50000 | P | RW);
    for (let split = 1; split < 4; split++) {
      const linear = 0x404000 - split;
      write32(m.cpu, DS, linear, 0x0a0b0c0d + split);
      expect(read32(m.cpu, DS, linear)).toBe(0x0a0b0c0d + split);
      expect(m.memory.read8(0x50000 + 3 - split)).toBe(0x0a);
    }
  });
});

describe('the A20 gate', () => {
  it('folds odd megabytes onto even ones, paged or not', () => {
    const m = new TestMachine(4 << 20).flat(new Uint8Array());
    m.memory.write32(0x100500, 1);
    m.memory.write32(0x000500, 2);
    expect(read32(m.cpu, DS, 0x100500)).toBe(1);
    m.cpu.a20Mask = 0xffefffff;
    m.memory.load(0x1000, Uint8Array.of(0x90));
    m.run(1);
    expect(read32(m.cpu, DS, 0x100500)).toBe(2);
  });
});
