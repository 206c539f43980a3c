// Makes the stored vectors anew on the processor underneath: node --import tsx src/machine/cpu/vectors/generate.ts [integer|x87|x87-functions|…]
import { writeFileSync } from 'node:fs';
import { casesOf, FAMILIES, STORED_SEED } from './cases.ts';
import { runNatively, runX87Natively } from './native.ts';
import { store } from './store.ts';
import { FLOATING_TEMPLATES } from './templates-floating.ts';
import { SIMD_TEMPLATES } from './templates-simd.ts';
import { FUNCTION_TEMPLATES } from './templates-x87.ts';
import { storeX87 } from './x87-case.ts';
import { X87_SEED, x87CasesOf } from './x87-cases.ts';

/** Runs cases and writes what came out. */
function make<C, O>(
  name: string,
  cases: readonly C[],
  run: (cases: readonly C[]) => readonly O[] | string,
  pack: (cases: readonly C[], outcomes: readonly O[]) => Uint8Array,
): void {
  const wanted = process.argv[2];
  if (wanted !== undefined && wanted !== name) return;
  const outcomes = run(cases);
  if (typeof outcomes === 'string') {
    console.error(outcomes);
    process.exit(1);
  }
  const file = pack(cases, outcomes);
  writeFileSync(new URL(`./${name}.vectors`, import.meta.url), file);
  console.log(`${name}: ${cases.length} cases, ${file.length} bytes`);
}

for (const [name, templates] of Object.entries(FAMILIES))
  make(name, casesOf(STORED_SEED, 1, templates), runNatively, store);
make('x87', x87CasesOf(X87_SEED), runX87Natively, storeX87);
make('simd', x87CasesOf(X87_SEED, 1, SIMD_TEMPLATES), runX87Natively, storeX87);
make('x87-functions', x87CasesOf(X87_SEED, 1, FUNCTION_TEMPLATES), runX87Natively, storeX87);
make('floating', x87CasesOf(X87_SEED, 1, FLOATING_TEMPLATES), runX87Natively, storeX87);
