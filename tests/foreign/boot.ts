// Boots a guest in another process, where the code runs as it does for users, and talks to it; a stock Debian kernel, to its shell.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { dependency, unpack } from './debian.ts';
import type { Answer, Request } from './drive.ts';

/**
 * Without these the kernel does the same, later: it looks for busses that are not there by waiting (noisapnp), and proves
 * its own cryptography (a minute of arithmetic), and it waits for every character of its log (quiet).
 */
const QUICKLY = 'console=ttyS0,115200 quiet noisapnp cryptomgr.notests';
/** One processor with a PIC: the time-stamp counter is the only good clock of that board. */
export const PLAIN = `${QUICKLY} acpi=off nosmp noapic nolapic tsc=reliable no_timer_check`;
/** As its tables describe it. */
export const ACPI = QUICKLY;
/** What the shell prints when it listens. */
export const PROMPT = '/ # ';
const CLOCK_HZ = 3_800_000_000;
const MAX_SECONDS = 1100;

export type Talk = Request['talk'];

/** Runs a guest until the talk is over, and says on the terminal what that took. */
export function run(
  title: string,
  request: Omit<Request, 'maxSeconds' | 'clockHz'> & Partial<Request>,
): Answer {
  const folder = mkdtempSync(join(tmpdir(), 'ringside-foreign-'));
  try {
    const file = join(folder, 'request.json');
    writeFileSync(file, JSON.stringify({ maxSeconds: MAX_SECONDS, clockHz: CLOCK_HZ, ...request }));
    const words = ['--import', 'tsx', 'tests/foreign/drive.ts', file];
    const options = { encoding: 'utf8', maxBuffer: 1 << 26 } as const;
    const { stdout, stderr } = spawnSync(process.execPath, words, options);
    if (!stdout) throw new Error(stderr);
    const answer = JSON.parse(stdout) as Answer;
    const { instructions, virtualSeconds, seconds } = answer;
    console.log(
      `${title}: ${(instructions / 1e6).toFixed(0)} million instructions, ${virtualSeconds.toFixed(2)} s of its own time, ${seconds.toFixed(0)} s here`,
    );
    return answer;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** The kernel file of a meta-package of Debian: linux-image-686 or linux-image-686-pae. */
export function debianKernel(packageName: string): string {
  const files = join(unpack(dependency(packageName)), 'boot');
  return join(files, readdirSync(files).find((name) => name.startsWith('vmlinuz'))!);
}

/** Boots such a kernel itself, by the 32-bit boot protocol. */
export function boot(
  packageName: string,
  technique: Request['technique'],
  initrd: Uint8Array,
  talk: Talk,
  more: Partial<Request> = {},
): Answer {
  const folder = mkdtempSync(join(tmpdir(), 'ringside-foreign-'));
  try {
    const file = join(folder, 'initrd');
    writeFileSync(file, initrd);
    const request = { image: debianKernel(packageName), initrd: file, technique, talk, memoryMiB: 64 };
    const { paging = '', enlightenments = [] } = more;
    const title = [packageName, technique, paging, ...enlightenments].filter(Boolean).join(', ');
    return run(title, { commandLine: PLAIN, ...request, ...more });
  } finally {
    rmSync(folder, { recursive: true });
  }
}
