// The scenarios that come with Ringside, ready for use. Their files are trusted (a test holds them against the schema), so
// the page need not fetch the validator for them.
import type { Scenario, ScenarioDomain } from './scenario.ts';
import { SHIPPED } from './scenarios/shipped.ts';

/** What a file need not say, as the schema has it. */
const DOMAIN = {
  paging: 'shadow',
  enlightenments: [],
  commandLine: '',
  disks: [],
  network: false,
  input: '',
} satisfies Partial<ScenarioDomain>;
const HOST = { summary: '', processors: 1, apic: false } satisfies Partial<Scenario>;

/** All of them, the opening one first. */
export const SCENARIOS: readonly Scenario[] = SHIPPED.map(
  (given) =>
    ({ ...HOST, ...given, domains: given.domains.map((domain) => ({ ...DOMAIN, ...domain })) }) as Scenario,
);

/** By name. */
export function findScenario(name: string): Scenario | undefined {
  return SCENARIOS.find((scenario) => scenario.name === name);
}
