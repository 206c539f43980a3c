// Code that comes back is not compiled again, wherever in memory it comes to lie; and what is kept is bounded.
import { expect, it } from 'vitest';
import { executionOf } from '../cpu/execute.ts';
import { TestMachine } from '../cpu/test-machine.ts';
import type { Engine } from './engine.ts';
import './provide.ts';
import { ModuleCache } from './module-cache.ts';
import { moduleOf, Op, Writer } from './wasm-writer.ts';

/** MOV ECX, 50000; ADD EAX, ECX; DEC ECX; JNZ; HLT. */
const CODE = [0xb9, 0x50, 0xc3, 0, 0, 0x01, 0xc8, 0x49, 0x75, 0xfb, 0xf4];

/** A module whose function gives back a number. */
function constant(value: number): Uint8Array {
  const code = new Writer();
  code.const(value);
  code.op(Op.end);
  return moduleOf([{ params: 2, i32Locals: 0, i64Locals: 0, moreLocals: 0, code }]);
}

it('compiles a program once that is loaded again, into another frame at the same linear address', () => {
  const m = new TestMachine(1 << 20).flat(new Uint8Array(0));
  const { cpu, memory } = m;
  memory.write32(0x2000, 0x3007);
  for (let page = 0; page < 256; page++) memory.write32(0x3000 + page * 4, (page << 12) | 7);
  cpu.cr3 = 0x2000;
  cpu.cr0 |= 0x80000000;
  const runFrom = (frame: number) => {
    memory.load(frame, new Uint8Array(CODE));
    memory.write32(0x3000 + 0x10 * 4, frame | 7);
    cpu.tlb.flush();
    cpu.halted = false;
    cpu.regs[0] = 0;
    cpu.eip = 0x10000;
    m.run(1_000_000);
    expect([cpu.regs[0], cpu.eip]).toEqual([((50000 * 50001) / 2) | 0, 0x10000 + CODE.length]);
  };
  runFrom(0x10000);
  const { modules } = executionOf(cpu).engine as Engine;
  const { compiled } = modules;
  expect(compiled).toBeGreaterThan(0);
  runFrom(0x40000);
  expect(modules.reused).toBeGreaterThan(0);
  expect(modules.compiled).toBe(compiled);
});

it('tells modules apart by all their bytes, and lets the one go that was not used for longest', () => {
  const cache = new ModuleCache(new WebAssembly.Memory({ initial: 1 }), 3);
  for (const value of [1, 2, 3, 1, 4]) expect(cache.functionOf(constant(value))(0, 0)).toBe(value);
  expect([cache.size, cache.compiled, cache.reused]).toEqual([3, 4, 1]);
  cache.functionOf(constant(1));
  expect(cache.compiled).toBe(4);
  cache.functionOf(constant(2));
  expect(cache.compiled).toBe(5);
});
