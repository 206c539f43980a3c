// The line map, both ways; symbols; the listing; determinism.
import { describe, expect, test } from 'vitest';
import { type Assembly, assemble } from './assemble.ts';

const SOURCE = `        org 0x7c00
start:  cli
%macro twice 1
        inc %1
        inc %1
%endmacro
        twice ax
%rep 2
        nop
%endrep
        %include "sub.inc"
.here:  jmp .here
table:  dw 1, 2
        times 3 db 7
        section .data vstart=0x500
value:  dd 5
        section .bss
buffer: resb 16
        absolute 0x600
fixed:  resw 1
`;
const FILES = new Map([
  ['main.asm', SOURCE],
  ['sub.inc', 'sub:    sti\n        ret\n'],
]);
const build = (): Assembly => assemble(FILES, 'main.asm');

describe('the line map', () => {
  const { lines, diagnostics, bytes } = build();

  test('the program is right', () => {
    expect(diagnostics).toEqual([]);
    expect(bytes.length).toBe(20);
  });

  test('address → line', () => {
    expect(lines.at(0x7bff)).toBe(null);
    expect(lines.at(0x7c00)).toEqual({ file: 'main.asm', line: 2 });
    // Both instructions of the macro belong to the line of the call.
    expect(lines.at(0x7c01)).toEqual({ file: 'main.asm', line: 7 });
    expect(lines.at(0x7c02)).toEqual({ file: 'main.asm', line: 7 });
    // A repeated line is a line of the program.
    expect(lines.at(0x7c03)).toEqual({ file: 'main.asm', line: 9 });
    expect(lines.at(0x7c04)).toEqual({ file: 'main.asm', line: 9 });
    // Included lines belong to their file.
    expect(lines.at(0x7c05)).toEqual({ file: 'sub.inc', line: 1 });
    expect(lines.at(0x7c07)).toEqual({ file: 'main.asm', line: 12 });
    // The middle of an instruction, and of data.
    expect(lines.at(0x7c08)).toEqual({ file: 'main.asm', line: 12 });
    expect(lines.at(0x7c0c)).toEqual({ file: 'main.asm', line: 13 });
    expect(lines.at(0x7c0f)).toEqual({ file: 'main.asm', line: 14 });
    expect(lines.at(0x7c10)).toBe(null);
    expect(lines.at(0x503)).toEqual({ file: 'main.asm', line: 16 });
  });

  test('offset in the image → line', () => {
    expect(lines.atOffset(0)).toEqual({ file: 'main.asm', line: 2 });
    expect(lines.atOffset(15)).toEqual({ file: 'main.asm', line: 14 });
    expect(lines.atOffset(16)).toEqual({ file: 'main.asm', line: 16 });
    expect(lines.atOffset(20)).toBe(null);
  });

  test('line → first address', () => {
    expect(lines.addressOf('main.asm', 7)).toBe(0x7c01);
    expect(lines.addressOf('main.asm', 9)).toBe(0x7c03);
    expect(lines.addressOf('sub.inc', 2)).toBe(0x7c06);
    expect(lines.addressOf('main.asm', 16)).toBe(0x500);
    expect(lines.offsetOf('main.asm', 16)).toBe(16);
    expect(lines.addressOf('main.asm', 18)).not.toBe(null);
    expect(lines.offsetOf('main.asm', 18)).toBe(null);
    // Lines of a macro's body make no bytes of their own; comments and directives neither.
    expect(lines.addressOf('main.asm', 4)).toBe(null);
    expect(lines.addressOf('main.asm', 1)).toBe(null);
    expect(lines.addressOf('other.asm', 1)).toBe(null);
  });
});

test('symbols have their addresses, local ones under their parent', () => {
  const { symbols } = build();
  expect(Object.fromEntries(symbols)).toMatchObject({
    start: 0x7c00,
    sub: 0x7c05,
    'sub.here': 0x7c07,
    table: 0x7c09,
    value: 0x500,
    fixed: 0x600,
  });
});

test('the listing shows addresses and bytes beside the source', () => {
  const text = build().listing().split('\n');
  expect(text).toContain('     2 00007C00 FA                   start:  cli');
  expect(text).toContain('     7 00007C01 40                           twice ax');
  expect(text).toContain('     7 00007C02 40');
  expect(text).toContain('; sub.inc');
  expect(text).toContain('     1 00007C05 FB                   sub:    sti');
  expect(text).toContain('    18 00007C14 <res 10h>            buffer: resb 16');
});

test('nothing but the sources decides', () => {
  const a = build();
  const b = assemble((name) => FILES.get(name), 'main.asm');
  expect(b.bytes).toEqual(a.bytes);
  expect(b.lines.spans).toEqual(a.lines.spans);
  expect([...b.symbols]).toEqual([...a.symbols]);
});

describe('options', () => {
  test('defines come before the first line', () => {
    const files = new Map([['a.asm', '%ifdef NATIVE\ndb SIZE\n%endif\n']]);
    expect(assemble(files, 'a.asm', { defines: { NATIVE: '', SIZE: '1 + 2' } }).bytes).toEqual(
      Uint8Array.of(3),
    );
    expect(assemble(files, 'a.asm').bytes).toEqual(new Uint8Array(0));
  });

  test('includes are found as written, in include folders, beside the file, beside the main file', () => {
    const files = new Map([
      ['guests/main.asm', '%include "lib/a.inc"\n%include "common.inc"\n'],
      ['guests/lib/a.inc', '%include "b.inc"\n%include "../c.inc"\n'],
      ['guests/lib/b.inc', 'db 1\n'],
      ['guests/c.inc', 'db 2\n'],
      ['include/common.inc', 'db 3\n'],
    ]);
    expect(assemble(files, 'guests/main.asm').bytes).toEqual(Uint8Array.of(1, 2, 3));
  });

  test('limits can be lower', () => {
    const files = new Map([['a.asm', 'times 100 nop\n']]);
    const { diagnostics } = assemble(files, 'a.asm', { limits: { outputBytes: 10 } });
    expect(diagnostics).toMatchObject([{ severity: 'error', line: 1 }]);
  });
});
