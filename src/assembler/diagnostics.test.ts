// What the learner reads: the place to the column, the reason, and what to write instead. What is an error here is an
// error for nasm too.
import { describe, expect, test } from 'vitest';
import { assemble, type Diagnostic } from './assemble.ts';
import { nearest } from './diagnostics.ts';
import { nasm, noNasm } from './oracle.test.ts';

const HEADER = 'bits 32\nstart: nop\nvalue: dd 5\n';
const HEADER_LINES = 3;

/** `^` under the source marks the place; then severity-free message and suggestion. */
interface Case {
  readonly source: string;
  readonly mark: string;
  readonly message: string;
  readonly suggestion?: string;
}

function check(source: string): Diagnostic[] {
  return assemble(new Map([['main.asm', HEADER + source]]), 'main.asm').diagnostics.slice();
}

/** Cases in the form: source line, marker line, message, and perhaps `→ suggestion`; an empty line between. */
function cases(text: string): Case[] {
  return text
    .replace(/^\n|\n$/g, '')
    .split(/\n\s*\n/)
    .map((block) => {
      const [source, mark, message, suggestion] = block
        .split('\n')
        .map((line) => line.replace(/^ {2}\| ?/, ''));
      return { source, mark, message, ...(suggestion && { suggestion: suggestion.replace(/^→ /, '') }) };
    });
}

const ERRORS = cases(`
  |     mvo eax, 1
  |     ^^^
  | unknown instruction \`mvo\`
  | → did you mean \`mov\`?

  | again: moov eax, ebx
  |        ^^^^
  | unknown instruction \`moov\`
  | → did you mean \`mov\`?

  |     mov eax, [valeu]
  |               ^^^^^
  | the symbol \`valeu\` is not defined
  | → did you mean \`value\`?

  |     jmp strat
  |         ^^^^^
  | the symbol \`strat\` is not defined
  | → did you mean \`start\`?

  |     mov eax, exc
  |              ^^^
  | the symbol \`exc\` is not defined
  | → did you mean \`ecx\`?

  |     mov eax, ffh
  |              ^^^
  | the symbol \`ffh\` is not defined
  | → a number begins with a digit: \`0ffh\`

  |     mov eax, 1ff
  |              ^^^
  | \`1ff\` is not a number
  | → write hexadecimal as \`0x1ff\` or \`01ffh\`

  |     mov eax, bx
  |              ^^
  | the operands differ in size: 32 bits and 16 bits
  | → \`movzx\` or \`movsx\` widens a value

  |     add al, ebx
  |             ^^^
  | the operands differ in size: 8 bits and 32 bits
  | → use registers of one size

  |     mov [ebx], 5
  |         ^^^^^
  | the size of this memory operand is not known
  | → write \`byte\` or \`word\` or \`dword\` before the bracket

  |     push [ebx]
  |          ^^^^^
  | the size of this memory operand is not known
  | → write \`word\` or \`dword\` before the bracket

  |     mov eax, dword ptr [ebx]
  |                    ^^^
  | NASM has no \`ptr\`
  | → leave it out: \`dword [x]\`

  |     mov eax, offset value
  |              ^^^^^^
  | NASM has no \`offset\`: a label is its own offset
  | → write \`value\` alone

  |     mov rax, 5
  |         ^^^
  | \`rax\` is a 64-bit register: this processor has 32 bits
  | → did you mean \`eax\`?

  |     mov %eax, 5
  |         ^
  | expected an expression, found \`%\`
  | → NASM writes registers without \`%\`: \`eax\`

  |     mov eax, [ebx][esi]
  |                   ^
  | an address stands in one pair of brackets
  | → write \`[a+b]\` for \`[a][b]\`

  |     mov eax, ebx + 4
  |              ^^^
  | the register \`ebx\` cannot be computed with outside brackets
  | → \`[ebx+…]\` for memory, or \`lea\` for the sum itself

  |     mov eax, [ebx*6]
  |              ^^^^^^^
  | a scale of 6 does not exist
  | → scales are 1, 2, 4 and 8

  |     mov eax, [ebx+ecx+edx]
  |              ^^^^^^^^^^^^^
  | an address has at most two registers

  |     mov eax, [bx+ecx]
  |              ^^^^^^^^
  | an address cannot mix 16-bit and 32-bit registers

  |     mov eax, [bx+cx]
  |              ^^^^^^^
  | \`[bx+cx]\` is not a 16-bit address
  | → bx or bp, si or di, or one of each pair

  |     mov eax, [ebx
  |                  ^
  | expected \`]\`
  | → this \`[\` at column 14 is still open

  |     mov eax, (1 + 2
  |                    ^
  | expected \`)\`
  | → this \`(\` at column 14 is still open

  |     db 'abc
  |        ^^^^
  | this string has no closing quote

  |     mov eax ebx
  |             ^^^
  | expected \`,\` after \`eax\`, found \`ebx\`

  |     mov ds, 5
  |             ^
  | a segment register cannot be loaded from a number
  | → go through a register: \`mov ax, …\` then \`mov ds, ax\`

  |     mov ds, es
  |             ^^
  | a segment register cannot be loaded from another segment register
  | → go through a register: \`mov ax, …\` then \`mov ds, ax\`

  |     mov cr0, ax
  |              ^^
  | \`cr0\` moves only to and from a 32-bit general register

  |     mov [ebx], [esi]
  |                ^^^^^
  | \`mov\` cannot use two memory operands
  | → load one into a register first

  |     add eax
  |     ^^^
  | \`add\` takes 2 operands, not 1

  |     cli eax
  |     ^^^
  | \`cli\` takes no operands, not 1

  |     shl eax, ebx
  |              ^^^
  | \`shl\` does not take the register \`ebx\` as second operand
  | → it takes a number, \`cl\`

  |     lea eax, ebx
  |              ^^^
  | \`lea\` does not take the register \`ebx\` as second operand
  | → it takes memory

  |     loop near start
  |          ^^^^^^^^^^
  | \`loop\` is always short
  | → leave out \`near\`

  |     call far start
  |          ^^^^^^^^^
  | a far branch names a segment and an offset
  | → \`call selector:offset\`

  |     jmp short start + 200
  |         ^^^^^^^^^^^^^^^^^
  | a short jump does not reach: the target is 66 bytes too far
  | → jump near, or move the target closer

  |     dw start & 0xff
  |        ^^^^^^^^^^^^
  | \`&\` works on plain numbers only: the address of a label is known only after layout
  | → take the difference of two labels, such as \`(label - $$)\`

  |     db 1 / (2 - 2)
  |        ^^^^^^^^^^^
  | division by zero

  |     db 2 dup (1, 2
  |                   ^
  | expected \`)\` after the items of \`dup\`

  |     times later - start db 0
  |           ^^^^^
  | \`later\` must be known here, and is defined only later or not at all

  |     times 2 - ($ - $$) db 0
  |           ^^^^^^^^^^^^
  | \`times\` cannot repeat -3 times
  | → the code before it is already longer than the place it should fill

  | start: nop
  | ^^^^^
  | the label \`start\` is already defined in main.asm line 2

  | equ 5
  | ^^^
  | \`equ\` gives a value to the label in front of it, and there is none

  |     %mcro foo 1
  |     ^^^^^
  | unknown preprocessor directive \`%mcro\`
  | → did you mean \`%macro\`?

  |     %include foo.inc
  |              ^^^^^^^
  | \`%include\` needs a file name in quotes
  | → \`%include "name.inc"\`

  |     %include "nofile.inc"
  |              ^^^^^^^^^^^^
  | there is no file \`nofile.inc\` to include

  |     %error "not like this"
  |     ^^^^^^
  | not like this

  |     %if 1
  |     ^^^
  | \`%if\` has no \`%endif\`

  |     %endif
  |     ^^^^^^
  | \`%endif\` without \`%if\`

  |     rep repne movsb
  |         ^^^^^
  | \`repne\` contradicts \`rep\`
`);

/** What nasm accepts, with a warning of its own or without. */
const WARNINGS = cases(`
  |     mov al, 256
  |             ^^^
  | 256 does not fit in a byte: the upper bits are lost

  |     sit
  |     ^^^
  | \`sit\` stands alone: it is taken as a label without its colon
  | → did you mean \`sti\`?

  |     lock mov eax, [ebx]
  |     ^^^^
  | \`lock mov\` raises #UD here
  | → lock needs a memory destination

  |     mov cs, ax
  |         ^^
  | loading \`cs\` with \`mov\` raises #UD
  | → jump far: \`jmp selector:label\`

  |     resb 4
  |     ^^^^^^
  | \`.text\` holds bytes: the reserved space is filled with zeros

  |     section .text algin=4
  |                   ^^^^^
  | \`algin\` is not an attribute of a section: ignored
  | → did you mean \`align\`?

  |     %warning take care
  |     ^^^^^^^^
  | take care

  |     retw 4
  |     ^^^^
  | NASM 2.16 assembles \`retw n\` as a 32-bit return
  | → write \`o16 ret n\`
`);

function verify({ source, mark, message, suggestion }: Case, severity: 'error' | 'warning'): void {
  const found = check(source);
  const column = mark.indexOf('^') + 1;
  const expected: Diagnostic = {
    file: 'main.asm',
    line: HEADER_LINES + 1,
    column,
    endColumn: column + mark.trim().length,
    severity,
    message,
    ...(suggestion !== undefined && { suggestion }),
  };
  expect(found.filter((d) => d.line > HEADER_LINES || d.message.startsWith('`%'))).toContainEqual(expected);
  expect(found.filter((d) => d.severity === 'error').length).toBe(severity === 'error' ? 1 : 0);
}

describe('errors', () => {
  for (const one of ERRORS)
    test(one.source.trim(), () => {
      verify(one, 'error');
      if (!noNasm) expect(nasm(`${HEADER}${one.source}\n`).bytes).toBe(null);
    });
});

describe('warnings', () => {
  for (const one of WARNINGS)
    test(one.source.trim(), () => {
      verify(one, 'warning');
      if (!noNasm) expect(nasm(`${HEADER}${one.source}\n`).bytes).not.toBe(null);
    });
});

describe('places', () => {
  test('an error in a macro is shown at the call, and says where in the macro', () => {
    const found = check('%macro store 1\n  mov [ebx], bogus\n  mov %1, 5\n%endmacro\n\n  store 7\n');
    expect(found).toEqual([
      {
        file: 'main.asm',
        line: 9,
        column: 3,
        endColumn: 8,
        severity: 'error',
        message: 'the symbol `bogus` is not defined (in macro `store`, main.asm line 5)',
      },
      // What the caller wrote is shown where the caller wrote it.
      expect.objectContaining({
        line: 9,
        column: 9,
        endColumn: 10,
        message: expect.stringContaining('a number as first operand'),
      }),
    ]);
  });

  test('an error in a %define is shown where it is used', () => {
    const found = check('%define broken 1 +\n  db broken\n');
    expect(found).toMatchObject([{ line: 5, column: 12, message: 'an expression is missing here' }]);
  });

  test('an error in an included file is shown in that file', () => {
    const files = new Map([
      ['main.asm', 'nop\n%include "sub.inc"\nnop\n'],
      ['sub.inc', '\n  nope eax\n'],
    ]);
    expect(assemble(files, 'main.asm').diagnostics).toMatchObject([
      { file: 'sub.inc', line: 2, column: 3, endColumn: 7 },
    ]);
  });

  test('an error in a continued line is shown on the physical line', () => {
    const found = check('  mov eax, \\\n    nothing\n');
    expect(found).toMatchObject([{ line: 5, column: 5, endColumn: 12 }]);
  });

  test('several errors are found at once, in order', () => {
    const found = check('  foo eax\n  mov eax, nil1\n  %bar\n  mov [ebx], 1\n  db 1 +\n');
    expect(found.map((d) => d.line)).toEqual([4, 5, 6, 7, 8]);
  });

  test('a macro without its number of parameters', () => {
    expect(check('%macro m\n%endmacro\n')).toMatchObject([
      {
        line: 4,
        column: 9,
        message: 'a macro says how many parameters it takes',
        suggestion: '`%macro m 0`',
      },
    ]);
  });

  test('modes that this processor has not', () => {
    expect(check('  bits 64\n')).toMatchObject([
      {
        line: 4,
        column: 8,
        endColumn: 10,
        message: 'this processor has no 64-bit mode',
        suggestion: '`bits 16` or `bits 32`',
      },
    ]);
  });

  test('nothing can come from outside', () => {
    expect(check('  extern printf\n')).toMatchObject([
      {
        line: 4,
        column: 3,
        endColumn: 9,
        message: expect.stringContaining('not linked'),
        suggestion: 'bring the other source in with %include',
      },
    ]);
  });

  test('a missing main file', () => {
    expect(assemble(new Map(), 'main.asm').diagnostics).toMatchObject([
      { file: 'main.asm', line: 1, message: 'there is no file `main.asm`' },
    ]);
  });
});

test('nearest', () => {
  expect(nearest('mvo', ['mul', 'mov', 'movzx'])).toBe('mov');
  expect(nearest('xyz', ['mov', 'add'])).toBe(undefined);
  expect(nearest('PUHSFD', ['pushfd', 'pushf'])).toBe('pushfd');
});
