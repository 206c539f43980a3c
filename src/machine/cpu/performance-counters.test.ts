// The performance counters: what they count, who may read them, how they are written; and both engines count alike.
import { beforeAll, describe, expect, it } from 'vitest';
import { Recorder } from '../../trace/recorder.ts';
import { Processors } from '../multiprocessor.ts';
import { Pc } from '../pc.ts';
import { Stop } from './cpu.ts';
import { isFault, VECTOR } from './fault.ts';
import { readMsr, writeMsr } from './msrs.ts';
import { PERF } from './performance-counters.ts';
import './provide-performance-counters.ts';
import { reset } from './reset.ts';
import { hasNasm, nasm, TestMachine, unitCost } from './test-machine.ts';

const INSTRUCTIONS = 0xc0n;
const CLOCKS = 0x79n;
const ANY_RING = 0x30000n;
const ENABLE = 0x400000n;
const INVERT = 0x800000n;
const atLeast = (n: number) => BigInt(n) << 24n;

/** A machine whose counters 0 and 1 have these selections. */
function counting(first: bigint, second = 0n): TestMachine {
  const m = new TestMachine();
  writeMsr(m.cpu, PERF.select + 1, second);
  writeMsr(m.cpu, PERF.select, first);
  return m;
}

/** Time passes in which instructions are run. */
function pass(m: TestMachine, cycles: number, instructions: number): void {
  m.cpu.cycles += cycles;
  m.cpu.instructions += instructions;
}

const both = ({ cpu }: TestMachine) => [readMsr(cpu, PERF.counter), readMsr(cpu, PERF.counter + 1)];

describe('the selection', () => {
  it('EN of PerfEvtSel0 lets both counters count; that of PerfEvtSel1 means nothing', () => {
    const m = counting(ANY_RING | INSTRUCTIONS, ENABLE | ANY_RING | CLOCKS);
    pass(m, 100, 40);
    expect(both(m)).toEqual([0n, 0n]);
    writeMsr(m.cpu, PERF.select, ENABLE | ANY_RING | INSTRUCTIONS);
    pass(m, 100, 40);
    expect(both(m)).toEqual([40n, 100n]);
    writeMsr(m.cpu, PERF.select, ANY_RING | INSTRUCTIONS);
    pass(m, 100, 40);
    expect(both(m)).toEqual([40n, 100n]);
  });

  it('changes in the middle: what was counted stays', () => {
    const m = counting(ENABLE | ANY_RING | INSTRUCTIONS);
    pass(m, 100, 40);
    writeMsr(m.cpu, PERF.select, ENABLE | ANY_RING | CLOCKS);
    pass(m, 7, 5);
    expect(both(m)).toEqual([47n, 0n]);
  });

  it.each([
    ['neither USR nor OS', ENABLE | INSTRUCTIONS, 0n],
    ['USR', ENABLE | 0x10000n | INSTRUCTIONS, 40n],
    ['an event that is not counted here', ENABLE | ANY_RING | 0x24n, 0n],
    ['cycles with at least one', ENABLE | ANY_RING | INSTRUCTIONS | atLeast(1), 40n],
    ['cycles with none', ENABLE | ANY_RING | INSTRUCTIONS | atLeast(1) | INVERT, 60n],
    ['cycles with two or more', ENABLE | ANY_RING | INSTRUCTIONS | atLeast(2), 0n],
    ['cycles with less than sixteen', ENABLE | ANY_RING | INSTRUCTIONS | atLeast(16) | INVERT, 100n],
    ['INV without a mask', ENABLE | ANY_RING | INSTRUCTIONS | INVERT, 40n],
    ['transitions', ENABLE | ANY_RING | INSTRUCTIONS | 0x40000n, 0n],
  ])('%s', (_, select, expected) => {
    const m = counting(select);
    pass(m, 100, 40);
    expect(both(m)[0]).toBe(expected);
  });

  it('does not take reserved bits', () => {
    const { cpu } = new TestMachine();
    for (const value of [1n << 21n, 1n << 32n]) {
      try {
        writeMsr(cpu, PERF.select + 1, value);
        expect.fail('accepted');
      } catch (thrown) {
        expect(isFault(thrown) && thrown.vector).toBe(VECTOR.GP);
      }
    }
  });
});

describe('the counters', () => {
  it('are 40 bits wide and are written with a copy of bit 31 above', () => {
    const m = counting(ENABLE | ANY_RING | INSTRUCTIONS);
    writeMsr(m.cpu, PERF.counter, 0x12_8000_0000n);
    expect(both(m)[0]).toBe(0xff_8000_0000n);
    pass(m, 1, 1);
    expect(both(m)[0]).toBe(0xff_8000_0001n);
    writeMsr(m.cpu, PERF.counter, 0xffff_ffffn);
    pass(m, 3, 3);
    expect(both(m)[0]).toBe(2n);
  });

  it('clocks stand still while the processor is halted', () => {
    const m = counting(ENABLE | ANY_RING | CLOCKS);
    m.flat(new Uint8Array([0x90, 0xf4]));
    expect(m.run()).toBe(Stop.halted);
    const processors = new Processors(() => {});
    processors.add(m.cpu);
    processors.idleUntil(5000);
    expect([m.cpu.cycles, both(m)[0]]).toEqual([5000, 2n]);
  });

  it('are back at 0 after a reset, and stopped', () => {
    const m = counting(ENABLE | ANY_RING | CLOCKS);
    pass(m, 9, 9);
    reset(m.cpu);
    pass(m, 9, 9);
    expect(both(m)).toEqual([0n, 0n]);
  });
});

describe('the interrupt at overflow', () => {
  const LVT = 0xfee00340;
  const NMI = 0x400;
  const INTERRUPT = 0x100000n;

  /** A board with an APIC, whose processor jumps to itself and holds NMIs off. */
  function board(lvt: number): Pc {
    const pc = new Pc(unitCost, new Recorder(16), 1 << 20, { startDate: '2005-08-23T09:00:00', apic: true });
    const { cpu, memory } = pc;
    memory.write16(0x1000, 0xfeeb);
    cpu.segments[1].selector = cpu.segments[1].base = 0;
    cpu.eip = 0x1000;
    cpu.nmiBlocked = true;
    memory.map.write(LVT, lvt, 4);
    return pc;
  }
  const start = ({ cpu }: Pc, event: bigint, left: number) => {
    writeMsr(cpu, PERF.counter, BigInt(-left));
    writeMsr(cpu, PERF.select, ENABLE | ANY_RING | INTERRUPT | event);
  };

  it('comes with the cycle at which clocks overflow, once', () => {
    const pc = board(NMI);
    start(pc, CLOCKS, 5000);
    const { cpu } = pc;
    const begin = cpu.cycles;
    pc.run(begin + 4999);
    expect(cpu.nmiPending).toBe(false);
    pc.run(begin + 5001);
    expect(cpu.nmiPending).toBe(true);
    cpu.nmiPending = false;
    pc.run(begin + 20_000);
    expect(cpu.nmiPending).toBe(false);
  });

  it('comes soon after instructions overflow', () => {
    const pc = board(NMI);
    start(pc, INSTRUCTIONS, 5000);
    pc.run(pc.cpu.cycles + 4999);
    expect(pc.cpu.nmiPending).toBe(false);
    pc.run(pc.cpu.cycles + 300);
    expect(pc.cpu.nmiPending).toBe(true);
  });

  it.each([
    ['the local vector is masked', NMI | 0x10000, CLOCKS],
    ['the event never happens', NMI, 0x24n],
  ])('does not come when %s', (_, lvt, event) => {
    const pc = board(lvt);
    start(pc, event, 100);
    pc.run(pc.cpu.cycles + 5000);
    expect(pc.cpu.nmiPending).toBe(false);
  });

  it('does not come without INT, nor after a reset', () => {
    const pc = board(NMI);
    start(pc, CLOCKS, 1000);
    writeMsr(pc.cpu, PERF.select, ENABLE | ANY_RING | CLOCKS);
    pc.run(pc.cpu.cycles + 2000);
    expect(pc.cpu.nmiPending).toBe(false);
    start(pc, CLOCKS, 1000);
    reset(pc.cpu);
    pc.cpu.halted = true;
    pc.passTime(pc.cpu.cycles + 5000);
    expect(pc.cpu.nmiPending).toBe(false);
  });
});

describe.skipIf(!hasNasm())('RDPMC', () => {
  let loop: Uint8Array;
  let read: Uint8Array;
  beforeAll(() => {
    loop = nasm(`bits 32
      org 0x1000
      xor edx, edx
      mov ecx, 0x187
      mov eax, 0x430079
      wrmsr
      dec ecx
      mov eax, 0x4300c0
      wrmsr               ; from here on, itself included
      mov ebx, 200000
    .loop:
      add esi, ebx
      dec ebx
      jnz .loop
      xor ecx, ecx
      rdpmc               ; does not count itself
      mov edi, eax
      mov ebp, edx
      inc ecx
      rdpmc
      hlt`);
    read = nasm('bits 32\nrdpmc\nhlt');
  });

  it.each([
    ['interpreted', false],
    ['compiled', true],
  ])('counts instructions and clocks exactly, %s', async (_, compiled) => {
    if (compiled) await import('../engine/provide.ts');
    const m = new TestMachine().flat(loop);
    m.cpu.compiledAllowed = compiled;
    expect(m.run(10_000_000)).toBe(Stop.halted);
    const { regs } = m.cpu;
    expect([regs[7], regs[5], regs[0], regs[2]]).toEqual([600_003, 0, 600_007, 0]);
  });

  it.each([
    ['ring 0', 0, 0, 0, []],
    ['ring 3 with CR4.PCE', 3, 0x100, 1, []],
    ['ring 3 without', 3, 0, 0, [VECTOR.GP, 0]],
    ['a counter that is not there', 0, 0, 2, [VECTOR.GP, 0]],
    ['the fast reads of later processors', 0, 0, 0x80000000 | 0, [VECTOR.GP, 0]],
  ])('%s', (_, ring, cr4, index, fault) => {
    const m = new TestMachine().flat(read);
    const { cpu } = m;
    cpu.cpl = ring;
    for (const s of cpu.segments.slice(0, 6)) s.access |= ring << 5;
    cpu.cr4 = cr4;
    cpu.regs[1] = index;
    cpu.regs[0] = cpu.regs[2] = -1;
    m.run();
    if (fault.length) expect(cpu.faultChain.slice(0, 2)).toEqual(fault);
    else expect([cpu.regs[0], cpu.regs[2]]).toEqual([0, 0]);
  });
});
