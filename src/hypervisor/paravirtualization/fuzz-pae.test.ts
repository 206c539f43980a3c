// Random hypercalls of guests with PAE: see testing-fuzz.ts. FUZZ_RUNS, FUZZ_SEED and FUZZ_TELL change how many, which, and what
// it says.
import { expect, it } from 'vitest';
import { fuzz } from './testing-fuzz.ts';

it('random hypercalls leave the host, the neighbour and the safety of the tables alone', () => {
  const { calls } = fuzz(true, 20060313);
  if (!process.env.FUZZ_RUNS) expect(calls).toBeGreaterThan(50_000);
}, 600_000);
