// Blocks that lead anywhere: loops with several ways in, heads that are called, returned to or reached by LOOP and JECXZ,
// calls without returns, ports, INVLPG, CR3 and page faults in between. Both engines, with what there is to see at each cut.
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
const STACK = 0x70000;
const PORT = 0x40;
const GDT = 0x5000;
const IDT = 0x4000;
const RUNS = Number(process.env.ENGINE_RUNS ?? 60);

const PLAIN = [
  'add eax, ebx',
  'adc edx, ecx',
  'sbb ebx, eax',
  'cmp esi, edi',
  'inc edx',
  'dec esi',
  'dec byte [data + 5]',
  'shl eax, 3',
  'shr edx, cl',
  'rol ebx, 5',
  'ror ax, 1',
  'setc al',
  'setp bl',
  'cmovo eax, ebx',
  'neg ebx',
  'test eax, edx',
  'lea ecx, [ecx + 3]',
  'mov ecx, 5',
  'imul eax, ebx',
  'xor edi, eax',
  'add [data], edx',
  'mov ebx, [data + 4]',
  'mov [data + 8], eax',
  'invlpg [eax]',
  'invlpg [0x400000]',
  'mov ebp, cr3\n mov cr3, ebp',
  'mov eax, cr2',
  'add [0x400000], ecx',
  'add edx, [0x400004]',
  'push dword [0x400004]\n pop ebp',
  // Dirty, accessed, present, writable: taken and given.
  'xor byte [0x3000], 0x40',
  'xor byte [0x3000], 0x20',
  'xor byte [0x3000], 1',
  'xor byte [0x3000], 2',
  `in al, ${PORT}`,
  `out ${PORT}, al`,
];
const CONDITIONS = ['o', 'b', 'z', 'be', 's', 'p', 'l', 'le', 'no', 'ae', 'nz', 'a', 'ns', 'np', 'ge', 'g'];

/** One block: where among its instructions it looks whether it is time to end, and how it goes on. */
const block = fc.record({
  lines: fc.array(fc.constantFrom(...PLAIN), { maxLength: 5 }),
  looks: fc.nat(5),
  how: fc.constantFrom('jcc', 'jcc', 'jcc', 'jmp', 'call', 'ret', 'next', 'loop', 'jecxz', 'indirect'),
  condition: fc.constantFrom(...CONDITIONS),
  to: fc.nat(100),
});
type Block = typeof block extends fc.Arbitrary<infer T> ? T : never;

/** LOOP and JECXZ do not reach far: they go over a jump. */
const leaving = ({ how, condition, to }: Block, n: number, count: number): string => {
  const target = `b${to % count}`;
  switch (how) {
    case 'jcc':
      return `j${condition} near ${target}`;
    case 'jmp':
    case 'call':
      return `${how} near ${target}`;
    case 'indirect':
      return `mov ebp, ${target}\n jmp ebp`;
    case 'ret':
      return 'ret';
    case 'next':
      return '';
    default:
      return `${how} s${n}\n jmp short t${n}\ns${n}: jmp near ${target}\nt${n}:`;
  }
};

const source = (blocks: readonly Block[], steps: number) => `
bits 32
org ${CODE}
again:
  mov esp, ${STACK}
  dec dword [rounds]
  js near finished
${blocks
  .map((b, n) => {
    const lines = [...b.lines];
    lines.splice(Math.min(b.looks, lines.length), 0, `dec dword [steps]\n js near finished`);
    return `b${n}:\n ${lines.join('\n ')}\n ${leaving(b, n, blocks.length)}`;
  })
  .join('\n')}
  jmp again
finished:
  hlt
fault:
  or dword [0x3000], 3
  add esp, 4
  iret
align 4096
rounds: dd ${steps}
steps: dd ${steps}
data: times 8 dd 0x12345678`;

function finish(
  bytes: Uint8Array,
  symbols: ReadonlyMap<string, number>,
  compiled: boolean,
  slices: readonly number[],
) {
  const m = new TestMachine(0x80000, costModel('merom')).flat(bytes, CODE);
  const { cpu, memory } = m;
  cpu.compiledAllowed = compiled;
  // A RET that nothing was called for begins again.
  for (let at = STACK; at < STACK + 0x1000; at += 4) memory.write32(at, symbols.get('again')!);
  const fault = symbols.get('fault')!;
  m.flatDescriptors(GDT);
  m.interruptGate(IDT, 14, fault);
  Object.assign(cpu.idtr, { base: IDT, limit: 0x7ff });
  memory.write32(0x1000, 0x2067);
  memory.write32(0x1004, 0x3067);
  for (let n = 0; n < 0x80; n++) memory.write32(0x2000 + n * 4, (n << 12) | 0x67);
  memory.write32(0x3000, 0x60067);
  cpu.cr3 = 0x1000;
  cpu.cr0 = 0x80010011 | 0;
  cpu.tlb.flush();
  let trail = 0;
  const note = (seen: number) => {
    trail = Math.imul(trail ^ seen, 0x01000193);
  };
  m.bus.read = () => cpu.cycles & 0xff;
  m.bus.write = (_, value) => note(cpu.cycles ^ value);
  let stop: number = Stop.budget;
  for (let n = 0; stop === Stop.budget && n < 100_000; n++) {
    stop = run(cpu, cpu.cycles + slices[n % slices.length]);
    for (const seen of [cpu.cycles, cpu.instructions, cpu.eip, getFlags(cpu), ...cpu.regs]) note(seen);
  }
  return {
    state: { stop, trail, cycles: cpu.cycles, instructions: cpu.instructions, regs: [...cpu.regs] },
    regions: (executionOf(cpu).engine as Engine | null)?.compiled ?? 0,
  };
}

it('runs any graph of blocks as the interpreter does, cut anywhere', () => {
  let regions = 0;
  fc.assert(
    fc.property(
      fc.array(block, { minLength: 2, maxLength: 14 }),
      fc.array(fc.integer({ min: 1, max: 9000 }), { minLength: 1, maxLength: 4 }),
      (blocks, slices) => {
        const text = source(blocks, 8000);
        const { bytes, symbols, diagnostics } = assemble(new Map([['p.asm', text]]), 'p.asm');
        expect(diagnostics.map((d) => d.message)).toEqual([]);
        const cuts = [...slices, 60_000];
        const compiled = finish(bytes, symbols, true, cuts);
        const plain = finish(bytes, symbols, false, cuts);
        expect(plain.state.stop).toBe(Stop.halted);
        expect(compiled.state).toEqual(plain.state);
        regions += compiled.regions;
      },
    ),
    { numRuns: RUNS, seed: Number(process.env.ENGINE_SEED ?? 1), endOnFailure: !process.env.ENGINE_SHRINK },
  );
  expect(regions).toBeGreaterThan(RUNS / 2);
});
