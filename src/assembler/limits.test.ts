// Hostile sources: each ends soon, in one clear message, and never in an exception.
import { describe, expect, test } from 'vitest';
import { assemble } from './assemble.ts';

/** Errors of a program. One that never ends runs into the test's own time limit. */
function errors(source: string, files: Readonly<Record<string, string>> = {}): string[] {
  const { diagnostics, bytes } = assemble(
    new Map([...Object.entries(files), ['main.asm', source]]),
    'main.asm',
  );
  const found = diagnostics.filter((d) => d.severity === 'error').map((d) => d.message);
  expect(found.length === 0 || bytes.length === 0).toBe(true);
  return found;
}

const ENDLESS = 'this program does not end, or is far too large once its macros are expanded: stopped here';

describe('sources that would never end', () => {
  const cases: Readonly<Record<string, readonly [source: string, message: RegExp | string]>> = {
    'a macro that calls itself': [
      '%rmacro again 0\nagain\n%endmacro\nagain',
      /`again` calls itself without end/,
    ],
    'macros that call each other': [
      '%rmacro a 0\nb\nb\n%endmacro\n%rmacro b 0\na\na\n%endmacro\na',
      /calls itself without end/,
    ],
    'a macro that doubles': [
      `%define d0 nop nop\n${Array.from({ length: 60 }, (_, i) => `%define d${i + 1} d${i} d${i}`).join('\n')}\nd60`,
      ENDLESS,
    ],
    'a repetition of a thousand million': ['%rep 1000000000\nnop\n%endrep', /repeats at most 1000000 times/],
    'nested repetitions': ['%rep 100000\n%rep 100000\nnop\n%endrep\n%endrep', ENDLESS],
    'empty repetitions': ['%rep 1000000\n%rep 1000000\n%assign x 1\n%endrep\n%endrep', ENDLESS],
    'a name that doubles': ['%define n a\n%rep 100\n%xdefine n n%+n\n%endrep\ndb n', ENDLESS],
    'a string that doubles': ["%define s 'a'\n%rep 100\n%strcat s s,s\n%endrep\ndb s", ENDLESS],
    'a definition that doubles': ['%define n a a\n%rep 100\n%xdefine n n n\n%endrep\ndb n', ENDLESS],
    'a file that includes itself': ['%include "main.asm"', /include each other more than 64 deep/],
    'times without end': ['times 1000000000000 db 0', /the image grows beyond 32 MB/],
    'times a jump': ['a: times 100000000 jmp a', /the image grows beyond|more than 6000000/],
    'times a string': ["times 100000000 db 'a', 'b'", /the image grows beyond|more than 6000000/],
    'times nothing': ["times 1000000000000 db ''", /more than 6000000 instructions and data/],
    'an alignment as large as memory': ['db 1\nalign 0x40000000', /the image grows beyond/],
    'a section far away': ['db 1\nsection a start=0x7fffffff\ndb 2', /the image grows beyond/],
    'reserved space in the image': ['db 1\nresb 0x7fffffffffff\ndb 2', /the image grows beyond/],
    'sections that are large together': [
      '%assign i 0\n%rep 100\nsection s%[i]\ntimes 1000000 db 0\n%assign i i+1\n%endrep',
      /the image grows beyond 32 MB/,
    ],
    'sections without number': [
      '%assign i 0\n%rep 5000\nsection s%[i]\nnop\n%assign i i+1\n%endrep',
      /more than 1000 sections/,
    ],
    'a size that depends on itself': ['a: times 10 - (b - a) db 0\nb:', /must be known here/],
    'a condition that contradicts itself': [
      '%if $-$$ == 0\n%endif\njmp b\n%if $-$$ == 2\ntimes 200 nop\n%endif\nb:',
      /the labels still move/,
    ],
    'brackets within brackets': [`db ${'('.repeat(50_000)}1${')'.repeat(50_000)}`, /nested too deeply/],
    'signs before signs': [`db ${'-'.repeat(100_000)}1`, /nested too deeply/],
    'a sum without end': [`a: dw ${'$-a+'.repeat(30_000)}1`, /too long/],
    'a line without end': [`db ${'1,'.repeat(300_000)}1`, /this line is too long/],
    'a large source': [`nop ; ${'x'.repeat(100)}\n`.repeat(100_000), /the source is larger than 8 MB/],
    'indirections within indirections': [
      `db ${'%['.repeat(5000)}1${']'.repeat(5000)}`,
      /nested too deeply|not closed|`%\[`/,
    ],
  };
  for (const [title, [source, message]] of Object.entries(cases))
    test(title, () => {
      const found = errors(source);
      expect(found.length, found.join('\n')).toBeGreaterThan(0);
      expect(found[0]).toMatch(message);
      expect(found.length, found.join('\n')).toBeLessThan(4);
    });
});

describe('sources that are wrong from end to end', () => {
  test('a hundred errors are shown, and that there are more', () => {
    const found = errors('mvo ax, 1\n'.repeat(20_000));
    expect(found.length).toBe(101);
    expect(found[100]).toBe('more than 100 errors: the rest is not shown');
  });

  test('an error is shown among any number of warnings', () => {
    const found = errors(`${'db 300\n'.repeat(5000)}mov eax, nowhere\n`);
    expect(found).toEqual(['the symbol `nowhere` is not defined']);
  });

  test('unknown symbols with many near names', () => {
    const labels = Array.from({ length: 5000 }, (_, i) => `label_${i}: dw lable_${i}`);
    expect(errors(labels.join('\n')).length).toBe(101);
  });

  test('bytes that are no text', () => {
    let noise = '';
    for (let i = 0, state = 1; i < 200_000; i++) {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      noise += String.fromCharCode((state >>> 8) & (i % 7 === 0 ? 0xffff : 0x7f));
    }
    expect(errors(noise).length).toBeGreaterThan(0);
  });

  test('every prefix of a program', () => {
    const program = `%macro m 1-2 5\n%%a: mov ax, [%1+bx]\n%if %0 > 1\ndb "x", %2\n%endif\n%endmacro\nm 5, {6}\ntimes 3 db $-$$\nstruc s\n.a: resb 1\nendstruc\nlea eax, [eax*4+ebx]\n%define f(x) x*2\ndb f(3), \`\\n\`, %[1+1]\n`;
    for (let length = 0; length < program.length; length++) errors(program.slice(0, length));
  });
});

test('many overloads of one macro', () => {
  const source = '%assign i 0\n%rep 3000\n%macro m %[i]\n%endmacro\n%assign i i+1\n%endrep\n';
  errors(source);
});
