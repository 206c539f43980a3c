// Costs: every number has a source, published ones are as published, and processors get better with the years.
import { describe, expect, it } from 'vitest';
import { FORMS } from '../machine/isa/table.ts';
import { CHARGES } from './model.ts';
import { costModel, PROCESSORS } from './processors.ts';

describe('cost models', () => {
  it.each(PROCESSORS)('%s charges everything, and says where each number comes from', (name) => {
    const { charges } = costModel(name);
    for (const charge of CHARGES) {
      expect(charges[charge].cycles, charge).toBeGreaterThanOrEqual(charge === 'copyByte' ? 0 : 1);
      expect(charges[charge].source.length, charge).toBeGreaterThan(8);
      expect(charges[charge].mark).toMatch(/^(V|V2|M|D)$/);
    }
  });

  it('has the transition costs of Adams & Agesen 2006, table 1', () => {
    const cycles = (name: string) =>
      ['vmEntry', 'vmExit', 'vmread', 'vmwrite'].map((c) => costModel(name).charges[c as 'vmExit'].cycles);
    expect(cycles('prescott')).toEqual([2409, 1931, 178, 171]);
    expect(cycles('merom')).toEqual([937, 1186, 52, 44]);
  });

  it('makes the round trip cheaper from one generation to the next', () => {
    const trips = PROCESSORS.map(
      (name) => costModel(name).charges.vmExit.cycles + costModel(name).charges.vmEntry.cycles,
    );
    expect(trips).toEqual([...trips].sort((a, b) => b - a));
  });

  it('names operations of the instruction table only', () => {
    const operations = new Set(FORMS.map((form) => form.operation));
    for (const operation of Object.keys(costModel('prescott').instructions))
      expect(operations.has(operation), operation).toBe(true);
  });

  it('refuses an unknown processor by name', () => {
    expect(() => costModel('itanium')).toThrow(/itanium.*prescott/);
  });
});
