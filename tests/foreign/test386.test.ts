// test386.asm, the public tester of 80386 emulators (PCjs, IBMulator, 86Box): a ROM in the place of the BIOS. It says by POST
// codes how far it has come, FFh at the end, and prints the results of arithmetic for comparison with its own reference.
import { cpSync, existsSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { run } from './boot.ts';
import { build, repository } from './git.ts';

const source = repository({
  url: 'https://github.com/barotto/test386.asm',
  variable: 'RINGSIDE_TEST386',
  needs: ['nasm'],
});
const missing = 'missing' in source ? source.missing : null;
if (missing) console.warn(`test386.asm is skipped: ${missing}`);

const REFERENCE = 'test386-EE-reference.txt';
/** POST codes to port 80h, results to port E9h, no printer. */
const SETTINGS = { POST_PORT: '0x80', OUT_PORT: '0xE9', LPT_PORT: '0', COM_PORT: '0' };

/** The ROM, assembled with our ports; as it is, when the folder has one. */
function rom(folder: string): string {
  const ready = join(folder, 'test386.bin');
  if (existsSync(ready)) return ready;
  const copy = mkdtempSync(join(tmpdir(), 'ringside-test386-'));
  cpSync(folder, copy, { recursive: true });
  const file = join(copy, 'src/configuration.asm');
  let text = readFileSync(file, 'utf8');
  for (const [name, value] of Object.entries(SETTINGS))
    text = text.replace(new RegExp(`^${name}\\s+equ\\s+\\S+`, 'm'), `${name} equ ${value}`);
  writeFileSync(file, text);
  build(copy, 'nasm', '-i./src/', '-f', 'bin', '-w-all', 'src/test386.asm', '-o', 'test386.bin');
  return join(copy, 'test386.bin');
}

const lines = (text: string) => text.replaceAll('\r', '').trimEnd().split('\n');

describe.skipIf(missing)('test386.asm', () => {
  it('comes to POST FFh, and computes what its reference says', () => {
    if (!('folder' in source)) return;
    const { post, debug } = run('test386.asm', {
      image: rom(source.folder),
      memoryMiB: 16,
      // It halts when it is done, or where it fails.
      talk: [['there is nothing to wait for', '']],
    });
    expect(post.toString(16), 'the POST code at which it stopped').toBe('ff');
    const expected = lines(readFileSync(join(source.folder, REFERENCE), 'latin1'));
    const got = lines(debug);
    expect(got.length).toBe(expected.length);
    const differences = got.filter((line, n) => line.trimEnd() !== expected[n].trimEnd());
    expect(differences).toEqual([]);
  });
});
