// INT and IRET within compiled code, and control that goes from page to page: the same state, cycles and trace as with the
// interpreter, while the handler changes at random what a transfer goes by: descriptors, the TSS, the IDT, page tables,
// flags in the frame, segments, an interrupt that waits for IF, code.
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { assemble } from '../../assembler/assemble.ts';
import { costModel } from '../../cost/processors.ts';
import { Attention, Stop } from '../cpu/cpu.ts';
import { executionOf, run } from '../cpu/execute.ts';
import { getFlags } from '../cpu/flags.ts';
import { TestMachine } from '../cpu/test-machine.ts';
import type { Engine } from './engine.ts';
import './provide.ts';

const CODE = 0x10000;
/** A byte written to this port raises an interrupt. */
const RAISE = 0x10;
/** A port that tells the time, and one that notes it. */
const CLOCK = 0x40;
const NOTE = 0x80;

const RELOAD = 'mov ebx, cr3\n mov cr3, ebx';
/** What the handler may do, seldom. EBX is its own; the frame is at ESP + 8. */
const PRANKS: Readonly<Record<string, string>> = {
  nothing: '',
  'available bit of user data': 'xor byte [gdt + 0x20 + 6], 0x10',
  'available bit of kernel code': 'xor byte [gdt + 8 + 6], 0x10',
  'available bit of the inner stack': 'xor byte [gdt + 0x10 + 6], 0x10',
  'limit of the inner stack': 'xor byte [gdt + 0x10 + 6], 0x01',
  'another stack': 'xor dword [tss + 4], 0x1000 ',
  'another gate': 'mov bx, [idt + 0x80 * 8]\n xchg bx, [spare_gate]\n mov [idt + 0x80 * 8], bx',
  'a trap gate': 'xor byte [idt + 0x80 * 8 + 5], 1',
  'another table': 'mov ebx, [idtr + 2]\n xchg ebx, [spare_idt]\n mov [idtr + 2], ebx\n lidt [idtr]',
  'a table again': 'lgdt [gdtr]\n lidt [idtr]',
  'an interrupt that waits': `cli\n mov al, 1\n out ${RAISE}, al`,
  'an interrupt now': `sti\n mov al, 1\n out ${RAISE}, al\n nop`,
  'an interrupt if it may': `mov al, 1\n out ${RAISE}, al`,
  'its flags': 'pushf\n pop ebx\n add [calls], ebx',
  'IF in the frame': 'xor dword [esp + 16], 0x200',
  'carry in the frame': 'xor dword [esp + 16], 0x8d5',
  'IOPL in the frame': 'xor dword [esp + 16], 0x3000',
  'a step': 'or dword [esp + 16], 0x100',
  'RF in the frame': 'or dword [esp + 16], 0x10000',
  'AC in the frame': 'xor dword [esp + 16], 0x40000',
  'NT for a moment': 'pushf\n or dword [esp], 0x4000\n popf\n pushf\n and dword [esp], ~0x4000\n popf',
  'a data segment of its own': 'mov bx, 0x10\n mov fs, bx',
  'a data segment for all': 'mov bx, 0x23\n mov fs, bx',
  'another base': 'mov bx, gs\n xor bx, 0x18\n mov gs, bx',
  'another page of code':
    'mov ecx, tail\n shr ecx, 12\n mov ebx, [0x2000 + ecx * 4]\n xchg ebx, [spare_page]\n mov [0x2000 + ecx * 4], ebx\n invlpg [tail]',
  'INVLPG of the stack': 'invlpg [esp]',
  'INVLPG of the tables': 'invlpg [gdt]\n invlpg [tss]',
  'another address space': RELOAD,
  'the page of its data is the kernel’s': `xor dword [data_entry], 4\n ${RELOAD}`,
  'the page of its data is read-only': `xor dword [data_entry], 2\n ${RELOAD}`,
  'the page of its data is untouched': `and dword [data_entry], ~0x60\n ${RELOAD}`,
  'an interrupt of its own': 'int 0x81',
  'other code': 'xor byte [patched + 1], 3',
  'another function': 'mov ebx, [pointer]\n xchg ebx, [spare]\n mov [pointer], ebx',
  'memory far away': 'add [0x50000], ebx\n add [0x450000], ebx',
};

/** What the handler does, and in one of how many calls. */
type Prank = readonly [name: string, every: number];

const source = (pranks: readonly Prank[], rounds: number) => `
bits 32
org ${CODE}
data equ 0x36000
data_entry equ 0x2000 + (data >> 12) * 4
  lgdt [gdtr]
  lidt [idtr]
  jmp 8:here
here:
  mov ax, 0x30
  ltr ax
  mov eax, 0x1000
  mov cr3, eax
  mov eax, cr0
  or eax, 0x80000000
  mov cr0, eax
  mov ax, 0x23
  mov ds, ax
  mov es, ax
  mov gs, ax
  push 0x23
  push 0x34000
  push 0x202
  push 0x1b
  push user
  iret
gdt: dq 0, 0x00cf9b000000ffff, 0x00cf93000000ffff, 0x00cffb000000ffff, 0x00cff3000000ffff, 0
tss_descriptor: dq 0
  dq 0x00cff3000100ffff
gdtr: dw 0x3f
  dd gdt
align 8
tss: dd 0, 0x32000, 0x10
  times 23 dd 0
idtr: dw 0x7ff
  dd idt
calls: dd 0
pointer: dd f
spare: dd g
spare_gate: dd 0
spare_idt: dd idt_2
spare_page: dd 0
align 4096
; The kernel: another page.
handler:
  push ebx
  push ecx
  inc dword [calls]
  adc eax, [calls]
  call kernel_function
  mov ebx, [calls]
${pranks
  .map(
    ([name, every], n) => `  lea ecx, [ebx + ${n * 7}]
  and ecx, ${every - 1}
  jnz over${n}
  ${PRANKS[name]}
over${n}:`,
  )
  .join('\n')}
  pop ecx
  pop ebx
  iret
other:
  add eax, 77
  rol eax, 3
  cmp eax, edx
  iret
same_ring:
  push eax
  inc dword [calls]
  pop eax
  iret
interrupt:
  push eax
  add dword [calls], 5
  pop eax
  iret
page_fault:
  or dword [data_entry], 6
  inc dword [calls]
  add esp, 4
  iret
step:
  and dword [esp + 8], ~0x100
  iret
fatal:
  hlt
idt: times 256 dq 0
idt_2: times 256 dq 0
align 4096
kernel_function:
  add eax, [gs:calls]
  push edx
  push eax
  mov edx, ${CLOCK}
  in ax, dx
  out ${NOTE}, al
  movzx ebx, ax
  pop eax
  pop edx
  add [calls], ebx
  imul ebx, eax, 12345
  xor eax, ebx
  ret
align 4096
user:
  mov ecx, ${rounds}
round:
  mov eax, ecx
  int 0x80
  pushf
  pop ebx
  and ebx, 0x8d5
  add edx, ebx
  add [data], edx
  call f
  call [pointer]
  xor edx, eax
  dec ecx
  jnz round
  int 0x82
align 4096
f:
  lea eax, [eax * 2 + 1]
patched:
  mov bl, 1
  add al, bl
  jmp tail
g:
  sub eax, ecx
  ret
align 4096
; Long enough for the way to be worth it, and to be sampled.
tail:
  mov bl, 20
shorter:
  ror eax, 5
  add eax, ecx
  dec bl
  jnz shorter
  ret
align 4096
  mov bl, 20
longer:
  rol eax, 2
  add eax, [gs:calls]
  dec bl
  jnz longer
  ret
`;

function finish(
  code: Uint8Array,
  symbols: ReadonlyMap<string, number>,
  compiled: boolean,
  slices: readonly number[],
) {
  const m = new TestMachine(0x80000, costModel('merom')).flat(code, CODE);
  const { memory, cpu } = m;
  cpu.compiledAllowed = compiled;
  m.recorder.hashing = true;
  let noted = 0;
  m.bus.read = (port) => (port === CLOCK ? cpu.cycles & 0xffff : 0xff);
  m.bus.write = (port, value) => {
    noted = Math.imul(noted ^ cpu.cycles ^ (value << 16), 0x01000193);
    if (port !== RAISE) return;
    m.pin.vector = 0x40 + value;
    cpu.attention |= Attention.event;
  };
  memory.write32(0x1000, 0x2007);
  memory.write32(0x1004, 0x2007);
  for (let n = 0; n < 0x80; n++) memory.write32(0x2000 + n * 4, (n << 12) | 7);
  const gate = (vector: number, name: string, type: number) => {
    for (const idt of [symbols.get('idt')!, symbols.get('idt_2')!]) {
      const at = symbols.get(vector === 0x80 && idt !== symbols.get('idt') ? 'other' : name)!;
      memory.write32(idt + vector * 8, (8 << 16) | (at & 0xffff));
      memory.write32(idt + vector * 8 + 4, (at & 0xffff0000) | type);
    }
  };
  memory.write32(symbols.get('spare_page')!, (symbols.get('tail')! + 0x1000) | 7);
  const tss = symbols.get('tss')!;
  memory.write32(symbols.get('tss_descriptor')!, (tss << 16) | 0x67);
  memory.write32(symbols.get('tss_descriptor')! + 4, 0x8900 | (tss >>> 16));
  memory.write32(symbols.get('spare_gate')!, symbols.get('other')! & 0xffff);
  for (let vector = 0; vector < 32; vector++) gate(vector, 'fatal', 0x8e00);
  gate(1, 'step', 0x8e00);
  gate(14, 'page_fault', 0x8e00);
  gate(0x80, 'handler', 0xee00);
  gate(0x81, 'same_ring', 0xee00);
  gate(0x82, 'fatal', 0xee00);
  gate(0x41, 'interrupt', 0x8e00);
  let stop: number = Stop.budget;
  for (let n = 0; stop === Stop.budget && n < 100_000; n++)
    stop = run(cpu, cpu.cycles + slices[n % slices.length]);
  return {
    state: {
      stop,
      regs: [...cpu.regs],
      segments: cpu.segments.map((s) => `${s.selector} ${s.base} ${s.limit} ${s.access}`),
      cpl: cpu.cpl,
      flags: getFlags(cpu),
      eip: cpu.eip,
      cycles: cpu.cycles,
      instructions: cpu.instructions,
      noted,
      events: m.recorder.next,
      hash: m.recorder.hash,
      memory: Buffer.from(memory.bytes).toString('base64'),
    },
    engine: executionOf(cpu).engine as Engine | null,
  };
}

it('goes through gates, returns and other pages as the interpreter does', () => {
  let transfers = 0;
  let calls = 0;
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.constantFrom(...Object.keys(PRANKS)), fc.constantFrom(1, 8, 16, 64, 256)), {
        minLength: 1,
        maxLength: 6,
      }),
      fc.array(fc.integer({ min: 1, max: 30_000 }), { minLength: 1, maxLength: 4 }),
      (pranks: Prank[], slices: number[]) => {
        const text = source(pranks, 1500);
        const { bytes, symbols, diagnostics } = assemble(new Map([['p.asm', text]]), 'p.asm');
        expect(diagnostics.map((d) => d.message)).toEqual([]);
        const plain = finish(bytes, symbols, false, [1_000_000]);
        expect(plain.state.stop).toBe(Stop.halted);
        const compiled = finish(bytes, symbols, true, [...slices, 200_000]);
        expect(compiled.state).toEqual(plain.state);
        transfers += compiled.engine?.links.transfers ?? 0;
        calls += 1500;
      },
    ),
    {
      numRuns: Number(process.env.ENGINE_RUNS ?? 40),
      seed: Number(process.env.ENGINE_SEED ?? 1),
      // The program walks for itself behind each call.
      examples: ['the kernel’s', 'read-only', 'untouched'].map((how): [Prank[], number[]] => [
        [
          ['another address space', 1],
          [`the page of its data is ${how}`, 64],
        ],
        [30_000],
      ]),
    },
  );
  // Of two in a round, many are done without the interpreter.
  expect(transfers).toBeGreaterThan(calls / 2);
});
