// One guest, every technique, the same result, continued: what a guest is offered (Microsoft's interface, Xen's, both) changes
// how often it leaves, and nothing that it says; nor does a kernel that is ported, or shared. The bare machine is the yardstick.
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import type { Enlightenment } from '../hypervisor/technique.ts';
import {
  assembled,
  BARE,
  booted,
  COMMANDS,
  converse,
  each,
  HARDWARE,
  image,
  library,
  once,
  outcome,
  timeless,
  toTheEnd,
  type Way,
} from './testing/differential.ts';

const OFFERS: readonly (readonly Enlightenment[])[] = [['hyper-v'], ['xen'], ['hyper-v', 'xen']];
const OFFERED = HARDWARE.flatMap((way) => OFFERS.map((enlightenments): Way => ({ ...way, enlightenments })));
/** Of the processor of 2008 with shadow tables, too: its guests may be unrestricted, and their translations tagged. */
const LATER = HARDWARE.filter(({ paging }) => paging === 'shadow').map(
  (way): Way => ({ ...way, processor: 'nehalem' }),
);

describe('Penguin', () => {
  const said = (way: Way, guest: string, commands: readonly string[] = COMMANDS) => {
    const session = toTheEnd(converse(booted(way, library.find(guest)!), commands), 10);
    const { serial, state } = outcome(session);
    // From its first prompt: what comes before speaks of the machine.
    return { state, serial: timeless(serial).slice(serial.indexOf('penguin# ')) };
  };
  const bare = once(() => said(BARE, 'penguin-native'));

  it.each(each(OFFERED))('says the same when it is enlightened: %s', (_, way) => {
    expect(said(way, 'penguin-native')).toEqual(bare());
  });
  it.each(each(LATER))('says the same on a later processor: %s', (_, way) => {
    expect(said(way, 'penguin-native')).toEqual(bare());
  });

  /** Which build it is, and of what version, is what it should say. */
  const nameless = ({ serial, state }: ReturnType<typeof said>) => ({
    state,
    serial: serial.replace(/^Penguin .*$/gm, 'Penguin'),
  });
  it('says the same when it is ported', () => {
    const way: Way = { technique: 'paravirtualization', paging: 'shadow', processor: 'prescott' };
    expect(nameless(said(way, 'penguin-xen'))).toEqual(nameless(bare()));
  });
  it('says the same to whoever is in a container', () => {
    const way: Way = { technique: 'container', paging: 'shadow', processor: 'prescott' };
    const commands = COMMANDS.filter((command) => command !== 'halt');
    const inside = nameless(said(way, 'penguin-container', commands));
    const outside = nameless(bare());
    const end = outside.serial.indexOf('halt\r');
    expect(inside.serial.slice(0, end)).toBe(outside.serial.slice(0, end));
  });
});

describe('a guest that asks for nothing', () => {
  const BOTH = HARDWARE.map((way): Way => ({ ...way, enlightenments: ['hyper-v', 'xen'] }));

  it.each(each([...BOTH, ...LATER]))('does what QEMU did with every system instruction: %s', (_, way) => {
    const folder = '../machine/cpu/fixtures/system/';
    const expected = readFileSync(fileURLToPath(new URL(`${folder}expected.txt`, import.meta.url)), 'latin1');
    const session = toTheEnd(booted(way, image(assembled('machine/cpu/fixtures/system/', 'main.asm'))));
    expect(session.domains[0].debugText).toBe(expected);
  });

  it.each(each(BOTH))('shows its desktop: Panes under %s', (_, way) => {
    const session = booted(way, library.find('panes')!);
    session.run(session.now + 2 * session.host.pc.cost.clockHz);
    expect(outcome(session).serial).toMatch(/desktop ready/);
    expect(session.view(0)!.board!.screen().mode).not.toBe('text');
  });
});
