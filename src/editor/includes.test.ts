import { describe, expect, it } from 'vitest';
import { fileNames, fileTree, findInclude, includesIn, normalizePath } from './includes.ts';

const program = new Map([
  [
    'penguin/main.asm',
    '%include "kernel.inc"\n  %INCLUDE \'../include/xen.inc\'\n; %include "not.inc"\n%include "parts/one.asm"',
  ],
  ['penguin/kernel.inc', 'PAGE equ 4096'],
  ['include/xen.inc', '%include "kernel.inc" ; already there'],
  ['penguin/parts/one.asm', '%include "two.asm"\n%include "main.asm"\n%include "nowhere.asm"'],
  ['penguin/parts/two.asm', 'nop'],
  ['other.asm', 'nop'],
]);

describe('the files of a program', () => {
  it('follows %include from the main file, beside it, below include/ and beside the file that asks', () => {
    const tree = fileTree((name) => program.get(name), 'penguin/main.asm');
    expect(fileNames(tree)).toEqual([
      'penguin/main.asm',
      'penguin/kernel.inc',
      'include/xen.inc',
      'penguin/parts/one.asm',
      'penguin/parts/two.asm',
    ]);
    expect(tree?.children.map((child) => child.name)).toEqual([
      'penguin/kernel.inc',
      'include/xen.inc',
      'penguin/parts/one.asm',
    ]);
  });

  it('survives files that include themselves, and a main file that is not there', () => {
    expect(fileNames(fileTree(() => '%include "a"', 'a'))).toEqual(['a']);
    expect(fileTree(() => undefined, 'a')).toBeUndefined();
  });

  it('reads every way of quoting, and no comment', () => {
    expect(includesIn(program.get('penguin/main.asm') ?? '')).toEqual([
      'kernel.inc',
      '../include/xen.inc',
      'parts/one.asm',
    ]);
  });

  it('resolves dots', () => {
    expect(normalizePath('penguin/../include/./xen.inc')).toBe('include/xen.inc');
    expect(
      findInclude((name) => program.has(name), 'linux.inc', 'penguin/main.asm', 'penguin/main.asm'),
    ).toBeUndefined();
  });
});
