// What a session does with what cannot be used, and with guests that go wild (design.md §6): one clear reason before
// anything boots, and the guest that runs stays as it was; a shown ending, or a guest that waits, never a hung host.

import { beforeAll, describe, expect, it } from 'vitest';
import { nodeLibrary } from '../cli/library.ts';
import type { TechniqueName } from '../hypervisor/technique.ts';
import { ascii, elf, words } from '../images/fixtures.ts';
import { techniquesHere } from './host.ts';
import { buildGuest, type GuestSource } from './library.ts';
import { parseScenario } from './scenario.ts';
import { Session } from './session.ts';

const library = nodeLibrary();
type Technique = TechniqueName;
/** Techniques for guests that know of no hypervisor. */
const UNMODIFIED = techniquesHere().filter((name) => name !== 'paravirtualization' && name !== 'container');

/** A session with one guest, which does not have to be in the library. */
function sessionOf(technique: Technique, source?: GuestSource, memoryMiB = 4): Session {
  const find = (guest: string) => source ?? library.find(guest);
  return new Session(
    parseScenario({
      name: 'bad input',
      title: 'bad input',
      processor: 'prescott',
      memoryMiB: technique === 'native' ? memoryMiB : memoryMiB + 12,
      domains: [{ name: 'guest', guest: 'hello-xen', technique, memoryMiB }],
    }),
    { ...library, find },
  );
}

const source = (text: string): GuestSource => ({
  kind: 'source',
  files: new Map([['guest.asm', text]]),
  main: 'guest.asm',
  sealed: false,
});
const image = (bytes: Uint8Array): GuestSource => ({ kind: 'image', name: 'guest.img', bytes });

/** The bytes of one of our guests. */
function bytesOf(guest: string): Uint8Array {
  const built = buildGuest(library.find(guest)!, library, guest);
  if (!built.image) throw new Error(`${guest} does not assemble`);
  return built.bytes;
}

/** Penguin at its prompt: what is refused must not disturb it. */
let penguin: Session;
beforeAll(() => {
  penguin = new Session(
    parseScenario({
      name: 'penguin',
      title: 'penguin',
      processor: 'prescott',
      memoryMiB: 32,
      domains: [{ name: 'penguin', guest: 'penguin-xen', technique: 'paravirtualization', memoryMiB: 8 }],
    }),
    library,
  );
  penguin.bootAll();
  const end = penguin.now + 400_000_000;
  while (penguin.now < end && !/penguin# $/.test(penguin.domains[0].text)) penguin.run(penguin.now + 500_000);
}, 60_000);

/** The running guest answers as before. */
let asked = 0;
function stillThere(): void {
  const word = `still-here-${++asked}`;
  penguin.input(0, [...ascii(`echo ${word}\r`)]);
  const end = penguin.now + 100_000_000;
  const answered = () => penguin.domains[0].text.includes(`\n${word}`);
  while (penguin.now < end && !answered()) penguin.run(penguin.now + 500_000);
  expect(answered(), penguin.domains[0].text.slice(-200)).toBe(true);
}

/** Refused with a reason in one line; the running guest is the same as before. */
function refused(given: GuestSource, reason: RegExp, technique?: Technique): void {
  const { built } = penguin.domains[0];
  const before = penguin.host.pc.cpu.cycles;
  const result = penguin.boot(0, { source: given, technique });
  expect(result.ok).toBe(false);
  if (result.ok) return;
  expect(result.message).toMatch(reason);
  expect(result.message).not.toMatch(/\n|Cannot read|is not a function|undefined/);
  expect(penguin.domains[0].built, 'what is booted').toBe(built);
  expect(penguin.host.pc.cpu.cycles).toBe(before);
}

describe('images that are none', () => {
  it.each([
    ['an empty file', new Uint8Array(0), /empty/],
    ['zeroes', new Uint8Array(5000), /not an image that can boot/],
    ['all ones', new Uint8Array(5000).fill(0xff), /Accepted are/],
    [
      'a picture',
      Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, ...new Uint8Array(100)),
      /PNG|Accepted are/,
    ],
    ['a compressed file', Uint8Array.of(0x1f, 0x8b, 8, 0, ...new Uint8Array(100)), /gzip|Accepted are/],
    ['a DOS program', ascii(`MZ${'\0'.repeat(200)}`), /DOS program/],
    ['a script', ascii('#!/bin/sh\necho no kernel\n'), /Accepted are/],
    ['a 64-bit ELF', Uint8Array.of(0x7f, 0x45, 0x4c, 0x46, 2, 1, 1, ...new Uint8Array(100)), /64/],
    [
      'an ELF for another processor',
      (() => {
        const e = elf([{ virtual: 0x100000, data: new Uint8Array(16) }]);
        e[18] = 40;
        return e;
      })(),
      /x86|386|machine/i,
    ],
    ['an ELF without a segment', elf([]), /is an ELF file without/],
    ['a multiboot header and nothing else', words(0x1badb002, 0x10003, -(0x1badb002 + 0x10003)), /./],
    [
      'a boot sector, where VT-x cannot run it',
      (() => {
        const s = new Uint8Array(512);
        s.set([0xeb, 0xfe]);
        s.set([0x55, 0xaa], 510);
        return s;
      })(),
      /./,
    ],
  ])('%s', (_, bytes, reason) => {
    refused(image(bytes), reason);
    stillThere();
  });

  it.each(['hello-xen', 'penguin-xen'])('%s cut off at any boundary is refused', (guest) => {
    const whole = bytesOf(guest);
    const lengths = [...Array(140).keys(), 200, 300, 400, 4095, 4096, 4097, 8191, 8192, whole.length - 1];
    const session = sessionOf('paravirtualization');
    for (const length of lengths.filter((n) => n < whole.length)) {
      const result = session.boot(0, { source: image(whole.subarray(0, length)) });
      expect(result, `${length} bytes of ${whole.length}`).toMatchObject({
        ok: false,
        message: expect.stringMatching(/^hello-xen: [^\n]+$/),
      });
    }
  });

  it.each(['penguin-native', 'panes'])(
    '%s cut off at any boundary is refused, by all techniques that take it whole',
    (guest) => {
      const whole = bytesOf(guest);
      const middle = [0, 1, 2, 4, 11, 12, 31, 32, 47, 48, 64, 511, 512, 513, 4096, whole.length >> 1];
      for (const technique of UNMODIFIED) {
        const session = sessionOf(technique, undefined, 8);
        for (const length of [...middle, whole.length - 1]) {
          const result = session.boot(0, { source: image(whole.subarray(0, length)) });
          expect(result.ok, `${length} bytes under ${technique}`).toBe(false);
        }
        expect(session.boot(0, { source: image(whole) })).toEqual({ ok: true });
      }
    },
  );
});

describe('sources without end', () => {
  const place = /^guest\.asm:\d+:\d+: /;
  it.each([
    ['a macro that calls itself', '%macro m 0\nm\n%endmacro\nm\n', /calls itself/],
    ['two macros that call each other', '%macro a 0\nb\n%endmacro\n%macro b 0\na\n%endmacro\na\n', place],
    [
      'a macro that doubles',
      `%macro d0 0\nnop\n%endmacro\n${[...Array(40).keys()].map((n) => `%macro d${n + 1} 0\nd${n}\nd${n}\n%endmacro`).join('\n')}\nd40\n`,
      place,
    ],
    [
      'a definition that doubles',
      `%define x0 nop,nop\n${[...Array(40).keys()].map((n) => `%define x${n + 1} x${n},x${n}`).join('\n')}\ndb x40\n`,
      place,
    ],
    ['a file that includes itself', '%include "guest.asm"\n', /include each other/],
    ['times without end', 'times 100000000000 db 0\n', place],
    ['a %rep without end', '%rep 1000000000\nnop\n%endrep\n', place],
    [
      'reserved space without end, and nothing else',
      'section .bss\nresb 0xffffffff\nresb 0xffffffff\n',
      /empty/,
    ],
    ['parentheses without end', `dd ${'('.repeat(100_000)}1${')'.repeat(100_000)}\n`, place],
    ['an operator without end', `dd ${'-'.repeat(100_000)}1\n`, place],
  ])('%s', (_, text, reason) => {
    refused(source(text), reason);
    stillThere();
  });

  it.each([
    ['comments', '; nothing happens in this line\n'],
    ['instructions', 'mov eax, [ebx + 4 * ecx + 12345678]\n'],
    ['one string', 'a'],
    ['mistakes', 'this is wrong\n'],
    ['zero bytes', '\0'],
  ])('10 MB of %s', (what, line) => {
    const many = line.repeat(Math.ceil((10 << 20) / line.length));
    const text = what === 'one string' ? `db "${many}"\nnop, nop\n` : `bits 32\nnop, nop\n${many}`;
    refused(source(text), place);
    stillThere();
  });
});

/** A multiboot kernel around instructions, and a kernel ported to Xen around the same. */
const pc = (body: string): GuestSource =>
  source(`bits 32
org 0x100000
image: dd 0x1badb002, 0x10000, -(0x1badb002 + 0x10000), image, image, 0, 0x110000, start
start: mov esp, 0x110000
${body}
`);
const xen = (body: string): GuestSource =>
  source(`%include "include/xen.inc"
xen_guest "bad", "1", start
start: mov esp, stack_top
${body}
section .bss
resb 4096
stack_top:
xen_guest_end
`);

describe('guests that go wild', () => {
  const both = (body: string): [Technique, GuestSource][] => [
    ...UNMODIFIED.map((technique): [Technique, GuestSource] => [technique, pc(body)]),
    ['paravirtualization', xen(body)],
  ];
  const booted = (technique: Technique, given: GuestSource): Session => {
    const session = sessionOf(technique, given);
    expect(session.boot(0)).toEqual({ ok: true });
    return session;
  };

  it.each(UNMODIFIED)('%s: a triple fault is shown with the faults that led to it', (technique) => {
    const session = booted(technique, pc('lidt [nothing]\nud2\nnothing: dw 0\ndd 0'));
    expect(session.run(10_000_000)).toBe('idle');
    const { state, ending } = session.view(0)!;
    expect(state).toBe('crashed');
    expect(ending).toMatch(/^triple fault at 001000[0-9A-F]{2}h: #UD → #GP.* → #DF → .*shutdown/);
  });

  it('paravirtualization: an exception without a handler, its likeness there, is shown with its place', () => {
    const session = booted('paravirtualization', xen('ud2'));
    expect(session.run(10_000_000)).toBe('idle');
    expect(session.view(0)!.ending).toMatch(/^exception 6 at c0102005h: it registered no handler/);
  });

  it.each(UNMODIFIED)('%s: CLI; HLT waits for ever, and says so; the host’s time goes on', (technique) => {
    const session = booted(technique, pc('cli\nhlt\nud2'));
    session.run(5_000_000);
    expect(session.view(0)).toMatchObject({
      state: 'running',
      ending: expect.stringMatching(/waits for ever/),
    });
    expect(session.now).toBeGreaterThanOrEqual(5_000_000);
    const { instructions } = session.host.pc.cpu;
    session.run(50_000_000);
    expect(session.now).toBeGreaterThanOrEqual(50_000_000);
    expect(session.host.pc.cpu.instructions).toBe(instructions);
  });

  it('paravirtualization: blocking with no event to come waits for ever too', () => {
    const session = booted(
      'paravirtualization',
      xen('again: mov ebx, SCHEDOP_block\nhypercall HYPERVISOR_sched_op\njmp again'),
    );
    expect(session.run(50_000_000)).toBe('idle');
    expect(session.now).toBeGreaterThanOrEqual(50_000_000);
    expect(session.host.instructionsOf(0)).toBeLessThan(20);
  });

  it.each([
    ['a loop with interrupts off', 'cli\nagain: jmp again'],
    ['exceptions for ever', 'again: push dword 0x12345\npopfd\nmov eax, [0x7ffffff0]\njmp again'],
    ['a stack that runs down through everything', 'again: push dword 0x55\njmp again'],
    ['copying everything over itself', 'xor esi, esi\nmov edi, 1\nmov ecx, -1\nrep movsb'],
    ['a string instruction that lasts', 'mov esi, 0x100000\nmov edi, esi\nmov ecx, -1\nrep lodsb\nud2'],
    ['output without end', 'mov dx, 0x3f8\nagain: mov al, "x"\nout dx, al\njmp again'],
    [
      'every port, every value',
      'again: inc eax\nmov edx, eax\nout dx, al\nin eax, dx\nout dx, eax\njmp again',
    ],
  ])('%s: the host gets its processor back after each slice, on every technique', (_, body) => {
    for (const [technique, given] of both(body)) {
      const session = booted(technique, given);
      for (let n = 0; n < 10; n++) {
        const until = session.now + 100_000;
        const end = session.run(until);
        expect(['budget', 'idle'], technique).toContain(end);
        expect(session.now - until, `${technique}: cycles beyond the budget`).toBeLessThan(1_000_000);
        if (end === 'idle') break;
      }
      const { state, ending } = session.view(0)!;
      if (state !== 'running') expect(ending).not.toBe('');
      expect(ending).not.toMatch(/mistake of the hypervisor/);
    }
  });

  it('output without end keeps the newest of it, not all of it', () => {
    const session = booted('native', pc('mov dx, 0x3f8\nagain: mov al, "x"\nout dx, al\njmp again'));
    session.domains[0].text = 'y'.repeat(2 << 20);
    session.run(5_000_000);
    expect(session.domains[0].text.length).toBeLessThanOrEqual(2 << 20);
    expect(session.domains[0].text.endsWith('x')).toBe(true);
    expect(session.domains[0].printed).toBeGreaterThan(10);
  });

  it.each(UNMODIFIED)(
    '%s: a guest that reboots at once, for ever, leaves the time to the others',
    (technique) => {
      const session = booted(technique, pc('mov al, 0xfe\nout 0x64, al\nagain: jmp again'));
      session.run(session.host.pc.cost.clockHz);
      // A reboot takes a tenth of a second: ten of them, and not thousands, in a second.
      expect(session.host.recorder.count(16)).toBeLessThan(60);
      expect(session.view(0)!.state).toMatch(/running|rebooting/);
    },
  );
});
