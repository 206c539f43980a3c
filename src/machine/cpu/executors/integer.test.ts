// The joint: every form of the instruction table that belongs to the integer half finds an executor, and the few
// instructions that depend on more than operands do what they should.
import { describe, expect, it } from 'vitest';
import { decode } from '../../isa/decode.ts';
import { FORMS } from '../../isa/table.ts';
import { isFault } from '../fault.ts';
import { TestMachine } from '../test-machine.ts';
import { bindBytes } from '../vectors/machine.ts';
import { Random } from '../vectors/random.ts';
import { integerExecutors } from './integer.ts';

describe('integer executors', () => {
  it('are all named in the table', () => {
    const operations = new Set(FORMS.map((form) => form.operation));
    expect(Object.keys(integerExecutors).filter((name) => !operations.has(name))).toEqual([]);
  });

  it('bind every form that can be decoded, in both modes', () => {
    const random = new Random(5);
    const bytes = new Uint8Array(24);
    const seen = new Set<number>();
    for (let n = 0; n < 150_000; n++) {
      for (let k = 0; k < bytes.length; k++) bytes[k] = random.word();
      if (n & 1) bytes[0] = 0x0f;
      if (n & 2) bytes.copyWithin(1, 0).set([0x66]);
      const i = decode(bytes, 0, n & 4 ? 16 : 32);
      if (typeof i === 'string') continue;
      const binder = integerExecutors[i.form.operation];
      if (!binder) continue;
      if (typeof binder(i) !== 'function') expect.fail(i.form.mnemonic);
      seen.add(i.form.id);
    }
    // `rv,imm` of IMUL, `av,rv+` twice and other spellings of one encoding are never decoded.
    expect(seen.size).toBeGreaterThan(450);
  });
});

/** Vector of the fault that an instruction raises, or -1. */
function vectorOf(machine: TestMachine, ...bytes: number[]): number {
  const i = bindBytes(bytes, 32);
  machine.cpu.instructionStart = machine.cpu.eip;
  try {
    i.execute!(machine.cpu as never, i);
  } catch (thrown) {
    if (!isFault(thrown)) throw thrown;
    return thrown.vector;
  }
  return -1;
}

describe('WAIT', () => {
  it('is #NM only when CR0.MP and CR0.TS are both set', () => {
    const machine = new TestMachine().flat(new Uint8Array(0));
    const { cpu } = machine;
    const vectors = [0, 2, 8, 10].map((bits) => {
      cpu.cr0 = 1 | bits;
      return vectorOf(machine, 0x9b);
    });
    expect(vectors).toEqual([-1, -1, -1, 7]);
  });
});

describe('BSWAP of 16 bits', () => {
  it('clears the register, as Intel processors do', () => {
    const machine = new TestMachine().flat(new Uint8Array(0));
    machine.cpu.regs[2] = 0x12345678;
    vectorOf(machine, 0x66, 0x0f, 0xca);
    expect(machine.cpu.regs[2]).toBe(0x12340000);
  });
});

describe('CMPXCHG8B', () => {
  it('writes neither half when the second lies on a page that is not there', () => {
    const machine = new TestMachine().flat(new Uint8Array(0));
    const { cpu, memory } = machine;
    for (let page = 0; page < 256; page++) memory.write32(0xe0000 + page * 4, (page << 12) | 3);
    memory.write32(0xe0000 + 0x21 * 4, 0);
    memory.write32(0xdf000, 0xe0003);
    cpu.cr3 = 0xdf000;
    cpu.cr0 |= 0x80000000;
    cpu.regs.set([0, 0x22222222, 0, 0x11111111]);
    expect(vectorOf(machine, 0x0f, 0xc7, 0x0d, 0xfc, 0x0f, 0x02, 0x00)).toBe(14);
    expect(memory.read32(0x20ffc)).toBe(0);
    memory.write32(0xe0000 + 0x21 * 4, 0x21003);
    expect(vectorOf(machine, 0x0f, 0xc7, 0x0d, 0xfc, 0x0f, 0x02, 0x00)).toBe(-1);
    expect([memory.read32(0x20ffc), memory.read32(0x21000)]).toEqual([0x11111111, 0x22222222]);
  });
});
