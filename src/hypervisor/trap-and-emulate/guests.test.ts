// The house's own guests at ring 1. Penguin saves and restores the interrupt flag with PUSHF and POPF, as kernels do: every
// such pair leaves interrupts off, the watcher names it, and programs then run without a clock.
import { describe, expect, it } from 'vitest';
import { boot, outcome, runAlone } from '../testing/alone.ts';
import { runUntil, type } from '../testing/arena.ts';

const PENGUIN = 'penguin/penguin-native.asm';

/** Boots Penguin and gives it a command at its prompt; what it said from there on. */
function command(technique: 'native' | 'trap-and-emulate' | 'vt-x', line: string) {
  const session = boot(PENGUIN, technique, 16);
  const prompts = () => session.domains[0].text.split('penguin# ').length - 1;
  const at = (count: number) => runUntil(session, () => prompts() >= count, 1_000_000_000);
  expect(at(1)).toBe(true);
  const before = session.domains[0].text.length;
  type(session, 0, line);
  expect(at(2), session.domains[0].text).toBe(true);
  return { answer: session.domains[0].text.slice(before), ...outcome(session) };
}

describe('Penguin, unported', () => {
  it('boots, and answers a command as on the bare machine', () => {
    const classical = command('trap-and-emulate', 'cat /etc/rings');
    expect(classical.answer).toBe(command('native', 'cat /etc/rings').answer);
    expect(classical.serial).toBe(command('vt-x', 'cat /etc/rings').serial);
  });

  it('loses its interrupt flag, and the watcher says by which instructions', () => {
    const { holes } = command('trap-and-emulate', 'hello');
    expect(new Set(holes.map((hole) => hole.mnemonic))).toEqual(new Set(['pushfd', 'popfd', 'iretd']));
    const lost = holes.filter((hole) => hole.mnemonic !== 'pushfd');
    // IF is bit 9: it should have come back, and did not.
    expect(lost.every((hole) => hole.expected & 0x200 && !(hole.got & 0x200))).toBe(true);
  });

  it('goes astray by it: while a program computes no tick arrives, and its clock stands still', () => {
    /** Seconds by the guest's clock while a program computes, for each second of the host's. */
    const clock = (technique: 'native' | 'trap-and-emulate'): number => {
      const session = boot(PENGUIN, technique, 16);
      const said = () => session.domains[0].text;
      const answered = (pattern: RegExp) => runUntil(session, () => pattern.test(said()), 4_000_000_000);
      const uptime = () => Number([...said().matchAll(/up ([\d.]+) s/g)].at(-1)![1]);
      expect(answered(/penguin# $/)).toBe(true);
      type(session, 0, 'uptime');
      expect(answered(/up [^]*penguin# $/)).toBe(true);
      const [before, started] = [uptime(), session.now];
      type(session, 0, 'primes 30000');
      expect(answered(/largest 29989[^]*penguin# $/)).toBe(true);
      type(session, 0, 'uptime');
      expect(answered(/largest[^]*up [^]*penguin# $/)).toBe(true);
      return (uptime() - before) / ((session.now - started) / session.host.pc.cost.clockHz);
    };
    expect(clock('native')).toBeGreaterThan(0.9);
    expect(clock('trap-and-emulate')).toBeLessThan(0.3);
  });
});

describe('what cannot be deprivileged is refused', () => {
  it('a kernel ported to Xen', () => {
    expect(() => runAlone('hello-xen.asm', 'trap-and-emulate')).toThrow(/needs its hypercalls/);
  });

  it('code of real mode', () => {
    const sector = new Uint8Array(512);
    sector.set([0xeb, 0xfe]);
    sector.set([0x55, 0xaa], 510);
    expect(() => runAlone(sector, 'trap-and-emulate')).toThrow(/real mode/);
  });
});

it('the same boot twice takes the same course', () => {
  const once = () => command('trap-and-emulate', 'hello').session.now;
  expect(once()).toBe(once());
});
