// Page faults in a compiled loop: where each page is met for the first time the loop stays whole; where one instruction
// faults again and again, the way back from the handler becomes an entry.
import { expect, it } from 'vitest';
import { assemble } from '../../assembler/assemble.ts';
import { costModel } from '../../cost/processors.ts';
import { Stop } from '../cpu/cpu.ts';
import { executionOf, run } from '../cpu/execute.ts';
import { TestMachine } from '../cpu/test-machine.ts';
import type { Engine } from './engine.ts';
import type { Owner } from './enter.ts';
import './provide.ts';

const CODE = 0x10000;
const PAGES = 64;

/** Passes over 64 pages at 400000h; before each of the first `away` ones all of them are taken away. */
const source = (passes: number, away: number) => `
bits 32
org ${CODE}
  mov ecx, ${passes}
pass:
  cmp ecx, ${passes - away}
  jbe whole
  call elsewhere
whole:
  mov eax, 0x400000
touch:
  mov [eax], ecx
  add eax, 64
  cmp eax, ${0x400000 + PAGES * 4096}
  jne touch
  dec ecx
  jnz pass
  hlt
align 4096
elsewhere:
  mov ebx, ${PAGES}
next:
  and dword [0x3000 + ebx * 4 - 4], -2
  dec ebx
  jnz next
  mov eax, cr3
  mov cr3, eax
  ret
fault:
  push eax
  mov eax, cr2
  shr eax, 12
  and eax, ${PAGES - 1}
  or dword [0x3000 + eax * 4], 1
  inc dword [0x6000]
  pop eax
  add esp, 4
  iret
`;

/** Runs it. @returns faults, and whether the store in the loop has become an entry */
function finish(passes: number, away: number) {
  const { bytes, symbols, diagnostics } = assemble(new Map([['p.asm', source(passes, away)]]), 'p.asm');
  expect(diagnostics).toEqual([]);
  const at = (name: string) => symbols.get(name)!;
  const m = new TestMachine(0x100000, costModel('merom')).flat(bytes, CODE);
  const { memory, cpu } = m;
  memory.write32(0x1000, 0x2007);
  memory.write32(0x1004, 0x3007);
  for (let n = 0; n < 0x100; n++) memory.write32(0x2000 + n * 4, (n << 12) | 7);
  for (let n = 0; n < PAGES; n++) memory.write32(0x3000 + n * 4, ((0x80 + n) << 12) | 0x67);
  m.interruptGate(0x4000, 14, at('fault'));
  m.flatDescriptors(0x5000);
  Object.assign(cpu.idtr, { base: 0x4000, limit: 0x7ff });
  cpu.cr3 = 0x1000;
  cpu.cr0 |= 0x80000000;
  cpu.tlb.flush();
  let stop: number = Stop.budget;
  for (let n = 0; stop === Stop.budget && n < 10_000; n++) stop = run(cpu, cpu.cycles + 100_000);
  expect(stop).toBe(Stop.halted);
  const { code, engine } = executionOf(cpu);
  expect((engine as Engine).compiled).toBeGreaterThan(0);
  const heat = code.hot()!.page.heat as unknown as { supervisor: Owner };
  return { faults: memory.read32(0x6000), entry: heat.supervisor.targets.has(at('touch') & 0xfff) };
}

it('leaves a loop whole that meets each of its pages for the first time', () => {
  expect(finish(200, 10)).toEqual({ faults: 10 * PAGES, entry: false });
});

it('makes an entry of an instruction that faults again and again', () => {
  expect(finish(200, 40)).toEqual({ faults: 40 * PAGES, entry: true });
});
