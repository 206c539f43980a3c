// Delivery of events: real mode, shadows, NMI, double fault and shutdown, the trace, the way into a monitor and back.
import { describe, expect, it } from 'vitest';
import { Kind } from '../../trace/events.ts';
import { Stop } from './cpu.ts';
import { step } from './execute.ts';
import { isFault } from './fault.ts';
import { deliverEvent, EventType } from './interrupts.ts';
import { returnFromInterrupt } from './iret.ts';
import { hasNasm, nasm, TestMachine } from './test-machine.ts';

const EAX = 0;
const ESP = 4;
const IF = 0x200;
const bytes = (...values: number[]) => Uint8Array.from(values);

describe('real mode', () => {
  it('pushes FLAGS, CS, IP, goes through the vector table, and IRET undoes it', () => {
    const m = new TestMachine().real(bytes(0xcd, 0x21, 0xf4)); // int 21h; hlt
    m.memory.write32(0x21 * 4, 0x00500010);
    m.memory.load(0x510, bytes(0xcf)); // iret
    m.cpu.flags |= IF;
    step(m.cpu);
    expect([m.cpu.segments[1].selector, m.cpu.eip, m.cpu.regs[ESP], m.cpu.flags & IF]).toEqual([
      0x50, 0x10, 0x6ffa, 0,
    ]);
    expect(m.memory.read16(0x6ffa)).toBe(0x7c02);
    expect(m.run()).toBe(Stop.halted);
    expect(m.cpu.flags & IF).toBe(IF);
    expect(m.cpu.regs[ESP]).toBe(0x7000);
  });

  it('with an empty vector table every exception is the last', () => {
    const m = new TestMachine().real(bytes(0x0f, 0x0b)); // ud2
    m.cpu.idtr.limit = 0;
    expect(m.run()).toBe(Stop.shutdown);
  });
});

/** A flat machine with an IDT: vector v leads to C000h + v * 16, all at ring 0. Each handler is HLT. */
function withIdt(code: Uint8Array): TestMachine {
  const m = new TestMachine().flat(code);
  m.memory.write32(0xa008, 0x0000ffff);
  m.memory.write32(0xa00c, 0x00cf9b00);
  m.memory.write32(0xa010, 0x0000ffff);
  m.memory.write32(0xa014, 0x00cf9300);
  m.cpu.gdtr.base = 0xa000;
  m.cpu.gdtr.limit = 0x17;
  m.cpu.idtr.base = 0xb000;
  m.cpu.idtr.limit = 0x7ff;
  for (let vector = 0; vector < 256; vector++) {
    m.memory.write32(0xb000 + vector * 8, (8 << 16) | (0xc000 + vector * 16));
    m.memory.write32(0xb004 + vector * 8, 0x8e00);
  }
  m.memory.bytes.fill(0xf4, 0xc000, 0xd000);
  return m;
}
/** The vector whose handler the processor stands in. */
const handler = (m: TestMachine) => (m.cpu.eip - 0xc000) >> 4;
const present = (m: TestMachine, vector: number, yes: boolean) =>
  m.memory.write32(0xb004 + vector * 8, yes ? 0x8e00 : 0x0e00);

describe('shadows', () => {
  it('STI holds interrupts off for one instruction, and only when IF was 0', () => {
    const m = withIdt(bytes(0xfb, 0x90, 0x90)); // sti; nop; nop
    m.pin.vector = 0x30;
    step(m.cpu);
    expect(m.cpu.shadow).toBe(1);
    step(m.cpu);
    expect(m.cpu.eip).toBe(0x1002);
    step(m.cpu);
    expect(handler(m)).toBe(0x30);
    const again = withIdt(bytes(0xfb, 0x90));
    again.cpu.flags |= IF;
    step(again.cpu);
    expect(again.cpu.shadow).toBe(0);
  });

  it('STI; CLI never opens a window', () => {
    const m = withIdt(bytes(0xfb, 0xfa, 0x90, 0xf4)); // sti; cli; nop; hlt
    m.pin.vector = 0x30;
    expect(m.run()).toBe(Stop.halted);
    expect(m.cpu.eip).toBe(0x1004);
  });

  it('MOV SS holds off interrupts, NMIs and traps for one instruction', () => {
    const m = withIdt(bytes(0x8e, 0xd0, 0x90, 0x90)); // mov ss, ax; nop; nop
    m.cpu.regs[EAX] = 0x10;
    m.cpu.flags |= IF;
    step(m.cpu);
    m.pin.vector = 0x30;
    m.cpu.nmiPending = true;
    step(m.cpu);
    expect(m.cpu.eip).toBe(0x1003);
    step(m.cpu);
    expect(handler(m)).toBe(2);
  });

  it('an exception in the shadow ends it', () => {
    const m = withIdt(bytes(0xfb, 0x0f, 0x0b)); // sti; ud2
    step(m.cpu);
    step(m.cpu);
    expect([handler(m), m.cpu.shadow]).toEqual([6, 0]);
  });
});

describe('halting', () => {
  it('lasts until an interrupt that may come', () => {
    const m = withIdt(bytes(0xf4, 0x90)); // hlt
    expect(m.run()).toBe(Stop.halted);
    m.pin.vector = 0x31;
    expect(m.run()).toBe(Stop.halted);
    expect(m.cpu.eip).toBe(0x1001);
    m.cpu.flags |= IF;
    step(m.cpu);
    expect([handler(m), m.cpu.halted]).toEqual([0x31, false]);
  });

  it('STI; HLT wakes up', () => {
    const m = withIdt(bytes(0xfb, 0xf4));
    m.pin.vector = 0x31;
    m.run();
    expect(handler(m)).toBe(0x31);
  });
});

describe('NMI', () => {
  it('comes with IF=0, and not again before IRET', () => {
    const m = withIdt(bytes(0x90, 0x90));
    m.memory.load(0xc020, bytes(0x90, 0xcf)); // nop; iret
    m.cpu.nmiPending = true;
    step(m.cpu);
    expect(handler(m)).toBe(2);
    m.cpu.nmiPending = true;
    step(m.cpu);
    expect(m.cpu.eip).toBe(0xc021);
    step(m.cpu);
    expect(m.cpu.eip).toBe(0x1000);
    step(m.cpu);
    expect(handler(m)).toBe(2);
  });
});

describe('faults during delivery (SDM vol. 3 table 6-5)', () => {
  // An IDT gate that is not present turns delivery of its vector into #NP(vector * 8 + 2 + EXT), which is contributory.
  const cases: [name: string, first: number, expected: number][] = [
    ['benign, then contributory: the second is delivered', 6, 11],
    ['contributory, then contributory: double fault', 0, 8],
    ['contributory, then contributory: double fault', 13, 8],
    ['page fault, then contributory: double fault', 14, 8],
  ];
  for (const [name, first, expected] of cases) {
    it(`${name} (${first})`, () => {
      const m = withIdt(bytes(0x90));
      present(m, first, false);
      deliverEvent(m.cpu, first, EventType.exception, first === 13 || first === 14 ? 0 : -1, 0x1000);
      expect(handler(m)).toBe(expected);
      expect(m.memory.read32(m.cpu.regs[ESP])).toBe(expected === 8 ? 0 : first * 8 + 3);
    });
  }

  it('an interrupt is benign, and what it meets carries EXT', () => {
    const m = withIdt(bytes(0x90));
    present(m, 0x40, false);
    m.pin.vector = 0x40;
    m.cpu.flags |= IF;
    step(m.cpu);
    expect([handler(m), m.memory.read32(m.cpu.regs[ESP])]).toEqual([11, 0x40 * 8 + 3]);
  });

  it('INT n is not external: no EXT', () => {
    const m = withIdt(bytes(0xcd, 0x40));
    present(m, 0x40, false);
    step(m.cpu);
    expect([handler(m), m.memory.read32(m.cpu.regs[ESP])]).toEqual([11, 0x40 * 8 + 2]);
    expect(m.memory.read32(m.cpu.regs[ESP] + 4)).toBe(0x1000);
  });

  it('a fault while delivering the double fault is shutdown', () => {
    const m = withIdt(bytes(0x0f, 0x0b));
    for (const vector of [6, 11, 8]) present(m, vector, false);
    expect(m.run()).toBe(Stop.shutdown);
    expect(m.cpu.eip).toBe(0x1000);
  });
});

describe('the trace', () => {
  it('has each delivery: vector, error code, rings, cause', () => {
    const m = withIdt(bytes(0x0f, 0x0b));
    m.run();
    const event = m.recorder.get(0)!;
    expect([event.kind, event.eip, event.a, event.b, event.c, event.d, event.e]).toEqual([
      Kind.interrupt,
      0x1000,
      6,
      -1,
      0,
      0,
      0,
    ]);
  });
});

describe('the monitor', () => {
  it('is reached through a gate, and left by IRET through the same hardware', () => {
    const m = withIdt(bytes(0x90, 0xcd, 0x82)); // nop; int 82h
    m.cpu.monitorBase = 0xc000;
    m.cpu.monitorSize = 0x1000;
    expect(m.run()).toBe(Stop.monitor);
    expect(handler(m)).toBe(0x82);
    const esp = m.cpu.regs[ESP];
    expect(m.memory.read32(esp)).toBe(0x1003);
    returnFromInterrupt(m.cpu);
    expect(m.cpu.eip).toBe(0x1003);
    expect(m.cpu.regs[ESP]).toBe(esp + 12);
  });

  it('a bad frame is reported to the caller, and changes nothing', () => {
    const m = withIdt(bytes(0x90));
    m.cpu.regs[ESP] = 0x6000;
    m.memory.write32(0x6004, 0x77);
    let caught: unknown;
    try {
      returnFromInterrupt(m.cpu);
    } catch (error) {
      caught = error;
    }
    expect(isFault(caught) && [caught.vector, caught.errorCode]).toEqual([13, 0x74]);
    expect([m.cpu.eip, m.cpu.regs[ESP]]).toEqual([0x1000, 0x6000]);
  });
});

describe.skipIf(!hasNasm())('conforming code through a call gate', () => {
  it('runs at the caller’s ring, and CS says so (QEMU 7 does not)', () => {
    const m = withIdt(nasm('bits 32\ncall 0x18:0'));
    m.memory.write32(0xa018, (0x20 << 16) | 0x5000);
    m.memory.write32(0xa01c, 0xec00);
    m.memory.write32(0xa020, 0x0000ffff);
    m.memory.write32(0xa024, 0x00cf9e00);
    m.cpu.gdtr.limit = 0x27;
    m.cpu.cpl = 3;
    m.cpu.segments[1].selector = 0x1b;
    step(m.cpu);
    expect([m.cpu.segments[1].selector, m.cpu.cpl, m.cpu.eip]).toEqual([0x23, 3, 0x5000]);
  });
});
