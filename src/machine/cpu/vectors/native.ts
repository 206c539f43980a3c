// Compiles native.c and runs cases on the processor underneath. Test-side only: it needs Node, Linux on x86 and gcc -m32.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Case, type Outcome, packCases, unpackOutcomes } from './case.ts';

/**
 * Runs cases natively.
 * @returns outcomes in order, or a sentence that says why this machine cannot do it
 */
export function runNatively(cases: readonly Case[]): Outcome[] | string {
  const directory = mkdtempSync(join(tmpdir(), 'ringside-vectors-'));
  const file = (name: string) => join(directory, name);
  const source = fileURLToPath(new URL('./native.c', import.meta.url));
  try {
    try {
      execFileSync('gcc', ['-m32', '-O1', '-o', file('native'), source], { stdio: 'pipe' });
    } catch {
      return 'gcc -m32 is not installed here (Debian: gcc-multilib)';
    }
    writeFileSync(file('cases'), packCases(cases));
    try {
      execFileSync(file('native'), [file('cases'), file('outcomes')], { stdio: 'pipe' });
    } catch (error) {
      return `this kernel does not let us make segments of our own (${String(error).split('\n')[0]})`;
    }
    const outcomes = unpackOutcomes(readFileSync(file('outcomes')));
    return outcomes.length === cases.length
      ? outcomes
      : `only ${outcomes.length} of ${cases.length} cases came back`;
  } finally {
    rmSync(directory, { recursive: true });
  }
}
