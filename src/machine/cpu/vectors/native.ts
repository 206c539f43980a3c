// Compiles native.c and runs cases on the processor underneath. Test-side only: it needs Node, Linux on x86 and gcc -m32.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Case, type Outcome, packCases, unpackOutcomes } from './case.ts';
import { packX87, unpackX87, type X87Case, type X87Outcome } from './x87-case.ts';

/**
 * Runs cases natively.
 * @returns outcomes in order, or a sentence that says why this machine cannot do it
 */
export function runNatively(cases: readonly Case[]): Outcome[] | string {
  const made = runProgram('native', packCases(cases), 'this kernel does not let us make segments of our own');
  return typeof made === 'string' ? made : complete(unpackOutcomes(made), cases.length);
}

/** The same for cases of the floating-point unit. */
export function runX87Natively(cases: readonly X87Case[]): X87Outcome[] | string {
  const made = runProgram('native-x87', packX87(cases), 'the program did not run');
  return typeof made === 'string' ? made : complete(unpackX87(made), cases.length);
}

function complete<T>(outcomes: T[], wanted: number): T[] | string {
  return outcomes.length === wanted ? outcomes : `only ${outcomes.length} of ${wanted} cases came back`;
}

/** Compiles a program of this folder and feeds it cases. @returns what it wrote, or why it did not */
function runProgram(name: string, cases: Uint8Array, refusal: string): Uint8Array | string {
  const directory = mkdtempSync(join(tmpdir(), 'ringside-vectors-'));
  const file = (leaf: string) => join(directory, leaf);
  const source = fileURLToPath(new URL(`./${name}.c`, import.meta.url));
  try {
    try {
      execFileSync('gcc', ['-m32', '-O1', '-fno-stack-protector', '-o', file(name), source], {
        stdio: 'pipe',
      });
    } catch {
      return 'gcc -m32 is not installed here (Debian: gcc-multilib)';
    }
    writeFileSync(file('cases'), cases);
    try {
      execFileSync(file(name), [file('cases'), file('outcomes')], { stdio: 'pipe' });
    } catch (error) {
      return `${refusal} (${String(error).split('\n')[0]})`;
    }
    return readFileSync(file('outcomes'));
  } finally {
    rmSync(directory, { recursive: true });
  }
}
