// Hover help and word lists, read from the table.
import { expect, test } from 'vitest';
import { describeMnemonic, MNEMONICS, PREFIXES, REGISTERS } from './describe.ts';

test('a mnemonic in any case, or by an alias', () => {
  expect(describeMnemonic('POPF')).toMatchObject({ privilege: 'sensitive', forms: ['popf · 9D'] });
  expect(describeMnemonic('je')).toMatchObject({
    privilege: 'innocuous',
    forms: ['je rel8 · 74 cb', 'je rel16/32 · 0F 84 cv'],
  });
  expect(describeMnemonic('frobnicate')).toBeUndefined();
});

test('a mnemonic that does several things lists them, and shows its strictest class', () => {
  const mov = describeMnemonic('mov');
  expect(mov?.privilege).toBe('privileged');
  expect(mov?.meanings.map(({ operation, privilege }) => `${operation}: ${privilege}`)).toEqual([
    'mov: innocuous',
    'mov-from-sreg: sensitive',
    'mov-to-sreg: sensitive',
    'mov-from-cr: privileged',
    'mov-to-cr: privileged',
    'mov-from-dr: privileged',
    'mov-to-dr: privileged',
  ]);
  expect(mov?.forms).toContain('mov cr, r32 · 0F 22 /r');
});

test('word lists for highlighting', () => {
  expect(MNEMONICS).toEqual(expect.arrayContaining(['mov', 'je', 'jz', 'vmlaunch', 'vmrun', 'icebp']));
  expect(MNEMONICS.some((name) => name.startsWith('hint_nop'))).toBe(false);
  expect(new Set(REGISTERS).size).toBe(8 + 8 + 8 + 6 + 4 + 8 + 8 + 8 + 8);
  expect(PREFIXES).toContain('lock');
  for (const word of PREFIXES) expect(MNEMONICS).not.toContain(word);
});
