// A page whose code changes keeps what was compiled of it where that was other code, and where not, no stale code is run.
import { expect, it } from 'vitest';
import { assemble } from '../../assembler/assemble.ts';
import { costModel } from '../../cost/processors.ts';
import { executionOf } from '../cpu/execute.ts';
import { TestMachine } from '../cpu/test-machine.ts';
import type { Engine } from './engine.ts';
import './provide.ts';

const CODE = 0x10000;
/** A hot loop with a part that comes once in a run of it, and a function that is seldom called. */
const SOURCE = `
bits 32
org ${CODE}
hot:
  mov ecx, 100000
round:
  add eax, 1
  cmp ecx, 7
  jne near usual
  add eax, 1000
usual:
  xor edx, eax
  rol edx, 3
  dec ecx
  jnz round
  hlt
  jmp hot
  times 32 nop
seldom:
  mov ebx, 5
  hlt
`;

/** A machine with the program, on which the hot loop is compiled and the seldom function has been run. */
function start() {
  const { bytes, symbols, diagnostics } = assemble(new Map([['p.asm', SOURCE]]), 'p.asm');
  expect(diagnostics).toEqual([]);
  const at = (name: string) => symbols.get(name)!;
  const m = new TestMachine(1 << 20, costModel('merom')).flat(bytes, CODE);
  const { cpu, memory } = m;
  const runFrom = (name: string, cycles = 2_000_000) => {
    cpu.halted = false;
    cpu.eip = at(name);
    cpu.regs[0] = 0;
    m.run(cycles);
    return cpu.regs[0];
  };
  runFrom('seldom');
  expect(runFrom('hot')).toBe(101_000);
  const engine = executionOf(cpu).engine as Engine;
  expect(engine.kept).toBe(1);
  const covered = () => {
    cpu.eip = CODE;
    const page = executionOf(cpu).code.hot()!.page;
    return (page.heat as unknown as { supervisor: { covered: ReadonlySet<number> } }).supervisor.covered;
  };
  return { m, cpu, memory, at, runFrom, engine, covered };
}

/** Offset of the immediate of `add eax, 1000` from `usual`, backwards. */
const IMMEDIATE = 4;

it('keeps what was compiled when other code of the page changes', () => {
  const { cpu, memory, at, runFrom, engine } = start();
  const { compiled } = engine;
  memory.write8(at('seldom') + 1, 6);
  expect(runFrom('hot')).toBe(101_000);
  expect([engine.compiled, engine.kept]).toEqual([compiled, 1]);
  runFrom('seldom');
  expect(cpu.regs[3]).toBe(6);
});

it('compiles anew when it has changed itself', () => {
  const { memory, at, runFrom, engine } = start();
  const { compiled } = engine;
  memory.write32(at('usual') - IMMEDIATE, 2000);
  expect(runFrom('hot')).toBe(102_000);
  expect(engine.compiled).toBeGreaterThan(compiled);
});

it('notices a change of code that was kept and not run by the interpreter since', () => {
  const { m, cpu, memory, at, runFrom, engine } = start();
  const { compiled } = engine;
  memory.write8(at('seldom') + 1, 6);
  runFrom('hot', 100_000);
  expect([engine.compiled, engine.kept, cpu.halted]).toEqual([compiled, 1, false]);
  memory.write32(at('usual') - IMMEDIATE, 3000);
  m.run(2_000_000);
  expect(cpu.regs[0]).toBe(103_000);
});

it('does not grow into what the changed code leads to, as long as that is not hot', () => {
  const { memory, at, runFrom, covered } = start();
  const offset = at('seldom') - CODE;
  // The branch leads past the function that is seldom called, and comes back from there.
  const branch = at('usual') - 5 - 4;
  const displacement = at('seldom') - (branch + 4);
  memory.write32(branch, displacement);
  const back = at('usual') - (at('seldom') + 5);
  memory.load(at('seldom'), new Uint8Array([0xe9, ...[0, 8, 16, 24].map((n) => (back >>> n) & 0xff)]));
  runFrom('hot', 30_000);
  expect(covered().has(at('usual') - CODE)).toBe(true);
  expect(covered().has(offset)).toBe(false);
  // Now each round goes that way: it is hot by itself.
  expect(runFrom('hot', 4_000_000)).toBe(101_000);
  expect(covered().has(offset)).toBe(true);
});
