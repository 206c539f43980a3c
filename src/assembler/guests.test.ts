// Every guest in the repository: the page's assembler and nasm make the same image of it, fast enough to do so as one
// types. A guest is a file under src/guests whose first line says `; ringside-guest`.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { assemble } from './assemble.ts';
import { hex, noNasm } from './oracle.test.ts';

const FOLDER = fileURLToPath(new URL('../guests/', import.meta.url));

const files = new Map<string, string>();
for (const entry of readdirSync(FOLDER, { recursive: true, encoding: 'utf8' }).sort())
  if (/\.(asm|inc)$/.test(entry)) files.set(entry, readFileSync(join(FOLDER, entry), 'utf8'));

const guests = [...files]
  .filter(([, text]) => text.split('\n', 1)[0].includes('; ringside-guest'))
  .map(([name]) => name);

function nasmImage(main: string): { bytes: Uint8Array | null; messages: string } {
  const folder = mkdtempSync(join(tmpdir(), 'ringside-guest-'));
  try {
    const image = join(folder, 'image');
    const paths = ['./', 'include/', `${dirname(main)}/`].flatMap((path) => ['-I', path]);
    const run = spawnSync('nasm', ['-f', 'bin', ...paths, '-o', image, main], { cwd: FOLDER });
    return { bytes: run.status === 0 ? readFileSync(image) : null, messages: String(run.stderr) };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

describe('guests', () => {
  test('there are some', () => expect(guests.length).toBeGreaterThan(0));

  for (const main of guests) {
    test.skipIf(noNasm)(`${main}: nasm's bytes ${noNasm}`, () => {
      const reference = nasmImage(main);
      const result = assemble(files, main);
      const errors = result.diagnostics.filter((d) => d.severity === 'error');
      expect(errors, reference.messages).toEqual([]);
      const wrong = reference.bytes ? result.bytes.findIndex((byte, i) => byte !== reference.bytes![i]) : -1;
      const where =
        wrong < 0
          ? ''
          : `first difference at ${wrong.toString(16)}h, from ${JSON.stringify(result.lines.atOffset(wrong))}`;
      expect(hex(result.bytes) === hex(reference.bytes), `${where}\n${reference.messages}`).toBe(true);
    });

    test(`${main}: every byte of code has its line, and the line its address`, () => {
      const { lines, bytes, origin } = assemble(files, main);
      let covered = 0;
      for (const { offset, length, file, line } of lines.spans) {
        expect(files.get(file)?.split('\n')[line - 1], `${file}:${line}`).toBeDefined();
        if (offset >= 0) covered += length;
        const first = lines.addressOf(file, line);
        expect(first).not.toBe(null);
      }
      expect(covered).toBeLessThanOrEqual(bytes.length);
      expect(lines.atOffset(0)).not.toBe(null);
      expect(Number.isSafeInteger(origin)).toBe(true);
    });
  }
});
