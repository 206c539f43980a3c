// The scenarios that come with Ringside.
import { parseScenario, type Scenario } from './scenario.ts';
import barePanes from './scenarios/bare-panes.json' with { type: 'json' };
import barePenguin from './scenarios/bare-penguin.json' with { type: 'json' };
import classical from './scenarios/classical.json' with { type: 'json' };
import helloXen from './scenarios/hello-xen.json' with { type: 'json' };
import sameKernelTwice from './scenarios/same-kernel-twice.json' with { type: 'json' };
import sideBySide from './scenarios/side-by-side.json' with { type: 'json' };

/** All of them, the opening one first. */
export const SCENARIOS: readonly Scenario[] = [
  sideBySide,
  sameKernelTwice,
  classical,
  barePenguin,
  barePanes,
  helloXen,
].map(parseScenario);

/** By name. */
export function findScenario(name: string): Scenario | undefined {
  return SCENARIOS.find((scenario) => scenario.name === name);
}
