// What is remembered of gates and returns must not be told apart from reading everything again: two processors do the
// same, one of them forgets before each step, while descriptors, tables, stacks, page tables and flags change at random.
import { describe, expect, it, vi } from 'vitest';
import { costModel } from '../../cost/processors.ts';
import { isFault } from './fault.ts';
import { setFlags } from './flags.ts';
import { deliverEvent, EventType, softwareInterrupt } from './interrupts.ts';
import { iret } from './iret.ts';
import { TestMachine } from './test-machine.ts';
import { Random } from './vectors/random.ts';

const GDT = 0xa000;
const IDT = 0xb000;
const TSS = 0xc000;
const DIRECTORY = 0x1000;
const TABLE = 0x2000;
const STACKS = [0x20800, 0x30800];
/** Null, code and data of ring 0, code and data of ring 3, conforming code, TSS. */
const DESCRIPTORS = [0, 0xcf9b00, 0xcf9300, 0xcffb00, 0xcff300, 0xcf9f00, 0x8b00];
const CODE_0 = 0x08;
const DATA_0 = 0x10;
const CODE_3 = 0x1b;
const DATA_3 = 0x23;
const PRESENT_WRITABLE_USER = 0x67;

function machine(): TestMachine {
  const m = new TestMachine(1 << 20, costModel('merom')).flat(new Uint8Array(0));
  const { cpu, memory } = m;
  DESCRIPTORS.forEach((high, n) => {
    memory.write32(GDT + n * 8, n === 6 ? (TSS << 16) | 0x67 : 0xffff);
    memory.write32(GDT + n * 8 + 4, high);
  });
  memory.write32(GDT, 0);
  for (let vector = 0; vector < 256; vector++) {
    memory.write32(IDT + vector * 8, (CODE_0 << 16) | (0x4000 + vector));
    memory.write32(IDT + vector * 8 + 4, vector & 1 ? 0xef00 : 0xee00);
  }
  memory.write32(TSS + 4, STACKS[0]);
  memory.write32(TSS + 8, DATA_0);
  memory.write32(DIRECTORY, TABLE | PRESENT_WRITABLE_USER);
  for (let page = 0; page < 256; page++)
    memory.write32(TABLE + page * 4, (page << 12) | PRESENT_WRITABLE_USER);
  Object.assign(cpu.gdtr, { base: GDT, limit: 0x37 });
  Object.assign(cpu.idtr, { base: IDT, limit: 0x7ff });
  Object.assign(cpu.segments[7], { selector: 0x30, base: TSS, limit: 0x67, access: 0x8b });
  cpu.cr3 = DIRECTORY;
  cpu.cr0 |= 0x80000000;
  cpu.tlb.flush();
  m.recorder.hashing = true;
  return m;
}

/** Puts the processor into a ring, as if it had been there. */
function enterRing(m: TestMachine, ring: 0 | 3, esp: number): void {
  const [code, data, access] = ring === 0 ? [CODE_0, DATA_0, 0] : [CODE_3, DATA_3, 0x60];
  m.cpu.segments.slice(0, 6).forEach((s, n) => {
    const isCode = n === 1;
    Object.assign(s, { selector: isCode ? code : data, base: 0, limit: 0xffffffff });
    s.access = (isCode ? 0xc09b : 0xc093) | access;
  });
  m.cpu.cpl = ring;
  m.cpu.regs[4] = esp;
  m.cpu.eip = 0x5000;
  m.cpu.tlb.generation++;
}

type Change = (m: TestMachine) => void;

/** Something that the next step may trip over, mostly undone by the change after it. */
function change(random: Random): Change {
  const word = random.word() >>> 0;
  const pick = <T>(list: readonly T[]): T => list[word % list.length];
  switch (random.below(16)) {
    case 0:
      return (m) =>
        m.memory.write32(
          GDT + 4 + pick([1, 2, 3, 4, 5]) * 8,
          DESCRIPTORS[pick([1, 2, 3, 4, 5])] ^ (1 << (8 + ((word >>> 8) & 15))),
        );
    case 1:
    case 2:
      return (m) => DESCRIPTORS.forEach((high, n) => m.memory.write32(GDT + n * 8 + 4, high));
    case 3:
      return (m) => m.memory.write32(IDT + 0x80 * 8 + 4, 0xee00 ^ (1 << ((word >>> 8) % 16)));
    case 4:
      return (m) => m.memory.write32(IDT + 0x80 * 8 + 4, 0xee00);
    case 5:
      return (m) => m.memory.write32(TSS + 4, pick([STACKS[0], 0x20008, 0x20ffe, 0, 4, 0x7fffffff]));
    case 6:
      return (m) => m.memory.write32(TSS + 8, pick([DATA_0, DATA_0, DATA_3, CODE_0, 0]));
    case 7:
      return (m) => {
        m.memory.write32(TSS + 4, STACKS[0]);
        m.memory.write32(TSS + 8, DATA_0);
      };
    case 8:
      return (m) => m.cpu.tlb.flush();
    case 9:
      return (m) => m.cpu.tlb.invalidate(pick([GDT, IDT, TSS, ...STACKS]));
    case 10:
      // The TLB may go on believing what was there before.
      return (m) =>
        m.memory.write32(
          TABLE + (pick([GDT, IDT, TSS, ...STACKS]) >>> 12) * 4,
          pick([GDT, IDT, TSS, ...STACKS]) | ((word >>> 9) & 0x67),
        );
    case 11:
    case 12:
      return (m) => {
        for (const at of [GDT, IDT, TSS, ...STACKS])
          m.memory.write32(TABLE + (at >>> 12) * 4, at | PRESENT_WRITABLE_USER);
        m.cpu.tlb.flush();
      };
    case 13:
      return (m) => {
        m.cpu.gdtr.limit = pick([0x37, 0x37, 0x1f, 0x0f]);
        m.cpu.idtr.limit = pick([0x7ff, 0x7ff, 0x407, 0x3ff]);
      };
    case 14:
      return (m) => {
        m.cpu.segments[2].limit = pick([0xffffffff, 0x20900, 0x30700]);
        m.cpu.segments[2].base = pick([0, 0, 0x10, 0xffffff00]);
      };
    default:
      return (m) => setFlags(m.cpu, pick([0x202, 0x2, 0x3202, 0x4002, 0x40202, 0x8d7]));
  }
}

/** One transfer; says how it ended. */
function transfer(m: TestMachine, kind: number, words: readonly number[]): unknown {
  const { cpu } = m;
  try {
    switch (kind) {
      case 0:
        softwareInterrupt(cpu, 0x80, EventType.softwareInterrupt);
        return 'int';
      case 1:
        deliverEvent(cpu, 0x21, EventType.external, -1, cpu.eip);
        return 'external';
      case 2:
        deliverEvent(cpu, 14, EventType.exception, words[0] & 7, cpu.eip);
        return 'exception';
      default:
        iret(cpu, true);
        return 'iret';
    }
  } catch (caught) {
    if (!isFault(caught)) throw caught;
    return [caught.vector, caught.errorCode, caught.address];
  }
}

/** What can be seen of a processor, as text. */
function stateOf({ cpu, recorder }: TestMachine): string {
  const { regs, eip, flags, lazyMask, cpl, cr2, cycles, stop, shadow } = cpu;
  const segments = cpu.segments.map(({ selector, base, limit, access }) => [selector, base, limit, access]);
  return `${[...regs, eip, flags, lazyMask, cpl, cr2, cycles, stop, shadow]} ${segments.join()} ${recorder.hash}`;
}

/** Whether memory and the TLB are the same in both. */
function sameMemory(a: TestMachine, b: TestMachine): boolean {
  const { words } = b.cpu.tlb;
  const pages = [DIRECTORY, TABLE, GDT, TSS, ...STACKS].map((at) => at & -0x1000);
  return (
    a.cpu.tlb.words.every((word, n) => word === words[n]) &&
    pages.every((at) =>
      a.memory.bytes.subarray(at, at + 0x1000).every((byte, n) => byte === b.memory.bytes[at + n]),
    )
  );
}

describe('gates and returns that are remembered', () => {
  it('are gone through as if they were read anew, whatever has changed', () => {
    const random = new Random(20061122);
    const knowing = machine();
    const forgetful = machine();
    const pushes = vi.spyOn(knowing.memory, 'put32');
    let quick = 0;
    for (let round = 0; round < 8000; round++) {
      if (random.below(3) === 0) {
        const next = change(random);
        for (const m of [knowing, forgetful]) next(m);
      }
      const ring = random.below(2) === 0 ? 0 : 3;
      const esp = random.below(8) === 0 ? STACKS[1] + random.below(0x1000) : STACKS[1];
      const kind = random.below(4);
      const back = random.below(2) === 0 ? 0 : 3;
      const words = [
        random.below(4) === 0 ? 0x0bad0000 : 0x5100,
        random.below(16) === 0 ? random.word() & 0x3f : back === 0 ? CODE_0 : CODE_3,
        random.below(8) === 0 ? random.word() : 0x202,
        STACKS[1],
        random.below(16) === 0 ? random.word() & 0x3f : DATA_3,
      ];
      const flags = [0x202, 0x2, 0x3246][random.below(3)];
      const ends = [knowing, forgetful].map((m) => {
        enterRing(m, kind === 3 && back === 3 ? 0 : (ring as 0 | 3), esp);
        setFlags(m.cpu, flags);
        if (kind === 3) words.forEach((value, n) => m.memory.write32(esp + n * 4, value));
        if (m === forgetful) {
          m.cpu.known.gates.fill(null);
          m.cpu.known.returns.fill(null);
        }
        const before = m.cpu.attention;
        m.cpu.attention = 0;
        const end = transfer(m, kind, words);
        m.cpu.attention = before;
        m.cpu.stop = 0;
        return end;
      });
      if (String(ends[0]) !== String(ends[1])) expect.fail(`round ${round}: ${ends[0]}, not ${ends[1]}`);
      if (stateOf(knowing) !== stateOf(forgetful))
        expect.fail(`round ${round}: ${stateOf(knowing)}, not ${stateOf(forgetful)}`);
      if (round % 32 === 0 && !sameMemory(knowing, forgetful)) expect.fail(`round ${round}: memory`);
      if (pushes.mock.calls.length > 0) quick++;
      pushes.mockClear();
    }
    // Most of what can be done the quick way is.
    expect(quick).toBeGreaterThan(1500);
  });
});
