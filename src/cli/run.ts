// `ringside run`: boots guests or a scenario, runs until they end or a condition holds, reports.
import { existsSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { PROCESSORS } from '../cost/processors.ts';
import { guestEntry } from '../guests/catalog.ts';
import { PAGING, TECHNIQUES } from '../hypervisor/technique.ts';
import { parseImage } from '../images/load.ts';
import { ENGINES, type Engine } from '../session/host.ts';
import type { GuestSource } from '../session/library.ts';
import { results } from '../session/result.ts';
import { MAX_MEMORY_MIB, parseScenario, type Scenario, ScenarioError } from '../session/scenario.ts';
import { findScenario } from '../session/scenarios.ts';
import { Session } from '../session/session.ts';
import { guestFile, nodeLibrary, readBytes, UsageError } from './library.ts';
import { openTrace, writeOut } from './trace-file.ts';

const OPTIONS = {
  technique: { type: 'string' },
  paging: { type: 'string' },
  enlightenments: { type: 'string' },
  cpu: { type: 'string' },
  memory: { type: 'string' },
  engine: { type: 'string' },
  initrd: { type: 'string' },
  append: { type: 'string' },
  disk: { type: 'string', multiple: true },
  input: { type: 'string' },
  'max-cycles': { type: 'string' },
  'max-seconds': { type: 'string' },
  'until-serial': { type: 'string' },
  json: { type: 'string' },
  trace: { type: 'string' },
  clock: { type: 'string' },
  processors: { type: 'string' },
  vcpus: { type: 'string' },
  network: { type: 'boolean' },
} as const;
type Values = { [K in Exclude<keyof typeof OPTIONS, 'disk' | 'network'>]?: string } & {
  disk?: string[];
  network?: boolean;
};

/** Cycles run between two looks at output, conditions and the trace. */
const CHUNK = 100_000;
const DEFAULT_MAX_SECONDS = 60;

function positive(text: string, option: string): number {
  const value = Number(text.replaceAll('_', ''));
  if (!(value > 0)) throw new UsageError(`--${option}: "${text}" is not a positive number`);
  return value;
}

function mebibytes(text: string): number {
  const match = /^(\d+)([KMG]?)$/i.exec(text);
  const bytes = match
    ? Number(match[1]) *
      { '': 1, K: 2 ** 10, M: 2 ** 20, G: 2 ** 30 }[match[2].toUpperCase() as '' | 'K' | 'M' | 'G']
    : 0;
  if (bytes < 2 ** 20 || bytes % 2 ** 20)
    throw new UsageError(`--memory: "${text}" is not a whole number of MiB (16M)`);
  if (bytes > MAX_MEMORY_MIB * 2 ** 20)
    throw new UsageError(`--memory: a guest can have at most ${MAX_MEMORY_MIB}M`);
  return bytes / 2 ** 20;
}

/** What the host needs for guests of this size: on the bare machine the guest has all of it. */
const hostMemory = (domains: readonly { technique: string }[], memoryMiB: number): number =>
  domains.some((d) => d.technique === 'native')
    ? Math.max(4, memoryMiB)
    : Math.max(8, memoryMiB * domains.length + 16);

/** What a guest is run by when nobody says: Xen kernels by Xen, others on the bare machine, or by VT-x when they share it. */
function defaultTechnique(name: string, source: GuestSource | undefined, alone: boolean): string {
  const known = guestEntry(name)?.techniques[0];
  if (known) return known === 'native' && !alone ? 'vt-x' : known;
  if (source?.kind === 'image') {
    try {
      if (parseImage(source.bytes, source.name).xen) return 'paravirtualization';
    } catch {
      // The boot will say what is wrong with it.
    }
  }
  return alone ? 'native' : 'vt-x';
}

/** A path as the name of a guest: the end of it, when it is long. */
const shortName = (path: string) => (path.length <= 60 ? path : `…${path.slice(-59)}`);

/** MiB of a guest when nobody says: Linux and what disks bring need more than a teaching kernel. */
function defaultMemory(sources: readonly (GuestSource | undefined)[]): number {
  let memory = 16;
  for (const source of sources) {
    if (source?.kind !== 'image') continue;
    try {
      const { kind } = parseImage(source.bytes, source.name);
      if (kind === 'linux') memory = Math.max(memory, 128);
      else if (kind === 'disk') memory = Math.max(memory, 32);
    } catch {
      // The boot will say what is wrong with it.
    }
  }
  return memory;
}

/** Reads the files of --disk into the library; their names there. */
function disksOf(values: Values, extra: Map<string, GuestSource>): string[] {
  return (values.disk ?? []).map((path) => {
    const name = shortName(path);
    extra.set(name, { kind: 'image', name, bytes: readBytes(path) });
    return name;
  });
}

function scenarioOf(words: string[], values: Values, extra: Map<string, GuestSource>): Scenario {
  if (!words.length) throw new UsageError('run: name a guest, a scenario, a source or an image');
  const known = words.length === 1 ? (findScenario(words[0]) ?? scenarioFile(words[0])) : undefined;
  if (known) return override(known, values, extra);
  const alone = words.length === 1;
  const disks = disksOf(values, extra);
  const sources = words.map((word) => (guestEntry(word) ? undefined : guestFile(word)));
  const memoryMiB = values.memory ? mebibytes(values.memory) : defaultMemory(sources);
  const domains = words.map((word, i) => {
    const source = sources[i];
    const guest = shortName(word);
    if (source) extra.set(guest, source);
    return {
      name: word.split('/').at(-1)!.slice(0, 60),
      guest,
      memoryMiB,
      commandLine: values.append ?? '',
      technique: values.technique ?? defaultTechnique(word, source, alone),
      ...hardware(values),
      disks,
    };
  });
  return parse({
    name: 'command line',
    title: 'command line',
    processor: values.cpu ?? 'prescott',
    memoryMiB: hostMemory(domains, memoryMiB),
    domains,
    ...clock(values),
    ...processors(values),
  });
}

/** What hardware assistance offers its guests, how many virtual processors they have, and whether they are on the host's bridge. */
const hardware = ({ paging, enlightenments, network, vcpus }: Values) => ({
  ...(vcpus ? { vcpus: positive(vcpus, 'vcpus') } : {}),
  ...(network ? { network } : {}),
  ...(paging ? { paging } : {}),
  ...(enlightenments ? { enlightenments: enlightenments.split(',') } : {}),
});

const clock = (values: Values) => (values.clock ? { clockHz: positive(values.clock, 'clock') } : {});

/** `--processors N`: local APICs and their tables come with them, also for one. */
const processors = (values: Values) =>
  values.processors ? { processors: positive(values.processors, 'processors'), apic: true } : {};

/** A scenario with what the options say instead. `--memory` is each guest's, and the host grows with it. */
function override(scenario: Scenario, values: Values, extra: Map<string, GuestSource>): Scenario {
  const disks = disksOf(values, extra);
  const memoryMiB = values.memory ? mebibytes(values.memory) : null;
  const domains = scenario.domains.map((d) => ({
    ...d,
    technique: values.technique ?? d.technique,
    ...hardware(values),
    memoryMiB: memoryMiB ?? d.memoryMiB,
    commandLine: values.append ?? d.commandLine,
    disks: disks.length ? disks : d.disks,
  }));
  return parse({
    ...scenario,
    processor: values.cpu ?? scenario.processor,
    ...clock(values),
    ...processors(values),
    memoryMiB: memoryMiB ? hostMemory(domains, memoryMiB) : scenario.memoryMiB,
    domains,
  });
}

function scenarioFile(path: string): Scenario | undefined {
  if (!path.endsWith('.json') || !existsSync(path)) return undefined;
  try {
    return parse(JSON.parse(new TextDecoder().decode(readBytes(path))));
  } catch (error) {
    if (error instanceof SyntaxError) throw new UsageError(`${path}: not JSON: ${error.message}`);
    throw error;
  }
}

function parse(value: unknown): Scenario {
  try {
    return parseScenario(value);
  } catch (error) {
    if (error instanceof ScenarioError) throw new UsageError(error.message);
    throw error;
  }
}

function check(values: Values): void {
  if (values.technique && !(TECHNIQUES as readonly string[]).includes(values.technique))
    throw new UsageError(`--technique: "${values.technique}" is not one of ${TECHNIQUES.join(', ')}`);
  if (values.cpu && !(PROCESSORS as readonly string[]).includes(values.cpu))
    throw new UsageError(`--cpu: "${values.cpu}" is not one of ${PROCESSORS.join(', ')}`);
  limits(values);
  if (values.paging && !(PAGING as readonly string[]).includes(values.paging))
    throw new UsageError(`--paging: "${values.paging}" is not one of ${PAGING.join(', ')}`);
  if (values.engine && !ENGINES.includes(values.engine as Engine))
    throw new UsageError(`--engine: "${values.engine}" is not one of ${ENGINES.join(', ')}`);
}

/** Runs; the exit status. */
export function run(words: string[]): number {
  const { values, positionals } = parseArgs({
    args: words,
    options: OPTIONS,
    allowPositionals: true,
    strict: true,
  });
  check(values);
  const extra = new Map<string, GuestSource>();
  const scenario = scenarioOf(positionals, values, extra);
  let until: RegExp | undefined;
  try {
    until = values['until-serial'] === undefined ? undefined : new RegExp(values['until-serial'], 'm');
  } catch (error) {
    throw new UsageError(`--until-serial: ${(error as Error).message}`);
  }
  const session = new Session(scenario, nodeLibrary(extra), (values.engine ?? 'auto') as Engine);
  const modules = values.initrd ? [{ name: values.initrd, data: readBytes(values.initrd) }] : [];
  session.modules = modules;
  const trace = values.trace === undefined ? null : openTrace(values.trace, session);
  try {
    session.bootAll();
  } catch (error) {
    if (error instanceof ScenarioError) throw new UsageError(error.message);
    throw error;
  }
  if (values.input) for (const domain of session.domains) session.input(domain.id, bytesOf(values.input));
  const met = runUntil(session, values, until, () => trace?.drain());
  trace?.close();
  report(session, values, met);
  return met || session.domains.every((d) => session.view(d.id)?.state === 'halted') ? 0 : 1;
}

/** `\n`, `\r`, `\t`, `\\` in an option are what they look like. */
function bytesOf(text: string): number[] {
  const plain = text.replace(
    /\\([nrt\\])/g,
    (_, c: string) => ({ n: '\n', r: '\r', t: '\t', '\\': '\\' })[c]!,
  );
  return [...new TextEncoder().encode(plain)];
}

/** How long to run: as long as was asked for, in virtual cycles and seconds of the wall; a minute when nobody said. */
function limits(values: Values): { maxCycles: number; maxSeconds: number } {
  const of = (option: 'max-cycles' | 'max-seconds') =>
    values[option] === undefined ? Infinity : positive(values[option], option);
  const maxCycles = of('max-cycles');
  const maxSeconds = of('max-seconds');
  const given = maxCycles !== Infinity || maxSeconds !== Infinity;
  return { maxCycles, maxSeconds: given ? maxSeconds : DEFAULT_MAX_SECONDS };
}

function runUntil(
  session: Session,
  values: Values,
  until: RegExp | undefined,
  afterChunk: () => void,
): boolean {
  const { maxCycles, maxSeconds } = limits(values);
  const start = performance.now();
  for (;;) {
    const end = session.run(Math.min(maxCycles, session.now + CHUNK));
    afterChunk();
    if (until && session.domains.some((d) => until.test(d.text) || until.test(d.debugText))) return true;
    if (end === 'idle' || session.now >= maxCycles || performance.now() - start > maxSeconds * 1000)
      return false;
  }
}

function report(session: Session, values: Values, met: boolean): void {
  const guests = results(session);
  if (values.json !== undefined) {
    writeOut(
      values.json,
      `${JSON.stringify({ scenario: session.scenario.name, processor: session.scenario.processor, conditionMet: met, cycles: session.now, events: session.host.recorder.next, guests }, null, 2)}\n`,
    );
    if (values.json === '-') return;
  }
  for (const guest of guests) {
    const exits = guest.exits.reduce((sum, x) => sum + x.count, 0);
    console.log(
      `── ${guest.name} (${guest.technique}): ${guest.outcome}${guest.reason ? `: ${guest.reason}` : ''}${guest.exitCode === undefined ? '' : `, exit code ${guest.exitCode}`}; ${guest.instructions} instructions, ${exits} exits, ${guest.hypercalls} hypercalls`,
    );
    const text = guest.serial || guest.debug || guest.screen;
    if (text) console.log(text.trimEnd());
  }
}
