import { describe, expect, it } from 'vitest';
import { definitionsIn, ProgramOutline, splitComment } from './outline.ts';

const source = `PAGE_SIZE equ 4096             ; bytes in a page
%define NAME "Penguin" ; what it is called
; ---- The way in ----
; EAX = magic,
; EBX = information
entry:  mov eax, 1
.hang:  hlt ; so it ends
        jmp .hang
; exception VECTOR: no error code
%macro exception 1-2+
exception_%1:
%endmacro
other:
.hang:  db "; not a comment:", ':'
buffer  resb 4
struc point
.x:     resd 1
endstruc`;

describe('definitions', () => {
  it('are found with their kind and place', () => {
    const found = definitionsIn('a.asm', source);
    expect(found.map(({ kind, name, line, column }) => `${line}:${column} ${kind} ${name}`)).toEqual([
      '1:1 constant PAGE_SIZE',
      '2:9 define NAME',
      '6:1 label entry',
      '7:1 local .hang',
      '10:8 macro exception',
      '13:1 label other',
      '14:1 local .hang',
      '15:1 label buffer',
      '16:7 structure point',
      '17:1 local .x',
    ]);
  });

  it('carry the comment above them, or behind them', () => {
    const comments = Object.fromEntries(
      definitionsIn('a.asm', source).map((d) => [d.name + d.line, d.comment]),
    );
    expect(comments.PAGE_SIZE1).toBe('bytes in a page');
    expect(comments.entry6).toBe('The way in EAX = magic, EBX = information');
    expect(comments['.hang7']).toBe('so it ends');
    expect(comments.exception10).toBe('exception VECTOR: no error code');
  });

  it('say what follows the name', () => {
    const details = Object.fromEntries(definitionsIn('a.asm', source).map((d) => [d.name, d.detail]));
    expect(details).toMatchObject({ PAGE_SIZE: '4096', NAME: '"Penguin"', exception: '1-2+' });
  });
});

describe('a program', () => {
  const files = [
    ['a.asm', source],
    ['b.inc', 'far_away: nop\nBIG equ 1'],
  ] as const;
  const outline = new ProgramOutline();

  it('finds names in every file, and local labels under the global one above', () => {
    expect(outline.find('far_away', 'a.asm', 6, files)?.file).toBe('b.inc');
    expect(outline.find('.hang', 'a.asm', 8, files)?.line).toBe(7);
    expect(outline.find('.hang', 'a.asm', 14, files)?.line).toBe(14);
    expect(outline.find('other.hang', 'b.inc', 1, files)?.line).toBe(14);
    expect(outline.find('nobody', 'a.asm', 1, files)).toBeUndefined();
  });
});

describe('comments', () => {
  it('begin at the first semicolon outside quotes', () => {
    expect(splitComment(`db ';', "a;b", \`\\\`;\` ;; why`)).toEqual({
      code: `db ';', "a;b", \`\\\`;\` `,
      comment: 'why',
    });
  });
});
