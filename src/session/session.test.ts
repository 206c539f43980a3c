// The session as a whole: real guests boot, the same run is the same trace, guests come and go without harm to others.
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { nodeLibrary } from '../cli/library.ts';
import { Kind } from '../trace/events.ts';
import { formatEvent } from '../trace/format.ts';
import { fingerprint } from './fingerprint.ts';
import type { GuestSource } from './library.ts';
import { parseScenario, type Scenario } from './scenario.ts';
import { findScenario } from './scenarios.ts';
import { Session } from './session.ts';

const library = nodeLibrary();
const sideBySide = findScenario('side-by-side')!;

const one = (guest: string, technique: string): Scenario =>
  parseScenario({
    name: guest,
    title: guest,
    processor: 'prescott',
    memoryMiB: 64,
    domains: [{ name: guest, guest, technique, memoryMiB: 16 }],
  });

/** Runs until the text of a domain matches, or the cycles are used up. */
function runUntil(session: Session, id: number, text: RegExp, cycles = 400_000_000): boolean {
  const end = session.now + cycles;
  while (session.now < end && !text.test(session.domains[id].text))
    if (session.run(session.now + 200_000) === 'idle') break;
  return text.test(session.domains[id].text);
}
const type = (session: Session, id: number, line: string) =>
  session.input(
    id,
    [...`${line}\r`].map((c) => c.charCodeAt(0)),
  );

describe('the opening scenario', () => {
  it('boots a paravirtualized and an unmodified guest beside each other', () => {
    const session = new Session(sideBySide, library);
    session.bootAll();
    expect(runUntil(session, 0, /penguin# $/)).toBe(true);
    expect(runUntil(session, 1, /desktop ready/)).toBe(true);
    expect(session.view(1)!.board!.screen().mode).toBe('graphics');
    const { recorder } = session.host;
    expect(recorder.count(Kind.hypercall, 0)).toBeGreaterThan(20);
    expect(recorder.count(Kind.hypercall, 1)).toBe(0);
    expect(recorder.exitCounts(1).some((x) => x.reason === 30)).toBe(true);
  });

  it('gives the same trace twice, however the run is cut into pieces', () => {
    const whole = fingerprint(sideBySide, library, 20_000_000);
    expect(fingerprint(sideBySide, library, 20_000_000)).toEqual(whole);
    expect(fingerprint(sideBySide, library, 20_000_000, 77_777)).toEqual(whole);
    expect(whole.events).toBeGreaterThan(1000);
  });

  it('gives the same trace interpreted and compiled', () => {
    const compiled = fingerprint(sideBySide, library, 20_000_000);
    expect(fingerprint(sideBySide, library, 20_000_000, 20_000_000, 'interpreter')).toEqual(compiled);
  });

  it('stops, edits and boots one guest again while the other goes on', () => {
    const session = new Session(sideBySide, library);
    session.bootAll();
    runUntil(session, 1, /desktop ready/);
    const events = session.host.recorder.count(Kind.exit, 1);
    session.stop(0);
    session.run(session.now + 5_000_000);
    expect(session.host.recorder.count(Kind.exit, 1)).toBeGreaterThan(events);
    const files = new Map((library.find('penguin-xen') as Extract<GuestSource, { kind: 'source' }>).files);
    files.set(
      'penguin/boot.asm',
      files.get('penguin/boot.asm')!.replace('a small Linux-like kernel', 'a kernel that somebody edited'),
    );
    expect(
      session.boot(0, { source: { kind: 'source', files, main: 'penguin/penguin-xen.asm', sealed: false } }),
    ).toEqual({ ok: true });
    expect(runUntil(session, 0, /a kernel that somebody edited[^]*penguin# $/)).toBe(true);
    expect(session.view(1)!.state).toBe('running');
  });

  it('refuses a source with an error, and leaves the running guest as it was', () => {
    const session = new Session(sideBySide, library);
    session.bootAll();
    runUntil(session, 0, /penguin# $/);
    const result = session.boot(0, {
      source: {
        kind: 'source',
        files: new Map([['x.asm', 'mov eax,\nbogus']]),
        main: 'x.asm',
        sealed: false,
      },
    });
    expect(result.ok).toBe(false);
    if (!result.ok) expect(result.message).toMatch(/^x\.asm:1:/);
    type(session, 0, 'echo still here');
    expect(runUntil(session, 0, /\nstill here/)).toBe(true);
  });
});

describe('Penguin from one source', () => {
  const runs = [
    ['penguin-xen', 'paravirtualization'],
    ['penguin-native', 'vt-x'],
    ['penguin-native', 'native'],
  ] as const;
  it.each(runs)('%s by %s: processes, forks, faults, shut-down', (guest, technique) => {
    const session = new Session(one(guest, technique), library);
    session.bootAll();
    expect(runUntil(session, 0, /penguin# $/)).toBe(true);
    for (const [line, expected] of [
      ['primes 100', /25 primes up to 100, the largest 97/],
      ['forkwait 5', /5 times fork and wait/],
      ['ps', /\d+ +\d+ +\w+ +[\d.]+ +\d+ +ps/],
      ['crash', /page fault at [0-9A-F]+[^]*killed by signal 11/],
      ['halt', /System halted/],
    ] as const) {
      type(session, 0, line);
      expect(runUntil(session, 0, expected), line).toBe(true);
      if (line !== 'halt') runUntil(session, 0, /# $/);
    }
    session.run(session.now + 20_000_000);
    expect(session.view(0)!.state).toBe('halted');
  });
});

describe('stepping', () => {
  it('goes by instruction, by event and by world switch', () => {
    const session = new Session(sideBySide, library);
    session.bootAll();
    session.run(30_000_000);
    const { cpu } = session.host.pc;
    const { recorder } = session.host;
    const instructions = cpu.instructions;
    session.stepInstruction();
    expect(cpu.instructions - instructions).toBeLessThanOrEqual(1);
    const events = recorder.next;
    session.stepEvent();
    expect(recorder.next - events).toBeGreaterThanOrEqual(1);
    const switches = recorder.count(Kind.schedule);
    session.stepSwitch();
    expect(recorder.count(Kind.schedule)).toBe(switches + 1);
  });

  it('does not change what happens', () => {
    const stepped = new Session(one('hello-xen', 'paravirtualization'), library);
    stepped.bootAll();
    for (let n = 0; n < 500 && stepped.view(0)!.state === 'running'; n++) stepped.stepInstruction();
    const ran = new Session(one('hello-xen', 'paravirtualization'), library);
    ran.bootAll();
    ran.run(10_000_000);
    const text = (s: Session) =>
      Array.from({ length: s.host.recorder.next }, (_, n) => formatEvent(s.host.recorder.get(n)!)).filter(
        (line) => !/ host /.test(line),
      );
    expect(text(stepped)).toEqual(text(ran));
  });
});

describe('golden traces', () => {
  it.each([
    ['hello-xen', 'paravirtualization', 10_000_000, 'hello-xen'],
    ['penguin-native', 'svm', 700_000, 'penguin-svm'],
  ])('%s by %s', (guest, technique, cycles, file) => {
    const session = new Session(one(guest, technique), library);
    session.bootAll();
    session.run(cycles);
    const { recorder } = session.host;
    const text = `${Array.from({ length: recorder.next }, (_, n) => formatEvent(recorder.get(n)!)).join('\n')}\n`;
    const path = fileURLToPath(new URL(`golden/${file}.trace`, import.meta.url));
    if (process.env.UPDATE_GOLDEN) writeFileSync(path, text);
    expect(text).toBe(readFileSync(path, 'utf8'));
  });
});

describe('what a learner asks for', () => {
  it('a breakpoint stops in its own guest, with the registers of that moment', () => {
    const session = new Session(sideBySide, library);
    session.bootAll();
    const address = session.domains[0].assembly!.symbols.get('sys_nanosleep')!;
    session.setBreakpoints(0, [address]);
    expect(session.run(session.now + 200_000_000)).toBe('breakpoint');
    expect(session.host.isRunning(0)).toBe(true);
    expect(session.host.registers(0).EIP >>> 0).toBe(address);
    const before = session.now;
    expect(session.run(session.now + 200_000_000)).toBe('breakpoint');
    expect(session.now).toBeGreaterThan(before);
  });

  it('a restart boots what was booted last, not the original', () => {
    const session = new Session(one('hello-xen', 'paravirtualization'), library);
    const files = new Map([
      ['hello.asm', (library.includes.get('hello-xen.asm') as string).replace('Hello from ring 1!', 'Mine')],
    ]);
    expect(session.boot(0, { source: { kind: 'source', files, main: 'hello.asm', sealed: false } })).toEqual({
      ok: true,
    });
    expect(session.boot(0)).toEqual({ ok: true });
    expect(runUntil(session, 0, /Mine/)).toBe(true);
  });

  it('a hypercall is told where it was made, not in the hypercall page', () => {
    const session = new Session(one('hello-xen', 'paravirtualization'), library);
    session.bootAll();
    session.run(5_000_000);
    const { recorder } = session.host;
    const sites = [...recorder.exitSites(0).keys()].map(
      (eip) => session.domains[0].assembly!.lines.at(eip)!.file,
    );
    expect(sites).toEqual(['hello-xen.asm', 'hello-xen.asm']);
  });
});
