// Compiled code that changes or walks the page tables itself: what the interpreter would have noticed behind that instruction.
import { expect, it } from 'vitest';
import { assemble } from '../../assembler/assemble.ts';
import { costModel } from '../../cost/processors.ts';
import { Stop } from '../cpu/cpu.ts';
import { executionOf, run } from '../cpu/execute.ts';
import { TestMachine } from '../cpu/test-machine.ts';
import type { Engine } from './engine.ts';
import './provide.ts';

const CODE = 0x10000;
const GDT = 0x4900;
const IDT = 0x4000;
const PRESENT = 0x67;

type Prepare = (m: TestMachine, symbols: ReadonlyMap<string, number>) => void;

/** The first half megabyte mapped as it lies, by the directory at 1000h; the table at 3000h is for 400000h on. */
function finish(
  bytes: Uint8Array,
  symbols: ReadonlyMap<string, number>,
  prepare: Prepare,
  compiled: boolean,
) {
  const m = new TestMachine(0x80000, costModel('merom')).flat(bytes, CODE);
  const { cpu, memory } = m;
  cpu.compiledAllowed = compiled;
  // 8: flat code; 10h: data; 18h: code up to the end of the page at 11000h.
  [0, 0, 0xffff, 0xcf9b00, 0xffff, 0xcf9300, 0x0011, 0xc09b00].forEach((word, n) =>
    memory.write32(GDT + n * 4, word),
  );
  Object.assign(cpu.gdtr, { base: GDT, limit: 0x1f });
  Object.assign(cpu.idtr, { base: IDT, limit: 0x7ff });
  memory.write32(0x1000, 0x2000 | PRESENT);
  memory.write32(0x1004, 0x3000 | PRESENT);
  for (let n = 0; n < 0x80; n++) memory.write32(0x2000 + n * 4, (n << 12) | PRESENT);
  cpu.cr3 = 0x1000;
  cpu.cr0 = 0x80000011 | 0;
  cpu.tlb.flush();
  prepare(m, symbols);
  let stop: number = Stop.budget;
  for (let n = 0; stop === Stop.budget && n < 3000; n++) stop = run(cpu, cpu.cycles + 200_000);
  const { cycles, instructions, eip, regs } = cpu;
  const engine = executionOf(cpu).engine as Engine | null;
  return { state: { stop, cycles, instructions, eip, regs: [...regs] }, regions: engine?.compiled ?? 0 };
}

function expectSame(source: string, prepare: Prepare): void {
  const text = `bits 32\norg ${CODE}\n${source}`;
  const { bytes, symbols, diagnostics } = assemble(new Map([['p.asm', text]]), 'p.asm');
  expect(diagnostics.map((d) => d.message)).toEqual([]);
  const plain = finish(bytes, symbols, prepare, false);
  expect(plain.state.stop).toBe(Stop.halted);
  const compiled = finish(bytes, symbols, prepare, true);
  expect(compiled.regions).toBeGreaterThan(0);
  expect(compiled.state).toEqual(plain.state);
}

it('walks for nothing behind a MOV CR3 that is the last instruction within the limit of CS', () => {
  expectSame(
    `
  mov esp, 0x40000
  mov ecx, 6000
  mov ebp, 0x1000
  jmp 0x18:round
align 4096
round:
  mov eax, 40
busy:
  add esi, 3
  xor edi, esi
  add edi, ecx
  dec eax
  jnz busy
  jmp last
times 0x1000 - 3 - ($ - round) db 0x90
last:
  mov cr3, ebp
; Beyond the limit of that CS: what the interpreter does not fetch from, it does not walk for.
sometimes:
  inc edx
  ret
align 4096
fault:
  add esp, 4
  dec ecx
  jz done
  test ecx, 1
  jz over
  call sometimes
over:
  mov dword [esp], round
  iret
done:
  hlt`,
    ({ memory }, symbols) => {
      const at = symbols.get('fault')!;
      memory.write32(IDT + 13 * 8, (8 << 16) | (at & 0xffff));
      memory.write32(IDT + 13 * 8 + 4, (at & 0xffff0000) | 0x8e00);
    },
  );
});

it('runs no instruction on that the dirty bit of its own page walk has changed', () => {
  // The entry of 610000h in the table at 3000h is the operand of this MOV, which compiled code knows as a constant.
  expectSame(
    `
  mov ecx, 6000
  mov ebp, 0x1000
  xor edx, edx
  mov esi, code
  mov edi, 0x3820
  push ecx
  mov ecx, code_end - code
  rep movsb
  pop ecx
  mov eax, 0x3820
  jmp eax
align 32
code:
  mov cr3, ebp
  mov ebx, 0x400000
  cmp ecx, 7
  jne usual
  mov ebx, 0x610000
usual:
  mov [ebx], ecx
times 31 - ($ - code) nop
  db 0xb8
  dd 0x61021 | 6
  mov ebx, 40
busy:
  add edx, eax
  rol edx, 1
  dec ebx
  jnz busy
  dec ecx
  jnz code
  hlt
code_end:`,
    ({ memory }) => memory.write32(0x3000, 0x60000 | PRESENT),
  );
});
