import { expect, it } from 'vitest';
import { parseScenario } from './scenario.ts';
import { SHIPPED } from './scenarios/shipped.ts';
import { SCENARIOS } from './scenarios.ts';

it('the shipped scenarios are what the schema makes of their files', () => {
  expect(SCENARIOS).toEqual(SHIPPED.map(parseScenario));
});
