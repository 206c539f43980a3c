// All floating-point cases of a seed, in a fixed order: the stored vectors hold outcomes only, inputs are made anew.
import { Random } from './random.ts';
import { X87_TEMPLATES, type X87Template } from './templates-x87.ts';
import type { X87Case } from './x87-case.ts';

/** Seed of the stored vectors. */
export const X87_SEED = 0x8087;

/** @param share of the stored number of cases, for a quicker run */
export function x87CasesOf(
  seed: number,
  share = 1,
  templates: readonly X87Template[] = X87_TEMPLATES,
): X87Case[] {
  const random = new Random(seed);
  return templates.flatMap((template) =>
    Array.from({ length: Math.ceil(template.count * share) }, () => template.make(random)),
  );
}
