// Systems and suites that their authors publish as git repositories: cloned into the cache of the other downloads, built there
// with this machine's compiler. A folder that somebody has already can be named instead, by an environment variable.
import { spawnSync } from 'node:child_process';
import { existsSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { CACHE } from './debian.ts';

interface Repository {
  url: string;
  /** Names a folder with the sources, or with what they build, in place of a clone. */
  variable: string;
  /** Programs without which it cannot be built. */
  needs: readonly string[];
}

const has = (program: string) => spawnSync('which', [program]).status === 0;

/** The folder with the repository, or why there is none, in one sentence. */
export function repository({ url, variable, needs }: Repository): { folder: string } | { missing: string } {
  const given = process.env[variable];
  if (given) return existsSync(given) ? { folder: given } : { missing: `${variable}: there is no ${given}` };
  const lacking = ['git', ...needs].find((program) => !has(program));
  if (lacking) return { missing: `no ${lacking}` };
  const folder = join(CACHE, 'git', url.split('/').at(-1)!.replace('.git', ''));
  if (existsSync(folder)) return { folder };
  const words = ['clone', '--quiet', '--depth', '1', url, `${folder}.part`];
  const env = { ...process.env, GIT_TERMINAL_PROMPT: '0' };
  const { status, stderr } = spawnSync('git', words, { encoding: 'utf8', env, timeout: 300_000 });
  if (status !== 0) return { missing: `${url} could not be cloned: ${stderr?.trim().split('\n').at(-1)}` };
  renameSync(`${folder}.part`, folder);
  return { folder };
}

/** Runs a build step there. Throws with the last lines of what it said. */
export function build(folder: string, program: string, ...words: string[]): void {
  const { status, stdout, stderr } = spawnSync(program, words, { cwd: folder, encoding: 'utf8' });
  if (status !== 0) throw new Error(`${program} ${words.join(' ')}: ${`${stdout}${stderr}`.slice(-2000)}`);
}
