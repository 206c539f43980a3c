// The oracle of this room: Debian's nasm, run on the same source. Other tests import what is here.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { type AssembleOptions, assemble, type Diagnostic } from './assemble.ts';

/** Why comparisons with nasm are skipped; empty when it is there. */
export const noNasm = /^NASM version 2\.16/.test(String(spawnSync('nasm', ['-v']).stdout))
  ? ''
  : 'nasm 2.16 is not installed: apt-get install nasm';

export interface NasmResult {
  /** null: nasm rejected the source. */
  readonly bytes: Uint8Array | null;
  readonly messages: string;
  /** Lines that have an error message. */
  readonly rejected: ReadonlySet<number>;
}

/** `nasm -f bin` on one source, with other files beside it. */
export function nasm(source: string, files: Readonly<Record<string, string>> = {}): NasmResult {
  const folder = mkdtempSync(join(tmpdir(), 'ringside-nasm-'));
  try {
    for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
    writeFileSync(join(folder, 'main.asm'), source);
    const run = spawnSync('nasm', ['-f', 'bin', '-o', 'out.bin', 'main.asm'], {
      cwd: folder,
      maxBuffer: 1 << 28,
    });
    const messages = String(run.stderr);
    const rejected = new Set<number>();
    for (const match of messages.matchAll(/^main\.asm:(\d+): (?:error|fatal)/gm))
      rejected.add(Number(match[1]));
    const image = join(folder, 'out.bin');
    return { bytes: run.status === 0 && existsSync(image) ? readFileSync(image) : null, messages, rejected };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

export interface OurResult {
  readonly bytes: Uint8Array | null;
  readonly diagnostics: readonly Diagnostic[];
}

export function ours(
  source: string,
  files: Readonly<Record<string, string>> = {},
  options?: AssembleOptions,
): OurResult {
  const map = new Map([...Object.entries(files), ['main.asm', source]]);
  const { bytes, diagnostics } = assemble(map, 'main.asm', options);
  return { bytes: diagnostics.some((d) => d.severity === 'error') ? null : bytes, diagnostics };
}

export const hex = (bytes: Uint8Array | null): string =>
  bytes === null ? 'rejected' : Buffer.from(bytes).toString('hex');

/** Both assemblers give the same bytes, or both reject. */
export function sameAsNasm(source: string, files: Readonly<Record<string, string>> = {}): void {
  const reference = nasm(source, files);
  // An assertion of its own that nasm fails says nothing about the source.
  if (reference.messages.includes('panic:')) return;
  const result = ours(source, files);
  const why = `${source}\n--- nasm: ${reference.messages}\n--- ours: ${result.diagnostics.map((d) => `${d.file}:${d.line}:${d.column} ${d.message}`).join('\n')}`;
  expect(hex(result.bytes), why).toBe(hex(reference.bytes));
}

/**
 * Compares line by line: each line must be rejected by both or give the same bytes in both. Returns the differences
 * as readable text. `header` goes in front of every batch.
 */
export function differences(lines: readonly string[], header: string): string[] {
  const found: string[] = [];
  const offset = header.split('\n').length;
  // nasm reports in stages: what is wrong in a later pass shows only when the earlier passes are clean.
  let accepted = lines;
  const refused: string[] = [];
  let reference = nasm([header, ...accepted].join('\n'));
  for (let stage = 0; stage < 8 && !reference.bytes && reference.rejected.size > 0; stage++) {
    const { rejected } = reference;
    refused.push(...accepted.filter((_, i) => rejected.has(offset + 1 + i)));
    accepted = accepted.filter((_, i) => !rejected.has(offset + 1 + i));
    reference = nasm([header, ...accepted].join('\n'));
  }
  if (!reference.bytes) return [`nasm gives no bytes: ${reference.messages.slice(0, 500)}`];
  const options = { limits: { diagnostics: 1_000_000 } };
  const map = new Map([['main.asm', [header, ...accepted].join('\n')]]);
  const mine = assemble(map, 'main.asm', options);
  const errors = mine.diagnostics.filter((d) => d.severity === 'error');
  const wrong = new Set(errors.map((d) => d.line));
  for (const d of errors)
    found.push(`nasm accepts, we do not: ${accepted[d.line - offset - 1]}   (${d.message})`);

  const good = accepted.filter((_, i) => !wrong.has(offset + 1 + i));
  if (wrong.size > 0) {
    found.push(...byteDifferences(good, header));
  } else if (hex(mine.bytes) !== hex(reference.bytes)) found.push(...byteDifferences(good, header));

  const bad = ours([header, ...refused].join('\n'), {}, options);
  const complained = new Set(bad.diagnostics.filter((d) => d.severity === 'error').map((d) => d.line));
  refused.forEach((line, i) => {
    if (!complained.has(offset + 1 + i)) found.push(`nasm rejects, we do not: ${line}`);
  });
  return found;
}

/** Finds the lines with different bytes by putting a recognizable gap between them. */
function byteDifferences(lines: readonly string[], header: string): string[] {
  const found: string[] = [];
  const spaced = [header, ...lines.flatMap((line) => [line, 'align 32, db 0xF1'])].join('\n');
  const theirs = nasm(spaced).bytes;
  const mine = ours(spaced).bytes;
  const start = ours(`${header}\nalign 32, db 0xF1`).bytes?.length ?? 0;
  if (!theirs || !mine) return ['cannot compare: one side rejects the spaced source'];
  let at = start;
  for (const line of [`(header)`, ...lines].slice(1)) {
    const a = mine.subarray(at, at + 32);
    const b = theirs.subarray(at, at + 32);
    if (hex(a) !== hex(b)) found.push(`${line}\n    nasm ${hex(b)}\n    ours ${hex(a)}`);
    at += 32;
  }
  return found;
}

test.skipIf(noNasm)('the oracle answers', () => {
  expect(hex(nasm('mov ax, 1').bytes)).toBe('b80100');
  expect(nasm('nop\nmov ax, ebx\nnop').rejected).toEqual(new Set([2]));
});
