// Fast enough to assemble as one types. Bounds are several times what an idle machine needs, since tests share it.
import { expect, test } from 'vitest';
import { assemble } from './assemble.ts';

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

function best(source: string, runs: number): number {
  const files = new Map([['main.asm', source]]);
  let time = Number.POSITIVE_INFINITY;
  for (let i = 0; i < runs; i++) {
    const start = performance.now();
    expect(assemble(files, 'main.asm').diagnostics).toEqual([]);
    time = Math.min(time, performance.now() - start);
  }
  return time;
}

test('3 000 lines, as a guest has', () => {
  expect(best(program(3000), 12)).toBeLessThan(300);
});

test('20 000 lines', () => {
  expect(best(program(20_000), 4)).toBeLessThan(3000);
});
