// The scenarios that come with Ringside, ready for use.
import { parseScenario, type Scenario } from './scenario.ts';
import { SHIPPED } from './scenarios/shipped.ts';

/** All of them, the opening one first. */
export const SCENARIOS: readonly Scenario[] = SHIPPED.map(parseScenario);

/** By name. */
export function findScenario(name: string): Scenario | undefined {
  return SCENARIOS.find((scenario) => scenario.name === name);
}
