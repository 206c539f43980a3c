// For differential tests: one guest under every technique, and what can be seen of it from outside but for time.
import { fileURLToPath } from 'node:url';
import { assemble } from '../../assembler/assemble.ts';
import { nodeLibrary, readSources } from '../../cli/library.ts';
import type { Enlightenment, Paging, TechniqueName } from '../../hypervisor/technique.ts';
import { techniquesHere } from '../host.ts';
import type { GuestSource } from '../library.ts';
import { results } from '../result.ts';
import { parseScenario } from '../scenario.ts';
import { Session } from '../session.ts';

/** How a guest is held, and offered what. */
export interface Way {
  technique: TechniqueName;
  paging: Paging;
  processor: string;
  enlightenments?: readonly Enlightenment[];
}

const NESTED: readonly TechniqueName[] = ['vt-x', 'svm'];
/** Every technique for guests that know of no hypervisor, with every kind of paging that it has. */
export const WAYS: readonly Way[] = techniquesHere()
  .filter((name) => !['native', 'paravirtualization', 'container'].includes(name))
  .flatMap((technique): Way[] => [
    { technique, paging: 'shadow', processor: 'prescott' },
    ...(NESTED.includes(technique) ? [{ technique, paging: 'nested', processor: 'nehalem' } as const] : []),
  ]);
export const HARDWARE = WAYS.filter(({ technique }) => NESTED.includes(technique));
const name = ({ technique, paging, enlightenments }: Way) =>
  [technique, `${paging} paging`, ...(enlightenments ?? [])].join(', ');
export const each = (ways: readonly Way[]) => ways.map((way): [string, Way] => [name(way), way]);

export const BARE: Way = { technique: 'native', paging: 'shadow', processor: 'prescott' };
const MEMORY = 16;
export const guests = readSources(fileURLToPath(new URL('../../guests/', import.meta.url)));
export const library = nodeLibrary();

export const source = (main: string): GuestSource => ({ kind: 'source', files: guests, main, sealed: false });
export const image = (bytes: Uint8Array): GuestSource => ({ kind: 'image', name: 'guest', bytes });
/** Bytes of a program with files of its own. */
export function assembled(folder: string, main: string): Uint8Array {
  const files = readSources(fileURLToPath(new URL(`../../${folder}`, import.meta.url)));
  const { bytes, diagnostics } = assemble(files, main, { includePaths: [''] });
  const [wrong] = diagnostics.filter((d) => d.severity === 'error');
  if (wrong) throw new Error(`${main}: ${wrong.message}`);
  return bytes;
}

export function booted(way: Way, guest: GuestSource, drives: Record<string, Uint8Array> = {}): Session {
  const found = new Map<string, GuestSource>([
    ['guest', guest],
    ...Object.entries(drives).map(([called, bytes]): [string, GuestSource] => [
      called,
      { kind: 'image', name: called, bytes },
    ]),
  ]);
  const { technique, paging, processor, enlightenments } = way;
  const scenario = parseScenario({
    name: 'differential',
    title: 'differential',
    processor,
    memoryMiB: technique === 'native' ? MEMORY : MEMORY + 24,
    domains: [
      {
        name: 'guest',
        guest: 'guest',
        technique,
        paging,
        enlightenments,
        memoryMiB: MEMORY,
        disks: Object.keys(drives),
      },
    ],
  });
  const session = new Session(scenario, { ...library, find: (id) => found.get(id) ?? library.find(id) });
  const result = session.boot(0);
  if (!result.ok) throw new Error(result.message);
  return session;
}

/** Runs until the guest has ended or waits for ever, for some virtual seconds at most. */
export function toTheEnd(session: Session, seconds = 30): Session {
  const end = session.now + seconds * session.host.pc.cost.clockHz;
  while (session.now < end && session.view(0)!.state === 'running' && !session.view(0)!.ending)
    session.run(Math.min(end, session.now + 2_000_000));
  return session;
}

/** What whoever sits before the guest has seen. */
export function outcome(session: Session) {
  const [{ serial, debug, screen, outcome: state, reason }] = results(session);
  return { serial, debug, screen, state, reason };
}

/** The guest's memory from `first`, as it sees it. */
export const memory = (session: Session, first: number, length: number): Buffer => {
  const { host } = session;
  const bytes = Buffer.alloc(length);
  for (let at = 0; at < length; at += 4096) {
    const domain = host.hypervisor?.domains.get(0);
    const machine = domain ? domain.memory.toMachine(first + at) : first + at;
    if (machine >= 0) bytes.set(host.pc.memory.bytes.subarray(machine, machine + 4096), at);
  }
  return bytes;
};

/** What the bare machine gave, found out when the first test asks. */
export function once<T>(make: () => T): () => T {
  let made: { value: T } | null = null;
  return () => (made ??= { value: make() }).value;
}

/** Times are not compared. */
export const timeless = (text: string): string =>
  text.replace(/\d+ cycles, \d+ each/g, 'N cycles').replace(/\d+ (cycles|ticks|ms)\b/g, 'N $1');

/** Types each command at Penguin's prompt. */
export function converse(session: Session, commands: readonly string[]): Session {
  const end = session.now + 60 * session.host.pc.cost.clockHz;
  let seen = 0;
  for (const command of commands) {
    while (session.now < end && !session.domains[0].text.slice(seen).endsWith('# '))
      session.run(session.now + 200_000);
    seen = session.domains[0].text.length;
    session.input(
      0,
      [...`${command}\r`].map((c) => c.charCodeAt(0)),
    );
    session.run(session.now + 200_000);
  }
  return session;
}

export const COMMANDS = [
  'uname',
  'echo one two',
  'cat /etc/rings',
  'crash',
  'crash read',
  'crash kernel',
  'crash divide',
  'crash opcode',
  'nosuch',
  'hello',
  'forkwait 10',
  'halt',
];
