// Both engines under paging: page faults out of compiled loops, accessed and dirty bits, INVLPG and CR3 loads, a store into
// the page of the code itself, all with the same state and cycles wherever the run is cut.
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { assemble } from '../../assembler/assemble.ts';
import { costModel } from '../../cost/processors.ts';
import { Stop } from '../cpu/cpu.ts';
import { executionOf, run } from '../cpu/execute.ts';
import { getFlags } from '../cpu/flags.ts';
import { TestMachine } from '../cpu/test-machine.ts';
import type { Engine } from './engine.ts';
import './provide.ts';

const CODE = 0x10000;

/**
 * Pages at 400000h lie on memory at 40000h on. The loop walks over them with a stride; pages that are not there are mapped
 * by the handler, and every 64th round all are taken away again, by INVLPG or by CR3; sometimes their dirty bits, too. What
 * is done always makes the region walk for its operands itself.
 */
interface Tables {
  /** Flags of an entry at the beginning, and what is taken from it now and then. */
  readonly flags: number;
  readonly away: number;
  /** CR0.WP, CR4.PGE. */
  readonly protect: boolean;
  readonly globals: boolean;
}

const source = (stride: number, flush: string, always: string, rounds: number, tables: Tables) => `
bits 32
org ${CODE}
  lidt [idtr]
  mov eax, 0x1000
  mov cr3, eax
  mov eax, cr0
  or eax, ${tables.protect ? 0x80010000 : 0x80000000}
  mov cr0, eax
  mov eax, ${tables.globals ? 0x80 : 0}
  mov cr4, eax
  mov ecx, ${rounds}
  xor edi, edi
round:
  ${always}
  mov eax, [0x400000 + edi]
  add eax, ecx
  rol eax, 7
  mov [0x400000 + edi], eax
  inc dword [0x400000 + edi]
patched:
  mov dl, 1
  add al, dl
  push eax
  adc [esp], edi
  pop edx
  inc dword [count]
  add edi, ${stride}
  and edi, 0xfffc
  test ecx, 63
  jnz keep
  call away
keep:
  dec ecx
  jnz round
  hlt
away:
  cmp ecx, 600
  ja same
  xor byte [patched + 1], 3
same:
  mov ebx, 16
next:
  mov eax, ecx
  shr eax, 6
  and eax, 1
  shl eax, 6
  or eax, ${tables.away}
  not eax
  and [0x3000 + ebx * 4 - 4], eax
  ${flush}
  dec ebx
  jnz next
  ret
fault:
  push eax
  push ecx
  mov ecx, cr2
  shr ecx, 12
  and ecx, 15
  mov eax, [esp + 8]
  and eax, 2
  inc eax
  or [0x3000 + ecx * 4], eax
  inc dword [faults]
  pop ecx
  pop eax
  add esp, 4
  iret
count: dd 0
faults: dd 0
align 8
idtr: dw 0x7ff
  dd 0x4000
`;

function finish(
  code: Uint8Array,
  flags: number,
  handler: number,
  compiled: boolean,
  slices: readonly number[],
) {
  const m = new TestMachine(0x80000, costModel('merom')).flat(code, CODE);
  const { memory, cpu } = m;
  cpu.compiledAllowed = compiled;
  memory.write32(0x1000, 0x2007);
  memory.write32(0x1004, 0x3007);
  for (let n = 0; n < 0x80; n++) memory.write32(0x2000 + n * 4, (n << 12) | 7);
  for (let n = 0; n < 16; n++) memory.write32(0x3000 + n * 4, ((0x40 + n) << 12) | flags);
  m.interruptGate(0x4000, 14, handler);
  m.flatDescriptors(0x5000);
  let stop: number = Stop.budget;
  for (let n = 0; stop === Stop.budget && n < 100_000; n++)
    stop = run(cpu, cpu.cycles + slices[n % slices.length]);
  return {
    state: {
      stop,
      regs: [...cpu.regs],
      flags: getFlags(cpu),
      eip: cpu.eip,
      cr2: cpu.cr2,
      cycles: cpu.cycles,
      instructions: cpu.instructions,
      memory: Buffer.from(memory.bytes).toString('base64'),
    },
    regions: (executionOf(cpu).engine as Engine | null)?.compiled ?? 0,
  };
}

it('faults, walks and flushes as the interpreter does', () => {
  let regions = 0;
  fc.assert(
    fc.property(
      fc.nat(0x3fff).map((n) => n * 4 + 4),
      fc.constantFrom('mov eax, ebx\n shl eax, 12\n invlpg [0x3ff000 + eax]', 'mov eax, cr3\n mov cr3, eax'),
      fc.constantFrom(
        '',
        'mov ebx, cr3\n mov cr3, ebx',
        // Pages of one place in the TLB.
        'mov esi, 4\nagain:\n add [0x6000], ecx\n add [0x406000], ecx\n dec esi\n jnz again',
        'mov ebx, cr3\n xor ebx, 8\n mov cr3, ebx\n add [0x408000 + edx * 0], ecx',
        'mov ebx, cr3\n mov cr3, ebx\n add [0x400000 + edi], ecx\n inc dword [count]',
      ),
      fc.array(fc.integer({ min: 1, max: 30_000 }), { minLength: 1, maxLength: 4 }),
      fc.record({
        flags: fc.constantFrom(6, 6, 2, 4, 0x66, 0x62, 0x166, 0x26, 0x105),
        away: fc.constantFrom(1, 1, 0x40, 0x60, 2, 3, 0x21, 0x61, 0x43, 0x101),
        protect: fc.boolean(),
        globals: fc.boolean(),
      }),
      (stride, flush, always, slices, tables) => {
        const { bytes, symbols, diagnostics } = assemble(
          new Map([['p.asm', source(stride, flush, always, 3000, tables)]]),
          'p.asm',
        );
        expect(diagnostics.map((d) => d.message)).toEqual([]);
        const handler = symbols.get('fault')!;
        const compiled = finish(bytes, tables.flags, handler, true, [...slices, 200_000]);
        const plain = finish(bytes, tables.flags, handler, false, [1_000_000]);
        expect(plain.state.stop).toBe(Stop.halted);
        expect(compiled.state).toEqual(plain.state);
        regions += compiled.regions;
      },
    ),
    { numRuns: 40, seed: 1 },
  );
  expect(regions).toBeGreaterThan(35);
});
