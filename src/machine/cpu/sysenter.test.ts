// SYSENTER and SYSEXIT (SDM vol. 2B): flat segments whatever the tables say, nothing saved, IF and VM cleared, and when they are
// refused. The way through both is also in fixtures/system/control-registers.inc, with QEMU as the oracle.
import { describe, expect, it } from 'vitest';
import { step } from './execute.ts';
import { sysenter } from './far-transfers.ts';
import { isFault } from './fault.ts';
import { getFlags, setFlags } from './flags.ts';
import { MSR } from './msrs.ts';
import { TestMachine } from './test-machine.ts';

const CS = 1,
  SS = 2;
const [SYSENTER, SYSEXIT] = [Uint8Array.of(0x0f, 0x34), Uint8Array.of(0x0f, 0x35)];
const HANDLER_OF_13 = 0x6000;

function machine(code: Uint8Array, selector = 0x20n): TestMachine {
  const m = new TestMachine().flat(code);
  m.cpu.msrs.set(MSR.sysenterCs, selector);
  m.cpu.msrs.set(MSR.sysenterEsp, 0xdead0000n);
  m.cpu.msrs.set(MSR.sysenterEip, 0x00123456n);
  // #GP through a 32-bit gate to a code segment of ring 0; the stack for it from a TSS.
  m.memory.write32(0x508, 0x0000ffff);
  m.memory.write32(0x50c, 0x00cf9b00);
  m.memory.write32(0x510, 0x0000ffff);
  m.memory.write32(0x514, 0x00cf9300);
  m.memory.write32(0x600 + 13 * 8, (8 << 16) | HANDLER_OF_13);
  m.memory.write32(0x604 + 13 * 8, 0x8e00);
  m.memory.write32(0x9004, 0x8800);
  m.memory.write16(0x9008, 0x10);
  Object.assign(m.cpu.segments[7], { selector: 0x18, base: 0x9000, limit: 0x67, access: 0x8b });
  Object.assign(m.cpu.gdtr, { base: 0x500, limit: 23 });
  Object.assign(m.cpu.idtr, { base: 0x600, limit: 0x7ff });
  return m;
}

function ring3(m: TestMachine): TestMachine {
  m.cpu.cpl = 3;
  Object.assign(m.cpu.segments[CS], { selector: 0x3b, access: 0xc0fb });
  Object.assign(m.cpu.segments[SS], { selector: 0x43, access: 0xc0f3 });
  return m;
}

const segment = (m: TestMachine, n: number) => {
  const { selector, base, limit, access } = m.cpu.segments[n];
  return { selector, base, limit, access };
};

describe('SYSENTER', () => {
  it('goes to ring 0 from ring 3, with segments that no table holds', () => {
    const m = ring3(machine(SYSENTER));
    setFlags(m.cpu, 0x10a02 | 0x3000);
    step(m.cpu);
    expect([m.cpu.cpl, m.cpu.eip, m.cpu.regs[4] >>> 0]).toEqual([0, 0x123456, 0xdead0000]);
    expect(segment(m, CS)).toEqual({ selector: 0x20, base: 0, limit: 0xffffffff, access: 0xc09b });
    expect(segment(m, SS)).toEqual({ selector: 0x28, base: 0, limit: 0xffffffff, access: 0xc093 });
  });

  it('clears IF, VM and RF, and no other flag', () => {
    const m = ring3(machine(SYSENTER));
    setFlags(m.cpu, 0x13ed7);
    m.cpu.instructionStart = m.cpu.eip;
    sysenter(m.cpu);
    expect(getFlags(m.cpu)).toBe(0x3cd7);
  });

  it('leaves virtual-8086 mode', () => {
    const m = ring3(machine(SYSENTER));
    setFlags(m.cpu, 0x23002);
    sysenter(m.cpu);
    expect([m.cpu.cpl, getFlags(m.cpu)]).toEqual([0, 0x3002]);
  });

  it('ignores the RPL in its MSR', () => {
    const m = ring3(machine(SYSENTER, 0x23n));
    step(m.cpu);
    expect([segment(m, CS).selector, segment(m, SS).selector]).toEqual([0x20, 0x28]);
  });

  it('is #GP(0) while nobody has named a code segment, and in real mode', () => {
    for (const selector of [0n, 3n, 0x10000n]) {
      const m = ring3(machine(SYSENTER, selector));
      step(m.cpu);
      expect([m.cpu.eip, m.memory.read32(m.cpu.regs[4])], `${selector}`).toEqual([HANDLER_OF_13, 0]);
    }
    const real = machine(SYSENTER);
    real.cpu.cr0 &= ~1;
    let vector = -1;
    try {
      sysenter(real.cpu);
    } catch (thrown) {
      if (isFault(thrown)) vector = thrown.vector;
    }
    expect(vector).toBe(13);
  });
});

describe('SYSEXIT', () => {
  it('goes to ring 3 at EDX with the stack ECX, two selectors further on', () => {
    const m = machine(SYSEXIT);
    [m.cpu.regs[1], m.cpu.regs[2]] = [0x7000, 0x8000];
    const flags = getFlags(m.cpu);
    step(m.cpu);
    expect([m.cpu.cpl, m.cpu.eip, m.cpu.regs[4]]).toEqual([3, 0x8000, 0x7000]);
    expect(segment(m, CS)).toEqual({ selector: 0x33, base: 0, limit: 0xffffffff, access: 0xc0fb });
    expect(segment(m, SS)).toEqual({ selector: 0x3b, base: 0, limit: 0xffffffff, access: 0xc0f3 });
    expect(getFlags(m.cpu)).toBe(flags);
  });

  it('is #GP(0) outside ring 0', () => {
    const m = ring3(machine(SYSEXIT));
    step(m.cpu);
    expect([m.cpu.eip, m.memory.read32(m.cpu.regs[4])]).toEqual([HANDLER_OF_13, 0]);
  });
});
