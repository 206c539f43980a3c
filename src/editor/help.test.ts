import { describe, expect, it } from 'vitest';
import { hoverHelp } from './help.ts';
import { ProgramOutline } from './outline.ts';

const outline = new ProgramOutline();

/** Help for the word between bars: `mov |cr3|, eax`. */
function help(marked: string, program = '', values: Record<string, number> = {}): string {
  const start = marked.indexOf('|');
  const end = marked.lastIndexOf('|') - 1;
  const line = marked.replaceAll('|', '');
  const files = [['a.asm', program]] as const;
  const definition = (name: string) => outline.find(name, 'a.asm', 1e9, files);
  return hoverHelp({ line, start, end, definition, value: (name) => values[name] })?.join('\n\n') ?? '';
}

describe('help for instructions', () => {
  it('says what it does, its class in words, its forms and where the manual has it', () => {
    const text = help('        |lgdt|    [gdt]');
    expect(text).toContain('Privileged:** works at ring 0, traps at ring \\> 0'.replace('\\>', '>'));
    expect(text).toContain('lgdt m16&32 · 0F 01 /2');
    expect(text).toContain('Manual: SDM 2A LGDT');
  });

  it('knows which instruction lies', () => {
    expect(help('|popfd|')).toContain('silently gives another result');
    expect(help('|in| al, dx')).toContain('traps at ring > IOPL');
    expect(help('|in| al, dx')).toContain('I/O bitmap');
    expect(help('|cli|')).not.toContain('I/O bitmap');
  });

  it('speaks of the form that is written, and names the others', () => {
    expect(help('|mov| eax, ebx')).toMatch(/^\*\*mov\*\*.*\n\n\*\*Innocuous/);
    expect(help('|mov| cr3, eax ; not eax, cs')).toMatch(/^\*\*mov\*\*.*\n\n\*\*Privileged/);
    expect(help('|mov| eax, cs')).toMatch(/^\*\*mov\*\*.*\n\n\*\*Sensitive/);
    expect(help('|jmp| .loop')).toContain('*sensitive');
  });
});

describe('help for the rest', () => {
  it('registers', () => {
    expect(help('mov |CR3|, eax')).toContain('page directory');
    expect(help('mov al, |bh|')).toContain('High byte of BX');
  });

  it('numbers, in the other notations', () => {
    expect(help('dd |0x80000011|')).toContain('dec  2147483665');
    expect(help('dd |0x80000011|')).toContain('-2147483631 (signed');
    expect(help('dd |0x80000011|')).toContain('bin  1000_0000_0000_0000_0000_0000_0001_0001');
    expect(help('dd |1fh|')).toContain('hex  0x1F');
    expect(help('dd |0x41424344|')).toContain("text 'DCBA'");
    expect(help('dd |0|')).toContain('bin  0000');
  });

  it('labels, constants and macros, with their comments and values', () => {
    const program =
      'SIZE equ 4*1024 ; of a page\n; where it begins\nstart: nop\n.loop: nop\n%macro both 2\n%endmacro';
    const values = { SIZE: 4096, start: 0xc0100000, 'start.loop': 0xc0100001 };
    expect(help('mov eax, |SIZE|', program, values)).toContain('hex  0x1000');
    expect(help('jmp |start|', program, values)).toMatch(/0xC0100000[^]*where it begins[^]*line 3/);
    expect(help('jmp |.loop|', program, values)).toContain('0xC0100001');
    expect(help('|both| 1, 2', program, values)).toContain('Parameters: 2');
    expect(help('jmp |start|', program)).toContain('has not been assembled');
    expect(help('jmp |nowhere|', program)).toBe('');
  });

  it('directives', () => {
    expect(help('        |times| 4 db 0')).toContain('Repeats what follows');
    expect(help('|%define| A 1')).toContain('stands for text');
    expect(help('        |rep| movsd')).toContain('ECX times');
  });

  it('nothing in comments', () => {
    expect(help('nop ; |mov| it')).toBe('');
  });
});
