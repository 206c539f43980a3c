// The integer half against a real processor: the outcome of some 60 000 single instructions, all operand and address sizes,
// 16- and 32-bit code and stacks, with faults, loads of segment registers and what CPL 3 must not do; and of 34 000 short
// programs. Stored ones run everywhere; where gcc -m32 is installed, fresh ones too.
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { Case, Outcome } from './case.ts';
import { casesOf, FAMILIES, STORED_SEED } from './cases.ts';
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

function stored(name: keyof typeof FAMILIES) {
  const cases = casesOf(STORED_SEED, 1, FAMILIES[name]);
  const outcomes = load(cases, readFileSync(new URL(`./${name}.vectors`, import.meta.url)));
  return { cases, outcomes };
}

// Flags that the manual leaves undefined are compared as well: they are what that processor leaves.
for (const family of ['integer', 'segments'] as const) {
  describe(`${family} vectors of a real processor`, () => {
    const { cases, outcomes } = stored(family);
    const names = cases.map((c) => c.name);

    it('are many, with many faults', () => {
      expect(cases.length).toBeGreaterThan(family === 'integer' ? 45_000 : 14_000);
      expect(outcomes.filter((o) => o.vector !== 3).length).toBeGreaterThan(1000);
    });

    for (const name of new Set(names)) {
      it(name, () => {
        const chosen = <T>(all: readonly T[]) => all.filter((_, n) => names[n] === name);
        expect(failures(chosen(cases), chosen(outcomes), false)).toEqual([]);
      });
    }
  });
}

describe('programs on a real processor', () => {
  it('end in the same state: registers, memory, and the flags that are defined', () => {
    const { cases, outcomes } = stored('programs');
    expect(cases.length).toBeGreaterThan(30_000);
    expect(failures(cases, outcomes, true)).toEqual([]);
  });
});

describe('the processor underneath', () => {
  for (const [name, templates] of Object.entries(FAMILIES)) {
    it(`agrees on fresh cases (${name}), in everything that the manual defines`, (context) => {
      const cases = casesOf(0x1f2e3d4c, name === 'programs' ? 0.05 : 0.15, templates);
      const outcomes = runNatively(cases);
      if (typeof outcomes === 'string') return context.skip(`skipped: ${outcomes}`);
      expect(failures(cases, outcomes, true)).toEqual([]);
    });
  }
});
