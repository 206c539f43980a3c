// The oracle for the sources of guests: Debian's NASM assembles them too.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const GUESTS = fileURLToPath(new URL('../', import.meta.url));

/** True when a program of that name starts on this machine: tests that need one skip without it. */
export function installed(program: string): boolean {
  return spawnSync(program, ['--version'], { stdio: 'ignore' }).status === 0;
}

/** Assembles a main file below src/guests/ with NASM as the guests' own comments say. Throws with NASM's messages. */
export function nasm(main: string): { path: string; bytes: Uint8Array } {
  const path = join(mkdtempSync(join(tmpdir(), 'guest-')), 'guest.elf');
  const run = spawnSync('nasm', ['-f', 'bin', '-w+all', '-I', './', '-o', path, main], {
    cwd: GUESTS,
    encoding: 'utf8',
  });
  if (run.status !== 0 || run.stderr) throw new Error(`nasm ${main}:\n${run.stderr}`);
  return { path, bytes: new Uint8Array(readFileSync(path)) };
}

/** The source as NASM's preprocessor leaves it: macros expanded, comments gone. */
export function preprocessed(main: string): string {
  const run = spawnSync('nasm', ['-E', '-I', './', main], {
    cwd: GUESTS,
    encoding: 'utf8',
    maxBuffer: 1 << 24,
  });
  if (run.status !== 0) throw new Error(`nasm -E ${main}:\n${run.stderr}`);
  return run.stdout;
}
