// Makes integer.vectors anew on the processor underneath: node --import tsx src/machine/cpu/vectors/generate.ts
import { writeFileSync } from 'node:fs';
import { casesOf, STORED_SEED } from './cases.ts';
import { runNatively } from './native.ts';
import { store } from './store.ts';

const cases = casesOf(STORED_SEED);
const outcomes = runNatively(cases);
if (typeof outcomes === 'string') {
  console.error(outcomes);
  process.exit(1);
}
const file = store(cases, outcomes);
writeFileSync(new URL('./integer.vectors', import.meta.url), file);
console.log(`${cases.length} cases, ${file.length} bytes`);
