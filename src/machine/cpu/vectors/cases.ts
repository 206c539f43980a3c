// All cases of a seed, in a fixed order: the stored vectors hold outcomes only, inputs are made anew from the seed.
import type { Case } from './case.ts';
import { Random } from './random.ts';
import { ARITHMETIC, type Template } from './templates-arithmetic.ts';
import { MOVEMENT } from './templates-movement.ts';
import { PROGRAMS } from './templates-programs.ts';
import { SEGMENTS } from './templates-segments.ts';

/** Seed of the stored vectors. */
export const STORED_SEED = 0x8086;

/** What the stored vectors `integer`, `segments` and `programs` hold. */
export const FAMILIES = { integer: [...ARITHMETIC, ...MOVEMENT], segments: SEGMENTS, programs: PROGRAMS };

/** @param share of the stored number of cases, for a quicker run */
export function casesOf(seed: number, share = 1, templates: readonly Template[] = FAMILIES.integer): Case[] {
  const random = new Random(seed);
  const cases: Case[] = [];
  for (const template of templates) {
    const count = Math.ceil(template.count * share);
    for (let n = 0; n < count; n++) cases.push(template.make(random));
  }
  return cases;
}
