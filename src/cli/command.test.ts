// The terminal with wrong words, wrong files and wrong scenarios: exit status 2 and one line on standard error that names
// the place and the reason (design.md §5, §6). Nothing of a guest is printed, and nothing hangs.
import { mkdirSync, rmSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { asProcess, folderFor, inProcess } from './testing.ts';

const folder = folderFor('command');
afterAll(() => rmSync(folder.path, { recursive: true }));

/** The command could not be tried, and said why in one line. */
async function refused(words: string[], reason: RegExp | string): Promise<void> {
  const { status, out, error } = await inProcess(...words);
  expect(error).toMatch(reason);
  expect(error, 'one line').toMatch(/^ringside: [^\n]+$/);
  expect(error, 'no mistake of ours').not.toMatch(/mistake in Ringside|Cannot read/);
  expect({ status, out }).toEqual({ status: 2, out: '' });
}

describe('words', () => {
  it.each([
    [
      'no command that there is',
      ['boot'],
      /no command "boot" \(run, assemble, lesson, bench, popek-goldberg\)/,
    ],
    ['nothing to run', ['run'], /name a guest/],
    ['an unknown guest', ['run', 'minix'], /minix: there is no such file, guest or scenario/],
    ['an unknown option', ['run', 'panes', '--fast'], /--fast/],
    ['an option without its value', ['run', 'panes', '--cpu'], /--cpu/],
    ['a technique', ['run', 'panes', '--technique', 'magic'], /--technique: "magic" is not one of native, /],
    ['a processor', ['run', 'panes', '--cpu', '8086'], /--cpu: "8086" is not one of prescott, /],
    [
      'memory without a unit',
      ['run', 'panes', '--memory', '17'],
      /--memory: "17" is not a whole number of MiB/,
    ],
    ['memory that is none', ['run', 'hello-xen', '--memory', '16X'], /--memory: "16X"/],
    ['too much memory', ['run', 'hello-xen', '--memory', '99G'], /--memory: a guest can have at most 512M/],
    [
      'paging of an unknown kind',
      ['run', 'panes', '--paging', 'inverted'],
      /--paging: "inverted" is not one of shadow, nested/,
    ],
    [
      'nested paging on a processor that has none',
      ['run', 'panes', '--technique', 'vt-x', '--paging', 'nested', '--cpu', 'prescott'],
      /nested paging.*--cpu nehalem/,
    ],
    ['an engine', ['run', 'panes', '--engine', 'jit'], /--engine: "jit"/],
    ['cycles', ['run', 'panes', '--max-cycles', 'many'], /--max-cycles: "many" is not a positive number/],
    ['no cycles', ['run', 'panes', '--max-cycles', '0'], /--max-cycles: "0"/],
    ['seconds', ['run', 'panes', '--max-seconds=-1'], /--max-seconds: "-1"/],
    ['a clock that is too slow', ['run', 'panes', '--clock', '5'], /clockHz/],
    ['a regular expression', ['run', 'panes', '--until-serial', '('], /--until-serial: .*Unterminated group/],
    ['a command line that is too long', ['run', 'panes', '--append', 'x'.repeat(2000)], /commandLine/],
    ['nine guests', ['run', ...new Array(9).fill('panes')], /domains/],
    ['two guests on one bare machine', ['run', 'panes', 'panes', '--technique', 'native'], /only one/],
    ['nothing to assemble', ['assemble'], /name one source file/],
  ])('%s', (_, words, reason) => refused(words, reason));

  it('no words at all: the usage, and status 2; asked for, it is 0', async () => {
    expect(await inProcess()).toMatchObject({ status: 2, error: '' });
    const { status, out } = await inProcess('--help');
    expect(status).toBe(0);
    expect(out).toMatch(/ringside run \[options\] GUEST/);
  });
});

describe('files', () => {
  const missing = join(folder.path, 'no', 'such', 'file');
  mkdirSync(join(folder.path, 'folder.json'));
  const large = folder.file('large.img', '');
  truncateSync(large, 2 ** 30);
  const typo = folder.file('typo.asm', 'bits 32\nmov eax, [ebx\n');

  it.each([
    ['a folder for a guest', ['run', folder.path], /is not a file/],
    ['a folder for a scenario', ['run', join(folder.path, 'folder.json')], /folder\.json: is not a file/],
    ['a guest of a gigabyte', ['run', large], /large\.img: larger than \d+ MiB/],
    [
      'an initial ramdisk that is not there',
      ['run', 'hello-xen', '--initrd', missing],
      /there is no such file/,
    ],
    ['a folder for a ramdisk', ['run', 'hello-xen', '--initrd', folder.path], /is not a file/],
    ['a place for the result', ['run', 'hello-xen', '--json', missing], /ENOENT/],
    ['a place for the trace', ['run', 'hello-xen', '--trace', missing], /ENOENT/],
    ['a place for the code', ['assemble', 'src/guests/hello-xen.asm', '-o', missing], /ENOENT/],
    ['an image for a source', ['assemble', folder.file('a.img', 'x')], /not an assembly source/],
    ['a source with a mistake', ['run', typo], /^ringside: typo\.asm:2:\d+: /],
    ['a source that is no kernel', ['run', folder.file('flat.asm', 'nop\n')], /flat\.asm: .*Accepted are/],
    [
      'a guest of another technique',
      ['run', 'panes', '--technique', 'paravirtualization'],
      /^ringside: panes: is not a kernel ported to Xen/,
    ],
    ['a Xen kernel without Xen', ['run', 'hello-xen', '--technique', 'native'], /needs Xen under it/],
    ['a Xen kernel under VT-x', ['run', 'hello-xen', '--technique', 'vt-x'], /Run it by paravirtualization/],
    ['a guest with too little memory', ['run', 'penguin-xen', '--memory', '1M'], /memory/],
  ])('%s', (_, words, reason) => refused(words, reason));

  it('a source that does not assemble is told with all its places, and is 1', async () => {
    const { status, error } = await inProcess('assemble', typo);
    expect(status).toBe(1);
    expect(error).toMatch(/^typo\.asm:2:\d+: error: /);
  });
});

describe('scenarios', () => {
  const domain = { name: 'a', guest: 'hello-xen', technique: 'paravirtualization', memoryMiB: 4 };
  const good = { name: 's', title: 's', processor: 'prescott', memoryMiB: 16, domains: [domain] };
  const written = (name: string, value: unknown) =>
    folder.file(`${name}.json`, typeof value === 'string' ? value : JSON.stringify(value));

  it('a good one runs', async () => {
    const { status, out } = await inProcess('run', written('good', good));
    expect(status).toBe(0);
    expect(out).toMatch(/^── a \(paravirtualization\): halted: the guest shut down; 12 instructions/);
  });

  it.each([
    ['text', 'not JSON', /text\.json: not JSON/],
    ['half a file', JSON.stringify(good).slice(0, 60), /not JSON/],
    ['null', null, /scenario: file: /],
    ['a list', [], /scenario: name: /],
    ['no domains', { ...good, domains: [] }, /scenario: domains: /],
    ['too many domains', { ...good, domains: new Array(9).fill(domain) }, /scenario: domains: /],
    ['a processor that never was', { ...good, processor: 'itanium' }, /scenario: processor: /],
    ['memory that is text', { ...good, memoryMiB: '16' }, /scenario: memoryMiB: /],
    ['memory that is not whole', { ...good, memoryMiB: 16.5 }, /scenario: memoryMiB: /],
    [
      'guests larger than their host',
      { ...good, domains: [{ ...domain, memoryMiB: 64 }] },
      /do not fit into 16 MiB/,
    ],
    [
      'a guest that there is not',
      { ...good, domains: [{ ...domain, guest: 'minix' }] },
      /there is no guest "minix"/,
    ],
    ['a technique', { ...good, domains: [{ ...domain, technique: 'magic' }] }, /domains\.0\.technique/],
    ['endless input', { ...good, domains: [{ ...domain, input: 'x'.repeat(1e5) }] }, /domains\.0\.input/],
    ['a deep structure', `${'['.repeat(1e5)}${']'.repeat(1e5)}`, /scenario: |not JSON/],
  ])('%s', (name, value, reason) => refused(['run', written(name.replaceAll(' ', '-'), value)], reason));
});

describe('as a process', () => {
  it('exits with 0, 1 or 2, and standard error has one line', () => {
    expect(asProcess('run', 'hello-xen')).toMatchObject({ status: 0, error: '' });
    expect(asProcess('run', 'hello-xen', '--max-cycles', '100')).toMatchObject({ status: 1, error: '' });
    const { status, out, error } = asProcess('run', 'hello-xen', '--technique', 'magic');
    expect({ status, out }).toEqual({ status: 2, out: '' });
    expect(error).toMatch(/^ringside: --technique: [^\n]*\n$/);
  });
});
