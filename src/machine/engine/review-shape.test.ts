// Regions of unusual shape: as many blocks as a region may have, one behind the other or one in the other.
import { expect, it } from 'vitest';
import { assemble } from '../../assembler/assemble.ts';
import { Stop } from '../cpu/cpu.ts';
import { executionOf, run } from '../cpu/execute.ts';
import { TestMachine } from '../cpu/test-machine.ts';
import type { Engine } from './engine.ts';
import './provide.ts';

const CODE = 0x10000;

function finish(bytes: Uint8Array, compiled: boolean) {
  const { cpu } = new TestMachine(0x80000).flat(bytes, CODE);
  cpu.compiledAllowed = compiled;
  let stop: number = Stop.budget;
  for (let n = 0; stop === Stop.budget && n < 200; n++) stop = run(cpu, cpu.cycles + 50_000);
  const { cycles, instructions, eip, regs } = cpu;
  const engine = executionOf(cpu).engine as Engine | null;
  return { state: { stop, cycles, instructions, eip, regs: [...regs] }, regions: engine?.compiled ?? 0 };
}

function expectSame(body: string): void {
  const source = `bits 32\norg ${CODE}\n mov ecx, 300\n${body}`;
  const { bytes, diagnostics } = assemble(new Map([['p.asm', source]]), 'p.asm');
  expect(diagnostics.map((d) => d.message)).toEqual([]);
  expect(bytes.length).toBeLessThan(0x1000);
  const compiled = finish(bytes, true);
  expect(compiled.state).toEqual(finish(bytes, false).state);
  expect(compiled.state.stop).toBe(Stop.halted);
  expect(compiled.regions).toBeGreaterThan(0);
}

const times = (n: number, line: (n: number) => string) =>
  Array.from({ length: n }, (_, k) => line(k)).join('\n');

it('compiles a loop of so many branches out of it that the compiler must not call itself for each', () => {
  expectSame(`round:\n${times(560, () => ' js near done')}\n dec ecx\n jnz near round\ndone:\n hlt`);
});

it('compiles as many blocks that are gone around, each taken', () => {
  expectSame(`round:\n${times(1100, (n) => ` jns l${n}\nl${n}:`)}\n dec ecx\n jnz near round\n hlt`);
});

it('compiles as many diamonds', () => {
  expectSame(
    `round:\n${times(390, (n) => ` jns l${n}\n inc eax\nl${n}: inc edx`)}\n dec ecx\n jnz near round\n hlt`,
  );
});

it('compiles blocks that each lead to all that follow', () => {
  expectSame(
    `round:\n${times(380, (n) => ` add edx, ecx\n jp near l${Math.min(389, n + 9)}\nl${n}:`)}\n${times(10, (n) => `l${380 + n}:`)}\n dec ecx\n jnz near round\n hlt`,
  );
});
