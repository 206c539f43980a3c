// `ringside lesson check` as a grader calls it: 0 passed, 1 failed, 2 could not run, with one clear line.
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { lessonCommand } from './lesson.ts';
import { UsageError } from './library.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const LESSON = join(ROOT, 'lessons/02-first-hypercall');
let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'ringside-lesson-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

/** The command as a process of its own. */
function ringside(...words: string[]) {
  const command = ['--import', 'tsx', 'src/cli/main.ts', 'lesson', ...words];
  const { status, stdout, stderr } = spawnSync(process.execPath, command, { cwd: ROOT, encoding: 'utf8' });
  return { status, out: stdout.trim(), error: stderr.trim() };
}
/** The command in this process, and what main.ts makes of what it throws. */
function quickly(...words: string[]) {
  const out = vi.spyOn(console, 'log').mockImplementation(() => {});
  const error = vi.spyOn(console, 'error').mockImplementation(() => {});
  const lines = (spy: typeof out) => spy.mock.calls.map(([line]) => line).join('\n');
  try {
    const status = lessonCommand(words);
    return { status, out: lines(out), error: lines(error) };
  } catch (thrown) {
    expect(
      thrown instanceof UsageError || (thrown as { code: string }).code.startsWith('ERR_PARSE_ARGS'),
    ).toBe(true);
    return { status: 2, out: lines(out), error: (thrown as Error).message };
  } finally {
    out.mockRestore();
    error.mockRestore();
  }
}
/** A folder of answers with one file in it. */
function answer(name: string, text: string, file = 'guest.asm'): string {
  mkdirSync(join(folder, name), { recursive: true });
  writeFileSync(join(folder, name, file), text);
  return join(folder, name);
}

describe('ringside lesson check', () => {
  it('exits with 0, 1 or 2', () => {
    expect(ringside('check', 'first-hypercall')).toEqual({ status: 0, out: 'passed  Ask', error: '' });
    const failed = ringside('check', 'first-hypercall', '--solution', join(LESSON, 'start'));
    expect(failed.status).toBe(1);
    expect(failed.out).toMatch(/^FAILED {2}Ask: .*#GP/);
    const refused = ringside('check', 'no-such-lesson');
    expect(refused.status).toBe(2);
    expect(refused.error).toMatch(
      /^ringside: lesson: no lesson "no-such-lesson" \(there are 01-two-owners, .*\)$/,
    );
  });

  it('knows a lesson by its id, its folder and its path', () => {
    for (const name of ['first-hypercall', '02-first-hypercall', LESSON])
      expect(quickly('check', name)).toEqual({ status: 0, out: 'passed  Ask', error: '' });
  });

  it('takes an answer without the files that the lesson shares', () => {
    const { status, out } = quickly(
      'check',
      'two-owners',
      '--solution',
      join(ROOT, 'lessons/01-two-owners/wrong/deaf'),
    );
    expect(status).toBe(1);
    expect(out).toMatch(/never wakes/);
  });

  it.each([
    [
      'an unknown lesson',
      () => ['check', 'no-such-lesson'],
      /no lesson "no-such-lesson" \(there are 01-two-owners, /,
    ],
    ['no lesson', () => ['check'], /say "lesson check ID/],
    ['another verb', () => ['play', 'two-owners'], /say "lesson check ID/],
    ['an unknown option', () => ['check', 'two-owners', '--fast'], /--fast/],
    [
      'a folder that is not there',
      () => ['check', 'two-owners', '--solution', join(folder, 'none')],
      /there is no folder/,
    ],
    [
      'a file for a folder',
      () => ['check', 'two-owners', '--solution', join(LESSON, 'lesson.json')],
      /there is no folder/,
    ],
    [
      'a folder without the main file',
      () => ['check', 'first-hypercall', '--solution', answer('empty', '', 'other.asm')],
      /there is no guest\.asm/,
    ],
    [
      'a source that does not assemble',
      () => ['check', 'first-hypercall', '--solution', answer('typo', ' bits 32\n mov eax, txt\n')],
      /guest\.asm:2:\d+: /,
    ],
    [
      'a source that is no kernel',
      () => ['check', 'first-hypercall', '--solution', answer('flat', ' bits 32\n nop\n')],
      /^ringside: /,
    ],
    ['a lesson with a mistake', () => ['check', answer('bad', '{"id":1}', 'lesson.json')], /lesson\.json: /],
  ] as const)('could not run: %s', (_, words, message) => {
    const { status, out, error } = quickly(...words());
    expect(status).toBe(2);
    expect(out).toBe('');
    expect(error).toMatch(message);
  });
});
