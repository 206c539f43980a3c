// What others see of the count of instructions while compiled code delivers a page fault: who attributes events to containers
// (hypervisor/containers) reads it then, and so does the MSR-store area of a VM exit (performance counters).
import { expect, it } from 'vitest';
import { assemble } from '../../assembler/assemble.ts';
import { costModel } from '../../cost/processors.ts';
import { Stop } from '../cpu/cpu.ts';
import { executionOf, run } from '../cpu/execute.ts';
import { TestMachine } from '../cpu/test-machine.ts';
import type { Engine } from './engine.ts';
import './provide.ts';

const CODE = 0x10000;

const SOURCE = `
bits 32
org ${CODE}
  mov ecx, 2000
  mov esp, 0x40000
round:
  mov eax, 20
busy:
  add esi, 3
  xor edi, esi
  dec eax
  jnz busy
  add edx, [0x400000]
  and dword [0x3000], ~1
  invlpg [0x400000]
  dec ecx
  jnz round
  hlt
fault:
  or dword [0x3000], 1
  add esp, 4
  iret`;

/** The counts at all page faults, as who attributes events sees them. */
function countsAtFaults(compiled: boolean) {
  const { bytes, symbols, diagnostics } = assemble(new Map([['p.asm', SOURCE]]), 'p.asm');
  expect(diagnostics.map((d) => d.message)).toEqual([]);
  const m = new TestMachine(0x80000, costModel('merom')).flat(bytes, CODE);
  const { cpu, memory } = m;
  cpu.compiledAllowed = compiled;
  m.flatDescriptors(0x4900);
  Object.assign(cpu.idtr, { base: 0x4000, limit: 0x7ff });
  m.interruptGate(0x4000, 14, symbols.get('fault')!);
  memory.write32(0x1000, 0x2067);
  memory.write32(0x1004, 0x3067);
  for (let n = 0; n < 0x80; n++) memory.write32(0x2000 + n * 4, (n << 12) | 0x67);
  memory.write32(0x3000, 0x60066);
  cpu.cr3 = 0x1000;
  cpu.cr0 = 0x80000011 | 0;
  cpu.tlb.flush();
  const seen: number[] = [];
  m.recorder.attribute = () => seen.push(cpu.instructions);
  let stop: number = Stop.budget;
  for (let n = 0; stop === Stop.budget && n < 3000; n++) stop = run(cpu, cpu.cycles + 200_000);
  const engine = executionOf(cpu).engine as Engine | null;
  return { stop, seen, regions: engine?.compiled ?? 0 };
}

it('counts as many instructions at a page fault out of compiled code as the interpreter', () => {
  const plain = countsAtFaults(false);
  expect(plain.stop).toBe(Stop.halted);
  expect(plain.seen.length).toBe(2000);
  const compiled = countsAtFaults(true);
  expect(compiled.regions).toBeGreaterThan(0);
  expect(compiled.seen).toEqual(plain.seen);
});
