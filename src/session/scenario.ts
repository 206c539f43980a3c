// A scenario: one host and the domains on it, as a file. Untrusted input: validated, bounded, one clear error.
import * as v from 'valibot';
import { PROCESSORS } from '../cost/processors.ts';
import { ENLIGHTENMENTS, PAGING, TECHNIQUES } from '../hypervisor/technique.ts';
import { ScenarioError } from './scenario-error.ts';

export { ScenarioError };

const name = v.pipe(v.string(), v.minLength(1), v.maxLength(60));

/** Most memory of one guest. */
export const MAX_MEMORY_MIB = 512;

const DomainSchema = v.object({
  name,
  /** A guest of the library, or a file that came with the request. */
  guest: name,
  technique: v.picklist(TECHNIQUES),
  /** With hardware assistance: whose tables the processor walks, and what the guest may find by CPUID. */
  paging: v.optional(v.picklist(PAGING), 'shadow'),
  enlightenments: v.optional(v.pipe(v.array(v.picklist(ENLIGHTENMENTS)), v.maxLength(2)), []),
  memoryMiB: v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(MAX_MEMORY_MIB)),
  /** Virtual processors: more than one only under paravirtualization. */
  vcpus: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(8))),
  commandLine: v.optional(v.pipe(v.string(), v.maxLength(1000)), ''),
  /** Images of disks, diskettes and CDs in its drives, by name like guests. */
  disks: v.optional(v.pipe(v.array(name), v.maxLength(4)), []),
  /** A network interface on the host's bridge, for guests of Xen's interface. */
  network: v.optional(v.boolean(), false),
  /** Typed on its serial port or console as soon as it listens. */
  input: v.optional(v.pipe(v.string(), v.maxLength(1000)), ''),
});

export const ScenarioSchema = v.object({
  name,
  title: v.pipe(v.string(), v.maxLength(120)),
  summary: v.optional(v.pipe(v.string(), v.maxLength(400)), ''),
  processor: v.picklist(PROCESSORS),
  clockHz: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1_000_000), v.maxValue(4_000_000_000))),
  memoryMiB: v.pipe(v.number(), v.integer(), v.minValue(4), v.maxValue(1024)),
  /** Processors of the host. Only a native guest can use more than one; then there are local APICs and an I/O APIC. */
  processors: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(4)), 1),
  /** APICs, and the MP and ACPI tables, with one processor too. */
  apic: v.optional(v.boolean(), false),
  domains: v.pipe(v.array(DomainSchema), v.minLength(1), v.maxLength(8)),
});
export type Scenario = v.InferOutput<typeof ScenarioSchema>;
export type ScenarioDomain = Scenario['domains'][number];

/** Reads a scenario. Throws ScenarioError with one line that names the field. */
export function parseScenario(value: unknown): Scenario {
  const result = v.safeParse(ScenarioSchema, value);
  if (!result.success) {
    const issue = result.issues[0];
    throw new ScenarioError(`scenario: ${v.getDotPath(issue) ?? 'file'}: ${issue.message}`);
  }
  const scenario = result.output;
  const native = scenario.domains.filter((d) => d.technique === 'native');
  if (native.length && scenario.domains.length > 1)
    throw new ScenarioError(
      'scenario: domains: a native guest owns the whole machine, so it must be the only one',
    );
  const containers = scenario.domains.filter((d) => d.technique === 'container');
  if (containers.length && containers.length < scenario.domains.length)
    throw new ScenarioError(
      'scenario: domains: containers share one kernel that owns the whole machine, so all guests must be containers',
    );
  if (!native.length && (scenario.processors > 1 || scenario.apic))
    throw new ScenarioError('scenario: processors: a hypervisor here has one processor, without an APIC');
  if (scenario.domains.some((d) => (d.vcpus ?? 1) > 1 && d.technique !== 'paravirtualization'))
    throw new ScenarioError(
      'scenario: vcpus: only a paravirtualized guest can have more than one virtual processor',
    );
  const asked = scenario.domains.reduce((sum, d) => sum + d.memoryMiB, 0);
  if (!native.length && asked > scenario.memoryMiB - 4) {
    throw new ScenarioError(
      `scenario: memoryMiB: ${asked} MiB for domains and 4 MiB for the hypervisor do not fit into ${scenario.memoryMiB} MiB`,
    );
  }
  return scenario;
}
