// The scenarios that come with Ringside.
import { parseScenario, type Scenario } from './scenario.ts';
import sideBySide from './scenarios/side-by-side.json' with { type: 'json' };

/** All of them, the opening one first. */
export const SCENARIOS: readonly Scenario[] = [sideBySide].map(parseScenario);

/** By name. */
export function findScenario(name: string): Scenario | undefined {
  return SCENARIOS.find((scenario) => scenario.name === name);
}
