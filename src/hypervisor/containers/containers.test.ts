// Containers on one Penguin: what each sees, what it may have, and how it ends, told by the programs in them.
import { beforeAll, describe, expect, it } from 'vitest';
import { nodeLibrary } from '../../cli/library.ts';
import { parseScenario } from '../../session/scenario.ts';
import { Session } from '../../session/session.ts';
import { Kind } from '../../trace/events.ts';

const SECOND = 50_000_000;
const library = nodeLibrary();

function boot(count: number, memoryMiB = 1): Session {
  const session = new Session(
    parseScenario({
      name: 'containers',
      title: 'containers',
      processor: 'prescott',
      memoryMiB: 32,
      domains: Array.from({ length: count }, (_, n) => ({
        name: `VE ${n + 1}`,
        guest: 'penguin-container',
        technique: 'container',
        memoryMiB,
      })),
    }),
    library,
  );
  session.bootAll();
  waitFor(session, 0, /penguin# $/);
  return session;
}

function waitFor(session: Session, id: number, wanted: RegExp, seconds = 60): string {
  for (let n = 0; n < seconds * 10; n++) {
    session.run(session.now + SECOND / 10);
    if (wanted.test(session.domains[id].text)) return session.domains[id].text;
  }
  throw new Error(`container ${id} never said ${wanted}: ${session.domains[id].text.slice(-300)}`);
}

/** What a command says in a container. */
function ask(session: Session, id: number, command: string): string {
  waitFor(session, id, /penguin# $/);
  const before = session.domains[id].text.length;
  session.input(
    id,
    [...`${command}\r`].map((c) => c.charCodeAt(0)),
  );
  for (let n = 0; n < 600; n++) {
    session.run(session.now + SECOND / 10);
    const said = session.domains[id].text.slice(before);
    if (/\npenguin# $/.test(said)) return said.replaceAll('\r', '').split('\n').slice(1, -1).join('\n');
  }
  throw new Error(`${command}: ${session.domains[id].text.slice(before)}`);
}

describe('two containers', () => {
  let session: Session;
  beforeAll(() => {
    session = boot(2);
  });

  it('have process trees of their own, which begin with pid 1', () => {
    ask(session, 0, 'heartbeat &');
    const first = ask(session, 0, 'ps');
    const second = ask(session, 1, 'ps');
    expect(first).toMatch(/^ +1 +1 .*init$/m);
    expect(first).toMatch(/heartbeat/);
    expect(second).toMatch(/^ +1 +1 .*init$/m);
    expect(second).not.toMatch(/heartbeat|idle/);
  });

  it('cannot name each other’s processes', () => {
    expect(ask(session, 1, 'kill 4')).toMatch(/kill|3|no/i);
    expect(ask(session, 0, 'ps')).toMatch(/heartbeat/);
  });

  it('have roots of their own over files that they share', () => {
    expect(ask(session, 0, 'cat /etc/motd')).toMatch(/container 1/);
    expect(ask(session, 1, 'cat /etc/motd')).toMatch(/container 2/);
    expect(ask(session, 0, 'cat /etc/rings')).toBe(ask(session, 1, 'cat /etc/rings'));
    expect(ask(session, 1, 'ls /').split(/\s+/)).not.toContain('ve1');
    expect(ask(session, 1, 'cat /ve1/etc/motd')).not.toMatch(/container 1/);
    expect(ask(session, 1, 'ls /etc').match(/motd/g)).toHaveLength(1);
    expect(ask(session, 0, 'uname')).toMatch(/ve1/);
  });

  it('are refused pages beyond their limit, and nobody else notices', () => {
    expect(ask(session, 0, 'memory 2048')).toMatch(/memory/);
    const [, limit, refused] = /^pages +\d+ +(\d+) +(\d+)$/m.exec(ask(session, 0, 'cat /proc/limits'))!;
    expect(Number(limit)).toBe(256);
    expect(Number(refused)).toBeGreaterThan(0);
    expect(ask(session, 1, 'cat /proc/limits')).toMatch(/^pages +\d+ +256 +0$/m);
    expect(ask(session, 1, 'memory 64')).toMatch(/16 pages touched/);
  });

  it('are refused processes beyond their limit', () => {
    for (let n = 0; n < 8; n++) ask(session, 1, 'heartbeat &');
    expect(ask(session, 1, 'hello')).toBe('fork failed');
    expect(ask(session, 0, 'hello')).toMatch(/Hello from ring 3/);
    expect(session.boot(1), 'so its administrator starts it anew').toEqual({ ok: true });
    waitFor(session, 1, /Welcome to container \d[^]*penguin# $/);
    expect(ask(session, 1, 'hello')).toMatch(/Hello from ring 3/);
  });

  it('never leave the kernel downwards: there is no exit, no hypercall', () => {
    const { recorder } = session.host;
    expect(recorder.exitCounts()).toEqual([]);
    expect(recorder.count(Kind.hypercall)).toBe(0);
    expect(recorder.count(Kind.schedule)).toBeGreaterThan(10);
  });

  it('one reboots, by itself', () => {
    session.input(
      1,
      [...'reboot\r'].map((c) => c.charCodeAt(0)),
    );
    const before = session.domains[1].text.length;
    for (let n = 0; n < 100; n++) session.run(session.now + SECOND / 10);
    expect(session.domains[1].text.slice(before)).toMatch(/Welcome to container \d[^]*penguin# $/);
    expect(ask(session, 1, 'ps')).not.toMatch(/heartbeat/);
    expect(ask(session, 0, 'ps')).toMatch(/heartbeat/);
  });

  it('one ends, and the other goes on', () => {
    session.input(
      0,
      [...'halt\r'].map((c) => c.charCodeAt(0)),
    );
    for (let n = 0; n < 50; n++) session.run(session.now + SECOND / 10);
    expect(session.view(0)!.state).toBe('halted');
    expect(session.view(0)!.ending).toMatch(/init has ended/);
    expect(ask(session, 1, 'hello')).toMatch(/Hello from ring 3/);
    expect(session.boot(0)).toEqual({ ok: true });
    waitFor(session, 0, /container 1[^]*penguin# $/);
  });
});

describe('the bounds of containers', () => {
  it('an image with a kernel of its own is refused, with the reason, and what ran goes on', () => {
    const session = boot(1);
    const result = session.boot(0, { source: library.find('panes')!, technique: 'container' });
    expect(result).toMatchObject({ ok: false, message: /brings its own kernel.*share the one kernel/ });
    waitFor(session, 0, /penguin# $/);
  });

  it('a fourth finds no terminal', () => {
    expect(() => boot(4)).toThrow(/terminals for 3 containers/);
  });

  it('containers do not share a machine with a hypervisor’s guests', () => {
    const mixed = {
      name: 'mixed',
      title: 'mixed',
      processor: 'prescott',
      memoryMiB: 64,
      domains: [
        { name: 'VE', guest: 'penguin-container', technique: 'container', memoryMiB: 1 },
        { name: 'Panes', guest: 'panes', technique: 'vt-x', memoryMiB: 16 },
      ],
    };
    expect(() => parseScenario(mixed)).toThrow(/either|share one kernel/);
  });
});
