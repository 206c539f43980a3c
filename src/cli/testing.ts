// For tests of the terminal: a command line carried out in this process, or in one of its own, and a folder for its files.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { vi } from 'vitest';
import { ringside } from './command.ts';

export interface Outcome {
  status: number | null;
  out: string;
  error: string;
}

/** In this process: what main.ts would do, with what the console got. */
export async function inProcess(...words: string[]): Promise<Outcome> {
  const out = vi.spyOn(console, 'log').mockImplementation(() => {});
  const error = vi.spyOn(console, 'error').mockImplementation(() => {});
  const lines = (spy: typeof out) => spy.mock.calls.map(([line]) => line).join('\n');
  try {
    return { status: await ringside(words), out: lines(out), error: lines(error) };
  } finally {
    out.mockRestore();
    error.mockRestore();
  }
}

/** As a grader calls it: `ringside …` as a process. */
export function asProcess(...words: string[]): Outcome {
  const cwd = fileURLToPath(new URL('../../', import.meta.url));
  const command = ['--import', 'tsx', 'src/cli/main.ts', ...words];
  const { status, stdout, stderr } = spawnSync(process.execPath, command, { cwd, encoding: 'utf8' });
  return { status, out: stdout, error: stderr };
}

/** A new folder for files of a test. Remove it afterwards. */
export function folderFor(name: string): {
  path: string;
  file(name: string, content: string | Uint8Array): string;
} {
  const path = mkdtempSync(join(tmpdir(), `ringside-${name}-`));
  return {
    path,
    file(file, content) {
      writeFileSync(join(path, file), content);
      return join(path, file);
    },
  };
}
