// What `ringside run` gives to programs: the result as JSON, the trace as lines or as Chrome trace events, and an exit
// status. For graders, whose scripts rely on it.
import { execFileSync } from 'node:child_process';
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { folderFor, inProcess } from './testing.ts';

const folder = folderFor('output');
afterAll(() => rmSync(folder.path, { recursive: true }));
const at = (name: string) => join(folder.path, name);
const read = (name: string) => readFileSync(at(name), 'utf8');

describe('--json', () => {
  it('says of each guest what became of it, what it printed, and what that took', async () => {
    const { status, out } = await inProcess('run', 'hello-xen', '--json', at('result.json'));
    expect(status).toBe(0);
    expect(out, 'people get their summary all the same').toMatch(/Hello from ring 1!/);
    const result = JSON.parse(read('result.json'));
    expect(result).toEqual({
      scenario: 'hello-xen',
      processor: 'prescott',
      conditionMet: false,
      cycles: expect.any(Number),
      events: expect.any(Number),
      guests: [
        {
          name: 'Hello',
          guest: 'hello-xen',
          technique: 'paravirtualization',
          outcome: 'halted',
          reason: 'the guest shut down',
          serial: 'Hello from ring 1!\r\n',
          debug: '',
          post: 0,
          screen: '',
          cycles: expect.any(Number),
          instructions: 12,
          memoryKiB: 4096,
          exits: [
            {
              reason: 'HYPERCALL',
              code: 0x82,
              count: 2,
              cycles: expect.any(Number),
              min: expect.any(Number),
              max: expect.any(Number),
            },
          ],
          hypercalls: 2,
          time: expect.any(Object),
        },
      ],
    });
    const [{ exits, time }] = result.guests;
    expect(exits[0].min).toBeGreaterThan(0);
    expect(exits[0].cycles).toBeGreaterThanOrEqual(exits[0].min);
    const places = Object.values(time) as number[];
    expect(places.every((cycles) => cycles >= 0)).toBe(true);
    expect(places.reduce((sum, cycles) => sum + cycles, 0)).toBeGreaterThan(0);
    expect(places.reduce((sum, cycles) => sum + cycles, 0)).toBeLessThanOrEqual(result.cycles);
  });

  it('is there when the condition was not met, too; then the status is 1', async () => {
    const words = [
      'run',
      'hello-xen',
      '--max-cycles',
      '1000',
      '--until-serial',
      'never',
      '--json',
      at('early.json'),
    ];
    expect((await inProcess(...words)).status).toBe(1);
    const { conditionMet, guests } = JSON.parse(read('early.json'));
    expect(conditionMet).toBe(false);
    expect(guests[0]).toMatchObject({ outcome: 'running', reason: '', serial: '' });
  });

  it('tells how a guest crashed', async () => {
    const guest = folder.file(
      'crash.asm',
      '%include "include/xen.inc"\nxen_guest "crash", "1", start\nstart: ud2\nxen_guest_end\n',
    );
    const words = ['run', guest, '--technique', 'paravirtualization', '--json', at('crash.json')];
    expect((await inProcess(...words)).status).toBe(1);
    expect(JSON.parse(read('crash.json')).guests[0]).toMatchObject({
      outcome: 'crashed',
      reason: expect.stringMatching(/^exception 6 at c0102000h: /),
    });
  });

  it('--until-serial is met by what a guest prints: status 0, though it runs on', async () => {
    const words = ['run', 'hello-xen', '--until-serial', '^Hello from ring \\d', '--json', at('met.json')];
    expect((await inProcess(...words)).status).toBe(0);
    expect(JSON.parse(read('met.json')).conditionMet).toBe(true);
  });

  it('is the same twice', async () => {
    for (const name of ['one.json', 'two.json'])
      await inProcess(
        'run',
        'penguin-xen',
        '--max-cycles',
        '3000000',
        '--json',
        at(name),
        '--trace',
        at(`${name}.trace`),
      );
    expect(read('one.json')).toBe(read('two.json'));
    expect(read('one.json.trace')).toBe(read('two.json.trace'));
  });
});

describe('--trace', () => {
  it('has a line for every event: time, who, where, what', async () => {
    await inProcess('run', 'hello-xen', '--json', at('t.json'), '--trace', at('t.trace'));
    const lines = read('t.trace').trimEnd().split('\n');
    expect(lines).toHaveLength(JSON.parse(read('t.json')).events);
    for (const line of lines) expect(line).toMatch(/^ *\d+ (d\d+v\d+|host) +[0-9a-f]{8} \w+ +\S/);
    expect(lines.filter((line) => / exit +trap into Xen: HYPERCALL/.test(line))).toHaveLength(2);
    const times = lines.map((line) => Number.parseInt(line, 10));
    expect(times).toEqual([...times].sort((a, b) => a - b));
  });

  it('as .json is Chrome’s trace-event format (JSON array form): Perfetto opens it', async () => {
    await inProcess('run', 'penguin-xen', 'panes', '--max-cycles', '2000000', '--trace', at('chrome.json'));
    const events = JSON.parse(read('chrome.json')) as Record<string, unknown>[];
    const names = events.filter((e) => e.ph === 'M').map((e) => (e.args as { name: string }).name);
    expect(names).toEqual(['host', 'penguin-xen', 'panes']);
    const rest = events.filter((e) => e.ph !== 'M');
    expect(rest.length).toBeGreaterThan(500);
    for (const e of rest) {
      expect(['X', 'i']).toContain(e.ph);
      expect(e.name).toEqual(expect.stringMatching(/\S/));
      expect(e.cat).toEqual(expect.any(String));
      expect(e.ts).toBeGreaterThanOrEqual(0);
      expect([0, 1, 2]).toContain(e.pid);
      expect(e.tid).toBe(0);
      if (e.ph === 'X') expect(e.dur).toBeGreaterThanOrEqual(0);
      else expect(e.s, 'an instant event says how far it reaches').toBe('t');
    }
    // Both guests have slices, and those of one thread follow each other.
    for (const pid of [1, 2]) {
      const slices = rest.filter((e) => e.ph === 'X' && e.pid === pid) as { ts: number; dur: number }[];
      expect(slices.length).toBeGreaterThan(20);
      for (let n = 1; n < slices.length; n++)
        expect(slices[n].ts).toBeGreaterThanOrEqual(slices[n - 1].ts + slices[n - 1].dur - 1e-6);
    }
  });

  it('of nothing that happened is a whole file, too', async () => {
    await inProcess('run', 'hello-xen', '--max-cycles', '1', '--trace', at('short.json'));
    expect(JSON.parse(read('short.json')).length).toBeGreaterThan(0);
  });
});

describe('standard output that is a pipe', () => {
  const cwd = fileURLToPath(new URL('../../', import.meta.url));
  const shell = (command: string) =>
    execFileSync(
      'sh',
      ['-c', command.replace('ringside', `${process.execPath} --import tsx src/cli/main.ts`)],
      {
        cwd,
        encoding: 'utf8',
      },
    );

  it('gets all of the trace, however slowly it is read', () => {
    const command =
      'ringside run panes --technique vt-x --max-cycles 5000000 --json $F --trace - | (sleep 3; wc -l)';
    const lines = Number(shell(command.replace('$F', at('slow.json'))));
    expect(lines).toBeGreaterThanOrEqual(JSON.parse(read('slow.json')).events);
    expect(lines).toBeGreaterThan(1000);
  });

  it('whose reader has seen enough ends the run, without a word', () => {
    const text = shell(
      `ringside run panes --technique vt-x --max-cycles 300000000 --trace - 2>${at('stderr')} | head -1`,
    );
    expect(text).toMatch(/domain booted/);
    expect(read('stderr')).toBe('');
  });
});
