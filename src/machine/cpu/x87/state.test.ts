// The state in memory (SDM vol. 1 figures 8-9 to 8-12, §10.5.1): layouts of FNSAVE by mode and operand size, FXSAVE's alignment
// and what CR4.OSFXSR adds, stores that fault whole or not at all, and the approximations of SSE.
import { describe, expect, it } from 'vitest';
import { decode } from '../../isa/decode.ts';
import { CS, DS, EBX } from '../../isa/instruction.ts';
import type { Cpu } from '../cpu.ts';
import { bind } from '../executors/index.ts';
import { isFault } from '../fault.ts';
import { bareProcessor } from '../vectors/machine.ts';

const AT = 0x8000;

function machine(protectedMode: boolean): Cpu {
  const cpu = bareProcessor();
  cpu.cr0 = protectedMode ? 1 : 0;
  cpu.cr4 = 0x600;
  cpu.regs[EBX] = AT;
  for (const n of [CS, DS]) {
    const s = cpu.segments[n];
    s.selector = n === CS ? 0x123 : 0x456;
    s.base = 0;
    s.limit = 0xfffff;
    s.access = n === CS ? 0x409b : 0x4093;
  }
  cpu.x87.initialize();
  return cpu;
}

/** Executes one instruction of 32-bit code at 12345h. @returns its fault's vector, or -1 */
function execute(cpu: Cpu, ...bytes: number[]): number {
  const i = decode(Uint8Array.from(bytes), 0, 32);
  if (typeof i === 'string') return 6;
  bind(i, cpu.cost);
  cpu.instructionStart = 0x12345;
  try {
    i.execute!(cpu as never, i);
  } catch (thrown) {
    if (!isFault(thrown)) throw thrown;
    return thrown.vector;
  }
  return -1;
}

const words = (cpu: Cpu, count: number): number[] =>
  Array.from({ length: count }, (_, n) => cpu.memory.read16(AT + 2 * n));

describe('the environment', () => {
  it('has selectors and offsets in protected mode', () => {
    const cpu = machine(true);
    execute(cpu, 0xd9, 0x03); // fld dword [ebx]
    execute(cpu, 0xd9, 0x33); // fnstenv [ebx], 28 bytes
    expect(words(cpu, 14)).toEqual([
      ...[0x37f, 0xffff, 0x3800, 0xffff, 0x7fff, 0xffff],
      ...[0x2345, 1, 0x123, 0x103, AT, 0, 0x456, 0xffff],
    ]);
    cpu.memory.bytes.fill(0, AT, AT + 64);
    execute(cpu, 0x66, 0xd9, 0x33); // 14 bytes
    expect(words(cpu, 8)).toEqual([0x37f, 0x3800, 0x7fff, 0x2345, 0x123, AT, 0x456, 0]);
  });

  it('has linear addresses in real mode', () => {
    const cpu = machine(false);
    execute(cpu, 0xd9, 0x03);
    execute(cpu, 0xd9, 0x33);
    // 12345h + 1230h = 13575h; 8000h + 4560h = C560h.
    expect(words(cpu, 14).slice(6)).toEqual([0x3575, 0xffff, 0x1103, 0, 0xc560, 0xffff, 0, 0]);
    cpu.memory.bytes.fill(0, AT, AT + 64);
    execute(cpu, 0x66, 0xd9, 0x33);
    expect(words(cpu, 7).slice(3)).toEqual([0x3575, 0x1103, 0xc560, 0]);
  });
});

describe('FNSAVE and FRSTOR, FXSAVE and FXRSTOR', () => {
  it.each([
    ['FNSAVE', [0xdd, 0x33], [0xdd, 0x23]],
    ['FXSAVE', [0x0f, 0xae, 0x03], [0x0f, 0xae, 0x0b]],
  ])('%s brings back every register', (_, save, restore) => {
    const cpu = machine(true);
    const f = cpu.x87;
    execute(cpu, 0xd9, 0xeb);
    execute(cpu, 0xd9, 0xe8);
    f.status |= 0x4121;
    const before = machine(true).x87;
    before.copyFrom(f);
    expect(execute(cpu, ...save)).toBe(-1);
    f.reset();
    expect(execute(cpu, ...restore)).toBe(-1);
    const seen = (x: typeof f) =>
      [x.control, x.statusWord, x.tagWord, ...x.lo, ...x.hi, ...x.se].slice(0, 36);
    expect(seen(f).slice(0, 11)).toEqual(seen(before).slice(0, 11));
  });

  it('FXSAVE wants an address that is a multiple of sixteen, and stores XMM registers under CR4.OSFXSR only', () => {
    const cpu = machine(true);
    cpu.regs[EBX] = AT + 8;
    expect(execute(cpu, 0x0f, 0xae, 0x03)).toBe(13);
    cpu.regs[EBX] = AT;
    cpu.x87.xmm.fill(7);
    cpu.cr4 = 0;
    execute(cpu, 0x0f, 0xae, 0x03);
    expect(cpu.memory.read32(AT + 160)).toBe(0);
    cpu.cr4 = 0x200;
    execute(cpu, 0x0f, 0xae, 0x03);
    expect(cpu.memory.read32(AT + 160)).toBe(7);
    expect(cpu.memory.read32(AT + 24)).toBe(0x1f80);
  });

  it('FXRSTOR refuses bits of MXCSR that do not exist', () => {
    const cpu = machine(true);
    execute(cpu, 0x0f, 0xae, 0x03);
    cpu.memory.write32(AT + 24, 0x10000);
    expect(execute(cpu, 0x0f, 0xae, 0x0b)).toBe(13);
  });

  it('a store beyond the limit of its segment changes nothing, not even the stack', () => {
    const cpu = machine(true);
    execute(cpu, 0xd9, 0xe8);
    cpu.segments[DS].limit = AT + 8;
    const { top } = cpu.x87;
    expect(execute(cpu, 0xdb, 0x3b)).toBe(13); // fstp tword [ebx]
    expect(cpu.x87.top).toBe(top);
    expect(execute(cpu, 0xdd, 0x33)).toBe(13); // fnsave
    expect(cpu.memory.read16(AT)).toBe(0);
  });
});

describe('who may use SSE', () => {
  it('nobody without CR4.OSFXSR, and nobody under EM', () => {
    const cpu = machine(true);
    cpu.cr4 = 0;
    expect(execute(cpu, 0x0f, 0x58, 0xc1)).toBe(6);
    cpu.cr4 = 0x200;
    expect(execute(cpu, 0x0f, 0x58, 0xc1)).toBe(-1);
    cpu.cr0 |= 4;
    expect(execute(cpu, 0x0f, 0x58, 0xc1)).toBe(6);
    expect(execute(cpu, 0x0f, 0xfc, 0xc1)).toBe(6); // MMX too
    cpu.cr0 = 9;
    expect(execute(cpu, 0x0f, 0x58, 0xc1)).toBe(7);
  });

  it('sixteen bytes of memory must be aligned', () => {
    const cpu = machine(true);
    cpu.regs[EBX] = AT + 4;
    expect(execute(cpu, 0x0f, 0x58, 0x03)).toBe(13);
    expect(execute(cpu, 0x0f, 0x10, 0x03)).toBe(-1); // movups
  });
});

describe('RCPPS and RSQRTPS', () => {
  it('have a relative error below 1.5 × 2^−12', () => {
    const cpu = machine(true);
    const lanes = new Float32Array(cpu.x87.xmm.buffer);
    let worst = 0;
    for (let n = 1; n < 4000; n++) {
      const value = Math.fround(n * 1.618 * 2 ** ((n % 40) - 20));
      for (const [opcode, exact] of [
        [0x53, 1 / value],
        [0x52, 1 / Math.sqrt(value)],
      ]) {
        lanes.fill(value);
        execute(cpu, 0x0f, opcode, 0xc0);
        worst = Math.max(worst, Math.abs(lanes[2] / exact - 1));
      }
    }
    expect(worst).toBeLessThan(1.5 * 2 ** -12);
  });
});
