// The house's own guests, unmodified, by binary translation: what they say and do is what they say and do on the bare machine.
import { describe, expect, it } from 'vitest';
import type { TechniqueName } from '../technique.ts';
import { boot, outcome, runAlone } from '../testing/alone.ts';
import { runUntil, type } from '../testing/arena.ts';
import { translatedGuest } from './testing.ts';

/** Boots Penguin and gives it commands at its prompt; what it said from there on. */
function commands(technique: TechniqueName, ...lines: string[]) {
  const session = boot('penguin/penguin-native.asm', technique, 16);
  const prompts = () => session.domains[0].text.split('penguin# ').length - 1;
  const at = (count: number) => runUntil(session, () => prompts() >= count, 3_000_000_000);
  expect(at(1), outcome(session).ending).toBe(true);
  const before = session.domains[0].text.length;
  lines.forEach((line, n) => {
    type(session, 0, line);
    expect(at(n + 2), session.domains[0].text).toBe(true);
  });
  return { answer: session.domains[0].text.slice(before), ...outcome(session) };
}

describe('Penguin', () => {
  it('answers as on the bare machine, and no instruction of its kernel goes wrong', () => {
    const lines = ['cat /etc/rings', 'hello', 'primes 100', 'ls /'];
    const translated = commands('binary-translation', ...lines);
    expect(translated.answer).toBe(commands('native', ...lines).answer);
    expect(translated.holes).toEqual([]);
    expect(translatedGuest(translated.session).cache.blocks.length).toBeGreaterThan(300);
  }, 120_000);

  it('makes and ends processes, on page tables that are traced', () => {
    const { answer } = commands('binary-translation', 'forkwait 20');
    expect(answer).toMatch(/20 times fork and wait/);
  }, 120_000);

  it('keeps its interrupt flag: while a program computes, its clock goes on', () => {
    const { session, serial } = commands('binary-translation', 'uptime', 'primes 30000', 'uptime');
    const [before, after] = [...serial.matchAll(/up ([\d.]+) s/g)].map((found) => Number(found[1]));
    expect(after - before).toBeGreaterThan(0.05);
    expect(session.view(0)!.state).toBe('running');
  }, 120_000);
});

it('Panes comes up', () => {
  const session = boot('panes/panes.asm', 'binary-translation', 16);
  expect(runUntil(session, () => /desktop ready/.test(session.domains[0].text), 400_000_000)).toBe(true);
  runUntil(session, () => false, 20_000_000);
  expect(session.view(0)!.state, session.view(0)!.ending).toBe('running');
}, 120_000);

it('a boot sector: from the reset vector through the firmware, in real mode', () => {
  const sector = new Uint8Array(512);
  // MOV AL, 'k'; OUT E9h, AL; MOV AX, 0E40h; INT 10h; MOV DX, 604h; MOV AX, 2000h; OUT DX, AX
  sector.set([0xb0, 0x6b, 0xe6, 0xe9, 0xb8, 0x40, 0x0e, 0xcd, 0x10]);
  sector.set([0xba, 0x04, 0x06, 0xb8, 0x00, 0x20, 0xef, 0xeb, 0xfe], 9);
  sector.set([0x55, 0xaa], 510);
  const bare = runAlone(sector, 'native');
  const translated = runAlone(sector, 'binary-translation', 4_000_000_000);
  expect(bare.debug).toMatch(/k$/);
  expect([translated.debug, translated.state]).toEqual([bare.debug, 'halted']);
}, 120_000);

describe('what cannot be run is refused in one line', () => {
  it('a kernel ported to Xen', () => {
    expect(() => runAlone('hello-xen.asm', 'binary-translation')).toThrow(/needs its hypercalls/);
  });
});

it('the same boot twice takes the same course', () => {
  const once = () => commands('binary-translation', 'hello').session.now;
  expect(once()).toBe(once());
}, 120_000);
