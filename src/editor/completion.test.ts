import { describe, expect, it } from 'vitest';
import { completionsAt, longHelp, placeIn } from './completion.ts';
import { definitionsIn } from './outline.ts';

describe('where something is being written', () => {
  it.each([
    ['', 'statement'],
    ['        mo', 'statement'],
    ['start:  ', 'statement'],
    ['.x: rep mov', 'statement'],
    ['  times 4 d', 'statement'],
    ['        mov ', 'operand'],
    ['        mov eax, [eb', 'operand'],
    ['  %mac', 'preprocessor'],
    ['  nop ; mo', 'nothing'],
    ['  db "mo', 'nothing'],
  ])('%j: %s', (before, place) => {
    expect(placeIn(before)).toBe(place);
  });
});

describe('what is offered', () => {
  const definitions = definitionsIn(
    'a.asm',
    'PAGE equ 4096 ; bytes\none:\n.in: nop\ntwo:\n.out: nop\n%macro knock 2\n%endmacro',
  );
  const labels = (place: Parameters<typeof completionsAt>[0], parent = '') =>
    completionsAt(place, definitions, parent).map(({ label }) => label);

  it('instructions and macros where a statement begins, registers and names behind it', () => {
    expect(labels('statement')).toEqual(
      expect.arrayContaining(['mov', 'vmlaunch', 'section', 'times', 'rep', 'knock']),
    );
    expect(labels('statement')).not.toContain('eax');
    expect(labels('operand')).toEqual(expect.arrayContaining(['eax', 'cr3', 'dword', 'PAGE', 'one', 'two']));
    expect(labels('operand')).not.toContain('mov');
    expect(labels('preprocessor')).toContain('%endmacro');
    expect(labels('nothing')).toEqual([]);
  });

  it('local labels of the label above, and no others', () => {
    expect(labels('operand', 'one')).toContain('.in');
    expect(labels('operand', 'one')).not.toContain('.out');
  });

  it('says what the instruction does outside ring 0', () => {
    const popf = completionsAt('statement', [], '').find(({ label }) => label === 'popf');
    expect(popf?.detail).toBe('sensitive: silently different outside ring 0');
    expect(popf && longHelp(popf)).toContain('Manual: SDM 2B POPF');
  });
});
