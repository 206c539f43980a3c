// Public tests of the 386's instructions, as programs under a stock kernel: QEMU's own test-i386 (arithmetic, shifts,
// flags, strings, far calls, segments, self-modifying code, exceptions, single step) and its x87 tests, from Debian's source
// package. Each is run by the processor underneath too; what it prints there is what it must print in the guest.
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { boot, PROMPT } from './boot.ts';
import { initrd } from './cpio.ts';
import { sources, unpack, whyNoPackages } from './debian.ts';

/** Without fp-exceptions, which uses FISTTP (SSE3), and fprem, which prints for more than a minute even natively. */
const X87 = [
  'f2xm1',
  'fbstp',
  'fldcst',
  'fpatan',
  'fscale',
  'fxam',
  'fxtract',
  'fyl2x',
  'fyl2xp1',
  'pseudo-denormal',
  'snan-convert',
];
const GCC = '-m32 -march=i686 -static -fno-pie -no-pie -O2 -w -fno-strict-aliasing'.split(' ');

/** Why this cannot be run, or null. */
function why(): string | null {
  const packages = whyNoPackages();
  if (packages) return packages;
  const probe = spawnSync('gcc', [...GCC, '-x', 'c', '-', '-o', '/dev/null'], { input: 'int main(){}' });
  return probe.status === 0 ? null : 'no gcc -m32 with static libraries (Debian: gcc-multilib)';
}
const missing = why();
if (missing) console.warn(`public processor tests are skipped: ${missing}`);

const programs = new Map<string, Uint8Array>();
let reference = '';

function compile(from: string, name: string, files: readonly string[]): void {
  const out = join(from, `bin-${name}`);
  const { status, stderr } = spawnSync('gcc', [...GCC, '-o', out, ...files, '-lm'], { cwd: from });
  if (status !== 0) throw new Error(`${name}: ${stderr}`);
  programs.set(name, readFileSync(out));
}

describe.skipIf(missing)('public tests of the processor, under a stock kernel', () => {
  let text = '';
  beforeAll(() => {
    const from = join(sources('qemu', ['tests/tcg/i386/*']), 'tests/tcg/i386');
    mkdirSync(from, { recursive: true });
    compile(from, 'test-i386', ['test-i386.c', 'test-i386-code16.S', 'test-i386-vm86.S']);
    for (const name of X87) compile(from, `test-${name}`, [`test-i386-${name}.c`]);
    reference = spawnSync(join(from, 'bin-test-i386'), { encoding: 'latin1' }).stdout;
    const extra = new Map([...programs, ['reference', Buffer.from(reference, 'latin1')] as const]);
    const disk = initrd(readFileSync(join(unpack('busybox-static'), 'bin/busybox')), extra);
    const each = X87.map(
      (name) => `test-${name} >/tmp/out 2>&1; echo RESULT ${name} $?; head -20 /tmp/out\n`,
    );
    const answer = boot(
      'linux-image-686',
      'native',
      disk,
      [
        ...each.map((line): [string, string] => [PROMPT, line]),
        [PROMPT, 'test-i386 >/tmp/out; echo RESULT i386 $?; diff -U0 /bin/reference /tmp/out | head -80\n'],
        [PROMPT, 'sleep 1; echo fin""ished\n'],
        ['finished', ''],
      ],
      { memoryMiB: 96 },
    );
    text = answer.text.slice(answer.text.indexOf('ringside: init runs')).replaceAll('\r', '');
    expect(answer.finished, text.slice(-2000)).toBe(true);
  });

  it.each(X87)('%s', (name) => {
    expect(text).toMatch(new RegExp(`^RESULT ${name} 0$`, 'm'));
  });

  it('test-i386 prints what it prints on the processor underneath', () => {
    expect(text).toMatch(/^RESULT i386 0$/m);
    const differences = text.split('\n').filter((line) => /^[-+](?![-+])/.test(line));
    expect(differences).toEqual([]);
  });
});
