// xv6, the teaching system of MIT's 6.828 and of many courses after it (the x86 edition), unmodified: boot sector, kernel and
// file system on two IDE disks, MP tables, local and I/O APIC. To its shell and through some of its programs.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { run, type Talk } from './boot.ts';
import { build, repository } from './git.ts';

const source = repository({
  url: 'https://github.com/mit-pdos/xv6-public',
  variable: 'RINGSIDE_XV6',
  needs: ['make', 'gcc', 'perl', 'objcopy'],
});
const missing = 'missing' in source ? source.missing : null;
if (missing) console.warn(`xv6 is skipped: ${missing}`);

/** Its own, without those that newer compilers object to: it is not built with warnings as errors, and fits its boot sector. */
const CFLAGS =
  '-fno-pic -static -fno-builtin -fno-strict-aliasing -O2 -MD -ggdb -m32 -fno-omit-frame-pointer -fno-stack-protector -fno-pie -no-pie -fcf-protection=none -w';
const CLOCK_HZ = 100_000_000;
/** It takes for granted that there are 224 MiB. */
const MEMORY_MIB = 256;

describe.skipIf(missing)('xv6', () => {
  let folder = '';
  beforeAll(() => {
    if (!('folder' in source)) return;
    folder = source.folder;
    if (!existsSync(join(folder, 'fs.img')))
      build(folder, 'make', 'TOOLPREFIX=', `CFLAGS=${CFLAGS}`, 'xv6.img', 'fs.img');
  });
  const start = (processors: number, talk: Talk) =>
    run(`xv6, ${processors} processors`, {
      image: join(folder, 'xv6.img'),
      disks: [join(folder, 'fs.img')],
      memoryMiB: MEMORY_MIB,
      clockHz: CLOCK_HZ,
      processors,
      apic: true,
      talk,
    });

  it.each([1, 2])('boots on %i processors; lists, pipes, writes to its disk', (processors) => {
    const { text, finished } = start(processors, [
      ['$ ', 'ls\n'],
      ['console', 'echo one two three | wc\n'],
      ['1 3 14', 'echo kept > file; ls file\n'],
      ['file  ', ''],
    ]);
    expect(finished, text.slice(-2000)).toBe(true);
    for (let n = 0; n < processors; n++) expect(text).toContain(`cpu${n}: starting`);
    expect(text).toMatch(/^usertests\s+2 \d+ \d+/m);
    expect(text).not.toContain('panic');
  });

  it.skipIf(!process.env.RINGSIDE_LONG)(
    'usertests (skipped: RINGSIDE_LONG is not set, and it takes more than ten minutes)',
    () => {
      const { text, finished } = start(2, [
        ['$ ', 'usertests\n'],
        ['ALL TESTS PASSED', ''],
      ]);
      expect(finished, text.slice(-2000)).toBe(true);
    },
  );
});
