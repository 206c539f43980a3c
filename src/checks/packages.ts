// What tests need from the system: a Chromium, and NASM as the assembler's oracle. Found, or installed where that is
// possible, or said plainly.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';

const CHROMIUMS = [
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
  '/snap/bin/chromium',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
];

/** Path of a Chromium to test with: $CHROMIUM, or one of the usual places. */
export function chromiumPath(): string | undefined {
  const chosen = process.env.CHROMIUM;
  return chosen && existsSync(chosen) ? chosen : CHROMIUMS.find((path) => existsSync(path));
}

const has = (program: string) => spawnSync('which', [program]).status === 0;

/** Debian's package client, when we may use it. */
function install(name: string): boolean {
  if (!has('apt-get') || process.getuid?.() !== 0) return false;
  console.log(`installing ${name} with apt-get …`);
  const run = (words: string[]) =>
    spawnSync('apt-get', words, {
      stdio: ['ignore', 'ignore', 'inherit'],
      env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
    }).status === 0;
  run(['update', '-qq']);
  return run(['install', '-y', '-qq', '--no-install-recommends', name]);
}

/** Null when a Chromium is there; else what to do. */
export function ensureChromium(): string | null {
  if (chromiumPath() || (install('chromium') && chromiumPath())) return null;
  return 'the page tests need a Chromium: install one (Debian: apt-get install chromium), or set CHROMIUM to its path';
}

/** NASM is an oracle: without it the tests that compare with it skip, and say so. */
export function ensureNasm(): string | null {
  if (!has('nasm') && !install('nasm'))
    console.warn(
      'nasm is not installed (Debian: apt-get install nasm): the byte comparisons with it are skipped',
    );
  return null;
}
