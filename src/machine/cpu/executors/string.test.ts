// REP: batches, restart after faults, and the block path, which must not be told apart from the element-wise one.

import { describe, expect, it } from 'vitest';
import { ECX, EDI, ESI } from '../../isa/instruction.ts';
import { readLinear8, writeLinear8 } from '../access.ts';
import type { Cpu } from '../cpu.ts';
import { isFault } from '../fault.ts';
import { CF, DF, getFlags, setFlags, TF, ZF } from '../flags.ts';
import { TestMachine } from '../test-machine.ts';
import { bindBytes } from '../vectors/machine.ts';
import { Random } from '../vectors/random.ts';

const REP_MOVSB = [0xf3, 0xa4];
const REP_MOVSW = [0x66, 0xf3, 0xa5];
const REP_MOVSD = [0xf3, 0xa5];
const REP_STOSB = [0xf3, 0xaa];
const REP_STOSW = [0x66, 0xf3, 0xab];
const REP_STOSD = [0xf3, 0xab];
const REPNE_SCASB = [0xf2, 0xae];
const REPE_CMPSD = [0xf3, 0xa7];
const START = 0x1000;

/** One execution, as execute.ts would: a batch. @returns true when the instruction is through */
function batch(machine: TestMachine, bytes: number[]): boolean {
  const { cpu } = machine;
  const i = bindBytes(bytes, 32);
  cpu.instructionStart = START;
  cpu.eip = START + i.length;
  i.execute!(cpu as never, i);
  return cpu.eip !== START;
}

function flat(): TestMachine {
  const machine = new TestMachine().flat(new Uint8Array(0));
  const random = new Random(7);
  for (let at = 0x10000; at < 0x40000; at++) machine.memory.bytes[at] = random.word();
  return machine;
}

describe('REP', () => {
  it('does nothing when the count is zero', () => {
    const machine = flat();
    machine.cpu.regs.set([0, 0]);
    expect(batch(machine, REP_MOVSD)).toBe(true);
    expect(machine.cpu.cycles).toBe(0);
  });

  it('comes back after a bounded batch, with registers that say how far it got', () => {
    const machine = flat();
    const { cpu } = machine;
    setFlags(cpu, DF);
    cpu.regs[ECX] = 100_000;
    cpu.regs[ESI] = 0x30000;
    cpu.regs[EDI] = 0x80000;
    expect(batch(machine, [0xf3, 0xac])).toBe(false);
    const done = 100_000 - cpu.regs[ECX];
    expect(done).toBeGreaterThan(1);
    expect(done).toBeLessThan(5000);
    expect(cpu.regs[ESI]).toBe(0x30000 - done);
    expect(cpu.cycles).toBe(done - 1);
  });

  it('does one element at a time while single-stepping', () => {
    const machine = flat();
    setFlags(machine.cpu, TF);
    machine.cpu.regs[ECX] = 10;
    machine.cpu.regs[ESI] = 0x10000;
    machine.cpu.regs[EDI] = 0x20000;
    expect(batch(machine, REP_MOVSD)).toBe(false);
    expect(machine.cpu.regs[ECX]).toBe(9);
  });

  it('counts in CX, and wraps SI and DI, with 16-bit addresses', () => {
    const machine = flat();
    const { cpu } = machine;
    cpu.regs[ECX] = 0x70000 | 0x40;
    cpu.regs[ESI] = 0x50000 | 0xffe0;
    cpu.regs[EDI] = 0x60000 | 0x8000;
    const wanted = [
      ...machine.memory.bytes.subarray(0xffe0, 0x10000),
      ...machine.memory.bytes.subarray(0, 0x20),
    ];
    while (!batch(machine, [0x67, ...REP_MOVSB]));
    expect([...machine.memory.bytes.subarray(0x8000, 0x8040)]).toEqual(wanted);
    expect(cpu.regs[ECX]).toBe(0x70000);
    expect(cpu.regs[ESI]).toBe(0x50020);
    expect(cpu.regs[EDI]).toBe(0x68040);
  });

  it('REPNE SCASB finds the end of a string; REPE CMPSD stops at the first difference', () => {
    const machine = flat();
    const { cpu } = machine;
    machine.memory.bytes.fill(0x41, 0x50000, 0x51000);
    machine.memory.bytes[0x50800] = 0;
    cpu.regs.set([0, -1]);
    cpu.regs[EDI] = 0x50000;
    while (!batch(machine, REPNE_SCASB));
    expect(cpu.regs[EDI]).toBe(0x50801);
    expect(~cpu.regs[ECX]).toBe(0x801);
    expect(getFlags(cpu) & ZF).toBe(ZF);

    machine.memory.bytes.copyWithin(0x60000, 0x10000, 0x11000);
    machine.memory.bytes[0x60404] = 0;
    machine.memory.bytes[0x10404] = 1;
    cpu.regs[ECX] = 0x400;
    cpu.regs[ESI] = 0x60000;
    cpu.regs[EDI] = 0x10000;
    while (!batch(machine, REPE_CMPSD));
    expect(cpu.regs[ESI]).toBe(0x60408);
    expect(cpu.regs[ECX]).toBe(0x400 - 0x102);
    expect(getFlags(cpu) & (ZF | CF)).toBe(CF);
  });
});

describe('the block path', () => {
  /** The same by the book: element after element, on a copy of memory. */
  function byElement(
    memory: Uint8Array,
    bytes: number[],
    ecx: number,
    esi: number,
    edi: number,
    eax: number,
  ): Uint8Array {
    const copy = memory.slice();
    const opcode = bytes[bytes.length - 1];
    const size = opcode & 1 ? (bytes[0] === 0x66 ? 2 : 4) : 1;
    for (; ecx > 0; ecx--, esi += size, edi += size) {
      for (let k = 0; k < size; k++)
        copy[edi + k] = opcode < 0xa8 ? memoryBefore(copy, esi, k) : eax >>> (8 * k);
    }
    return copy;
  }

  // Within one element the source is read whole before the destination is written; these tests overlap by whole elements.
  const memoryBefore = (copy: Uint8Array, esi: number, k: number) => copy[esi + k];

  const random = new Random(99);
  const forms = { REP_MOVSB, REP_MOVSW, REP_MOVSD, REP_STOSB, REP_STOSW, REP_STOSD };
  for (const [name, bytes] of Object.entries(forms)) {
    it(`${name} leaves what element by element leaves, at any alignment and overlap`, () => {
      for (let n = 0; n < 60; n++) {
        const machine = flat();
        const { cpu, memory } = machine;
        const size = name.endsWith('B') ? 1 : name.endsWith('W') ? 2 : 4;
        const ecx = random.below(6000);
        const esi = 0x12000 + random.below(4096);
        const overlap = size * (random.below(64) - 32);
        const edi = random.oneIn(2) ? 0x28000 + random.below(4096) : esi + overlap;
        const eax = random.word();
        const wanted = byElement(memory.bytes, bytes, ecx, esi, edi, eax);
        cpu.regs.set([eax, ecx]);
        cpu.regs[ESI] = esi;
        cpu.regs[EDI] = edi;
        while (!batch(machine, bytes));
        expect(Buffer.compare(memory.bytes, wanted)).toBe(0);
        expect(cpu.regs[ECX]).toBe(0);
        expect(cpu.regs[EDI]).toBe(edi + ecx * size);
        expect(cpu.regs[ESI]).toBe(name.includes('MOVS') ? esi + ecx * size : esi);
      }
    });
  }

  it('tells that code was overwritten', () => {
    const machine = flat();
    const { cpu, memory } = machine;
    memory.hasCode[0x50] = 1;
    const before = memory.codeVersion[0x50];
    cpu.regs.set([0x90909090, 0x100]);
    cpu.regs[EDI] = 0x50000;
    while (!batch(machine, REP_STOSD));
    expect(memory.codeVersion[0x50]).toBeGreaterThan(before);
  });

  it('stops at a page that is not there, and goes on when it is', () => {
    const machine = flat();
    const { cpu, memory } = machine;
    // Identity map of the first 4 MiB, without page 21h.
    for (let page = 0; page < 1024; page++) memory.write32(0xe0000 + page * 4, (page << 12) | 3);
    memory.write32(0xe0000 + 0x21 * 4, 0);
    memory.write32(0xdf000, 0xe0003);
    cpu.cr3 = 0xdf000;
    cpu.cr0 |= 0x80000000;
    const source = memory.bytes.slice(0x12000, 0x14000);
    cpu.regs[ECX] = 0x800;
    cpu.regs[ESI] = 0x12000;
    cpu.regs[EDI] = 0x20002;
    let thrown: unknown;
    try {
      while (!batch(machine, REP_MOVSD));
    } catch (caught) {
      thrown = caught;
    }
    expect(isFault(thrown)).toBe(true);
    // The element that lies on both pages was not written in part.
    expect(cpu.regs[EDI]).toBe(0x20ffe);
    expect(cpu.regs[ESI]).toBe(0x12ffc);
    expect(cpu.regs[ECX]).toBe(0x800 - 0x3ff);
    expect(cpu.eip).toBe(START);
    memory.write32(0xe0000 + 0x21 * 4, 0x21003);
    cpu.tlb.flush();
    while (!batch(machine, REP_MOVSD));
    expect(Buffer.compare(memory.bytes.subarray(0x20002, 0x22002), source)).toBe(0);
  });
});

describe('REP MOVS of several pages', () => {
  const PAGES = 9;

  /** All pages have their tags in the TLB: the first access makes an entry, the second one a tag. */
  function warm(cpu: Cpu): void {
    // The first instruction of a page would take all tags away.
    cpu.memory.markCode(START, 1);
    for (let n = 0; n < 2 * PAGES; n++) {
      const page = (n % PAGES) * 0x1000;
      readLinear8(cpu, cpu.regs[ESI] + page, false);
      const to = cpu.regs[EDI] + page + 0x800;
      writeLinear8(cpu, to, readLinear8(cpu, to, false), false);
    }
  }

  /** The whole of it, with so many cycles a run; where `moves` says so, pages are not one behind the other in memory. */
  function copied(
    cycles: number,
    bytes: number[],
    count: number,
    scattered: boolean,
    overlap: boolean,
    prepare: (machine: TestMachine) => void = () => {},
    stops: number[] = [],
  ): unknown {
    const machine = new TestMachine(1 << 20).flat(Uint8Array.from([...bytes, 0xf4]), START);
    const { cpu, memory } = machine;
    const random = new Random(11);
    for (let at = 0x10000; at < 0x60000; at++) memory.bytes[at] = random.word();
    memory.write32(0x2000, 0x3007);
    for (let page = 0; page < 256; page++) {
      const turned = (page >= 0x10 && page < 0x1c) || (page >= 0x46 && page < 0x4a);
      const swapped = scattered && turned ? page ^ (page < 0x40 ? 2 : 1) : page;
      memory.write32(0x3000 + page * 4, (swapped << 12) | 7);
    }
    cpu.cr3 = 0x2000;
    cpu.cr0 |= 0x80000000;
    cpu.tlb.flush();
    cpu.regs[ESI] = 0x10000;
    cpu.regs[EDI] = overlap ? 0x12000 : 0x40000;
    cpu.regs[ECX] = count;
    prepare(machine);
    for (let turns = 0; turns < 20_000 && !cpu.halted; turns++) {
      machine.run(cycles);
      stops.push(cpu.cycles);
    }
    return [
      ...cpu.regs,
      cpu.eip,
      cpu.cycles,
      cpu.instructions,
      hash(memory.bytes.subarray(0x10000, 0x60000)),
      memory.touched,
    ];
  }
  const hash = (data: Uint8Array) => data.reduce((h, byte) => Math.imul(h ^ byte, 0x01000193), 0x811c9dc5);

  for (const [name, bytes, size] of [
    ['bytes', REP_MOVSB, 1],
    ['words', REP_MOVSW, 2],
    ['doublewords', REP_MOVSD, 4],
  ] as const) {
    for (const scattered of [false, true]) {
      for (const overlap of [false, true]) {
        it(`of ${name}${scattered ? ', scattered' : ''}${overlap ? ', overlapping' : ''}, is the same in one run and in many`, () => {
          const count = (PAGES * 0x1000 - 24) / size;
          const whole = copied(1_000_000, [...bytes], count, scattered, overlap);
          const warmed = ({ cpu }: TestMachine) => warm(cpu);
          const pieces = copied(1_000_000, [...bytes], count, scattered, overlap, warmed);
          expect(copied(100, [...bytes], count, scattered, overlap, warmed)).toEqual(pieces);
          // Runs shorter than a batch: each batch ends one.
          expect(copied(100, [...bytes], count, scattered, overlap)).toEqual(whole);
          expect(copied(2500, [...bytes], count, scattered, overlap)).toEqual(whole);
        });
      }
    }
  }

  const sameInMany = (prepare: (machine: TestMachine) => void) => {
    const whole = copied(1_000_000, [...REP_MOVSD], PAGES * 0x400, false, false, prepare);
    for (const cycles of [100, 1500, 2500, 5000])
      expect(copied(cycles, [...REP_MOVSD], PAGES * 0x400, false, false, prepare)).toEqual(whole);
  };

  it('ends a run with the first batch behind its time', () => {
    const stopsOf = (cycles: number) => {
      const stops: number[] = [];
      copied(cycles, [...REP_MOVSD], PAGES * 0x400, false, false, () => {}, stops);
      return stops;
    };
    const ends = stopsOf(1);
    for (let n = 0; n < 60; n++) {
      const cycles = (n & 1 ? 1020 : 2040) + n;
      let before = 0;
      for (const stop of stopsOf(cycles)) {
        expect(stop).toBe(ends.find((end) => end >= before + cycles) ?? ends.at(-1));
        before = stop;
      }
    }
  });

  it('goes on by the page table that it has just copied', () => {
    // The table lies in the third page that is written to, and what comes there leads the fourth one elsewhere.
    sameInMany(({ memory, cpu }) => {
      for (const [table, fourth] of [
        [0x42000, 0x43],
        [0x12000, 0x53],
      ])
        for (let page = 0; page < 256; page++)
          memory.write32(table + page * 4, ((page === 0x43 ? fourth : page) << 12) | 0x67);
      memory.write32(0x2000, 0x42007);
      cpu.tlb.flush();
    });
  });

  it('ends a run at a page with code', () => {
    for (const code of [0x40, 0x41, 0x48])
      sameInMany(({ memory, cpu }) => {
        memory.markCode((code << 12) + 8, 4);
        // Nothing else ends it.
        warm(cpu);
      });
  });

  it('is cut where the second of two pages is a device’s or nobody’s', () => {
    for (const from of [true, false])
      sameInMany(({ memory, cpu }) => {
        memory.write32(0x3000 + (from ? 0x14 : 0x44) * 4, 0x00200007);
        cpu.tlb.flush();
      });
  });
});
