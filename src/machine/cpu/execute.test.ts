// The fetch–execute cycle: code that changes under the processor's feet, instructions at the edges of pages and segments,
// shadows, stops, breakpoints, single steps.
import { describe, expect, it } from 'vitest';
import type { CostModel } from '../../cost/model.ts';
import { Stop } from './cpu.ts';
import { run, step } from './execute.ts';
import { hasNasm, nasm, TestMachine, unitCost } from './test-machine.ts';

const EAX = 0;
const EBX = 3;
const EDI = 7;
const bytes = (...values: number[]) => Uint8Array.from(values);

describe.skipIf(!hasNasm())('self-modifying code', () => {
  it('sees a store into the next instruction', () => {
    const m = new TestMachine().flat(
      nasm(`bits 32
        org 0x1000
        mov ecx, 3
      again:
        mov byte [patch + 1], cl
      patch:
        mov al, 0
        add ebx, eax
        loop again
        hlt`),
    );
    expect(m.run()).toBe(Stop.halted);
    expect(m.cpu.regs[EBX]).toBe(6);
  });

  it('sees what a device or a hypervisor writes between two runs', () => {
    const m = new TestMachine().flat(bytes(0xb0, 1, 0xeb, 0xfc)); // mov al, 1; jmp back
    m.run(10);
    m.memory.load(0x1000, bytes(0xb0, 7));
    m.run(10);
    expect(m.cpu.regs[EAX] & 0xff).toBe(7);
  });

  it('stays right, and fast, when data lies beside the code that changes it', () => {
    const m = new TestMachine().flat(
      nasm(`bits 32
        org 0x1000
        mov ecx, 100000
      again:
        inc dword [counter]
        loop again
        mov eax, [counter]
        hlt
      counter: dd 0`),
    );
    expect(m.run()).toBe(Stop.halted);
    expect(m.cpu.regs[EAX]).toBe(100000);
  });

  it('stays right when code that shares its page with data is itself rewritten', () => {
    // Each turn writes data in the page (which soon makes the processor compare instead of watch) and patches an operand.
    const m = new TestMachine().flat(
      nasm(`bits 32
        org 0x1000
        mov ecx, 200
      again:
        inc dword [counter]
        mov edx, ecx
        and edx, 15
        mov [patch + 2], dl
      patch:
        add ebx, byte 0
        loop again
        hlt
      counter: dd 0`),
    );
    expect(m.run()).toBe(Stop.halted);
    let sum = 0;
    for (let n = 1; n <= 200; n++) sum += n & 15;
    expect(m.cpu.regs[EBX]).toBe(sum);
  });

  it('keeps apart two decodings of the same bytes', () => {
    // Even turns run `mov eax, 90XXB390h`, odd ones enter it in the middle: `mov bl, XX; nop`. XX is patched each time.
    const m = new TestMachine().flat(
      nasm(`bits 32
        org 0x1000
        mov ecx, 100
      again:
        inc dword [counter]
        mov [inner + 3], cl
        test ecx, 1
        jz inner
        jmp inner + 2
      inner:
        db 0xb8, 0x90, 0xb3, 0, 0x90
        shr eax, 16
        movzx edx, al
        add edi, edx
        movzx edx, bl
        add edi, edx
        xor eax, eax
        xor ebx, ebx
        loop again
        hlt
      counter: dd 0`),
    );
    expect(m.run()).toBe(Stop.halted);
    expect(m.cpu.regs[EDI]).toBe(5050);
  });
});

describe('the edges of pages and segments', () => {
  it('an instruction may begin in one page and end in another', () => {
    const m = new TestMachine().flat(bytes());
    m.memory.load(0x1ffe, bytes(0xb8, 0x78, 0x56, 0x34, 0x12, 0xf4)); // mov eax, 12345678h; hlt
    m.cpu.eip = 0x1ffe;
    m.run();
    expect(m.cpu.regs[EAX]).toBe(0x12345678);
    // Its second half changes: seen too.
    m.memory.write8(0x2000, 0xaa);
    m.cpu.eip = 0x1ffe;
    m.cpu.halted = false;
    m.run();
    expect(m.cpu.regs[EAX]).toBe(0x1234aa78);
  });

  it('an instruction that ends beyond the limit of CS is #GP(0), one that ends at it is not', () => {
    for (const [limit, vector] of [
      [0x1004, -1],
      [0x1003, 13],
    ]) {
      const m = new TestMachine().flat(bytes(0xb8, 1, 0, 0, 0));
      m.memory.load(0x3000, bytes(0));
      m.cpu.segments[1].limit = limit;
      const seen: number[] = [];
      m.cpu.idtr.limit = 0; // no delivery possible: the exception ends in shutdown
      const stop = step(m.cpu);
      seen.push(stop === Stop.shutdown ? 13 : -1);
      expect(seen).toEqual([vector]);
    }
  });

  it('an instruction decoded under a wide limit is held against a narrow one', () => {
    const m = new TestMachine().flat(bytes(0xb8, 1, 0, 0, 0));
    m.cpu.idtr.limit = 0;
    expect(step(m.cpu)).toBe(Stop.none);
    m.cpu.eip = 0x1000;
    m.cpu.segments[1].limit = 0x1002;
    expect(step(m.cpu)).toBe(Stop.shutdown);
  });

  it('where there is no memory there is no instruction', () => {
    const m = new TestMachine().flat(bytes());
    m.cpu.eip = 0x7000_0000;
    m.cpu.idtr.limit = 0;
    expect(m.run(10)).toBe(Stop.shutdown);
  });
});

describe('stops', () => {
  it('`until` ends a run at the first boundary at or behind it', () => {
    const m = new TestMachine().flat(bytes(0x90, 0xeb, 0xfd)); // nop; jmp back
    expect(run(m.cpu, 100)).toBe(Stop.budget);
    expect(m.cpu.cycles).toBe(100);
    expect(m.cpu.instructions).toBe(100);
    expect(run(m.cpu, 101)).toBe(Stop.budget);
    expect(m.cpu.cycles).toBe(101);
  });

  it('comes back to the board when a port access has brought a deadline nearer, and goes on when not', () => {
    const m = new TestMachine().flat(bytes(0xe6, 0x80, 0x90, 0xe6, 0x81, 0x90, 0xf4)); // out 80h, al; nop; out 81h, al; nop; hlt
    m.bus.write = (port) => {
      if (port === 0x81) m.cpu.stop = Stop.budget;
    };
    expect(run(m.cpu, 1000)).toBe(Stop.budget);
    expect(m.cpu.instructions).toBe(3);
    expect(run(m.cpu, 1000)).toBe(Stop.halted);
  });

  it('comes back from an endless loop within about a million cycles', () => {
    const m = new TestMachine().flat(bytes(0xeb, 0xfe));
    expect(run(m.cpu, Infinity)).toBe(Stop.budget);
    expect(m.cpu.cycles).toBeLessThan(2 ** 21);
  });

  it('a session breakpoint stops before its instruction, every time it is reached', () => {
    const m = new TestMachine().flat(bytes(0x40, 0x40, 0xeb, 0xfc)); // inc eax; inc eax; jmp back
    m.cpu.breakpoints.add(0x1001);
    for (let turn = 0; turn < 3; turn++) {
      expect(m.run()).toBe(Stop.breakpoint);
      expect(m.cpu.eip).toBe(0x1001);
      expect(m.cpu.regs[EAX]).toBe(1 + turn * 2);
    }
  });

  it('a slice that ends right before a breakpoint does not hide it', () => {
    const m = new TestMachine().flat(bytes(0x40, 0x40, 0xeb, 0xfc));
    m.cpu.breakpoints.add(0x1001);
    expect(run(m.cpu, 1)).toBe(Stop.budget);
    expect(run(m.cpu, 100)).toBe(Stop.breakpoint);
  });

  it('`step` runs one instruction, or delivers one interrupt', () => {
    const m = new TestMachine().real(bytes(0x40, 0xfb, 0x40, 0x40)); // inc ax; sti; inc ax; inc ax
    m.memory.write32(0x20 * 4, 0x0600);
    m.pin.vector = 0x20;
    const trail: number[] = [];
    for (let n = 0; n < 5; n++) {
      step(m.cpu);
      trail.push(m.cpu.eip);
    }
    // The interrupt waits for the instruction behind STI.
    expect(trail).toEqual([0x7c01, 0x7c02, 0x7c03, 0x0600, 0x0602]);
  });
});

describe.skipIf(!hasNasm())('virtual time', () => {
  /** Touches 3000 pages again and again, from code in two pages, under paging; every reference of a walk costs 7 cycles. */
  function paged(): TestMachine {
    const cost = {
      ...unitCost,
      charges: { ...unitCost.charges, pageWalkReference: { cycles: 7, mark: 'D', source: 'test' } },
    } as CostModel;
    const m = new TestMachine(16 << 20, cost).flat(
      nasm(`bits 32
        org 0x1000
        mov ecx, 20000
      again:
        add esi, 0x1234
        and esi, 0x7fffff
        mov eax, [esi + 0x100000]
        call far_away
        loop again
        hlt
        times 0x1800 nop
      far_away:
        add ebx, eax
        ret`),
    );
    for (let n = 0; n < 4096; n++) m.memory.write32(0x20000 + n * 4, (n << 12) | 7);
    for (let n = 0; n < 4; n++) m.memory.write32(0x10000 + n * 4, (0x20000 + n * 4096) | 7);
    m.cpu.cr3 = 0x10000;
    m.cpu.cr0 |= 0x80000000;
    m.cpu.tlb.flush();
    return m;
  }

  it('does not depend on how a run is cut into slices', () => {
    const whole = paged();
    expect(whole.run(10_000_000)).toBe(Stop.halted);
    expect(whole.cpu.cycles).toBeGreaterThan(2 * whole.cpu.instructions);
    for (const slice of [1, 3, 1000]) {
      const sliced = paged();
      while (!sliced.cpu.halted) run(sliced.cpu, sliced.cpu.cycles + slice);
      expect([slice, sliced.cpu.cycles, sliced.cpu.instructions]).toEqual([
        slice,
        whole.cpu.cycles,
        whole.cpu.instructions,
      ]);
    }
    const stepped = paged();
    while (!stepped.cpu.halted) step(stepped.cpu);
    expect(stepped.cpu.cycles).toBe(whole.cpu.cycles);
  });
});
