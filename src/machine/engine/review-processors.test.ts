// Two processors on one memory, each with a TLB and compiled code of its own: what one decodes, stores into and patches is
// what the other runs. Both engines, turn by turn.
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { assemble } from '../../assembler/assemble.ts';
import { costModel } from '../../cost/processors.ts';
import { Recorder } from '../../trace/recorder.ts';
import { Cpu, Stop } from '../cpu/cpu.ts';
import { executionOf, run } from '../cpu/execute.ts';
import { reset } from '../cpu/reset.ts';
import { TestMachine } from '../cpu/test-machine.ts';
import type { Engine } from './engine.ts';
import './provide.ts';

const CODE = 0x10000;

/** Both run the same loop from different pages, and disturb each other's, and the one that both call, by the way. */
const loop = (name: string, other: string, disturbs: string) => `
align 4096
${name}:
  mov ecx, 3000
  mov ebp, 0x1000
${name}_round:
  test ecx, 3
  jnz ${name}_same
  mov cr3, ebp
${name}_same:
  call f
  add edx, eax
  mov [shared], edx
  inc dword [${other}_counter]
  add eax, [${name}_counter]
  add [0x400000], eax
  test ecx, 255
  jnz ${name}_keep
  ${disturbs}
${name}_keep:
  mov ebx, 7
${name}_busy:
  rol eax, 3
${name}_patched:
  add eax, 0x11
  xor edx, eax
  dec ebx
  jnz ${name}_busy
  dec ecx
  jnz ${name}_round
  hlt
align 32
${name}_counter: dd 0`;

const source = (one: string, two: string) => `
bits 32
org ${CODE}
${loop('a', 'b', one)}
${loop('b', 'a', two)}
align 4096
f:
  lea eax, [eax + ecx]
f_patched:
  xor eax, 0x12345678
  ret
align 64
shared: dd 0
; Run by nobody at first.
late:
  add eax, 5
  ret`;

const DISTURBANCES = [
  'nop',
  'inc byte [f_patched + 1]',
  'inc byte [a_patched + 2]',
  'inc byte [b_patched + 2]',
  'call late',
  'call late\n inc byte [late + 2]',
  'xor byte [0x3000], 0x40\n mov cr3, ebp',
  'mov dword [0x3000], 0x61067\n invlpg [0x400000]',
];

function finish(
  bytes: Uint8Array,
  symbols: ReadonlyMap<string, number>,
  compiled: boolean,
  slices: readonly number[],
) {
  const m = new TestMachine(0x80000, costModel('merom')).flat(bytes, CODE);
  const { memory } = m;
  const second = new Cpu(memory, m.cpu.cost, new Recorder(16), m.bus, m.pin);
  reset(second);
  memory.write32(0x1000, 0x2067);
  memory.write32(0x1004, 0x3067);
  for (let n = 0; n < 0x80; n++) memory.write32(0x2000 + n * 4, (n << 12) | 0x67);
  memory.write32(0x3000, 0x60067);
  const cpus = [m.cpu, second];
  cpus.forEach((cpu, n) => {
    cpu.segments.forEach((s, k) => Object.assign(s, { ...m.cpu.segments[k] }));
    cpu.cr3 = 0x1000;
    cpu.cr0 = 0x80000011 | 0;
    cpu.tlb.flush();
    cpu.regs[4] = 0x70000 + n * 0x4000;
    cpu.eip = symbols.get(n === 0 ? 'a' : 'b')!;
    cpu.compiledAllowed = compiled;
  });
  const stops: number[] = [Stop.budget, Stop.budget];
  for (let n = 0; stops.includes(Stop.budget) && n < 20_000; n++) {
    const which = n & 1;
    if (stops[which] !== Stop.budget) continue;
    const cpu = cpus[which];
    stops[which] = run(cpu, cpu.cycles + slices[n % slices.length]);
  }
  return {
    state: {
      stops,
      cpus: cpus.map((c) => [c.cycles, c.instructions, c.eip, ...c.regs]),
      memory: Buffer.from(memory.bytes).toString('base64'),
    },
    regions: cpus.map((cpu) => (executionOf(cpu).engine as Engine | null)?.compiled ?? 0),
  };
}

it('runs two processors as the interpreter does, turn by turn', () => {
  let regions = 0;
  fc.assert(
    fc.property(
      fc.constantFrom(...DISTURBANCES),
      fc.constantFrom(...DISTURBANCES),
      fc.array(fc.integer({ min: 100, max: 40_000 }), { minLength: 1, maxLength: 3 }),
      (one, two, turns) => {
        const { bytes, symbols, diagnostics } = assemble(new Map([['p.asm', source(one, two)]]), 'p.asm');
        expect(diagnostics.map((d) => d.message)).toEqual([]);
        const slices = [...turns, 50_000];
        const plain = finish(bytes, symbols, false, slices);
        expect(plain.state.stops).toEqual([Stop.halted, Stop.halted]);
        const compiled = finish(bytes, symbols, true, slices);
        expect(compiled.state).toEqual(plain.state);
        regions += Math.min(...compiled.regions);
      },
    ),
    { numRuns: 20, seed: Number(process.env.ENGINE_SEED ?? 1), endOnFailure: true },
  );
  expect(regions).toBeGreaterThan(10);
});
