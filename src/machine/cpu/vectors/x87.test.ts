// The floating-point unit against a real processor: the outcome of some 90 000 single instructions and 32 000 sequences, operands of all classes,
// all control words, full and empty registers, masked and unmasked exceptions. Stored outcomes run everywhere; where gcc -m32 is
// installed, fresh ones too. Everything is compared: registers, status, tags, memory, flags.
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { bareProcessor } from './machine.ts';
import { runX87Natively } from './native.ts';
import { FLOATING_TEMPLATES } from './templates-floating.ts';
import { SIMD_TEMPLATES } from './templates-simd.ts';
import { FUNCTION_TEMPLATES } from './templates-x87.ts';
import { loadX87, type X87Case, type X87Outcome } from './x87-case.ts';
import { X87_SEED, x87CasesOf } from './x87-cases.ts';
import { describeX87, functionDifferences, x87Differences } from './x87-compare.ts';
import { runX87Case } from './x87-machine.ts';

const cpu = bareProcessor();

/** The first few cases of which our outcome is not the wanted one. */
function failures(
  cases: readonly X87Case[],
  wanted: readonly X87Outcome[],
  differences = x87Differences,
): string[] {
  const found: string[] = [];
  cases.forEach((c, n) => {
    const wrong = differences(c, runX87Case(cpu, c), wanted[n]);
    if (wrong.length && found.length < 5) found.push(`${describeX87(c)}: ${wrong.join('; ')}`);
  });
  return found;
}

describe('x87 vectors of a real processor', () => {
  const cases = x87CasesOf(X87_SEED);
  const outcomes = loadX87(cases, readFileSync(new URL('./x87.vectors', import.meta.url)));

  it('are many, and some of them are #MF', () => {
    expect(cases.length).toBeGreaterThan(60_000);
    expect(outcomes.filter((o) => o.vector === 16).length).toBeGreaterThan(300);
  });

  for (const name of new Set(cases.map((c) => c.name))) {
    it(name, () => {
      const chosen = cases.map((c, n) => [c, outcomes[n]] as const).filter(([c]) => c.name === name);
      expect(
        failures(
          chosen.map(([c]) => c),
          chosen.map(([, o]) => o),
        ),
      ).toEqual([]);
    });
  }
});

describe('transcendental instructions', () => {
  const cases = x87CasesOf(X87_SEED, 1, FUNCTION_TEMPLATES);
  const outcomes = loadX87(cases, readFileSync(new URL('./x87-functions.vectors', import.meta.url)));

  it('are within one unit of the last place of a real processor, flags and special cases exact', () => {
    expect(cases.length).toBeGreaterThan(5000);
    expect(failures(cases, outcomes, functionDifferences)).toEqual([]);
  });

  it('give the same bits in more than nine cases of ten', () => {
    const same = cases.filter((c, n) => {
      const { state } = runX87Case(cpu, c);
      return state.every((byte, k) => byte === outcomes[n].state[k]);
    });
    expect(same.length / cases.length).toBeGreaterThan(0.9);
  });
});

describe('MMX, SSE and SSE2 vectors of a real processor', () => {
  const cases = x87CasesOf(X87_SEED, 1, SIMD_TEMPLATES);
  const outcomes = loadX87(cases, readFileSync(new URL('./simd.vectors', import.meta.url)));

  it('are many, and some of them are #XM', () => {
    expect(cases.length).toBeGreaterThan(20_000);
    expect(outcomes.filter((o) => o.vector === 19).length).toBeGreaterThan(500);
  });

  it('give the same registers, memory, flags and faults', () => {
    expect(failures(cases, outcomes)).toEqual([]);
  });
});

describe('second encodings, and sequences of a handful of x87, MMX and SSE instructions', () => {
  const cases = x87CasesOf(X87_SEED, 1, FLOATING_TEMPLATES);
  const outcomes = loadX87(cases, readFileSync(new URL('./floating.vectors', import.meta.url)));

  it('are many, and some end in #MF or #XM', () => {
    expect(cases.length).toBeGreaterThan(34_000);
    for (const vector of [16, 19])
      expect(outcomes.filter((o) => o.vector === vector).length).toBeGreaterThan(500);
  });

  it('leave the same registers, memory, flags and faults', () => {
    expect(failures(cases, outcomes)).toEqual([]);
  });
});

describe('the processor underneath', () => {
  it('agrees on fresh x87 cases', (context) => {
    const cases = x87CasesOf(0x1f2e3d4c, 0.25);
    const outcomes = runX87Natively(cases);
    if (typeof outcomes === 'string') return context.skip(`skipped: ${outcomes}`);
    expect(failures(cases, outcomes)).toEqual([]);
  });

  it('agrees on fresh transcendental cases', (context) => {
    const cases = x87CasesOf(0x3c4d5e6f, 0.5, FUNCTION_TEMPLATES);
    const outcomes = runX87Natively(cases);
    if (typeof outcomes === 'string') return context.skip(`skipped: ${outcomes}`);
    expect(failures(cases, outcomes, functionDifferences)).toEqual([]);
  });

  it('agrees on fresh MMX and SSE cases', (context) => {
    const cases = x87CasesOf(0x6d6d7821, 0.25, SIMD_TEMPLATES);
    const outcomes = runX87Natively(cases);
    if (typeof outcomes === 'string') return context.skip(`skipped: ${outcomes}`);
    expect(failures(cases, outcomes)).toEqual([]);
  });

  it('agrees on fresh sequences', (context) => {
    const cases = x87CasesOf(0x7d3c2b1a, 0.1, FLOATING_TEMPLATES);
    const outcomes = runX87Natively(cases);
    if (typeof outcomes === 'string') return context.skip(`skipped: ${outcomes}`);
    expect(failures(cases, outcomes)).toEqual([]);
  });
});
