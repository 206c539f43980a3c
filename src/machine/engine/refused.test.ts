// Where WebAssembly is not there, or a page's policy forbids to compile at run time, everything is interpreted, with the same end.
import { afterEach, expect, it, vi } from 'vitest';
import type { Engine } from './engine.ts';

/** MOV ECX, 50000; ADD EAX, ECX; DEC ECX; JNZ; HLT. */
const CODE = [0xb9, 0x50, 0xc3, 0, 0, 0x01, 0xc8, 0x49, 0x75, 0xfb, 0xf4];

async function outcome() {
  vi.resetModules();
  const { TestMachine } = await import('../cpu/test-machine.ts');
  const { executionOf, run } = await import('../cpu/execute.ts');
  await import('./provide.ts');
  const m = new TestMachine(0x80000).flat(new Uint8Array(CODE), 0x10000);
  for (let n = 0; n < 100 && !m.cpu.halted; n++) run(m.cpu, m.cpu.cycles + 20_000);
  const { cpu } = m;
  const state = [cpu.regs[0], cpu.eip, cpu.cycles, cpu.instructions];
  return { state, compiled: (executionOf(cpu).engine as Engine).compiled };
}

afterEach(() => vi.unstubAllGlobals());

it('runs without WebAssembly', async () => {
  const usual = await outcome();
  expect(usual.compiled).toBeGreaterThan(0);
  vi.stubGlobal('WebAssembly', undefined);
  expect(await outcome()).toEqual({ state: usual.state, compiled: 0 });
});

it('runs where compiling is refused', async () => {
  const usual = await outcome();
  const { Memory, Instance, CompileError } = WebAssembly;
  class Module {
    constructor() {
      throw new CompileError(
        "Refused to compile or instantiate because 'unsafe-eval' is not allowed by the policy",
      );
    }
  }
  vi.stubGlobal('WebAssembly', { Memory, Instance, CompileError, Module });
  expect(await outcome()).toEqual({ state: usual.state, compiled: 0 });
});
