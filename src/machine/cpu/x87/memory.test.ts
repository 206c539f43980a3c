// Operands of several words over two pages: whole or not at all, and the fault names the first byte of the page that is
// missing, as the signals of a 32-bit program on the processor underneath do.
import { describe, expect, it } from 'vitest';
import { hasNasm, nasm, TestMachine } from '../test-machine.ts';

const DIRECTORY = 0x20000;
const TABLE = 0x21000;
const MISSING = 0x31000;
const CR4_OSFXSR = 0x200;

describe.skipIf(!hasNasm())('an operand that reaches into a missing page', () => {
  it.each([
    ['fld qword [MISSING - 4]', 4],
    ['fld qword [MISSING - 1]', 1],
    ['fld tword [MISSING - 3]', 3],
    ['fstp qword [MISSING - 1]', 1],
    ['fstp tword [MISSING - 9]', 9],
    ['fistp qword [MISSING - 7]', 7],
    ['movups [MISSING - 8], xmm1', 8],
    ['movups [MISSING - 1], xmm1', 1],
    ['movups xmm1, [MISSING - 15]', 15],
    ['movq [MISSING - 5], mm0', 5],
    ['fnsave [MISSING - 4]', 4],
    ['fxsave [MISSING - 16]', 16],
    ['fxrstor [MISSING - 496]', 496],
    ['push dword 1', 2],
  ])('%s', (instruction, before) => {
    const code = nasm(`bits 32\n%define MISSING ${MISSING}\nfninit\nfld1\nmark: ${instruction}\nhlt`);
    const m = new TestMachine().flat(code);
    const { cpu, memory } = m;
    for (let page = 0; page < 256; page++) memory.write32(TABLE + page * 4, (page << 12) | 3);
    memory.write32(TABLE + (MISSING >> 12) * 4, 0);
    memory.write32(DIRECTORY, TABLE | 3);
    cpu.cr3 = DIRECTORY;
    cpu.cr4 = CR4_OSFXSR;
    cpu.cr0 = (cpu.cr0 | 0x80000001) & ~0x60000000;
    cpu.regs[4] = MISSING + 2;
    memory.bytes.fill(0x55, MISSING - 1024, MISSING);
    m.run();
    expect(cpu.faultChain.slice(0, 1)).toEqual([14]);
    expect(cpu.faultChain[2] >>> 0).toBe(MISSING);
    expect([...memory.bytes.subarray(MISSING - before, MISSING)]).toEqual(Array(before).fill(0x55));
  });
});
