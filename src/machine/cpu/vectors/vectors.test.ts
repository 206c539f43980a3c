// The integer half against a real processor: the outcome of some 45 000 single instructions, all operand and address sizes,
// 16- and 32-bit code and stacks, with faults. Stored ones run everywhere; where gcc -m32 is installed, fresh ones too.
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { Case, Outcome } from './case.ts';
import { casesOf, STORED_SEED } from './cases.ts';
import { describeCase, differences } from './compare.ts';
import { bareProcessor, runCase } from './machine.ts';
import { runNatively } from './native.ts';
import { load } from './store.ts';

const cpu = bareProcessor();

/** The first few cases of which our outcome is not the wanted one. */
function failures(cases: readonly Case[], wanted: readonly Outcome[], onlyDefined: boolean): string[] {
  const found: string[] = [];
  cases.forEach((c, n) => {
    const wrong = differences(c, runCase(cpu, c), wanted[n], onlyDefined);
    if (wrong.length && found.length < 5) found.push(`${describeCase(c)}: ${wrong.join('; ')}`);
  });
  return found;
}

describe('vectors of a real processor', () => {
  const cases = casesOf(STORED_SEED);
  const outcomes = load(cases, readFileSync(new URL('./integer.vectors', import.meta.url)));

  it('are many', () => {
    expect(cases.length).toBeGreaterThan(40_000);
    expect(outcomes.filter((o) => o.vector !== 3).length).toBeGreaterThan(1000);
  });

  // Flags that the manual leaves undefined are compared as well: they are what that processor leaves.
  for (const name of new Set(cases.map((c) => c.name))) {
    it(name, () => {
      const chosen = cases.map((c, n) => [c, outcomes[n]] as const).filter(([c]) => c.name === name);
      expect(
        failures(
          chosen.map(([c]) => c),
          chosen.map(([, o]) => o),
          false,
        ),
      ).toEqual([]);
    });
  }
});

describe('the processor underneath', () => {
  it('agrees on fresh cases, in everything that the manual defines', (context) => {
    const cases = casesOf(0x1f2e3d4c, 0.25);
    const outcomes = runNatively(cases);
    if (typeof outcomes === 'string') return context.skip(`skipped: ${outcomes}`);
    expect(failures(cases, outcomes, true)).toEqual([]);
  });
});
