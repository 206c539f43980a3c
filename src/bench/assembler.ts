// `bench assembler`: our assembler beside NASM on the same source, in one run. NASM starts a process and writes a file;
// ours works in the one that it is in, as it does while somebody types.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { assemble } from '../assembler/assemble.ts';

/** A program of that many lines, of the kinds that guests are made of. */
function program(lines: number): string {
  const out = [
    'bits 32',
    'org 0x100000',
    '%define SCALED(x) ((x)*4+1)',
    '%macro save 2',
    'push %1',
    'mov %1, %2',
    '%endmacro',
  ];
  const label = (n: number) => `label${n % (lines / 10)}`;
  for (let i = 0; out.length < lines; i++)
    out.push(
      `label${i}:`,
      `    mov eax, [ebx+${i & 255}]   ; a comment`,
      `    jz ${label(i * 7)}`,
      `    call ${label(i * 3)}`,
      `    add ecx, SCALED(${i})`,
      `    dd ${label(i * 11)}, ${i}`,
      `    save edx, ${i}`,
      ".next: cmp byte [esi+ecx*4], 'a'",
      '    jne .next',
      `    movzx edx, word [${label(i)}]`,
    );
  return out.join('\n');
}

const median = (times: number[]) => times.sort((a, b) => a - b)[times.length >> 1];

/** Prints milliseconds of both and their ratio, for the size of a guest and for a large one. */
export function benchAssembler(rounds = 5): void {
  const folder = mkdtempSync(join(tmpdir(), 'ringside-'));
  try {
    console.log('lines      ringside        nasm   ratio');
    for (const lines of [3000, 20_000]) {
      const source = program(lines);
      const file = join(folder, 'main.asm');
      writeFileSync(file, source);
      const ours: number[] = [];
      const theirs: number[] = [];
      for (let round = 0; round < rounds; round++) {
        let start = performance.now();
        if (assemble(new Map([['main.asm', source]]), 'main.asm').diagnostics.length)
          throw new Error('the program has mistakes');
        ours.push(performance.now() - start);
        start = performance.now();
        const nasm = spawnSync('nasm', ['-f', 'bin', '-o', join(folder, 'main.bin'), file]);
        if (nasm.status === 0) theirs.push(performance.now() - start);
      }
      const [mine, its] = [median(ours), median(theirs)];
      const ratio = its === undefined ? 'no nasm here' : `${(its / mine).toFixed(2)} ×`;
      console.log(
        `${String(lines).padEnd(8)} ${mine.toFixed(0).padStart(7)} ms  ${(its?.toFixed(0) ?? '-').padStart(7)} ms   ${ratio}`,
      );
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
}
