// Who watches kernels outside ring 0 (cpu.watcher) sees each IRET of theirs, also where everything around is compiled and
// compiled code had gone through it before anybody watched.
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
  lgdt [gdtr]
  lidt [idtr]
  mov ax, 0x38
  ltr ax
  push 0x33
  push 0x34000
  push 0x202
  push 0x2b
  push user
  iret
gdt: dq 0, 0x00cf9b000000ffff, 0x00cf93000000ffff
  dq 0x00cfbb000000ffff, 0x00cfb3000000ffff, 0x00cffb000000ffff, 0x00cff3000000ffff
  dw 0x67, tss - ${CODE}, 0x8901, 0
gdtr: dw 0x3f
  dd gdt
idtr: dw 0x7ff
  dd 0x4000
align 8
tss: dd 0, 0x32000, 0x10, 0x33000, 0x21
  times 21 dd 0
align 4096
; Ring 1.
handler:
  add eax, ecx
  rol eax, 3
  add edx, eax
  int 0x81
  xor edx, ecx
  iret
inner:
  inc edx
  add eax, edx
  rol edx, 1
  iret
finished:
  hlt
align 4096
user:
  mov ecx, 4000
  mov bx, 0x33
  mov ds, bx
round:
  int 0x80
  add eax, 3
  xor edi, eax
  rol edi, 1
  dec ecx
  jnz round
  int 0x82`;

function finish(compiled: boolean, watchedFrom: number) {
  const { bytes, symbols, diagnostics } = assemble(new Map([['p.asm', SOURCE]]), 'p.asm');
  expect(diagnostics.map((d) => d.message)).toEqual([]);
  const { cpu, memory } = new TestMachine(0x80000, costModel('merom')).flat(bytes, CODE);
  cpu.compiledAllowed = compiled;
  const gate = (vector: number, name: string, selector: number) => {
    const at = symbols.get(name)!;
    memory.write32(0x4000 + vector * 8, (selector << 16) | (at & 0xffff));
    memory.write32(0x4000 + vector * 8 + 4, (at & 0xffff0000) | 0xee00);
  };
  gate(0x80, 'handler', 0x18);
  gate(0x81, 'inner', 0x18);
  gate(0x82, 'finished', 8);
  let watched = 0;
  let stop: number = Stop.budget;
  for (let n = 0; stop === Stop.budget && n < 3000; n++) {
    if (n === watchedFrom) cpu.watcher = () => watched++;
    stop = run(cpu, cpu.cycles + 200_000);
  }
  const { cycles, instructions, regs } = cpu;
  const engine = executionOf(cpu).engine as Engine | null;
  return { state: { stop, watched, cycles, instructions, regs: [...regs] }, engine };
}

it.each([0, 3])('shows each IRET in ring 1 to who watches from slice %d on', (watchedFrom) => {
  const plain = finish(false, watchedFrom);
  expect(plain.state.stop).toBe(Stop.halted);
  expect(plain.state.watched).toBeGreaterThan(1000);
  const compiled = finish(true, watchedFrom);
  expect(compiled.state).toEqual(plain.state);
  expect(compiled.engine?.links.transfers).toBeGreaterThan(1000);
});
