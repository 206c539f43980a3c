// Boots a stock Debian kernel in another process, where the code runs as it does for users, and talks to its shell.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { dependency, unpack } from './debian.ts';
import type { Answer, Request } from './drive.ts';

/**
 * Without these the kernel does the same, later: it looks for busses that are not there by waiting (noisapnp), and proves
 * its own cryptography (a minute of arithmetic), and it waits for every character of its log (quiet). The time-stamp counter is the only good clock of this board.
 */
const COMMAND_LINE =
  'console=ttyS0,115200 quiet acpi=off nosmp noapic nolapic tsc=reliable no_timer_check noisapnp cryptomgr.notests';
/** What the shell prints when it listens. */
export const PROMPT = '/ # ';

export type Talk = Request['talk'];

/** @param packageName a meta-package of Debian's kernels: linux-image-686 or linux-image-686-pae */
export function boot(
  packageName: string,
  technique: Request['technique'],
  initrd: Uint8Array,
  talk: Talk,
  memoryMiB = 64,
): Answer {
  const folder = mkdtempSync(join(tmpdir(), 'ringside-foreign-'));
  try {
    const files = join(unpack(dependency(packageName)), 'boot');
    const kernel = readdirSync(files).find((name) => name.startsWith('vmlinuz'))!;
    const request: Request = {
      kernel: join(files, kernel),
      initrd: join(folder, 'initrd'),
      technique,
      commandLine: COMMAND_LINE,
      memoryMiB,
      clockHz: 3_800_000_000,
      talk,
      maxSeconds: 1100,
    };
    writeFileSync(request.initrd!, initrd);
    writeFileSync(join(folder, 'request.json'), JSON.stringify(request));
    const words = ['--import', 'tsx', 'tests/foreign/drive.ts', join(folder, 'request.json')];
    const options = { encoding: 'utf8', maxBuffer: 1 << 26 } as const;
    const { stdout, stderr } = spawnSync(process.execPath, words, options);
    if (!stdout) throw new Error(stderr);
    const answer = JSON.parse(stdout) as Answer;
    const { instructions, virtualSeconds, seconds } = answer;
    console.log(
      `${packageName}, ${technique}: ${(instructions / 1e6).toFixed(0)} million instructions, ${virtualSeconds.toFixed(2)} s of its own time, ${seconds.toFixed(0)} s here`,
    );
    return answer;
  } finally {
    rmSync(folder, { recursive: true });
  }
}
