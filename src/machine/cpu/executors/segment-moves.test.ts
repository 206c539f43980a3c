// Selectors through MOV, PUSH, POP and LxS: places and sizes. What a load checks is tested with segmentation.ts.
import { describe, expect, it } from 'vitest';
import { DS, EAX, ES, ESP, FS, GS, SS } from '../../isa/instruction.ts';
import { isFault } from '../fault.ts';
import { TestMachine } from '../test-machine.ts';
import { bindBytes } from '../vectors/machine.ts';

const GDT = 0x3000;
const DATA_SELECTOR = 0x18;

function machineWithGdt(): TestMachine {
  const machine = new TestMachine().flat(new Uint8Array(0));
  machine.cpu.gdtr.base = GDT;
  machine.cpu.gdtr.limit = 0x1f;
  // A writable data segment at 12345000h, limit FFFFh, and the stack's present one at 10h.
  machine.memory.write32(GDT + DATA_SELECTOR, 0x5000ffff);
  machine.memory.write32(GDT + DATA_SELECTOR + 4, 0x12009234);
  machine.memory.write32(GDT + 0x10, 0x0000ffff);
  machine.memory.write32(GDT + 0x14, 0x00cf9200);
  return machine;
}

/** Runs one instruction. @returns the vector of its fault, or -1 */
function run(machine: TestMachine, ...bytes: number[]): number {
  const { cpu } = machine;
  const i = bindBytes(bytes, 32);
  cpu.instructionStart = cpu.eip;
  cpu.eip += i.length;
  try {
    i.execute!(cpu as never, i);
  } catch (thrown) {
    if (!isFault(thrown)) throw thrown;
    return thrown.vector;
  }
  return -1;
}

describe('MOV', () => {
  it('loads a segment register from a register or memory', () => {
    const machine = machineWithGdt();
    const { cpu } = machine;
    cpu.regs[EAX] = 0xabcd0000 | DATA_SELECTOR;
    expect(run(machine, 0x8e, 0xe0)).toBe(-1);
    expect(cpu.segments[FS].selector).toBe(DATA_SELECTOR);
    expect(cpu.segments[FS].base).toBe(0x12345000);
    machine.memory.write16(0x5000, DATA_SELECTOR);
    expect(run(machine, 0x8e, 0x2d, 0x00, 0x50, 0, 0)).toBe(-1);
    expect(cpu.segments[GS].base).toBe(0x12345000);
    expect(cpu.shadow).toBe(0);
  });

  it('holds interrupts off after loading SS', () => {
    const machine = machineWithGdt();
    machine.cpu.regs[EAX] = 0x10;
    expect(run(machine, 0x8e, 0xd0)).toBe(-1);
    expect(machine.cpu.shadow).toBe(2);
  });

  it('stores 16 bits into memory and into a 16-bit register, and clears the upper half of a 32-bit one', () => {
    const machine = machineWithGdt();
    const { cpu } = machine;
    cpu.regs[EAX] = -1;
    run(machine, 0x66, 0x8c, 0xd8);
    expect(cpu.regs[EAX] >>> 0).toBe(0xffff0010);
    run(machine, 0x8c, 0xd8);
    expect(cpu.regs[EAX]).toBe(0x10);
    machine.memory.write32(0x5000, -1);
    run(machine, 0x8c, 0x0d, 0x00, 0x50, 0, 0);
    expect(machine.memory.read32(0x5000) >>> 0).toBe(0xffff0008);
  });
});

describe('PUSH and POP', () => {
  it('move four bytes, or two with a prefix', () => {
    const machine = machineWithGdt();
    const { cpu } = machine;
    machine.memory.write32(0x7fffc, -1);
    run(machine, 0x0e);
    expect(cpu.regs[ESP]).toBe(0x7fffc);
    expect(machine.memory.read32(0x7fffc)).toBe(8);
    run(machine, 0x66, 0x1e);
    expect(cpu.regs[ESP]).toBe(0x7fffa);
    cpu.regs[ESP] = 0x70000;
    machine.memory.write32(0x70000, 0xffff0000 | DATA_SELECTOR);
    run(machine, 0x07);
    expect(cpu.segments[ES].base).toBe(0x12345000);
    expect(cpu.regs[ESP]).toBe(0x70004);
  });

  it('POP SS steps the stack it came from, and holds interrupts off', () => {
    const machine = machineWithGdt();
    const { cpu } = machine;
    // The new segment is a 16-bit stack; ESP still moves as a whole, carrying into its upper half.
    cpu.regs[ESP] = 0x6fffc;
    machine.memory.write32(0x6fffc, DATA_SELECTOR);
    expect(run(machine, 0x17)).toBe(-1);
    expect(cpu.segments[SS].selector).toBe(DATA_SELECTOR);
    expect(cpu.regs[ESP]).toBe(0x70000);
    expect(cpu.shadow).toBe(2);
  });

  it('a selector that is refused leaves stack pointer and register alone', () => {
    const machine = machineWithGdt();
    const { cpu } = machine;
    cpu.regs[ESP] = 0x70000;
    machine.memory.write32(0x70000, 0x7ff8);
    expect(run(machine, 0x1f)).toBe(13);
    expect(cpu.regs[ESP]).toBe(0x70000);
    expect(cpu.segments[DS].selector).toBe(0x10);
  });
});

describe('LDS and its family', () => {
  it('load offset and selector together, or nothing', () => {
    const machine = machineWithGdt();
    const { cpu } = machine;
    machine.memory.write32(0x5000, 0x11223344);
    machine.memory.write16(0x5004, DATA_SELECTOR);
    run(machine, 0x0f, 0xb4, 0x05, 0x00, 0x50, 0, 0);
    expect(cpu.regs[EAX]).toBe(0x11223344);
    expect(cpu.segments[FS].base).toBe(0x12345000);
    machine.memory.write16(0x5002, 0x7ff8);
    expect(run(machine, 0x66, 0xc4, 0x05, 0x00, 0x50, 0, 0)).toBe(13);
    expect(cpu.regs[EAX]).toBe(0x11223344);
  });

  it('LSS casts no shadow', () => {
    const machine = machineWithGdt();
    machine.memory.write32(0x5000, 0x9000);
    machine.memory.write16(0x5004, 0x10);
    expect(run(machine, 0x0f, 0xb2, 0x25, 0x00, 0x50, 0, 0)).toBe(-1);
    expect(machine.cpu.regs[ESP]).toBe(0x9000);
    expect(machine.cpu.shadow).toBe(0);
  });
});
