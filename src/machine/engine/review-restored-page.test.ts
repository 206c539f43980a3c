// What a page that changes keeps, and what it must not keep.
import { describe, expect, it } from 'vitest';
import { assemble } from '../../assembler/assemble.ts';
import { costModel } from '../../cost/processors.ts';
import { executionOf } from '../cpu/execute.ts';
import { TestMachine } from '../cpu/test-machine.ts';
import type { Engine } from './engine.ts';
import { Links } from './links.ts';
import type { ModeHeat, PageHeat } from './page-heat.ts';
import './provide.ts';

const CODE = 0x10000;

function machineOf(source: string, bytes = 1 << 20) {
  const text = `bits 32\norg ${CODE}\n${source}`;
  const { bytes: code, symbols, diagnostics } = assemble(new Map([['p.asm', text]]), 'p.asm');
  expect(diagnostics.map((d) => d.message)).toEqual([]);
  const m = new TestMachine(bytes, costModel('merom')).flat(code, CODE);
  const at = (name: string) => symbols.get(name)!;
  const { cpu, memory } = m;
  const runFrom = (name: string, cycles: number) => {
    cpu.halted = false;
    cpu.eip = at(name);
    m.run(cycles);
  };
  const engine = () => executionOf(cpu).engine as Engine;
  const heat = (address = CODE): ModeHeat => {
    const { eip } = cpu;
    cpu.eip = address;
    const page = executionOf(cpu).code.open().page!;
    cpu.eip = eip;
    return (page.heat as PageHeat).supervisor;
  };
  return { m, cpu, memory, at, runFrom, engine, heat };
}

/** How often the interpreter goes into compiled code meanwhile. */
function countEntries(what: () => void): number {
  const { prepare } = Links.prototype;
  let count = 0;
  Links.prototype.prepare = function (...args) {
    count++;
    prepare.apply(this, args);
  };
  try {
    what();
  } finally {
    Links.prototype.prepare = prepare;
  }
  return count;
}

describe('what was known when the page changed is not lost', () => {
  /** Two loops: one over a jump through a table, the other of stores beside code. */
  const SOURCE = `
hot:
  mov ebp, one
again:
  mov ecx, 300
round:
  add eax, 1
  xor edx, eax
  xor ebp, esi
  jmp ebp
one:
  add eax, 2
  rol eax, 5
two:
  add edx, eax
  xor edx, ecx
  add edx, 7
  xor edx, eax
  dec ecx
  jnz round
  jmp again
seldom:
  mov ebx, 5
  hlt
`;
  it('a place that was jumped to, and was to become an entry', () => {
    const { m, cpu, memory, at, runFrom, heat, engine } = machineOf(SOURCE);
    runFrom('seldom', 100);
    runFrom('hot', 2_000_000);
    for (let n = 0; n < 100 && !heat().loopsToo; n++) m.run(100_000);
    expect([engine().kept, heat().loopsToo, heat().newTargets]).toEqual([1, true, false]);
    // Now the other way, until that is noted, and not compiled yet.
    cpu.regs[6] = at('one') ^ at('two');
    for (let n = 0; n < 1000 && !heat().newTargets; n++) m.run(1000);
    expect(heat().newTargets).toBe(true);
    memory.write8(at('seldom') + 1, 6);
    m.run(4_000_000);
    const hook = executionOf(cpu).code.open().table[at('two') & 0xfff]?.compiled;
    expect(hook ?? null).not.toBe(null);
  });

  it('stores that go beside code', () => {
    const { m, cpu, memory, at, runFrom, heat, engine } = machineOf(`
hot:
  mov ecx, 300
round:
  add eax, 1
  xor edx, eax
  mov [edi], edx
  rol edx, 3
  dec ecx
  jnz round
  jmp hot
seldom:
  mov ebx, 5
  hlt
align 64
variable: dd 0
`);
    runFrom('seldom', 100);
    cpu.regs[7] = 0x30000;
    runFrom('hot', 2_000_000);
    for (let n = 0; n < 100 && !heat().loopsToo; n++) m.run(100_000);
    expect([engine().kept, heat().loopsToo, heat().beside]).toEqual([1, true, false]);
    // Now it stores beside code, until that is known, and not compiled so yet.
    cpu.regs[7] = at('variable');
    for (let n = 0; n < 4000 && !heat().beside; n++) m.run(1000);
    expect(heat().beside).toBe(true);
    expect(heat().stale).toBe(true);
    memory.write8(at('seldom') + 1, 6);
    m.run(500_000);
    expect(engine().kept).toBe(1);
    // A round is about ten cycles.
    expect(countEntries(() => m.run(1_000_000))).toBeLessThan(1000);
  });
});

it('keeps no more functions than there are tables, those of changed pages with them', () => {
  const { cpu, memory, m } = machineOf('hlt', 16 << 20);
  const FIRST = 0x100000;
  // L: ADD EAX, ECX; XOR EDX, EAX; ROL EDX, 3; DEC ECX; JNZ L; HLT; MOV EBX, 5; HLT
  const code = [0x01, 0xc8, 0x31, 0xc2, 0xc1, 0xc2, 3, 0x49, 0x75, 0xf6, 0xf4, 0xbb, 5, 0, 0, 0, 0xf4];
  const pages = 560;
  for (let n = 0; n < pages; n++) {
    const page = FIRST + n * 4096;
    memory.load(page, new Uint8Array(code));
    const from = (offset: number) => {
      cpu.halted = false;
      cpu.eip = page + offset;
      cpu.regs[1] = 4000;
      m.run(1_000_000);
    };
    from(11);
    from(0);
    memory.write8(page + 12, 6);
    from(11);
  }
  const { pages: known } = executionOf(cpu).code as unknown as {
    pages: ({ heat: PageHeat | null } | null)[];
  };
  const functions = new Set<unknown>();
  for (const page of known) {
    const heat = page?.heat?.supervisor;
    for (const one of [heat?.compiled, heat?.earlier]) if (one) functions.add(one.region);
  }
  expect(functions.size).toBeLessThanOrEqual(512);
});

it('does not decode again what is not run any more and was written over', () => {
  const { m, cpu, at, runFrom, engine } = machineOf(`
start:
  mov edi, 0x30000
  mov ebp, 400
both:
  mov ecx, 3000
first:
  add eax, ecx
  xor edx, eax
  rol edx, 3
  dec ecx
  jnz first
  call second
  dec ebp
  jnz both
  hlt
align 256
; From here on the first loop is a buffer of the second one.
next:
  call second
  jmp next
align 64
second:
  mov ecx, 3000
inner:
  add eax, 3
  xor edx, eax
  rol edx, 3
  mov [edi], edx
  dec ecx
  jnz inner
  ret
`);
  runFrom('start', 40_000_000);
  expect([engine().kept, cpu.halted]).toEqual([1, true]);
  cpu.regs[7] = at('first');
  runFrom('next', 1_000_000);
  expect(engine().kept).toBe(1);
  // A round is about ten cycles.
  expect(countEntries(() => m.run(1_000_000))).toBeLessThan(1000);
});

it('keeps no more hot places of a page than it may', () => {
  const { m, memory, at, runFrom, heat } = machineOf(`
hot:
${Array.from({ length: 500 }, (_, n) => `  add eax, ${0x1000000 + n}`).join('\n')}
  dec ecx
  jmp near hot
`);
  runFrom('hot', 1_000_000);
  let most = 0;
  for (let n = 0; n < 150; n++) {
    memory.write8(at('hot') + 1, n);
    // Not stopped for being compiled too often: that takes its time.
    heat().compiles = 0;
    m.run(150_000 + n * 61);
    most = Math.max(most, heat().starts.size);
  }
  expect(most).toBeLessThanOrEqual(65);
});
