// `bench soak`: a guest that writes code, runs it hot and writes other code in its place, in a thousand pages in turn, for as
// long as was asked. What the engine keeps of all that must stay within its bound, and the process must not grow.
import type { Engine } from '../machine/engine/engine.ts';
import '../machine/engine/provide.ts';
import { assemble } from '../assembler/assemble.ts';
import { costModel } from '../cost/processors.ts';
import { executionOf } from '../machine/cpu/execute.ts';
import { TABLES } from '../machine/memory/store.ts';
import { Pc } from '../machine/pc.ts';
import { Recorder } from '../trace/recorder.ts';

export interface SoakResult {
  readonly seconds: number;
  /** Guest instructions. */
  readonly instructions: number;
  /** Functions compiled in all, most that were kept at one time, and how many may be. */
  readonly compiled: number;
  readonly mostKept: number;
  readonly bound: number;
  /** Resident memory of the process in bytes: at the end of the first fifth of the time, and the most after that. */
  readonly early: number;
  readonly most: number;
}

const ORIGIN = 0x10000;
const MEMORY = 64 << 20;
/** Cycles between two looks. */
const SLICE = 20_000_000;

/** Writes `mov ecx, 3000; l: add eax, ESI; dec ecx; jnz l; ret` into page ESI mod 2000 from 1 MiB on, and calls it. */
const SOURCE = `
bits 32
org ${ORIGIN}
next:
  mov eax, esi
  xor edx, edx
  mov ecx, 2000
  div ecx
  mov edi, edx
  shl edi, 12
  add edi, 0x100000
  mov byte [edi], 0xb9
  mov dword [edi + 1], 3000
  mov byte [edi + 5], 0x05
  mov [edi + 6], esi
  mov dword [edi + 10], 0xc3f87549
  mov ebp, 20
again:
  call edi
  dec ebp
  jnz again
  inc esi
  jmp next
`;

/** The machine with the program, as a multiboot loader would leave it: flat segments, protected mode. */
export function soakMachine(): Pc {
  const pc = new Pc(costModel('merom'), new Recorder(), MEMORY, { startDate: '2005-08-23T09:41:00' });
  const { bytes, diagnostics } = assemble(new Map([['soak.asm', SOURCE]]), 'soak.asm');
  if (bytes.length === 0) throw new Error(diagnostics.map((d) => d.message).join('; '));
  pc.memory.load(ORIGIN, bytes);
  const { cpu } = pc;
  cpu.cr0 |= 1;
  cpu.segments.slice(0, 6).forEach((s, n) => {
    s.selector = n === 1 ? 8 : 16;
    s.base = 0;
    s.limit = 0xffffffff;
    s.access = n === 1 ? 0xc09b : 0xc093;
  });
  cpu.eip = ORIGIN;
  cpu.regs[4] = 0x80000;
  return pc;
}

/**
 * @param now the clock, in milliseconds
 * @param resident resident memory of the process, in bytes
 */
export function soak(seconds: number, now: () => number, resident: () => number): SoakResult {
  const pc = soakMachine();
  const execution = executionOf(pc.cpu);
  pc.run(pc.cpu.cycles + SLICE);
  // The first run has made it.
  const engine = execution.engine as Engine;
  const begun = now();
  let early = 0;
  let most = 0;
  let mostKept = 0;
  for (let passed = 0; passed < seconds * 1000; passed = now() - begun) {
    pc.run(pc.cpu.cycles + SLICE);
    mostKept = Math.max(mostKept, engine.kept);
    const bytes = resident();
    if (passed < seconds * 200) early = Math.max(early, bytes);
    else most = Math.max(most, bytes);
  }
  const { instructions } = pc.cpu;
  return { seconds, instructions, compiled: engine.compiled, mostKept, bound: TABLES, early, most };
}
