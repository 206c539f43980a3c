// All cases of a seed, in a fixed order: the stored vectors hold outcomes only, inputs are made anew from the seed.
import type { Case } from './case.ts';
import { Random } from './random.ts';
import { ARITHMETIC, type Template } from './templates-arithmetic.ts';
import { MOVEMENT } from './templates-movement.ts';

/** Seed of the stored vectors. */
export const STORED_SEED = 0x8086;

const TEMPLATES: readonly Template[] = [...ARITHMETIC, ...MOVEMENT];

/** @param share of the stored number of cases, for a quicker run */
export function casesOf(seed: number, share = 1): Case[] {
  const random = new Random(seed);
  const cases: Case[] = [];
  for (const template of TEMPLATES) {
    const count = Math.ceil(template.count * share);
    for (let n = 0; n < count; n++) cases.push(template.make(random));
  }
  return cases;
}
