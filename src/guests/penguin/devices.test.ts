// Penguin's drivers for Xen's split devices, as a user sees them: a disk, a network between two Penguins, a memory target
// and a wish to end that come from outside. Both builds: paravirtualized, and unmodified with Xen's interface offered.
import { describe, expect, test } from 'vitest';
import { nodeLibrary } from '../../cli/library.ts';
import type { GuestSource } from '../../session/library.ts';
import { results } from '../../session/result.ts';
import { parseScenario } from '../../session/scenario.ts';
import { Session } from '../../session/session.ts';

const PROMPT = 'penguin# ';
const disk = new Uint8Array(200 * 512);
disk.set(
  [...'from outside'].map((c) => c.charCodeAt(0)),
  2 * 512,
);
const library = nodeLibrary(
  new Map<string, GuestSource>([['disk', { kind: 'image', name: 'disk', bytes: disk }]]),
);

const KINDS = {
  paravirtualized: { guest: 'penguin-xen', technique: 'paravirtualization' },
  'by VT-x': { guest: 'penguin-native', technique: 'vt-x', enlightenments: ['xen'] },
  'by SVM': { guest: 'penguin-native', technique: 'svm', enlightenments: ['xen'] },
} as const;

function boot(domains: readonly object[], processor = 'prescott'): Session {
  const session = new Session(
    parseScenario({
      name: 'devices',
      title: 'Devices',
      processor,
      memoryMiB: 48,
      domains: domains.map((d, n) => ({ name: `${n}`, memoryMiB: 8, ...d })),
    }),
    library,
  );
  session.bootAll();
  return session;
}

/** Runs until the guest's text has this, or two virtual seconds are over. */
function until(session: Session, id: number, text: string | RegExp, seconds = 8): string {
  const end = session.now + seconds * session.host.pc.cost.clockHz;
  const has = () => session.domains[id].text.search(text) >= 0;
  while (session.now < end && !has() && session.view(id)?.state === 'running')
    session.run(session.now + 100_000);
  expect(session.domains[id].text).toMatch(text);
  return session.domains[id].text.replaceAll('\r\n', '\n');
}

/** Types a command; what it says until the next prompt. */
function type(session: Session, id: number, command: string): string {
  until(session, id, new RegExp(`${PROMPT}$`));
  const before = session.domains[id].text.length;
  session.input(
    id,
    [...`${command}\r`].map((c) => c.charCodeAt(0)),
  );
  const end = session.now + 20 * session.host.pc.cost.clockHz;
  while (session.now < end && !session.domains[id].text.slice(before).includes(PROMPT))
    session.run(session.now + 100_000);
  const said = session.domains[id].text.slice(before).replaceAll('\r\n', '\n');
  return said.slice(said.indexOf('\n') + 1, said.lastIndexOf(PROMPT));
}

describe.each(Object.entries(KINDS))('%s', (_, kind) => {
  test('a disk is found, read and written', () => {
    const session = boot([{ ...kind, disks: ['disk'] }]);
    until(session, 0, 'disk: 200 sectors');
    expect(type(session, 0, 'disk')).toBe('200 sectors of 512 bytes\n');
    expect(type(session, 0, 'disk read 2')).toBe('from outside\n');
    expect(type(session, 0, 'disk write 3 written_inside')).toBe('');
    expect(type(session, 0, 'disk read 3')).toBe('written_inside\n');
    expect(type(session, 0, 'disk read 200')).toContain('no such sector');
    const sector = new Uint8Array(512);
    session.domains[0].drives[0].medium.read(3, sector);
    expect(String.fromCharCode(...sector.subarray(0, 14)), 'on the medium').toBe('written_inside');
  });

  test('it hears a wish to end', () => {
    const session = boot([{ ...kind, network: true }]);
    until(session, 0, new RegExp(`${PROMPT}$`));
    expect(session.host.requestShutdown(0, 'poweroff')).toBe(true);
    until(session, 0, 'System halted.');
    const end = session.now + 50_000_000;
    while (session.now < end && session.view(0)?.state === 'running') session.run(session.now + 100_000);
    expect(session.view(0)?.state).toBe('halted');
  });
});

test('two guests of different kinds ping each other over the host’s bridge', () => {
  const session = boot([
    { ...KINDS.paravirtualized, network: true },
    { ...KINDS['by VT-x'], network: true },
  ]);
  until(session, 1, new RegExp(`${PROMPT}$`));
  expect(type(session, 0, 'ping 2')).toMatch(/^(answer from domain 2 after \d+ cycles\n){4}$/);
  expect(type(session, 1, 'ping')).toMatch(/^(answer from domain 1 after \d+ cycles\n){4}$/);
  expect(type(session, 0, 'ping 7')).toBe('no answer\n'.repeat(4));
  session.stop(1);
  expect(type(session, 0, 'ping 2')).toBe('no answer\n'.repeat(4));
});

test('without such devices nobody asks for them', () => {
  const session = boot([KINDS.paravirtualized]);
  expect(type(session, 0, 'disk')).toBe('disk: there is none\n');
  expect(type(session, 0, 'ping')).toBe('ping: there is no network\n');
});

const BALLOONS = {
  ...KINDS,
  'by VT-x, with nested paging': { ...KINDS['by VT-x'], paging: 'nested' },
  'by SVM, with nested paging': { ...KINDS['by SVM'], paging: 'nested' },
} as const;
test.each(Object.entries(BALLOONS))('a balloon gives memory to the host, and gets it back: %s', (_, kind) => {
  const session = boot([kind], 'nehalem');
  const kib = (name: string) =>
    Number(new RegExp(`${name}: +(\\d+) kB`).exec(type(session, 0, 'memory'))?.[1]);
  const free = kib('MemFree');
  expect(kib('MemTotal')).toBe(8192);
  // The domain's figures, as an administrator sees them.
  const has = () => results(session)[0].memoryKiB;
  const before = has()!;
  expect(before).toBeGreaterThan(8192 - 16);
  expect(session.host.setMemoryTarget(0, 6 << 20)).toBe(true);
  session.run(session.now + 20_000_000);
  expect(kib('MemTotal')).toBe(6144);
  expect(has()).toBe(before - 2048);
  expect(type(session, 0, 'balloon')).toMatch(/Target: +6144 kB\nGiven: +2048 kB/);
  expect(kib('MemFree')).toBeLessThanOrEqual(free - 2048);
  expect(type(session, 0, 'forkwait 3'), 'life goes on').toMatch(/^3 times/);
  session.host.setMemoryTarget(0, 64 << 20);
  session.run(session.now + 20_000_000);
  expect(kib('MemTotal'), 'no more than it was born with').toBe(8192);
  expect(has()).toBe(before);
  expect(type(session, 0, 'memory 1024'), 'and it is good memory').toMatch(/256 pages touched/);
  session.host.setMemoryTarget(0, 0);
  session.run(session.now + 60_000_000);
  expect(kib('MemTotal'), 'it gives what it can').toBeLessThan(3072);
  expect(type(session, 0, 'hello'), 'and keeps what it needs to obey').toContain('Hello');
});

test('what a guest gives, the host has', () => {
  const session = boot([KINDS.paravirtualized]);
  until(session, 0, new RegExp(`${PROMPT}$`));
  const { frames } = (session.host as unknown as { hypervisor: { frames: { free: number } } }).hypervisor;
  const hostFree = frames.free;
  session.host.setMemoryTarget(0, 6 << 20);
  session.run(session.now + 20_000_000);
  expect(frames.free - hostFree).toBe(512 - 1); // less the page of its grant table
});

test('without Xen below there is no balloon', () => {
  const session = boot([{ guest: 'penguin-native', technique: 'vt-x' }]);
  expect(type(session, 0, 'balloon')).toBe('There is no Xen below us.\n');
  expect(session.host.setMemoryTarget(0, 6 << 20)).toBe(false);
});
