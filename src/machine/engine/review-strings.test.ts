// How far one batch of REP MOVS goes must not depend on the tags of the TLB, which the compiler's decoding can take away.
import { expect, it } from 'vitest';
import { assemble } from '../../assembler/assemble.ts';
import { costModel } from '../../cost/processors.ts';
import { Stop } from '../cpu/cpu.ts';
import { executionOf, run } from '../cpu/execute.ts';
import { TestMachine } from '../cpu/test-machine.ts';
import type { Engine } from './engine.ts';
import './provide.ts';

const CODE = 0x10000;
/** Elements of a batch (cpu/executors/string.ts). */
const BATCH = 256;

/** The operand ends four elements before the batch does a page of the destination, and eight later one of the source. */
const SOURCE = `
bits 32
org ${CODE}
  mov ebp, 20
again:
  mov ecx, 10000
  call hot
  mov dword [data], 0x90909090
  mov ecx, 1
  call hot
  mov edi, 0x41000 - ${(BATCH - 4) * 4}
  mov esi, 0x61000 - ${(BATCH - 4) * 4 + 32}
  mov ecx, ${BATCH + 4}
  rep movsd
  dec ebp
  jnz again
  hlt
align 4096
hot:
  add eax, ecx
  rol eax, 7
  xor edx, eax
  cmp ecx, 0x12345678
  je data
  dec ecx
  jnz hot
  ret
align 64
; Only the compiler has looked at this as code.
data: dd 0x90909090
  jmp hot
align 4096
  nop`;

function finish(compiled: boolean) {
  const { bytes, diagnostics } = assemble(new Map([['p.asm', SOURCE]]), 'p.asm');
  expect(diagnostics.map((d) => d.message)).toEqual([]);
  const { cpu } = new TestMachine(0x80000, costModel('merom')).flat(bytes, CODE);
  cpu.compiledAllowed = compiled;
  let stop: number = Stop.budget;
  for (let n = 0; stop === Stop.budget && n < 3000; n++) stop = run(cpu, cpu.cycles + 200_000);
  const { cycles, instructions, eip, regs } = cpu;
  const engine = executionOf(cpu).engine as Engine | null;
  return { state: { stop, cycles, instructions, eip, regs: [...regs] }, regions: engine?.compiled ?? 0 };
}

it('ends a batch where the interpreter ends it, whatever the compiler has decoded', () => {
  const plain = finish(false);
  expect(plain.state.stop).toBe(Stop.halted);
  const compiled = finish(true);
  expect(compiled.regions).toBeGreaterThan(0);
  expect(compiled.state).toEqual(plain.state);
});
