// Virtual-8086 mode (SDM vol. 3 §20.2) where QEMU is not an oracle, which checks no limits there and delivers interrupts to any
// ring. What both do alike is in fixtures/system/virtual-8086.inc and virtual-8086-more.inc.
import { describe, expect, it } from 'vitest';
import { read8, read16, write32 } from './access.ts';
import { isFault } from './fault.ts';
import { getFlags, setFlags } from './flags.ts';
import { EventType, softwareInterrupt } from './interrupts.ts';
import { iret } from './iret.ts';
import { setVirtual8086 } from './segmentation.ts';
import { TestMachine } from './test-machine.ts';

const [ES, CS, SS, DS, FS, GS] = [0, 1, 2, 3, 4, 5];
const VM = 0x20000;
const IOPL3 = 0x3000;

/** At 0800:0010 with IOPL 3; a stack for rings 0 and 1 in the TSS; gate 40h leads to `selector`. */
function machine(selector: number): TestMachine {
  const m = new TestMachine().flat(new Uint8Array(1));
  const { cpu } = m;
  const descriptor = (n: number, access: number) => {
    m.memory.write32(0x500 + 8 * n, 0xffff);
    m.memory.write32(0x504 + 8 * n, 0x00c00000 | 0xf0000 | (access << 8));
  };
  // 08 and 10 of ring 0, 18 and 20 of ring 1, 28 conforming.
  [0x9b, 0x93, 0xbb, 0xb3, 0x9f].forEach((access, n) => descriptor(n + 1, access));
  m.memory.write32(0x600 + 0x40 * 8, (selector << 16) | 0x5000);
  m.memory.write32(0x604 + 0x40 * 8, 0xee00);
  [0x8800, 0x10, 0x8400, 0x21].forEach((word, n) => m.memory.write32(0x9004 + 4 * n, word));
  Object.assign(cpu.segments[7], { selector: 0x30, base: 0x9000, limit: 0x67, access: 0x8b });
  Object.assign(cpu.gdtr, { base: 0x500, limit: 47 });
  Object.assign(cpu.idtr, { base: 0x600, limit: 0x7ff });
  cpu.cpl = 3;
  setFlags(cpu, VM | IOPL3 | 2);
  [0x40, 0x800, 0x1000, 0x41, 0x42, 0x43].forEach((s, n) => setVirtual8086(cpu, n, s));
  cpu.eip = cpu.instructionStart = 0x10;
  cpu.regs[4] = 0x100;
  return m;
}

/** [vector, error code] of what it raises. */
function raised(action: () => void): number[] {
  try {
    action();
  } catch (thrown) {
    if (isFault(thrown)) return [thrown.vector, thrown.errorCode];
    throw thrown;
  }
  return [];
}

describe('virtual-8086 mode', () => {
  it('is left through ring 0 only: other handlers, and conforming ones, are #GP with their selector', () => {
    for (const selector of [0x18, 0x1b, 0x28]) {
      const { cpu } = machine(selector);
      const interrupt = () => softwareInterrupt(cpu, 0x40, EventType.softwareInterrupt);
      expect(raised(interrupt), selector.toString(16)).toEqual([13, selector & ~3]);
      expect([cpu.cpl, cpu.eip, getFlags(cpu) & VM]).toEqual([3, 0x10, VM]);
    }
  });

  it('pushes nine doublewords on the stack of ring 0, and gives the handler null data segments', () => {
    const m = machine(8);
    softwareInterrupt(m.cpu, 0x40, EventType.softwareInterrupt);
    const frame = Array.from({ length: 9 }, (_, n) => m.memory.read32(0x8800 - 36 + 4 * n));
    expect(frame).toEqual([0x10, 0x800, VM | IOPL3 | 2, 0x100, 0x1000, 0x40, 0x41, 0x42, 0x43]);
    expect([m.cpu.cpl, m.cpu.eip, m.cpu.regs[4], getFlags(m.cpu) & VM]).toEqual([0, 0x5000, 0x8800 - 36, 0]);
    for (const n of [ES, DS, FS, GS])
      expect(
        raised(() => read8(m.cpu, n, 0)),
        `${n}`,
      ).toEqual([13, 0]);
  });

  it('is entered by the IRET of ring 0, which restores what was there before', () => {
    const m = machine(8);
    const before = m.cpu.segments.slice(0, 6).map((s) => [s.selector, s.base, s.limit, s.access]);
    softwareInterrupt(m.cpu, 0x40, EventType.softwareInterrupt);
    iret(m.cpu, true);
    expect(m.cpu.segments.slice(0, 6).map((s) => [s.selector, s.base, s.limit, s.access])).toEqual(before);
    expect([m.cpu.cpl, m.cpu.eip, m.cpu.regs[4], getFlags(m.cpu)]).toEqual([3, 0x10, 0x100, VM | IOPL3 | 2]);
  });

  it('is not entered from an outer ring: there VM in the image means nothing', () => {
    const m = new TestMachine().flat(new Uint8Array(1));
    m.memory.write32(0x508, 0xffff);
    m.memory.write32(0x50c, 0x00cffb00);
    Object.assign(m.cpu.gdtr, { base: 0x500, limit: 15 });
    m.cpu.cpl = 3;
    for (const n of [CS, SS])
      Object.assign(m.cpu.segments[n], { selector: 0xb, access: n === CS ? 0xc0fb : 0xc0f3 });
    [0x1234, 0xb, VM | 2].forEach((word, n) => write32(m.cpu, SS, m.cpu.regs[4] + 4 * n, word));
    iret(m.cpu, true);
    expect([m.cpu.cpl, m.cpu.eip, getFlags(m.cpu) & VM]).toEqual([3, 0x1234, 0]);
  });

  it('has segments of 64 KiB: an operand over the end, and a 32-bit offset behind it, are #GP, on the stack #SS', () => {
    const { cpu } = machine(8);
    expect(raised(() => read16(cpu, DS, 0xffff))).toEqual([13, 0]);
    expect(raised(() => read8(cpu, DS, 0x10000))).toEqual([13, 0]);
    expect(raised(() => read16(cpu, SS, 0xffff))).toEqual([12, 0]);
    expect(raised(() => read16(cpu, DS, 0xfffe))).toEqual([]);
  });

  it('reaches the megabyte behind the first, where A20 lets it', () => {
    const m = new TestMachine(1 << 21).flat(new Uint8Array(1));
    m.cpu.cpl = 3;
    setFlags(m.cpu, VM | 2);
    setVirtual8086(m.cpu, DS, 0xffff);
    m.memory.bytes[0x100010] = 0x5a;
    m.memory.bytes[0x10] = 0xa5;
    expect(read8(m.cpu, DS, 0x20)).toBe(0x5a);
  });
});
