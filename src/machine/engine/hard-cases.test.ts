// Programs that once told the engines apart: each is about one thing that compiled code believed although it no longer held,
// or did twice. State, cycles and counts must be the interpreter's.
import { describe, expect, it } from 'vitest';
import { assemble } from '../../assembler/assemble.ts';
import { costModel } from '../../cost/processors.ts';
import { Stop } from '../cpu/cpu.ts';
import { executionOf, run } from '../cpu/execute.ts';
import { TestMachine } from '../cpu/test-machine.ts';
import type { Engine } from './engine.ts';
import './provide.ts';

/** In the page of the IDT: a processor that has read one has both at hand. */
const GDT = 0x4900;
const IDT = 0x4000;
const PRESENT = 0x67;

interface Case {
  readonly source: string;
  readonly org?: number;
  /** Where it lies in memory. */
  readonly at?: number;
  readonly bytes?: number;
  /** What lies in memory beside the program. */
  prepare(m: TestMachine, symbols: ReadonlyMap<string, number>): void;
}

function finish(
  { at = 0x10000, bytes = 0x80000, prepare }: Case,
  code: Uint8Array,
  symbols: ReadonlyMap<string, number>,
  compiled: boolean,
) {
  const m = new TestMachine(bytes, costModel('merom')).flat(code, at);
  const { cpu } = m;
  cpu.compiledAllowed = compiled;
  m.flatDescriptors(GDT);
  Object.assign(cpu.idtr, { base: IDT, limit: 0x7ff });
  prepare(m, symbols);
  let stop: number = Stop.budget;
  for (let n = 0; stop === Stop.budget && n < 3000; n++) stop = run(cpu, cpu.cycles + 200_000);
  const { cycles, instructions, eip, regs } = cpu;
  const engine = executionOf(cpu).engine as Engine | null;
  return { state: { stop, cycles, instructions, eip, regs: [...regs] }, regions: engine?.compiled ?? 0 };
}

function expectSame(one: Case): void {
  const text = `bits 32\norg ${one.org ?? 0x10000}\n${one.source}`;
  const { bytes, symbols, diagnostics } = assemble(new Map([['p.asm', text]]), 'p.asm');
  expect(diagnostics.map((d) => d.message)).toEqual([]);
  const plain = finish(one, bytes, symbols, false);
  expect(plain.state.stop).toBe(Stop.halted);
  const compiled = finish(one, bytes, symbols, true);
  expect(compiled.state).toEqual(plain.state);
  expect(compiled.regions).toBeGreaterThan(0);
}

function gate({ memory }: TestMachine, vector: number, at: number): void {
  memory.write32(IDT + vector * 8, (8 << 16) | (at & 0xffff));
  memory.write32(IDT + vector * 8 + 4, (at & 0xffff0000) | 0x8e00);
}

/** The first half megabyte mapped as it lies, by the directory at 1000h; the table at 3000h is for 400000h on. */
function mapped({ memory, cpu }: TestMachine): void {
  memory.write32(0x1000, 0x2000 | PRESENT);
  memory.write32(0x1004, 0x3000 | PRESENT);
  for (let n = 0; n < 0x80; n++) memory.write32(0x2000 + n * 4, (n << 12) | PRESENT);
  cpu.cr3 = 0x1000;
  cpu.cr0 = 0x80000011 | 0;
  cpu.tlb.flush();
}

describe('compiled code is not told apart', () => {
  it('by a gate of protected mode when the processor is in real mode, with a CS that is still flat', () => {
    expectSame({
      org: 0x8000,
      at: 0x8000,
      source: `
  times 3 int 0x20
  mov eax, cr0
  and eax, ~1
  mov cr0, eax
  jmp 0:real
real:
  mov ecx, 6000
round:
  add esi, 3
  xor edi, esi
  add edi, ecx
  int 0x20
  add esi, edx
  xor edi, esi
  dec ecx
  jnz round
  hlt
handler:
  add edx, 1
  iret
real_handler:
  add edx, 0x10000
  o16 iret`,
      prepare: (m, symbols) => {
        gate(m, 0x20, symbols.get('handler')!);
        m.memory.write32(IDT + 0x20 * 4, symbols.get('real_handler')!);
      },
    });
  });

  it('by the charge of a page walk when the first instruction then needs the interpreter', () => {
    const around = (access: string) => `
  mov ecx, 6000
  mov ebp, 0x1000
  mov esp, room + 64
round:
  mov cr3, ebp
  test ecx, 1
  jz over
  invlpg [0x400000]
over:
  ${access}
  add edx, eax
  add esi, edx
  xor edi, esi
  add esi, 3
  dec ecx
  jnz round
  hlt
align 64
room: times 16 dd 0`;
    for (const [access, frame] of [
      ['mov eax, [0x400000]', 0x100000],
      ['mov [0x400800], eax', 0x10000],
      // One operand can be walked for, the other lies beside code.
      ['push dword [0x400000]\n pop eax', 0x20000],
    ] as const)
      expectSame({
        source: around(access),
        prepare: (m) => {
          mapped(m);
          m.memory.write32(0x3000, frame | PRESENT);
        },
      });
  });

  it('by an entry without a dirty bit whose page has gone from the tables since', () => {
    expectSame({
      source: `
  mov ecx, 6000
  mov ebp, 0x1000
round:
  mov cr3, ebp
  mov dword [0x3000], 0x40027
  mov eax, [0x400000]
  test ecx, 15
  jnz keep
  mov dword [0x3000], 0
keep:
  nop
  mov [0x400000], ecx
  dec ecx
  jnz round
  hlt
fault:
  mov dword [0x3000], 0x40027
  add esp, 4
  iret`,
      prepare: (m, symbols) => {
        mapped(m);
        gate(m, 14, symbols.get('fault')!);
      },
    });
  });

  it('by a large page with reserved bits that MOV CR3 brings for the next instruction', () => {
    expectSame({
      org: 0x410000,
      source: `
  mov ecx, 6000
round:
  cpuid
  mov ecx, [count]
  mov ebx, [cr]
  add esi, 3
  xor edi, esi
  add edi, esi
  mov cr3, ebx
  add esi, 7
  xor edi, esi
  dec ecx
  mov [count], ecx
  jnz round
  mov dword [cr], 0x6000
  mov dword [count], 1
  jmp round
count: dd 6000
cr: dd 0x1000`,
      prepare: (m) => {
        const { memory, cpu } = m;
        mapped(m);
        // MOV EAX, [ESP + 4]; HLT
        memory.load(0x7000, new Uint8Array([0x8b, 0x44, 0x24, 4, 0xf4]));
        gate(m, 14, 0x7000);
        memory.write32(0x1004, 0xe7);
        memory.write32(0x6000, 0x2000 | PRESENT);
        memory.write32(0x6004, 0x20e7);
        cpu.cr4 = 0x10;
        cpu.eip = 0x410000;
      },
    });
  });

  it('by how far REP STOS goes in a page of which only the compiler has decoded something', () => {
    expectSame({
      source: `
  mov ebp, 20
again:
  mov ecx, 10000
  call hot
  mov dword [data], 0x90909090
  invlpg [page]
  mov edi, page + 0x800
  mov ecx, 0x600
  rep stosb
  dec ebp
  jnz again
  hlt
align 4096
page:
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
data: dd 0x90909090
  jmp hot
align 4096
  nop`,
      prepare: () => {},
    });
  });

  it('by a page that had to make room for others while it was being run', () => {
    const calls = (name: string) => `
  mov ebp, 20000
${name}:
  mov ecx, 5
  call hot
  add esi, edx
  xor esi, ebp
  dec ebp
  jnz ${name}`;
    const sweep = (name: string, pages: number, loops: number) => `
  mov ebx, 0x100000
  mov edi, ${pages}
${name}:
  mov eax, ebx
  shr eax, 12
  and eax, 15
  cmp eax, 2
  jb ${name}_skip
  mov ecx, ${loops}
  call ebx
${name}_skip:
  add ebx, 0x1000
  dec edi
  jnz ${name}`;
    expectSame({
      bytes: 0x1000000,
      source: `
${calls('first')}
${sweep('make', 2500, 1)}
${sweep('heat', 640, 20000)}
${calls('second')}
  hlt
align 4096
hot:
  add edx, ecx
  rol edx, 7
  add edx, 3
  xor edx, ecx
  dec ecx
  jnz hot
  ret`,
      prepare: ({ memory }) => {
        // ADD EDX, ECX; DEC ECX; XOR EDX, ECX; INC EDX; TEST ECX, ECX; JNZ; RET
        const leaf = new Uint8Array([0x01, 0xca, 0x49, 0x31, 0xca, 0x42, 0x85, 0xc9, 0x75, 0xf6, 0xc3]);
        for (let n = 0; n < 2500; n++) memory.load(0x100000 + n * 0x1000, leaf);
      },
    });
  });
});
